"""The skeleton of a long plan: one matter after the other, complications all along, returns to earlier matters.

There are more requests than tools. So what was looked up is asked for once more with another value, and another item
of an earlier list is taken up.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence

from toolflow_graph.agents.roles import Brief
from toolflow_graph.agents.scripted.arrange import COMPLICATIONS, Arranger, Step, repeatable_tool
from toolflow_graph.agents.scripted.sense import Link, sense
from toolflow_graph.errors import PlanError
from toolflow_graph.types import Pattern, Tool

__all__ = ["arrange_episodes"]

_ROUND = 8
"""Requests in which everything that is due comes about once."""

_RECENT = 1
"""Steps back to which a request goes on from what is at hand."""

_AGAIN = 5
"""Steps after which the same tool may be asked for something else."""

_USES = 3
"""Requests at most that call the same tool."""

_SPARE = 5
"""Steps that are laid out beyond what is wanted, since some turn out to have no words."""

_TALK: tuple[Pattern, ...] = ("missing_function", "irrelevant", "chitchat")


def arrange_episodes(brief: Brief, tools: Sequence[Tool], rng: random.Random) -> list[Step]:
    """Return the steps of a long plan; raises `PlanError` when the tools do not bear what is due, or so many."""
    return _Episodes(brief, tools, rng).run()


class _Episodes(Arranger):
    def __init__(self, brief: Brief, tools: Sequence[Tool], rng: random.Random) -> None:
        super().__init__(brief, tools, rng)
        self.rounds = max(1, self.wanted // _ROUND)
        self.uses: Counter[str] = Counter()
        self.place: dict[str, int] = {}
        self.others_taken: set[str] = set()

    def run(self) -> list[Step]:
        """Return the steps of a plan with all patterns that are due, each about once in eight requests."""
        talk = self.rounds * sum(pattern in self.due for pattern in _TALK)
        self._lay_calls()
        self._complicate()
        for number in range(self.rounds):
            if number and "parallel" in self.due:
                self._add_parallel_again()
            self._grow((self.wanted - talk) * (number + 1) // self.rounds)
            if number == self.rounds // 2:
                self._shift_topic()
        if len(self.steps) + talk < self.brief.requests[0]:
            raise PlanError(f"the tools yield {len(self.steps) + talk} requests, {self.brief.requests[0]} are wanted")
        laid = len(self.steps)
        self._complicate_all_along()
        self._grow(laid + _SPARE)
        spare = self.steps[laid:]
        self.steps = self.steps[:laid]
        self._weave_talk_all_along()
        for step in spare:
            step.spare = True
        return [*self.steps, *spare]

    def _add(self, step: Step) -> Step:
        for tool in step.tools:
            self.used.pop(tool.name, None)  # the latest use comes last: it is the one that is meant
            self.uses[tool.name] += 1
            self.place[tool.name] = len(self.steps)
        return super()._add(step)

    # How it goes on

    def _grow(self, count: int) -> None:
        while len(self.steps) < count and self._go_on() is not None:
            pass

    def _go_on(self) -> Step | None:
        ways: list[tuple[float, Callable[[], Step | None]]] = [
            (6.0, self._follow),
            (3.0, self._begin),
            (4.0, self._return),
            (2.0, self._take_other),
            (2.0, self._ask_anew),
        ]
        while ways:
            way = self.rng.choices(ways, [weight for weight, _ in ways])[0]
            step = way[1]()
            if step is not None:
                return step
            ways.remove(way)
        return None

    def _begin(self) -> Step | None:
        """Begin another matter, sooner one of the same field."""
        field = self.steps[-1].tools[0].domain if self.steps and self.steps[-1].tools else None
        near = self._add_single(lambda tool: tool.domain == field) if self.rng.random() < _SAME_FIELD else None
        return near or self._add_single()

    def _follow(self) -> Step | None:
        """Go on from a result that is at hand."""
        return self._depend(recent=True)

    def _return(self) -> Step | None:
        """Go back to a result of long ago."""
        return self._depend(recent=False)

    def _depend(self, *, recent: bool) -> Step | None:
        earlier = list(self.used.values())
        fitting: list[tuple[Tool, list[Link]]] = []
        for tool in self._free(bool):
            links = self._feed(tool, earlier)
            if links and not self._ended(links) and any(self._is_recent(k.producer) for k in links) == recent:
                fitting.append((tool, links))
        if not fitting:
            return None
        tool, links = self.rng.choice(fitting)
        return self._add(Step(["sequential"], [tool], {tool.name: links}))

    def _is_recent(self, name: str) -> bool:
        return len(self.steps) - self.place[name] <= _RECENT

    def _take_other(self) -> Step | None:
        """Take up another item of a list, of which one was taken up before."""
        earlier = list(self.used.values())
        fitting: list[tuple[Tool, list[Link]]] = []
        for tool in earlier:
            if self.uses[tool.name] >= _USES or sense(tool).action not in ("read", "compute"):
                continue
            links = self._feed(tool, [other for other in earlier if other is not tool]) or []
            listed = [link for link in links if sense(self.used[link.producer]).through_list(link.path)]
            old = all(self.place[link.producer] < self.place[tool.name] for link in listed)
            fresh = not any(link.producer in self.others_taken for link in listed)
            if len(listed) == 1 and old and fresh and not self._ended(links):
                fitting.append((tool, links))
        if not fitting:
            return None
        tool, links = self.rng.choice(fitting)
        self.others_taken |= {link.producer for link in links}
        return self._add(Step(["sequential"], [tool], {tool.name: links}, other=True))

    def _ask_anew(self) -> Step | None:
        """Ask for something else of a tool that was asked long before."""
        fitting = [
            tool
            for tool in self.used.values()
            if self.uses[tool.name] < _USES
            and len(self.steps) - self.place[tool.name] >= _AGAIN
            and repeatable_tool(tool)
            and self._stands_alone(tool)
        ]
        if not fitting:
            return None
        tool = self.rng.choice(fitting)
        self.others_taken.discard(tool.name)
        return self._add(Step(["single"], [tool], anew=True))

    # What happens all along

    def _add_parallel_again(self) -> None:
        try:
            self._add_parallel()
        except PlanError:  # one such request is due, and stands already
            return

    def _complicate_all_along(self) -> None:
        for number in range(1, self.rounds):
            part = self.steps[number * len(self.steps) // self.rounds : (number + 1) * len(self.steps) // self.rounds]
            for pattern in COMPLICATIONS:
                hosts = [step for step in part if pattern in self.due and self._can_host_too(step, pattern)]
                if hosts:
                    self.rng.choice(hosts).patterns.append(pattern)

    def _can_host_too(self, step: Step, pattern: Pattern) -> bool:
        if not self._can_host(step, pattern) or step.anew or step.other or "topic_shift" in step.patterns:
            return False
        if step.patterns == ["single"] and sum(other.patterns == ["single"] for other in self.steps) == 1:
            return False
        return pattern != "search_tools" or self.uses[step.tools[0].name] == 1

    def _weave_talk_all_along(self) -> None:
        """Put requests that call nothing between the others, no two of them side by side where there is room."""
        for number in range(self.rounds):
            for pattern in (pattern for pattern in _TALK if pattern in self.due):
                low = max(1, number * len(self.steps) // self.rounds)
                high = max(low, (number + 1) * len(self.steps) // self.rounds)
                places = list(range(low, high + 1))
                apart = [place for place in places if all(step.tools for step in self.steps[place - 1 : place + 1])]
                self.steps.insert(self.rng.choice(apart or places), Step([pattern]))
        if not self.steps:
            raise PlanError("no pattern is due; give at least one")


_SAME_FIELD = 0.5
