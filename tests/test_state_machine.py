"""The LangGraph side: how a dialogue is started, steered, stopped, edited and resumed."""

import asyncio
import json
import shutil
from itertools import pairwise

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from toolflow_graph.agents.openai_format import to_openai_messages
from toolflow_graph.dialogue import graph as wiring
from toolflow_graph.dialogue import stage
from toolflow_graph.dialogue.graph import build_graph, step_limit
from toolflow_graph.errors import SamplingError
from toolflow_graph.resources import find_resource
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.types import PATTERNS

NODES = ["sampler", "planner", "user", "assistant", "tool_simulator", "validator"]
START = {"index": 3, "patterns": ["sequential", "tool_error", "chitchat"]}


@pytest.fixture(scope="module")
def travel():
    return DialogueSettings(catalog=str(find_resource("tool_catalog") / "travel.json"), tools=5, seed=5)


@pytest.fixture(scope="module")
def one_tool(tmp_path_factory):
    """A catalog whose only tool takes nothing and has no phrasings."""
    path = tmp_path_factory.mktemp("catalog") / "one.json"
    tool = {"name": "get_rota", "description": "Return this week's rota.", "parameters": {"type": "object"}}
    path.write_text(json.dumps([tool]))
    return str(path)


def configure(thread="one"):
    return {"configurable": {"thread_id": thread}, "recursion_limit": 500}


def run(machine, start, settings, config=None):
    return asyncio.run(machine.ainvoke(start, context=settings, config=config or configure()))


def texts(out):
    return [(message.type, message.text) for message in out["messages"]]


def whole(out):
    """Everything that a dialogue came to, without LangChain's own objects."""
    return json.loads(json.dumps({**out, "messages": [message.model_dump() for message in out["messages"]]}))


# Starting


def test_runs_with_empty_input_and_no_context(bundled_graph):
    assert len(bundled_graph) > 0
    out = asyncio.run(wiring.graph.ainvoke({}))
    assert out["index"] == 0
    assert isinstance(out["messages"][0], SystemMessage)
    assert isinstance(out["messages"][-1], AIMessage)
    assert out["verdict"] in ("accepted", "rejected")
    assert whole(out) == whole(run(wiring.graph, {"index": 0}, DialogueSettings()))


def test_input_and_context_show_as_forms():
    assert set(wiring.graph.get_input_jsonschema()["properties"]) == {"index", "patterns"}
    assert "catalog" in wiring.graph.get_context_jsonschema()["properties"]


def test_patterns_of_the_settings_are_played(travel):
    settings = travel.model_copy(update={"patterns": ("parallel", "chitchat")})
    out = run(build_graph().compile(), {"index": 1}, settings)
    assert {p for request in out["plan"]["requests"] for p in request["patterns"]} == {"parallel", "chitchat"}


def test_input_patterns_go_before_those_of_the_settings(travel):
    settings = travel.model_copy(update={"patterns": ("chitchat",)})
    assert run(build_graph().compile(), START, settings)["patterns"] == START["patterns"]


# The edges


@pytest.mark.parametrize(
    ("choose", "state", "following"),
    [
        (wiring.after_sampler, {}, "planner"),
        (wiring.after_sampler, {"method": "no-plan"}, "planner"),
        (wiring.after_sampler, {"method": "direct"}, "writer"),
        (wiring.after_sampler, {"method": "cot"}, "writer"),
        (wiring.after_sampler, {"ended": True, "method": "cot"}, "validator"),
        (wiring.after_sampler, {"ended": True}, "validator"),
        (wiring.after_planner, {}, "user"),
        (wiring.after_planner, {"ended": True}, "validator"),
        (wiring.after_user, {}, "assistant"),
        (wiring.after_user, {"ended": True}, "validator"),
    ],
    ids=[
        "drawn",
        "drawn-without-plan",
        "drawn-to-write",
        "drawn-to-think-and-write",
        "nothing-drawn-to-write",
        "nothing-drawn",
        "planned",
        "no-plan",
        "spoke",
        "user-ended",
    ],
)
def test_conditional_edges(choose, state, following):
    assert asyncio.run(choose(state)) == following


class Context:
    def __init__(self, context):
        self.context = context


CALL = {"id": "call_1", "name": "search_trains", "args": {}}


