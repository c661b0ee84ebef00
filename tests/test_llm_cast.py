"""The LLM cast over real HTTP, its models played by the scripted cast (tests/players.py)."""

import asyncio
import json
import socket
from collections import Counter, defaultdict
from contextlib import nullcontext
from itertools import pairwise

import pytest

from endpoint import STORM, Endpoint, QuickClock
from players import Players, recognise_role, without_repairs
from runs import read_rows
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import is_accepted
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import RunError
from toolflow_graph.runner import Run, generate
from toolflow_graph.runner.spending import Spending
from toolflow_graph.settings import parse_settings
from toolflow_graph.types import PATTERNS

MIX = [
    {"share": 1, "patterns": patterns}
    for patterns in (
        ("single",),
        ("search_tools", "sequential", "tool_error"),
        ("single", "missing_parameter", "correction"),
        ("parallel", "chitchat", "missing_parameter"),
        ("irrelevant", "missing_function"),
        ("sequential", "topic_shift"),
    )
]
"""Six dialogues with all patterns."""

ENDPOINTS = {
    "native": {},
    "schema": {"tools": "ignored"},
    "text": {"json_schema": "refused", "tools": "refused"},
}


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def plain(catalog):
    """Settings, but for the models, under which the scripted cast has a plan for each of twelve dialogues."""
    for seed in range(20):
        values = {"cast": "llm", "catalog": catalog, "mix": MIX, "tools": 12, "seed": seed}
        if Players(parse_settings({**values, "dialogues": 12})).can_play() and Players(settle(values)).can_play():
            return values
    raise AssertionError("no seed will do")


def settle(values, dialogues=6, **models):
    return parse_settings({**values, "dialogues": dialogues, "models": models})


def reach(endpoint, **models):
    """Settings of models for an endpoint; a server that fails is given up soon."""
    return {"base_url": endpoint.base_url, "model": "test-model", "patience_s": 2, "timeout_s": 20, **models}


def play(settings, *, given_up=False, **options):
    """Play a run to its end; returns all records in their order, rejected ones too."""
    records = []
    with pytest.raises(RunError, match="given up") if given_up else nullcontext():
        for _ in generate(settings, on_event=lambda event: event.record and records.append(event.record), **options):
            pass
    return sorted(records, key=lambda record: record.index)


def by_conversation(endpoint, players):
    """Return the requests by role and dialogue, in the order in which they came."""
    found = defaultdict(list)
    for entry in endpoint.log:
        found[players.recognise(entry.body)].append(entry)
    return found


def errors_of(record):
    return [(finding.check, finding.message) for finding in record.findings if finding.severity == "error"]


# Every pattern in every mode


@pytest.fixture(scope="module", params=ENDPOINTS)
def played(request, plain):
    """A calm run: the endpoint's mode, its log, the players, the records, and the ledger."""
    players = Players(settle(plain))
    names = ("test-model", "other-model")
    with Endpoint(players, models=names, **ENDPOINTS[request.param]) as endpoint:
        settings = settle(plain, **reach(endpoint, user=",".join(names), assistant="other-model"))
        run = Run.start(settings)
        records = sorted(finish(run), key=lambda record: record.index)
    return request.param, endpoint, players, records, run.account.ledger


def test_every_pattern_is_played_and_accepted(played):
    _, _, players, records, _ = played
    assert [errors_of(record) for record in records] == [[]] * 6
    assert {pattern for record in records for pattern in record.patterns} == set(PATTERNS)
    assert players.strayed == []
    assert all(record.attempts == () for record in records)
    assert {record.cast for record in records} == {"llm"}


def test_each_role_is_asked_in_the_mode_that_the_endpoint_bears(played):
    mode, endpoint, _, _, _ = played
    for entry in endpoint.log:
        native = mode == "native" and recognise_role(entry.body) == "assistant"
        assert ("tools" in entry.body) == native
        assert ("response_format" in entry.body) == (mode != "text" and not native)


