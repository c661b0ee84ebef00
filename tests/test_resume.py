"""A run that is killed, again and again, ends with the bytes of one that was left alone."""

import asyncio
import json
import multiprocessing
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import ormsgpack
import pytest

from runs import copy_catalog, read_files, read_manifest, run_all
from toolflow_graph.dialogue import stage
from toolflow_graph.errors import DatasetError, RunError
from toolflow_graph.runner import Run, generate
from toolflow_graph.settings import RunSettings

COMMAND = [sys.executable, "-c", "from toolflow_graph.cli import main; main()", "generate"]


@pytest.fixture(scope="module")
def calm(catalog, tmp_path_factory):
    """A run of 24 dialogues that nobody disturbed."""
    folder = tmp_path_factory.mktemp("calm") / "run"
    run_all(folder, catalog=catalog, dialogues=24, seed=11)
    return folder


def work(folder, catalog, dialogues):
    """Start the run or go on with it, as the command does."""
    from toolflow_graph.cli.app import main  # noqa: PLC0415

    if (Path(folder) / "manifest.json").exists():
        main(["generate", "--resume", str(folder), "--quiet"])
    options = ["--catalog", catalog, "--dialogues", str(dialogues), "--seed", "11", "--concurrency", "8"]
    main(["generate", "--out", str(folder), "--quiet", *options])


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with the package imported, so that most kills meet a run and not an import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["toolflow_graph.cli.app", "toolflow_graph.runner", "toolflow_graph.validation"])
    return context


def kill_until_done(processes, folder, catalog, dialogues, kills, seed, longest=1.5):
    """Start or resume, kill after a random time, and so on; returns how often a kill met a living process."""
    rng = random.Random(seed)
    killed = 0
    while True:
        process = processes.Process(target=work, args=(folder, catalog, dialogues))
        process.start()
        process.join(rng.uniform(0.05, longest) if killed < kills else 120)
        if process.is_alive():
            process.kill()
            process.join()
            killed += 1
            continue
        assert process.exitcode == 0
        return killed


def test_killed_run_ends_with_the_same_bytes(tmp_path, calm, catalog, processes):
    folder = tmp_path / "killed"
    assert kill_until_done(processes, folder, catalog, 24, kills=6, seed=1, longest=0.4) >= 2
    assert read_files(folder) == read_files(calm)
    assert read_manifest(folder)["counts"] == read_manifest(calm)["counts"]
    assert read_manifest(folder)["status"] == "complete"


@pytest.mark.slow
def test_run_killed_many_times_ends_with_the_same_bytes(tmp_path, catalog, processes):
    expected = run_all(tmp_path / "calm", catalog=catalog, dialogues=200, seed=11)
    assert kill_until_done(processes, tmp_path / "killed", catalog, 200, kills=16, seed=2) >= 12
    assert read_files(tmp_path / "killed") == expected


@pytest.mark.parametrize("concurrency", [1, 5, 64])
def test_concurrency_does_not_show_in_the_files(tmp_path, calm, catalog, concurrency):
    found = run_all(tmp_path / "run", catalog=catalog, dialogues=24, seed=11, concurrency=concurrency)
    assert found == read_files(calm)


def test_checkpoints_do_not_show_in_the_files(tmp_path, calm, catalog):
    found = run_all(tmp_path / "run", catalog=catalog, dialogues=24, seed=11, checkpoints="none")
    assert found == read_files(calm)
    assert not (tmp_path / "run" / "checkpoints.sqlite").exists()


def resume(folder, **options):
    """Go on with a run in this process."""
    run = Run.resume(folder, **options)

    async def play():
        return [record.index async for record in run.play()]

    try:
        return asyncio.run(play())
    finally:
        run.close()


def copy_run(source, target):
    shutil.copytree(source, target)
    return target


def test_torn_last_line_is_made_again(tmp_path, calm):
    folder = copy_run(calm, tmp_path / "run")
    path = folder / "dialogues.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    assert resume(folder) == [json.loads(whole.splitlines()[-1])["index"]]
    assert path.read_bytes() == whole


def test_finished_thread_is_read_again_and_not_played_again(tmp_path, calm, monkeypatch):
    folder = copy_run(calm, tmp_path / "run")
    path = folder / "dialogues.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-3]))
    monkeypatch.setattr("toolflow_graph.dialogue.nodes.load_stage", None)  # a node that runs would call it
    assert len(resume(folder)) == 3
    assert path.read_bytes() == whole


