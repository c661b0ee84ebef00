"""Real execution: tools of servers and modules called for real, in dialogues of the LLM cast and by themselves."""

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, ToolMessage

from endpoint import Endpoint, call
from players import recognise_role
from runs import read_manifest, read_rows
from test_mcp import SERVERS, assert_ended, command, serve_web
from toolflow_graph.agents.llm import ExecutedTools
from toolflow_graph.agents.roles import Scene, ToolCall, ToolResult
from toolflow_graph.cli.app import main
from toolflow_graph.dialogue import stage
from toolflow_graph.errors import RunError, SettingsError
from toolflow_graph.live.calling import LiveTools
from toolflow_graph.live.functions import find_function
from toolflow_graph.resources import find_resource
from toolflow_graph.runner import generate
from toolflow_graph.settings import parse_settings
from toolflow_graph.types import DialoguePlan, PlannedRequest, Scenario

SHELVES = '''
"""Shelves of a shop."""
from pydantic import BaseModel

touched = []


class Stock(BaseModel):
    article: str
    pieces: int


def count_pieces(article: str) -> Stock:
    """Count the pieces of an article that are in stock.

    Args:
        article: Name of the article
    """
    touched.append(article)
    return Stock(article=article, pieces=17 * len(article))


count_pieces.read_only = True


def clear_shelf(article: str) -> Stock:
    """Throw away all pieces of an article that are in stock.

    Args:
        article: Name of the article
    """
    touched.append(article)
    raise RuntimeError("the shelf is locked")


def guess_price(article: str):
    """Guess the price of an article.

    Args:
        article: Name of the article
    """
    return {"amount": 12.5, "of": article}
'''


class Model:
    """Plays all roles of dialogues with one request: `said` by the user, which leads to the call, which is reported."""

    def __init__(self, tool, arguments, said, patterns=("single",), tries=1):
        self.tool, self.arguments, self.said = tool, arguments, said
        self.patterns, self.tries = list(patterns), tries
        self.simulated = []

    def __call__(self, body):
        messages = body["messages"]
        role = recognise_role(body)
        if role == "planner":
            return {"value": self._plan(messages)}
        if role == "user":
            begins = not any(message["role"] == "assistant" for message in messages)
            return {"value": {"settled": not begins, "ends": not begins, "text": self.said if begins else ""}}
        if role == "tool":
            self.simulated.append(json.loads(messages[-1]["content"].splitlines()[0])["call"])
            return {"value": {"failed": True, "error": "Simulated.", "result": None}}
        if messages[-1]["role"] == "user":
            return {"content": "", "tool_calls": [call(self.tool, self.arguments)]}
        result = json.loads(messages[-1]["content"])
        if "error" in result and sum(message["role"] == "tool" for message in messages) < self.tries:
            return {"content": "", "tool_calls": [call(self.tool, self.arguments)]}
        if "error" in result:
            return {"content": f"That did not work: {result['error']}"}
        told = ", ".join(f"{name} {value}" for name, value in result.items())
        return {"content": f"Here is what I found: {told}."}

    def _plan(self, messages):
        if len(messages) > 2:
            request = {"intent": self.said, "patterns": self.patterns, "tools": [self.tool], "depends_on": []}
            known = [{"what": name, "value": str(value)} for name, value in self.arguments.items()]
            return {"requests": [{**request, "known": known, "withheld": []}]}
        listed = [json.loads(line)["name"] for line in messages[0]["content"].splitlines() if line.startswith("{")]
        left_out = [{"tool": name, "why": "not needed"} for name in listed if name != self.tool]
        told = {"persona": "A shopkeeper.", "situation": "They look after the shop.", "goal": "They want to know."}
        return {"kept": [self.tool], "left_out": left_out, **told}


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test")


