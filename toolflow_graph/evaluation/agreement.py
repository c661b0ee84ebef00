"""Whether those who judge agree: Cohen's kappa between people, Pearson between people and the judge (paper, section 4).

Every interval is that of a bootstrap over dialogues. Kappa is taken of each pair of raters, over the dialogues that
both have rated, and averaged over the pairs.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from toolflow_graph.errors import DatasetError
from toolflow_graph.evaluation.ratings import DIMENSIONS, Comparison, Dimension, Judgements, Rating, Verdict
from toolflow_graph.evaluation.resampling import bound, draw_weights
from toolflow_graph.types import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Agreement", "Statistic", "kappa", "measure_agreement", "pearson"]

Statistic = Literal["kappa", "weighted kappa", "Pearson"]

_POINTS = 5
_ALL_RATERS, _COMMITTEE = "mean of the pairs", "median of the models"


class Agreement(Record):
    """One figure of agreement: `one` and `other` say between whom, `items` over how many dialogues (or pairs).

    `of` is what was judged: scores from 1 to 5, or which of two is better. `dimension` is None for the mean over the
    dimensions. `value` is None where it is not defined, such as when everybody always gave the same score; `note` then
    says so.
    """

    statistic: Statistic
    of: Literal["scores", "comparisons"]
    dimension: Dimension | None
    one: str
    other: str
    items: int
    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


class _Item(NamedTuple):
    """What one rater said in one dimension: `thing` is what they judged, `category` counts from 0."""

    rater: str
    dimension: Dimension
    thing: str
    category: int


def measure_agreement(judgements: Judgements, *, seed: int = 0) -> list[Agreement]:
    """Return all figures that the ratings and verdicts allow: first kappa, then Pearson.

    Pearson is taken between the mean of the people's scores of a dialogue and a model's score, and the median of the
    models where there are several. Of comparisons, which dialogue of a pair was preferred is compared, whatever side it
    stood on. Raises `DatasetError` where there is nothing to compare.
    """
    scores = [_Item(r.rater, r.dimension, r.fingerprint, int(r.score or 0) - 1) for r in judgements.ratings]
    choices = [_read_comparison(comparison) for comparison in judgements.comparisons]
    found = [
        *_compare_raters(scores, "scores", _POINTS, seed),
        *_compare_raters(choices, "comparisons", len(_PREFERENCES), seed),
        *_compare_with_models(judgements.ratings, judgements.verdicts, seed),
    ]
    if not found:
        raise DatasetError(
            f"nothing to compare: {len({r.rater for r in judgements.ratings}):,} people's scores and "
            f"{len({v.model for v in judgements.verdicts}):,} models' verdicts, of no dialogue in common; give the "
            "ratings of two people at least, or those of one and a file of verdicts of the same dialogues"
        )
    return found


_PREFERENCES = ("first", "same", "second")
"""Of a pair in the order of the fingerprints, which has nothing to do with the files or the sides."""


def _read_comparison(comparison: Comparison) -> _Item:
    pair = sorted((comparison.left, comparison.right))
    preferred = {"left": comparison.left, "right": comparison.right}.get(comparison.choice or "")
    category = 1 if preferred is None else 2 * pair.index(preferred)
    return _Item(comparison.rater, comparison.dimension, "/".join(pair), category)


def _compare_raters(
    items: Sequence[_Item], of: Literal["scores", "comparisons"], categories: int, seed: int
) -> list[Agreement]:
    raters = sorted({item.rater for item in items})
    if len(raters) < 2:
        return []
    things = {thing: place for place, thing in enumerate(sorted({item.thing for item in items}))}
    tables = {dimension: np.full((len(raters), len(things)), -1) for dimension in DIMENSIONS}
    for item in items:
        tables[item.dimension][raters.index(item.rater), things[item.thing]] = item.category
    weights = draw_weights(len(things), seed)
    pairs = [
        (one, other)
        for one, other in combinations(range(len(raters)), 2)
        if any(_shared(table, one, other).any() for table in tables.values())
    ]
    if not pairs:
        return []
    found = []
    ways: tuple[Statistic, ...] = ("kappa", "weighted kappa")
    for statistic in ways:
        weighted = statistic == "weighted kappa"
        replicates: dict[tuple[Dimension, int, int], Callable[[Any], Any]] = {
            (dimension, one, other): _make_kappa(table[one], table[other], categories, weighted=weighted)
            for dimension, table in tables.items()
            for one, other in pairs
        }
        for dimension in (*DIMENSIONS, None):
            wanted = DIMENSIONS if dimension is None else (dimension,)
            for one, other in pairs:
                parts = [replicates[each, one, other] for each in wanted]
                count = max(int(_shared(tables[each], one, other).sum()) for each in wanted)
                found.append(_conclude(statistic, of, dimension, raters[one], raters[other], count, parts, weights))
            if len(pairs) > 1:
                parts = [replicates[each, one, other] for each in wanted for one, other in pairs]
                count = max(int((tables[each] >= 0).any(axis=0).sum()) for each in wanted)
                found.append(_conclude(statistic, of, dimension, _ALL_RATERS, "", count, parts, weights))
    return found


def _shared(table: "NDArray[np.int_]", one: int, other: int) -> "NDArray[np.bool_]":
    shared: NDArray[np.bool_] = (table[one] >= 0) & (table[other] >= 0)
    return shared


def _make_kappa(
    one: "NDArray[np.int_]", other: "NDArray[np.int_]", categories: int, *, weighted: bool
) -> "Callable[[NDArray[np.float64]], NDArray[np.float64]]":
    both = (one >= 0) & (other >= 0)
    return lambda weights: kappa(one[both], other[both], categories, weights[:, both], weighted=weighted)


def kappa(
    one: "NDArray[np.int_]",
    other: "NDArray[np.int_]",
    categories: int,
    weights: "NDArray[np.float64]",
    *,
    weighted: bool,
) -> "NDArray[np.float64]":
    """Return Cohen's kappa of two raters, once for each row of weights of the items; NaN where it is not defined.

    Args:
        one: Categories (from 0) that the first rater gave, shape (items,).
        other: Those of the second.
        categories: How many there are.
        weights: How often each item counts, shape (rows, items).
        weighted: Whether disagreement counts by the square of its distance (Cohen 1968), or all alike (1960).
    """
    cells = np.zeros((len(one), categories * categories))
    cells[np.arange(len(one)), one * categories + other] = 1
    counts = (weights @ cells).reshape(-1, categories, categories)
    total = counts.sum(axis=(1, 2))
    rows, columns = counts.sum(axis=2), counts.sum(axis=1)
    places = np.arange(categories)
    distance = (places[:, None] - places[None, :]) ** 2
    cost = distance if weighted else (distance > 0).astype(int)
    observed = (counts * cost).sum(axis=(1, 2))
    by_chance = np.einsum("bi,bj,ij->b", rows, columns, cost)
    with np.errstate(divide="ignore", invalid="ignore"):
        value: NDArray[np.float64] = 1 - observed * total / by_chance
    return np.where(by_chance > 0, value, np.nan)


def pearson(
    one: "NDArray[np.float64]", other: "NDArray[np.float64]", weights: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return Pearson's correlation of two columns, once for each row of weights (rows, items); NaN if undefined."""
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = one - weights @ one[:, None] / total
        second = other - weights @ other[:, None] / total
        covariance = (weights * first * second).sum(axis=1)
        spread = (weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1)
        return np.where(spread > 1e-12, covariance / np.sqrt(spread), np.nan)