@pytest.mark.parametrize("steps", [1, 2, 5, -1])
@pytest.mark.parametrize("cut", ["checkpoints", "checkpoints and writes"])
def test_thread_goes_on_from_any_step(tmp_path, calm, steps, cut):
    """`writes` of a step may be stored without the checkpoint after it, or both may be missing."""
    folder = copy_run(calm, tmp_path / "run")
    whole = (folder / "dialogues.jsonl").read_bytes()
    (folder / "dialogues.jsonl").write_bytes(b"")
    with sqlite3.connect(folder / "checkpoints.sqlite") as connection:
        for (thread,) in connection.execute("SELECT DISTINCT thread_id FROM checkpoints").fetchall():
            rows = connection.execute(
                "SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? ORDER BY checkpoint_id", (thread,)
            ).fetchall()
            for (checkpoint,) in rows[steps:]:
                connection.execute(
                    "DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_id = ?", (thread, checkpoint)
                )
                connection.execute("DELETE FROM writes WHERE thread_id = ? AND checkpoint_id = ?", (thread, checkpoint))
            if cut == "checkpoints and writes":
                last = rows[:steps][-1][0]
                connection.execute("DELETE FROM writes WHERE thread_id = ? AND checkpoint_id = ?", (thread, last))
    resume(folder)
    assert (folder / "dialogues.jsonl").read_bytes() == whole


def test_lost_checkpoints_start_dialogues_anew(tmp_path, calm):
    folder = copy_run(calm, tmp_path / "run")
    whole = read_files(folder)
    (folder / "dialogues.jsonl").write_bytes(b"")
    (folder / "checkpoints.sqlite").unlink()
    resume(folder)
    assert read_files(folder) == whole


def test_resuming_a_complete_run_changes_nothing(tmp_path, calm):
    folder = copy_run(calm, tmp_path / "run")
    assert resume(folder, concurrency=2) == []
    assert read_files(folder) == read_files(calm)


def test_leaving_a_run_early_keeps_it_resumable(tmp_path, calm, catalog):
    folder = tmp_path / "run"
    for count, _ in enumerate(generate(out=folder, catalog=catalog, dialogues=24, seed=11, concurrency=4), 1):
        if count == 5:
            break
    manifest = read_manifest(folder)
    assert manifest["status"] == "interrupted"
    assert 5 <= manifest["counts"]["accepted"] + manifest["counts"]["rejected"] < 24
    resume(folder)
    assert read_files(folder) == read_files(calm)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_signal_ends_the_run_in_good_order(tmp_path, calm, catalog, number):
    folder = tmp_path / "run"
    options = ["--catalog", catalog, "--dialogues", "24", "--seed", "11", "--concurrency", "2", "--out", str(folder)]
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = folder / "dialogues.jsonl"
    deadline = time.monotonic() + 180
    while not (lines.exists() and lines.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=180)
    assert process.returncode == 128 + number
    assert stdout == ""
    assert len(stderr.splitlines()) == 1
    assert f"go on with: toolflow generate --resume {folder}" in stderr
    assert read_manifest(folder)["status"] == "interrupted"
    resume(folder)
    assert read_files(folder) == read_files(calm)


def test_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"is not a run: it has no manifest\.json"):
        Run.resume(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_changed_catalog(tmp_path):
    catalog = copy_catalog(tmp_path / "catalog")
    run_all(tmp_path / "run", catalog=catalog, dialogues=1)
    (tmp_path / "catalog" / "mail.json").unlink()
    stage._load.cache_clear()  # as in another process
    with pytest.raises(RunError, match=r"catalog .* has changed since the run was started; restore it"):
        Run.resume(tmp_path / "run")


def test_changed_settings(tmp_path, calm):
    folder = copy_run(calm, tmp_path / "run")
    manifest = read_manifest(folder)
    manifest["settings"]["tools"] = 7
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match="the settings in its manifest were changed"):
        Run.resume(folder)


@pytest.mark.parametrize("text", ["", "{", '{"format": 2}'])
def test_manifest_that_cannot_be_read(tmp_path, calm, text):
    folder = copy_run(calm, tmp_path / "run")
    (folder / "manifest.json").write_text(text)
    with pytest.raises(RunError, match="not a manifest that this version can resume"):
        Run.resume(folder)


def test_folder_in_use(tmp_path, catalog):
    run = Run.start(RunSettings(catalog=catalog, dialogues=1), tmp_path / "run")
    with pytest.raises(RunError, match=r"another toolflow \(process \d+\) is working in"):
        Run.resume(tmp_path / "run")
    run.close()
    assert resume(tmp_path / "run") == [0]


def test_damaged_line_is_named(tmp_path, calm):
    folder = copy_run(calm, tmp_path / "run")
    lines = (folder / "dialogues.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "dialogues.jsonl").write_bytes(b"".join([lines[0], b"{}\n", *lines[2:]]))
    with pytest.raises(DatasetError, match=r"dialogues\.jsonl, line 2: not a dialogue of this run; delete the line"):
        Run.resume(folder)


def test_checkpoints_revive_no_other_type(tmp_path, calm):
    """What is written into the file by someone else is data; nothing in it is imported or called."""
    folder = copy_run(calm, tmp_path / "run")
    whole = read_files(folder)
    (folder / "dialogues.jsonl").write_bytes(b"")
    touched = tmp_path / "touched"
    evil = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "system", f"touch {touched}"))))
    with sqlite3.connect(folder / "checkpoints.sqlite") as connection:
        connection.execute("UPDATE writes SET value = ?, type = 'msgpack' WHERE channel = 'distractors'", (evil,))
        connection.execute("UPDATE writes SET type = 'pickle' WHERE channel = 'world'")
    resume(folder)
    assert not touched.exists()
    assert read_files(folder) == whole
