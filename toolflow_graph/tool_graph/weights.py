"""Weighted edges: what two tools share counts by how rare it is, and by whether the one's values fit the other.

Above the threshold alone, tools of any two large APIs are joined, through `id`, `limit` or `api-version`. Here an edge
has a weight: the sum over all pairs of similar slots of

    cosine × agreement of their kinds × rarity of the one string × rarity of the other.

Rarity is the inverse document frequency of a string over the square root of the number of its tools: a string then adds
about as much to the weight of a tool's edges however many tools it leads to. Where one tool returns what the other
takes (P-R), a pair counts three times as much, but a fifth if the parameter is optional, and a fifth if the producer
itself takes what it returns: it does not tell anything new. Where both take the same (P-P), tools of one domain count
half, so that walks also leave it.

Weights are symmetric, and none is stored: steps are drawn, and weights added up, on slots and strings.
"""

import random
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from toolflow_graph.tool_graph.incidence import Incidence, gather, turn_around
from toolflow_graph.tool_graph.kinds import AGREEMENT, KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WeightedEdges"]

_FEEDING = 3.0
_LESSER = 0.2
_SAME_DOMAIN = 0.5
_TRIALS = 64
"""Draws that may be refused before the weights of all neighbours are listed."""

_TOOLS_AT_ONCE = 4096
_SLOTS_AT_ONCE = 100_000


