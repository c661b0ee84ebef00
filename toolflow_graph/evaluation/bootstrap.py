"""How far a figure can be trusted: resampling over dialogues, which are what was drawn independently.

Ratios (means and shares) have the percentile bootstrap. What counts *distinct* things (types, entropy, Vendi) must not
be resampled with replacement: repeated dialogues bring nothing new, so every replicate would lie far below the figure.
These have the delete-a-group jackknife; `docs/evaluation.md` says how its errors compare with the scatter of real sets.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import betaincinv, stdtrit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CONFIDENCE",
    "FEWEST",
    "REPLICATES",
    "Estimate",
    "Ratio",
    "assign_groups",
    "estimate_by_jackknife",
    "estimate_ratios",
    "estimate_variety",
]

CONFIDENCE = 0.95
REPLICATES = 1000
FEWEST = 10
"""With fewer dialogues an interval would say nothing: there is none."""

_GROUPS = 50
_AT_ONCE = 1 << 22
"""Weights drawn at once."""


@dataclass(frozen=True)
class Ratio:
    """A figure that is a sum over dialogues divided by another: one numerator and one denominator per dialogue.

    A mean over dialogues has the denominators 1, a share of turns the number of turns.
    """

    numerators: "NDArray[np.float64]"
    denominators: "NDArray[np.float64]"

    @classmethod
    def of(cls, numerators: "ArrayLike", denominators: "ArrayLike | None" = None) -> "Ratio":
        """Return a ratio of any numbers; without denominators, the mean over dialogues."""
        above = np.asarray(numerators, np.float64)
        below = np.ones(len(above)) if denominators is None else np.asarray(denominators, np.float64)
        return cls(above, below)

    @property
    def value(self) -> float | None:
        """The figure; None when there is nothing to divide by."""
        below = float(self.denominators.sum())
        return float(self.numerators.sum()) / below if below else None


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval and standard error, None where the data do not give them."""

    value: float | None
    low: float | None = None
    high: float | None = None
    error: float | None = None
    replicates: "NDArray[np.float64] | None" = None
    method: Literal["bootstrap", "jackknife", "exact", "none"] = "none"


def estimate_ratios(ratios: Sequence[Ratio], rng: np.random.Generator, replicates: int = REPLICATES) -> list[Estimate]:
    """Return the estimates of ratios over the same dialogues, from the same resamples.

    A share of 0 or 1 that no resample can leave has the exact binomial bound (Clopper and Pearson) instead, as if each
    dialogue counted once.
    """
    if not ratios:
        return []
    dialogues = len(ratios[0].numerators)
    if dialogues < FEWEST:
        return [Estimate(ratio.value) for ratio in ratios]
    columns = np.stack([column for ratio in ratios for column in (ratio.numerators, ratio.denominators)], axis=1)
    sums = np.empty((replicates, columns.shape[1]))
    step = max(1, _AT_ONCE // dialogues)
    for start in range(0, replicates, step):
        weights = [
            np.bincount(rng.integers(0, dialogues, dialogues), minlength=dialogues)
            for _ in range(min(step, replicates - start))
        ]
        sums[start : start + len(weights)] = np.asarray(weights, np.float64) @ columns
    return [_estimate(ratio, sums[:, 2 * i], sums[:, 2 * i + 1]) for i, ratio in enumerate(ratios)]


def _estimate(ratio: Ratio, above: "NDArray[np.float64]", below: "NDArray[np.float64]") -> Estimate:
    value = ratio.value
    counted = int((ratio.denominators > 0).sum())
    if value is None or counted < FEWEST:
        return Estimate(value)
    drawn = above[below > 0] / below[below > 0]
    tail = (1 - CONFIDENCE) / 2
    error = float(drawn.std(ddof=1))
    bounded = bool((ratio.numerators <= ratio.denominators).all() and (ratio.numerators >= 0).all())
    if error <= 1e-12 and bounded and value in (0.0, 1.0):
        edge = float(betaincinv(1, counted, 1 - tail))
        low, high = (0.0, edge) if value == 0 else (1 - edge, 1.0)
        return Estimate(value, low, high, edge / 2, drawn, "exact")
    low, high = (float(bound) for bound in np.quantile(drawn, [tail, 1 - tail]))
    return Estimate(value, low, high, error, drawn, "bootstrap")


def assign_groups(dialogues: int, rng: np.random.Generator) -> "NDArray[np.int64]":
    """Return a group for each dialogue, at random and of equal size: 50 groups, or one per dialogue of fewer."""
    groups: NDArray[np.int64] = rng.permutation(np.arange(dialogues) % min(_GROUPS, max(dialogues, 1)))
    return groups


def estimate_by_jackknife(
    value: float, without: "Sequence[float] | NDArray[np.float64]", *, least: float = 0.0, most: float = float("inf")
) -> Estimate:
    """Return an estimate from the figure of all dialogues and those without each group.

    The interval is symmetric, with Student's t, and kept within `least` and `most`.
    """
    rest = np.asarray(without, np.float64)
    groups = len(rest)
    if groups < FEWEST:
        return Estimate(value)
    error = float(np.sqrt((groups - 1) / groups * ((rest - rest.mean()) ** 2).sum()))
    reach = float(stdtrit(groups - 1, 0.5 + CONFIDENCE / 2)) * error
    return Estimate(value, max(least, value - reach), min(most, value + reach), error, method="jackknife")


def estimate_variety(
    items: Sequence[Iterable[Hashable]], groups: "NDArray[np.int64]", possible: int | None = None
) -> Estimate:
    """Return how many different items the dialogues have, as a share where it is known how many are possible.

    Args:
        items: The items of each dialogue.
        groups: The group of each dialogue, for the jackknife.
        possible: How many there could be.
    """
    owner: dict[Hashable, int] = {}  # the one group that has an item, -1 for several
    for group, found in zip(groups.tolist(), items, strict=True):
        for item in set(found):
            owner[item] = group if owner.get(item, group) == group else -1
    lost = Counter(owner.values())
    scale = possible or 1
    without = [(len(owner) - lost[group]) / scale for group in range(int(groups.max(initial=-1)) + 1)]
    return estimate_by_jackknife(len(owner) / scale, without, most=float("inf") if possible is None else 1.0)
