"""`ChatClient` over real HTTP, against a server that misbehaves on order."""

import asyncio
import json
import logging
import pickle
import random
import traceback
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Literal

import pytest
from langgraph.graph import START, StateGraph
from pydantic import BaseModel, ConfigDict

from endpoint import STORM, Endpoint, QuickClock, call
from toolflow_graph.errors import BudgetExceeded, ContextLengthError, ModelError, ModelOutputError
from toolflow_graph.models import ChatClient, ModelSettings

KEY = "planted-key-0123456789abcdef"
MODEL = "test-model"
ASKED = [{"role": "system", "content": "You decide."}, {"role": "user", "content": "What now?"}]
VALUE = {"kind": "call", "city": "Oslo"}
TOOLS = [
    {
        "type": "function",
        "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {}}}},
    }
]


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["speak", "call"]
    city: str


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LANGSMITH_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def connect(endpoint, **settings):
    """A client of the server, with a clock that does not wait."""
    given = {"base_url": endpoint.base_url, "timeout_s": 10, "patience_s": 60, **settings}
    client = ChatClient(ModelSettings(**given), clock=QuickClock(), rng=random.Random(0))
    try:
        yield client
    finally:
        await client.aclose()


def decide(_request):
    return {"value": VALUE}


def look_up(_request):
    return {
        "content": None,
        "tool_calls": [call("get_weather", {"city": "Oslo"}), call("get_weather", {"city": "Rome"})],
    }


def assert_append_only(log):
    """Every request begins with the messages of the one before, unchanged."""
    for before, after in pairwise(log):
        assert after.messages[: len(before.messages)] == before.messages


MODES = {
    "json_schema": {},
    "tool": {"json_schema": "refused"},
    "tool, json_schema ignored": {"json_schema": "ignored"},
    "text": {"json_schema": "refused", "tools": "refused"},
    "text, all ignored": {"json_schema": "ignored", "tools": "ignored"},
}


@pytest.mark.parametrize("name", MODES)
async def test_structured_output_in_the_mode_that_was_probed(name):
    mode = name.split(",")[0]
    with Endpoint(decide, **MODES[name]) as endpoint:
        async with connect(endpoint) as client:
            for _ in range(3):
                completion = await client.complete("planner", MODEL, ASKED, schema=Decision)
                assert completion.value == Decision(**VALUE)
                assert completion.calls == ()
                assert [attempt.mode for attempt in completion.attempts] == [mode]
    assert len(endpoint.log) == 3
    assert 2 <= len(endpoint.probes) <= 4
    body = endpoint.log[0].body
    assert ("response_format" in body) == (mode == "json_schema")
    assert ("tool_choice" in body) == (mode == "tool")
    assert ("JSON Schema" in body["messages"][0]["content"]) == (mode == "text")


async def test_many_dialogues_probe_once():
    with Endpoint(decide, latency_s=0.05) as endpoint:
        async with connect(endpoint) as client:
            await asyncio.gather(*(client.complete("user", MODEL, ASKED, schema=Decision) for _ in range(8)))
            assert (await client.capabilities(MODEL)).json_schema
            assert await client.calls_natively(MODEL)
    assert (len(endpoint.probes), len(endpoint.log)) == (3, 8)


SHARED = {"type": "object", "properties": {"kind": {"type": "string"}}}


@pytest.mark.parametrize("structured", ["auto", "json_schema"])
@pytest.mark.parametrize("in_prompt", [False, True], ids=["decoded by", "in the prompt"])
async def test_a_conversation_keeps_one_schema_where_it_is_part_of_the_prompt(in_prompt, structured):
    with Endpoint(decide, schema_in_prompt=in_prompt) as endpoint:
        async with connect(endpoint, structured=structured) as client:
            await client.complete("tool", MODEL, ASKED, schema=Decision, shared_schema=SHARED)
            assert (await client.capabilities(MODEL)).schema_in_prompt == in_prompt
    sent = endpoint.log[0].body["response_format"]["json_schema"]
    expected = ("answer", SHARED, False) if in_prompt else ("Decision", Decision.model_json_schema(), True)
    assert (sent["name"], sent["schema"], sent["strict"]) == expected


