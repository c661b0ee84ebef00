"""The ablations and baselines: dialogues without the graph, without a plan, and written in one request."""

import asyncio
import copy
import json
from collections import Counter

import pytest
from langchain_core.messages import ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from endpoint import Endpoint
from players import Players, recognise_role
from runs import read_rows, run_all
from toolflow_graph.agents.scripted.acts import is_reference
from toolflow_graph.cli.app import main
from toolflow_graph.dialogue.briefs import draw_brief, find_brief
from toolflow_graph.dialogue.graph import build_graph
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import PlanError, RunError, SettingsError
from toolflow_graph.runner import generate
from toolflow_graph.settings import StudioSettings, parse_settings
from toolflow_graph.types import METHODS, DialogueRecord

PLAYED = ("toolflow", "no-graph", "no-plan", "no-graph-no-plan")
WRITTEN = ("direct", "cot")

MIX = [
    {"share": 1, "patterns": patterns}
    for patterns in (
        ("single",),
        ("search_tools", "single", "tool_error"),
        ("single", "missing_parameter", "correction"),
        ("parallel", "chitchat", "missing_parameter"),
        ("irrelevant", "missing_function"),
        ("single", "topic_shift"),
    )
]
"""Patterns that tools bear whatever connects them."""

DIALOGUES = len(MIX)


@pytest.fixture(scope="module")
def settings(catalog):
    """Return settings of the scripted cast for a method."""
    return lambda method, **more: parse_settings({"catalog": catalog, "method": method, "seed": 3, **more})


def references(record):
    calls = record.plan.outline["calls"]
    return [value for call in calls for value in call["arguments"].values() if is_reference(value)]


def errors_of(record):
    return [(finding.check, finding.message) for finding in record.findings if finding.severity == "error"]


# By rules


@pytest.fixture(scope="module")
def records(settings):
    """Dialogues of the scripted cast by method, rejected ones too."""
    return {method: play(settings(method, dialogues=20)) for method in PLAYED}


def play(run):
    """Play a run; returns all records in their order."""
    records = []
    for _ in generate(run, on_event=lambda event: event.record and records.append(event.record)):
        pass
    return sorted(records, key=lambda record: record.index)


@pytest.mark.parametrize("method", PLAYED)
def test_rules_play_the_method(records, method):
    assert [errors_of(record) for record in records[method]] == [[]] * 20
    assert {record.method for record in records[method]} == {method}
    assert all(record.usage["calls"] for record in records[method] if "irrelevant" not in record.patterns)


@pytest.mark.parametrize("method", PLAYED[1:])
def test_same_settings_give_the_same_bytes(catalog, tmp_path, method):
    values = {"catalog": catalog, "method": method, "dialogues": 8, "seed": 5}
    first = run_all(tmp_path / "one", **values, concurrency=1)
    assert first["dialogues.jsonl"].count(b"\n") >= 8
    assert run_all(tmp_path / "two", **values, concurrency=8) == first


def test_default_is_the_papers_method(catalog):
    assert parse_settings({"catalog": catalog}).method == "toolflow"
    old = {"id": "s0-0", "messages": [], "tools": [], "index": 0, "seed": 0, "patterns": []}
    assert DialogueRecord.model_validate(old).method == "toolflow"


@pytest.mark.parametrize(("method", "moves"), [("toolflow", True), ("no-graph", False), ("no-graph-no-plan", False)])
def test_without_graph_nothing_is_drawn_from_it(settings, method, moves):
    drawn = []
    for tau in (0.6, 0.95):
        chosen = settings(method, tau=tau)
        briefs = [draw_brief(chosen, load_stage(chosen), index, ["single"], 0) for index in range(12)]
        drawn.append([(list(brief.tools), list(brief.distractors)) for brief in briefs])
        assert all(len(brief.tools) == 5 and len(brief.distractors) == 3 for brief in briefs if not moves)
        assert not any(set(brief.tools) & set(brief.distractors) for brief in briefs)
    assert (drawn[0] != drawn[1]) == moves


