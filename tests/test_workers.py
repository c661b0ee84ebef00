"""Several processes: the same bytes whatever their number, whoever dies, and limits that hold over all of them."""

import asyncio
import json
import os
import pickle
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time

import pytest

from endpoint import Endpoint
from players import Players
from runs import play, read_files, read_manifest, read_rows, run_all
from toolflow_graph.dataset import record_of
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import BudgetExceeded, ResourceError, RunError
from toolflow_graph.models import ModelSettings
from toolflow_graph.runner import Run
from toolflow_graph.runner.batch import Batch
from toolflow_graph.runner.checkpoints import list_threads
from toolflow_graph.runner.engine import Drained, Finished
from toolflow_graph.runner.processes import ProcessEngine
from toolflow_graph.runner.slots import Slots
from toolflow_graph.runner.workers import share_settings
from toolflow_graph.settings import RunSettings, parse_settings

COMMAND = [sys.executable, "-c", "from toolflow_graph.cli import main; main()", "generate"]


@pytest.fixture(scope="module")
def calm(catalog, tmp_path_factory):
    """A run of 24 dialogues in one process that nobody disturbed."""
    folder = tmp_path_factory.mktemp("calm") / "run"
    run_all(folder, catalog=catalog, dialogues=24, seed=11)
    return folder


def list_all_threads(folder):
    return sorted(thread for path in folder.glob("checkpoints*.sqlite") for thread in list_threads(path))


def test_a_killed_worker_is_noticed_and_the_run_goes_on(tmp_path, catalog, calm):
    """One of two workers is killed in the middle; then the run is stopped, and finished by one process."""
    settings = RunSettings(catalog=catalog, dialogues=24, seed=11, workers=2, concurrency=3)
    run = Run.start(settings, tmp_path / "run")
    seen = []

    def disturb(event):
        seen.append(run.look())
        if event.counts.done == 3:
            os.kill(run.look().processes[0], signal.SIGKILL)
        if event.counts.done == 18:
            run.stop()

    play(run, disturb)
    assert len(set(seen[1].processes)) == 2
    assert os.getpid() not in seen[1].processes
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["status"] == "interrupted"
    assert 18 <= status["accepted"] < 24
    play(Run.resume(tmp_path / "run", workers=1))
    assert read_files(tmp_path / "run") == read_files(calm)
    assert set(list_all_threads(tmp_path / "run")) == {f"s11-{index:06d}" for index in range(24)}
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "complete"


