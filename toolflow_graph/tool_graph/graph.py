"""The Tool Graph as it is asked: neighbours, edges with their evidence, components, matrices of small catalogs."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.sparse import csr_array

from toolflow_graph.errors import CatalogError
from toolflow_graph.tool_graph.incidence import Incidence, Side, gather
from toolflow_graph.tool_graph.rows import NeighbourRows, count_bits, has_bit, list_bits
from toolflow_graph.tool_graph.summary import GraphSummary, summarise_graph
from toolflow_graph.tool_graph.weights import WeightedEdges
from toolflow_graph.types import Edge

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray

__all__ = ["MOST_ENTRIES", "ToolGraph"]

MOST_ENTRIES = 20_000_000
"""Entries that a matrix of the graph may have."""

_ASKED = 512
"""Tools whose neighbours are counted to know how many a tool has in the mean."""


@dataclass(frozen=True, eq=False)
class ToolGraph:
    """Tools, joined where the cosine of two of their slots exceeds `tau`; made by `build_tool_graph`.

    Held is which tool has which slot, and which slots are similar. Edges are made from that when they are asked for:
    a string that stands in k tools stands for k² edges.

    Attributes:
        tools: Names, in the order of the catalog; the rows and columns of the matrices.
        domains: The domain of each tool.
        strings: All distinct slots as `{Name}: {Description}`.
        tau: Cosines must be *greater* than this.
        encoder: Name of the encoder.
        edges: What a walk goes along: all edges alike (`paper`), or each by its weight (`weighted`).
        incidence: The slots of the tools and the cosines of similar ones.
    """

    tools: tuple[str, ...]
    domains: tuple[str, ...]
    strings: tuple[str, ...]
    tau: float
    encoder: str
    edges: Literal["paper", "weighted"]
    incidence: Incidence

    def __len__(self) -> int:
        return len(self.tools)

    def __contains__(self, tool: object) -> bool:
        return tool in self._positions

    @property
    def similar(self) -> "csr_array[np.float64, tuple[int, int]]":
        """Cosines of similar strings, (strings, strings), symmetric, with 1 on the diagonal."""
        return self.incidence.similar

    @cached_property
    def rows(self) -> NeighbourRows:
        """Which tools each tool is joined with, as bits."""
        return NeighbourRows(self.incidence)

    @cached_property
    def weights(self) -> WeightedEdges:
        """The edges with weights."""
        return WeightedEdges(self.incidence, self.tools, self.domains)

    @cached_property
    def pp(self) -> "csr_array[np.float64, tuple[int, int]]":
        """P-P edges: best cosine of two parameters, (tools, tools), symmetric, nothing on the diagonal.

        Raises `CatalogError` where there are too many edges to list.
        """
        return self._relate_all("P-P")

    @cached_property
    def pr(self) -> "csr_array[np.float64, tuple[int, int]]":
        """P-R edges: best cosine of a return value of the row's tool and a parameter of the column's; as `pp`."""
        return self._relate_all("P-R")

    @cached_property
    def adjacency(self) -> "csr_array[np.bool_, tuple[int, int]]":
        """Which tools are joined by any edge, in either direction; symmetric; as `pp`."""
        self._check_size()
        rows = [list_bits(self.rows.joined(tool)) for tool in range(len(self))]
        starts = np.cumsum([0, *map(len, rows)])
        columns = np.concatenate([*rows, np.zeros(0, np.int64)])
        return csr_array((np.ones(len(columns), np.bool_), columns, starts), shape=(len(self), len(self)))

    @cached_property
    def degrees(self) -> "NDArray[np.int64]":
        """Number of neighbours of each tool."""
        return np.array([count_bits(self.rows.joined(tool)) for tool in range(len(self))], np.int64)

    @cached_property
    def mean_degree(self) -> float:
        """Mean number of neighbours, of every so-many-th tool in a large catalog."""
        asked = range(0, len(self), -(-len(self) // _ASKED) or 1)
        return sum(count_bits(self.rows.joined(tool)) for tool in asked) / max(len(asked), 1)

    @cached_property
    def components(self) -> "NDArray[np.int64]":
        """Number of the connected component of each tool."""
        return self.incidence.find_components()

    @cached_property
    def summary(self) -> GraphSummary:
        """Size, density, degrees, components, isolated tools and the ten slots that stand in most tools."""
        return summarise_graph(self.tools, self.strings, self.incidence, self.rows, self.degrees, self.components)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.tools)}

    def position(self, tool: str) -> int:
        """Return the row of a tool; raises `CatalogError` when the graph has no such tool."""
        try:
            return self._positions[tool]
        except KeyError:
            close = difflib.get_close_matches(tool, self.tools, 3)
            hint = f"did you mean {', '.join(map(repr, close))}?" if close else "see `toolflow catalog` for the names"
            raise CatalogError(f"no tool {tool!r} in the Tool Graph of {len(self)} tools; {hint}") from None

    def neighbours(self, tool: str) -> list[str]:
        """Return the tools joined to this one by any edge, in the order of the graph."""
        return self._names(self.rows.joined, tool)

    def peers(self, tool: str) -> list[str]:
        """Return the tools that take what this one takes."""
        return self._names(self.rows.peers, tool)

    def consumers(self, tool: str) -> list[str]:
        """Return the tools that take what this one returns."""
        return self._names(self.rows.consumers, tool)

    def producers(self, tool: str) -> list[str]:
        """Return the tools that return what this one takes."""
        return self._names(self.rows.producers, tool)

    def _names(self, row: "Callable[[int], NDArray[np.uint64]]", tool: str) -> list[str]:
        return [self.tools[place] for place in list_bits(row(self.position(tool))).tolist()]

    def edge(self, kind: Literal["P-P", "P-R"], source: str, target: str) -> Edge | None:
        """Return the edge with its best evidence, or None when there is none.

        Of equal cosines the pair counts whose source slot, then target slot, comes first in the schemas; in a P-P edge
        the source is here the tool that stands first in the graph, so that both directions show the same pair.
        """
        return next(iter(self._list_evidence(kind, source, target, 1)), None)

    def list_evidence(self, kind: Literal["P-P", "P-R"], source: str, target: str) -> list[Edge]:
        """Return every pair of slots that joins two tools in this way, best first; empty when none does."""
        return self._list_evidence(kind, source, target, None)

    def _list_evidence(self, kind: Literal["P-P", "P-R"], source: str, target: str, most: int | None) -> list[Edge]:
        one, other = self.position(source), self.position(target)
        if one == other:
            return []
        if kind == "P-P" and one > other:
            return [_turn(edge) for edge in self._list_evidence(kind, target, source, most)]
        side, takes = self._source_side(kind), self.incidence.takes
        mine, theirs = side.of(one), takes.of(other)
        near, place = gather(self.similar.indptr, mine)
        order = np.argsort(theirs)
        ends = self.similar.indices[near]
        found = np.minimum(np.searchsorted(theirs, ends, sorter=order), max(len(theirs) - 1, 0))
        kept = np.flatnonzero(theirs[order[found]] == ends) if len(theirs) else found[:0]
        places, target_places, cosines = place[kept], order[found[kept]], self.similar.data[near[kept]]
        return [
            Edge(
                kind=kind,
                source=source,
                target=target,
                source_slot=side.paths[side.starts[one] + places[pair]],
                target_slot=takes.paths[takes.starts[other] + target_places[pair]],
                cosine=float(cosines[pair]),
            )
            for pair in np.lexsort((target_places, places, -cosines))[:most].tolist()
        ]

    def edges_between(self, tools: Sequence[str]) -> list[Edge]:
        """Return all edges inside a set of tools: P-R from producer to consumer, each P-P once."""
        names = sorted(set(tools), key=self.position)
        edges: list[Edge | None] = []
        for place, source in enumerate(names):
            fed, shared = (row(self.position(source)) for row in (self.rows.consumers, self.rows.peers))
            edges += [self.edge("P-R", source, name) for name in names if has_bit(fed, self.position(name))]
            edges += [
                self.edge("P-P", source, name) for name in names[place + 1 :] if has_bit(shared, self.position(name))
            ]
        return [edge for edge in edges if edge is not None]

    def edges_of(self, tool: str) -> list[Edge]:
        """Return all edges of one tool, nearest first: P-R from it and to it, P-P with it as the source."""
        edges = [self.edge("P-R", tool, other) for other in self.consumers(tool)]
        edges += [self.edge("P-R", other, tool) for other in self.producers(tool)]
        edges += [self.edge("P-P", tool, other) for other in self.peers(tool)]
        return sorted((edge for edge in edges if edge is not None), key=lambda edge: -edge.cosine)

    def _source_side(self, kind: Literal["P-P", "P-R"]) -> Side:
        return self.incidence.takes if kind == "P-P" else self.incidence.gives

    def _relate_all(self, kind: Literal["P-P", "P-R"]) -> "csr_array[np.float64, tuple[int, int]]":
        self._check_size()
        side, owners, similar = self._source_side(kind), self.incidence.takes.owners, self.similar
        columns, data, ends = [np.zeros(0, np.int64)], [np.zeros(0)], [0]
        for source in range(len(self)):
            near = gather(similar.indptr, side.of(source))[0]
            owned, pair = gather(owners.indptr, similar.indices[near])
            targets, cosines = owners.indices[owned].astype(np.int64), similar.data[near][pair]
            order = np.lexsort((-cosines, targets))
            order = order[targets[order] != source]
            found, first = np.unique(targets[order], return_index=True)
            columns.append(found)
            data.append(cosines[order[first]])
            ends.append(ends[-1] + len(found))
        parts = (np.concatenate(data), np.concatenate(columns), np.array(ends))
        return csr_array(parts, shape=(len(self), len(self)))

    def _check_size(self) -> None:
        expected = self.mean_degree * len(self)
        if expected > MOST_ENTRIES:
            raise CatalogError(
                f"the Tool Graph of {len(self)} tools has about {expected:.1e} edges, too many for a matrix; "
                "ask for the neighbours of a tool or the edges between some"
            )

    def to_networkx(self) -> "nx.MultiDiGraph[str]":
        """Return the graph for analysis and drawing; the key of an edge is its kind, a P-P edge stands both ways."""
        import networkx as nx  # noqa: PLC0415

        self._check_size()
        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(tau=self.tau, encoder=self.encoder)
        graph.add_nodes_from((name, {"domain": domain}) for name, domain in zip(self.tools, self.domains, strict=True))
        kinds: tuple[Literal["P-P", "P-R"], ...] = ("P-P", "P-R")
        for kind in kinds:
            for source in self.tools:
                for target in self.peers(source) if kind == "P-P" else self.consumers(source):
                    edge = self.edge(kind, source, target)
                    if edge is not None:
                        graph.add_edge(source, target, key=kind, **edge.model_dump(exclude={"source", "target"}))
        return graph


def _turn(edge: Edge) -> Edge:
    turned = {"source": edge.target, "target": edge.source}
    return edge.model_copy(update={**turned, "source_slot": edge.target_slot, "target_slot": edge.source_slot})
