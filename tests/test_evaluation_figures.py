"""The arithmetic of the figures, against NLTK, SciPy and scikit-learn on random dialogues."""

import math
from collections import Counter

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from toolflow_graph.evaluation.bootstrap import (
    Ratio,
    assign_groups,
    estimate_by_jackknife,
    estimate_ratios,
    estimate_variety,
)
from toolflow_graph.evaluation.comparison import adjust_by_holm
from toolflow_graph.evaluation.words import (
    Corpus,
    estimate_distinct,
    estimate_entropy,
    measure_distinct,
    measure_entropy,
    split_words,
)

WORDS = st.sampled_from(["a", "b", "cat", "don't", "7", "été", "Dog"])
TURN = st.lists(WORDS, max_size=12).map(" ".join)
SET = st.lists(st.lists(TURN, max_size=4), min_size=1, max_size=12)


def list_grams(dialogues, length):
    """N-grams of each dialogue by NLTK, turn by turn."""
    import nltk  # noqa: PLC0415

    return [[g for turn in d for g in nltk.ngrams(turn.lower().split(), length)] for d in dialogues]


@settings(deadline=None)
@given(SET)
def test_entropy_is_that_of_scipy_and_nltk(dialogues):
    import nltk  # noqa: PLC0415

    counts = nltk.FreqDist(word for turns in dialogues for turn in turns for word in turn.lower().split())
    found = measure_entropy(Corpus.read(dialogues))
    if counts:
        assert found == pytest.approx(scipy.stats.entropy(list(counts.values()), base=2), abs=1e-9)
    else:
        assert found is None


@settings(deadline=None)
@given(SET, st.integers(1, 4))
def test_distinct_ngrams_are_those_of_nltk(dialogues, length):
    grams = [gram for found in list_grams(dialogues, length) for gram in found]
    found = measure_distinct(Corpus.read(dialogues), length)
    assert found == (pytest.approx(len(set(grams)) / len(grams)) if grams else None)


@settings(deadline=None)
@given(SET, st.integers(1, 3), st.integers(0, 100))
def test_jackknife_leaves_out_each_group(dialogues, length, seed):
    corpus = Corpus.read(dialogues)
    groups = assign_groups(len(dialogues), np.random.default_rng(seed))
    grams = list_grams(dialogues, length)
    without = []
    for group in range(groups.max() + 1):
        rest = [gram for found, own in zip(grams, groups, strict=True) if own != group for gram in found]
        without += [len(set(rest)) / len(rest)] if rest else []
    whole = measure_distinct(corpus, length)
    found = estimate_distinct(corpus, length, groups)
    if whole is None:
        assert found.value is None
        return
    expected = estimate_by_jackknife(whole, without, most=1.0)
    assert found.value == pytest.approx(expected.value)
    assert found.error == (pytest.approx(expected.error) if expected.error is not None else None)


def test_entropy_without_each_group():
    rng = np.random.default_rng(2)
    dialogues = [[" ".join(rng.choice(list("abcdefgh"), 20)) for _ in range(3)] for _ in range(30)]
    groups = assign_groups(30, rng)
    without = []
    for group in range(groups.max() + 1):
        words = Counter(
            word
            for turns, own in zip(dialogues, groups, strict=True)
            if own != group
            for turn in turns
            for word in turn.split()
        )
        without.append(scipy.stats.entropy(list(words.values()), base=2))
    found = estimate_entropy(Corpus.read(dialogues), groups)
    assert found.error == pytest.approx(math.sqrt(29 / 30 * ((np.array(without) - np.mean(without)) ** 2).sum()))
    assert found.low < found.value < found.high


def test_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(4).normal(size=40)
    without = [np.delete(values, place).mean() for place in range(40)]
    assert estimate_by_jackknife(values.mean(), without, least=-9).error == pytest.approx(scipy.stats.sem(values))


