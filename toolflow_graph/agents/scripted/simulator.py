"""The scripted tool simulator: results that fit the schema, echo the call, and stay true to the world so far."""

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, ToolMessage

from toolflow_graph.agents.roles import Scene, ToolCall, ToolResult
from toolflow_graph.agents.scripted.acts import is_reference
from toolflow_graph.agents.scripted.agenda import Agenda
from toolflow_graph.agents.scripted.imagination import Imagination
from toolflow_graph.agents.scripted.promised import require_paths
from toolflow_graph.agents.scripted.sense import sense, words_of
from toolflow_graph.agents.scripted.verbalise import with_phrasings
from toolflow_graph.agents.scripted.world import World
from toolflow_graph.agents.search_tools import SEARCH_TOOLS, document_tools
from toolflow_graph.types import JSON, Tool

__all__ = ["ScriptedToolSimulator"]


class ScriptedToolSimulator:
    """Plays any tool from its schemas."""

    async def run(self, scene: Scene, call: ToolCall) -> ToolResult:
        """Return the result of a call; one that the agenda lets fail returns its error."""
        agenda = Agenda(scene)
        number = agenda.call_of(call.id)
        if call.name == SEARCH_TOOLS.name:
            names = scene.find_tools(str(call.arguments.get("query", ""))) if scene.find_tools else ()
            return ToolResult(document_tools(scene.tools[name] for name in names), scene.world)
        if call.name not in scene.tools:
            return ToolResult({"error": f"unknown tool {call.name!r}"}, scene.world, failed=True)
        tool = with_phrasings(scene.tools[call.name])
        if number is not None and "fails" in agenda.calls[number]:
            wording = agenda.wording(number, scene.rng("error", call.id))
            frame = str(agenda.calls[number]["fails"])
            message = wording.fill(frame, call.arguments, "assistant") or frame
            return ToolResult({"error": message.strip()}, scene.world, failed=True)
        same, items = _look_back(scene, tool, call)
        if same is not None:
            return ToolResult(same, scene.world)
        world = World(scene.world)
        returns = require_paths(tool.returns, _taken_later(agenda, number))
        content = Imagination(tool, call.arguments, world, scene).result(returns, items)
        return ToolResult(content, world.after(tool, call.arguments, content))


def _taken_later(agenda: Agenda, number: int | None) -> list[str]:
    """Return the paths of what other planned calls take from the result of a call."""
    references = (value for call in agenda.calls for value in call["arguments"].values() if is_reference(value))
    return list(dict.fromkeys(str(path) for call, path, *_ in (v["$from"] for v in references) if call == number))


def _look_back(scene: Scene, tool: Tool, call: ToolCall) -> tuple[JSON | None, Sequence[JSON]]:
    """Return what the same reading call returned before, or the items of its list when something has happened since.

    A list that is asked for with only a number changed that is no property of its items (nights, guests) stays.
    """
    if sense(tool).action not in ("read", "compute"):
        return None, ()
    results = {m.tool_call_id: m for m in scene.messages if isinstance(m, ToolMessage) and m.status != "error"}
    listing = sense(tool).listing
    untouched = True
    for message in reversed(scene.messages):
        for earlier in message.tool_calls if isinstance(message, AIMessage) else ():
            known = results.get(str(earlier["id"]))
            if known is None:
                continue
            if earlier["name"] == call.name and _asks_alike(tool, earlier["args"], call.arguments):
                content = json.loads(str(known.content))
                if untouched and earlier["args"] == call.arguments:
                    return content, ()
                return None, content.get(listing, ()) if listing else ()
            other = scene.tools.get(earlier["name"])
            untouched = untouched and (other is None or sense(other).action in ("read", "compute"))
    return None, ()


def _asks_alike(tool: Tool, one: JSON, other: JSON) -> bool:
    """Say whether two calls differ at most in one number that no item of the list shows and no filter uses."""
    changed = {name for name in {*one, *other} if one.get(name) != other.get(name)}
    if not changed:
        return True
    listing = sense(tool).listing
    if listing is None or len(changed) > 1:
        return False
    name = next(iter(changed))
    shown = tool.returns["properties"][listing]["items"].get("properties", {})
    numeric = all(isinstance(args.get(name), int | float) for args in (one, other))
    return numeric and name not in shown and not set(words_of(name)) & _FILTERS


_FILTERS = frozenset("min max minimum maximum after before limit radius distance within page offset budget".split())