class WeightedEdges:
    """The edges of a Tool Graph with weights, on the slots that they come from.

    `incidence` is that of the plain graph with each string split by kind and use of its slots; its `similar` holds what
    a pair of parameters adds to the weight of an edge.
    """

    def __init__(self, incidence: Incidence, domains: tuple[str, ...]) -> None:
        self.incidence, self._use = _split(incidence)
        names = {name: number for number, name in enumerate(dict.fromkeys(domains))}
        self._domains = np.array([names[name] for name in domains], np.int64)
        takes, gives, similar = self.incidence.takes, self.incidence.gives, self.incidence.similar
        self._takers = np.diff(takes.owners.indptr).astype(np.float64)
        self._givers = np.diff(gives.owners.indptr).astype(np.float64)
        self.fed = similar.data * _FEEDING * np.repeat(self._use, np.diff(similar.indptr)) * self._use[similar.indices]
        ends, first, last = similar.indices, similar.indptr[:-1], similar.indptr[1:]
        self._to_peers = _accumulate(similar.data * self._takers[ends])
        self._to_makers = _accumulate(self.fed * self._givers[ends])
        self._to_takers = _accumulate(self.fed * self._takers[ends])
        ways = (
            (takes, self._to_peers, takes.owners),
            (takes, self._to_makers, gives.owners),
            (gives, self._to_takers, takes.owners),
        )
        self._ways = tuple(
            (side, _accumulate((sums[last] - sums[first])[side.strings]), sums, owners) for side, sums, owners in ways
        )

    @cached_property
    def components(self) -> "NDArray[np.int64]":
        """Number of the connected component of each tool."""
        return self.incidence.find_components()

    @cached_property
    def strengths(self) -> "NDArray[np.float64]":
        """Sum of the weights of each tool's edges, tools of one domain in full."""
        return np.maximum(self.spread(np.ones(self.incidence.size)), 0.0)

    def spread(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return, for each tool, the sum over its edges of weight times the value of the other tool.

        That tools of one domain may count half is left out here.
        """
        takes, gives, similar, fed = self._matrices
        taken, given = takes.T @ values, gives.T @ values
        spread: NDArray[np.float64] = takes @ (similar @ taken + fed @ given) + gives @ (fed @ taken)
        return spread - self._own * values

    def weigh(self, tool: int) -> "NDArray[np.float64]":
        """Return the weights of the edges between one tool and every other."""
        takes, gives, similar = self.incidence.takes, self.incidence.gives, self.incidence.similar
        akin = self._domains == self._domains[tool]
        weights = np.zeros(self.incidence.size)
        for side, data, other in ((takes, similar.data, takes), (takes, self.fed, gives), (gives, self.fed, takes)):
            near = gather(similar.indptr, side.of(tool))[0]
            owned, place = gather(other.owners.indptr, similar.indices[near])
            added = np.bincount(other.owners.indices[owned], data[near][place], minlength=len(weights))
            weights += np.where(akin, _SAME_DOMAIN, 1.0) * added if side is other else added
        weights[tool] = 0.0
        return weights

    def draw(self, tool: int, seen: Collection[int], rng: random.Random) -> int | None:
        """Draw a neighbour that is not in `seen`, each with a chance in proportion to its weight; None without any."""
        for _ in range(_TRIALS):
            drawn = self._propose(tool, rng)
            if drawn is None:
                break
            if drawn != tool and drawn not in seen:
                return drawn
        weights = self.weigh(tool)
        weights[list(seen)] = 0.0
        near = np.flatnonzero(weights)
        return rng.choices(near.tolist(), weights[near].tolist())[0] if len(near) else None

    def _propose(self, tool: int, rng: random.Random) -> int | None:
        """Draw a pair of slots by what it adds, and return the tool at its other end, perhaps the same tool.

        Tools of one domain are refused as often as they count less; then, and when there is no pair, there is none.
        """
        shares = [sums[side.starts[tool + 1]] - sums[side.starts[tool]] for side, sums, _, _ in self._ways]
        target = rng.random() * sum(shares)
        for (side, slots, strings, owners), share in zip(self._ways, shares, strict=True):
            if target < share:
                start = side.starts[tool]
                string = side.strings[_find(slots, slots[start] + target, start, side.starts[tool + 1])]
                first, last = self.incidence.similar.indptr[string : string + 2]
                target = strings[first] + rng.random() * (strings[last] - strings[first])
                near = self.incidence.similar.indices[_find(strings, target, first, last)]
                begin, end = owners.indptr[near : near + 2].tolist()
                drawn = int(owners.indices[begin + rng.randrange(end - begin)])
                akin = strings is self._to_peers and self._domains[drawn] == self._domains[tool]
                return tool if akin and rng.random() >= _SAME_DOMAIN else drawn
            target -= share
        return None

    @cached_property
    def _matrices(self) -> "tuple[csr_array, csr_array, csr_array, csr_array]":
        size, similar = self.incidence.size, self.incidence.similar
        takes, gives = (
            csr_array((np.ones(len(side.strings)), side.strings, side.starts), shape=(size, similar.shape[0]))
            for side in (self.incidence.takes, self.incidence.gives)
        )
        fed = csr_array((self.fed, similar.indices, similar.indptr), shape=similar.shape)
        return takes, gives, similar, fed

    @cached_property
    def _own(self) -> "NDArray[np.float64]":
        """The weight that each tool would have with itself."""
        takes, gives, similar, fed = self._matrices
        own = np.zeros(self.incidence.size)
        for start in range(0, len(own), _TOOLS_AT_ONCE):
            part = slice(start, start + _TOOLS_AT_ONCE)
            own[part] = (takes[part] @ similar).multiply(takes[part]).sum(axis=1)
            own[part] += 2 * (takes[part] @ fed).multiply(gives[part]).sum(axis=1)
        return own


def _find(sums: "NDArray[np.float64]", target: float, first: int, last: int) -> int:
    """Return the entry from `first` to `last` in whose share of the running sums the target lies."""
    return min(bisect_right(sums, target, first + 1, last + 1), last) - 1


def _accumulate(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    return np.concatenate(([0.0], np.cumsum(values)))


def _measure_rarity(incidence: Incidence) -> "NDArray[np.float64]":
    """Return the rarity of each string: the inverse document frequency, spread over its tools."""
    standing = np.diff((incidence.takes.owners + incidence.gives.owners).tocsr().indptr)
    many = np.maximum(standing, 1)
    rarity: NDArray[np.float64] = np.log((incidence.size + 1) / many) / np.sqrt(many)
    return rarity


def _find_echoes(incidence: Incidence) -> "NDArray[np.bool_]":
    """Return, for each slot that a tool gives, whether the tool takes a similar one."""
    takes, gives, count = incidence.takes, incidence.gives, incidence.similar.shape[0]
    taken = np.unique(takes.tools * count + takes.strings)
    echoes = np.zeros(len(gives.strings), np.bool_)
    tools = gives.tools
    for start in range(0, len(echoes), _SLOTS_AT_ONCE):
        part = slice(start, start + _SLOTS_AT_ONCE)
        near, place = gather(incidence.similar.indptr, gives.strings[part])
        keys = tools[part][place] * count + incidence.similar.indices[near]
        if len(taken):
            found = taken[np.minimum(np.searchsorted(taken, keys), len(taken) - 1)] == keys
            echoes[start + place[found]] = True
    return echoes


def _split(incidence: Incidence) -> "tuple[Incidence, NDArray[np.float64]]":
    """Make one node of each string, kind and use, and weigh what is similar.

    Returns the incidence of these nodes, and for each how much it counts in P-R edges.
    """
    rarity = _measure_rarity(incidence)
    sides = (incidence.takes, incidence.gives)
    lesser = (~incidence.takes.required, _find_echoes(incidence))
    keys = [2 * (side.strings * len(KINDS) + side.kinds) + less for side, less in zip(sides, lesser, strict=True)]
    nodes, numbers = np.unique(np.concatenate(keys), return_inverse=True)
    strings, kinds = np.divmod(nodes // 2, len(KINDS))
    ends = np.searchsorted(strings, np.arange(incidence.similar.shape[0] + 1))
    near, node = gather(incidence.similar.indptr, strings)
    other, pair = gather(ends, incidence.similar.indices[near])
    rows, cosines = node[pair], incidence.similar.data[near][pair]
    weights = cosines * AGREEMENT[kinds[rows], kinds[other]] * (rarity[strings[rows]] * rarity[strings[other]])
    kept = weights > 0
    similar = csr_array((weights[kept], (rows[kept], other[kept])), shape=(len(nodes), len(nodes)))
    split = np.split(numbers, [len(keys[0])])
    takes, gives = (
        replace(side, strings=own, owners=turn_around(side.starts, own, len(nodes)))
        for side, own in zip(sides, split, strict=True)
    )
    return Incidence(takes, gives, similar), np.where(nodes % 2 == 1, _LESSER, 1.0)
