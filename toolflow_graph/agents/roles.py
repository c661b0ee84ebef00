"""What the state machine knows of its agents: four small protocols and what they are told and answer.

An agent keeps no state between turns: everything it may know of a dialogue is in the `Scene`, so that a dialogue
can be stopped, edited, forked and resumed at any step.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from langchain_core.messages import AIMessage, AnyMessage

from toolflow_graph.catalog.reading import DomainSpeech
from toolflow_graph.types import JSON, DialoguePlan, Edge, Pattern, Tool

__all__ = [
    "Aside",
    "Assistant",
    "AssistantTurn",
    "Brief",
    "Cast",
    "Planner",
    "Planning",
    "Scene",
    "ToolCall",
    "ToolResult",
    "ToolSimulator",
    "User",
    "UserTurn",
    "Writer",
    "Writing",
    "derive_rng",
]


def derive_rng(*key: object) -> random.Random:
    """Return a generator that depends on the key alone (run seed, dialogue index, role, step …)."""
    return random.Random(repr(key))


@dataclass(frozen=True)
class ToolCall:
    """A call as the assistant makes it."""

    id: str
    name: str
    arguments: JSON


@dataclass(frozen=True)
class Aside:
    """What a turn leaves besides its words, when a model plays it.

    `memory` are messages for the role's own conversation with its model, which only ever grows; `usage` is one entry
    per request to a model; `attempts` are answers that were refused, with the reason.
    """

    memory: tuple[JSON, ...] = ()
    usage: tuple[JSON, ...] = ()
    attempts: tuple[JSON, ...] = ()


@dataclass(frozen=True)
class Planning:
    """What a planner returns."""

    plan: DialoguePlan
    aside: Aside = Aside()


@dataclass(frozen=True)
class Writing:
    """What a writer returns: everything after the system message, and the tools that had to be searched for.

    The messages have no ids; each notes its `request` and the `patterns` of that.
    """

    messages: Sequence[AnyMessage]
    searched: frozenset[str] = frozenset()
    aside: Aside = Aside()


@dataclass(frozen=True)
class ToolResult:
    """What a tool returns: an object that fits its `returns` schema, or an error; and what the world has become.

    `executed` says that the real tool returned it.
    """

    content: JSON
    world: JSON
    failed: bool = False
    aside: Aside = Aside()
    executed: bool = False


@dataclass(frozen=True)
class UserTurn:
    """What the user does: speaks on request number `request`, or ends the dialogue (`text` is None)."""

    text: str | None
    request: int
    position: int = 0
    aside: Aside = Aside()


@dataclass(frozen=True)
class AssistantTurn:
    """What the assistant does: speaks, calls, or both."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    position: int = 0
    aside: Aside = Aside()


@dataclass(frozen=True)
class Brief:
    """What a planner is given: the drawn tools with the edges between them, and the patterns that are due.

    `others` are tools of the catalog that are neither drawn nor offered: a request for which no tool fits is
    modelled on one of them. `distractors` are offered but not needed. Where nothing is `planned`, no patterns are due.
    `find_tools` names the catalog's tools for a text, as the search for tools will.
    """

    index: int
    seed: int
    tools: Mapping[str, Tool]
    edges: Sequence[Edge]
    distractors: Sequence[str]
    others: Sequence[Tool]
    domains: Mapping[str, DomainSpeech]
    patterns: frozenset[Pattern]
    requests: tuple[int, int]
    planned: bool = True
    find_tools: Callable[[str], Sequence[str]] | None = None

    def rng(self, *key: object) -> random.Random:
        """Return the generator of one purpose."""
        return derive_rng(self.seed, self.index, *key)


@dataclass(frozen=True)
class Scene:
    """What an agent may know of the dialogue so far.

    `tools` are all tools by name that this dialogue may touch, `offered` those that the assistant was given;
    `request` is the index of the current planned request, `position` the number of outline acts already played,
    `memory` each role's own conversation with its model. `find_tools` names the catalog's tools for a text. Where
    nothing was planned, the user improvises `improvised` requests over the `drawn` tools.
    """

    index: int
    seed: int
    plan: DialoguePlan
    messages: Sequence[AnyMessage]
    tools: Mapping[str, Tool]
    offered: Sequence[str]
    domains: Mapping[str, DomainSpeech]
    request: int = 0
    position: int = 0
    world: JSON = field(default_factory=dict)
    memory: Mapping[str, Sequence[JSON]] = field(default_factory=dict)
    find_tools: Callable[[str], Sequence[str]] | None = None
    drawn: Sequence[str] = ()
    improvised: int = 0

    @property
    def request_count(self) -> int:
        """How many requests the user makes."""
        return len(self.plan.requests) or self.improvised

    @property
    def now(self) -> datetime:
        """Local time of the dialogue."""
        return datetime.fromisoformat(self.plan.scenario.now)

    @property
    def today(self) -> date:
        """Local date of the dialogue."""
        return self.now.date()

    def rng(self, *key: object) -> random.Random:
        """Return the generator of one purpose at this point of the dialogue."""
        return derive_rng(self.seed, self.index, len(self.messages), *key)

    def pending_calls(self) -> list[ToolCall]:
        """Return the calls of the last message, in order."""
        last = self.messages[-1] if self.messages else None
        if not isinstance(last, AIMessage):
            return []
        return [ToolCall(str(call["id"]), call["name"], call["args"]) for call in last.tool_calls]


class Planner(Protocol):
    """Writes the dialogue plan before any word of the dialogue exists."""

    def accepts(self, brief: Brief) -> bool:
        """Say whether a plan with the due patterns can be made over the drawn tools."""
        ...

    async def plan(self, brief: Brief) -> Planning:
        """Return the plan; raises `PlanError` when the tools do not bear the patterns.

        Of a dialogue that is not to be planned, it has the day and the city only.
        """
        ...


class Writer(Protocol):
    """Writes a whole dialogue by itself, without a plan that stands first and agents that play it."""

    async def write(self, brief: Brief, tools: Sequence[Tool], system: str, *, reasons: bool) -> Writing:
        """Return the dialogue behind the system message; one that reasons first leaves its reasoning aside.

        `tools` are those of the brief, the distractors, and the search for tools where it is due.
        """
        ...


class User(Protocol):
    """Decides whether the current request is completed, stays on it or moves on, and speaks."""

    async def speak(self, scene: Scene) -> UserTurn:
        """Return the next user turn."""
        ...


class Assistant(Protocol):
    """Answers, asks for what is missing, or calls."""

    async def act(self, scene: Scene) -> AssistantTurn:
        """Return the next assistant turn."""
        ...


class ToolSimulator(Protocol):
    """Plays the tools."""

    async def run(self, scene: Scene, call: ToolCall) -> ToolResult:
        """Return what the tool would return for the call in the world so far."""
        ...


@dataclass(frozen=True)
class Cast:
    """One agent for each role; only a cast of models has a writer."""

    name: str
    planner: Planner
    user: User
    assistant: Assistant
    tool_simulator: ToolSimulator
    writer: Writer | None = None
