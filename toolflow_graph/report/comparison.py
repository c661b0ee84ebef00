"""Measures of runs beside each other, and whether a difference is more than chance."""

import math
from collections.abc import Sequence
from typing import Any

from toolflow_graph.evaluation import Evaluation, Measure
from toolflow_graph.types import JSON

__all__ = ["compare_measures"]


def compare_measures(evaluations: Sequence[Evaluation | None]) -> list[JSON]:
    """Return a row per measure: its words, its value in each run, and how each differs from the first run.

    A difference is `beyond` chance when it is wider than the two 95 % intervals together, as those of independent
    samples add up (root of the sum of squares); None where an interval is missing.
    """
    keys = dict.fromkeys(measure.key for one in evaluations if one for measure in one.measures)
    rows = []
    for key in keys:
        found = [_find(one, key) for one in evaluations]
        named = next(measure for measure in found if measure is not None)
        rows.append(
            {
                **named.model_dump(mode="json", include={"key", "label", "family", "unit", "better"}),
                "values": [
                    None
                    if measure is None
                    else measure.model_dump(mode="json", include={"value", "low", "high", "note"})
                    for measure in found
                ],
                "differences": [_compare(found[0], measure) for measure in found[1:]],
            }
        )
    return rows


def _find(evaluation: Evaluation | None, key: str) -> Measure | None:
    return next((measure for measure in evaluation.measures if measure.key == key), None) if evaluation else None


def _compare(one: Measure | None, other: Measure | None) -> dict[str, Any] | None:
    if one is None or other is None or one.value is None or other.value is None:
        return None
    difference = other.value - one.value
    beyond = better = None
    if None not in (one.low, one.high, other.low, other.high):
        assert one.low is not None and one.high is not None  # noqa: S101, PT018 - looked at above
        assert other.low is not None and other.high is not None  # noqa: S101, PT018
        beyond = abs(difference) > math.hypot(one.high - one.low, other.high - other.low) / 2
    if named := other.better:
        better = (difference > 0) == (named == "higher") if difference else None
    return {"value": difference, "beyond": beyond, "better": better}
