"""Where tools stand in the picture: communities are discs, those that have much in common near each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.report.communities import Pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Layout", "lay_out"]

_FEW = 400
"""Larger communities are not laid out by forces, which take the square of their size."""

_GOLDEN_ANGLE = np.pi * (3 - 5**0.5)
_ROOM = 1.5
"""Radius of a disc over the root of the number of its tools, which are about 2 apart then."""

_ROUNDS = 400


@dataclass(frozen=True, eq=False)
class Layout:
    """Places of tools, (tools, 2), and of the discs of communities, (communities, 2), with their radii."""

    tools: "NDArray[np.float64]"
    centres: "NDArray[np.float64]"
    radii: "NDArray[np.float64]"


def lay_out(count: int, communities: Sequence[Sequence[int]], pairs: Pairs, seed: int = 0) -> Layout:
    """Lay out tools inside their communities, and these beside each other; the same seed gives the same picture."""
    home = np.zeros(count, np.int64)
    for number, group in enumerate(communities):
        home[list(group)] = number
    radii = np.array([_ROOM * len(group) ** 0.5 for group in communities])
    one, other = home[pairs.one], home[pairs.other]
    links = np.zeros((len(communities), len(communities)))
    np.add.at(links, (one, other), pairs.weights)
    np.fill_diagonal(links, 0.0)
    centres = _pack_discs(radii + 1.0, links + links.T, seed)
    places = np.zeros((count, 2))
    inside = np.flatnonzero(one == other)
    bounds = np.searchsorted(one[inside][order := np.argsort(one[inside], kind="stable")], range(len(communities) + 1))
    for number, group in enumerate(communities):
        own = inside[order[bounds[number] : bounds[number + 1]]]
        local = _lay_out_group(group, pairs, own, seed)
        places[list(group)] = centres[number] + radii[number] * local
    return Layout(places, centres, radii)


def _lay_out_group(group: Sequence[int], pairs: Pairs, own: "NDArray[np.int64]", seed: int) -> "NDArray[np.float64]":
    """Return places inside the unit disc."""
    if len(group) == 1:
        return np.zeros((1, 2))
    if len(group) > _FEW or not len(own):
        turn, rank = np.arange(len(group)) * _GOLDEN_ANGLE, np.arange(len(group)) + 0.5
        return np.column_stack((np.cos(turn), np.sin(turn))) * np.sqrt(rank / len(group))[:, None]
    import networkx as nx  # noqa: PLC0415

    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(group)
    graph.add_edges_from(zip(pairs.one[own].tolist(), pairs.other[own].tolist(), strict=True))
    drawn = nx.spring_layout(graph, seed=seed, iterations=60, method="force")
    return _spread_evenly(np.array([drawn[tool] for tool in group]))


def _spread_evenly(places: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Move points apart that are nearer than a disc full of them needs, and bring all into the unit disc."""
    places = (places - places.mean(axis=0)) / max(float(np.abs(places - places.mean(axis=0)).max()), 1e-9)
    apart = 1.5 / len(places) ** 0.5
    for _ in range(60):
        places = places + _push(places, np.full(len(places), apart / 2))
        far = np.maximum(np.hypot(*places.T), 1.0)
        places /= far[:, None]
    return places


def _pack_discs(radii: "NDArray[np.float64]", links: "NDArray[np.float64]", seed: int) -> "NDArray[np.float64]":
    """Place discs without overlap around the origin, the linked ones near each other."""
    count = len(radii)
    rng = np.random.default_rng(seed)
    turn = np.arange(count) * _GOLDEN_ANGLE
    reach = np.sqrt(np.cumsum(radii**2))
    places = np.column_stack((np.cos(turn), np.sin(turn))) * reach[:, None] + rng.normal(0, 0.01, (count, 2))
    pulls = links / np.maximum(links.sum(axis=1, keepdims=True), 1e-9)
    linked = pulls.sum(axis=1, keepdims=True) > 0
    for step in range(_ROUNDS):
        calm = 1 - step / _ROUNDS
        towards = np.where(linked, pulls @ places - places, 0.0)
        places = places + 0.15 * calm * towards - (0.04 + 0.04 * calm) * places
        for _ in range(3):
            places = places + _push(places, radii)
    for _ in range(_ROUNDS):
        moved = _push(places, radii)
        if float(np.abs(moved).max(initial=0.0)) < 1e-3:
            break
        places = places + moved
    return places


def _push(places: "NDArray[np.float64]", radii: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return by how much each disc gives way to those that it overlaps."""
    between = places[:, None] - places[None]
    distances = np.hypot(between[..., 0], between[..., 1])
    np.fill_diagonal(distances, np.inf)
    overlap = np.maximum(radii[:, None] + radii[None] - distances, 0.0)
    moved: NDArray[np.float64] = 0.4 * (between * (overlap / np.maximum(distances, 1e-9))[..., None]).sum(axis=1)
    return moved
