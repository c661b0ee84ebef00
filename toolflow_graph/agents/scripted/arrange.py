"""The skeleton of a plan: which requests are made of which tools, in which order, with which complications.

Nothing here draws values or words; a skeleton exists when the drawn tools bear the patterns that are due.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from toolflow_graph.agents.roles import Brief
from toolflow_graph.agents.scripted.request_frames import askable, changeable, standalone_frames
from toolflow_graph.agents.scripted.sense import Link, find_links, sense, words_of
from toolflow_graph.errors import PlanError
from toolflow_graph.types import Pattern, Tool

__all__ = ["COMPLICATIONS", "LONG", "Arranger", "Step", "arrange", "repeatable_tool"]

LONG = 9
"""Requests beyond which a plan goes in episodes, see `episodes.py`."""

COMPLICATIONS: tuple[Pattern, ...] = ("search_tools", "tool_error", "missing_parameter", "correction")


@dataclass
class Step:
    """One request in the making; `links` say which earlier results feed which parameters of which tool.

    `twice` asks for the same two times at once. In long plans `anew` asks a tool once more with another value, `other`
    points at another item of a list than before, and a `spare` step is played only in place of one that cannot be said.
    """

    patterns: list[Pattern]
    tools: list[Tool] = field(default_factory=list)
    links: dict[str, list[Link]] = field(default_factory=dict)
    twice: bool = False
    anew: bool = False
    other: bool = False
    spare: bool = False

    def label(self) -> tuple[Pattern, ...]:
        """Return the patterns; a plain `single` gives way to the complication that it carries."""
        plain = [p for p in self.patterns if p != "single"]
        return tuple(plain or self.patterns)


def arrange(brief: Brief, tools: Sequence[Tool], rng: random.Random) -> list[Step]:
    """Return the steps of a plan over `tools`; raises `PlanError` when they do not bear `brief.patterns`.

    Where nothing is to be planned, they are plain requests that have nothing to do with one another.
    """
    arranger = Arranger(brief, tools, rng)
    return arranger.run() if brief.planned else arranger.improvise()


class Arranger:
    """Lays out the steps of one plan; `wanted` is how many it should have."""

    def __init__(self, brief: Brief, tools: Sequence[Tool], rng: random.Random) -> None:
        """Shuffle the tools, and draw how many requests there should be."""
        self.brief = brief
        self.rng = rng
        self.due = brief.patterns
        self.tools = rng.sample(list(tools), len(tools))
        self.steps: list[Step] = []
        self.used: dict[str, Tool] = {}
        self.wanted = rng.randint(*brief.requests)

    def run(self) -> list[Step]:
        """Return the steps of a plan with all patterns that are due."""
        self._lay_calls()
        self._complicate()
        self._fill()
        self._shift_topic()
        self._weave_talk()
        can_grow = bool({"single", "sequential"} & self.due)
        if can_grow and len(self.steps) < self.brief.requests[0]:
            raise PlanError(f"the tools yield {len(self.steps)} requests, {self.brief.requests[0]} are wanted")
        return self.steps

    def improvise(self) -> list[Step]:
        """Take one tool after the other that needs no other; when none is left, begin with them again."""
        while len(self.steps) < self.wanted:
            if self._add_single() is not None:
                continue
            if len(self.used) < min(self.brief.requests[0], LONG):
                raise PlanError(f"{len(self.used)} tools need no other, {self.brief.requests[0]} requests are wanted")
            self.used.clear()
        return self.steps

    # What feeds a tool

    def _feed(self, tool: Tool, earlier: Sequence[Tool]) -> list[Link] | None:
        """Return the links from earlier tools that meet all needs of a tool, or None."""
        links: list[Link] = []
        for producer in reversed(earlier):
            if asks_back(producer, tool):
                continue
            for link in find_links(tool, producer, self.brief.edges):
                if all(link.parameter != known.parameter for known in links):
                    links.append(link)
        unmet = set(sense(tool).needs) - {link.parameter for link in links}
        return None if unmet and "phrasings" not in tool.inferred else links

    def _stands_alone(self, tool: Tool) -> bool:
        return self._feed(tool, ()) is not None and bool(standalone_frames(tool))

    def _free(self, fits: Callable[[Tool], bool]) -> list[Tool]:
        return [tool for tool in self.tools if tool.name not in self.used and fits(tool)]

    def _add(self, step: Step) -> Step:
        self.steps.append(step)
        for tool in step.tools:
            self.used[tool.name] = tool
        return step

    # The requests that call tools

    def _lay_calls(self) -> None:
        if "sequential" in self.due:
            self._add_sequential()
        if "parallel" in self.due:
            self._add_parallel()
        if "single" in self.due and not self._add_single():
            raise PlanError("no tool is left for a plain request")

    def _add_sequential(self) -> None:
        heads = self._free(self._stands_alone)
        chains: list[tuple[list[Tool], dict[str, list[Link]]]] = []
        for head in heads:
            for second in self._free(lambda tool, head=head: tool is not head):  # type: ignore[misc]
                links = self._feed(second, [head])
                if not links:
                    continue
                chains.append(([head, second], {second.name: links}))
        if not chains:
            raise PlanError("no tool takes what another one returns")
        # What was just made is seldom undone at once; to look something up and then act on it is the rule.
        weights = [0.15 if sense(b).action == "end" and sense(a).action == "create" else 1.0 for (a, b), _ in chains]
        tools, feeding = self.rng.choices(chains, weights)[0]
        self._add(Step(["sequential"], tools, feeding))

    def _add_parallel(self) -> None:
        free = self._free(self._stands_alone)
        pairs = [
            (a, b)
            for i, a in enumerate(free)
            for b in free[i + 1 :]
            if not find_links(a, b, self.brief.edges) and not find_links(b, a, self.brief.edges) and not meddle(a, b)
        ]
        joined = {frozenset((edge.source, edge.target)) for edge in self.brief.edges}
        related = [(a, b) for a, b in pairs if a.domain == b.domain or frozenset((a.name, b.name)) in joined]
        if pairs:
            self._add(Step(["parallel"], list(self.rng.choice(related or pairs))))
            return
        repeatable = [tool for tool in self.tools if self._stands_alone(tool) and repeatable_tool(tool)]
        fresh = [tool for tool in repeatable if tool.name not in self.used]
        if not fresh:
            raise PlanError("no two calls can go out together")
        tool = self.rng.choice(fresh)
        self._add(Step(["parallel"], [tool, tool], twice=True))

    def _add_single(self, fits: Callable[[Tool], bool] = bool) -> Step | None:
        candidates = self._free(lambda tool: self._stands_alone(tool) and fits(tool))
        if candidates:
            return self._add(Step(["single"], [self.rng.choice(candidates)]))
        return None

    def _add_dependent(self, fits: Callable[[Tool], bool] = bool) -> Step | None:
        """Add a request that goes on from an earlier result; it is a sequential one."""
        earlier = list(self.used.values())
        candidates = []
        for tool in self._free(fits):
            links = self._feed(tool, earlier)
            if links and not self._ended(links):
                candidates.append((tool, links))
        if not candidates:
            return None
        tool, links = self.rng.choice(candidates)
        return self._add(Step(["sequential"], [tool], {tool.name: links}))

    def _ended(self, links: Sequence[Link]) -> bool:
        """Say whether something that a link leads to was cancelled or deleted earlier."""
        gone = {p for tool in self.used.values() if sense(tool).action == "end" for p in sense(tool).ids}
        return any(link.parameter in gone for link in links)

    # Complications

    def _complicate(self) -> None:
        for pattern in COMPLICATIONS:
            if pattern not in self.due:
                continue
            fits = _FITS[pattern]
            hosts = [s for s in self.steps if self._can_host(s, pattern)]
            plain = [s for s in hosts if s.patterns != ["single"]]
            if plain and self.rng.random() < 0.5:
                self.rng.choice(plain).patterns.append(pattern)
                continue
            step = self._add_single(fits)
            if step is None and "sequential" in self.due and pattern != "search_tools":
                step = self._add_dependent(fits)
            if step is None and hosts:
                step = self.rng.choice(plain or hosts)
                if (
                    step.patterns == ["single"]
                    and sum(s.patterns == ["single"] for s in self.steps) == 1
                    and ("single" in self.due)
                ):
                    raise PlanError(f"no tool is left for {pattern!r}")
            if step is None:
                raise PlanError(f"no drawn tool bears {pattern!r}")
            step.patterns.append(pattern)

    def _can_host(self, step: Step, pattern: Pattern) -> bool:
        if "parallel" in step.patterns or any(p in step.patterns for p in COMPLICATIONS) or not step.tools:
            return False
        if pattern == "search_tools" and len(step.tools) != 1:
            return False
        return _FITS[pattern](step.tools[-1])

    # Length, topic and talk

    def _fill(self) -> None:
        talk = sum(p in self.due for p in ("chitchat", "irrelevant", "missing_function", "topic_shift"))
        while len(self.steps) + talk < self.wanted:
            step = None
            if "sequential" in self.due and ("single" not in self.due or self.rng.random() < 0.8):
                step = self._add_dependent()
            if step is None and "single" in self.due:
                step = self._add_single()
            if step is None:
                return

    def _shift_topic(self) -> None:
        if "topic_shift" not in self.due:
            return
        if not self.steps:
            raise PlanError("there is no topic to shift from")
        far = self._free(lambda tool: self._stands_alone(tool) and self._is_far(tool, self.steps))
        if far:
            self._add(Step(["topic_shift"], [self.rng.choice(far)]))
            return
        for place, step in enumerate(self.steps):
            if place and step.tools and self._is_far(step.tools[0], self.steps[:place]):
                step.patterns.append("topic_shift")
                return
        raise PlanError("no drawn tool is from another field")

    def _is_far(self, tool: Tool, steps: Sequence[Step]) -> bool:
        """Say whether a tool's field is none of the earlier steps' and next to none of them."""
        earlier = [other for step in steps for other in step.tools]
        fields = {other.domain for other in earlier}
        if fields == {tool.domain} and tool.domain not in self.brief.domains:
            return not any(self._related(tool, other) for other in earlier)
        return not any(
            tool.domain == field or tool.domain in self._neighbours(field) or field in self._neighbours(tool.domain)
            for field in fields
        )

    def _related(self, one: Tool, other: Tool) -> bool:
        """Say whether two tools of a catalog without domains have to do with one another."""
        joined = any({edge.source, edge.target} == {one.name, other.name} for edge in self.brief.edges)
        return joined or bool(set(words_of(one.name)) & set(words_of(other.name)))

    def _neighbours(self, domain: str) -> tuple[str, ...]:
        speech = self.brief.domains.get(domain)
        return speech.neighbours if speech is not None else ()

    def _weave_talk(self) -> None:
        """Put the requests that call nothing between the others; never before the first of them, if there is one."""
        order: list[Pattern] = ["missing_function", "irrelevant", "chitchat"]
        for pattern in order:
            if pattern in self.due:
                last = len(self.steps)
                place = self.rng.randint(min(1, last), last)
                if pattern == "missing_function" and self.rng.random() < 0.6:
                    place = last
                self.steps.insert(place, Step([pattern]))
        if not self.steps:
            raise PlanError("no pattern is due; give at least one")


def asks_back(producer: Tool, consumer: Tool) -> bool:
    """Say whether a request would ask for what the assistant has just made; how it is getting on may be asked."""
    if sense(producer).action != "create" or sense(consumer).action != "read":
        return False
    return not {"track", "check", "status", "progress"} & set(words_of(consumer.name))


def meddle(one: Tool, other: Tool) -> bool:
    """Say whether one of two tools writes what the other one reads or writes, so that their order would matter."""
    same_thing = set(words_of(one.name)[1:]) & set(words_of(other.name)[1:])
    return bool(same_thing) and not {sense(one).action, sense(other).action} <= {"read", "compute"}


def repeatable_tool(tool: Tool) -> bool:
    """Say whether somebody may want the same twice with one value changed: it only looks something up."""
    return bool(changeable(tool)) and sense(tool).action in ("read", "compute")


def correctable(tool: Tool) -> bool:
    """Say whether a corrected call can simply be made again: it has changed nothing."""
    return bool(changeable(tool)) and sense(tool).action in ("read", "compute", "update")


def failable(tool: Tool) -> bool:
    """Say whether the tool has a way to fail."""
    return tool.phrasings is not None and bool(tool.phrasings.errors)


def alike(one: Tool, other: Tool) -> bool:
    """Say whether two tools do much the same, by the words of their names."""
    a, b = set(words_of(one.name)), set(words_of(other.name))
    return len(a & b) * 2 > len(a | b) - 1 or (words_of(one.name)[1:] == words_of(other.name)[1:])


_FITS: dict[Pattern, Callable[[Tool], bool]] = {
    "missing_parameter": lambda tool: bool(askable(tool)),
    "correction": correctable,
    "tool_error": failable,
    "search_tools": lambda tool: tool.phrasings is not None,
}
