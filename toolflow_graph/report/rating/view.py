"""A dialogue as the rating page draws it: bubbles, and calls with their results folded between them."""

import json
from collections.abc import Iterator
from typing import Any

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.types import JSON

__all__ = ["show_dialogue"]

_LONGEST = 20_000
"""Characters of one text that are sent to the page."""


def show_dialogue(dialogue: StoredDialogue) -> JSON:
    """Return the parts of a dialogue in order, and the tools on offer; nothing in it tells where it comes from.

    A part is `{"kind": "system" | "user" | "assistant" | "other", "text": …}` or `{"kind": "call", "name": …,
    "arguments": …, "result": … | None}`. A result without a call stands by itself as a call without a name.
    """
    results = {m["tool_call_id"]: m for m in dialogue.messages if m["role"] == "tool" and m.get("tool_call_id")}
    called = {call.get("id") for message in dialogue.messages for call in message.get("tool_calls") or ()}
    parts = [part for message in dialogue.messages for part in _show_message(message, results, called)]
    return {"parts": parts, "tools": [_show_tool(tool) for tool in dialogue.tools]}


def _show_message(message: JSON, results: dict[str, JSON], called: set[Any]) -> Iterator[JSON]:
    role = message["role"]
    if role == "tool":
        if message.get("tool_call_id") not in called:
            yield {"kind": "call", "name": _write(message.get("name")), "arguments": "", "result": _read(message)}
        return
    if text := _write(message.get("content")):
        yield {"kind": role if role in ("system", "user", "assistant") else "other", "text": text}
    for call in message.get("tool_calls") or ():
        function, answered = call["function"], results.get(call.get("id"))
        yield {
            "kind": "call",
            "name": _write(function.get("name")),
            "arguments": _lay_out(function.get("arguments")),
            "result": None if answered is None else _read(answered),
        }


def _show_tool(tool: JSON) -> JSON:
    function = tool.get("function")
    function = function if isinstance(function, dict) else tool
    return {"name": _write(function.get("name")), "description": _write(function.get("description"))}


def _read(message: JSON) -> str:
    return _lay_out(message.get("content"))


def _lay_out(value: Any) -> str:
    """Return JSON with a line for each field, or whatever else it is as it is."""
    try:
        value = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return _write(value)
    return value[:_LONGEST] if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)[:_LONGEST]


def _write(value: Any) -> str:
    if isinstance(value, list):  # content in parts
        texts = (part.get("text") for part in value if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))[:_LONGEST]
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return text[:_LONGEST]
