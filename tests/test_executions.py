"""Real calls in a run that is killed: none is repeated unknowingly, and what is not known is said."""

import asyncio
import json
import signal
import subprocess
import sys
import time

import pytest

from endpoint import Endpoint
from runs import read_rows
from test_execution import Model, settle
from toolflow_graph.agents.llm import ExecutedTools
from toolflow_graph.agents.roles import Scene, ToolCall
from toolflow_graph.catalog.reading import Reading
from toolflow_graph.errors import CatalogError, DatasetError
from toolflow_graph.live.executions import EXECUTIONS, Executions, name_call, note_executions_in
from toolflow_graph.live.outcome import fail, succeed
from toolflow_graph.types import Annotations, DialoguePlan, Scenario, Tool

TILL = '''
"""A till that writes down what it does."""
import pathlib
import time


def pay_out(amount: int) -> dict[str, int]:
    """Pay an amount out of the till.

    Args:
        amount: Amount in euros
    """
    with open("book.txt", "a") as book:
        book.write(f"{amount}\\n")
    while pathlib.Path("slow").exists():
        time.sleep(0.05)
    return {"amount": amount}


def count_money(amount: int) -> dict[str, int]:
    """Count whether an amount is in the till.

    Args:
        amount: Amount in euros
    """
    return pay_out(amount)


count_money.read_only = True


def set_float(amount: int) -> dict[str, int]:
    """Set the amount that the till begins with.

    Args:
        amount: Amount in euros
    """
    return pay_out(amount)


set_float.idempotent = True
'''


@pytest.fixture
def till(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    (tmp_path / "till.py").write_text(TILL)
    return tmp_path


def start(words, folder):
    script = "import sys; sys.path.insert(0, ''); from toolflow_graph.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", script, "generate", "-q", *map(str, words)], cwd=folder, text=True)


def wait_for(what, process):
    deadline = time.monotonic() + 180
    while not what():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "paid", "told"),
    [
        ("pay_out", 1, {"error": "the call was interrupted before the tool answered; it is unknown whether"}),
        ("count_money", 2, {"amount": 40}),
        ("set_float", 2, {"amount": 40}),
    ],
)
def test_run_that_is_killed_inside_a_call(till, tool, paid, told):
    (till / "slow").touch()
    book = till / "book.txt"
    fails = tool == "pay_out"  # a request whose tool may fail: what the plan wants of it is simulated, then it is real
    patterns = ["single", "tool_error"] if fails else ["single"]
    model = Model(tool, {"amount": 40}, "It is about 40 euros in the till.", patterns, tries=2 if fails else 1)
    with Endpoint(model) as endpoint:
        settings = settle("python:till", endpoint, execute="all", patterns=patterns)
        (till / "settings.json").write_text(json.dumps(settings))
        process = start(["--settings", "settings.json", "--out", "run"], till)
        wait_for(book.exists, process)
        wait_for(lambda: book.read_text().endswith("\n"), process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert [sorted(entry) for entry in read_rows(till / "run" / EXECUTIONS)] == [["call", "tool"]]
        (till / "slow").unlink()
        process = start(["--resume", "run"], till)
        assert process.wait(timeout=180) == 0
    assert book.read_text() == "40\n" * paid
    (row,) = read_rows(till / "run" / "dialogues.jsonl")
    assert row["findings"] == []
    *_, result = [json.loads(message["content"]) for message in row["messages"] if message["role"] == "tool"]
    assert result.keys() == told.keys()
    assert all(str(result[name]).startswith(str(value)) for name, value in told.items())
    entry = read_rows(till / "run" / EXECUTIONS)[-1]
    assert entry["content"] == result
    assert "amount" not in json.dumps([line for line in read_rows(till / "run" / EXECUTIONS) if "tool" in line])


class Live:
    """Answers with the number of calls so far; raises what it is given instead."""

    def __init__(self, trouble=None):
        self.calls, self.trouble = 0, trouble

    async def run(self, _runs, _arguments):
        self.calls += 1
        if self.trouble:
            raise self.trouble
        return succeed({"count": self.calls})


def execute(live, note, arguments=None, index=0):
    schema = {"type": "object", "properties": {}}
    tool = Tool(name="pay", description="Pay.", parameters=schema, returns=schema, runs="python:till:pay")
    plan = DialoguePlan(scenario=Scenario(persona="A", situation="B", goal="C", now="2026-03-01T10:00"), requests=())
    scene = Scene(index, 0, plan, [], {"pay": tool}, ["pay"], {})

    async def work():
        note_executions_in(note)
        return await ExecutedTools(None, live, {"pay": tool}).run(scene, ToolCall("c1", "pay", arguments or {"n": 1}))

    return asyncio.run(work())


def test_call_whose_outcome_is_known_is_answered_from_the_note(tmp_path):
    live, path = Live(), tmp_path / EXECUTIONS
    first = execute(live, Executions(path))
    again = execute(live, Executions(path))
    assert (first.content, again.content, live.calls) == ({"count": 1}, {"count": 1}, 1)
    assert again.executed
    assert execute(live, Executions(path), {"n": 2}).content == {"count": 2}
    assert execute(live, Executions(path), index=1).content == {"count": 3}


def test_unknown_outcome_stays_what_was_said_of_it(tmp_path):
    path = tmp_path / EXECUTIONS
    asyncio.run(Executions(path).begin(name_call(0, "c1", "pay", {"n": 1}), "pay"))
    live = Live()
    for _ in range(2):
        result = execute(live, Executions(path))
        assert result.failed
        assert "it is unknown whether it took effect" in result.content["error"]
    assert live.calls == 0


def test_call_that_could_not_be_made_is_made_later(tmp_path):
    path = tmp_path / EXECUTIONS
    with pytest.raises(CatalogError):
        execute(Live(CatalogError("the server cannot be reached")), Executions(path))
    assert execute(Live(), Executions(path)).content == {"count": 1}


def test_cancelled_call_is_unknown(tmp_path):
    path = tmp_path / EXECUTIONS
    with pytest.raises(asyncio.CancelledError):
        execute(Live(asyncio.CancelledError()), Executions(path))
    assert execute(Live(), Executions(path)).failed


def test_torn_last_line_is_cut_off_and_a_damaged_one_told(tmp_path):
    path = tmp_path / EXECUTIONS
    note = Executions(path)
    asyncio.run(note.begin("0/c1/x", "pay"))
    note.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"call": "0/c1/x", "fai')
    torn = Executions(path)
    assert "0/c1/x" in torn
    assert torn.find("0/c1/x") is None
    assert path.read_bytes() == whole
    asyncio.run(torn.end("0/c1/x", fail("no")))
    assert Executions(path).find("0/c1/x").failed
    path.write_bytes(b"[]\n" + whole)
    with pytest.raises(DatasetError, match="line 1: no note of a call"):
        Executions(path)


def test_hint_of_a_server_is_read():
    from toolflow_graph.catalog.live import add_live_tool  # noqa: PLC0415
    from toolflow_graph.catalog.names import Names  # noqa: PLC0415

    reading = Reading()
    entry = {"name": "put", "inputSchema": {"type": "object"}, "annotations": {"idempotentHint": True}}
    add_live_tool(reading, Names(), "mcp:x", "shop", entry)
    assert reading.tools[0].annotations == Annotations(idempotent=True)