def _compare_with_models(ratings: Iterable[Rating], verdicts: Sequence[Verdict], seed: int) -> list[Agreement]:
    people: dict[tuple[Dimension, str], list[int]] = {}
    for rating in ratings:
        people.setdefault((rating.dimension, rating.fingerprint), []).append(int(rating.score or 0))
    judged: dict[str, dict[tuple[Dimension, str], float]] = {}
    for verdict in verdicts:
        for dimension, score in verdict.scores.items():
            judged.setdefault(verdict.model, {})[dimension, verdict.fingerprint] = score.score
    if len(judged) > 1:
        common = set.intersection(*(set(scores) for scores in judged.values()))
        judged[_COMMITTEE] = {key: median(scores[key] for scores in judged.values()) for key in common}
    names = sorted({fingerprint for _, fingerprint in people} & {v.fingerprint for v in verdicts})
    if not names:
        return []
    weights = draw_weights(len(names), seed)
    count = len({rating.rater for rating in ratings})
    raters = "the rater" if count == 1 else f"mean of {count} raters"
    found: list[Agreement] = []
    for model, scores in judged.items():
        parts, items = {}, {}
        for dimension in DIMENSIONS:
            places = [k for k, name in enumerate(names) if (dimension, name) in people and (dimension, name) in scores]
            one = np.array([np.mean(people[dimension, names[k]]) for k in places])
            other = np.array([scores[dimension, names[k]] for k in places])
            parts[dimension], items[dimension] = _make_pearson(one, other, places), len(places)
        found.extend(
            _conclude("Pearson", "scores", each, raters, model, items[each], [parts[each]], weights)
            for each in DIMENSIONS
        )
        every = list(parts.values())
        found.append(_conclude("Pearson", "scores", None, raters, model, max(items.values()), every, weights))
    return found


def _make_pearson(
    one: "NDArray[np.float64]", other: "NDArray[np.float64]", places: Sequence[int]
) -> "Callable[[NDArray[np.float64]], NDArray[np.float64]]":
    return lambda weights: pearson(one, other, weights[:, list(places)])


def _conclude(
    statistic: Statistic,
    of: Literal["scores", "comparisons"],
    dimension: Dimension | None,
    one: str,
    other: str,
    items: int,
    parts: "Sequence[Callable[[NDArray[np.float64]], NDArray[np.float64]]]",
    weights: "NDArray[np.float64]",
) -> Agreement:
    """Return the mean of the parts that are defined, with its interval."""

    def average(rows: "NDArray[np.float64]") -> "NDArray[np.float64]":
        values = np.array([part(rows) for part in parts])
        known = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            mean: NDArray[np.float64] = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
            return mean

    value = float(average(np.ones((1, weights.shape[1])))[0])
    defined = bool(np.isfinite(value))
    low, high = (bound(average, weights) if defined else None) or (None, None)
    return Agreement(
        statistic=statistic,
        of=of,
        dimension=dimension,
        one=one,
        other=other,
        items=items,
        value=value if defined else None,
        low=low,
        high=high,
        note="" if defined else "not defined: one of them always gave the same" if items else "nothing in common",
    )