def test_intervals_of_distinct_ngrams_hold_what_other_samples_show():
    """Sets of one source scatter about as the jackknife of one of them says, and never more than twice as much."""
    rng = np.random.default_rng(9)
    weights = 1 / np.arange(1, 500)
    words = np.array([f"w{number}" for number in range(499)])

    def draw():
        lengths = rng.integers(3, 15, 100)
        return Corpus.read([[" ".join(rng.choice(words, n, p=weights / weights.sum()))] for n in lengths])

    sets = [draw() for _ in range(60)]
    for length in (1, 2, 3):
        scatter = np.std([measure_distinct(corpus, length) for corpus in sets], ddof=1)
        errors = [estimate_distinct(c, length, assign_groups(100, rng)).error for c in sets[:20]]
        assert 0.7 * scatter < np.mean(errors) < 2 * scatter


def test_bootstrap_of_a_ratio_is_that_of_scipy():
    rng = np.random.default_rng(6)
    turns = rng.integers(1, 8, 80)
    calls = rng.binomial(turns, 0.6)
    (found,) = estimate_ratios([Ratio.of(calls, turns)], np.random.default_rng(0), replicates=4000)
    expected = scipy.stats.bootstrap(
        (calls, turns),
        lambda above, below, axis=-1: above.sum(axis) / below.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    assert found.value == calls.sum() / turns.sum()
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.01)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.01)
    assert found.error == pytest.approx(expected.standard_error, rel=0.1)


def test_bootstrap_is_repeatable_and_needs_ten_dialogues():
    ratio = Ratio.of(range(12))
    first, second = (estimate_ratios([ratio], np.random.default_rng(5))[0] for _ in range(2))
    assert (first.low, first.high) == (second.low, second.high)
    (few,) = estimate_ratios([Ratio.of(range(9))], np.random.default_rng(5))
    assert few.value == 4
    assert few.low is None
    assert few.high is None


@pytest.mark.parametrize(("seen", "side"), [(0, "low"), (1, "high")])
def test_a_share_that_was_never_seen_is_not_known_to_be_nought(seen, side):
    (found,) = estimate_ratios([Ratio.of([seen] * 100)], np.random.default_rng(0))
    exact = scipy.stats.binomtest(100 * seen, 100).proportion_ci(method="exact")
    assert found.value == seen
    assert getattr(found, side) == seen
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_nothing_to_divide_by():
    (found,) = estimate_ratios([Ratio.of([0] * 20, [0] * 20)], np.random.default_rng(0))
    assert found.value is None


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=30), st.integers(0, 50))
def test_variety_without_each_group(items, seed):
    groups = assign_groups(len(items), np.random.default_rng(seed))
    found = estimate_variety(items, groups)
    assert found.value == len(set().union(*items))
    without = [
        len(set().union(*(own for own, at in zip(items, groups, strict=True) if at != group), set()))
        for group in range(groups.max() + 1)
    ]
    assert found.error == estimate_by_jackknife(found.value, without).error


def test_holm_is_that_of_its_definition():
    values = [0.01, 0.04, 0.03, 0.005]
    assert adjust_by_holm(values) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_by_holm([]) == []
    assert adjust_by_holm([0.9, 0.8]) == [1.0, 1.0]


def test_words_are_lower_cased_and_keep_their_apostrophes():
    assert split_words("I don't THINK so, it’s 3.50 — co-op_x") == [
        "i", "don't", "think", "so", "it’s", "3", "50", "co", "op", "x",
    ]  # fmt: skip


def test_ngrams_do_not_cross_turns():
    assert measure_distinct(Corpus.read([["a b", "c d"]]), 3) is None
    assert measure_distinct(Corpus.read([["a b c", "a b c"]]), 3) == 0.5


def test_part_of_a_corpus_is_the_corpus_of_the_part():
    dialogues = [["a b c", "d"], [], ["a b"], ["x y z a b c"]]
    part = Corpus.read(dialogues).take(np.array([0, 3]))
    alone = Corpus.read([dialogues[0], dialogues[3]])
    assert part.size == 2
    assert list(part.count_words()) == list(alone.count_words())
    for length in (1, 2, 3):
        assert measure_distinct(part, length) == measure_distinct(alone, length)
    assert measure_entropy(part) == pytest.approx(measure_entropy(alone))