async def test_a_forced_mode_needs_no_probe():
    with Endpoint(decide) as endpoint:
        async with connect(endpoint, structured="text") as client:
            assert (await client.complete("user", MODEL, ASKED, schema=Decision)).value == Decision(**VALUE)
    assert endpoint.probes == []


async def test_messages_are_sent_as_they_are():
    history = [
        *ASKED,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call("get_weather", '{"city":"Oslo"}', "c1")]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"sky": "clear"}', "name": "get_weather"},
        {"role": "user", "content": "And now?"},
    ]
    with Endpoint() as endpoint:
        async with connect(endpoint, temperature=0.5, max_answer_tokens=99) as client:
            await client.complete("assistant", MODEL, history, tools=TOOLS)
    body = endpoint.log[0].body
    assert body["messages"] == history
    assert body["tools"] == TOOLS
    assert (body["temperature"], body["max_completion_tokens"], body["model"]) == (0.5, 99, MODEL)


PASSING = ["429", "429 without Retry-After", "500", "503", "drop", "broken body"]


@pytest.mark.parametrize("fault", PASSING)
async def test_passing_trouble_costs_no_attempt(fault):
    with Endpoint(decide, script={0: fault, 1: fault}) as endpoint:
        async with connect(endpoint) as client:
            completion = await client.complete("user", MODEL, ASKED, schema=Decision)
            assert client.ledger.group("role")["user"].requests == 1
    assert completion.value == Decision(**VALUE)
    assert len(completion.attempts) == 1
    assert [entry.fault for entry in endpoint.log] == [fault, fault, None]
    assert len({json.dumps(entry.body) for entry in endpoint.log}) == 1


async def test_a_web_page_in_passing_is_tried_again():
    with Endpoint(decide, script={1: "web page"}) as endpoint:
        async with connect(endpoint, structured="json_schema") as client:
            for _ in range(2):
                await client.complete("user", MODEL, ASKED, schema=Decision)
    assert [entry.fault for entry in endpoint.log] == [None, "web page", None]


async def test_a_slow_first_byte_is_timed_out_and_tried_again():
    with Endpoint(decide, script={0: "slow"}) as endpoint:
        async with connect(endpoint, timeout_s=0.5) as client:
            completion = await client.complete("user", MODEL, ASKED, schema=Decision)
    assert completion.value == Decision(**VALUE)
    assert [entry.fault for entry in endpoint.log] == ["slow", None]


REPAIRED = {
    "truncated": "cut off at the length limit",
    "truncated JSON": "the JSON is damaged",
    "wrong schema": "kind: Field required; city: Field required; surprise: Extra inputs are not permitted",
    "empty content": "the answer is empty",
    "empty choices": "the response holds no choice",
}


@pytest.mark.parametrize("mode", ["json_schema", "tool", "text"])
@pytest.mark.parametrize("fault", REPAIRED)
async def test_failed_answers_are_asked_for_again(fault, mode):
    with Endpoint(decide, script={0: fault, 1: fault}) as endpoint:
        async with connect(endpoint, structured=mode) as client:
            completion = await client.complete("planner", MODEL, ASKED, schema=Decision, dialogue="d1")
            assert client.ledger.of_dialogue("d1") == completion.usage
    assert completion.value == Decision(**VALUE)
    problems = [attempt.problem for attempt in completion.attempts]
    assert problems[2] is None
    assert all(REPAIRED[fault] in problem for problem in problems[:2])
    assert_append_only(endpoint.log)
    shown = endpoint.log[1].messages[len(endpoint.log[0].messages) :]
    if not fault.startswith("empty"):
        assert [message["role"] for message in shown] == ["assistant", "user"]
        assert completion.attempts[0].problem in shown[1]["content"]
    assert completion.usage.requests == 3
    assert completion.usage.tokens == sum(attempt.usage.tokens for attempt in completion.attempts)


