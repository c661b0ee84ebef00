"""Two sets of dialogues side by side: what differs, and whether that is beyond chance."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from toolflow_graph.evaluation.analysis import Analysis
from toolflow_graph.evaluation.bootstrap import CONFIDENCE, FEWEST, Estimate, assign_groups
from toolflow_graph.evaluation.results import Measure
from toolflow_graph.evaluation.words import Corpus, estimate_distinct, estimate_entropy
from toolflow_graph.types import Record

__all__ = ["Comparison", "Difference", "adjust_by_holm", "compare_analyses"]

_GROWING = frozenset(
    "tools_called tool_coverage catalog_coverage pairs_called pair_coverage pattern_coverage parameter_coverage "
    "enum_coverage values_per_parameter near_duplicates".split()
)
"""What depends on the number of dialogues, so that sets of different size cannot be compared by it."""

_WORDS = {"h": 0, "d1": 1, "d2": 2, "d3": 3}
_TOTALS = frozenset({"dialogues", "turns", "tokens", "calls"})
_ALIKE = 0.01
"""Sets whose numbers of words differ by less than this share count as equal in size."""


class Difference(Record):
    """How one measure of a set differs from that of the first set: `value` is the second less the first.

    `p` is two-sided and adjusted for all differences of the comparison (Holm); `beyond_chance` says whether it is below
    5 %, None where nothing can be said, and `note` says why.
    """

    key: str
    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    beyond_chance: bool | None = None
    note: str = ""


class Comparison(Record):
    """All differences of the set `source` from the set `baseline`."""

    baseline: str
    source: str
    differences: tuple[Difference, ...]

    def __getitem__(self, key: str) -> Difference:
        """Return the difference of the measure with this key; raises KeyError."""
        for difference in self.differences:
            if difference.key == key:
                return difference
        raise KeyError(key)


def compare_analyses(analyses: Sequence[Analysis], seed: int = 0) -> list[Comparison]:
    """Compare every set with the first one; p values are adjusted for all differences together.

    H and D-n are compared on equally many words: dialogues of the larger set are drawn at random until they have as
    many as the smaller one. Measures that were added since (a judge's) are compared by their intervals.
    """
    if len(analyses) < 2:
        return []
    first, *others = analyses
    rng = np.random.default_rng([seed, 3])
    found = [[d for m in other.evaluation.measures if (d := _compare(first, other, m, rng))] for other in others]
    flat = [difference for differences in found for difference in differences]
    adjusted = iter(adjust_by_holm([d.p for d in flat if d.p is not None]))
    comparisons = []
    for other, differences in zip(others, found, strict=True):
        judged = []
        for difference in differences:
            if difference.p is None:
                judged.append(difference)
                continue
            p = next(adjusted)
            judged.append(difference.model_copy(update={"p": p, "beyond_chance": p < 1 - CONFIDENCE}))
        comparisons.append(
            Comparison(baseline=first.evaluation.source, source=other.evaluation.source, differences=tuple(judged))
        )
    return comparisons


def _compare(first: Analysis, other: Analysis, measure: Measure, rng: np.random.Generator) -> Difference | None:
    """Return the difference of one measure, not yet adjusted; None where the first set does not have the measure."""
    key = measure.key
    if key in _TOTALS or key not in {m.key for m in first.evaluation.measures}:
        return None
    note = ""
    one, two = _find_estimate(first, key), _find_estimate(other, key)
    sizes = first.evaluation.dialogues, other.evaluation.dialogues
    if key in _WORDS and one.value is not None and two.value is not None:
        one, two, note = _estimate_alike(first.corpus, other.corpus, _WORDS[key], one, two, rng)
    if one.value is None or two.value is None:
        return Difference(key=key, label=measure.label, value=None, note="not measured in both")
    value = two.value - one.value
    sampled = first.evaluation.settings.get("sampled"), other.evaluation.settings.get("sampled")
    if (key in _GROWING and sizes[0] != sizes[1]) or (key == "vendi" and sampled[0] != sampled[1]):
        told = sampled if key == "vendi" else sizes
        note = f"depends on the number of dialogues, which is {told[0]} and {told[1]}"
        return Difference(key=key, label=measure.label, value=value, note=note)
    if one.error is None or two.error is None:
        note = f"fewer than {FEWEST} dialogues to judge by" if min(sizes) < FEWEST else "its chance error is not known"
        return Difference(key=key, label=measure.label, value=value, note=note)
    error = float(np.hypot(one.error, two.error))
    low, high = _bound(value, error, one, two, rng)
    p = 2 * (1 - NormalDist().cdf(abs(value) / error)) if error > 0 else float(value == 0)
    return Difference(key=key, label=measure.label, value=value, low=low, high=high, p=p, note=note)


def _find_estimate(analysis: Analysis, key: str) -> Estimate:
    """Return the estimate of a measure; of one that was added later, what its interval tells."""
    if key in analysis.estimates:
        return analysis.estimates[key]
    measure = analysis.evaluation[key]
    if measure.value is None or measure.low is None or measure.high is None:
        return Estimate(measure.value)
    error = (measure.high - measure.low) / 2 / NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    return Estimate(measure.value, measure.low, measure.high, error)


def _bound(value: float, error: float, one: Estimate, two: Estimate, rng: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % interval of a difference: by the resamples of both where there are, else by the errors."""
    if one.method == two.method == "bootstrap" and one.replicates is not None and two.replicates is not None:
        size = min(len(one.replicates), len(two.replicates))
        drawn = rng.permutation(two.replicates)[:size] - one.replicates[:size]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return float(low), float(high)
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * error
    return value - reach, value + reach


def _estimate_alike(
    one: Corpus, two: Corpus, length: int, first: Estimate, second: Estimate, rng: np.random.Generator
) -> tuple[Estimate, Estimate, str]:
    """Return estimates of H (length 0) or D-n over equally many words, and how many they are."""
    words = len(one.words), len(two.words)
    if abs(words[0] - words[1]) <= _ALIKE * max(words):
        return first, second, ""
    least = min(words)
    larger = _draw_words(one if words[0] > words[1] else two, least, rng)
    groups = assign_groups(larger.size, rng)
    estimate = estimate_distinct(larger, length, groups) if length else estimate_entropy(larger, groups)
    note = f"on {least:,} words of each"
    return (estimate, second, note) if words[0] > words[1] else (first, estimate, note)


def _draw_words(corpus: Corpus, words: int, rng: np.random.Generator) -> Corpus:
    """Return whole dialogues drawn at random whose words come nearest to a number of words."""
    order = rng.permutation(corpus.size)
    reached = np.cumsum(corpus.count_words()[order])
    place = int(np.argmin(np.abs(reached - words)))
    return corpus.take(np.sort(order[: place + 1]))


def adjust_by_holm(values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number by Holm's step-down method."""
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return [float(value) for value in adjusted]
