"""Runs in one process: what they yield, what they leave, and what goes wrong in them."""

import asyncio
import json
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from runs import copy_catalog, read_files, read_manifest, read_rows, run_all
from toolflow_graph import RunSettings, agenerate, generate
from toolflow_graph.dialogue import nodes
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import ModelOutputError, ResourceError, RunError, SettingsError
from toolflow_graph.runner import Run
from toolflow_graph.runner.lines import LineFile
from toolflow_graph.settings import assign_patterns


@pytest.fixture
def play_role(monkeypatch, catalog):
    """Replace a method of one agent: `play_role("assistant", "act", function)`."""
    stage = load_stage(RunSettings(catalog=catalog))

    def install(role, method, function):
        class Agent:
            def __getattr__(self, name):
                return getattr(getattr(stage.cast, role), name)

        setattr(Agent, method, staticmethod(function))
        changed = replace(stage, cast=replace(stage.cast, **{role: Agent()}))
        monkeypatch.setattr(nodes, "load_stage", lambda _: changed)
        return getattr(getattr(stage.cast, role), method)

    return install


def test_dialogues_in_memory(catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = list(generate(catalog=catalog, dialogues=6, seed=2))
    assert sorted(record.index for record in records) == list(range(6))
    assert list(tmp_path.iterdir()) == []


async def test_dialogues_inside_a_loop(catalog):
    found = [record.index async for record in agenerate(catalog=catalog, dialogues=4, seed=2)]
    assert sorted(found) == [0, 1, 2, 3]


async def test_plain_generate_inside_a_loop(catalog):
    """As in a notebook, whose cells run inside an event loop."""
    assert len(list(generate(catalog=catalog, dialogues=2, seed=2))) == 2


def test_dialogue_does_not_depend_on_how_many_there_are(catalog):
    one = next(generate(catalog=catalog, dialogues=1, seed=2, patterns=("single",)))
    many = generate(catalog=catalog, dialogues=5, seed=2, patterns=("single",), concurrency=3)
    assert one in list(many)


def test_settings_by_name_are_added_to_given_ones(catalog):
    settings = RunSettings(catalog=catalog, dialogues=3, seed=2)
    assert {record.seed for record in generate(settings, seed=4)} == {4}


def test_wrong_setting_is_raised_at_once():
    with pytest.raises(SettingsError, match="unknown setting 'dialogs'"):
        generate(dialogs=3)


def test_patterns_are_those_of_the_mix(catalog):
    settings = RunSettings(catalog=catalog, dialogues=20, seed=6)
    seen = []
    list(generate(settings, on_event=lambda event: seen.append(event.record)))
    found = {record.index: record.patterns for record in seen if record}
    assert [found[index] for index in range(20)] == assign_patterns(settings.mix, 20, 6)


def test_events_count_up(catalog):
    events = []
    list(generate(catalog=catalog, dialogues=5, seed=2, on_event=events.append))
    assert events[0].record is None
    assert [event.counts.done for event in events] == [0, 1, 2, 3, 4, 5]
    assert sum(event.record.usage["calls"] for event in events[1:]) == events[-1].counts.calls


def test_folder_of_a_run(catalog, tmp_path):
    files = run_all(tmp_path / "run", catalog=catalog, dialogues=6, seed=2)
    rows = [json.loads(line) for line in files["dialogues.jsonl"].splitlines()]
    assert [row["index"] for row in rows] == sorted(row["index"] for row in rows)
    manifest = read_manifest(tmp_path / "run")
    assert manifest["status"] == "complete"
    assert manifest["counts"]["planned"] == 6
    assert manifest["counts"]["accepted"] == len(rows)
    assert manifest["counts"]["turns"] == sum(row["usage"]["turns"] for row in rows)
    assert manifest["settings"]["catalog"] == manifest["catalog"]["path"] == catalog
    assert len(manifest["catalog"]["sha256"]) == 64
    assert {"toolflow-graph", "langgraph"} <= manifest["versions"].keys()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        ".lock",
        "checkpoints.sqlite",
        "dialogues.jsonl",
        "manifest.json",
        "rejected.jsonl",
        "status.json",
    ]


def finish(run):
    async def exhaust():
        return [record async for record in run.play()]

    try:
        return asyncio.run(exhaust())
    finally:
        run.close()