@pytest.mark.parametrize("fault", ["prose", "reasoning", "no usage"])
async def test_what_needs_no_repair(fault):
    with Endpoint(decide, script={0: fault}) as endpoint:
        async with connect(endpoint) as client:
            completion = await client.complete("user", MODEL, ASKED, schema=Decision)
    assert completion.value == Decision(**VALUE)
    assert len(completion.attempts) == 1
    assert completion.reasoning == ("The user wants something." if fault == "reasoning" else "")
    assert completion.usage.estimated == (1 if fault == "no usage" else 0)
    assert completion.usage.tokens > 0


async def test_a_model_of_rubbish_ends_with_all_its_attempts():
    with Endpoint(lambda _: "Bananas.") as endpoint:
        async with connect(endpoint, structured="text", max_repairs=2) as client:
            with pytest.raises(
                ModelOutputError, match=r"planner \(test-model\): no usable answer in 3 attempts"
            ) as caught:
                await client.complete("planner", MODEL, ASKED, schema=Decision)
    assert [attempt.text for attempt in caught.value.attempts] == ["Bananas."] * 3
    assert "the answer holds no JSON" in str(caught.value)
    assert len(endpoint.log) == 3
    assert_append_only(endpoint.log)


async def test_the_callers_check_is_told_word_for_word():
    answers = iter([{"kind": "call", "city": "Nowhere"}, VALUE])
    with Endpoint(lambda _: {"value": next(answers)}) as endpoint:
        async with connect(endpoint) as client:
            completion = await client.complete(
                "tool",
                MODEL,
                ASKED,
                schema=Decision,
                check=lambda value: None if value.city == "Oslo" else f"{value.city!r} is no city that was named",
            )
    assert completion.value.city == "Oslo"
    assert "'Nowhere' is no city that was named" in endpoint.log[1].messages[-1]["content"]
    assert_append_only(endpoint.log)


async def test_a_refused_schema_falls_to_the_next_mode_and_is_remembered():
    refused = []

    with Endpoint(decide, script={0: "400"}) as endpoint:
        async with connect(endpoint) as client:
            for _ in range(2):
                completion = await client.complete("user", MODEL, ASKED, schema=Decision)
                refused.append([(attempt.mode, attempt.problem is None) for attempt in completion.attempts])
    assert refused == [[("json_schema", False), ("tool", True)], [("tool", True)]]


async def test_native_calls_keep_content_and_all_parallel_calls():
    with Endpoint(look_up, script={0: "content with calls"}) as endpoint:
        async with connect(endpoint) as client:
            completion = await client.complete("assistant", MODEL, ASKED, tools=TOOLS)
    assert completion.text == "Let me look that up."
    assert [(c.name, c.arguments["city"]) for c in completion.calls] == [
        ("get_weather", "Oslo"),
        ("get_weather", "Rome"),
    ]
    assert endpoint.probes == []


@pytest.mark.parametrize("fault", ["duplicate ids", "missing ids"])
async def test_native_call_ids_are_mended(fault):
    with Endpoint(look_up, script={0: fault}) as endpoint:
        async with connect(endpoint) as client:
            completion = await client.complete("assistant", MODEL, ASKED, tools=TOOLS)
    assert len({c.id for c in completion.calls}) == 2
    assert len(completion.attempts) == 1


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("unknown tool", "there is no tool 'no_such_tool'; the tools are get_weather"),
        ("malformed arguments", "the arguments of 'get_weather' are not JSON"),
        ("truncated", "cut off at the length limit"),
        ("empty content", "the answer is empty"),
        ("empty choices", "the response holds no choice"),
    ],
)
async def test_failed_calls_are_asked_for_again(fault, problem):
    with Endpoint(look_up, script={0: fault}) as endpoint:
        async with connect(endpoint) as client:
            completion = await client.complete("assistant", MODEL, ASKED, tools=TOOLS)
    assert [c.arguments["city"] for c in completion.calls] == ["Oslo", "Rome"]
    assert problem in completion.attempts[0].problem
    assert_append_only(endpoint.log)
    for message in endpoint.log[1].messages:
        for made in message.get("tool_calls", ()):
            json.loads(made["function"]["arguments"])
    if fault == "malformed arguments":
        assert all(c.parse_error for c in completion.attempts[0].calls)
        assert ", oops" in endpoint.log[1].messages[-2]["content"]
    if fault == "unknown tool":
        assert [message["role"] for message in endpoint.log[1].messages[2:]] == ["assistant", "tool", "tool"]


