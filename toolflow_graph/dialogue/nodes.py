"""The nodes of the state machine: each asks one agent, and writes down what it did."""

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.runtime import Runtime

from toolflow_graph.agents.openai_format import label_turns, to_openai_messages
from toolflow_graph.agents.roles import Aside, Brief, Scene, derive_rng
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.dialogue.state import DialogueState
from toolflow_graph.errors import PlanError
from toolflow_graph.prompts import fill_prompt
from toolflow_graph.sampling import sample_tools
from toolflow_graph.settings import DialogueSettings, assign_patterns
from toolflow_graph.types import JSON, DialoguePlan, Edge, Finding, Pattern, Tool
from toolflow_graph.validation import validate_dialogue

__all__ = ["assistant", "planner", "sampler", "tool_simulator", "user", "validator"]

_DRAWS = 60
_OTHERS_NEAR, _OTHERS_FAR = 40, 20

Context = Runtime[DialogueSettings]


def settings_of(runtime: Context) -> DialogueSettings:
    """Return the settings of the dialogue; LangGraph gives none when the caller gave none."""
    return runtime.context or DialogueSettings()


async def sampler(state: DialogueState, runtime: Context) -> JSON:
    """Draw tools from the Tool Graph until the planner can do something with them."""
    settings = settings_of(runtime)
    stage = load_stage(settings)
    index = state.get("index", 0)
    patterns = state.get("patterns") or list(settings.patterns) or list(_draw_patterns(settings, index))
    brief = None
    for attempt in range(_DRAWS):
        brief = _draw(settings, stage, index, patterns, attempt)
        if stage.cast.planner.accepts(brief):
            break
    else:
        wanted = f"the patterns {', '.join(patterns)} in {settings.min_requests} requests or more"
        message = f"in {_DRAWS} draws of {settings.tools} tools none bears {wanted}"
        return {"index": index, "patterns": patterns, "ended": True, "findings": [_finding("sampling", message)]}
    return {
        "index": index,
        "patterns": patterns,
        "drawn": list(brief.tools),
        "distractors": list(brief.distractors),
        "edges": [edge.model_dump(mode="json") for edge in brief.edges],
    }


def _draw_patterns(settings: DialogueSettings, index: int) -> tuple[Pattern, ...]:
    """Return the patterns that the mix gives to this index, in blocks of a hundred dialogues."""
    block, place = divmod(index, 100)
    return assign_patterns(settings.mix, 100, settings.seed + block)[place]


def _draw(settings: DialogueSettings, stage: Stage, index: int, patterns: list[str], attempt: int) -> Brief:
    rng = derive_rng(settings.seed, index, "sampler", attempt)
    names = sample_tools(stage.tool_graph, settings.tools, rng, settings.strategy)
    if "topic_shift" in patterns:
        near = {stage.catalog.tools[name].domain for name in names}
        far = [name for name, tool in stage.catalog.tools.items() if tool.domain not in near]
        if not far:  # a catalog without domains: what shares no slot with the drawn tools
            joined = {*names, *(n for name in names for n in stage.tool_graph.neighbours(name))}
            far = [name for name in stage.catalog.tools if name not in joined]
        names += rng.sample(far, min(2, len(far)))
    neighbours = [n for name in names for n in stage.tool_graph.neighbours(name)]
    close = [name for name in dict.fromkeys(neighbours) if name not in names]
    distractors = rng.sample(close, min(settings.distractors, len(close)))
    return _brief(settings, stage, index, patterns, names, distractors, stage.tool_graph.edges_between(names))