def test_strategy_is_of_no_account_without_graph(settings):
    found = [
        list(draw_brief(chosen, load_stage(chosen), 3, [], 0).tools)
        for chosen in (settings("no-graph", strategy=strategy) for strategy in ("walk", "even", "random"))
    ]
    assert found[0] == found[1] == found[2]


def test_without_graph_the_first_tools_drawn_will_do_for_requests_that_stand_alone(settings):
    chosen = settings("no-graph")
    stage = load_stage(chosen)
    first = given_way = 0
    for index in range(30):
        brief, patterns = find_brief(chosen, stage, index, ["sequential", "chitchat"], 60)
        assert brief.patterns == set(patterns)
        first += list(brief.tools) == list(draw_brief(chosen, stage, index, ["chitchat"], 0).tools)
        given_way += patterns == ["single", "chitchat"]
    assert first >= 25  # the others have no tool that stands alone
    assert given_way >= 20
    assert find_brief(settings("toolflow"), stage, 0, ["sequential", "chitchat"], 60)[1] == ["sequential", "chitchat"]


def test_without_plan_requests_have_nothing_to_do_with_one_another(records):
    for record in records["no-plan"] + records["no-graph-no-plan"]:
        assert (record.patterns, record.turns, record.plan.requests) == ((), (), ())
        scenario = record.plan.scenario
        assert (scenario.persona, scenario.situation, scenario.goal) == ("", "", "")
        assert scenario.city in record.messages[0]["content"]
        assert references(record) == []
        requests = {act["request"] for act in record.plan.outline["acts"]}
        assert 2 <= len(requests) <= 5
        assert record.usage["calls"] == len(requests)


def test_with_plan_they_do(records):
    share = Counter(bool(references(record)) for record in records["toolflow"])
    assert share[True] > 8
    assert all(record.plan.requests and record.plan.scenario.persona for record in records["no-graph"])


def test_too_few_tools_that_stand_alone_are_a_finding(settings):
    chosen = settings("no-plan", tools=1, min_requests=2)
    out = asyncio.run(build_graph().compile().ainvoke({"index": 0}, context=chosen))
    (finding,) = out["findings"]
    assert finding["message"] == "in 60 draws of 1 tools none bears without a plan 2 requests or more"
    assert out["verdict"] == "rejected"


def test_turn_limit_without_a_plan(settings):
    out = asyncio.run(build_graph().compile().ainvoke({"index": 0}, context=settings("no-plan", max_turns=1)))
    assert [f["message"] for f in out["findings"]] == ["the turn limit was reached before the user was done"]


def test_unplanned_dialogue_stops_and_goes_on(settings):
    chosen = settings("no-plan").dialogue()
    nodes = ["sampler", "planner", "user", "assistant", "tool_simulator", "validator"]
    halting = build_graph().compile(checkpointer=InMemorySaver(), interrupt_before=nodes)

    async def step():
        config = {"configurable": {"thread_id": "one"}, "recursion_limit": 500}
        out = await halting.ainvoke({"index": 2}, context=chosen, config=config)
        while (await halting.aget_state(config)).next:
            out = await halting.ainvoke(None, context=chosen, config=config)
        return out

    straight = asyncio.run(build_graph().compile().ainvoke({"index": 2}, context=chosen))
    assert asyncio.run(step()) == straight


# What needs a model


@pytest.mark.parametrize("method", WRITTEN)
def test_rules_cannot_write(method, capsys, tmp_path):
    with pytest.raises(SettingsError, match=rf"^method '{method}' needs a model that writes.* give --model NAME"):
        parse_settings({"method": method})
    with pytest.raises(ValueError, match="needs a model that writes"):
        StudioSettings(method=method)
    with pytest.raises(SystemExit) as left:
        main(["generate", "--method", method, "--out", str(tmp_path / "run")])
    assert left.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith(f"toolflow: method '{method}' needs a model")
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_unknown_method_is_named(capsys, tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["generate", "--method", "magic", "--out", str(tmp_path / "run")])
    assert left.value.code == 1
    assert "setting 'method'" in capsys.readouterr().err


