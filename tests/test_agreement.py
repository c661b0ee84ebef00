"""Agreement against second implementations, and from files to a table."""

import json
from itertools import combinations

import numpy as np
import pytest
import scipy
import typer
from typer.testing import CliRunner

from judging import DIMENSIONS, make_row, write_rows
from toolflow_graph.cli.rate import agreement
from toolflow_graph.dataset import read_dialogues
from toolflow_graph.errors import DatasetError
from toolflow_graph.evaluation.agreement import kappa, measure_agreement, pearson
from toolflow_graph.evaluation.ratings import (
    Comparison,
    Judgements,
    Rating,
    Score,
    Verdict,
    encode_line,
    fingerprint_dialogue,
    read_judgements,
)

app = typer.Typer()
app.command()(agreement)
NAMES = [f"{number:032x}" for number in range(40)]


def cohen_kappa_score(*labels, **options):
    from sklearn import metrics  # noqa: PLC0415

    return metrics.cohen_kappa_score(*labels, **options)


def make_ratings(rater, scores, dimensions=DIMENSIONS):
    return [
        Rating(rater=rater, dialogue=name, fingerprint=name, dimension=dimension, score=int(score))
        for name, score in zip(NAMES, scores, strict=False)
        for dimension in dimensions
    ]


def make_verdicts(model, scores):
    return [
        Verdict(
            dialogue=name,
            line=1,
            fingerprint=name,
            model=model,
            order=DIMENSIONS,
            scores={d: Score(reason="So.", score=int(score)) for d in DIMENSIONS},
        )
        for name, score in zip(NAMES, scores, strict=False)
    ]


def draw_scores(seed, count=40):
    rng = np.random.default_rng(seed)
    first = rng.integers(1, 6, count)
    return first, np.clip(first + rng.integers(-1, 2, count), 1, 5)


def find(figures, statistic, dimension, one=None):
    (found,) = (f for f in figures if (f.statistic, f.dimension) == (statistic, dimension) and one in (None, f.one))
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weights", [None, "quadratic"], ids=["plain", "quadratic"])
def test_kappa_is_that_of_scikit_learn(seed, weights):
    one, other = draw_scores(seed)
    counts = np.random.default_rng(seed).integers(0, 4, (3, 40)).astype(float)
    found = kappa(one - 1, other - 1, 5, counts, weighted=weights is not None)
    for value, row in zip(found, counts, strict=True):
        expected = cohen_kappa_score(one, other, labels=[1, 2, 3, 4, 5], weights=weights, sample_weight=row)
        assert value == pytest.approx(expected)


def test_kappa_of_a_worked_example():
    """Two readers of 50 proposals, 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: 0.4, as is well known."""
    one = np.repeat([0, 0, 1, 1], [20, 5, 10, 15])
    other = np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    assert kappa(one, other, 2, np.ones((1, 50)), weighted=False)[0] == pytest.approx(0.4)


@pytest.mark.parametrize("seed", range(5))
def test_pearson_is_that_of_scipy(seed):
    one, other = draw_scores(seed)
    counts = np.random.default_rng(seed).integers(0, 4, (3, 40))
    for value, row in zip(pearson(one.astype(float), other.astype(float), counts.astype(float)), counts, strict=True):
        assert value == pytest.approx(scipy.stats.pearsonr(np.repeat(one, row), np.repeat(other, row)).statistic)


def test_raters_and_judge_together():
    first, second = draw_scores(0)
    third = draw_scores(1)[0]
    people = {"ada": first, "bob": second, "cleo": third}
    ratings = [rating for rater, scores in people.items() for rating in make_ratings(rater, scores)]
    judge = np.clip(first + np.random.default_rng(9).integers(0, 2, 40), 1, 5)
    figures = measure_agreement(Judgements(tuple(make_verdicts("m", judge)), tuple(ratings)))
    plain = [cohen_kappa_score(people[a], people[b]) for a, b in combinations(people, 2)]
    mean = find(figures, "kappa", "NAT", "mean of the pairs")
    assert mean.value == pytest.approx(np.mean(plain))
    assert mean.low < mean.value < mean.high
    assert mean.items == 40
    against = find(figures, "Pearson", "NAT")
    assert (against.one, against.other) == ("mean of 3 raters", "m")
    assert against.value == pytest.approx(scipy.stats.pearsonr(np.mean(list(people.values()), axis=0), judge).statistic)
    assert against.low < against.value < against.high
    assert find(figures, "Pearson", None).value == pytest.approx(against.value)


def test_interval_covers_what_a_resampling_by_hand_gives():
    one, other = draw_scores(3)
    figures = measure_agreement(Judgements(ratings=(*make_ratings("a", one), *make_ratings("b", other))))
    found = find(figures, "weighted kappa", "COH")
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, 40, 40) for _ in range(400)]
    values = [cohen_kappa_score(one[d], other[d], labels=[1, 2, 3, 4, 5], weights="quadratic") for d in draws]
    low, high = np.quantile(values, (0.025, 0.975))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06)
    assert figures == measure_agreement(Judgements(ratings=(*make_ratings("a", one), *make_ratings("b", other))))


