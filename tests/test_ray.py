"""Workers on a Ray cluster of several nodes, all of them here: the same bytes, whatever dies, and one budget."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from endpoint import Endpoint
from players import Players
from postgres import PASSWORD, find_port, serve_postgres
from runs import play, read_files, read_rows, run_all
from toolflow_graph.errors import BudgetExceeded, RunError, SettingsError
from toolflow_graph.runner import Run
from toolflow_graph.runner.database import Database, list_begun
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
def test_a_killed_actor_is_replaced_and_a_run_may_go_on_elsewhere(tmp_path, cluster, catalog, calm):
    run = Run.start(settle(cluster, catalog), tmp_path / "run")
    before = signal.getsignal(signal.SIGTERM)
    killed = []

    def disturb(event):
        if event.counts.done == 3 and not killed:
            killed.extend(find_actors(cluster)[:1])
            os.kill(killed[0], signal.SIGKILL)
        if event.counts.done == 18:
            run.stop()

    play(run, disturb)
    assert len(killed) == 1
    assert signal.getsignal(signal.SIGTERM) == before
    assert len(read_rows(tmp_path / "run" / "dialogues.jsonl")) < 24
    assert list((tmp_path / "run").glob("checkpoints*")) == []
    play(Run.resume(tmp_path / "run", engine="local", workers=1))
    assert read_files(tmp_path / "run") == read_files(calm)


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
        ({"engine": "ray", "checkpoints": "journal"}, "no common file for checkpoints"),
        ({"engine": "ray", "cast": "llm", "execute": "all", "models": {"model": "m"}}, "on this machine only"),
        ({"engine": "ray", "ray_address": "ray://host:10001"}, "on a machine of the cluster"),
    ],
    ids=["address", "checkpoints", "execute", "client"],
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


def test_a_cluster_without_a_database_keeps_no_checkpoints():
    assert RunSettings(engine="ray").keeping == "none"
    assert RunSettings(engine="ray", checkpoint_url="postgresql://host/name").keeping == "keep"