def _brief(
    settings: DialogueSettings,
    stage: Stage,
    index: int,
    patterns: list[str],
    names: list[str],
    distractors: list[str],
    edges: Sequence[Edge],
) -> Brief:
    given = {*names, *distractors}
    others: list[Tool] = []
    if {"missing_function", "search_tools"} & set(patterns):
        rng = derive_rng(settings.seed, index, "others", *names)
        domains = {stage.catalog.tools[name].domain for name in names}
        near = [t for t in stage.catalog.tools.values() if t.domain in domains and t.name not in given]
        far = [t for t in stage.catalog.tools.values() if t.domain not in domains]
        others = rng.sample(near, min(_OTHERS_NEAR, len(near))) + rng.sample(far, min(_OTHERS_FAR, len(far)))
    return Brief(
        index=index,
        seed=settings.seed,
        tools={name: stage.catalog.tools[name] for name in names},
        edges=edges,
        distractors=distractors,
        others=others,
        domains=stage.catalog.domains,
        patterns=frozenset(patterns),  # type: ignore[arg-type]
        requests=(settings.min_requests, settings.max_requests),
    )


async def planner(state: DialogueState, runtime: Context) -> JSON:
    """Have the dialogue planned, and open it with the system message."""
    settings = settings_of(runtime)
    stage = load_stage(settings)
    brief = _brief(
        settings, stage, state["index"], state["patterns"], state["drawn"], state["distractors"], edges_of(state)
    )
    try:
        planning = await stage.cast.planner.plan(brief)
    except PlanError as exc:
        return {"ended": True, "findings": [_finding("plan", str(exc))]}
    plan = planning.plan
    searched = {name for request in plan.requests if "search_tools" in request.patterns for name in request.tools}
    offered = [name for name in (*state["drawn"], *state["distractors"]) if name not in searched]
    if searched:
        offered.append(SEARCH_TOOLS.name)
    rng = brief.rng("offer")
    rng.shuffle(offered)
    now = Scene(0, 0, plan, (), {}, (), {}).now
    clock = f"{now:%H:%M}"
    day = f"{now:%A}, {now.day} {now:%B %Y}"
    system = fill_prompt("assistant_system", rng, date=day, time=clock, city=plan.scenario.city)
    return {
        "plan": plan.model_dump(mode="json"),
        "offered": offered,
        "world": {},
        "request": 0,
        "position": 0,
        "messages": [SystemMessage(system, id=message_id(settings, state, 0))],
        **keep_aside("planner", planning.aside),
    }


def keep_aside(role: str, aside: Aside) -> JSON:
    """Return the updates of the state that a turn leaves besides its words."""
    update: JSON = {}
    if aside.memory:
        update["memory"] = {role: list(aside.memory)}
    if aside.usage:
        update["usage"] = list(aside.usage)
    if aside.attempts:
        update["attempts"] = list(aside.attempts)
    return update


def message_id(settings: DialogueSettings, state: DialogueState, number: int) -> str:
    """Return the id of a message: the same in every run of the same dialogue."""
    return f"{settings.seed}-{state['index']}-{number}"


def set_scene(state: DialogueState, settings: DialogueSettings, stage: Stage, messages: list[AnyMessage]) -> Scene:
    """Return what an agent may know of the dialogue."""
    return Scene(
        index=state["index"],
        seed=settings.seed,
        plan=_plan(state),
        messages=messages,
        tools=stage.tools,
        offered=state["offered"],
        domains=stage.catalog.domains,
        request=state["request"],
        position=state["position"],
        world=state["world"],
        memory=state.get("memory", {}),
        find_tools=stage.find_tools,
    )


_PLANS: dict[int, tuple[JSON, DialoguePlan]] = {}


def _plan(state: DialogueState) -> DialoguePlan:
    """Return the plan in the state; parsed once for as long as the state holds the same object."""
    source = state["plan"]
    known = _PLANS.get(id(source))
    if known is None or known[0] is not source:
        if len(_PLANS) > _PLANS_KEPT:
            _PLANS.clear()
        known = _PLANS[id(source)] = (source, DialoguePlan.model_validate(source))
    return known[1]


_PLANS_KEPT = 1024


async def user(state: DialogueState, runtime: Context) -> JSON:
    """Let the user speak, or end the dialogue."""
    settings = settings_of(runtime)
    stage = load_stage(settings)
    scene = set_scene(state, settings, stage, state["messages"])
    turn = await stage.cast.user.speak(scene)
    if turn.text is None:
        return {"ended": True, **keep_aside("user", turn.aside)}
    message = HumanMessage(
        turn.text, id=message_id(settings, state, len(scene.messages)), additional_kwargs={"request": turn.request}
    )
    update = {"messages": [message], "request": turn.request, "position": turn.position}
    return {**update, **keep_aside("user", turn.aside)}


