"""Measures of runs beside each other, in the words and digits that `toolflow evaluate` prints them with."""

from collections.abc import Sequence

from toolflow_graph.evaluation import Comparison, Difference, Evaluation, Measure
from toolflow_graph.evaluation.rendering import FAMILIES, format_difference, format_interval, format_value, list_keys
from toolflow_graph.types import JSON

__all__ = ["lay_measures"]


def lay_measures(evaluations: Sequence[Evaluation | None], comparisons: Sequence[Comparison]) -> list[JSON]:
    """Return a row per measure, family by family: its value in each run, and how each differs from the first run."""
    known = [one for one in evaluations if one is not None]
    return [
        {
            "key": measure.key,
            "label": measure.label,
            "family": title,
            "unit": measure.unit,
            "better": measure.better,
            "values": [_tell_value(_find(one, measure.key)) for one in evaluations],
            "differences": [_tell_difference(comparison, measure) for comparison in comparisons],
        }
        for family, title in FAMILIES.items()
        for measure in list_keys(known, family)
    ]


def _find(evaluation: Evaluation | None, key: str) -> Measure | None:
    return next((measure for measure in evaluation.measures if measure.key == key), None) if evaluation else None


def _tell_value(measure: Measure | None) -> JSON | None:
    if measure is None:
        return None
    return {
        **measure.model_dump(mode="json", include={"value", "low", "high", "note"}),
        "told": format_value(measure.value, measure.unit),
        "interval": format_interval(measure.low, measure.high, measure.unit),
    }


def _tell_difference(comparison: Comparison, measure: Measure) -> JSON | None:
    found: Difference | None = next((one for one in comparison.differences if one.key == measure.key), None)
    if found is None or found.value is None:
        return None
    better = None
    if measure.better is not None and found.value:
        better = (found.value > 0) == (measure.better == "higher")
    told = format_difference(found, measure.unit).rstrip(" *?")
    return {"told": told, "beyond": found.beyond_chance, "better": better, "note": found.note}
