"""Runs published as shards, in a folder and in a store that fsspec knows, and read from there."""

import json
import re
import shutil
import sys

import fsspec
import pytest

from runs import read_rows, run_all
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import open_dialogues, read_lines
from toolflow_graph.errors import DatasetError, RunError
from toolflow_graph.runner import Run
from toolflow_graph.runner.publishing import publish_run
from toolflow_graph.settings import RunSettings
from toolflow_graph.shards import ShardFolder, is_url


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
        return write(self, name, chunks)

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


# Every reader takes them


@pytest.fixture(params=["jsonl", "parquet"])
def published(request, run, tmp_path):
    """A set in a store without paths."""
    url = f"memory://{tmp_path.name}/set"
    publish_run(run, url, encoding=request.param, shard_size=3)
    yield url
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


@pytest.mark.slow
def test_what_is_published_is_evaluated_validated_and_compared(run, published, tmp_path, monkeypatch, capsys):
    figures = []
    for source in (run, published):
        out = tmp_path / "figures.json"
        assert call(monkeypatch, "evaluate", source, "--ss-sample", "2", "--json", out) == 0
        (evaluation,) = json.loads(out.read_text())["evaluations"]
        figures.append({m["key"]: m["value"] for m in evaluation["measures"] if m["key"] != "catalog_coverage"})
    assert figures[0] == figures[1]
    capsys.readouterr()
    assert call(monkeypatch, "validate", published) == 0
    assert capsys.readouterr().out == "7 dialogues: nothing found\n"
    (tmp_path / "benchmark.txt").write_text("Nothing of all this stands anywhere else.")
    against = ["--against", tmp_path / "benchmark.txt", "--ngrams-only", "--drop", tmp_path / "clean.jsonl"]
    assert call(monkeypatch, "overlap", published, *against) == 0
    assert "7 of 7 dialogues written" in capsys.readouterr().out
    assert (tmp_path / "clean.jsonl").read_bytes() == (run / "dialogues.jsonl").read_bytes()
    assert call(monkeypatch, "overlap", run, "--against", published, "--ngrams-only", "--fail") == 1
    assert call(monkeypatch, "report", published, "--out", tmp_path / "report.html", "--no-evaluate") == 0
    assert "7 dialogues" in capsys.readouterr().out


def test_leaks_are_left_out_of_shards(run, published, tmp_path, monkeypatch, capsys):
    rows = read_rows(run / "dialogues.jsonl")
    spoken = [(len(m["content"]), m["content"], row) for row in rows for m in row["messages"] if m["role"] == "user"]
    _, said, leaking = max(spoken, key=lambda one: one[0])
    (tmp_path / "benchmark.txt").write_text(said)
    against = ["--against", tmp_path / "benchmark.txt", "--ngrams-only", "--drop", tmp_path]
    assert call(monkeypatch, "overlap", published, *against) == 0
    assert "6 of 7 dialogues written" in capsys.readouterr().out
    assert [row["id"] for row in read_rows(tmp_path / "set.jsonl")] == [row["id"] for row in rows if row != leaking]


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "SOURCE", "--ss-sample", "0"],
        ["validate", "SOURCE"],
        ["overlap", "SOURCE", "--against", "bfcl", "--ngrams-only"],
        ["report", "SOURCE", "--out", "OUT", "--no-evaluate"],
        ["export", "SOURCE", "-f", "trl", "--out", "OUT"],
        ["finetune", "SOURCE", "--out", "OUT"],
        ["evaluate", "rate", "SOURCE", "--rater", "ada"],
    ],
    ids=lambda words: " ".join(words[: words.index("SOURCE")]),
)
def test_a_store_without_a_set_is_one_line(words, tmp_path, monkeypatch, capsys):
    url = f"memory://{tmp_path.name}/nothing"
    monkeypatch.chdir(tmp_path)
    given = [{"SOURCE": url, "OUT": tmp_path / "out"}.get(word, word) for word in words]
    assert call(monkeypatch, *given) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert f"{url}: no published data set: it has no index.json" in said[-1]


