"""The scripted planner: from the drawn tools to a plan with an agenda of dialogue acts.

The agenda (`DialoguePlan.outline`) is plain JSON. `calls` are numbered calls whose arguments are values or
references to earlier results (`{"$from": [call, path, choice]}`). `acts` are played in order, each by the user or
the assistant: the user says parts (requests, choices, corrections, talk), the assistant calls or says parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolflow_graph.agents.place import plan_nothing
from toolflow_graph.agents.roles import Brief, Planning
from toolflow_graph.agents.scripted.arrange import LONG, Step, arrange
from toolflow_graph.agents.scripted.compose import Composer
from toolflow_graph.agents.scripted.episodes import arrange_episodes
from toolflow_graph.agents.scripted.home import home_of
from toolflow_graph.agents.scripted.verbalise import with_phrasings
from toolflow_graph.errors import PlanError
from toolflow_graph.types import DialoguePlan, PlannedRequest, Scenario, Tool

__all__ = ["ScriptedPlanner"]


class ScriptedPlanner:
    """Builds requests over the tools of the walk and chains them along P-R evidence."""

    def accepts(self, brief: Brief) -> bool:
        """Say whether the drawn tools bear the patterns that are due."""
        try:
            self._make(brief)
        except PlanError:
            return False
        return True

    async def plan(self, brief: Brief) -> Planning:
        """Return the plan and its agenda; the same brief gives the same plan."""
        return Planning(self._make(brief))

    def _make(self, brief: Brief) -> DialoguePlan:
        brief = _spoken(brief)
        steps = self._arrange(brief)
        rng = brief.rng("compose")
        home = home_of(brief.seed, brief.index)
        composer = Composer(brief, home, rng)
        if not brief.planned:
            return _improvise(brief, composer, steps)
        requests = _compose_long(brief, composer, steps) if _is_long(brief) else [composer.add(step) for step in steps]
        composer.close()
        scenario = Scenario(
            persona=f"{home.name}, {composer.manner_words()}",
            situation=_situation(steps, brief),
            goal=_goal(requests),
            now=home.now.isoformat(timespec="minutes"),
            city=home.city,
        )
        return DialoguePlan(scenario=scenario, requests=tuple(requests), outline=composer.outline())

    @staticmethod
    def _arrange(brief: Brief) -> list[Step]:
        lay = arrange_episodes if brief.planned and _is_long(brief) else arrange
        return lay(brief, list(brief.tools.values()), brief.rng("arrange"))


def _is_long(brief: Brief) -> bool:
    return brief.requests[1] > LONG


def _compose_long(brief: Brief, composer: Composer, steps: Sequence[Step]) -> list[PlannedRequest]:
    """Compose what can be said, and a spare step for each one that cannot; all that is due has to be among them."""
    requests: list[PlannedRequest] = []
    missed = 0
    for step in steps:
        if step.spare and not missed:
            continue
        request = composer.attempt(step)
        if request is None:
            missed += not step.spare
        else:
            requests.append(request)
            missed -= step.spare
    left = brief.patterns - {pattern for request in requests for pattern in request.patterns}
    if left:
        raise PlanError(f"{', '.join(sorted(left))} cannot be said with these tools")
    if len(requests) < brief.requests[0]:
        raise PlanError(f"the tools yield {len(requests)} requests, {brief.requests[0]} are wanted")
    return requests


def _improvise(brief: Brief, composer: Composer, steps: Sequence[Step]) -> DialoguePlan:
    """Compose every request as if it were the only one; the agenda is all that there is of a plan."""
    for step in steps:
        composer.forget()
        composer.add(step)
    composer.close()
    return plan_nothing(brief.seed, brief.index, composer.outline())


def _spoken(brief: Brief) -> Brief:
    """Give every tool phrasings: its own, or such as its description yields."""
    tools: Mapping[str, Tool] = {name: with_phrasings(tool) for name, tool in brief.tools.items()}
    return replace(brief, tools=tools, others=[with_phrasings(tool) for tool in brief.others])


def _situation(steps: Sequence[Step], brief: Brief) -> str:
    fields = []
    for step in steps:
        for tool in step.tools:
            speech = brief.domains.get(tool.domain)
            title = speech.title if speech is not None and speech.title else tool.domain.replace("_", " ")
            if title and title not in fields:
                fields.append(title)
    return (
        f"Has things to settle: {', '.join(field[:1].lower() + field[1:] for field in fields)}." if fields else "Chats."
    )


def _goal(requests: Sequence[PlannedRequest]) -> str:
    wishes = [request.intent for request in requests if request.tools] or [requests[0].intent]
    return f"Wants to {'; then to '.join(wishes)}."