@pytest.fixture
def shelves(tmp_path, monkeypatch):
    """A module in the current folder; the names of what its functions were called with."""
    (tmp_path / "shelves.py").write_text(SHELVES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield lambda: sys.modules["shelves"].touched
    sys.modules.pop("shelves", None)
    find_function.cache_clear()
    stage._load.cache_clear()


def play(model, catalog, **settings):
    """Return the record of one dialogue that the model plays, accepted or not."""
    records = []

    def keep(event):
        if event.record is not None:
            records.append(event.record)

    with Endpoint(model) as endpoint, suppress(RunError):
        for _ in generate(parse_settings(settle(catalog, endpoint, **settings)), on_event=keep):
            pass
    return records[0]


def settle(catalog, endpoint, **settings):
    """Return settings of a run of one dialogue with one plain request."""
    plain = {"tools": 3, "distractors": 0, "patterns": ["single"], "min_requests": 1, "max_requests": 1}
    models = {"model": "test-model", "base_url": endpoint.base_url}
    return {**plain, "dialogues": 1, "max_attempts": 1, "catalog": catalog, **settings, "models": models}


def results(record):
    return [json.loads(message["content"]) for message in record.messages if message["role"] == "tool"]


ASKED = Model("count_pieces", {"article": "lantern"}, "How many pieces of the article lantern are in stock?")


def test_read_only_function_is_called_and_its_result_reported(shelves):
    record = play(ASKED, "python:shelves", execute="read_only")
    assert record.findings == ()
    assert results(record) == [{"article": "lantern", "pieces": 119}]
    assert "pieces 119" in record.messages[-1]["content"]
    assert shelves() == ["lantern"]
    assert record.executed == (record.messages[2]["tool_calls"][0]["id"],)
    assert record.provenance[0].source == "user"


def test_without_execution_tools_are_simulated(shelves):
    model = Model(ASKED.tool, ASKED.arguments, ASKED.said)
    record = play(model, "python:shelves")
    assert model.simulated == ["count_pieces"]
    assert (record.executed, shelves()) == ((), [])


CLEARED = {
    "tool": "clear_shelf",
    "arguments": {"article": "lantern"},
    "said": "Throw the article lantern away, please.",
}


def test_tool_that_is_not_marked_read_only_is_simulated(shelves):
    model = Model(**CLEARED)
    record = play(model, "python:shelves", execute="read_only")
    assert model.simulated == ["clear_shelf"]
    assert (record.executed, shelves()) == ((), [])


@pytest.mark.parametrize("allowed", [{"execute": "all"}, {"execute_tools": ["clear_shelf"]}], ids=["all", "named"])
def test_exception_becomes_an_error_result(shelves, allowed):
    model = Model(**CLEARED)
    record = play(model, "python:shelves", **allowed)
    assert model.simulated == []
    assert shelves() == ["lantern"]
    assert results(record) == [{"error": "RuntimeError: the shelf is locked"}]
    assert len(record.executed) == 1
    assert record.messages[-1]["content"] == "That did not work: RuntimeError: the shelf is locked"


@pytest.mark.usefixtures("shelves")
def test_real_results_need_not_fit_returns_that_were_guessed():
    model = Model("guess_price", {"article": "lantern"}, "What may the article lantern cost?")
    record = play(model, "python:shelves", execute="all")
    assert record.findings == ()
    assert results(record) == [{"amount": 12.5, "of": "lantern"}]


def test_plan_that_wants_an_error_gets_a_simulated_one(shelves):
    class Simulator:
        async def run(self, scene, made):
            return ToolResult({"error": f"{made.name} is busy"}, scene.world, failed=True)

    tools = stage.load_catalog("python:shelves").tools
    executed = ExecutedTools(Simulator(), LiveTools(5.0), tools)
    request = PlannedRequest(intent="Count", patterns=("single", "tool_error"), tools=("count_pieces",))
    scenario = Scenario(persona="A", situation="B", goal="C", now="2026-03-01T10:00")
    plan = DialoguePlan(scenario=scenario, requests=(request,))
    made = ToolCall("call_1", "count_pieces", {"article": "hat"})
    scene = Scene(0, 0, plan, [AIMessage("")], tools, list(tools), {})
    failed = asyncio.run(executed.run(scene, made))
    assert (failed.content, failed.executed, shelves()) == ({"error": "count_pieces is busy"}, False, [])
    again = ToolMessage("{}", tool_call_id="call_1", status="error", additional_kwargs={"request": 0})
    worked = asyncio.run(executed.run(replace(scene, messages=[AIMessage(""), again]), made))
    assert (worked.content["pieces"], worked.executed) == (51, True)
    told, answered = worked.aside.memory
    assert json.loads(told["content"]) == {"call": "count_pieces", "arguments": {"article": "hat"}}
    assert json.loads(answered["content"])["result"] == worked.content


def test_planned_error_is_simulated_and_the_second_try_is_real(shelves):
    patterns = ["single", "tool_error"]
    model = Model(ASKED.tool, ASKED.arguments, ASKED.said, patterns, tries=2)
    record = play(model, "python:shelves", execute="read_only", patterns=patterns)
    assert record.findings == ()
    assert model.simulated == ["count_pieces"]
    assert results(record) == [{"error": "Simulated."}, {"article": "lantern", "pieces": 119}]
    assert shelves() == ["lantern"]
    assert len(record.executed) == 1


# Servers


@pytest.fixture
def repository(tmp_path):
    """A git repository with one commit."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "notes.txt").write_text("Milk and honey\n")
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for arguments in (
        ["init", "-q"],
        ["add", "notes.txt"],
        ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", "Write a list"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, env=env, check=True)
    return folder


async def call_all(runs, calls, timeout_s=30.0):
    """Return what each call comes to, one after the other, with servers that end afterwards."""
    async with LiveTools(timeout_s) as live:
        return [await live.run(f"{runs}#{name}", arguments) for name, arguments in calls]


def test_time_server_is_called():
    asked = {"source_timezone": "UTC", "time": "12:30", "target_timezone": "Asia/Tokyo"}
    runs = f"mcp:{command('-m', 'mcp_server_time')}"
    good, bad = asyncio.run(
        call_all(runs, [("convert_time", asked), ("convert_time", {**asked, "target_timezone": "Mars"})])
    )
    assert good.content["target"]["datetime"].endswith("T21:30:00+09:00")
    assert good.content["time_difference"] == "+9.0h"
    assert bad.failed
    assert "Mars" in bad.content["error"]


def test_git_server_is_called_on_a_scratch_repository(repository):
    (repository / "notes.txt").write_text("Milk, honey and bread\n")
    given = {"repo_path": str(repository)}
    runs = f"mcp:{command('-m', 'mcp_server_git')}"
    log, status, wrong = asyncio.run(
        call_all(runs, [("git_log", given), ("git_status", given), ("git_status", {"repo_path": "/nowhere"})])
    )
    assert "Write a list" in json.dumps(log.content)
    assert "notes.txt" in json.dumps(status.content)
    assert wrong.failed
    assert "/nowhere" in wrong.content["error"]


def test_dialogue_is_played_over_a_git_server(repository, tmp_path):
    """The catalog is written and read again: how a tool runs stays with it."""
    source = f"mcp:{command('-m', 'mcp_server_git')}"
    with pytest.raises(SystemExit):
        main(["catalog", "import", source, "--out", str(tmp_path / "catalog")])
    said = f"What does the log of the repository {repository} say?"
    record = play(
        Model("git_log", {"repo_path": str(repository)}, said), str(tmp_path / "catalog"), execute="read_only", tools=12
    )
    assert len(record.executed) == 1
    assert "Write a list" in record.messages[-1]["content"]
    assert [finding.message for finding in record.findings] == []


def test_web_server_is_called():
    with serve_web() as url:
        counted, cleared, unknown = asyncio.run(
            call_all(
                f"mcp:{url}",
                [("count_stock", {"article": "hat"}), ("clear_stock", {"article": "hat"}), ("no_such_tool", {})],
            )
        )
    assert counted.content == {"article": "hat", "pieces": 3}
    assert cleared.failed
    assert "hat is under lock and key" in cleared.content["error"]
    assert unknown.failed


@pytest.fixture
def hostile(tmp_path):
    """How the tools of a hostile server run; at the end no process of it is left."""
    pids = tmp_path / "pids"
    yield f"mcp:{command(SERVERS / 'hostile.py', 'calls', pids)}"
    assert_ended(pids)


def test_server_is_kept_between_calls_and_started_again_after_a_crash(hostile):
    calls = [("touch", {"what": "a"}), ("touch", {"what": "b"}), ("crash", {}), ("touch", {}), ("crash", {})]
    first, second, crash, third, _, refused, fourth = asyncio.run(
        call_all(hostile, [*calls, ("crash", {}), ("touch", {})])
    )
    assert first.content["pid"] == second.content["pid"]
    assert second.content["what"] == "b"
    assert crash.content == {"error": "the tool's server ended unexpectedly"}
    assert third.content["pid"] != first.content["pid"]
    assert refused.content["error"].startswith("the tool is out of order")
    assert not fourth.failed


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hang", "the tool did not answer within 3 seconds"),
        ("flood", "the tool's server ended unexpectedly"),
        ("huge", "the result is too long: 100,012 characters, and 32,000 are read"),
        ("fail", "no such thing"),
    ],
)
def test_call_that_goes_wrong_is_an_error_result_in_bounded_time(hostile, name, told):
    began = time.monotonic()
    (outcome,) = asyncio.run(call_all(hostile, [(name, {})], timeout_s=3.0))
    assert outcome.failed
    assert outcome.content["error"].startswith(told)
    assert len(outcome.content["error"]) <= 2000
    assert time.monotonic() - began < 120


def test_servers_end_with_the_run(hostile):
    record = play(Model("touch", {"what": "lamp"}, "Touch the lamp, please."), hostile, execute="all")
    assert results(record)[0]["what"] == "lamp"


def test_several_users_share_a_server_until_the_last_one_leaves(hostile):
    async def work():
        live = LiveTools(10.0)
        async with live:
            async with live:
                first = await live.run(f"{hostile}#touch", {})
            second = await live.run(f"{hostile}#touch", {})
        return first, second

    first, second = asyncio.run(work())
    assert first.content == second.content


@pytest.mark.slow
def test_interrupted_run_leaves_no_server(hostile, tmp_path):
    with Endpoint(Model("hang", {"what": "lamp"}, "Hang the lamp, please.")) as endpoint:
        settings = tmp_path / "settings.json"
        settings.write_text(json.dumps(settle(hostile, endpoint, execute="all")))
        words = ["generate", "--settings", settings, "--out", tmp_path / "run", "--quiet"]
        script = "from toolflow_graph.cli import main; main()"
        process = subprocess.Popen([sys.executable, "-c", script, *words], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 180
        while not (tmp_path / "pids.hangs").exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for _ in range(2):
            process.send_signal(2)
            time.sleep(0.3)
        _, told = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "--resume" in told


# Settings and the command line

WEATHER = str(find_resource("tool_catalog") / "weather.json")
"""Tools with nothing that could be called, and few, because they are encoded."""


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"cast": "scripted", "execute": "all"}, "tools cannot be executed for the cast 'scripted'"),
        ({"execute": "all", "method": "direct"}, "tools cannot be executed for method 'direct'"),
        ({"execute": "read_only", "catalog": WEATHER}, "there is no tool to execute: MCP servers"),
        ({"execute_tools": ["sing"]}, "'sing' is no tool of the catalog"),
        ({"execute": "sometimes"}, "'execute'"),
        ({"execute": "all", "execute_timeout_s": 0}, "'execute_timeout_s'"),
    ],
)
@pytest.mark.usefixtures("shelves")
def test_what_cannot_be_executed_is_told(settings, told):
    given = {"models": {"model": "m"}, "catalog": "python:shelves", **settings}
    with pytest.raises(SettingsError, match=told):
        stage.load_stage(parse_settings({**given, "models": {}} if "cast" in settings else given))


@pytest.mark.usefixtures("shelves")
def test_nothing_marked_read_only_is_told(tmp_path):
    (tmp_path / "unmarked.py").write_text('def sing(song: str) -> str:\n    """Sing a song."""\n    return song\n')
    settings = parse_settings({"models": {"model": "m"}, "catalog": "python:unmarked", "execute": "read_only"})
    with pytest.raises(SettingsError, match="of 1 tools 1 can be called, and none of these is marked as read-only"):
        stage.load_stage(settings)


def test_command_line_executes_and_validates(shelves, tmp_path, capsys):
    out = tmp_path / "run"
    model = Model("guess_price", {"article": "lantern"}, "What may the article lantern cost?")
    with Endpoint(model) as endpoint:
        words = ["--model", "test-model", "--base-url", endpoint.base_url, "--catalog", "python:shelves"]
        words += ["--execute", "--execute-tool", "guess_price", "-n", "1", "--tools", "3", "--distractors", "0"]
        words += ["--set", 'patterns=["single"]', "--min-requests", "1", "--max-requests", "1", "--out", str(out)]
        with pytest.raises(SystemExit) as left:
            main(["generate", *words])
    assert left.value.code == 0, capsys.readouterr().err
    manifest = read_manifest(out)
    assert (manifest["settings"]["execute"], manifest["settings"]["execute_tools"]) == ("read_only", ["guess_price"])
    assert manifest["settings"]["catalog"] == "python:shelves"
    (row,) = read_rows(out / "dialogues.jsonl")
    assert len(row["executed"]) == 1
    assert shelves() == []
    with pytest.raises(SystemExit) as left:
        main(["validate", str(out)])
    assert left.value.code == 0, capsys.readouterr().out


# Servers of npm


@pytest.fixture
def npm_server():
    """The command of a server that `make install` has installed."""

    def find(name, *arguments):
        folder = Path(sys.prefix) / "mcp_servers/node_modules/@modelcontextprotocol" / f"server-{name}"
        if shutil.which("node") is None or not folder.exists():
            pytest.skip("there is no node, or the servers of npm are not installed: make install")
        return shlex.join(["node", str(folder / "dist/index.js"), *map(str, arguments)])

    return find


def test_filesystem_server_is_called_in_a_scratch_folder(npm_server, tmp_path):
    (tmp_path / "notes.txt").write_text("Milk and honey")
    source = f"mcp:{npm_server('filesystem', tmp_path)}"
    tools = stage.load_catalog(source).tools
    assert tools["read_text_file"].annotations.read_only is True
    assert tools["write_file"].annotations.destructive is True
    written = {"path": str(tmp_path / "new.txt"), "content": "Bread"}
    read, outside, write = asyncio.run(
        call_all(
            source,
            [
                ("read_text_file", {"path": str(tmp_path / "notes.txt")}),
                ("read_text_file", {"path": "/etc/hostname"}),
                ("write_file", written),
            ],
        )
    )
    assert read.content == {"content": "Milk and honey"}
    assert outside.failed
    assert not write.failed
    assert (tmp_path / "new.txt").read_text() == "Bread"


def test_memory_server_remembers_between_calls(npm_server, tmp_path):
    memory = f"env MEMORY_FILE_PATH={tmp_path}/memory.json {npm_server('memory')}"
    entity = {"name": "Ada", "entityType": "person", "observations": ["likes honey"]}
    _, found = asyncio.run(
        call_all(f"mcp:{memory}", [("create_entities", {"entities": [entity]}), ("search_nodes", {"query": "honey"})])
    )
    assert found.content["entities"] == [entity]
