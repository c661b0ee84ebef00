"""Checkpoints in PostgreSQL: the same bytes, shared by all workers and runs, and no password anywhere."""

import asyncio
import json
import os
import pickle
import signal
import traceback

import psycopg
import pytest

from postgres import PASSWORD, find_port, serve_postgres
from runs import play, read_files, run_all
from toolflow_graph.cli.app import main
from toolflow_graph.errors import RunError, SettingsError
from toolflow_graph.runner import Run
from toolflow_graph.runner.database import Database, list_begun, read_address
from toolflow_graph.runner.replay import open_replay
from toolflow_graph.settings import RunSettings, parse_settings


@pytest.fixture(scope="module")
def calm(catalog, tmp_path_factory):
    """A run of 16 dialogues in one process, with checkpoints in a file."""
    folder = tmp_path_factory.mktemp("calm") / "run"
    run_all(folder, catalog=catalog, dialogues=16, seed=5)
    return folder


@pytest.fixture(scope="module")
def server():
    with serve_postgres() as address:
        yield address


@pytest.fixture
def url(server, monkeypatch):
    """The address with `$NAME` for the password."""
    monkeypatch.setenv("TOOLFLOW_TEST_PASSWORD", PASSWORD)
    return server.replace("toolflow@", "toolflow:$TOOLFLOW_TEST_PASSWORD@")


def find_database(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    return Database(manifest["settings"]["checkpoint_url"], manifest["run"])


def count_rows(server, run):
    with psycopg.connect(server, password=PASSWORD) as connection:
        query = "SELECT count(*) FROM {} WHERE starts_with(thread_id, %s)"
        tables = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
        return [connection.execute(query.format(table), (run,)).fetchone()[0] for table in tables]


def test_the_dialogues_are_those_of_a_run_with_files(tmp_path, catalog, calm, url, server):
    """Two runs in one database, with the same dialogues; one is stopped and resumed, the other keeps a journal."""
    common = {"catalog": catalog, "dialogues": 16, "seed": 5, "checkpoint_url": url, "concurrency": 3}
    kept, journal = tmp_path / "kept", tmp_path / "journal"
    play(Run.start(RunSettings(**common), kept))
    run = Run.start(RunSettings(**common, checkpoints="journal"), journal)
    play(run, lambda event: event.counts.done == 6 and run.stop())
    finished = {json.loads(line)["id"] for line in (journal / "dialogues.jsonl").read_text().splitlines()}
    assert not finished & set(list_begun(find_database(journal)))
    play(Run.resume(journal))
    assert read_files(kept) == read_files(journal) == read_files(calm)
    assert list_begun(find_database(kept)) == [f"s5-{index:06d}" for index in range(16)]
    assert count_rows(server, find_database(journal).run) == [0, 0, 0]
    assert [*kept.glob("checkpoints*"), *journal.glob("checkpoints*")] == []


def test_a_resumed_run_goes_on_from_the_checkpoints(tmp_path, catalog, calm, url, monkeypatch):
    run_all(tmp_path / "run", catalog=catalog, dialogues=16, seed=5, checkpoint_url=url)
    whole = read_files(calm)
    (tmp_path / "run" / "dialogues.jsonl").write_bytes(b"".join(whole["dialogues.jsonl"].splitlines(True)[:-3]))
    monkeypatch.setattr("toolflow_graph.dialogue.nodes.load_stage", None)  # a node that runs would call it
    assert sorted(play(Run.resume(tmp_path / "run"))) == [13, 14, 15]
    assert read_files(tmp_path / "run") == whole


@pytest.mark.slow
def test_another_worker_takes_over_from_one_that_was_killed(tmp_path, catalog, calm, url):
    settings = RunSettings(catalog=catalog, dialogues=16, seed=5, checkpoint_url=url, workers=2, concurrency=4)
    run = Run.start(settings, tmp_path / "run")

    def disturb(event):
        if event.counts.done == 2:
            os.kill(run.look().processes[0], signal.SIGKILL)

    play(run, disturb)
    assert read_files(tmp_path / "run") == read_files(calm)
    assert len(list_begun(find_database(tmp_path / "run"))) == 16


def test_a_dialogue_is_looked_back_at_and_forked(tmp_path, catalog, calm, url):
    run_all(tmp_path / "run", catalog=catalog, dialogues=16, seed=5, checkpoint_url=url)
    before = read_steps(calm, 3)
    assert read_steps(tmp_path / "run", 3) == before
    assert len(before) > 5

    async def fork():
        async with open_replay(tmp_path / "run", "3") as replay:
            return (await replay.fork(3, {})).record, replay.record

    forked, original = asyncio.run(fork())
    assert forked == original
    with pytest.raises(RunError, match="has no checkpoints of 's5-000099'"):
        read_steps(tmp_path / "run", 99)


def read_steps(folder, index):
    async def read():
        async with open_replay(folder, str(index)) as replay:
            return [(step.node, step.next, [message.content for message in step.said]) for step in replay.steps]

    return asyncio.run(read())


def test_no_password_is_written_down(tmp_path, catalog, url, server, monkeypatch):
    run_all(tmp_path / "one", catalog=catalog, dialogues=2, checkpoint_url=url)
    monkeypatch.setenv("WHOLE_ADDRESS", read_address(url)[0])
    run_all(tmp_path / "two", catalog=catalog, dialogues=2, checkpoint_url="$WHOLE_ADDRESS")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    run_all(tmp_path / "three", catalog=catalog, dialogues=2, checkpoint_url=server)
    escaped = read_address(url)[0].split(":")[2].split("@")[0]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
            assert escaped.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://toolflow:planted@host/name",
        "postgres://toolflow:plan/ted@host:5432",
        "postgresql://host/name?user=toolflow&password=planted",
        "postgresql://$USER:planted-$HOME@host",
        "mysql://toolflow:planted@host/name",
        "planted",
    ],
)
def test_an_address_with_a_password_is_refused_without_showing_it(address):
    for parse in (lambda: parse_settings({"checkpoint_url": address}), lambda: RunSettings(checkpoint_url=address)):
        with pytest.raises((SettingsError, ValueError), match="checkpoint_url") as caught:
            parse()
        shown = "".join(traceback.format_exception(caught.value))
        assert not any(part in shown.replace(__file__, "") for part in ("planted", "plan/ted")), shown