def test_conversations_only_grow(played):
    _, endpoint, players, _, _ = played
    for entries in by_conversation(endpoint, players).values():
        for before, after in pairwise(entries):
            assert after.messages[: len(before.messages)] == before.messages


def test_the_user_sees_neither_results_nor_names_of_tools(played):
    _, endpoint, players, records, _ = played
    for record in records:
        names = [tool["function"]["name"] for tool in record.tools if "_" in tool["function"]["name"]]
        names += [name for request in record.plan.requests for name in request.tools]
        results = [message["content"] for message in record.messages if message["role"] == "tool"]
        for entry in by_conversation(endpoint, players)["user", record.index]:
            told = "\n".join(message["content"] for message in entry.messages)
            assert [text for text in (*names, *results) if text in told] == []


def test_models_drawn_from_pools_are_recorded(played):
    _, endpoint, players, records, _ = played
    asked = by_conversation(endpoint, players)
    for (role, index), entries in asked.items():
        assert {entry.body["model"] for entry in entries} == {records[index].models[role]}
    assert {record.models["user"] for record in records} == {"test-model", "other-model"}
    assert {record.models["assistant"] for record in records} == {"other-model"}
    assert {record.models["planner"] for record in records} == {"test-model"}


def test_usage_is_recorded_by_role_and_dialogue(played):
    _, endpoint, players, records, ledger = played
    asked = by_conversation(endpoint, players)
    for record in records:
        spent = Counter()
        for entry in record.spent:
            spent[entry["agent"]] += entry["requests"]
            assert entry["prompt"] > 0
            assert entry["estimated"] == 0
        assert spent == {role: len(entries) for (role, index), entries in asked.items() if index == record.index}
        assert ledger.of_dialogue(f"{record.seed}-{record.index}").requests == spent.total()
    requests = ledger.group("role")
    assert {role: usage.requests for role, usage in requests.items() if role != "probe"} == Counter(
        recognise_role(entry.body) for entry in endpoint.log
    )


# What models get wrong


def misbehave(answer, kind):
    """Let the first call of every dialogue that allows it be wrong; the same request again gets the right answer."""
    spoilt = set()

    def play_part(body):
        reply = answer(body)
        key = answer.recognise(body)
        if key[0] != "assistant" or not reply.get("tool_calls") or key in spoilt or repaired(body):
            return reply
        for call in reply["tool_calls"]:
            schema = next(t["function"] for t in body["tools"] if t["function"]["name"] == call["function"]["name"])
            arguments = SPOIL[kind](json.loads(call["function"]["arguments"]), schema["parameters"])
            if arguments is not None:
                spoilt.add(key)
                call["function"]["arguments"] = json.dumps(arguments)
                return reply
        return reply

    return play_part, spoilt


def repaired(body):
    return len(without_repairs(body["messages"])) < len(body["messages"])


def leave_out_required(arguments, parameters):
    required = parameters.get("required", [])
    return {name: value for name, value in arguments.items() if name != required[0]} if required else None


def invent(arguments, parameters):
    for name in arguments:
        schema = parameters["properties"][name]
        if schema["type"] == "string" and not {"enum", "format", "pattern"} & set(schema):
            return {**arguments, name: "Qx-77"}
    return None


SPOIL = {"breaks the schema": leave_out_required, "from nowhere": invent}
TOLD = {"breaks the schema": "is a required property", "from nowhere": "nobody said 'Qx-77'"}


