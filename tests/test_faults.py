"""After every fault a run ends as if nothing had happened; `benchmarks/faults.py` has the same faults, many times."""

import asyncio
import errno
import json
import random
import shutil
import sqlite3
import time

import pytest

from disturbances import FAULTS, Ground, can_mount, play
from endpoint import Endpoint, QuickClock
from players import Players
from runs import read_files, read_manifest, read_rows
from test_execution import Model, settle
from toolflow_graph.cli.app import main
from toolflow_graph.dialogue import nodes
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import RunError
from toolflow_graph.runner import Run
from toolflow_graph.runner.play import is_starved
from toolflow_graph.runner.replay import open_replay
from toolflow_graph.settings import parse_settings
from toolflow_graph.validation import validate_dialogue

TIMES = {
    "kill": 4,
    "terminate": 1,
    "interrupt": 1,
    "interrupt twice": 2,
    "full disk": 5,
    "full files": 5,
    "refused writes": 8,
    "torn lines": 2,
    "checkpoints": 5,
    "checkpoint log": 3,
    "clock": 20,
}
SLOW = {"kill 2": 1, "kill worker": 2, "out of memory": 1}


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return Ground(tmp_path_factory.mktemp("faults"), dialogues=16)


@pytest.mark.parametrize("fault", TIMES)
def test_fault_is_survived(ground, fault):
    if fault == "full disk" and not can_mount(ground.place / "catalog"):
        pytest.skip("only root may mount a small disk; full files are tested as well")
    tally = FAULTS[fault](ground, random.Random(fault), TIMES[fault])
    assert tally.clean, tally
    assert tally.injected >= TIMES[fault]
    if fault == "checkpoints":
        assert tally.noticed >= 3, "most damage meets what is in use, and is said"


@pytest.mark.slow
@pytest.mark.parametrize("fault", SLOW)
def test_fault_of_processes_is_survived(ground, fault):
    tally = FAULTS[fault](ground, random.Random(fault), SLOW[fault])
    assert tally.clean, tally
    assert tally.injected >= SLOW[fault]


def test_every_fault_is_tested():
    assert {*TIMES, *SLOW} == FAULTS.keys()


# With models: exactly as many dialogues as wanted, each valid and there once


@pytest.fixture
def modelled(ground, tmp_path):
    """Play a run of eight dialogues of models against an endpoint that misbehaves as given; returns its rows."""
    values = {"cast": "llm", "catalog": ground.catalog, "tools": 8, "seed": 3, "patterns": ("single",), "dialogues": 8}
    players = Players(parse_settings({**values, "models": {"model": "test-model"}}))

    def run(chore=None, **misbehaviour):
        with Endpoint(players, retry_after="1", **misbehaviour) as endpoint:
            models = {"base_url": endpoint.base_url, "model": "test-model", "timeout_s": 20}
            settings = parse_settings({**values, "models": models})
            load_stage(settings).client._clock = QuickClock()
            play(Run.start(settings, tmp_path / "run"), chore)
        rows = read_rows(tmp_path / "run" / "dialogues.jsonl")
        assert len({row["id"] for row in rows}) == len(rows) == 8
        assert [finding for row in rows for finding in row["findings"] if finding["severity"] == "error"] == []
        assert [error for row in rows for error in validate_dialogue(row["messages"], row["tools"]).errors] == []
        return endpoint

    return run


@pytest.mark.parametrize("fault", ["503", "drop", "500"])
def test_endpoint_that_is_away_for_a_while(modelled, fault):
    """From its thirtieth request to its ninetieth the endpoint answers nobody."""
    endpoint = modelled(script=dict.fromkeys(range(30, 90), fault))
    assert endpoint.counts[fault] == 60


def test_endpoint_that_is_too_busy_for_half_of_everything(modelled):
    endpoint = modelled(storm={"429": 0.25, "429 without Retry-After": 0.25}, seed=5)
    refused = endpoint.counts.total() - endpoint.counts[None]
    assert 0.35 < refused / endpoint.counts.total() < 0.65


def test_clock_that_jumps_while_requests_wait(modelled, monkeypatch):
    """What is waited for, and for how long, depends on no time of the day."""
    shift = iter(random.Random(2).uniform(-3e7, 3e7) for _ in range(10**6))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + next(shift))
    modelled(storm={"429": 0.2}, seed=6)


HANGS = '''
import threading


def find_answer(question: str) -> dict[str, str]:
    """Find the answer to a question.

    Args:
        question: What is asked
    """
    threading.Event().wait()
    return {"answer": "never"}


find_answer.read_only = True
'''