def test_every_dialogue_has_a_thread(catalog, tmp_path):
    run_all(tmp_path / "run", catalog=catalog, dialogues=3, seed=2)
    with sqlite3.connect(tmp_path / "run" / "checkpoints.sqlite") as connection:
        threads = connection.execute("SELECT DISTINCT thread_id FROM checkpoints ORDER BY 1").fetchall()
        assert threads == [("s2-000000",), ("s2-000001",), ("s2-000002",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        kinds = connection.execute("SELECT type FROM writes UNION SELECT type FROM checkpoints").fetchall()
        assert {kind for (kind,) in kinds} <= {"msgpack+crc32", "null+crc32"}


def test_relative_catalog_is_kept_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_catalog(tmp_path / "mine")
    run_all("run", catalog="mine", dialogues=1)
    assert read_manifest(tmp_path / "run")["settings"]["catalog"] == str(tmp_path / "mine")


def test_second_run_in_a_folder_is_refused(catalog, tmp_path):
    before = run_all(tmp_path / "run", catalog=catalog, dialogues=2)
    with pytest.raises(RunError, match=r"already holds a run; go on with it by --resume .*, or name another folder"):
        run_all(tmp_path / "run", catalog=catalog, dialogues=2)
    assert read_files(tmp_path / "run") == before


def test_folder_with_other_files_is_left_as_it_is(catalog, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    run_all(tmp_path, catalog=catalog, dialogues=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_dialogues_without_a_manifest_are_not_overwritten(catalog, tmp_path):
    (tmp_path / "dialogues.jsonl").write_text("precious\n")
    with pytest.raises(RunError, match=r"already holds 'dialogues\.jsonl' but no manifest\.json"):
        run_all(tmp_path, catalog=catalog, dialogues=1)
    assert (tmp_path / "dialogues.jsonl").read_text() == "precious\n"


def test_run_that_cannot_begin_leaves_no_folder(tmp_path):
    (tmp_path / "tools.json").write_text("{")
    with pytest.raises(Exception, match=r"tools\.json: not JSON"):
        Run.start(RunSettings(catalog=str(tmp_path / "tools.json")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("checkpoints", ["keep", "none"])
def test_bug_in_an_agent_costs_one_dialogue_which_is_replaced(catalog, tmp_path, play_role, checkpoints):
    async def act(scene):
        if scene.index == 2 and len(scene.messages) > 3:
            return 1 / 0
        return await original(scene)

    original = play_role("assistant", "act", act)
    run_all(tmp_path / "run", catalog=catalog, dialogues=5, seed=2, checkpoints=checkpoints)
    (row,) = [row for row in read_rows(tmp_path / "run" / "rejected.jsonl") if row["index"] == 2]
    (finding,) = row["findings"]
    assert finding["check"] == "crash"
    assert finding["message"].startswith("assistant: ZeroDivisionError: division by zero (test_runner.py:")
    assert len(row["messages"]) > 3
    rows = read_rows(tmp_path / "run" / "dialogues.jsonl")
    assert [found["index"] for found in rows] == [0, 1, 3, 4, 7]
    assert rows[-1]["patterns"] == row["patterns"]
    counts = read_manifest(tmp_path / "run")["counts"]
    assert (counts["planned"], counts["accepted"], counts["rejected"]) == (5, 5, 1)


def test_unusable_model_output_costs_one_dialogue(catalog, tmp_path, play_role):
    async def act(scene):
        if scene.index == 1:
            raise ModelOutputError("not a plan")
        return await original(scene)

    original = play_role("assistant", "act", act)
    run_all(tmp_path / "run", catalog=catalog, dialogues=3, seed=2)
    assert [row["index"] for row in read_rows(tmp_path / "run" / "rejected.jsonl")] == [1]
    assert [row["index"] for row in read_rows(tmp_path / "run" / "dialogues.jsonl")] == [0, 2, 4]


@pytest.fixture
def unreliable(play_role):
    """Spoil two dialogues of five, always the same ones."""

    async def act(scene):
        if random.Random(scene.index).random() < 0.4:
            raise ModelOutputError("rubbish")
        return await original(scene)

    original = play_role("assistant", "act", act)


@pytest.mark.usefixtures("unreliable")
def test_exactly_as_many_are_accepted_as_were_wanted(catalog, tmp_path):
    settings = {"catalog": catalog, "dialogues": 20, "seed": 6}
    files = run_all(tmp_path / "one", **settings, concurrency=1)
    assert files == run_all(tmp_path / "many", **settings, concurrency=16)
    rows = read_rows(tmp_path / "one" / "dialogues.jsonl")
    assert sorted(row["index"] % 20 for row in rows) == list(range(20))
    quota = Counter(assign_patterns(RunSettings().mix, 20, 6))
    assert Counter(tuple(row["patterns"]) for row in rows) == quota
    rejected = read_rows(tmp_path / "one" / "rejected.jsonl")
    assert len(rejected) > 4
    assert all(row["index"] % 20 in {accepted["index"] % 20 for accepted in rows} for row in rejected)


@pytest.mark.usefixtures("unreliable")
def test_a_stopped_run_knows_what_it_has_tried(catalog, tmp_path):
    settings = {"catalog": catalog, "dialogues": 12, "seed": 6}
    whole = run_all(tmp_path / "whole", **settings)
    for wanted in (1, 4, 8, 11):
        folder = tmp_path / f"stopped-{wanted}"
        for count, _ in enumerate(generate(out=folder, **settings, concurrency=2), 1):
            if count == wanted:
                break
        finish(Run.resume(folder))
        assert read_files(folder) == whole


@pytest.mark.usefixtures("unreliable")
def test_a_deleted_line_of_a_rejected_dialogue_is_made_anew(catalog, tmp_path):
    settings = {"catalog": catalog, "dialogues": 12, "seed": 6}
    whole = run_all(tmp_path / "run", **settings)
    lines = whole["rejected.jsonl"].splitlines(keepends=True)
    (tmp_path / "run" / "rejected.jsonl").write_bytes(b"".join(lines[1:]))
    (tmp_path / "run" / "dialogues.jsonl").write_bytes(b"")
    (tmp_path / "run" / "checkpoints.sqlite").unlink()
    finish(Run.resume(tmp_path / "run"))
    assert read_files(tmp_path / "run") == whole


def test_what_is_always_rejected_is_given_up(catalog, tmp_path, play_role):
    async def act(scene):
        if scene.index % 4 == 1:
            raise ModelOutputError("rubbish")
        return await original(scene)

    original = play_role("assistant", "act", act)
    folder = tmp_path / "run"
    verdict = (
        r"^given up after 3 attempts each: 1 x single; 3 of 4 dialogues were accepted and kept, the rejected ones with "
        rf"their findings in {folder}/rejected\.jsonl; found most often: model_output \(3\), first "
        r"'assistant: ModelOutputError: rubbish \(test_runner\.py:"
    )
    with pytest.raises(RunError, match=verdict):
        run_all(folder, catalog=catalog, dialogues=4, seed=2, patterns=("single",), max_attempts=3)
    assert [row["index"] for row in read_rows(folder / "rejected.jsonl")] == [1, 5, 9]
    assert read_manifest(folder)["status"] == "complete"


def test_a_run_that_is_mostly_rejected_ends_early(catalog, tmp_path, play_role):
    async def act(scene):
        if scene.index % 10:
            raise ModelOutputError("rubbish")
        return await original(scene)

    original = play_role("assistant", "act", act)
    folder = tmp_path / "run"
    with pytest.raises(
        RunError, match=r"^stopped: \d+ of \d+ dialogues were rejected; \d of 200 dialogues were accepted"
    ):
        run_all(folder, catalog=catalog, dialogues=200, seed=2, concurrency=4, max_rejected=0.7)
    manifest = read_manifest(folder)
    assert manifest["status"] == "interrupted"
    assert 20 <= manifest["counts"]["rejected"] + manifest["counts"]["accepted"] < 30
    assert len(read_rows(folder / "dialogues.jsonl")) == manifest["counts"]["accepted"]
    assert len(read_rows(folder / "rejected.jsonl")) == manifest["counts"]["rejected"]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_fault_of_the_place_ends_the_run_and_nothing_else(catalog, tmp_path, play_role, monkeypatch, concurrency):
    async def act(scene):
        if scene.index >= 3:
            raise ResourceError("the folder 'prompts' is gone")
        return await original(scene)

    original = play_role("assistant", "act", act)
    folder = tmp_path / "run"
    with pytest.raises(ResourceError, match="is gone"):
        run_all(folder, catalog=catalog, dialogues=8, seed=2, concurrency=concurrency)
    assert read_manifest(folder)["status"] == "interrupted"
    monkeypatch.undo()
    run = Run.resume(folder)
    asyncio.run(drain(run.play()))
    run.close()
    assert read_files(folder) == run_all(tmp_path / "calm", catalog=catalog, dialogues=8, seed=2)


async def drain(records):
    return [record.index async for record in records]


def test_slow_consumer_holds_the_run_back(catalog):
    events = []
    records = generate(catalog=catalog, dialogues=40, seed=2, concurrency=2, on_event=events.append)
    next(records)
    time.sleep(1)
    assert len(events) < 20
    records.close()
    assert all(thread.name != "toolflow-generate" for thread in threading.enumerate())


def test_leaving_the_loop_early_ends_the_run(catalog, tmp_path):
    async def take_two():
        records = agenerate(catalog=catalog, dialogues=30, seed=2, concurrency=2, out=tmp_path / "run")
        taken = [await anext(records), await anext(records)]
        await records.aclose()
        return taken

    assert len(asyncio.run(take_two())) == 2
    assert read_manifest(tmp_path / "run")["status"] == "interrupted"


def test_line_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    file = LineFile(tmp_path / "dialogues.jsonl")
    file.append(0, b'{"index": 0}\n')
    write = os.write

    def fill(descriptor, data):
        write(descriptor, bytes(data)[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", fill)
    with pytest.raises(OSError, match="No space left"):
        file.append(1, b'{"index": 1}\n')
    monkeypatch.undo()
    file.append(2, b'{"index": 2}\n')
    file.close()
    assert (tmp_path / "dialogues.jsonl").read_bytes() == b'{"index": 0}\n{"index": 2}\n'