def test_what_a_database_refuses_is_said_in_a_line_without_the_password(tmp_path, catalog, url, monkeypatch):
    settings = {"catalog": catalog, "dialogues": 2}
    down = f"postgresql://toolflow:$TOOLFLOW_TEST_PASSWORD@127.0.0.1:{find_port()}/postgres"
    with pytest.raises(RunError, match="Connection refused") as caught:
        Run.start(RunSettings(**settings, checkpoint_url=down), tmp_path / "down")
    assert not (tmp_path / "down").exists()
    assert "$TOOLFLOW_TEST_PASSWORD" in str(caught.value)
    monkeypatch.setenv("TOOLFLOW_TEST_PASSWORD", "guessed-secret")
    with pytest.raises(RunError, match="password authentication failed") as caught:
        Run.start(RunSettings(**settings, checkpoint_url=url), tmp_path / "wrong")
    assert "guessed-secret" not in "".join(traceback.format_exception(caught.value))
    for odd in ("u:guessed-secret@[::1:x/y", "u:guessed-secret%zz@host/y", "host/y?password=guessed-secret%zz"):
        monkeypatch.setenv("TOOLFLOW_TEST_PASSWORD", f"postgresql://{odd}")
        with pytest.raises(RunError, match="checkpoints in") as caught:
            Run.start(RunSettings(**settings, checkpoint_url="$TOOLFLOW_TEST_PASSWORD"), tmp_path / "odd")
        assert "guessed-secret" not in "".join(traceback.format_exception(caught.value))
    monkeypatch.delenv("TOOLFLOW_TEST_PASSWORD")
    with pytest.raises(RunError, match="the environment has no TOOLFLOW_TEST_PASSWORD"):
        Run.start(RunSettings(**settings, checkpoint_url=url), tmp_path / "unset")