@pytest.mark.parametrize(
    ("messages", "settings", "following"),
    [
        ([HumanMessage("Hi."), AIMessage("", tool_calls=[CALL])], None, "tool_simulator"),
        ([HumanMessage("Hi."), AIMessage("", tool_calls=[CALL])], DialogueSettings(max_turns=1), "tool_simulator"),
        ([HumanMessage("Hi."), AIMessage("Hello.")], None, "user"),
        ([HumanMessage("Hi."), AIMessage("Hello.")], DialogueSettings(max_turns=1), "validator"),
        ([HumanMessage("Hi."), AIMessage("Hello.")], DialogueSettings(max_turns=2), "user"),
    ],
    ids=["calls", "calls-at-the-limit", "spoke", "limit", "below-the-limit"],
)
def test_edge_after_the_assistant(messages, settings, following):
    assert asyncio.run(wiring.after_assistant({"messages": messages}, Context(settings))) == following


@pytest.mark.parametrize("index", range(4))
def test_steps_follow_the_wiring(travel, index):
    allowed = {
        "sampler": {"planner"},
        "planner": {"user"},
        "user": {"assistant", "validator"},
        "assistant": {"tool_simulator", "user"},
        "tool_simulator": {"assistant"},
    }

    async def stream():
        machine = build_graph().compile()
        start = {**START, "index": index}
        return [name async for step in machine.astream(start, context=travel, stream_mode="updates") for name in step]

    steps = asyncio.run(stream())
    assert steps[0] == "sampler"
    assert steps[-1] == "validator"
    assert all(after in allowed[before] for before, after in pairwise(steps))
    assert len(steps) < step_limit(travel)


# The end of a dialogue


@pytest.mark.parametrize("limit", [1, 2])
def test_turn_limit_leads_to_a_rejection(travel, limit):
    out = run(build_graph().compile(), START, travel.model_copy(update={"max_turns": limit}))
    assert out["verdict"] == "rejected"
    assert [f["severity"] for f in out["findings"] if "turn limit" in f["message"]] == ["error"]
    assert sum(isinstance(message, HumanMessage) for message in out["messages"]) == limit
    assert isinstance(out["messages"][-1], AIMessage)


def test_dialogue_within_the_limit_has_no_such_finding(travel):
    out = run(build_graph().compile(), START, travel)
    assert out["ended"] is True
    assert not [f for f in out["findings"] if "turn limit" in f["message"]]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_catalog_of_one_tool_ends_in_a_verdict(one_tool, pattern):
    settings = DialogueSettings(catalog=one_tool, tools=1, min_requests=1)
    out = run(build_graph().compile(), {"index": 0, "patterns": [pattern]}, settings)
    if pattern in ("single", "tool_error", "search_tools", "irrelevant", "chitchat"):
        assert {p for request in out["plan"]["requests"] for p in request["patterns"]} == {pattern}
        return
    assert out["verdict"] == "rejected"
    assert not out.get("messages")
    (finding,) = out["findings"]
    assert finding["check"] in ("sampling", "plan")
    assert pattern in finding["message"]


def test_more_tools_than_there_are_is_an_error(one_tool):
    with pytest.raises(SamplingError, match="only 1 tools, 5 wanted"):
        run(build_graph().compile(), {"index": 0}, DialogueSettings(catalog=one_tool))


# Interrupting, editing, resuming


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("side", ["interrupt_before", "interrupt_after"])
def test_interrupted_dialogue_is_the_uninterrupted_one(travel, index, side):
    start = {**START, "index": index}
    straight = build_graph().compile(checkpointer=InMemorySaver())
    halting = build_graph().compile(checkpointer=InMemorySaver(), **{side: NODES})

    async def play():
        config = configure()
        out = await halting.ainvoke(start, context=travel, config=config)
        halts = 0
        while (await halting.aget_state(config)).next:
            halts += 1
            out = await halting.ainvoke(None, context=travel, config=config)
        return out, halts

    out, halts = asyncio.run(play())
    expected = run(straight, start, travel)
    assert whole(out) == whole(expected)
    assert halts > len(expected["messages"]) - sum(isinstance(m, ToolMessage) for m in expected["messages"])


