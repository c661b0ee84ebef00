"""Workers on a Ray cluster of several nodes, all of them here: the same bytes, whatever dies, and one budget."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from endpoint import Endpoint
from players import Players
from postgres import PASSWORD, find_port, serve_postgres
from runs import play, read_files, read_rows, run_all
from toolflow_graph.dataset import dialogue_id
from toolflow_graph.errors import BudgetExceeded, RunError, SettingsError
from toolflow_graph.runner import Run
from toolflow_graph.runner.checkpoints import GroupSaver, list_threads
from toolflow_graph.runner.database import Database, list_begun
from toolflow_graph.runner.folder import find_checkpoints
from toolflow_graph.runner.ray_engine import RayEngine
from toolflow_graph.settings import RunSettings, parse_settings

KEY = "planted-key-of-a-model"
NODE = {"object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1"}


@pytest.fixture(scope="module")
def calm(catalog, tmp_path_factory):
    """A run of 24 dialogues in one process."""
    folder = tmp_path_factory.mktemp("calm") / "run"
    run_all(folder, catalog=catalog, dialogues=24, seed=11)
    return folder


@pytest.fixture(scope="module")
def cluster():
    """A head without a CPU and two nodes with one each; what is secret is in the environment of all of them."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PGPASSWORD", PASSWORD)
        patch.setenv("TOOLFLOW_TEST_KEY", KEY)
        paths = os.pathsep.join((str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")))
        patch.setenv("PYTHONPATH", paths)  # nodes start workers in a folder of their own
        patch.setattr("ray._private.services.node_ip_address_from_perspective", lambda *_: "127.0.0.1")
        head = {"num_cpus": 0, "include_dashboard": False, **NODE}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(2):
                cluster.add_node(num_cpus=1, **NODE)
            yield cluster
        finally:
            cluster.shutdown()


def find_actors(cluster):
    raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.worker_nodes]
    children = [child for pid in raylets for child in psutil.Process(pid).children(recursive=True)]
    return [child.pid for child in children if "ray::_Actor" in " ".join(child.cmdline())]


def settle(cluster, catalog, **more):
    cast = {"dialogues": 24, "seed": 11, "engine": "ray", "ray_address": cluster.address, "workers": 2}
    return RunSettings(**{**cast, "catalog": catalog, "concurrency": 3, **more})


@pytest.mark.slow
def test_a_run_that_was_stopped_on_a_cluster_goes_on_elsewhere_and_back(tmp_path, cluster, catalog, calm):
    before = signal.getsignal(signal.SIGTERM)
    for engine, workers, stop in (("ray", 2, 6), ("local", 2, 12), ("ray", 2, 18), ("local", 1, 24)):
        if engine == "ray" and stop == 6:
            run = Run.start(settle(cluster, catalog), tmp_path / "run")
        else:
            address = cluster.address if engine == "ray" else None
            run = Run.resume(tmp_path / "run", engine=engine, workers=workers, ray_address=address)
        begun = find_steps(tmp_path / "run", unfinished(tmp_path / "run"))
        play(run, lambda event, run=run, stop=stop: run.stop() if event.counts.done == stop < 24 else None)
        assert run.damages == ()
        assert_played_on(tmp_path / "run", begun)
        assert begun or stop == 6
    assert signal.getsignal(signal.SIGTERM) == before
    assert read_files(tmp_path / "run") == read_files(calm)


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["actor", "node"])
def test_what_a_lost_worker_was_playing_goes_on_inside_the_dialogue(tmp_path, cluster, catalog, calm, lost):
    """Killed is a worker of which a dialogue has just saved its fifth step; no step that was saved is played again."""
    run = Run.start(settle(cluster, catalog), tmp_path / "run")
    saved: dict[str, list[str]] = {}
    in_hand: dict[str, list[str]] = {}
    account_for = RayEngine._account_for

    def watch(self, worker, message):
        account_for(self, worker, message)
        if message[0] != "save" or message[1] != "checkpoint" or in_hand:
            return
        for thread, _, step, *_ in message[2]:
            saved.setdefault(thread, []).append(step)
        if len(saved[thread]) == 5:
            threads = (dialogue_id(11, index) for index in worker.orders)
            in_hand.update({thread: saved[thread] for thread in threads if thread in saved})
            lose(cluster, find_pid(worker), lost)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RayEngine, "_account_for", watch)
        play(run)
    if lost == "node":
        cluster.add_node(num_cpus=1, **NODE)
    assert max(map(len, in_hand.values())) == 5
    assert_played_on(tmp_path / "run", in_hand)
    assert read_files(tmp_path / "run") == read_files(calm)


@pytest.mark.slow
def test_steps_that_cannot_be_kept_end_the_run_in_one_line(tmp_path, cluster, catalog, calm):
    written = []
    write = GroupSaver._write

    def refuse(self, batches):
        written.append(len(batches))
        if len(written) == 11:  # there is room again at once, and no dialogue may have a gap
            raise sqlite3.OperationalError("database or disk is full")
        write(self, batches)

    run = Run.start(settle(cluster, catalog), tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GroupSaver, "_write", refuse)
        with pytest.raises(RunError, match=r"disk is full; all finished dialogues are kept: make room, then --resume"):
            play(run)
    play(Run.resume(tmp_path / "run", engine="local", workers=1))
    assert read_files(tmp_path / "run") == read_files(calm)