# By models


@pytest.fixture(scope="module")
def cast_values(catalog):
    """Return settings under which the players have a part in every dialogue of a method."""

    def find(method, **more):
        for seed in range(30):
            values = {"cast": "llm", "catalog": catalog, "mix": MIX, "tools": 12, "method": method, "seed": seed}
            values |= {"dialogues": DIALOGUES, "max_attempts": 1, **more}
            if Players(parse_settings(values)).can_play():
                return values
        raise AssertionError("no seed will do")

    return find


def perform(values, answer=None, *, rejects=False, endpoint=None, **models):
    """Play a run with models; returns the endpoint, the players and the records."""
    players = Players(parse_settings(values))
    records = []
    with Endpoint(answer(players) if answer else players, **endpoint or {}) as served:
        chosen = {"base_url": served.base_url, "model": "test-model", "timeout_s": 60, **models}
        run = generate(
            parse_settings({**values, "models": chosen}),
            on_event=lambda event: event.record and records.append(event.record),
        )
        try:
            list(run)
        except RunError:
            assert rejects
    return served, players, sorted(records, key=lambda record: record.index)


@pytest.fixture(scope="module", params=METHODS)
def performed(request, cast_values):
    values = cast_values(request.param)
    return request.param, *perform(values)


def test_models_play_every_method(performed):
    method, _, players, records = performed
    assert [errors_of(record) for record in records] == [[]] * DIALOGUES
    assert players.strayed == []
    assert {(record.method, record.cast) for record in records} == {(method, "llm")}
    assert all(record.attempts == () for record in records)


def test_only_those_are_asked_whom_the_method_needs(performed):
    method, endpoint, players, records = performed
    asked = Counter(recognise_role(entry.body) for entry in endpoint.log)
    if method in WRITTEN:
        assert asked == {"writer": DIALOGUES}
        assert {entry["agent"] for record in records for entry in record.spent} == {"writer"}
        return
    assert asked["planner"] == (0 if method.endswith("no-plan") else 2 * DIALOGUES)
    assert asked["user"] >= 2 * DIALOGUES
    assert {players.recognise(entry.body)[1] for entry in endpoint.log} == set(range(DIALOGUES))


def test_records_of_models_say_what_was_planned(performed):
    method, _, _, records = performed
    for record in records:
        if method.endswith("no-plan"):
            assert (record.patterns, record.turns, record.plan.requests) == ((), (), ())
            assert record.usage["calls"] >= 2
        elif method in WRITTEN:
            assert record.plan.requests == ()
            assert {pattern for label in record.turns for pattern in label.patterns} >= set(record.patterns)
            assert {label.message for label in record.turns} == set(range(1, len(record.messages)))
        else:
            assert {pattern for request in record.plan.requests for pattern in request.patterns} == set(record.patterns)


def test_the_improvising_user_is_told_what_can_be_done_but_no_names(cast_values):
    values = cast_values("no-plan")
    endpoint, players, records = perform(values)
    heads = {}
    for entry in endpoint.log:
        role, index = players.recognise(entry.body)
        if role == "user":
            heads.setdefault(index, set()).add(entry.messages[0]["content"])
    for record in records:
        (head,) = heads[record.index]
        names = [tool["function"]["name"] for tool in record.tools]
        assert [name for name in names if "_" in name and name in head] == []
        told = [name for name in names if f"- {players.stage.tools[name].description}" in head]
        assert len(told) == values["tools"]
        assert not set(told) & set(record.distractors)


def test_thoughts_stand_beside_the_dialogue(cast_values):
    _, _, records = perform(cast_values("cot"))
    for record in records:
        (spent,) = record.spent
        assert spent["reasoning"].startswith("Somebody wants something")
        assert spent["reasoning"] not in json.dumps(record.messages)
    _, _, (record, *_) = perform(cast_values("direct", dialogues=1))
    assert "reasoning" not in record.spent[0]


