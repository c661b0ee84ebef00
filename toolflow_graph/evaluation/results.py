"""What an evaluation says: measures with their intervals, distributions, and the dialogues that did worst."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from toolflow_graph.types import JSON, Record

__all__ = ["Bin", "Distribution", "Evaluation", "Example", "Family", "Measure"]

Family = Literal["structure", "coherence", "diversity", "signatures", "judge"]
"""What a measure speaks of; `signatures` are those of failure."""


class Measure(Record):
    """One figure about a set of dialogues.

    `value` is None where it was not measured; `note` then says why. `low` and `high` bound the 95 % confidence interval
    over dialogues (bootstrap or jackknife), where there is one. `unit` is "share" (0 to 1), "ratio" (the same, but not
    of dialogues or turns), "count", "bits", "points" (of a scale that `note` names) and the like; `better` is the
    direction in which data gets better, None where neither is.
    """

    key: str
    label: str
    family: Family
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    note: str = ""


class Bin(Record):
    """One bar of a distribution: how often it was seen, and how often it was asked for where a quota says so."""

    label: str
    count: float
    expected: float | None = None


class Distribution(Record):
    """How something is spread over the dialogues, such as turns per dialogue or dialogues per pattern."""

    key: str
    label: str
    bins: tuple[Bin, ...]


class Example(Record):
    """A place in a dialogue that shows what a measure means; `score` is what put it here."""

    dialogue: str
    line: int
    message: int | None
    excerpt: str
    score: float


class Evaluation(Record):
    """All that was measured of one file of dialogues; `worst` lists examples by the key of the measure they belong to.

    `settings` is what the figures depend on: encoder, backends, sample, seed.
    """

    source: str
    dialogues: int
    measures: tuple[Measure, ...]
    distributions: tuple[Distribution, ...] = ()
    worst: dict[str, tuple[Example, ...]] = Field(default={})
    settings: JSON = Field(default={})

    def __getitem__(self, key: str) -> Measure:
        """Return the measure of this key; raises KeyError."""
        for measure in self.measures:
            if measure.key == key:
                return measure
        raise KeyError(key)

    def with_measures(
        self, measures: Iterable[Measure], *, worst: Mapping[str, tuple[Example, ...]] | None = None, **settings: Any
    ) -> "Evaluation":
        """Return the evaluation with further measures, such as a judge's, and what they depend on.

        A measure takes the place of one with the same key.
        """
        added = {measure.key: measure for measure in measures}
        kept = [added.pop(measure.key, measure) for measure in self.measures]
        return self.model_copy(
            update={
                "measures": (*kept, *added.values()),
                "worst": {**self.worst, **(worst or {})},
                "settings": {**self.settings, **settings},
            }
        )