async def test_a_server_that_answers_tools_with_words_is_known():
    with Endpoint(look_up, tools="ignored") as endpoint:
        async with connect(endpoint) as client:
            assert not await client.calls_natively(MODEL)
            assert (await client.complete("assistant", MODEL, ASKED, tools=TOOLS)).calls == ()


FINAL = {
    "401": (ModelError, "wants a key .*; export 'OPENAI_API_KEY'"),
    "404": (ModelError, "has no model 'test-model' .*`toolflow doctor --base-url http.* lists what it has"),
    "quota": (ModelError, "no credit left"),
    "400": (ModelError, "refuses the request to model 'test-model' .400: Something"),
    "context length": (ContextLengthError, "longer than the context of model 'test-model'"),
    "content filter": (ModelOutputError, "content filter refused"),
    "web page": (ModelError, "is not an OpenAI-compatible endpoint .*base URLs end in /v1"),
}


@pytest.mark.parametrize("fault", FINAL)
async def test_what_cannot_pass_is_one_line_with_the_mend(fault):
    kind, message = FINAL[fault]
    with Endpoint(script={0: fault}) as endpoint:
        async with connect(endpoint) as client:
            with pytest.raises(kind, match=message) as caught:
                await client.complete("user", MODEL, ASKED)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert len(endpoint.log) == 1


async def test_an_unreachable_host():
    with Endpoint() as endpoint:
        pass
    async with connect(endpoint) as client:
        with pytest.raises(
            ModelError, match=r"http://127\.0\.0\.1:\d+/v1 cannot be reached \(.+\); is the server running"
        ):
            await client.complete("user", MODEL, ASKED, schema=Decision)


async def test_a_base_url_without_v1():
    with Endpoint() as endpoint:
        async with connect(endpoint, base_url=endpoint.base_url.removesuffix("/v1")) as client:
            with pytest.raises(ModelError, match=r"is not an OpenAI-compatible endpoint .404: .*end in /v1"):
                await client.complete("user", MODEL, ASKED)


async def test_an_endpoint_that_stays_down():
    with Endpoint(storm={"503": 1.0}, down=True) as endpoint:
        async with connect(endpoint, patience_s=30) as client:
            with pytest.raises(
                ModelError, match=r"has failed for \d+ s \(\d tries of one request, the last: 503: The engine"
            ):
                await client.complete("user", MODEL, ASKED)
    assert len(endpoint.log) > 3


async def test_an_endpoint_that_is_too_slow():
    with Endpoint(storm={"slow": 1.0}, down=True) as endpoint:
        async with connect(endpoint, timeout_s=0.1, patience_s=2) as client:
            with pytest.raises(ModelError, match=r"no answer in time\); .* longer by models.timeout_s"):
                await client.complete("user", MODEL, ASKED)


async def test_no_key_for_a_remote_endpoint():
    with pytest.raises(ModelError, match=r"no API key for https://api\.openai\.com/v1: .*'OPENAI_API_KEY' is not set"):
        ChatClient(ModelSettings())
    with pytest.raises(ModelError, match="variable 'MY_KEY' is not set"):
        ChatClient(ModelSettings(base_url="http://127.0.0.1:1/v1", key_env="MY_KEY"))


