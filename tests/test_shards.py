"""Runs published as shards, in a folder and in a store that fsspec knows, and read from there."""

import json
import re

import fsspec
import pytest

from runs import copy_catalog, read_rows, run_all
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import open_dialogues
from toolflow_graph.errors import DatasetError, RunError
from toolflow_graph.runner import Run
from toolflow_graph.runner.publishing import publish_run
from toolflow_graph.settings import RunSettings
from toolflow_graph.shards import ShardFolder, is_url


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return copy_catalog(tmp_path_factory.mktemp("catalog"))


@pytest.fixture(scope="module")
def run(catalog, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_all(folder, catalog=catalog, dialogues=7, seed=2)
    return folder


@pytest.fixture(params=["memory", "path", "file"])
def place(request, tmp_path):
    """Places of three kinds, each empty."""
    if request.param == "memory":
        yield f"memory://{tmp_path.name}/set"
        fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)
    else:
        yield f"{'file://' if request.param == 'file' else ''}{tmp_path}/odd:: name/set"


def read_files(place):
    fs, root = fsspec.core.url_to_fs(place) if is_url(place) else (fsspec.filesystem("file"), place)
    return {path.rpartition("/")[2]: fs.cat_file(path) for path in fs.ls(root, detail=False) if fs.isfile(path)}


def count_writes(monkeypatch, stop_at=None):
    written = []
    write = ShardFolder.write

    def count(self, name, chunks):
        if len(written) == stop_at:
            raise DatasetError("the store has gone away")
        written.append(name)
        write(self, name, chunks)

    monkeypatch.setattr(ShardFolder, "write", count)
    return written


def test_a_published_run_is_its_dialogues(run, place):
    told = []
    index = publish_run(run, place, shard_size=3, on_shard=lambda shard, there: told.append((shard.name, there)))
    names = [f"dialogues-{number:05d}-of-00003.jsonl" for number in range(3)]
    assert told == [(name, False) for name in names]
    files = read_files(place)
    assert sorted(files) == [*names, "index.json"]
    assert b"".join(files[name] for name in names) == (run / "dialogues.jsonl").read_bytes()
    assert json.loads(files["index.json"]) == index.model_dump(mode="json")
    assert [shard.dialogues for shard in index.shards] == [3, 3, 1]
    read = list(open_dialogues(place))
    assert [dialogue.record for dialogue in read] == [dialogue.record for dialogue in open_dialogues(run)]
    assert (read[4].line, str(read[4].path).endswith(f"set/{names[1]}")) == (2, True)


def test_what_is_published_is_not_published_again(run, place, monkeypatch):
    with monkeypatch.context() as patch:
        count_writes(patch, stop_at=3)
        with pytest.raises(DatasetError, match="gone away"):
            publish_run(run, place, shard_size=3)
    with pytest.raises(DatasetError, match="only 3 of 7 dialogues are published; finish it with toolflow publish"):
        list(open_dialogues(place))
    written = count_writes(monkeypatch)
    assert publish_run(run, place, shard_size=3).complete
    assert written == [
        *("dialogues-00001-of-00003.jsonl", "index.json", "dialogues-00002-of-00003.jsonl", "index.json", "index.json")
    ]
    written.clear()
    publish_run(run, place, shard_size=3)
    assert written == []
    assert len(list(open_dialogues(place))) == 7


def test_a_place_holds_one_data_set(run, place, catalog, tmp_path):
    publish_run(run, place, shard_size=3)
    with pytest.raises(DatasetError, match="holds dialogues in shards of another size; name another folder"):
        publish_run(run, place, shard_size=2)
    run_all(tmp_path / "other", catalog=catalog, dialogues=7, seed=2)
    with pytest.raises(DatasetError, match="holds dialogues of another run"):
        publish_run(tmp_path / "other", place, shard_size=3)


