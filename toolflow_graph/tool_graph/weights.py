"""Weighted edges: what two tools share counts by how rare it is, and by whether the one's values fit the other.

Above the threshold alone, tools of any two large APIs are joined, through `id`, `limit` or `api-version`. Here an edge
has a weight: the sum over all pairs of similar slots of

    cosine × agreement of their kinds × rarity of the one string × rarity of the other.

Rarity is the inverse document frequency of a string over the square root of the number of its tools: a string then adds
about as much to the weight of a tool's edges however many tools it leads to. Tools with a similar string count too,
since one more way to describe an `id` does not make it rare.

Where one tool returns what the other takes (P-R), a pair counts the more, the more the tools have to do with each
other: the `id` that `list_issues` returns is the one that `close_issue` takes. That is the cosine of the words of their
names (see `list_topics`), plus a fiftieth for tools that have none in common, times thirty. A pair counts a fifth if
the parameter is optional, and a fifth if the producer itself takes what it returns: it does not tell anything new.
Where both take the same (P-P), tools of one domain count a tenth, so that walks also leave it.

At last each weight is divided by the fourth root of the sums of both tools, so that walks do not end up at a few tools.

Weights are symmetric, and none is stored: steps are drawn, and weights added up, on slots and strings.
"""

import random
from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from toolflow_graph.tool_graph.incidence import Incidence, Side, gather, turn_around
from toolflow_graph.tool_graph.kinds import AGREEMENT, KINDS
from toolflow_graph.tool_graph.topics import join_by_topic, list_topics
from toolflow_graph.tool_graph.ways import Way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Matrix = csr_array[np.float64, tuple[int, int]]

__all__ = ["WeightedEdges"]

_FEEDING = 30.0
_APART = 0.02
"""What tools count whose names have nothing in common, where the same name counts 1."""

_LESSER = 0.2
_SAME_DOMAIN = 0.1
_EVENNESS = 0.25
_SMALLEST = 1e-3
"""Sums of a tool's weights below this part of the usual one count as this."""

_NOISE = 1e-9
_TRIALS = 64
"""Draws that may be refused before the weights of all neighbours are listed."""

_SLOTS_AT_ONCE = 100_000


class WeightedEdges:
    """The edges of a Tool Graph with weights, on the slots that they come from.

    `incidence` is that of the plain graph with each string split by kind and use of its slots; its `similar` holds what
    a pair of parameters adds to the weight of an edge. `strengths` holds the sum of the weights of each tool's edges.
    """

    def __init__(self, incidence: Incidence, names: "Sequence[str]", domains: "Sequence[str]") -> None:
        self.incidence, use = _split(incidence)
        numbers = {name: number for number, name in enumerate(dict.fromkeys(domains))}
        self._domains = np.array([numbers[name] for name in domains], np.int64)
        takes, gives, similar = self.incidence.takes, self.incidence.gives, self.incidence.similar
        fed = _FEEDING * similar.data * np.repeat(use, np.diff(similar.indptr)) * use[similar.indices]
        feeding = csr_array((fed, similar.indices, similar.indptr), shape=similar.shape)
        needs, makes = _list_slots(takes), _list_slots(gives)
        takers, makers = _list_owners(takes), _list_owners(gives)
        apart = csr_array((fed * _APART, similar.indices, similar.indptr), shape=similar.shape)
        close_needs, close, close_makes = join_by_topic(takes, gives, feeding, list_topics(names, domains))
        count = self.incidence.size
        where = csr_array((np.ones(count), self._domains, np.arange(count + 1)), (count, count), np.float64)
        own_needs, own, same_needs = join_by_topic(takes, takes, similar, where)
        ways = (
            Way(needs, similar, takers),
            Way(needs, apart, makers),
            Way(close_needs, close, close_makes.T.tocsr()),
            Way(makes, apart, takers),
            Way(close_makes, close.T.tocsr(), close_needs.T.tocsr()),
        )
        colleagues = Way(own_needs, own, same_needs.T.tocsr())
        loops = sum((2 * way.weigh_loops() for way in ways[1:3]), _SAME_DOMAIN * ways[0].weigh_loops())
        self._set_ways(ways, colleagues, loops)
        sums = self.strengths
        usual = np.median(sums[sums > _NOISE * sums.max()]) if sums.any() else 1.0
        factors = np.maximum(sums / usual, _SMALLEST) ** -_EVENNESS
        self._set_ways(tuple(way.scale(factors) for way in ways), colleagues.scale(factors), loops * factors**2)

    def _set_ways(self, ways: tuple[Way, ...], colleagues: Way, loops: "NDArray[np.float64]") -> None:
        """Take the ways to peers, to makers (apart, close) and to takers.

        `colleagues` is the part of the first inside domains, `loops` the weight of each tool with itself.
        """
        self._ways, self._colleagues, self._loops = ways, colleagues, loops
        self._peers, self._makers = ways[0], ways[1:3]
        self._shares = np.stack([way.shares for way in ways], axis=1)
        self.strengths = np.maximum(self.spread(np.ones(self.incidence.size)), 0.0)

    @cached_property
    def components(self) -> "NDArray[np.int64]":
        """Number of the connected component of each tool."""
        return self.incidence.find_components()

    def spread(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return, for each tool, the sum over its edges of weight times the value of the other tool."""
        spread = sum((way.spread(values) for way in self._ways), -self._loops * values)
        return spread - (1 - _SAME_DOMAIN) * self._colleagues.spread(values)

    def weigh(self, tool: int) -> "NDArray[np.float64]":
        """Return the weights of the edges between one tool and every other."""
        weights = self._peers.weigh(tool)
        weights[self._domains == self._domains[tool]] *= _SAME_DOMAIN
        for way in self._ways[1:]:
            weights += way.weigh(tool)
        weights[tool] = 0.0
        return weights

    def weigh_producers(self, tool: int) -> "NDArray[np.float64]":
        """Return the part of each weight that comes from what the other tool returns and this one takes."""
        weights = sum((way.weigh(tool) for way in self._makers), np.zeros(self.incidence.size))
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
        """Draw a way by its share and a tool along it, perhaps the same tool; None where no way leads on.

        Tools of one domain are refused as often as they count less; then it is the same tool too.
        """
        shares = self._shares[tool].tolist()
        total = sum(shares)
        if not total:
            return None
        target = rng.random() * total
        for way, share in zip(self._ways, shares, strict=True):
            if target < share:
                drawn = way.draw(tool, rng)
                akin = way is self._peers and self._domains[drawn] == self._domains[tool]
                return tool if akin and rng.random() >= _SAME_DOMAIN else drawn
            target -= share
        return tool


def _list_slots(side: Side) -> "Matrix":
    """Return tools × nodes, 1 where a tool has a slot."""
    return csr_array((np.ones(len(side.strings)), side.strings, side.starts), shape=side.owners.shape[::-1])


def _list_owners(side: Side) -> "Matrix":
    owners = side.owners
    return csr_array((np.ones(owners.nnz), owners.indices, owners.indptr), shape=owners.shape)


def _measure_rarity(incidence: Incidence) -> "NDArray[np.float64]":
    """Return the rarity of each string: the inverse document frequency, spread over its tools and those near."""
    standing = np.diff((incidence.takes.owners + incidence.gives.owners).tocsr().indptr).astype(np.float64)
    many = np.clip(np.asarray(incidence.similar @ standing), 1, incidence.size)
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
