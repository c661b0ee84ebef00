"""What verdicts come to: a mean per dimension with its interval, how far a committee disagrees, and the worst."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from toolflow_graph.evaluation.judge import Judgement
from toolflow_graph.evaluation.ratings import DIMENSIONS, LABELS, Dimension, Verdict
from toolflow_graph.evaluation.resampling import bound, draw_weights
from toolflow_graph.evaluation.results import Bin, Distribution, Example, Measure

__all__ = ["Judged", "summarise_judgement"]

_MOST_EXAMPLES = 5
_FAR_APART = 2
"""Points between the highest and the lowest score of a committee that are called a disagreement."""


class Judged(NamedTuple):
    """The part of an `Evaluation` that a judge adds."""

    measures: tuple[Measure, ...]
    distributions: tuple[Distribution, ...]
    worst: dict[str, tuple[Example, ...]]


def summarise_judgement(judgement: Judgement) -> Judged:
    """Return measures, spread of the scores, and the dialogues that did worst with the judge's reasons.

    A dialogue counts when every model of the committee gave a verdict of it; its score is their median.
    """
    judged = [group for group in _group(judgement.verdicts) if len(group) == len(judgement.models)]
    note = _describe(judgement, len(judged))
    scores = {dimension: [_score(group, dimension) for group in judged] for dimension in DIMENSIONS}
    measures = [_measure_mean(dimension, scores[dimension], note, judgement.seed) for dimension in DIMENSIONS]
    if len(judgement.models) > 1:
        measures.append(_measure_disagreement(judged, judgement.seed))
    unjudged = judgement.drawn - len(judged)
    reasons = Counter(entry.reason for entry in judgement.unjudged).most_common(1)
    measures.append(
        Measure(
            key="unjudged",
            label="dialogues without a verdict",
            family="judge",
            value=unjudged,
            unit="count",
            better="lower",
            note=f"of {judgement.drawn:,} drawn; mostly: {reasons[0][0]}"
            if reasons
            else f"of {judgement.drawn:,} drawn",
        )
    )
    spread = tuple(
        Distribution(key=_key(dimension), label=f"{LABELS[dimension]}, points", bins=_count(scores[dimension]))
        for dimension in DIMENSIONS
        if scores[dimension]
    )
    worst = {_key(dimension): _pick_worst(judged, dimension) for dimension in DIMENSIONS}
    return Judged(tuple(measures), spread, {key: examples for key, examples in worst.items() if examples})


def _group(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """Return the verdicts of each dialogue; they stand together, and each model has one at most."""
    groups: list[list[Verdict]] = []
    for verdict in verdicts:
        last = groups[-1] if groups else []
        same = last and (last[0].line, last[0].fingerprint) == (verdict.line, verdict.fingerprint)
        if same and verdict.model not in {other.model for other in last}:
            last.append(verdict)
        else:
            groups.append([verdict])
    return groups


def _key(dimension: Dimension) -> str:
    return dimension.lower()


def _score(group: Sequence[Verdict], dimension: Dimension) -> float:
    return float(median(verdict.scores[dimension].score for verdict in group))


def _describe(judgement: Judgement, judged: int) -> str:
    of = f"{judged:,} dialogues" if judged == judgement.offered else f"{judged:,} of {judgement.offered:,} dialogues"
    if len(judgement.models) == 1:
        return f"points from 1 to 5 by {judgement.models[0]}, {of}"
    return f"points from 1 to 5, median of {', '.join(judgement.models)}, {of}"


def _measure_mean(dimension: Dimension, scores: Sequence[float], note: str, seed: int) -> Measure:
    label = f"{dimension}, {LABELS[dimension]}"
    if not scores:
        return Measure(
            key=_key(dimension),
            label=label,
            family="judge",
            value=None,
            unit="points",
            better="higher",
            note="no verdict",
        )
    values = np.array(scores)
    limits = bound(lambda weights: weights @ values / len(values), draw_weights(len(values), seed))
    low, high = limits or (None, None)
    return Measure(
        key=_key(dimension),
        label=label,
        family="judge",
        value=float(values.mean()),
        low=low,
        high=high,
        unit="points",
        better="higher",
        note=note,
    )


def _measure_disagreement(judged: Sequence[Sequence[Verdict]], seed: int) -> Measure:
    values = np.array([[_range(group, d) >= _FAR_APART for d in DIMENSIONS] for group in judged], float)
    value, limits = None, None
    if len(values):
        shares = values.mean(axis=1)
        value = float(shares.mean())
        limits = bound(lambda weights: weights @ shares / len(shares), draw_weights(len(shares), seed))
    low, high = limits or (None, None)
    return Measure(
        key="judge_disagreement",
        label="scores on which the judges disagree",
        family="judge",
        value=value,
        low=low,
        high=high,
        unit="share",
        note=f"{_FAR_APART} points or more between the highest and the lowest" if len(values) else "no verdict",
    )


def _range(group: Sequence[Verdict], dimension: Dimension) -> int:
    given = [verdict.scores[dimension].score for verdict in group]
    return max(given) - min(given)


def _count(scores: Sequence[float]) -> tuple[Bin, ...]:
    counts: Mapping[float, int] = Counter(scores)
    return tuple(Bin(label=f"{score:g}", count=counts.get(score, 0)) for score in sorted({1, 2, 3, 4, 5, *counts}))


def _pick_worst(judged: Sequence[Sequence[Verdict]], dimension: Dimension) -> tuple[Example, ...]:
    """Return the dialogues with the lowest scores below 5, with the reasons given for them."""
    low = sorted(
        (group for group in judged if _score(group, dimension) < 5),
        key=lambda group: (_score(group, dimension), group[0].line),
    )
    return tuple(_make_example(group, dimension) for group in low[:_MOST_EXAMPLES])


def _make_example(group: Sequence[Verdict], dimension: Dimension) -> Example:
    given = [(verdict.model, verdict.scores[dimension]) for verdict in group]
    lowest = min((score for _, score in given), key=lambda score: score.score)
    said = [score.reason if len(given) == 1 else f"{model} ({score.score}): {score.reason}" for model, score in given]
    return Example(
        dialogue=group[0].dialogue,
        line=group[0].line,
        message=lowest.message,
        excerpt=" · ".join(said),
        score=_score(group, dimension),
    )