def test_real_tool_that_hangs_fails_after_its_time(tmp_path, monkeypatch):
    (tmp_path / "oracle.py").write_text(HANGS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    patterns = ["single", "tool_error"]
    model = Model("find_answer", {"question": "lamp"}, "Find the answer to the question lamp.", patterns, tries=2)
    began = time.monotonic()
    with Endpoint(model) as endpoint:
        settings = settle("python:oracle", endpoint, execute="read_only", patterns=patterns, dialogues=3, tools=1)
        play(Run.start(parse_settings({**settings, "execute_timeout_s": 0.5}), tmp_path / "run"))
    assert time.monotonic() - began < 180
    rows = read_rows(tmp_path / "run" / "dialogues.jsonl")
    assert len({row["id"] for row in rows}) == 3
    results = [json.loads(m["content"]) for row in rows for m in row["messages"] if m["role"] == "tool"]
    assert sum(result.get("error") == "the tool did not answer within 0.5 seconds" for result in results) == 3
    notes = read_rows(tmp_path / "run" / "executions.jsonl")
    assert sum("content" in entry for entry in notes) == sum("tool" in entry for entry in notes) == 3


def test_torn_note_of_spending_is_cut_off(ground, tmp_path):
    """The last line of what was spent, and of what was called, may be half written."""
    values = {"cast": "llm", "catalog": ground.catalog, "tools": 8, "seed": 3, "patterns": ("single",), "dialogues": 6}
    players = Players(parse_settings({**values, "models": {"model": "test-model"}}))
    folder = tmp_path / "run"
    with Endpoint(players) as endpoint:
        models = {"base_url": endpoint.base_url, "model": "test-model"}
        run = Run.start(parse_settings({**values, "models": models, "concurrency": 2}), folder)

        async def stop_early(run):
            while run.counts.done < 2:  # noqa: ASYNC110 - a run has no event for it
                await asyncio.sleep(0.01)
            run.stop()

        play(run, stop_early)
        whole = (folder / "spending.jsonl").read_bytes()
        for name in ("spending.jsonl", "executions.jsonl", "rejected.jsonl", "dialogues.jsonl"):
            with (folder / name).open("ab") as file:
                file.write(whole[:40])
        play(Run.resume(folder))
    assert (folder / "spending.jsonl").read_bytes().startswith(whole)
    total = read_manifest(folder)["costs"]["total"]["requests"]
    assert total == sum(row["usage"].get("requests", 0) for row in read_rows(folder / "spending.jsonl"))
    assert len({row["id"] for row in read_rows(folder / "dialogues.jsonl")}) == 6


# What lies in the folder


def test_damaged_checkpoints_are_said_in_one_line_and_moved_aside(ground, capfd):
    folder = ground.name_folder()
    shutil.copytree(ground.place / "calm", folder)
    (folder / "dialogues.jsonl").write_bytes(b"")
    (folder / "checkpoints.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(SystemExit) as left:
        main(["generate", "--resume", str(folder), "--quiet"])
    assert left.value.code == 0
    said = capfd.readouterr().err
    assert said == (
        f"toolflow: {folder / 'checkpoints.sqlite'} was damaged (file is not a database) and is now "
        "checkpoints.sqlite.damaged; finished dialogues are kept, those that were in flight in it begin anew\n"
    )
    assert read_files(folder) == ground.expected
    assert read_manifest(folder)["damages"] == [said.removeprefix("toolflow: ").strip()]
    assert (folder / "checkpoints.sqlite.damaged").read_bytes() == b"no database" * 1000


def test_of_damaged_rows_only_their_dialogue_begins_anew(ground, monkeypatch):
    folder = ground.name_folder()
    shutil.copytree(ground.place / "calm", folder)
    whole = (folder / "dialogues.jsonl").read_bytes()
    (folder / "dialogues.jsonl").write_bytes(b"")
    with sqlite3.connect(folder / "checkpoints.sqlite") as connection:
        (value,) = connection.execute(
            "SELECT value FROM writes WHERE thread_id = 's11-000003' AND channel = 'messages' LIMIT 1"
        ).fetchone()
        spoilt = value.replace(b"a", b"e", 1)
        connection.execute("UPDATE writes SET value = ? WHERE value = ?", (spoilt, value))
    run = Run.resume(folder)
    assert run.damages == (f"{folder / 'checkpoints.sqlite'}: damaged checkpoints of s11-000003; begun anew",)
    begun = []
    load = nodes.load_stage
    monkeypatch.setattr(nodes, "load_stage", lambda settings: begun.append(1) or load(settings))
    play(run)
    assert (folder / "dialogues.jsonl").read_bytes() == whole
    assert 0 < len(begun) < 60, "no other dialogue was played again"


def test_a_complete_run_does_not_mind_damaged_checkpoints(ground):
    folder = ground.name_folder()
    shutil.copytree(ground.place / "calm", folder)
    (folder / "checkpoints.sqlite").write_bytes(b"")
    run = Run.resume(folder)
    assert len(run.damages) == 1
    play(run)
    assert read_files(folder) == ground.expected


def test_damaged_checkpoints_cannot_be_looked_back_at(ground):
    folder = ground.name_folder()
    shutil.copytree(ground.place / "calm", folder)
    with sqlite3.connect(folder / "checkpoints.sqlite") as connection:
        connection.execute("UPDATE checkpoints SET metadata = '{}' WHERE thread_id = 's11-000002'")

    async def look(dialogue):
        async with open_replay(folder, dialogue) as replay:
            return len(replay.steps)

    assert asyncio.run(look("1")) > 3
    with pytest.raises(RunError, match="the checkpoints of 's11-000002' are damaged"):
        asyncio.run(look("2"))


def test_second_run_in_a_folder_is_refused(ground):
    folder = ground.name_folder()
    process = ground.begin(folder)
    while not (folder / "manifest.json").exists():
        assert process.is_alive()
        time.sleep(0.01)
    with pytest.raises(RunError, match=rf"another toolflow \(process {process.pid}\) is working in"):
        Run.resume(folder)
    with pytest.raises(RunError, match="already holds a run"):
        Run.start(ground.settings(), folder)
    process.join(120)
    assert process.exitcode == 0
    assert read_files(folder) == ground.expected


@pytest.mark.parametrize(
    ("exc", "starved"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (ImportError("x.so: failed to map segment from shared object"), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("the pen is out of ink"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
    ],
    ids=repr,
)
def test_memory_is_out_in_many_words(exc, starved):
    assert is_starved(exc) == starved


def test_out_of_memory_is_one_line(ground, tmp_path, monkeypatch):
    def fail(_):
        raise MemoryError

    run = Run.start(ground.settings(), tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(nodes, "load_stage", fail)
        with pytest.raises(RunError, match="out of memory; play with a lower"):
            play(run)
    play(Run.resume(tmp_path / "run"))
    assert read_files(tmp_path / "run") == ground.expected
