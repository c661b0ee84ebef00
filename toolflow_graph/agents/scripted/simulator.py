"""The scripted tool simulator: results that fit the schema, echo the call, and stay true to the world so far."""

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, ToolMessage

from toolflow_graph.agents.roles import Scene, ToolCall, ToolResult
from toolflow_graph.agents.scripted.agenda import Agenda
from toolflow_graph.agents.scripted.imagination import Imagination
from toolflow_graph.agents.scripted.sense import sense
from toolflow_graph.agents.scripted.verbalise import with_phrasings
from toolflow_graph.agents.scripted.world import World
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.types import JSON, Tool

__all__ = ["ScriptedToolSimulator"]


class ScriptedToolSimulator:
    """Plays any tool from its schemas."""

    async def run(self, scene: Scene, call: ToolCall) -> ToolResult:
        """Return the result of a call; one that the agenda lets fail returns its error."""
        agenda = Agenda(scene)
        number = agenda.call_of(call.id)
        if call.name == SEARCH_TOOLS.name:
            return ToolResult(_find_tools(scene, agenda, number), scene.world)
        if call.name not in scene.tools:
            return ToolResult({"error": f"unknown tool {call.name!r}"}, scene.world, failed=True)
        tool = with_phrasings(scene.tools[call.name])
        if number is not None and "fails" in agenda.calls[number]:
            wording = agenda.wording(number, scene.rng("error", call.id))
            frame = str(agenda.calls[number]["fails"])
            message = wording.fill(frame, call.arguments, "assistant") or frame
            return ToolResult({"error": message.strip()}, scene.world, failed=True)
        repeated = _same_reading(scene, tool, call)
        if repeated is not None:
            return ToolResult(repeated, scene.world)
        world = World(scene.world)
        content = Imagination(tool, call.arguments, world, scene).result()
        return ToolResult(content, world.after(tool, call.arguments, content))


def _find_tools(scene: Scene, agenda: Agenda, number: int | None) -> JSON:
    names: Sequence[str] = agenda.calls[number].get("found", ()) if number is not None else ()
    tools = [scene.tools[name] for name in names if name in scene.tools]
    return {"tools": [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in tools]}


def _same_reading(scene: Scene, tool: Tool, call: ToolCall) -> JSON | None:
    """Return what the same reading call returned before, when nothing has changed since."""
    if sense(tool).action not in ("read", "compute"):
        return None
    results = {m.tool_call_id: m for m in scene.messages if isinstance(m, ToolMessage) and m.status != "error"}
    for message in reversed(scene.messages):
        if not isinstance(message, AIMessage):
            continue
        for earlier in message.tool_calls:
            known = results.get(str(earlier["id"]))
            if known is None:
                continue
            if earlier["name"] == call.name and earlier["args"] == call.arguments:
                return dict(json.loads(str(known.content)))
            other = scene.tools.get(earlier["name"])
            if other is not None and sense(other).action in ("create", "update", "end"):
                return None
    return None
