"""The planner as a chat model: first the scenario with the tools that belong together, then the requests."""

from datetime import datetime
from itertools import combinations, permutations

from toolflow_graph.agents.llm.drafts import PLAN_SCHEMA, RequestDraft, RequestsDraft, ScenarioDraft
from toolflow_graph.agents.llm.setting import Voices, describe_tools, leave_aside, say_day
from toolflow_graph.agents.place import place_of, plan_nothing
from toolflow_graph.agents.roles import Aside, Brief, Planning
from toolflow_graph.catalog import iterate_slots
from toolflow_graph.types import JSON, DialoguePlan, Pattern, PlannedRequest, Scenario, Tool
from toolflow_graph.values import is_identifier

__all__ = ["LLMPlanner"]

_WITHOUT_TOOLS: frozenset[Pattern] = frozenset({"missing_function", "irrelevant", "chitchat"})
_PLAIN: frozenset[Pattern] = frozenset({"single", "sequential"})
"""Patterns that any request may be of, due or not: people go on from what they were just told."""


class LLMPlanner:
    """Writes plans in two requests of one conversation, so that the second one's prompt begins with the first."""

    def __init__(self, voices: Voices) -> None:
        """Keep the models."""
        self.voices = voices

    def accepts(self, brief: Brief) -> bool:
        """Say whether the drawn tools can bear the patterns at all; the choice among them is the model's."""
        return bool(brief.tools) and all(bears(brief, pattern) for pattern in brief.patterns)

    async def plan(self, brief: Brief) -> Planning:
        """Return the plan; raises `ModelOutputError` when the model cannot be brought to write a valid one."""
        if not brief.planned:
            return Planning(plan_nothing(brief.seed, brief.index))
        rng = brief.rng("planner")
        city, now = place_of(brief.seed, brief.index)
        date, time = say_day(now)
        fewest, most = brief.requests
        head = self.voices.prompts.fill(
            "planner", rng, date=date, time=time, city=city, tools=describe_tools(brief.tools.values(), returns=True)
        )
        patterns = sorted(brief.patterns)
        notes = self.voices.prompts.sections("patterns")
        wishes = "\n".join(f"- {name}: {notes[name]}" for name in patterns)
        ask = self.voices.prompts.fill("planner_scenario", rng, fewest="2", most=str(len(brief.tools)), wishes=wishes)
        messages: list[JSON] = [{"role": "system", "content": head}, {"role": "user", "content": ask}]
        first = await self.voices.ask(
            "planner",
            brief.seed,
            brief.index,
            messages,
            schema=ScenarioDraft,
            shared_schema=PLAN_SCHEMA,
            check=lambda draft: check_scenario(draft, brief),
        )
        scenario: ScenarioDraft = first.value
        requests = self.voices.prompts.fill(
            "planner_requests",
            rng,
            fewest=str(max(fewest, len(patterns) - 2, 1)),
            most=str(max(most, len(patterns))),
            patterns=", ".join(patterns),
        )
        messages += [
            {"role": "assistant", "content": scenario.model_dump_json()},
            {"role": "user", "content": requests},
        ]
        second = await self.voices.ask(
            "planner",
            brief.seed,
            brief.index,
            messages,
            schema=RequestsDraft,
            shared_schema=PLAN_SCHEMA,
            check=lambda draft: check_requests(draft, scenario, brief),
        )
        plan = make_plan(scenario, second.value, now, city)
        one, other = leave_aside("planner", first), leave_aside("planner", second)
        aside = Aside((), one.usage + other.usage, one.attempts + other.attempts)
        return Planning(plan, aside)


def bears(brief: Brief, pattern: Pattern) -> bool:
    """Say whether tools, parameters and edges are there for a pattern; whether it makes sense the model will see."""
    tools = list(brief.tools.values())
    if pattern == "sequential":
        return any(_feeds(one, other, brief) for one, other in permutations(tools, 2))
    if pattern == "parallel":
        return len(tools) > 1 or any(_properties(tool) for tool in tools)
    if pattern == "missing_parameter":
        return any(not is_identifier(name, _properties(tool).get(name, {})) for tool in tools for name in tool.required)
    if pattern == "correction":
        return any(_properties(tool) for tool in tools)
    if pattern == "search_tools":  # among several tools, or there is nothing to search
        return len(tools) + len(brief.distractors) + len(brief.others) > 1
    if pattern == "topic_shift":
        return any(
            one.domain != other.domain or not _are_joined(one, other, brief) for one, other in combinations(tools, 2)
        )
    return True


