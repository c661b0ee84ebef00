"""The tools as what they really are, where they can be called; the others are simulated."""

from collections.abc import Mapping

from toolflow_graph.agents.llm.tool_simulator import must_fail, write_answer, write_call
from toolflow_graph.agents.roles import Aside, Scene, ToolCall, ToolResult, ToolSimulator
from toolflow_graph.live.calling import LiveTools
from toolflow_graph.types import Tool

__all__ = ["ExecutedTools"]


class ExecutedTools:
    """Calls real tools; what they answer is told to the simulator of the others, whose world it belongs to."""

    def __init__(self, simulator: ToolSimulator, live: LiveTools, tools: Mapping[str, Tool]) -> None:
        """Keep the simulator, what calls for real, and the tools that are called so."""
        self.simulator = simulator
        self.live = live
        self.tools = tools

    async def run(self, scene: Scene, call: ToolCall) -> ToolResult:
        """Return what the tool answers; where the plan wants an error, it is simulated."""
        tool = self.tools.get(call.name)
        if tool is None or must_fail(scene, call):
            return await self.simulator.run(scene, call)
        outcome = await self.live.run(tool.runs, call.arguments)
        error, result = (outcome.content["error"], None) if outcome.failed else (None, outcome.content)
        answer = write_answer({"failed": outcome.failed, "error": error, "result": result})
        aside = Aside(memory=(write_call(call), answer))
        return ToolResult(outcome.content, scene.world, failed=outcome.failed, aside=aside, executed=True)
