"""Sets published in a real S3 store: moto's server on the loopback, asked through s3fs.

s3fs and moto want `python-dateutil` below 3, which `constraints.txt` is above; where they are not installed this is
skipped: pip install s3fs 'moto[s3,server]'
"""

import pytest

from runs import copy_catalog, run_all
from toolflow_graph.dataset import open_dialogues, read_lines
from toolflow_graph.errors import DatasetError
from toolflow_graph.runner import publishing
from toolflow_graph.runner.publishing import publish_run
from toolflow_graph.shards import ShardFolder

moto = pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")
pytestmark = pytest.mark.slow

BUCKET = "bucket"
PLACE = f"s3://{BUCKET}/set"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_all(folder, catalog=copy_catalog(tmp_path_factory.mktemp("catalog")), dialogues=7, seed=2)
    return folder


@pytest.fixture
def store(monkeypatch):
    """A bucket with nothing in it."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        fs = s3fs.S3FileSystem()
        fs.mkdir(BUCKET)
        yield fs
        fs.rm(BUCKET, recursive=True)  # moto's servers of one process share what they hold
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()


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
    s3fs.S3FileSystem.clear_instance_cache()
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
