"""Fills in what a catalog leaves out by asking a model, as the paper does; what is filled in is marked."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from toolflow_graph.catalog.enrich import Gap, SlotText, enrich_tool, fill_slots, find_gaps
from toolflow_graph.catalog.keywords import fits
from toolflow_graph.catalog.names import make_name
from toolflow_graph.catalog.texts import clean_text
from toolflow_graph.errors import ContextLengthError, ModelOutputError
from toolflow_graph.models import ChatClient
from toolflow_graph.prompts import BUNDLED
from toolflow_graph.types import JSON, Tool

__all__ = ["enrich_tools"]

_MOST_SLOTS = 60
_MOST_EXAMPLES = 6


class _Slot(BaseModel):
    model_config = ConfigDict(extra="forbid")

    slot: str
    description: str
    examples: list[str]


class _Field(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    type: Literal["string", "integer", "number", "boolean"]
    description: str


class _Answer(BaseModel):
    """What a model fills in; `returns_list` names the list that the returned fields stand in, "" for none."""

    model_config = ConfigDict(extra="forbid")

    description: str
    slots: list[_Slot]
    returns_list: str
    returns: list[_Field]


async def enrich_tools(
    tools: Sequence[Tool], client: ChatClient, model: str, *, on_done: Callable[[int, Tool], None]
) -> int:
    """Fill the gaps of all tools and hand each one over with its index when it is done.

    A tool for which the model gives no answer that holds is filled by rules; returns how many these were. Raises
    `ModelError` and `BudgetExceeded` as the client does; the tools that were handed over by then stay.
    """
    limit = asyncio.Semaphore(client.settings.max_in_flight)
    by_rules = 0

    async def enrich(index: int, tool: Tool) -> None:
        nonlocal by_rules
        async with limit:
            try:
                enriched = await _enrich(tool, client, model)
            except (ModelOutputError, ContextLengthError):
                enriched = enrich_tool(tool)
                by_rules += 1
        on_done(index, enriched)

    try:
        async with asyncio.TaskGroup() as group:
            for index, tool in enumerate(tools):
                group.create_task(enrich(index, tool))
    except BaseExceptionGroup as exc:
        raise exc.exceptions[0] from None
    return by_rules


async def _enrich(tool: Tool, client: ChatClient, model: str) -> Tool:
    gaps = find_gaps(tool)
    if "returns" in tool.inferred:
        gaps = [gap for gap in gaps if gap.part == "parameters"]
    gaps = gaps[:_MOST_SLOTS]
    if not gaps and not {"returns", "description"} & set(tool.inferred):
        return tool
    messages = [{"role": "user", "content": _ask(tool, gaps)}]
    completion = await client.complete(
        "enrich",
        model,
        messages,
        schema=_Answer,
        check=lambda answer: _find_fault(answer, tool, gaps),
        dialogue=tool.name,
    )
    return _apply(tool, gaps, completion.value)


def _ask(tool: Tool, gaps: Sequence[Gap]) -> str:
    known = {"name": tool.name, "parameters": tool.parameters}
    if "description" not in tool.inferred:
        known["description"] = tool.description
    if "returns" not in tool.inferred:
        known["returns"] = tool.returns
    wanted = []
    if "description" in tool.inferred:
        wanted.append("description: what the tool does")
    for gap in gaps:
        lacking = [word for word, lacks in (("description", gap.description), ("examples", gap.examples)) if lacks]
        wanted.append(f"slot {gap.slot}: {' and '.join(lacking)}")
    if "returns" in tool.inferred:
        wanted.append("returns: what the tool gives back")
    return BUNDLED.fill(
        "enrich", random.Random(0), tool=json.dumps(known, ensure_ascii=False, indent=1), wanted="\n".join(wanted)
    )


def _find_fault(answer: _Answer, tool: Tool, gaps: Sequence[Gap]) -> str | None:
    known = {gap.slot for gap in gaps}
    if unknown := [slot.slot for slot in answer.slots if slot.slot not in known]:
        return f"slot {unknown[0]!r} was not asked for; asked for are: {', '.join(sorted(known)) or 'none'}"
    if missing := known - {slot.slot for slot in answer.slots}:
        return f"slot {min(missing)!r} is missing"
    if "description" in tool.inferred and not clean_text(answer.description):
        return "the description is empty"
    if "returns" in tool.inferred and not any(make_name(field.name) for field in answer.returns):
        return "returns is empty; say what the tool gives back"
    return None


def _apply(tool: Tool, gaps: Sequence[Gap], answer: _Answer) -> Tool:
    update: JSON = {}
    if "description" in tool.inferred:
        update["description"] = clean_text(answer.description)
    if "returns" in tool.inferred:
        update["returns"] = _build_returns(answer)
    schemas = {gap.slot: gap.schema for gap in gaps}
    texts = {
        slot.slot: SlotText(clean_text(slot.description, 400), _read_examples(slot.examples, schemas[slot.slot]))
        for slot in answer.slots
    }
    return fill_slots(tool.model_copy(update=update), texts)


def _build_returns(answer: _Answer) -> JSON:
    properties = {
        make_name(field.name): {"type": field.type, "description": clean_text(field.description, 400)}
        for field in answer.returns
        if make_name(field.name)
    }
    inside: JSON = {"type": "object", "properties": properties, "required": list(properties)}
    outer = make_name(answer.returns_list)
    if not outer:
        return inside
    return {"type": "object", "properties": {outer: {"type": "array", "items": inside}}, "required": [outer]}


def _read_examples(written: Sequence[str], schema: JSON) -> tuple[Any, ...]:
    examples = []
    for text in written[:_MOST_EXAMPLES]:
        value: Any = text
        if schema.get("type") in ("integer", "number"):
            try:
                value = int(text) if schema["type"] == "integer" else float(text)
            except ValueError:
                continue
        if fits(value, schema) and value not in examples:
            examples.append(value)
    return tuple(examples)
