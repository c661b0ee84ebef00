"""Fills in descriptions and examples that a catalog leaves out, by plain rules; what is filled in is marked.

(Returns that are missing are inferred when a catalog is read.)
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from toolflow_graph.catalog.slots import iterate_slots
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON, Tool
from toolflow_graph.values import draw_value, kind_of
from toolflow_graph.values.naming import split_words

__all__ = ["Gap", "SlotText", "enrich_tool", "fill_slots", "find_gaps"]

_EXAMPLES = 6
_DRAWN_ON = date(2026, 1, 15)
_TOLD_BY_SCHEMA = ("enum", "const", "examples", "default", "pattern", "format")
_NOT_DRAWN = ("text", "id", "boolean", "enum", "array", "object")
_HINTS = {
    "date": "as YYYY-MM-DD",
    "time": "as HH:MM",
    "datetime": "date and time in ISO 8601",
    "email": "an e-mail address",
    "url": "a web address",
    "currency": "as a three-letter code",
    "percent": "in percent",
}
_PLAIN_TYPES = ("string", "integer", "number")


@dataclass(frozen=True)
class Gap:
    """What a slot lacks; `part` is "parameters" or "returns"."""

    part: str
    path: str
    schema: JSON
    description: bool
    examples: bool

    @property
    def slot(self) -> str:
        """The slot as `Tool.inferred` names it."""
        return f"{self.part}.{self.path}"


@dataclass(frozen=True)
class SlotText:
    """What to fill into a slot; what is empty stays as it is."""

    description: str = ""
    examples: tuple[Any, ...] = ()


def find_gaps(tool: Tool) -> list[Gap]:
    """Return the slots that lack a description, and the parameters that lack examples and anything like them."""
    gaps = []
    for part in ("parameters", "returns"):
        for slot in iterate_slots(getattr(tool, part)):
            undescribed = not slot.schema.get("description")
            bare = (
                part == "parameters"
                and slot.schema.get("type") in _PLAIN_TYPES
                and not any(key in slot.schema for key in _TOLD_BY_SCHEMA)
            )
            if undescribed or bare:
                gaps.append(Gap(part, slot.path, slot.schema, undescribed, bare))
    return gaps


def enrich_tool(tool: Tool) -> Tool:
    """Return the tool with its gaps filled by rules; examples stand only where a slot's meaning is plain."""
    return fill_slots(tool, {gap.slot: _fill(tool, gap) for gap in find_gaps(tool)})


def fill_slots(tool: Tool, texts: dict[str, SlotText]) -> Tool:
    """Return the tool with texts put into the slots that lack them, each one marked in `inferred`."""
    marked: list[str] = []
    changed = {
        part: _change_slots(getattr(tool, part), part, lambda slot, schema: _put(slot, schema, texts, marked))
        for part in ("parameters", "returns")
    }
    if not marked:
        return tool
    return tool.model_copy(update={**changed, "inferred": tuple(dict.fromkeys([*tool.inferred, *marked]))})


def _put(slot: str, schema: JSON, texts: dict[str, SlotText], marked: list[str]) -> JSON:
    text = texts.get(slot)
    if text is None:
        return schema
    filled = schema
    if text.description and not schema.get("description"):
        filled = {**filled, "description": text.description}
        marked.append(f"{slot}.description")
    if text.examples and not any(key in schema for key in _TOLD_BY_SCHEMA):
        filled = {**filled, "examples": list(text.examples)}
        marked.append(f"{slot}.examples")
    return filled


def _change_slots(schema: JSON, path: str, change: Callable[[str, JSON], JSON]) -> JSON:
    """Return a copy of a schema with its slots changed, those of nested objects and of list items too."""
    if isinstance(properties := schema.get("properties"), dict):
        inside = {
            name: change(f"{path}.{name}", _change_slots(part, f"{path}.{name}", change))
            if isinstance(part, dict)
            else part
            for name, part in properties.items()
        }
        return {**schema, "properties": inside}
    if isinstance(items := schema.get("items"), dict):
        return {**schema, "items": _change_slots(items, path, change)}
    return schema


def _fill(tool: Tool, gap: Gap) -> SlotText:
    name = gap.path.rsplit(".", 1)[-1]
    described = _describe(name, gap) if gap.description else ""
    return SlotText(described, tuple(_draw_examples(tool, gap, name)) if gap.examples else ())


def _describe(name: str, gap: Gap) -> str:
    words = list(split_words(name))
    kind = kind_of(name, gap.schema)
    if len(words) > 1 and words[-1] == "id":
        told = f"Identifier of the {' '.join(words[:-1])}"
    elif (
        words and words[0] in ("is", "has", "can", "should", "include", "with") and gap.schema.get("type") == "boolean"
    ):
        told = f"Whether it {' '.join(words)}" if words[0] in ("is", "has", "can") else f"Whether to {' '.join(words)}"
    else:
        told = " ".join(words).capitalize() or name
    if within := [split_words(step) for step in gap.path.split(".")[:-1]]:
        told += f" of the {' '.join(within[-1])}"
    hint = _HINTS.get(kind)
    return f"{told}, {hint}" if hint else told


def _draw_examples(tool: Tool, gap: Gap, name: str) -> Iterator[Any]:
    if gap.schema.get("type") != "string" or kind_of(name, gap.schema) in _NOT_DRAWN:
        return
    rng = random.Random(f"{tool.name} {gap.slot}")
    seen = set()
    for _ in range(3 * _EXAMPLES):
        try:
            value = draw_value(name, gap.schema, rng, _DRAWN_ON)
        except CatalogError:
            return
        if value not in seen:
            seen.add(value)
            yield value
        if len(seen) == _EXAMPLES:
            return
