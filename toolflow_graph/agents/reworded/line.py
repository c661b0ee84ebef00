"""A scripted line with all that is known of its values: the arguments of calls, and what tools have returned."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from langchain_core.messages import HumanMessage

from toolflow_graph.agents.roles import Scene
from toolflow_graph.agents.scripted.agenda import Agenda
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.types import JSON
from toolflow_graph.values.shapes import plain_schema

__all__ = ["Fact", "Line", "Speaker", "read_line"]

Speaker = Literal["user", "assistant"]


@dataclass(frozen=True)
class Fact:
    """A scalar that a call takes (`argument`) or a tool has returned, under the name and schema of its slot."""

    name: str
    value: Any
    schema: JSON
    argument: bool


@dataclass(frozen=True)
class Line:
    """What somebody says by the script.

    `facts` are all values of the dialogue that are known by now, `before` what the user has said earlier. `requests`
    and `asks` tell what the line does: a request may be put as a question or not, but a question must stay one.
    """

    text: str
    speaker: Speaker
    today: date | None = None
    facts: tuple[Fact, ...] = ()
    before: tuple[str, ...] = ()
    requests: bool = False
    asks: bool = False


def read_line(scene: Scene, speaker: Speaker, text: str) -> Line:
    """Return a line of the act that is due in the scene."""
    agenda = Agenda(scene)
    act = agenda.due(speaker) or {}
    kinds = {part["kind"] for part in act.get("parts", ())}
    return Line(
        text,
        speaker,
        scene.today,
        tuple(_list_facts(agenda)),
        tuple(message.text for message in scene.messages if isinstance(message, HumanMessage)),
        requests="request" in kinds,
        asks="ask" in kinds,
    )


def _list_facts(agenda: Agenda) -> Iterator[Fact]:
    for number, call in enumerate(agenda.calls):
        tool = agenda.scene.tools[call["tool"]]
        if tool.name == SEARCH_TOOLS.name:
            continue
        yield from _list_leaves("", agenda.arguments(number), tool.parameters, argument=True)
        yield from _list_leaves("", agenda.result(number), tool.returns, argument=False)


def _list_leaves(name: str, value: Any, schema: Any, *, argument: bool) -> Iterator[Fact]:
    schema = plain_schema(schema if isinstance(schema, dict) else {})
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        for key, part in value.items():
            yield from _list_leaves(key, part, properties.get(key), argument=argument)
    elif isinstance(value, list):
        singular = name[:-1] if name.endswith("s") and not name.endswith("ss") else name
        for part in value:
            yield from _list_leaves(singular, part, schema.get("items"), argument=argument)
    elif value not in (None, ""):
        yield Fact(name, value, schema, argument)