def test_figures_do_not_overwrite_a_shard(run, tmp_path, monkeypatch, capsys):
    publish_run(run, str(tmp_path / "set"))
    shard = tmp_path / "set" / "dialogues-00000-of-00001.jsonl"
    before = shard.read_bytes()
    for words in (["export", "-f", "trl", "-o", shard], ["overlap", "--against", shard, "--drop", shard]):
        assert call(monkeypatch, words[0], tmp_path / "set", *words[1:]) == 1
        assert "is a file that is being" in " ".join(capsys.readouterr().err.split())
    assert shard.read_bytes() == before


# Parquet


def test_parquet_keeps_every_byte_and_is_what_a_trainer_reads(run, tmp_path):
    datasets = pytest.importorskip("datasets")
    index = publish_run(run, str(tmp_path / "set"), encoding="parquet", shard_size=3)
    assert [shard.name for shard in index.shards] == [f"dialogues-{n:05d}-of-00003.parquet" for n in range(3)]
    whole = (run / "dialogues.jsonl").read_bytes()
    assert b"".join(raw for _, _, raw in read_lines(tmp_path / "set")) == whole
    files = str(tmp_path / "set" / "dialogues-*.parquet")
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    expected = read_rows(run / "dialogues.jsonl")
    assert [row["record"].encode() + b"\n" for row in rows] == whole.splitlines(keepends=True)
    for row, line in zip(rows, expected, strict=True):
        assert json.loads(row["tools"]) == line["tools"]
        assert (row["id"], row["patterns"], row["turns"]) == (line["id"], line["patterns"], line["usage"]["turns"])
        assert [set(said) for said in row["messages"]] == [set(said) for said in line["messages"]], "nothing is padded"
        calls = [call for said in row["messages"] for call in said.get("tool_calls", ())]
        given = [call for said in line["messages"] for call in said.get("tool_calls", ())]
        assert [c["function"]["arguments"] for c in calls] == [json.loads(c["function"]["arguments"]) for c in given]


def test_parquet_that_was_broken_off_goes_on(run, place, monkeypatch):
    with monkeypatch.context() as patch:
        count_writes(patch, stop_at=3)
        with pytest.raises(DatasetError, match="gone away"):
            publish_run(run, place, encoding="parquet", shard_size=3)
    with pytest.raises(DatasetError, match="holds dialogues as parquet; name another folder"):
        publish_run(run, place, shard_size=3)
    written = count_writes(monkeypatch)
    publish_run(run, place, encoding="parquet", shard_size=3)
    assert len(written) == 5
    assert [dialogue.record for dialogue in open_dialogues(place)] == [d.record for d in open_dialogues(run)]


def test_damaged_parquet_is_noticed_before_anything_of_it_is_read(run, tmp_path):
    publish_run(run, str(tmp_path / "set"), encoding="parquet")
    damage(tmp_path / "set", "dialogues-00000-of-00001.parquet", lambda old: old[:500] + b"x" + old[501:])
    with pytest.raises(DatasetError, match=r"00000-of-00001\.parquet: not what was published"):
        next(open_dialogues(tmp_path / "set"))


def test_a_line_that_is_no_dialogue_is_named(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    lines = (run / "dialogues.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "run" / "dialogues.jsonl").write_bytes(b"".join([*lines[:4], b'{"id": "x"}\n', *lines[5:]]))
    with pytest.raises(RunError, match=r"dialogues\.jsonl, line 5: not a dialogue as a run writes it"):
        publish_run(tmp_path / "run", str(tmp_path / "set"), encoding="parquet", shard_size=3)


def test_parquet_names_what_is_missing(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert call(monkeypatch, "publish", run, tmp_path / "set", "--format", "parquet") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "Parquet needs `pyarrow`: pip install 'toolflow-graph[export]'" in said
    assert not (tmp_path / "set").exists()
