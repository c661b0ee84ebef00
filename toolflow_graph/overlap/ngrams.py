"""The n-gram test: which tokens lie in an n-gram of more than ten tokens that also stands in the benchmark.

An n-gram longer than ten stands in the benchmark exactly if all the 11-grams in it do, so marking 11-grams is enough.
They are told apart by *naming*: equal runs of 1, 2, 4, 8 and then 11 tokens get equal numbers, each length from the
one before (Karp, Miller and Rosenberg). That is exact, where hashes could collide, and its time grows with the number
of tokens times the logarithm of the benchmark's size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.overlap.tokens import split_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LONGEST_CLEAN", "Marked", "NGramIndex"]

LONGEST_CLEAN = 10
"""An n-gram of this many tokens may stand in the benchmark too; a longer one may not (paper, last paragraph)."""

_NOWHERE = -1


@dataclass(frozen=True)
class Marked:
    """A text whose tokens were looked up: `mask[i]` says whether token i is contaminated.

    `found_in` is the number of a benchmark text that has what its longest contaminated stretch begins with, or -1.
    """

    tokens: list[str]
    mask: "NDArray[np.bool_]"
    found_in: int = _NOWHERE

    @property
    def share(self) -> float:
        """The share of contaminated tokens."""
        return float(self.mask.mean()) if self.tokens else 0.0

    @property
    def stretch(self) -> tuple[int, int]:
        """Where the longest stretch of contaminated tokens begins and ends; (0, 0) when there is none."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.mask.astype(np.int8), [0]])))
        if not edges.size:
            return 0, 0
        starts, ends = edges[::2], edges[1::2]
        longest = int(np.argmax(ends - starts))
        return int(starts[longest]), int(ends[longest])


class NGramIndex:
    """The n-grams of `size` tokens of a benchmark's texts; none reaches from one text into the next."""

    def __init__(self, texts: Iterable[str], size: int = LONGEST_CLEAN + 1) -> None:
        self.size = size
        self._vocabulary: dict[str, int] = {}
        self._keys: list[NDArray[np.int64]] = []
        parts = [split_tokens(text) for text in texts]
        for token in chain.from_iterable(parts):
            self._vocabulary.setdefault(token, len(self._vocabulary))
        ids, starts = self._number(parts)
        self.tokens = int((ids >= 0).sum())
        names = self._name(ids, learn=True)
        self._place = np.full(int(names.max(initial=-1)) + 1, _NOWHERE, np.int64)
        positions = np.flatnonzero(names >= 0)[::-1]  # of several places, the first one stays
        self._place[names[positions]] = np.searchsorted(starts, positions, side="right") - 1

    def mark(self, texts: Sequence[str]) -> list[Marked]:
        """Look texts up, all at once."""
        parts = [split_tokens(text) for text in texts]
        ids, starts = self._number(parts)
        names = self._name(ids, learn=False)
        hits = np.flatnonzero(names >= 0)
        change = np.zeros(len(ids) + 1, np.int64)
        np.add.at(change, hits, 1)
        np.add.at(change, hits + self.size, -1)
        mask = np.cumsum(change)[:-1] > 0
        marked = []
        for start, tokens in zip(starts, parts, strict=True):
            own = Marked(tokens, mask[start : start + len(tokens)])
            if own.mask.any():
                place = int(self._place[names[start + own.stretch[0]]])
                own = Marked(own.tokens, own.mask, place)
            marked.append(own)
        return marked

    def _number(self, parts: list[list[str]]) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
        """Return the tokens of all texts as numbers, -1 after each text and for what the benchmark has not; starts."""
        lengths = np.array([len(part) + 1 for part in parts], np.int64)
        starts = np.cumsum(lengths) - lengths
        tokens = chain.from_iterable(chain(part, ("",)) for part in parts)
        ids = map(self._vocabulary.get, tokens, repeat(_NOWHERE))
        return np.fromiter(ids, np.int64, int(lengths.sum())), starts

    def _name(self, ids: "NDArray[np.int64]", *, learn: bool) -> "NDArray[np.int64]":
        """Return for each position the name of the n-gram that begins there, -1 where the benchmark has none."""
        names, length, level = ids, 1, 0
        while length < self.size:
            step = min(length, self.size - length)
            pairs = self._pair(names, step)
            if learn:
                self._keys.append(np.unique(pairs[pairs >= 0]))
            names = _look_up(self._keys[level], pairs)
            length, level = length + step, level + 1
        return names

    @staticmethod
    def _pair(names: "NDArray[np.int64]", step: int) -> "NDArray[np.int64]":
        """Return one number for each pair of names `step` apart, -1 where one of the two is missing."""
        pairs = np.full(len(names), _NOWHERE, np.int64)
        first, second = names[: max(len(names) - step, 0)], names[step:]
        both = (first >= 0) & (second >= 0)
        pairs[: len(both)][both] = (first[both] << 31) | second[both]
        return pairs


def _look_up(keys: "NDArray[np.int64]", pairs: "NDArray[np.int64]") -> "NDArray[np.int64]":
    names = np.full(len(pairs), _NOWHERE, np.int64)
    asked = np.flatnonzero(pairs >= 0)
    if keys.size and asked.size:
        found = np.minimum(np.searchsorted(keys, pairs[asked]), keys.size - 1)
        known = keys[found] == pairs[asked]
        names[asked[known]] = found[known]
    return names