async def assistant(state: DialogueState, runtime: Context) -> JSON:
    """Let the assistant speak or call."""
    settings = settings_of(runtime)
    stage = load_stage(settings)
    scene = set_scene(state, settings, stage, state["messages"])
    turn = await stage.cast.assistant.act(scene)
    message = AIMessage(
        turn.text,
        id=message_id(settings, state, len(scene.messages)),
        tool_calls=[{"id": c.id, "name": c.name, "args": c.arguments, "type": "tool_call"} for c in turn.calls],
        additional_kwargs={"request": scene.request},
    )
    return {"messages": [message], "position": turn.position, **keep_aside("assistant", turn.aside)}


async def tool_simulator(state: DialogueState, runtime: Context) -> JSON:
    """Answer every call of the assistant's last message, one after the other in the same world."""
    settings = settings_of(runtime)
    stage = load_stage(settings)
    messages = list(state["messages"])
    scene = set_scene(state, settings, stage, messages)
    world = state["world"]
    results: list[AnyMessage] = []
    memory = dict(state.get("memory", {}))
    aside = Aside()
    for call in scene.pending_calls():
        now = set_scene({**state, "world": world, "memory": memory}, settings, stage, messages)
        result = await stage.cast.tool_simulator.run(now, call)
        world = result.world
        memory = {**memory, "tool": [*memory.get("tool", ()), *result.aside.memory]}
        aside = join_asides(aside, result.aside)
        results.append(
            ToolMessage(
                json.dumps(result.content, ensure_ascii=False),
                tool_call_id=call.id,
                name=call.name,
                status="error" if result.failed else "success",
                id=message_id(settings, state, len(messages) + len(results)),
                additional_kwargs={"request": scene.request},
            )
        )
    return {"messages": results, "world": world, **keep_aside("tool", aside)}


def join_asides(one: Aside, other: Aside) -> Aside:
    """Return what two turns in a row leave."""
    return Aside(one.memory + other.memory, one.usage + other.usage, one.attempts + other.attempts)


async def validator(state: DialogueState, runtime: Context) -> JSON:
    """Check the dialogue as a whole and give the verdict."""
    findings = [Finding.model_validate(finding) for finding in state.get("findings", [])]
    provenance: list[Any] = []
    if state.get("messages"):
        stage = load_stage(settings_of(runtime))
        messages = to_openai_messages(state["messages"])
        plan = _plan(state)
        tools = [stage.tools[name] for name in state["offered"]]
        report = validate_dialogue(
            messages,
            [tool.to_openai() for tool in tools],
            returns={name: stage.tools[name].returns for name in called_tools(messages) if name in stage.tools},
            plan=plan,
            labels=label_turns(state["messages"], plan),
            now=plan.scenario.now,
        )
        findings += report.findings
        provenance = [entry.model_dump(mode="json") for entry in report.provenance]
        if not state.get("ended"):
            findings.append(_finding_record("plan", "the turn limit was reached before the plan was addressed"))
    verdict = "rejected" if any(finding.severity == "error" for finding in findings) else "accepted"
    return {"findings": [f.model_dump(mode="json") for f in findings], "provenance": provenance, "verdict": verdict}


def called_tools(messages: list[JSON]) -> set[str]:
    """Return the names of all tools that are called."""
    return {call["function"]["name"] for message in messages for call in message.get("tool_calls", ())}


def _finding(check: str, message: str) -> JSON:
    return _finding_record(check, message).model_dump(mode="json")


def _finding_record(check: str, message: str) -> Finding:
    return Finding(check=check, message=message)


def edges_of(state: DialogueState) -> tuple[Edge, ...]:
    """Return the Tool Graph's edges between the drawn tools."""
    return tuple(Edge.model_validate(edge) for edge in state.get("edges", []))
