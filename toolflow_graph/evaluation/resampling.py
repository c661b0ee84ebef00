"""Intervals by the bootstrap: how far a figure would move if other dialogues of the kind had been drawn."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["FEWEST", "RESAMPLES", "bound", "draw_weights"]

RESAMPLES = 2000
FEWEST = 10
"""Dialogues below which an interval would say more than is known."""


def draw_weights(count: int, seed: int = 0, resamples: int = RESAMPLES) -> "NDArray[np.float64]":
    """Return how often each of `count` dialogues is drawn in each resample: an array of shape (resamples, count)."""
    if count == 0:
        return np.zeros((resamples, 0))
    generator = np.random.default_rng([seed, count])
    return generator.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def bound(
    statistic: "Callable[[NDArray[np.float64]], NDArray[np.float64]]", weights: "NDArray[np.float64]"
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of a statistic, or None where resamples cannot tell it.

    They cannot of fewer than ten dialogues, where the statistic is mostly undefined, or where all give the same value.
    The statistic maps weights of shape (resamples, count) to one value each, NaN where it is not defined.
    """
    if weights.shape[1] < FEWEST:
        return None
    values = statistic(weights)
    values = values[np.isfinite(values)]
    if len(values) * 2 < len(weights) or np.ptp(values) < 1e-12:
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