def _feeds(producer: Tool, consumer: Tool, brief: Brief) -> bool:
    """Say whether a tool takes what another one returns: along a P-R edge, or by the same name."""
    if any(e.kind == "P-R" and (e.source, e.target) == (producer.name, consumer.name) for e in brief.edges):
        return True
    returned = {slot.name for slot in iterate_slots(producer.returns)} - set(_properties(producer))
    return bool(returned & set(_properties(consumer)))


def _are_joined(one: Tool, other: Tool, brief: Brief) -> bool:
    return any({edge.source, edge.target} == {one.name, other.name} for edge in brief.edges)


def _properties(tool: Tool) -> JSON:
    properties: JSON = tool.parameters.get("properties", {})
    return properties


def make_plan(scenario: ScenarioDraft, requests: RequestsDraft, now: datetime, city: str) -> DialoguePlan:
    """Return the plan that two checked drafts make."""
    return DialoguePlan(
        scenario=Scenario(
            persona=scenario.persona,
            situation=scenario.situation,
            goal=scenario.goal,
            now=now.isoformat(timespec="minutes"),
            city=city,
        ),
        requests=tuple(_make_request(request) for request in requests.requests),
    )


def _make_request(draft: RequestDraft) -> PlannedRequest:
    return PlannedRequest(
        intent=draft.intent,
        patterns=tuple(dict.fromkeys(draft.patterns)),
        tools=tuple(draft.tools),
        depends_on=tuple(draft.depends_on),
        known={fact.what: fact.value for fact in draft.known},
        withheld=tuple(draft.withheld),
    )


def check_scenario(draft: ScenarioDraft, brief: Brief) -> str | None:
    """Say what is wrong with a scenario, None when it will do."""
    unknown = [name for name in draft.kept if name not in brief.tools]
    if unknown:
        return f"`kept` names {unknown[0]!r}, which is none of the drawn tools: {', '.join(brief.tools)}"
    return None


def check_requests(draft: RequestsDraft, scenario: ScenarioDraft, brief: Brief) -> str | None:
    """Say what is wrong with the requests, None when they will do."""
    due, given = set(brief.patterns), {pattern for request in draft.requests for pattern in request.patterns}
    missing, extra = sorted(due - given), sorted(given - due - _PLAIN)
    if missing or extra:
        told = [f"missing: {', '.join(missing)}"] if missing else []
        told += [f"not asked for: {', '.join(extra)}"] if extra else []
        wanted = f"the patterns of the requests together must be {', '.join(sorted(due))}"
        return f"{wanted}, and besides them only {' and '.join(sorted(_PLAIN))} ({'; '.join(told)})"
    for number, request in enumerate(draft.requests):
        problem = _check_request(request, number, scenario)
        if problem:
            return f"request {number}: {problem}"
    return None


def _check_request(request: RequestDraft, number: int, scenario: ScenarioDraft) -> str | None:
    unknown = [name for name in request.tools if name not in scenario.kept]
    if unknown:
        return f"{unknown[0]!r} is not among the tools that you kept"
    quiet = set(request.patterns) & _WITHOUT_TOOLS
    if quiet and request.tools:
        return f"a {min(quiet)} request calls nothing, so `tools` must be empty"
    if not quiet and not request.tools:
        return "`tools` is empty, but its patterns need a call"
    if "parallel" in request.patterns and len(request.tools) < 2:
        return "a parallel request names at least two calls in `tools` (the same tool may stand twice)"
    if "sequential" in request.patterns and len(request.tools) < 2 and not request.depends_on:
        return "a sequential request has two tools, or depends on an earlier request"
    if any(not 0 <= earlier < number for earlier in request.depends_on):
        return "`depends_on` may only name earlier requests, counted from 0"
    if "missing_parameter" in request.patterns and not request.withheld:
        return "`withheld` must name what the person leaves out at first"
    return None