def test_only_what_both_have_rated_counts():
    one, other = draw_scores(2)
    ratings = (*make_ratings("a", one), *make_ratings("b", other[:25]), *make_ratings("c", one[:5], ["ACC"]))
    figures = measure_agreement(Judgements(ratings=ratings))
    found = next(f for f in figures if (f.statistic, f.dimension, f.one, f.other) == ("kappa", "NAT", "a", "b"))
    assert found.items == 25
    assert found.value == pytest.approx(cohen_kappa_score(one[:25], other[:25]))
    lacking = next(f for f in figures if (f.statistic, f.dimension, f.one, f.other) == ("kappa", "NAT", "a", "c"))
    assert (lacking.value, lacking.note) == (None, "nothing in common")


def test_constant_scores_have_no_figure():
    ratings = (*make_ratings("a", [5] * 10), *make_ratings("b", [5] * 10))
    figures = measure_agreement(Judgements(tuple(make_verdicts("m", range(1, 6))), ratings))
    assert {(f.value, f.low) for f in figures} == {(None, None)}
    assert "always gave the same" in figures[0].note


def test_committee_counts_as_one_more_judge():
    one, other = draw_scores(4)
    verdicts = [v for m, s in {"x": one, "y": other, "z": other}.items() for v in make_verdicts(m, s)]
    figures = measure_agreement(Judgements(tuple(verdicts), tuple(make_ratings("ada", one))))
    assert {f.other for f in figures} == {"x", "y", "z", "median of the models"}
    median = next(f for f in figures if (f.other, f.dimension) == ("median of the models", "NAT"))
    assert median.value == pytest.approx(scipy.stats.pearsonr(one, other).statistic)


def test_comparisons_agree_on_the_dialogue_and_not_on_the_side():
    def compare(rater, left, right, choice):
        return Comparison(rater=rater, left=left, right=right, dimension="NAT", choice=choice)

    pairs = list(zip(NAMES[:20], NAMES[20:], strict=True))
    ada = [compare("ada", a, b, "left" if n % 3 else "right") for n, (a, b) in enumerate(pairs)]
    bob = [compare("bob", b, a, "right" if n % 3 else "left") for n, (a, b) in enumerate(pairs)]
    figures = measure_agreement(Judgements(comparisons=(*ada, *bob)))
    found = find(figures, "kappa", "NAT")
    assert (found.of, found.items, found.value) == ("comparisons", 20, pytest.approx(1))


def test_nothing_in_common_is_an_error():
    with pytest.raises(DatasetError, match="nothing to compare"):
        measure_agreement(Judgements(ratings=tuple(make_ratings("ada", [1, 2, 3]))))


def test_files_to_table(tmp_path):
    path = tmp_path / "ratings.jsonl"
    one, other = draw_scores(0)
    clicks = [*make_ratings("ada", other), *make_ratings("ada", one), *make_ratings("bob", other)]
    clicks.append(clicks[-1].model_copy(update={"score": None}))
    path.write_bytes(b"".join(map(encode_line, clicks)) + b'{"rater": "ada", "dial')
    verdicts = tmp_path / "verdicts.jsonl"
    verdicts.write_bytes(b"".join(map(encode_line, make_verdicts("judge-model", one))))
    read = read_judgements([path])
    assert len(read.ratings) == 2 * 40 * 4 - 1
    assert {r.score for r in read.ratings if r.rater == "ada" and r.fingerprint == NAMES[0]} == {int(one[0])}
    out = tmp_path / "figures.json"
    result = CliRunner().invoke(app, [str(path), str(verdicts), "--json", str(out)], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "ada and bob" in result.output
    assert "judge-model" in result.output
    rows = json.loads(out.read_text())
    shown = next(row["value"] for row in rows if (row["statistic"], row["dimension"]) == ("kappa", "NAT"))
    assert shown == pytest.approx(cohen_kappa_score(one, other))
    assert f"{shown:.2f}" in result.output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "d0", "messages": []}', "line 1: neither a rating nor a verdict"),
        ("[1]", "line 1: not JSON"),
        ('{"rater": "a", "dialogue": "d", "fingerprint": "f", "dimension": "NAT", "score": 7}', "field 'score'"),
        ('{"rater": "a", "dialogue": "d", "fingerprint": "f", "dimension": "FUN", "score": 4}', "field 'dimension'"),
        ('{"rater": "a", "score": NaN}', "NaN is not JSON"),
    ],
    ids=["dialogues", "list", "out of range", "unknown dimension", "NaN"],
)
def test_files_that_are_none(tmp_path, line, message):
    path = tmp_path / "file.jsonl"
    path.write_text(line + "\n" + line + "\n")
    with pytest.raises(DatasetError, match=message):
        read_judgements([path])
    with pytest.raises(DatasetError, match="cannot be read"):
        read_judgements([tmp_path / "none.jsonl"])


def test_fingerprint_is_that_of_the_content(tmp_path):
    rows = [make_row("d0"), {**make_row("d0"), "id": "another"}, make_row("d1")]
    rows[1]["messages"][2]["tool_calls"][0]["function"]["arguments"] = {"city": "Oslo"}  # as TRL has it
    prints = [fingerprint_dialogue(d) for d in read_dialogues(write_rows(tmp_path / "rows.jsonl", rows))]
    assert prints[0] == prints[1] != prints[2]