def lose(cluster, pid, what):
    if what == "actor":
        os.kill(pid, signal.SIGKILL)
    else:
        node = next(n for n in cluster.worker_nodes if pid in find_actors_of(n))
        cluster.remove_node(node, allow_graceful=False)


def find_pid(worker):
    from ray._private.state import actors  # noqa: PLC0415

    return actors(worker.line._actor._actor_id.hex())["Pid"]


def unfinished(folder):
    done = {row["id"] for name in ("dialogues.jsonl", "rejected.jsonl") for row in read_rows(folder / name)}
    return {thread for path in find_checkpoints(folder) for thread in list_threads(path)} - done


def find_steps(folder, threads):
    """The checkpoints of dialogues with what each follows, in the file in which a dialogue came farthest."""
    steps = {}
    query = "SELECT checkpoint_id, parent_checkpoint_id FROM checkpoints WHERE thread_id = ? ORDER BY 1"
    for path in find_checkpoints(folder):
        with closing(sqlite3.connect(path)) as connection:
            for thread in threads:
                found = dict(connection.execute(query, (thread,)).fetchall())
                steps[thread] = max(steps.get(thread, {}), found, key=lambda ids: max(ids, default=""))
    return steps


def assert_played_on(folder, begun):
    """Each dialogue is one chain of steps, which begins with those that had been saved."""
    for thread, steps in find_steps(folder, begun).items():
        assert [*steps.values()] == [None, *steps][:-1]
        assert [*steps][: len(begun[thread])] == sorted(begun[thread])


@pytest.mark.slow
def test_a_budget_holds_over_all_machines_and_no_key_is_written(tmp_path, cluster, catalog):
    values = {"cast": "llm", "catalog": catalog, "tools": 8, "seed": 3, "patterns": ("single",), "workers": 2}
    values |= {"dialogues": 8, "max_attempts": 1, "engine": "ray", "ray_address": cluster.address}
    players = Players(parse_settings({**values, "models": {"model": "test-model"}}))
    with Endpoint(players) as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLFLOW_TEST_KEY", KEY)
        models = {"base_url": endpoint.base_url, "model": "test-model", "max_tokens": 40_000}
        settings = parse_settings({**values, "models": {**models, "key_env": "TOOLFLOW_TEST_KEY"}})
        with pytest.raises(BudgetExceeded, match="max_tokens 40,000"):
            play(Run.start(settings, tmp_path / "run"))
        paid = [entry for entry in (*endpoint.log, *endpoint.probes) if entry.status == 200]
    assert 20_000 < sum(entry.tokens for entry in paid) <= 40_000
    entries = read_rows(tmp_path / "run" / "spending.jsonl")
    assert sum(entry["usage"].get("requests", 0) for entry in entries) == len(paid)
    session = Path(cluster.head_node.get_session_dir_path())
    files = [path for folder in (tmp_path, session / "logs") for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


@pytest.mark.slow
def test_a_node_is_lost_and_its_dialogues_go_on_from_the_database(tmp_path, cluster, catalog, calm, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with serve_postgres() as url:
        settings = settle(cluster, catalog, checkpoint_url=url, checkpoints="keep")
        run = Run.start(settings, tmp_path / "run")
        taken = []

        def disturb(event):
            if event.counts.done == 3 and not taken:
                busy = find_actors(cluster)[0]
                node = next(n for n in cluster.worker_nodes if busy in find_actors_of(n))
                taken.append(node)
                cluster.remove_node(node, allow_graceful=False)

        play(run, disturb)
        assert len(taken) == 1
        assert read_files(tmp_path / "run") == read_files(calm)
        manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
        assert len(list_begun(Database(url, manifest["run"]))) == 24


def find_actors_of(node):
    children = psutil.Process(node.all_processes["raylet"][0].process.pid).children(recursive=True)
    return {child.pid for child in children}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ray_address": "host:6379"}, "of no use without --engine ray"),
        ({"engine": "ray", "cast": "llm", "execute": "all", "models": {"model": "m"}}, "on this machine only"),
        ({"engine": "ray", "ray_address": "ray://host:10001"}, "on a machine of the cluster"),
    ],
    ids=["address", "execute", "client"],
)
def test_what_a_cluster_cannot_do_is_refused(values, said):
    with pytest.raises(SettingsError, match=said):
        parse_settings(values)


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "nowhere", "127.0.0.1:many"])
def test_a_cluster_that_does_not_answer_is_one_line(tmp_path, catalog, address):
    address = address.format(port=find_port())
    run = Run.start(RunSettings(catalog=catalog, dialogues=2, engine="ray", ray_address=address), tmp_path / "run")
    with pytest.raises(RunError, match=rf"no Ray cluster answers at '{address}'.*HOST:PORT"):
        play(run)
