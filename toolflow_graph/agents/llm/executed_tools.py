"""The tools as what they really are, where they can be called; the others are simulated."""

from collections.abc import Mapping

from toolflow_graph.agents.llm.tool_simulator import must_fail, write_answer, write_call
from toolflow_graph.agents.roles import Aside, Scene, ToolCall, ToolResult, ToolSimulator
from toolflow_graph.errors import CatalogError
from toolflow_graph.live.calling import LiveTools
from toolflow_graph.live.executions import find_executions, name_call
from toolflow_graph.live.outcome import Outcome, fail
from toolflow_graph.types import Tool

__all__ = ["ExecutedTools"]

_UNKNOWN = "the call was interrupted before the tool answered; it is unknown whether it took effect"


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
        outcome = await self._execute(tool, scene.index, call)
        error, result = (outcome.content["error"], None) if outcome.failed else (None, outcome.content)
        answer = write_answer({"failed": outcome.failed, "error": error, "result": result})
        aside = Aside(memory=(write_call(call), answer))
        return ToolResult(outcome.content, scene.world, failed=outcome.failed, aside=aside, executed=True)

    async def _execute(self, tool: Tool, index: int, call: ToolCall) -> Outcome:
        """Call the tool, unless that was done before the run was interrupted: then say what is known of it.

        What only reads, or may be repeated by its own word, is called again when its answer was lost.
        """
        executions = find_executions()
        if executions is None:
            return await self.live.run(tool.runs, call.arguments)
        key = name_call(index, call.id, call.name, call.arguments)
        if (known := executions.find(key)) is not None:
            return known
        if key in executions and not (tool.annotations.read_only or tool.annotations.idempotent):
            outcome = fail(_UNKNOWN)
        else:
            await executions.begin(key, call.name)
            try:
                outcome = await self.live.run(tool.runs, call.arguments)
            except CatalogError:
                await executions.withdraw(key)
                raise
        await executions.end(key, outcome)
        return outcome