@pytest.mark.parametrize("kind", SPOIL)
def test_a_wrong_call_is_sent_back_and_mended(plain, kind):
    players = Players(settle(plain))
    answer, spoilt = misbehave(players, kind)
    with Endpoint(answer) as endpoint:
        records = play(settle(plain, **reach(endpoint)))
    assert len(spoilt) >= 2
    assert [errors_of(record) for record in records] == [[]] * 6
    assert {("assistant", record.index) for record in records if record.attempts} == spoilt
    for record in records:
        for attempt in record.attempts:
            assert attempt["agent"] == "assistant"
            assert TOLD[kind] in attempt["problem"]
            assert attempt["calls"]
            assert attempt["usage"]["requests"] == 1
        if record.attempts:
            assert "Qx-77" not in json.dumps(record.messages)
    told = [entry for entry in endpoint.log if repaired(entry.body)]
    assert len(told) == len(spoilt)
    assert all(TOLD[kind] in entry.messages[-1]["content"] for entry in told)


@pytest.mark.parametrize("role", ["planner", "user", "tool", "all"])
def test_a_model_that_answers_rubbish_ends_as_rejected_dialogues(plain, role):
    players = Players(settle(plain, 3))

    def answer(body):
        return "I like turtles." if role in ("all", recognise_role(body)) else players(body)

    with Endpoint(answer) as endpoint:
        records = play(settle({**plain, "max_attempts": 1}, 3, **reach(endpoint, max_repairs=1)), given_up=True)
    assert len(records) == 3
    for record in (r for r in records if role != "tool" or set(r.patterns) != {"irrelevant", "missing_function"}):
        ((check, message),) = errors_of(record)
        assert check == "model_output"
        assert "no usable answer in 2 attempts" in message
    rubbish = [entry for entry in endpoint.log if entry.answer["content"] == "I like turtles."]
    assert len(rubbish) == 2 * sum(check == "model_output" for r in records for check, _ in errors_of(r)) > 0


def test_a_user_who_goes_on_saying_goodbye_is_let_go(plain):
    players = Players(settle(plain, 1))

    def answer(body):
        reply = players(body)
        if recognise_role(body) == "user" and reply["value"]["ends"]:
            reply["value"]["text"] = "Right, bye then."
        return reply

    with Endpoint(answer) as endpoint:
        (record,) = play(settle(plain, 1, **reach(endpoint)))
    assert errors_of(record) == []
    assert sum(message["content"] == "Right, bye then." for message in record.messages) == 1


# Stopped and resumed


def test_a_stopped_run_keeps_what_is_finished_and_goes_on(plain, tmp_path):
    players = Players(settle(plain))
    with Endpoint(players) as endpoint:
        settings = settle({**plain, "concurrency": 3}, **reach(endpoint))
        run = Run.start(settings, tmp_path / "run")
        finish(run, lambda event: event.counts.done == 2 and run.stop())
        assert run.stopped
        kept = read_rows(tmp_path / "run" / "dialogues.jsonl")
        assert 2 <= len(kept) < 6
        again = Run.resume(tmp_path / "run")
        finish(again)
    rows = {row["index"]: row for row in read_rows(tmp_path / "run" / "dialogues.jsonl")}
    assert sorted(rows) == [0, 1, 2, 3, 4, 5]
    assert all(rows[row["index"]] == row for row in kept)
    asked = by_conversation(endpoint, players)
    assert {len(entries) for (role, _), entries in asked.items() if role == "planner"} == {2}
    for index, row in rows.items():
        assert sum(e["requests"] for e in row["spent"]) == sum(len(v) for k, v in asked.items() if k[1] == index)


def finish(run, on_event=None):
    async def exhaust():
        return [record async for record in run.play(on_event)]

    try:
        return asyncio.run(exhaust())
    finally:
        run.close()


# Storm