def test_written_dialogues_pass_the_checks_of_any_file(cast_values, tmp_path, capsys):
    values = cast_values("direct")
    players = Players(parse_settings(values))
    with Endpoint(players) as endpoint:
        chosen = {"base_url": endpoint.base_url, "model": "test-model"}
        list(generate(parse_settings({**values, "models": chosen}), out=tmp_path / "run"))
    with pytest.raises(SystemExit) as left:
        main(["validate", str(tmp_path / "run")])
    assert left.value.code == 0, capsys.readouterr().out
    rows = read_rows(tmp_path / "run" / "dialogues.jsonl")
    assert {row["method"] for row in rows} == {"direct"}
    calls = [call["id"] for row in rows for m in row["messages"] for call in m.get("tool_calls", ())]
    assert len(set(calls)) == len(calls) > DIALOGUES


# What a writer gets wrong


def lines_of(draft, role):
    return [line for request in draft["requests"] for line in request["messages"] if line["role"] == role]


def first_call(draft):
    return next(call for line in lines_of(draft, "assistant") for call in line["calls"])


def call_no_such_tool(draft):
    first_call(draft)["name"] = "no_such_tool"


def drop_result(draft):
    for request in draft["requests"]:
        request["messages"] = [line for line in request["messages"] if line["role"] != "tool"]


def answer_no_call(draft):
    lines_of(draft, "tool")[0]["call"] = "nobody"


def repeat_id(draft):
    request = next(r for r in draft["requests"] if any(line["role"] == "tool" for line in r["messages"]))
    place = next(i for i, line in enumerate(request["messages"]) if line["role"] == "tool")
    said = {"role": "assistant", "text": "That is it.", "calls": []}
    request["messages"][place + 1 : place + 1] = [
        said,
        {"role": "user", "text": "Again."},
        *request["messages"][place - 1 :],
    ]


def break_result(draft):
    lines_of(draft, "tool")[0]["result"] = {"nonsense": True, "more": 1, "most": 2}


def break_arguments(draft):
    first_call(draft)["arguments"]["no_such_parameter"] = 1


def invent_value(draft):
    call = first_call(draft)
    name = next(name for name, value in call["arguments"].items() if isinstance(value, str))
    call["arguments"][name] = "Qx-77"


def forget_pattern(draft):
    for request in draft["requests"]:
        request["patterns"] = ["sequential"]


def call_for_nothing(draft):
    draft["requests"][0]["patterns"] = [*draft["requests"][0]["patterns"], "single"]
    draft["requests"][0]["messages"] = [line for line in draft["requests"][0]["messages"] if line["role"] == "user"] + [
        {"role": "assistant", "text": "I see.", "calls": []}
    ]


def speak_twice(draft):
    lines = draft["requests"][0]["messages"]
    lines.insert(1, {"role": "user", "text": "Hello?"})


SPOIL = {
    "unknown tool": (call_no_such_tool, "'no_such_tool' is not among the tools"),
    "call without result": (drop_result, "has no result"),
    "result for no call": (answer_no_call, "a result for an unknown call 'nobody'"),
    "id twice": (repeat_id, "is used twice"),
    "result against the schema": (break_result, "is a required property"),
    "unknown parameter": (break_arguments, "no_such_parameter"),
    "value from nowhere": (invent_value, "'Qx-77'"),
    "pattern missing": (forget_pattern, "missing: single"),
    "nothing called": (call_for_nothing, "need a call"),
    "speaks twice": (speak_twice, "request 0, message 1: two user turns in a row"),
    "broken JSON": ('{"requests": [', "the JSON is damaged"),
    "no dialogue": ({"requests": []}, "requests: List should have at least 1 item"),
    "unknown role": ({"requests": [{"patterns": ["single"], "messages": [{"role": "narrator"}] * 2}]}, "narrator"),
}


