"""A figure before its interval is known: what it is called, and what it is computed from."""

from dataclasses import dataclass
from typing import Literal

from toolflow_graph.evaluation.bootstrap import Estimate, Ratio
from toolflow_graph.evaluation.results import Example, Family, Measure

__all__ = ["Figure", "list_worst", "shorten"]

_LONGEST_EXCERPT = 240
_EXAMPLES = 20


@dataclass(frozen=True)
class Figure:
    """A figure of a set of dialogues.

    `source` is a ratio, whose interval comes from the bootstrap; an estimate that has its interval already; a plain
    number without any; or None where it was not measured, and `note` says why.
    """

    key: str
    label: str
    family: Family
    source: Ratio | Estimate | float | None
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    note: str = ""

    def to_measure(self, estimate: Estimate) -> Measure:
        """Return the measure with this estimate."""
        note = self.note
        if estimate.value is None and not note:
            note = "not measured: nothing in these dialogues to measure it on"
        return Measure(
            key=self.key,
            label=self.label,
            family=self.family,
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            unit=self.unit,
            better=self.better,
            note=note,
        )


def list_worst(examples: list[Example], most: int = _EXAMPLES) -> tuple[Example, ...]:
    """Return the examples with the highest scores, in order; equal ones as they stand in the file."""
    return tuple(sorted(examples, key=lambda example: (-example.score, example.line, example.message or 0))[:most])


def shorten(text: str, most: int = _LONGEST_EXCERPT) -> str:
    """Return a text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
