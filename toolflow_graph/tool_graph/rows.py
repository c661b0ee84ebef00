"""Rows of the adjacency, made from slots when they are asked for: one bit per tool.

The neighbours of a tool are the owners of all strings similar to one of its own. Some strings stand in thousands of
tools; what these reach is kept as bits, so that it is joined with other strings' reach 64 tools at a time.
"""

import sys
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.tool_graph.incidence import Incidence, Side, spread_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

__all__ = ["NeighbourRows", "clear_bit", "count_bits", "has_bit", "list_bits", "pick_bit"]

_FEW = 256
"""A string that reaches more tools is kept as bits."""

_BITS = np.left_shift(np.uint64(1), np.arange(64, dtype=np.uint64))


class _Reach:
    """The tools of one side (or of both) that strings reach through similar strings."""

    def __init__(
        self, similar: "csr_array[np.float64, tuple[int, int]]", owners: "csr_array[np.int64, tuple[int, int]]"
    ) -> None:
        self._near = similar.indptr, similar.indices
        self._owners = owners.indptr, owners.indices
        ends = np.concatenate(([0], np.cumsum(np.diff(owners.indptr)[similar.indices])))
        self._many = ends[similar.indptr[1:]] - ends[similar.indptr[:-1]] > _FEW
        self._kept: dict[int, NDArray[np.uint64]] = {}
        self._size = owners.shape[1]

    def add(self, strings: "NDArray[np.int64]", words: "NDArray[np.uint64]") -> None:
        """Set the bits of what the strings reach."""
        many = self._many[strings]
        if many.any():
            for string in strings[many].tolist():
                np.bitwise_or(words, self._keep(string), out=words)
            strings = strings[~many]
        if len(strings):
            _set_bits(words, self._list(strings))

    def _list(self, strings: "NDArray[np.int64]") -> "NDArray[np.integer]":
        near = self._near[1][spread_rows(self._near[0], strings)]
        return self._owners[1][spread_rows(self._owners[0], near)]

    def _keep(self, string: int) -> "NDArray[np.uint64]":
        kept = self._kept.get(string)
        if kept is None:
            kept = self._kept[string] = _make_words(self._size)
            _set_bits(kept, self._list(np.array([string])))
        return kept


class NeighbourRows:
    """Which tools a tool is joined with, as bits: tool k is bit k % 64 of word k // 64."""

    def __init__(self, incidence: Incidence) -> None:
        similar, takes, gives = incidence.similar, incidence.takes, incidence.gives
        self._incidence = incidence
        self._size = incidence.size
        self._takers = _Reach(similar, takes.owners)
        self._givers = _Reach(similar, gives.owners)
        self._either = _Reach(similar, (takes.owners + gives.owners).tocsr())

    def joined(self, tool: int) -> "NDArray[np.uint64]":
        """Return the tools joined with this one by any edge."""
        takes, gives = self._incidence.takes, self._incidence.gives
        return self._mark(tool, (takes, self._either), (gives, self._takers))

    def peers(self, tool: int) -> "NDArray[np.uint64]":
        """Return the tools with a P-P edge to this one."""
        return self._mark(tool, (self._incidence.takes, self._takers))

    def consumers(self, tool: int) -> "NDArray[np.uint64]":
        """Return the tools that take what this one returns."""
        return self._mark(tool, (self._incidence.gives, self._takers))

    def producers(self, tool: int) -> "NDArray[np.uint64]":
        """Return the tools that return what this one takes."""
        return self._mark(tool, (self._incidence.takes, self._givers))

    def _mark(self, tool: int, *ways: tuple[Side, _Reach]) -> "NDArray[np.uint64]":
        words = _make_words(self._size)
        for side, reach in ways:
            reach.add(side.of(tool), words)
        clear_bit(words, tool)
        return words


def clear_bit(words: "NDArray[np.uint64]", place: int) -> None:
    """Take one tool out."""
    words[place >> 6] &= np.uint64(~(1 << (place & 63)) & (2**64 - 1))


def has_bit(words: "NDArray[np.uint64]", place: int) -> bool:
    """Return whether a tool is in."""
    return bool(int(words[place >> 6]) >> (place & 63) & 1)


def count_bits(words: "NDArray[np.uint64]") -> int:
    """Return the number of tools."""
    return int(np.bitwise_count(words).sum(dtype=np.int64))


def list_bits(words: "NDArray[np.uint64]") -> "NDArray[np.int64]":
    """Return the tools in order."""
    octets = (words if sys.byteorder == "little" else words.byteswap()).view(np.uint8)
    return np.flatnonzero(np.unpackbits(octets, bitorder="little"))


def pick_bit(words: "NDArray[np.uint64]", rank: int) -> int:
    """Return the tool that stands at `rank` (from 0) among the tools in order."""
    ends = np.cumsum(np.bitwise_count(words), dtype=np.int64)
    at = int(np.searchsorted(ends, rank, side="right"))
    word = int(words[at])
    for _ in range(rank - (int(ends[at - 1]) if at else 0)):
        word &= word - 1
    return 64 * at + (word & -word).bit_length() - 1


def _make_words(size: int) -> "NDArray[np.uint64]":
    return np.zeros(-(-max(size, 1) // 64), np.uint64)


def _set_bits(words: "NDArray[np.uint64]", tools: "NDArray[np.integer]") -> None:
    np.bitwise_or.at(words, tools >> 6, _BITS[tools & 63])
