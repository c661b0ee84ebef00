"""Ways from tools to tools, from which steps are drawn without their edges ever being listed.

A way leads from a tool to its nodes (slots in some form), from these to the nodes that are similar, and from those to
the tools that own them. Each of the three is a sparse matrix; the weight of the edge from tool to tool is an entry of
their product.
"""

import random
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np

from toolflow_graph.tool_graph.incidence import gather

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

__all__ = ["Way"]

_TOOLS_AT_ONCE = 4096


class Way:
    """The product of `start` (tools × nodes), `near` (nodes × other nodes) and `end` (other nodes × tools).

    `shares` holds, for each tool, the sum of the weights of the edges from it, the edge to itself included.
    """

    def __init__(
        self,
        start: "csr_array[np.float64, tuple[int, int]]",
        near: "csr_array[np.float64, tuple[int, int]]",
        end: "csr_array[np.float64, tuple[int, int]]",
    ) -> None:
        self._start, self._near, self._end = start, near, end
        self._tools = _accumulate(end.data)
        self._ends = _accumulate(near.data * _sum_rows(self._tools, end.indptr)[near.indices])
        self._starts = _accumulate(start.data * _sum_rows(self._ends, near.indptr)[start.indices])
        self.shares = _sum_rows(self._starts, start.indptr)

    def scale(self, factors: "NDArray[np.float64]") -> "Way":
        """Return the way with the weight of each edge multiplied by the factors of both its tools."""
        start, end = self._start.copy(), self._end.copy()
        start.data *= np.repeat(factors, np.diff(start.indptr))
        end.data *= factors[end.indices]
        return Way(start, self._near, end)

    def draw(self, tool: int, rng: random.Random) -> int:
        """Draw the tool at the other end of an edge, perhaps the same, in proportion to the weights of the edges."""
        node = self._start.indices[_pick(self._starts, self._start.indptr, tool, rng)]
        other = self._near.indices[_pick(self._ends, self._near.indptr, node, rng)]
        return int(self._end.indices[_pick(self._tools, self._end.indptr, other, rng)])

    def weigh(self, tool: int) -> "NDArray[np.float64]":
        """Return the weights of the edges from one tool to all."""
        first, last = self._start.indptr[tool : tool + 2]
        near, place = gather(self._near.indptr, self._start.indices[first:last])
        along = self._start.data[first:last][place] * self._near.data[near]
        owned, pair = gather(self._end.indptr, self._near.indices[near])
        added = along[pair] * self._end.data[owned]
        weights = np.bincount(self._end.indices[owned], added, minlength=self._start.shape[0])
        return weights.astype(np.float64)  # without any, they are counted in integers

    def spread(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return, for each tool, the sum over its edges of weight times the value of the tool at the other end."""
        spread: Any = self._start @ (self._near @ (self._end @ values))
        return np.asarray(spread, np.float64)

    def weigh_loops(self) -> "NDArray[np.float64]":
        """Return the weight of the edge of each tool to itself."""
        loops = np.zeros(self._start.shape[0])
        back: Any = self._end.T.tocsr()
        for begin in range(0, len(loops), _TOOLS_AT_ONCE):
            part = slice(begin, begin + _TOOLS_AT_ONCE)
            along: Any = self._start[part] @ self._near
            loops[part] = np.asarray(back[part].multiply(along).sum(axis=1))
        return loops


def _pick(sums: "NDArray[np.float64]", indptr: "NDArray[np.integer]", row: int, rng: random.Random) -> int:
    """Draw an entry of a row, by running sums of what the entries count."""
    first, last = int(indptr[row]), int(indptr[row + 1])
    low = float(sums[first])
    target = low + rng.random() * (float(sums[last]) - low)
    return min(bisect_right(sums, target, first + 1, last + 1), last) - 1


def _sum_rows(sums: "NDArray[np.float64]", indptr: "NDArray[np.integer]") -> "NDArray[np.float64]":
    summed: NDArray[np.float64] = sums[indptr[1:]] - sums[indptr[:-1]]
    return summed


def _accumulate(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    return np.concatenate(([0.0], np.cumsum(values)))
