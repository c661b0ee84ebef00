"""Figures of a Tool Graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.tool_graph.incidence import Incidence
from toolflow_graph.tool_graph.rows import NeighbourRows, count_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GraphSummary", "HubSlot", "summarise_graph"]

_HUBS = 10


@dataclass(frozen=True)
class HubSlot:
    """A slot string that stands in many tools; `edges` counts those that have it at both ends."""

    text: str
    tools: int
    edges: int


@dataclass(frozen=True)
class GraphSummary:
    """Figures of a Tool Graph; a pair of tools is *joined* when at least one edge of either kind is between them.

    `density` is the share of joined pairs, `degrees` the number of neighbours of each tool in the graph's order,
    `components` the sizes of the connected components, largest first, `partnered` the number of tools with a P-R edge.
    """

    tools: int
    slots: int
    strings: int
    pp_edges: int
    pr_edges: int
    density: float
    degrees: tuple[int, ...]
    components: tuple[int, ...]
    isolated: tuple[str, ...]
    partnered: int
    hub_slots: tuple[HubSlot, ...]


def summarise_graph(
    tools: Sequence[str],
    strings: Sequence[str],
    incidence: Incidence,
    rows: NeighbourRows,
    degrees: "NDArray[np.int64]",
    components: "NDArray[np.int64]",
) -> GraphSummary:
    """Count edges, neighbours and the tools of each component, and rank the slots that stand in most tools."""
    count = len(tools)
    peers = fed = partnered = 0
    for tool in range(count):
        peers += count_bits(rows.peers(tool))
        consumers = count_bits(rows.consumers(tool))
        fed += consumers
        partnered += bool(consumers) or bool(rows.producers(tool).any())
    return GraphSummary(
        tools=count,
        slots=len(incidence.takes.strings) + len(incidence.gives.strings),
        strings=len(strings),
        pp_edges=peers // 2,
        pr_edges=fed,
        density=float(degrees.sum() / (count * (count - 1))) if count > 1 else 0.0,
        degrees=tuple(degrees.tolist()),
        components=tuple(sorted(np.bincount(components).tolist(), reverse=True)),
        isolated=tuple(tools[position] for position in np.flatnonzero(degrees == 0).tolist()),
        partnered=partnered,
        hub_slots=_rank_hubs(strings, incidence),
    )


def _rank_hubs(strings: Sequence[str], incidence: Incidence) -> tuple[HubSlot, ...]:
    takes, gives = incidence.takes.owners, incidence.gives.owners
    standing = np.diff((takes + gives).tocsr().indptr)
    takers, givers = np.diff(takes.indptr), np.diff(gives.indptr)
    both = takers + givers - standing
    edges = takers * (takers - 1) // 2 + takers * givers - both
    order = np.lexsort((np.arange(len(standing)), -edges, -standing))[:_HUBS]
    return tuple(HubSlot(strings[s], int(standing[s]), int(edges[s])) for s in order if standing[s] > 1)
