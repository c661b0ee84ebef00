"""A real model behind a real server: SmolLM2-135M, served as docs/local_model.md says.

What it says is nonsense, and the checks must refuse it; requests, schemas, errors and token counts are real.
"""

import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict

from runs import read_manifest, read_rows
from toolflow_graph.agents.llm.drafts import AssistantDraft, UserDraft
from toolflow_graph.agents.llm.tool_simulator import answer_schema
from toolflow_graph.agents.roles import Scene, ToolCall
from toolflow_graph.catalog import load_catalog
from toolflow_graph.cli.app import main
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import ContextLengthError, ModelOutputError
from toolflow_graph.models import ChatClient, ModelSettings
from toolflow_graph.models.answers import Reply
from toolflow_graph.models.structured import Shape
from toolflow_graph.settings import parse_settings
from toolflow_graph.types import DialoguePlan, PlannedRequest, Scenario
from toolflow_graph.validation.schemas import schema_errors

pytestmark = [pytest.mark.local_model, pytest.mark.slow]

PAGE = Path(__file__).parent.parent / "docs" / "local_model.md"
READY_S = 180
ASKED = [{"role": "user", "content": "What is the weather like?"}]
CUT = "cut off at the length limit"

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Look up the weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "Name of the city"}},
                "required": ["city"],
            },
        },
        "returns": {
            "type": "object",
            "properties": {
                "sky": {"type": "string", "enum": ["clear", "cloudy"], "description": "What the sky looks like"},
                "as_of": {"type": "string", "pattern": r"^\d{2}:\d{2}$", "description": "Time of the observation"},
            },
            "required": ["sky", "as_of"],
            "additionalProperties": False,
        },
    },
    {
        "type": "function",
        "function": {
            "name": "warn_city",
            "description": "Send a weather warning to the people of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "Name of the city"}},
                "required": ["city"],
            },
        },
        "returns": {
            "type": "object",
            "properties": {"sent_to": {"type": "integer", "minimum": 1, "description": "How many people got it"}},
            "required": ["sent_to"],
            "additionalProperties": False,
        },
    },
]


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The server of the page, as a process of its own; returns its base URL."""
    folder = tmp_path_factory.mktemp("server")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "serve.py").write_text(code, encoding="utf-8")
    with (
        (folder / "log").open("w+", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, str(folder / "serve.py"), "0"], stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        timer = threading.Timer(READY_S, process.kill)
        timer.start()
        try:
            address = process.stdout.readline().strip()
            timer.cancel()
            log.seek(0)
            assert address.startswith("http://127.0.0.1:"), log.read()
            yield address
        finally:
            timer.cancel()
            process.kill()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("catalog") / "tools.json"
    path.write_text(json.dumps(TOOLS), encoding="utf-8")
    return str(path)


@pytest.fixture
def toolflow(capsys):
    """Run a command; returns exit code, standard output and standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        return left.value.code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def cast(server, catalog):
    """The agents, who take short answers, and only the first."""
    models = {"base_url": server, "model": "smollm2", "temperature": 0, "max_answer_tokens": 100, "max_repairs": 0}
    return load_stage(parse_settings({"cast": "llm", "catalog": catalog, "models": models})).cast


@pytest.fixture
async def client(cast):
    """The client of them all, which tries out once what the server can do."""
    client = cast.planner.voices.client
    yield client
    await client.aclose()


# What the endpoint can do


def test_the_doctor_tells_what_it_can_do(server, toolflow):
    code, out, err = toolflow("doctor", "--base-url", server, "--timeout", "300")
    assert (code, err) == (0, "")
    lines = dict(line.split(":", 1) for line in out.splitlines())
    told = {name: text.strip() for name, text in lines.items()}
    assert re.fullmatch(r"\d+\.\d\d s for a short answer", told.pop("latency"))
    assert told == {
        "endpoint": f"{server} (no key, as it is local)",
        "reachable": "yes",
        "model": "smollm2, one of 1 served",
        "json_schema": "honoured",
        "tools": "not called by the model itself",
        "usage": "reported",
        "seen": "with tools at hand the model answered in words",
        "structured answers": "by json_schema, which the endpoint obeys",
        "assistant": "says by a structured answer whether it speaks, asks or calls",
        "price": "not known: give --prices FILE",
    }


# Answers and their schemas