@pytest.mark.slow
def test_a_run_that_is_killed_with_its_workers_in_the_middle(tmp_path, catalog, calm):
    """Workers notice that the run is gone, and nobody goes on with it before the last of them has ended."""
    folder = tmp_path / "run"
    options = ["--catalog", catalog, "--dialogues", "24", "--seed", "11", "--concurrency", "4", "--workers", "2"]
    command = [*COMMAND, *options, "--checkpoints", "journal", "--out", str(folder), "--progress", "json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lines = folder / "dialogues.jsonl"
    deadline = time.monotonic() + 180
    while not (lines.exists() and lines.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=180)
    progress = [json.loads(line) for line in said.splitlines()]
    assert progress[0]["status"] == "running"
    assert progress[-1]["planned"] == 24
    play(Run.resume(folder, workers=1))
    assert read_files(folder) == read_files(calm)
    assert list(folder.glob("checkpoints*")) == []


@pytest.mark.parametrize("file", ["checkpoints-0.sqlite", "checkpoints-7.sqlite"])
def test_checkpoints_of_any_worker_are_found(tmp_path, calm, monkeypatch, file):
    shutil.copytree(calm, tmp_path / "run")
    whole = read_files(calm)
    (tmp_path / "run" / "dialogues.jsonl").write_bytes(b"".join(whole["dialogues.jsonl"].splitlines(True)[:-3]))
    (tmp_path / "run" / "checkpoints.sqlite").rename(tmp_path / "run" / file)
    monkeypatch.setattr("toolflow_graph.dialogue.nodes.load_stage", None)  # a node that runs would call it
    assert len(play(Run.resume(tmp_path / "run"))) == 3
    assert read_files(tmp_path / "run") == whole


def test_of_two_workers_the_one_that_came_farther_counts(tmp_path, calm, monkeypatch):
    shutil.copytree(calm, tmp_path / "run")
    whole = read_files(calm)
    (tmp_path / "run" / "dialogues.jsonl").write_bytes(b"")
    shutil.copy(tmp_path / "run" / "checkpoints.sqlite", tmp_path / "run" / "checkpoints-1.sqlite")
    with sqlite3.connect(tmp_path / "run" / "checkpoints.sqlite") as connection:
        for (thread,) in connection.execute("SELECT DISTINCT thread_id FROM checkpoints").fetchall():
            query = "SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? ORDER BY checkpoint_id"
            third = connection.execute(query, (thread,)).fetchall()[2][0]
            connection.execute("DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_id > ?", (thread, third))
            connection.execute("DELETE FROM writes WHERE thread_id = ? AND checkpoint_id > ?", (thread, third))
    monkeypatch.setattr("toolflow_graph.dialogue.nodes.load_stage", None)
    play(Run.resume(tmp_path / "run"))
    assert read_files(tmp_path / "run") == whole


def test_a_journal_forgets_what_is_written(tmp_path, catalog, calm):
    run = Run.start(
        RunSettings(catalog=catalog, dialogues=24, seed=11, checkpoints="journal", concurrency=2), tmp_path / "run"
    )
    play(run, lambda event: event.counts.done == 12 and run.stop())
    finished = {row["id"] for row in read_rows(tmp_path / "run" / "dialogues.jsonl")}
    left = list_all_threads(tmp_path / "run")
    assert not finished & set(left)
    assert len(left) <= 2
    play(Run.resume(tmp_path / "run"))
    assert read_files(tmp_path / "run") == read_files(calm)
    assert list((tmp_path / "run").glob("checkpoints*")) == []


def test_what_a_journal_was_killed_before_forgetting_is_forgotten_later(tmp_path, catalog, calm):
    """The line is safe before the thread is gone: a kill between them leaves both."""
    settings = RunSettings(catalog=catalog, dialogues=24, seed=11, checkpoints="journal", concurrency=2)
    run = Run.start(settings, tmp_path / "run")
    play(run, lambda event: event.counts.done == 12 and run.stop())
    shutil.copy(calm / "checkpoints.sqlite", tmp_path / "run" / "checkpoints-1.sqlite")
    parts = Run.resume(tmp_path / "run")
    finished = {row["id"] for row in read_rows(tmp_path / "run" / "dialogues.jsonl")}
    assert not finished & set(list_all_threads(tmp_path / "run"))
    play(parts)
    assert read_files(tmp_path / "run") == read_files(calm)


def test_by_itself_only_a_small_run_keeps_its_checkpoints():
    assert RunSettings(dialogues=1000).keeping == "keep"
    assert RunSettings(dialogues=1001).keeping == "journal"
    assert RunSettings(dialogues=10**6, checkpoints="keep").keeping == "keep"


# Limits over all workers


@pytest.mark.parametrize(("flight", "workers", "expected"), [(64, 3, [22, 21, 21]), (2, 4, [1, 1]), (5, 1, [5])])
def test_the_pace_is_divided(flight, workers, expected):
    models = ModelSettings(model="m", max_in_flight=flight, requests_per_minute=60, tokens_per_minute=900, max_cost=1)
    shares = share_settings(RunSettings(cast="llm", models=models), workers)
    assert [share.models.max_in_flight for share in shares] == expected
    assert sum(share.models.requests_per_minute for share in shares) == pytest.approx(60)
    assert sum(share.models.tokens_per_minute for share in shares) == pytest.approx(900)
    assert {share.models.max_cost for share in shares} == {None}


def test_in_flight_follows_what_the_endpoint_may_have():
    assert RunSettings().lanes == 16
    assert RunSettings(cast="llm", models=ModelSettings(model="m", max_in_flight=64)).lanes == 80
    assert RunSettings(cast="llm", models=ModelSettings(model="m"), concurrency=3).lanes == 3


def test_a_budget_holds_over_all_workers(tmp_path, catalog):
    values = {"cast": "llm", "catalog": catalog, "tools": 8, "seed": 3, "patterns": ("single",), "workers": 2}
    players = Players(parse_settings({**values, "dialogues": 8, "max_attempts": 1, "models": {"model": "test-model"}}))
    with Endpoint(players) as endpoint:
        models = {"base_url": endpoint.base_url, "model": "test-model", "max_tokens": 40_000}
        run = Run.start(
            parse_settings({**values, "dialogues": 8, "max_attempts": 1, "models": models}), tmp_path / "run"
        )
        with pytest.raises(BudgetExceeded, match="max_tokens 40,000"):
            play(run)
        paid = [entry for entry in (*endpoint.log, *endpoint.probes) if entry.status == 200]
    tokens = sum(entry.tokens for entry in paid)
    assert 20_000 < tokens <= 40_000
    entries = read_rows(tmp_path / "run" / "spending.jsonl")
    total = read_manifest(tmp_path / "run")["costs"]["total"]
    assert total["requests"] == sum(entry["usage"].get("requests", 0) for entry in entries) == len(paid)
    assert total["prompt"] + total["completion"] == tokens
    assert len(endpoint.probes) == sum(entry["role"] == "probe" for entry in entries)
    assert len({json.dumps(entry.body) for entry in endpoint.probes}) == len(endpoint.probes), "probed more than once"


# Workers that die, played by a script that starts at once

SCRIPT = """
import os, pickle, signal, struct, sys
from pathlib import Path
def read():
    head = sys.stdin.buffer.read(8)
    return sys.stdin.buffer.read(struct.unpack(">Q", head)[0]) if head else None
def write(content):
    sys.stdout.buffer.write(struct.pack(">Q", len(content)) + content)
    sys.stdout.buffer.flush()
folder = Path(sys.argv[1])
read()
write(pickle.dumps(("ready",)))
while (content := read()) is not None:
    match pickle.loads(content):
        case ("play", index, patterns, source):
            with (folder / "played").open("a") as log:
                log.write(f"{index} {source}\\n")
            mark = folder / f"{index}.kills"
            if mark.exists() and (left := int(mark.read_text())):
                mark.write_text(str(left - 1))
                os.kill(os.getpid(), signal.SIGKILL)
            write((folder / str(index)).read_bytes())
        case ("end",):
            break
"""


@pytest.fixture
def script(tmp_path, monkeypatch, catalog):
    """Workers that answer with what lies ready; `script(kills)` returns an engine, its settings and its folder."""
    settings = RunSettings(catalog=catalog, dialogues=8, workers=2, concurrency=2, patterns=("single",))
    stage = load_stage(settings)

    async def start(_):
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
        return await asyncio.create_subprocess_exec(sys.executable, "-c", SCRIPT, str(tmp_path), **pipes)

    monkeypatch.setattr(ProcessEngine, "_start", start)

    def install(kills, failures=None):
        for index in range(24):
            finished = Finished.of(record_of({"index": index, "patterns": ["single"]}, settings.dialogue(), stage))
            message = ("failed", index, failures[index]) if failures else ("finished", index, finished)
            (tmp_path / str(index)).write_bytes(pickle.dumps(message))
        for index, number in kills.items():
            (tmp_path / f"{index}.kills").write_text(str(number))
        return ProcessEngine(settings, stage, None), settings

    return install


def play_slots(engine, settings):
    kept = {}

    async def exhaust():
        slots = Slots([settings.patterns] * settings.dialogues, 1)
        async with engine:
            batch = Batch(
                engine, slots, {}, lambda done: kept.setdefault(done.record.index, done), wanted=8, folder=None
            )
            async for _ in batch.play():
                pass

    asyncio.run(exhaust())
    return kept


def test_what_a_dead_worker_had_in_hand_is_played_elsewhere(script):
    kept = play_slots(*script({3: 1, 5: 2}))
    assert sorted(kept) == list(range(8))
    assert all(done.accepted for done in kept.values())


def test_a_dialogue_that_kills_whoever_plays_it_is_rejected_alone(script):
    kept = play_slots(*script({3: 99}))
    assert sorted(kept) == list(range(8))
    assert [index for index, done in kept.items() if not done.accepted] == [3]
    (finding,) = kept[3].record.findings
    assert (finding.check, finding.severity) == ("crash", "error")
    assert finding.message == "the process that played it alone died 2 times, the last time by signal 9"


def test_workers_that_only_die_end_the_run(script):
    with pytest.raises(RunError, match=r"workers died 10 times .* by signal 9; look at the machine's memory"):
        play_slots(*script(dict.fromkeys(range(8), 999)))


def test_a_fault_of_the_place_ends_the_run(script):
    with pytest.raises(ResourceError, match="is gone"):
        play_slots(*script({}, dict.fromkeys(range(24), ResourceError("the folder 'prompts' is gone"))))


def test_a_stopped_engine_begins_nothing(script):
    engine, _ = script({})

    async def stop_and_play():
        async with engine:
            engine.stop()
            with pytest.raises(Drained):
                await engine.play(0, ("single",))

    asyncio.run(stop_and_play())


def test_frames_are_lengths_and_content():
    from toolflow_graph.runner.frames import make_frame, make_portable, read_frame  # noqa: PLC0415

    async def carry(content):
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()
        return await read_frame(reader)

    frame = make_frame(("play", 3, ("single",)))
    assert struct.unpack(">Q", frame[:8])[0] == len(frame) - 8
    assert asyncio.run(carry(frame)) == ("play", 3, ("single",))
    assert asyncio.run(carry(frame[:-1])) is None

    class OddError(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} {two}")

    assert str(make_portable(OddError("no", "way"))) == "OddError: no way"
    assert make_portable(BudgetExceeded("used up", "--max-cost")).option == "--max-cost"
