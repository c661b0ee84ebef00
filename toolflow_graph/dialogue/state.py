"""The state of one dialogue: JSON-plain values and LangChain messages, checkpointed at every step."""

from collections.abc import Sequence
from typing import Annotated, Any

from langchain_core.messages import AnyMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph.message import add_messages
from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the standard library's only from Python 3.12 on

from toolflow_graph.types import JSON, Pattern

__all__ = ["DialogueInput", "DialogueState", "change_world", "find_additions"]


def merge_messages(messages: list[AnyMessage], writes: Sequence[Any]) -> list[AnyMessage]:
    """Append messages, or replace those with the same id, so that a person may edit the chat in Studio."""
    merged: Any = messages
    for write in writes:
        merged = add_messages(merged, write)
    return list(merged)


def add_entries(entries: list[JSON], writes: Sequence[list[JSON]]) -> list[JSON]:
    """Append entries in the order of the writes."""
    return [*entries, *(entry for write in writes for entry in write)]


def add_memories(memory: JSON, writes: Sequence[JSON]) -> JSON:
    """Append each role's messages to its own conversation."""
    merged = {role: list(lines) for role, lines in memory.items()}
    for write in writes:
        for role, lines in write.items():
            merged.setdefault(role, []).extend(lines)
    return merged


def keep_last_list(_: list[Any], writes: Sequence[list[Any]]) -> list[Any]:
    """Keep the last write; a delta channel stores it once instead of in every checkpoint."""
    return list(writes[-1])


def keep_last_dict(_: JSON, writes: Sequence[JSON]) -> JSON:
    """Keep the last write; a delta channel stores it once instead of in every checkpoint."""
    return dict(writes[-1])


_ADDED = "~added"


def find_additions(world: JSON, after: JSON) -> JSON:
    """Return what a write has to hold to lead from one world to the next: only what is new, where nothing is gone.

    A world grows with the dialogue; written whole at every call, the checkpoints would grow with the square of it.
    """
    added: JSON = {}
    for name, value in after.items():
        before = world.get(name, type(value)())
        if isinstance(value, dict) and isinstance(before, dict) and before.keys() <= value.keys():
            new: Any = {key: part for key, part in value.items() if key not in before or before[key] != part}
        elif isinstance(value, list) and isinstance(before, list) and value[: len(before)] == before:
            new = value[len(before) :]
        else:
            return after
        if new:
            added[name] = new
    return {_ADDED: added} if world.keys() <= after.keys() else after


def change_world(world: JSON, writes: Sequence[JSON]) -> JSON:
    """Add what `find_additions` found; any other write, such as a person's in Studio, takes the place of the world."""
    for write in writes:
        if write.keys() == {_ADDED}:
            world = dict(world)
            for name, value in write[_ADDED].items():
                before = world.get(name, type(value)())
                world[name] = {**before, **value} if isinstance(value, dict) else [*before, *value]
        else:
            world = dict(write)
    return world


class MessagesChannel(DeltaChannel[list[AnyMessage]]):
    """A delta channel whose schema names its items: Studio is told that they are chat messages, not bare objects."""

    @property
    def UpdateType(self) -> Any:  # noqa: N802 - LangGraph's name
        """What a write is, as the schema of the state shows it."""
        return list[AnyMessage]


class DialogueInput(TypedDict, total=False):
    """What a dialogue may be started with; everything has a default, so that Studio can start it with nothing."""

    index: Annotated[int, Field(description="Which dialogue of the run: another index is another dialogue", ge=0)]
    patterns: Annotated[list[Pattern], Field(description="Patterns of this dialogue, before those of the context")]


class DialogueState(TypedDict, total=False):
    """Everything that one dialogue is.

    `method` decides on the way through the machine. `drawn` are the tools of the walk, `edges` the Tool Graph's edges
    between them, `offered` the tools that the assistant is given. `request` is the current request, `position` the
    number of agenda acts played, `world` what the tool simulator has let happen. `memory` holds each role's own
    conversation with its model, `usage` an entry per request to a model, `attempts` the answers of models that were
    refused.
    """

    messages: Annotated[list[AnyMessage], MessagesChannel(merge_messages)]
    index: int
    method: str
    patterns: Annotated[list[str], DeltaChannel(keep_last_list)]
    drawn: Annotated[list[str], DeltaChannel(keep_last_list)]
    distractors: Annotated[list[str], DeltaChannel(keep_last_list)]
    offered: Annotated[list[str], DeltaChannel(keep_last_list)]
    edges: Annotated[list[JSON], DeltaChannel(keep_last_list)]
    plan: Annotated[JSON, DeltaChannel(keep_last_dict)]
    world: Annotated[JSON, DeltaChannel(change_world)]
    memory: Annotated[JSON, DeltaChannel(add_memories)]
    usage: Annotated[list[JSON], DeltaChannel(add_entries)]
    attempts: Annotated[list[JSON], DeltaChannel(add_entries)]
    request: int
    position: int
    ended: bool
    findings: Annotated[list[JSON], DeltaChannel(keep_last_list)]
    provenance: Annotated[list[JSON], DeltaChannel(keep_last_list)]
    verdict: str