async def test_the_key_is_used_and_never_shown(monkeypatch, caplog):
    monkeypatch.setenv("MY_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    seen = []
    with Endpoint(lambda _: "Hi.", key=KEY) as endpoint:
        async with connect(endpoint, key_env="MY_KEY") as client:
            await client.complete("user", MODEL, ASKED)
            endpoint.key = "another"
            with pytest.raises(ModelError, match="refuses the key of 'MY_KEY'") as caught:
                await client.complete("user", MODEL, ASKED)  # this server quotes the key
            seen += [repr(caught.value), *traceback.format_exception(caught.value)]
            seen += [
                repr(value)
                for value in (client, client.access, client.settings, vars(client), caught.value.__context__)
            ]
            model = client._find_line().wire._find_model(MODEL)
            seen += [repr(model), str(model), repr(model.model_dump())]
            seen += [client.settings.model_dump_json(), str(pickle.dumps(caught.value))]
    assert len(endpoint.log) == 2
    seen += [caplog.text, *(str(record.__dict__) for record in caplog.records)]
    assert not [text for text in seen if KEY in text]


async def test_a_key_that_a_model_list_quotes(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Endpoint(key="another") as endpoint:
        async with connect(endpoint) as client:
            with pytest.raises(ModelError, match=r"Incorrect API key provided: \[key\]"):
                await client.list_models()


async def test_the_budget_stops_before_a_request_that_would_pass_it():
    with Endpoint(lambda _: "word " * 400) as endpoint:
        async with connect(endpoint, max_tokens=2000) as client:

            async def ask_on():
                for _ in range(10):
                    await client.complete("user", MODEL, ASKED)

            with pytest.raises(BudgetExceeded, match="go on with a higher --max-tokens"):
                await ask_on()
            assert 1000 < client.ledger.total.tokens <= 2000
    assert len(endpoint.log) == client.ledger.total.requests


async def test_in_flight_limit_over_http():
    with Endpoint(latency_s=0.02) as endpoint:
        async with connect(endpoint, max_in_flight=3) as client:
            await asyncio.gather(*(client.complete("user", MODEL, ASKED) for _ in range(15)))
    assert endpoint.most_running == 3


def test_one_client_in_several_event_loops():
    with Endpoint(decide) as endpoint:
        client = ChatClient(ModelSettings(base_url=endpoint.base_url))

        async def ask():
            try:
                return (await client.complete("user", MODEL, ASKED, schema=Decision)).value
            finally:
                await client.aclose()

        assert [asyncio.run(ask()) for _ in range(3)] == [Decision(**VALUE)] * 3
    assert len(endpoint.probes) == 3
    assert client.ledger.group("role")["user"].requests == 3


async def test_inside_a_graph_that_streams_messages():
    """Studio streams; a request is whole all the same, and what an agent is told shows nowhere as chat."""
    with Endpoint(decide) as endpoint:
        async with connect(endpoint) as client:

            async def ask(_state):
                completion = await client.complete("planner", MODEL, ASKED, schema=Decision)
                return {"city": completion.value.city}

            builder = StateGraph(dict)
            builder.add_node("ask", ask)
            builder.add_edge(START, "ask")
            parts = [part async for part in builder.compile().astream({}, stream_mode=["messages", "values"])]
    assert [mode for mode, _ in parts if mode == "messages"] == []
    assert parts[-1][1] == {"city": "Oslo"}
    assert not endpoint.log[0].body.get("stream")


async def test_schema_and_tools_exclude_each_other():
    with pytest.raises(ValueError, match="a schema or tools, not both"):
        await ChatClient(ModelSettings(base_url="http://127.0.0.1:1/v1")).complete(
            "user", MODEL, ASKED, schema=Decision, tools=TOOLS
        )


async def test_a_storm_of_all_faults():
    """Every fault at once, one request in two or so: each question gets its answer, every request is accounted for."""
    storm = dict.fromkeys([fault for fault in STORM if fault != "slow"], 0.03)
    with Endpoint(lambda request: look_up(request) if "tools" in request else decide(request), storm=storm) as endpoint:
        async with connect(endpoint, structured="json_schema", max_repairs=6, patience_s=10_000) as client:
            completions = await asyncio.gather(
                *(client.complete("user", MODEL, ASKED, schema=Decision, dialogue=f"{n}") for n in range(40)),
                *(client.complete("assistant", MODEL, ASKED, tools=TOOLS, dialogue=f"{n}") for n in range(40)),
            )
            total = client.ledger.total
    assert [completion.value for completion in completions[:40]] == [Decision(**VALUE)] * 40
    assert all(len({c.id for c in completion.calls}) == 2 for completion in completions[40:])
    attempts = sum(len(completion.attempts) for completion in completions)
    lost = sum(endpoint.counts[fault] for fault in PASSING)
    assert len(endpoint.log) == attempts + lost
    assert total.requests == attempts
    assert len(set(endpoint.counts)) > 12
