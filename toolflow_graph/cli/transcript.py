"""A dialogue as a person reads it: who says what, which tools are called, what they return."""

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from toolflow_graph.types import JSON, DialogueRecord

__all__ = ["draw_dialogue", "draw_message"]

_VALUE, _RESULT = 60, 220
"""Characters shown of one argument and of one result."""


def draw_dialogue(record: DialogueRecord) -> RenderableType:
    """Return the dialogue as a panel for a rich console."""
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(justify="right", no_wrap=True, width=9)
    lines.add_column()
    for message in record.messages:
        for label, text in draw_message(message):
            lines.add_row(label, text)
    parts: list[RenderableType] = [lines]
    if record.plan is not None:
        scenario = record.plan.scenario
        head = Text(" ".join(part for part in (scenario.situation, scenario.goal) if part), style="italic dim")
        parts = [Padding(head, (0, 0, 1, 0)), lines] if head else parts
    title = Text.assemble((record.id, "bold"), "  ", (" + ".join(record.patterns), "magenta"))
    subtitle = Text(f"{len(record.tools)} tools offered, {record.usage.get('calls', 0)} calls", style="dim")
    return Panel(Group(*parts), title=title, subtitle=subtitle, title_align="left", subtitle_align="right")


def draw_message(message: JSON) -> Iterator[tuple[Text, Text]]:
    """Yield who speaks and what is said, called or returned: a label and a line for each."""
    match message["role"]:
        case "system":
            yield Text("system", style="dim"), Text(message["content"], style="dim")
        case "user":
            yield Text("user", style="bold cyan"), Text(message["content"])
        case "tool":
            yield Text("←", style="yellow"), _draw_result(message)
        case _:
            if message.get("content"):
                yield Text("assistant", style="bold green"), Text(message["content"])
            for call in message.get("tool_calls") or ():
                yield Text("→", style="yellow"), _draw_call(call["function"])


def _draw_call(function: JSON) -> Text:
    drawn = Text.assemble((function["name"], "bold yellow"), "(")
    for place, (name, value) in enumerate(json.loads(function["arguments"]).items()):
        drawn.append(", " if place else "")
        drawn.append(f"{name}=", style="dim")
        drawn.append(_shorten(json.dumps(value, ensure_ascii=False), _VALUE))
    return drawn.append(")")


def _draw_result(message: JSON) -> Text:
    try:
        result = json.loads(message["content"])
    except ValueError:
        return Text(_shorten(message["content"], _RESULT))
    failed = isinstance(result, dict) and result.keys() == {"error"}
    return Text(_shorten(_summarise(result), _RESULT), style="red" if failed else "dim")


def _summarise(value: Any) -> str:
    """Return JSON with as few signs as can be read: names and values, lists by their length and first item."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_nest(part)}" for name, part in value.items())
    return _nest(value)


def _nest(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + _summarise(value) + "}"
    if isinstance(value, list) and len(value) > 1 and isinstance(value[0], dict):
        return f"{len(value)} of [{_nest(value[0])}, …]"
    if isinstance(value, list):
        return "[" + ", ".join(_nest(part) for part in value) + "]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip(" ,") + "…"