def test_storm_ends_with_as_many_dialogues_as_wanted_and_every_request_accounted_for(plain, tmp_path):
    storm = dict.fromkeys(STORM, 0.05)
    models = {"timeout_s": 4, "patience_s": 600, "max_repairs": 10}
    players = Players(settle({**plain, "max_attempts": 30}, 12))
    with Endpoint(players, storm=storm, seed=3, slow_s=30) as endpoint:
        settings = settle({**plain, "concurrency": 12, "max_attempts": 30}, 12, **reach(endpoint, **models))
        load_stage(settings).client._clock = QuickClock()
        records = play(settings, out=tmp_path / "run")
    accepted = [record for record in records if is_accepted(record)]
    assert sorted(record.index % 12 for record in accepted) == list(range(12))
    assert Counter(record.patterns for record in accepted) == {tuple(entry["patterns"]): 2 for entry in MIX}
    rows = [row for name in ("dialogues", "rejected") for row in read_rows(tmp_path / "run" / f"{name}.jsonl")]
    assert sorted(row["index"] for row in rows) == [record.index for record in records]
    assert len({row["id"] for row in rows}) == len(rows)
    assert {check for record in records for check, _ in errors_of(record)}.isdisjoint({"crash"})
    assert set(storm) <= set(endpoint.counts)

    paid = [
        e for e in endpoint.log if e.status == 200 and not e.gone and e.fault not in ("drop", "slow", "broken body")
    ]
    asked = Counter(players.recognise(entry.body) for entry in paid)
    ledger = Spending.open(settings.models, tmp_path / "run").account.ledger
    roles = ledger.group("role")
    for role in ("planner", "user", "assistant", "tool"):
        assert roles[role].requests == sum(n for (name, _), n in asked.items() if name == role)
    for record in records:
        mine = sum(n for (_, index), n in asked.items() if index == record.index)
        assert ledger.of_dialogue(f"{record.seed}-{record.index}").requests == mine
    for record in accepted:
        spent = sum(entry["requests"] for entry in record.spent)
        assert spent == sum(n for (_, index), n in asked.items() if index == record.index)
        refused = sum(attempt["usage"]["requests"] for attempt in record.attempts)
        assert spent == len(record.spent) + refused


# Bad input through the command line


@pytest.fixture
def toolflow(capsys, plain, tmp_path):
    """Run `toolflow generate` with a model; returns exit code and standard error."""

    def run(*options):
        given = ["--catalog", plain["catalog"], "--out", str(tmp_path / "run"), "--dialogues", "2", "--quiet"]
        with pytest.raises(SystemExit) as left:
            main(["generate", *given, "--set", "models.patience_s=1", *options])
        return left.value.code, capsys.readouterr().err

    return run


def assert_one_line(outcome, *told):
    code, said = outcome
    assert code == 1
    assert said.startswith("toolflow: ")
    assert said.count("\n") == 1
    assert [words for words in told if words not in said] == []


def test_no_key(toolflow, tmp_path):
    outcome = toolflow("--model", "x", "--base-url", "https://models.example.com/v1")
    assert_one_line(outcome, "no API key for https://models.example.com/v1", "'OPENAI_API_KEY'", "export it")
    assert not (tmp_path / "run").exists()


def test_wrong_key(toolflow, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-0123456789")
    with Endpoint(key="right") as endpoint:
        outcome = toolflow("--model", "test-model", "--base-url", endpoint.base_url)
    assert_one_line(outcome, endpoint.base_url, "refuses the key of 'OPENAI_API_KEY'", "export the right one")
    assert "planted-key" not in outcome[1]


def test_unknown_model(toolflow):
    with Endpoint() as endpoint:
        outcome = toolflow("--model", "gpt-99", "--base-url", endpoint.base_url)
    assert_one_line(outcome, "has no model 'gpt-99'", "`toolflow doctor --base-url", "lists what it has")


def test_unreachable_host(toolflow):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = toolflow("--model", "x", "--base-url", f"http://127.0.0.1:{port}/v1")
    assert_one_line(outcome, f"http://127.0.0.1:{port}/v1 cannot be reached", "is the server running")


def test_context_length_exceeded(toolflow):
    with Endpoint(storm={"context length": 1.0}) as endpoint:
        outcome = toolflow("--model", "test-model", "--base-url", endpoint.base_url)
    assert_one_line(outcome, "longer than the context of model 'test-model'", "take a model or a server with a longer")