class Report(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sky: Literal["clear", "cloudy"]
    sure: bool


LISTED = {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 3}
CLOSED = {
    "type": "object",
    "properties": {
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "pattern": r"^\d{2}:\d{2}$"},
        "note": {"type": ["string", "null"], "maxLength": 5},
    },
    "required": ["day", "at", "note"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("schema", [Report, CLOSED, LISTED], ids=["class", "schema", "list"])
async def test_the_first_answer_fits_the_schema(client, schema):
    completion = await client.complete("user", "smollm2", ASKED, schema=schema)
    (attempt,) = completion.attempts
    assert (attempt.mode, attempt.problem) == ("json_schema", None)
    assert completion.usage.prompt > 10
    assert completion.usage.completion > 5
    assert completion.usage.estimated == 0


async def test_a_repeated_prompt_is_counted_as_cached(client):
    await client.complete("user", "smollm2", ASKED, schema=Report)
    usage = (await client.complete("user", "smollm2", ASKED, schema=Report)).usage
    assert 0 < usage.cached <= usage.prompt


async def test_an_answer_that_is_cut_off_is_asked_for_again_and_given_up(server):
    settings = ModelSettings(base_url=server, max_answer_tokens=3, max_repairs=1, structured="json_schema")
    client = ChatClient(settings)
    with pytest.raises(ModelOutputError, match="no usable answer in 2 attempts") as raised:
        await client.complete("user", "smollm2", ASKED, schema=Report)
    await client.aclose()
    assert [CUT in attempt.problem for attempt in raised.value.attempts] == [True, True]
    assert [attempt.usage.completion for attempt in raised.value.attempts] == [3, 3]


async def test_a_prompt_that_is_too_long_is_one_line_with_the_mend(client):
    with pytest.raises(ContextLengthError, match=r"longer than the context of model 'smollm2'.*8192 tokens"):
        await client.complete("user", "smollm2", [{"role": "user", "content": "one two " * 5000}])


# The agents


@pytest.fixture(scope="module")
def scene(catalog):
    """The first turn of a dialogue about the weather."""
    request = PlannedRequest(
        intent="the weather in Oslo", patterns=("single",), tools=("get_weather",), known={"city": "Oslo"}
    )
    scenario = Scenario(
        persona="Kari, a gardener who writes tersely",
        situation="She wants to plant tomatoes.",
        goal="To know whether it rains.",
        now="2026-05-04T09:30",
        city="Oslo",
    )
    tools = load_catalog(catalog).tools
    plan = DialoguePlan(scenario=scenario, requests=(request,))
    opening = SystemMessage("You are a helpful assistant with access to tools.")
    return Scene(
        index=0, seed=0, plan=plan, messages=[opening], tools=tools, offered=list(tools), domains={}, position=0
    )


async def play(schema, turn):
    """Return a turn, or None when the answer was refused.

    A refused one was bound to the schema by the server, unless it was cut off; what was wrong with it we found.
    """
    try:
        return await turn
    except ModelOutputError as exc:
        (attempt,) = exc.attempts
    assert attempt.mode == "json_schema"
    assert attempt.problem
    assert attempt.usage.prompt > 100
    assert attempt.usage.estimated == 0
    if CUT not in attempt.problem:
        Shape(schema).read(Reply(attempt.text))
    return None


@pytest.mark.usefixtures("client")
async def test_the_user_says_something_or_is_refused(cast, scene):
    turn = await play(UserDraft, cast.user.speak(scene))
    assert turn is None or turn.text


@pytest.mark.usefixtures("client")
async def test_the_assistant_calls_nothing_that_the_checks_refuse(cast, scene):
    there = replace(scene, messages=[*scene.messages, HumanMessage("What is the weather in Oslo?")])
    turn = await play(AssistantDraft, cast.assistant.act(there))
    if turn is not None:
        assert turn.text or turn.calls
        assert [call.arguments for call in turn.calls] == [{"city": "Oslo"}] * len(turn.calls)
        assert {call.name for call in turn.calls} <= set(scene.tools)


@pytest.mark.usefixtures("client")
async def test_the_tools_return_what_fits_their_schema(cast, scene):
    call = ToolCall("c1", "get_weather", {"city": "Oslo"})
    returns = scene.tools["get_weather"].returns
    result = await play(answer_schema(returns), cast.tool_simulator.run(scene, call))
    if result is not None:
        assert result.content["error"] if result.failed else schema_errors(returns, result.content) == []


# Whole runs


def test_a_run_ends_cleanly_and_refuses_what_is_wrong(server, catalog, toolflow, tmp_path):
    folder = tmp_path / "run"
    options = {
        "tools": 2,
        "distractors": 0,
        "min_requests": 1,
        "max_requests": 1,
        "max_turns": 3,
        "max_attempts": 1,
        "concurrency": 1,
        "patterns": '["single"]',
        "models.temperature": 0,
        "models.max_answer_tokens": 80,
        "models.max_repairs": 0,
    }
    given = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    code, _, err = toolflow(
        *("generate", "--base-url", server, "--model", "smollm2", "--dialogues", "2", "--catalog", catalog),
        *("--out", str(folder), "--quiet", *given),
    )
    accepted, rejected = read_rows(folder / "dialogues.jsonl"), read_rows(folder / "rejected.jsonl")
    assert len(accepted) + len(rejected) == 2
    assert (code == 0) == (len(accepted) == 2)
    assert err.count("\n") <= 1
    for row in accepted:
        assert [finding for finding in row["findings"] if finding["severity"] == "error"] == []
    for row in rejected:
        errors = [finding for finding in row["findings"] if finding["severity"] == "error"]
        assert {finding["check"] for finding in errors}.isdisjoint({"crash"})
        assert errors
    for attempt in (attempt for row in rejected for attempt in row["attempts"]):
        assert attempt["problem"]
        assert attempt["usage"]["requests"] == 1
        assert attempt["usage"]["prompt"] > 500
        assert 0 < attempt["usage"]["completion"] <= 80
        assert attempt["usage"]["estimated"] == 0
    counts = read_manifest(folder)["counts"]
    assert (counts["accepted"], counts["rejected"]) == (len(accepted), len(rejected))
    assert toolflow("validate", str(folder), "--quiet")[:2] == (0, f"{len(accepted)} dialogues: nothing found\n")