def test_a_database_that_goes_away_ends_the_run_which_goes_on_later(tmp_path, catalog, calm, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    port = find_port()
    with serve_postgres(port) as address:
        run = Run.start(RunSettings(catalog=catalog, dialogues=16, seed=5, checkpoint_url=address), tmp_path / "run")

        def cut(event):
            if event.counts.done == 3:
                with psycopg.connect(address) as connection:
                    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    connection.execute(query + " AND backend_type = 'client backend'")

        with pytest.raises(RunError, match="all finished dialogues are kept: mend it, then resume"):
            play(run, cut)
        assert 3 <= len((tmp_path / "run" / "dialogues.jsonl").read_bytes().splitlines()) < 16
        play(Run.resume(tmp_path / "run"))
    assert read_files(tmp_path / "run") == read_files(calm)


def test_nothing_but_plain_data_is_revived(tmp_path, catalog, url, server):
    """Whoever can write to the database cannot have code run by those who read it."""
    run_all(tmp_path / "run", catalog=catalog, dialogues=1, checkpoint_url=url)
    mark = tmp_path / "executed"

    class Planted:
        def __reduce__(self):
            return (mark.touch, ())

    with psycopg.connect(server, password=PASSWORD) as connection:
        for table in ("checkpoint_blobs", "checkpoint_writes"):
            connection.execute(f"UPDATE {table} SET type = 'pickle', blob = %s", (pickle.dumps(Planted()),))  # noqa: S608
    whole = (tmp_path / "run" / "dialogues.jsonl").read_bytes()
    (tmp_path / "run" / "dialogues.jsonl").write_bytes(b"")
    play(Run.resume(tmp_path / "run"))
    assert not mark.exists()
    assert (tmp_path / "run" / "dialogues.jsonl").read_bytes() == whole  # what cannot be read begins anew


@pytest.mark.parametrize(
    ("change", "thread"),
    [
        ("UPDATE checkpoint_writes SET blob = overlay(blob placing 'X' from 3) WHERE thread_id = %s", 1),
        ("UPDATE checkpoint_blobs SET type = 'empty' WHERE thread_id = %s", 2),
        ("UPDATE checkpoint_writes SET channel = 'plan' WHERE thread_id = %s AND channel = 'messages'", 3),
        ("UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{id}', '\"x\"') WHERE thread_id = %s", 4),
        ("UPDATE checkpoints SET metadata = metadata || '{\"step\": 99}' WHERE thread_id = %s", 5),
        ("UPDATE checkpoints SET type = NULL WHERE thread_id = %s", 6),
    ],
    ids=["write", "blob", "place", "checkpoint", "metadata", "unsealed"],
)
def test_of_damaged_rows_only_their_dialogue_begins_anew(stopped, server, change, thread):
    folder, whole = stopped
    (folder / "dialogues.jsonl").write_bytes(b"")
    dialogue = f"s5-{thread:06d}"
    database = find_database(folder)
    with psycopg.connect(server, password=PASSWORD) as connection:
        assert connection.execute(change, (database.name_thread(dialogue),)).rowcount > 0
    with pytest.raises(RunError, match=f"the checkpoints of '{dialogue}' are damaged"):
        read_steps(folder, thread)
    run = Run.resume(folder)
    assert run.damages == (f"{database.address}: damaged checkpoints of {dialogue}; begun anew",)
    assert dialogue not in list_begun(database)
    play(run)
    assert read_files(folder) == whole
    assert dialogue in list_begun(database)


@pytest.fixture
def stopped(tmp_path, catalog, calm, url):
    """A folder with all checkpoints in the database, and the files of an undisturbed run."""
    run_all(tmp_path / "run", catalog=catalog, dialogues=16, seed=5, checkpoint_url=url)
    return tmp_path / "run", read_files(calm)


def test_the_command_line_takes_the_address(tmp_path, catalog, url, monkeypatch, capsys):
    command = ["generate", "-n", "2", "--catalog", catalog, "--out", str(tmp_path / "run"), "--checkpoint-url", url]
    assert call(monkeypatch, *command, "--progress", "none") == 0
    assert list_begun(find_database(tmp_path / "run")) == ["s0-000000", "s0-000001"]
    assert call(monkeypatch, "generate", "--resume", str(tmp_path / "run"), "--checkpoint-url", url) == 2
    assert "--checkpoint-url cannot be given with --resume" in " ".join(capsys.readouterr().err.split())


def call(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["toolflow", *words])
    try:
        main()
    except SystemExit as exc:
        return exc.code or 0
    return 0