def test_only_a_complete_run_that_stays_as_it_was_is_published(run, catalog, tmp_path):
    with pytest.raises(RunError, match="is not a run"):
        publish_run(tmp_path, str(tmp_path / "set"))
    begun = Run.start(RunSettings(catalog=catalog, dialogues=2), tmp_path / "begun")
    with pytest.raises(RunError, match=r"not complete, .* finish it with --resume"):
        publish_run(tmp_path / "begun", str(tmp_path / "set"))
    begun.close()
    publish_run(run, str(tmp_path / "set"), shard_size=4)
    whole = (run / "dialogues.jsonl").read_bytes()
    (run / "dialogues.jsonl").write_bytes(b"\n".join(whole.splitlines()[::-1]))
    with pytest.raises(RunError, match=r"has changed since dialogues-00000-of-00002\.jsonl was published"):
        publish_run(run, str(tmp_path / "set"), shard_size=4)
    (run / "dialogues.jsonl").write_bytes(whole)


def damage(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (
            "dialogues-00001-of-00003.jsonl",
            lambda old: old.replace(b'"seed": 2', b'"seed": 3'),
            "not what was published",
        ),
        ("dialogues-00001-of-00003.jsonl", lambda old: old.splitlines(True)[0], "not what was published"),
        ("index.json", lambda old: old[:50], "not an index of shards"),
        ("index.json", lambda old: old.replace(b"dialogues-00001-", b"../dialogues-"), "is no name of a shard"),
        ("index.json", lambda old: old.replace(b"dialogues-00001-", b"gone-"), "gone-of-00003.jsonl: not found"),
    ],
    ids=["changed", "torn", "index", "elsewhere", "missing"],
)
def test_damage_is_noticed(run, tmp_path, name, change, said):
    publish_run(run, str(tmp_path / "set"), shard_size=3)
    damage(tmp_path / "set", name, change)
    with pytest.raises(DatasetError, match=said):
        list(open_dialogues(tmp_path / "set"))


def test_a_store_that_cannot_be_used_is_one_line(run):
    with pytest.raises(DatasetError, match="nowhere://x: Protocol not known: nowhere"):
        publish_run(run, "nowhere://x")
    with pytest.raises(DatasetError, match=r"memory://empty: no published data set: it has no index\.json"):
        list(open_dialogues("memory://empty"))


# The command line


def call(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["toolflow", *map(str, words)])
    try:
        main()
    except SystemExit as exc:
        return exc.code or 0
    return 0


def test_publish_and_export_between_stores(run, tmp_path, monkeypatch, capsys):
    url = f"memory://{tmp_path.name}"
    assert call(monkeypatch, "publish", run, f"{url}/set", "--shard-size", 4) == 0
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"dialogues-00000-of-00002\.jsonl: 4 dialogues, [\d,]+ bytes", said[0])
    assert said[-1] == f"7 dialogues published in {url}/set"
    assert call(monkeypatch, "export", f"{url}/set", "-f", "trl", "-o", f"{url}/out/train.jsonl") == 0
    assert f"data_files='{url}/out/train.jsonl'" in capsys.readouterr().out
    assert call(monkeypatch, "export", run, "-f", "trl", "-o", tmp_path / "train.jsonl") == 0
    assert read_files(f"{url}/out") == {"train.jsonl": (tmp_path / "train.jsonl").read_bytes()}
    assert len(read_rows(tmp_path / "train.jsonl")) == 7
    assert call(monkeypatch, "export", f"{url}/set", "-f", "hf", "-o", f"{url}/hub/") == 0
    assert list(read_files(f"{url}/hub/data")) == ["train-00000-of-00001.parquet"]
    assert b"shards `set`" in read_files(f"{url}/hub")["README.md"]
    assert call(monkeypatch, "export", f"{url}/nothing", "-f", "trl", "-o", f"{url}/none/train.jsonl") == 1
    assert not fsspec.filesystem("memory").exists(f"/{tmp_path.name}/none")
