"""Sets published in a real S3 store: moto's server on the loopback, asked through s3fs."""

import sys

import pytest
from fsspec.registry import _registry as loaded

from postgres import find_port
from runs import run_all
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import open_dialogues, read_lines
from toolflow_graph.errors import DatasetError
from toolflow_graph.runner import publishing
from toolflow_graph.runner.publishing import publish_run
from toolflow_graph.shards import ShardFolder

pytestmark = pytest.mark.slow

BUCKET = "bucket"
PLACE = f"s3://{BUCKET}/set"


@pytest.fixture(scope="module")
def run(catalog, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_all(folder, catalog=catalog, dialogues=7, seed=2)
    return folder


@pytest.fixture(scope="module")
def server():
    """The address of a server."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - takes a second

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@pytest.fixture
def account(monkeypatch, tmp_path):
    """Credentials, and no others than these; what they are may be changed."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield monkeypatch
    forget_stores()


@pytest.fixture
def store(server, account):
    """A bucket with nothing in it."""
    from s3fs import S3FileSystem  # noqa: PLC0415 - takes a second

    account.setenv("AWS_ENDPOINT_URL_S3", server)
    forget_stores()
    fs = S3FileSystem()
    fs.mkdir(BUCKET)
    yield fs
    fs.rm(BUCKET, recursive=True)


def forget_stores():
    """Have the next one look anew, at the environment and at what is there."""
    from s3fs import S3FileSystem  # noqa: PLC0415

    S3FileSystem.clear_instance_cache()


def list_names(fs):
    return sorted(path.rpartition("/")[2] for path in fs.find(f"{BUCKET}/set", refresh=True))


@pytest.mark.parametrize("encoding", ["jsonl", "parquet"])
def test_what_is_published_in_s3_is_read_from_there(run, store, encoding):
    index = publish_run(run, PLACE, encoding=encoding, shard_size=3)
    assert list_names(store) == [*(shard.name for shard in index.shards), "index.json"]
    assert b"".join(raw for _, _, raw in read_lines(PLACE)) == (run / "dialogues.jsonl").read_bytes()
    assert [d.record for d in open_dialogues(PLACE)] == [d.record for d in open_dialogues(run)]


@pytest.mark.parametrize("moment", ["while it is written", "before the index names it"])
def test_a_shard_that_was_cut_off_does_not_count(run, store, monkeypatch, moment):
    """The second shard is broken off; what is there then is refused as incomplete, and is finished later."""
    with monkeypatch.context() as patch:
        if moment == "while it is written":
            cut_writing(patch)
        else:
            cut_commit(patch)
        with pytest.raises(DatasetError, match="the line is dead"):
            publish_run(run, PLACE, shard_size=3)
    forget_stores()
    with pytest.raises(DatasetError, match="only 3 of 7 dialogues are published"):
        list(open_dialogues(PLACE))
    told = {}
    publish_run(run, PLACE, shard_size=3, on_shard=lambda shard, there: told.update({shard.name: there}))
    assert list(told.values()) == [True, False, False]
    assert [d.record for d in open_dialogues(PLACE)] == [d.record for d in open_dialogues(run)]
    assert [name for name in list_names(store) if name.startswith(".")] == []


def cut_writing(patch):
    write = ShardFolder.write

    def break_off(self, name, chunks):
        def some():
            yield next(chunks)
            raise OSError("the line is dead")

        return write(self, name, some() if name.startswith("dialogues-00001") else chunks)

    patch.setattr(ShardFolder, "write", break_off)


def cut_commit(patch):
    write_index = publishing.ShardFolder.write_index

    def break_off(self, index):
        if len(index.shards) == 2:
            raise DatasetError("the line is dead")
        write_index(self, index)

    patch.setattr(ShardFolder, "write_index", break_off)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [("no key", "Unable to locate credentials"), ("no server", "Could not connect to the endpoint URL")],
)
def test_a_store_that_refuses_is_one_line(run, account, capsys, trouble, said):
    """The library's errors have no common class with those of files."""
    account.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{find_port()}")
    account.setenv("AWS_MAX_ATTEMPTS", "1")
    if trouble == "no key":
        account.delenv("AWS_ACCESS_KEY_ID")
    refuse(account, capsys, run, said)


def test_a_missing_package_is_named(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(loaded, "s3", raising=False)
    refuse(monkeypatch, capsys, run, "pip install 'toolflow-graph[s3]'")


def refuse(monkeypatch, capsys, run, said):
    monkeypatch.setattr("sys.argv", ["toolflow", "publish", str(run), PLACE])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr().err
    assert end.value.code == 1
    assert told.startswith(f"toolflow: {PLACE}: ")
    assert said in " ".join(told.split())