def test_saver_makes_no_difference(travel):
    with_saver = run(build_graph().compile(checkpointer=InMemorySaver()), START, travel)
    assert whole(with_saver) == whole(run(build_graph().compile(), START, travel))


def test_dialogue_resumes_from_any_checkpoint(travel):
    machine = build_graph().compile(checkpointer=InMemorySaver())
    expected = whole(run(machine, START, travel))

    async def replay():
        history = [state async for state in machine.aget_state_history(configure()) if state.next]
        return [await machine.ainvoke(None, context=travel, config=state.config) for state in history[::3]]

    outs = asyncio.run(replay())
    assert len(outs) > 3
    assert all(whole(out) == expected for out in outs)


def test_edited_user_message_stays_and_the_dialogue_goes_on(travel):
    machine = build_graph().compile(checkpointer=InMemorySaver(), interrupt_before=["assistant"])

    async def play():
        config = configure()
        await machine.ainvoke(START, context=travel, config=config)
        said = (await machine.aget_state(config)).values["messages"][-1]
        edited = HumanMessage("Something else altogether.", id=said.id, additional_kwargs=said.additional_kwargs)
        await machine.aupdate_state(config, {"messages": [edited]})
        assert (await machine.aget_state(config)).next == ("assistant",)
        out = None
        while (await machine.aget_state(config)).next:
            out = await machine.ainvoke(None, context=travel, config=config)
        return said, out

    said, out = asyncio.run(play())
    expected = texts(run(build_graph().compile(), START, travel))
    assert texts(out)[1] == ("human", "Something else altogether.") != ("human", said.text)
    assert texts(out)[2:] == expected[2:]
    assert out["verdict"] in ("accepted", "rejected")


def test_edited_result_is_what_the_assistant_reports(travel):
    machine = build_graph().compile(checkpointer=InMemorySaver(), interrupt_after=["tool_simulator"])

    async def play():
        config = configure()
        await machine.ainvoke({"index": 0, "patterns": ["single"]}, context=travel, config=config)
        result = (await machine.aget_state(config)).values["messages"][-1]
        broken = result.model_copy(update={"content": "not JSON at all"})
        await machine.aupdate_state(config, {"messages": [broken]})
        out = None
        while (await machine.aget_state(config)).next:
            out = await machine.ainvoke(None, context=travel, config=config)
        return out

    out = asyncio.run(play())
    assert out["messages"][3].text == "not JSON at all"
    assert out["messages"][4].text
    assert out["verdict"] == "rejected"


# What is kept


def test_checkpoints_are_plain_json_and_messages(travel):
    machine = build_graph().compile(checkpointer=InMemorySaver())
    run(machine, START, travel)

    async def history():
        return [state.values async for state in machine.aget_state_history(configure())]

    states = asyncio.run(history())
    assert len(states) > 8
    for values in states:
        rest = {name: value for name, value in values.items() if name != "messages"}
        assert json.loads(json.dumps(rest)) == rest
        assert all(isinstance(message, BaseMessage) for message in values.get("messages", ()))
    assert not {"catalog", "tool_graph", "cast", "settings"} & set(states[0])


def test_state_is_plain_json_without_a_saver_too(travel):
    out = run(build_graph().compile(), START, travel)
    rest = {name: value for name, value in out.items() if name != "messages"}
    assert [name for name, value in rest.items() if json.loads(json.dumps(value)) != value] == []


def test_messages_have_ids_of_their_own(travel):
    out = run(build_graph().compile(), START, travel)
    ids = [message.id for message in out["messages"]]
    assert len(set(ids)) == len(ids)
    assert ids == [f"{travel.seed}-{START['index']}-{place}" for place in range(len(ids))]
    assert [m["role"] for m in to_openai_messages(out["messages"])[:3]] == ["system", "user", "assistant"]


def test_stage_is_loaded_once(travel, tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(
        stage, "load_catalog", lambda source, load=stage.load_catalog: loaded.append(source) or load(source)
    )
    catalog = str(shutil.copy(travel.catalog, tmp_path / "travel.json"))
    settings = travel.model_copy(update={"catalog": catalog})
    machine = build_graph().compile()
    for index in range(3):
        run(machine, {"index": index}, settings.model_copy(update={"seed": index}))
    assert loaded == [catalog]
