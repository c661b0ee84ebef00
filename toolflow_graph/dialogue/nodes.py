"""The nodes of the state machine: each asks one agent, and writes down what it did."""

import asyncio
import json
import random
from collections.abc import Collection
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.runtime import Runtime

from toolflow_graph.agents.openai_format import label_turns, to_openai_messages
from toolflow_graph.agents.place import plan_nothing
from toolflow_graph.agents.roles import Aside, Brief, Scene, derive_rng
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.by_identity import remember_by_identity
from toolflow_graph.dialogue.briefs import count_improvised, draw_patterns, find_brief, make_brief
from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.dialogue.state import DialogueState, find_additions
from toolflow_graph.errors import PlanError
from toolflow_graph.prompts import Prompts
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.types import JSON, DialoguePlan, Edge, Finding
from toolflow_graph.validation import validate_dialogue

__all__ = ["assistant", "planner", "sampler", "tool_simulator", "user", "validator", "writer"]

_DRAWS = 60

Context = Runtime[DialogueSettings]


def settings_of(runtime: Context) -> DialogueSettings:
    """Return the settings of the dialogue; LangGraph gives none when the caller gave none."""
    return runtime.context or DialogueSettings()


async def sampler(state: DialogueState, runtime: Context) -> JSON:
    """Draw tools from the Tool Graph until the planner can do something with them."""
    settings = settings_of(runtime)
    stage = load_stage(settings)
    index = state.get("index", 0)
    patterns: list[str] = []
    if settings.with_plan:
        patterns = state.get("patterns") or list(settings.patterns) or list(draw_patterns(settings, index))
    known = {"index": index, "method": settings.method}
    if "search_tools" in patterns:  # what is tried asks the encoder and its cache, which would hold up other dialogues
        found = await asyncio.to_thread(find_brief, settings, stage, index, patterns, _DRAWS)
    else:
        found = find_brief(settings, stage, index, patterns, _DRAWS)
    if found is None:
        kind = f"the patterns {', '.join(patterns)} in" if patterns else "without a plan"
        wanted = f"{kind} {settings.min_requests} requests or more"
        message = f"in {_DRAWS} draws of {settings.tools} tools none bears {wanted}"
        return {**known, "patterns": patterns, "ended": True, "findings": [_finding("sampling", message)]}
    brief, patterns = found
    return {
        **known,
        "patterns": patterns,
        "drawn": list(brief.tools),
        "distractors": list(brief.distractors),
        "edges": [edge.model_dump(mode="json") for edge in brief.edges],
    }


async def planner(state: DialogueState, runtime: Context) -> JSON:
    """Have the dialogue planned, and open it with the system message."""
    settings = settings_of(runtime)
    stage = load_stage(settings)
    try:
        planning = await stage.cast.planner.plan(brief_of(state, settings, stage))
    except PlanError as exc:
        return {"ended": True, "findings": [_finding("plan", str(exc))]}
    plan = planning.plan
    searched = {name for request in plan.requests if "search_tools" in request.patterns for name in request.tools}
    rng = derive_rng(settings.seed, state["index"], "offer")
    offered = offer_tools(state, searched, rng)
    system = introduce(stage.prompts, plan, rng)
    return {
        "plan": plan.model_dump(mode="json"),
        "offered": offered,
        "world": {},
        "request": 0,
        "position": 0,
        "messages": [SystemMessage(system, id=message_id(settings, state, 0))],
        **keep_aside("planner", planning.aside),
    }


def brief_of(state: DialogueState, settings: DialogueSettings, stage: Stage) -> Brief:
    """Return what was drawn as a planner or a writer is given it."""
    drawn, distractors = state["drawn"], state["distractors"]
    return make_brief(settings, stage, state["index"], state["patterns"], drawn, distractors, edges_of(state))


def offer_tools(state: DialogueState, searched: Collection[str], rng: random.Random) -> list[str]:
    """Return the tools that the assistant is given, in any order, without those that it has to search for."""
    offered = [name for name in (*state["drawn"], *state["distractors"]) if name not in searched]
    if searched:
        offered.append(SEARCH_TOOLS.name)
    rng.shuffle(offered)
    return offered


def introduce(prompts: Prompts, plan: DialoguePlan, rng: random.Random) -> str:
    """Return the text of the system message."""
    now = Scene(0, 0, plan, (), {}, (), {}).now
    clock = f"{now:%H:%M}"
    day = f"{now:%A}, {now.day} {now:%B %Y}"
    return prompts.fill("assistant_system", rng, date=day, time=clock, city=plan.scenario.city)


async def writer(state: DialogueState, runtime: Context) -> JSON:
    """Have the whole dialogue written in one request."""
    settings = settings_of(runtime)
    stage = load_stage(settings)
    author = stage.cast.writer
    assert author is not None  # noqa: S101 - the settings refuse the method for a cast without one
    plan = plan_nothing(settings.seed, state["index"])
    system = introduce(stage.prompts, plan, derive_rng(settings.seed, state["index"], "introduction"))
    given = [*state["drawn"], *state["distractors"]]
    if "search_tools" in state["patterns"]:
        given.append(SEARCH_TOOLS.name)
    writing = await author.write(
        brief_of(state, settings, stage),
        [stage.tools[name] for name in given],
        system,
        reasons=settings.method == "cot",
    )
    messages = [
        message.model_copy(update={"id": message_id(settings, state, number)})
        for number, message in enumerate([SystemMessage(system), *writing.messages])
    ]
    turns = sum(isinstance(message, HumanMessage) for message in messages)
    return {
        "plan": plan.model_dump(mode="json"),
        "offered": offer_tools(state, writing.searched, derive_rng(settings.seed, state["index"], "offer")),
        "messages": messages,
        "ended": turns <= settings.max_turns,
        **keep_aside("writer", writing.aside),
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
    plan = _plan(state)
    return Scene(
        index=state["index"],
        seed=settings.seed,
        plan=plan,
        messages=messages,
        tools=stage.tools,
        offered=state["offered"],
        domains=stage.catalog.domains,
        request=state["request"],
        position=state["position"],
        world=state["world"],
        memory=state.get("memory", {}),
        find_tools=stage.find_tools,
        drawn=state["drawn"],
        improvised=0 if plan.requests else count_improvised(settings, state["index"]),
    )


def _plan(state: DialogueState) -> DialoguePlan:
    """Return the plan in the state; parsed once for as long as the state holds the same object."""
    return _parse_plan(state["plan"])


@remember_by_identity(256)
def _parse_plan(source: JSON) -> DialoguePlan:
    return DialoguePlan.model_validate(source)


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
                additional_kwargs={"request": scene.request, **({"executed": True} if result.executed else {})},
            )
        )
    changes = find_additions(state["world"], world)
    return {"messages": results, "world": changes, **keep_aside("tool", aside)}


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
            prompts=stage.prompts,
        )
        findings += report.findings
        provenance = [entry.model_dump(mode="json") for entry in report.provenance]
        if not state.get("ended"):
            left = "the plan was addressed" if plan.requests else "the user was done"
            findings.append(_finding_record("plan", f"the turn limit was reached before {left}"))
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