def spoil(how, *, always=False):
    """Return a maker of answers whose writer is wrong at first, or always."""

    def make(players):
        seen = Counter()

        def answer(body):
            reply = copy.deepcopy(players(body))
            key = players.recognise(body)
            seen[key] += 1
            if seen[key] > 1 and not always:
                return reply
            if not callable(how):
                return {"value": how}
            how(reply["value"])
            return reply

        return answer

    return make


@pytest.fixture(scope="module")
def one(cast_values):
    """Settings for one written dialogue with a plain call."""
    return cast_values("direct", dialogues=1, mix=[{"share": 1, "patterns": ["single"]}])


@pytest.mark.parametrize("kind", SPOIL)
def test_a_malformed_dialogue_is_written_again(one, kind):
    how, told = SPOIL[kind]
    endpoint, _, (record,) = perform(one, spoil(how))
    assert errors_of(record) == []
    (attempt,) = record.attempts
    assert attempt["agent"] == "writer"
    assert told in attempt["problem"]
    assert told in endpoint.log[-1].messages[-1]["content"]
    assert len(endpoint.log) == 2


@pytest.mark.parametrize("kind", ["unknown tool", "call without result", "broken JSON", "result against the schema"])
def test_one_that_stays_malformed_is_rejected(one, kind):
    how, told = SPOIL[kind]
    endpoint, _, (record,) = perform(one, spoil(how, always=True), rejects=True, max_repairs=1)
    ((check, message),) = errors_of(record)
    assert check == "model_output"
    assert told in message
    assert record.messages == []
    assert len(record.attempts) == len(endpoint.log) == 2


def test_what_was_asked_for_is_checked_as_in_any_dialogue(cast_values):
    def mislabel(draft):
        for request in draft["requests"]:
            request["patterns"] = ["parallel"]

    values = cast_values("direct", dialogues=1, mix=[{"share": 1, "patterns": ["single"]}])
    values["mix"] = [{"share": 1, "patterns": ["parallel"]}]
    _, _, (record,) = perform(values, lambda players: _as_single(players, mislabel), rejects=True)
    assert {check for check, _ in errors_of(record)} == {"parallel"}
    assert record.messages


def _as_single(players, change):
    """Let the writer write plain requests, whatever patterns are asked for."""

    def answer(body):
        messages = body["messages"]
        plain = {**messages[1], "content": messages[1]["content"].replace("- parallel:", "- single:")}
        reply = players({**body, "messages": [messages[0], plain, *messages[2:]]})
        change(reply["value"])
        return reply

    return answer


def test_a_written_dialogue_beyond_the_turn_limit_is_rejected(one):
    _, _, (record,) = perform({**one, "max_turns": 1}, rejects=True)
    assert [message for _, message in errors_of(record)] == ["the turn limit was reached before the user was done"]


def test_a_tool_that_fails_in_a_written_dialogue_is_known_to_have_failed(cast_values):
    values = cast_values("direct", dialogues=1, mix=[{"share": 1, "patterns": ["tool_error"]}])
    players = Players(parse_settings(values))
    with Endpoint(players) as endpoint:
        models = {"base_url": endpoint.base_url, "model": "test-model"}
        chosen = parse_settings({**values, "models": models}).dialogue(["tool_error"])
        out = asyncio.run(build_graph().compile().ainvoke({"index": 0}, context=chosen))
    assert out["verdict"] == "accepted", out["findings"]
    results = [message for message in out["messages"] if isinstance(message, ToolMessage)]
    assert "error" in {message.status for message in results}
    assert [message.id for message in out["messages"]] == [f"{chosen.seed}-0-{n}" for n in range(len(out["messages"]))]


def test_a_plan_that_cannot_be_made_is_no_bug(settings):
    chosen = settings("no-plan", tools=1)
    stage = load_stage(chosen)
    with pytest.raises(PlanError, match="2 requests are wanted"):
        asyncio.run(stage.cast.planner.plan(draw_brief(chosen, stage, 0, [], 0)))
