"""`toolflow evaluate --judge`, and its neighbours `rate` and `agreement`, as commands."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from endpoint import Endpoint
from judging import make_dialogues, make_judge, make_row, write_rows
from toolflow_graph.cli.evaluate import evaluate_app
from toolflow_graph.errors import BudgetExceeded, ModelError


class ConstantEncoder:
    """Places all texts alike; how they are embedded is nothing to the judge."""

    name = "constant"
    dimension = 4

    def encode(self, texts):
        return np.full((len(texts), self.dimension), 0.5, np.float32)


@pytest.fixture(autouse=True)
def quick_encoder(monkeypatch):
    monkeypatch.setattr("toolflow_graph.cli.evaluate._load_encoder", lambda *_: ConstantEncoder())


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path, text in zip(paths, ("It is 14 degrees.", "Fourteen."), strict=True):
        make_dialogues(path, 12, text=text)
    return paths


def run(*arguments):
    return CliRunner().invoke(evaluate_app, list(map(str, arguments)), env={"COLUMNS": "160"})


def score(_model, name, _dimension):
    return 2 + int(name[1:]) % 4


def test_judge_adds_its_measures_and_is_asked_once(files, tmp_path):
    out, cache, verdicts = tmp_path / "e.json", tmp_path / "cache.jsonl", tmp_path / "verdicts.jsonl"
    with Endpoint(make_judge(score)) as endpoint:
        options = ["--judge", "test-model", "--base-url", endpoint.base_url, "--judge-cache", cache, "--json", out]
        result = run(*files, *options, "--judge-out", verdicts)
        assert result.exit_code == 0, result.output
        asked = len(endpoint.log)
        assert run(*files, *options).exit_code == 0
    assert asked == len(endpoint.log) == 24
    assert "NAT, naturalness" in result.output
    assert "NAT of d0" in result.output
    content = json.loads(out.read_text())
    for evaluation in content["evaluations"]:
        measures = {measure["key"]: measure for measure in evaluation["measures"]}
        assert measures["help"]["value"] == pytest.approx(3.5)
        assert measures["help"]["low"] < 3.5 < measures["help"]["high"]
        assert evaluation["worst"]["acc"][0]["excerpt"] == "ACC of d0"
        assert evaluation["settings"]["judge"]["models"] == ["test-model"]
    difference = next(d for d in content["comparisons"][0]["differences"] if d["key"] == "coh")
    assert (difference["value"], difference["beyond_chance"]) == (0, False)
    assert len(verdicts.read_text().splitlines()) == 24


def write_chats(path, count):
    """Dialogues of two rounds each."""
    rows = [make_row(f"d{n}") for n in range(count)]
    for row in rows:
        row["messages"] += [
            {"role": "user", "content": f"And in Rome? {row['id']}"},
            {"role": "assistant", "content": "14."},
        ]
    return write_rows(path, rows)


def judge_entailment(request):
    return {"value": {"label": "entailment" if request["messages"][1]["content"].endswith("d0") else "neutral"}}


def test_entailment_by_a_chat_model_is_asked_once(tmp_path):
    chats, out = write_chats(tmp_path / "chats.jsonl", 4), tmp_path / "e.json"
    with Endpoint(judge_entailment) as endpoint:
        options = ["--nli-judge", "test-model", "--base-url", endpoint.base_url, "--judge-cache", tmp_path / "v.jsonl"]
        assert run(chats, *options, "--json", out).exit_code == 0
        asked = sum(not entry.probe for entry in endpoint.log)
        first = out.read_bytes()
        assert run(chats, *options, "--json", out).exit_code == 0
        assert sum(not entry.probe for entry in endpoint.log) == asked == 4
    assert out.read_bytes() == first
    (evaluation,) = json.loads(first)["evaluations"]
    enr = next(measure for measure in evaluation["measures"] if measure["key"] == "enr")
    assert enr["value"] == 1 / 4
    assert "by chat model test-model" in enr["note"]


def test_limit_holds_for_entailment_and_goes_on(tmp_path):
    chats, cache = write_chats(tmp_path / "chats.jsonl", 8), tmp_path / "v.jsonl"
    with Endpoint(judge_entailment) as endpoint:
        options = ["--nli-judge", "test-model", "--base-url", endpoint.base_url, "--judge-cache", cache]
        result = run(chats, *options, "--max-tokens", 4500)
        assert isinstance(result.exception, BudgetExceeded)
        paid = len(cache.read_bytes().splitlines())
        assert 0 < paid < 8
        before = sum(not entry.probe for entry in endpoint.log)
        assert run(chats, *options).exit_code == 0
        assert sum(not entry.probe for entry in endpoint.log) == before + 8 - paid


def test_entailment_by_one_backend(tmp_path):
    chats = write_chats(tmp_path / "chats.jsonl", 2)
    result = run(chats, "--nli-model", "some/model", "--nli-judge", "test-model")
    assert result.exit_code == 2
    assert "give --nli-model or --nli-judge" in result.output


def test_judge_that_fails_takes_nothing_else_away(files, tmp_path):
    out = tmp_path / "e.json"
    with Endpoint(models=("else",)) as endpoint:
        result = run(files[0], "--judge", "test-model", "--base-url", endpoint.base_url, "--json", out)
    assert isinstance(result.exception, ModelError)
    assert "Structure" in result.output
    assert json.loads(out.read_text())["evaluations"][0]["dialogues"] == 12


def test_endpoint_without_a_model_is_wrong_usage(files):
    assert run(files[0], "--base-url", "http://127.0.0.1:9/v1").exit_code == 2


def test_rate_and_agreement_are_subcommands(files, tmp_path):
    out = tmp_path / "ratings.jsonl"
    assert run("rate", files[0], "--rater", "ada", "--out", out, "--export", tmp_path / "x.csv").exit_code == 0
    assert "nothing to compare" in str(run("agreement", out).exception)
