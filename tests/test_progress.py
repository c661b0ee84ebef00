"""How far a run is: as figures, as a line, as a file, and as JSON for machines."""

import json
import os

import pytest

from runs import copy_catalog, read_rows
from toolflow_graph.cli.app import main
from toolflow_graph.cli.progress import say_progress
from toolflow_graph.models.answers import Usage
from toolflow_graph.runner import progress
from toolflow_graph.runner.lines import LineFile
from toolflow_graph.runner.manifest import Counts
from toolflow_graph.runner.progress import Pace, Progress, write_status


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved: `clock[0] += 5`."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def count(accepted, rejected=0, planned=100):
    return Counts(planned=planned, accepted=accepted, rejected=rejected)


def test_the_rate_is_that_of_the_last_minute(clock):
    pace = Pace(count(0))
    first = pace.look("running", count(0), None)
    assert (first.rate, first.seconds_left, first.tokens, first.cost) == (None, None, None, None)
    for second in range(1, 121):
        clock[0] += 1
        pace.look("running", count(min(second, 60) + max(0, second - 60) // 4), None)
    assert pace.look("running", count(75), None).rate == pytest.approx(0.25, abs=0.02)


def test_what_is_rejected_takes_time_too(clock):
    pace = Pace(count(0))
    clock[0] += 10
    seen = pace.look("running", count(20, rejected=20), None)
    assert seen.rate == pytest.approx(4)
    assert seen.seconds_left == pytest.approx(80 / 0.5 / 4)


def test_dialogues_of_earlier_sessions_do_not_count_as_fast(clock):
    pace = Pace(count(50))
    clock[0] += 10
    assert pace.look("running", count(60), None).rate == pytest.approx(1)


def test_an_unknown_cost_is_not_nothing():
    usage = Usage(requests=2, prompt=10, completion=5, cost=0.5)
    assert Pace(count(0)).look("running", count(0), usage).cost == 0.5
    unpriced = usage.model_copy(update={"unpriced": 1})
    seen = Pace(count(0)).look("running", count(0), unpriced)
    assert (seen.cost, seen.tokens) == (None, 15)


def make(**changes):
    nothing = {"rate": None, "seconds_left": None, "tokens": None, "cost": None, "processes": (1,)}
    given = {"status": "running", "time": 0, "seconds": 1, "planned": 9, "accepted": 1, "rejected": 0, **nothing}
    return Progress(**given | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"rate": 12.34, "seconds_left": 3725.0}, "12.3/s · 1:02:05 left"),
        ({"rate": 0.05, "rejected": 1234}, "3.0/min · [red]1,234 rejected[/]"),
        ({"tokens": 45_600, "cost": 1234.5}, "46k tokens · $1,234.50"),
        ({"tokens": 7_890_000}, "7.9M tokens"),
    ],
    ids=["nothing", "fast", "slow", "cost", "tokens"],
)
def test_progress_in_words(changes, said):
    assert say_progress(make(**changes)) == said


def test_the_status_file_is_replaced(tmp_path):
    write_status(tmp_path, make())
    write_status(tmp_path, make(accepted=5))
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    assert json.loads((tmp_path / "status.json").read_text())["accepted"] == 5


def test_progress_for_machines(tmp_path, capsys):
    catalog = copy_catalog(tmp_path / "catalog")
    options = ["-n", "3", "--catalog", catalog, "--out", str(tmp_path / "run"), "--progress", "json"]
    with pytest.raises(SystemExit) as left:
        main(["generate", *options, "--checkpoints", "none"])
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert left.value.code == 0
    assert (lines[0]["status"], lines[0]["planned"], lines[0]["accepted"]) == ("running", 3, 0)
    assert (lines[-1]["status"], lines[-1]["accepted"], lines[-1]["seconds_left"]) == ("complete", 3, 0)
    assert (lines[0]["processes"], lines[-1]["processes"]) == ([os.getpid()], [])
    assert lines[-1].keys() == Progress.model_fields.keys()


def test_of_a_line_that_stands_twice_the_last_counts(tmp_path):
    path = tmp_path / "dialogues.jsonl"
    path.write_bytes(b'{"index": 2}\n{"index": 1}\n{"index": 2, "a": 1}\n')
    file = LineFile(path)
    assert [row["index"] for row in file.recover()] == list(file) == [2, 1, 2]
    file.append(0, b'{"index": 0}\n')
    file.sort()
    file.close()
    assert [list(row) for row in read_rows(path)] == [["index"], ["index"], ["index", "a"]]
