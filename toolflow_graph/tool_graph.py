"""The Tool Graph: which tools take the same values (P-P), and which return what others take (P-R).

Two sparse matrices hold it (`pp`, symmetric, and `pr`, producer row to consumer column), every entry with its
evidence: the best pair of slots and their cosine. What the matrices are made from is kept as well, bipartite and
lossless (slots of tools, similar strings), so that all evidence of an edge can be listed on demand.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from toolflow_graph.catalog import SchemaSlot, iterate_slots
from toolflow_graph.errors import CatalogError, SettingsError
from toolflow_graph.retriever import Encoder, SlotRetriever
from toolflow_graph.types import Edge, Tool

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray

__all__ = ["DEFAULT_TAU", "GraphSummary", "HubSlot", "ToolGraph", "build_tool_graph"]

DEFAULT_TAU = 0.82
"""The paper's threshold."""


@dataclass(frozen=True)
class _Side:
    """The parameters (or the return values) of all tools.

    `members[t]` are the strings of tool t, each once, in the order of its schema, and `paths[t]` the first path at
    which each stands. `owners` turns this around: row = string, column = tool, data = place in `members[t]`, plus 1.
    """

    members: "tuple[NDArray[np.int64], ...]"
    paths: tuple[tuple[str, ...], ...]
    owners: "csr_array[np.int64, tuple[int, int]]"

    def look_up(self, tools: "NDArray[np.integer]", places: "NDArray[np.integer]") -> "NDArray[np.int64]":
        """Return the strings that stand at these places of these tools."""
        starts = np.cumsum([0, *(len(own) for own in self.members)])
        flat: NDArray[np.int64] = np.concatenate([*self.members, np.zeros(0, np.int64)])
        strings: NDArray[np.int64] = flat[starts[tools] + places]
        return strings


@dataclass(frozen=True, eq=False)
class _Relation:
    """One kind of edge: the matrix of best cosines and, for each stored entry, the places of the two best slots."""

    matrix: "csr_array[np.float64, tuple[int, int]]"
    source_places: "NDArray[np.int64]"
    target_places: "NDArray[np.int64]"

    def row(self, tool: int) -> "NDArray[np.int64]":
        start, end = self.matrix.indptr[tool : tool + 2]
        return self.matrix.indices[start:end].astype(np.int64)

    def entry(self, source: int, target: int) -> int | None:
        start = int(self.matrix.indptr[source])
        row = self.row(source)
        place = int(np.searchsorted(row, target))
        return start + place if place < len(row) and row[place] == target else None


@dataclass(frozen=True)
class HubSlot:
    """A slot string that stands in many tools; `edges` counts those for which it is (an end of) the best evidence."""

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


@dataclass(frozen=True, eq=False)
class ToolGraph:
    """Tools, joined where the cosine of two of their slots exceeds `tau`; made by `build_tool_graph`.

    Attributes:
        tools: Names, in the order of the catalog; the rows and columns of the matrices.
        domains: The domain of each tool.
        strings: All distinct slots as `{Name}: {Description}`.
        tau: Cosines must be *greater* than this.
        encoder: Name of the encoder.
        similar: Cosines of similar strings, (strings, strings), symmetric, with 1 on the diagonal.
    """

    tools: tuple[str, ...]
    domains: tuple[str, ...]
    strings: tuple[str, ...]
    tau: float
    encoder: str
    similar: "csr_array[np.float64, tuple[int, int]]"
    _parameters: _Side
    _returns: _Side
    _pp: _Relation
    _pr: _Relation

    def __len__(self) -> int:
        return len(self.tools)

    def __contains__(self, tool: object) -> bool:
        return tool in self._positions

    @property
    def pp(self) -> "csr_array[np.float64, tuple[int, int]]":
        """P-P edges: best cosine of two parameters, (tools, tools), symmetric, nothing on the diagonal."""
        return self._pp.matrix

    @property
    def pr(self) -> "csr_array[np.float64, tuple[int, int]]":
        """P-R edges: best cosine of a return value of the row's tool and a parameter of the column's."""
        return self._pr.matrix

    @cached_property
    def adjacency(self) -> "csr_array[np.bool_, tuple[int, int]]":
        """Which tools are joined by any edge, in either direction; symmetric."""
        pp, pr = self.pp.astype(np.bool_), self.pr.astype(np.bool_)
        joined: csr_array[np.bool_, tuple[int, int]] = (pp + pr + pr.T).tocsr()
        joined.sort_indices()
        return joined

    @cached_property
    def components(self) -> "NDArray[np.int64]":
        """Number of the connected component of each tool."""
        return connected_components(self.adjacency.astype(np.int8), directed=False)[1].astype(np.int64)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.tools)}

    @cached_property
    def _fed_by(self) -> "csr_array[np.float64, tuple[int, int]]":
        return self.pr.T.tocsr()

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
        return self._names(self.adjacency, tool)

    def consumers(self, tool: str) -> list[str]:
        """Return the tools that take what this one returns."""
        return self._names(self.pr, tool)

    def producers(self, tool: str) -> list[str]:
        """Return the tools that return what this one takes."""
        return self._names(self._fed_by, tool)

    def _names(self, matrix: "csr_array", tool: str) -> list[str]:
        row = self.position(tool)
        return [self.tools[column] for column in np.sort(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]])]

    def edge(self, kind: Literal["P-P", "P-R"], source: str, target: str) -> Edge | None:
        """Return the edge with its best evidence, or None when there is none.

        Of equal cosines the pair counts whose source slot, then target slot, comes first in the schemas; in a P-P edge
        the source is here the tool that stands first in the graph, so that both directions show the same pair.
        """
        relation = self._pp if kind == "P-P" else self._pr
        one, other = self.position(source), self.position(target)
        entry = relation.entry(one, other)
        if entry is None:
            return None
        return Edge(
            kind=kind,
            source=source,
            target=target,
            source_slot=self._source_side(kind).paths[one][relation.source_places[entry]],
            target_slot=self._parameters.paths[other][relation.target_places[entry]],
            cosine=float(relation.matrix.data[entry]),
        )

    def list_evidence(self, kind: Literal["P-P", "P-R"], source: str, target: str) -> list[Edge]:
        """Return every pair of slots that joins two tools in this way, best first; empty when none does."""
        one, other = self.position(source), self.position(target)
        if one == other:
            return []
        if kind == "P-P" and one > other:
            return [_turn(edge) for edge in self.list_evidence(kind, target, source)]
        side = self._source_side(kind)
        block = self.similar[side.members[one]][:, self._parameters.members[other]].tocoo()
        order = np.lexsort((block.coords[1], block.coords[0], -block.data))
        return [
            Edge(
                kind=kind,
                source=source,
                target=target,
                source_slot=side.paths[one][block.coords[0][pair]],
                target_slot=self._parameters.paths[other][block.coords[1][pair]],
                cosine=float(block.data[pair]),
            )
            for pair in order
        ]

    def edges_between(self, tools: Sequence[str]) -> list[Edge]:
        """Return all edges inside a set of tools: P-R from producer to consumer, each P-P once."""
        names = sorted(set(tools), key=self.position)
        edges: list[Edge] = []
        for place, source in enumerate(names):
            candidates = [self.edge("P-R", source, target) for target in names if target != source]
            candidates += [self.edge("P-P", source, target) for target in names[place + 1 :]]
            edges += [edge for edge in candidates if edge is not None]
        return edges

    def edges_of(self, tool: str) -> list[Edge]:
        """Return all edges of one tool, nearest first: P-R from it and to it, P-P with it as the source."""
        edges = [self.edge("P-R", tool, other) for other in self.consumers(tool)]
        edges += [self.edge("P-R", other, tool) for other in self.producers(tool)]
        edges += [self.edge("P-P", tool, other) for other in self._names(self.pp, tool)]
        return sorted((edge for edge in edges if edge is not None), key=lambda edge: -edge.cosine)

    def _source_side(self, kind: Literal["P-P", "P-R"]) -> _Side:
        return self._parameters if kind == "P-P" else self._returns

    def to_networkx(self) -> "nx.MultiDiGraph[str]":
        """Return the graph for analysis and drawing; the key of an edge is its kind, a P-P edge stands both ways."""
        import networkx as nx  # noqa: PLC0415

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(tau=self.tau, encoder=self.encoder)
        graph.add_nodes_from((name, {"domain": domain}) for name, domain in zip(self.tools, self.domains, strict=True))
        kinds: tuple[tuple[Literal["P-P", "P-R"], _Relation], ...] = (("P-P", self._pp), ("P-R", self._pr))
        for kind, relation in kinds:
            side = self._source_side(kind)
            for source in range(len(self)):
                for entry in range(relation.matrix.indptr[source], relation.matrix.indptr[source + 1]):
                    target = relation.matrix.indices[entry]
                    graph.add_edge(
                        self.tools[source],
                        self.tools[target],
                        key=kind,
                        kind=kind,
                        source_slot=side.paths[source][relation.source_places[entry]],
                        target_slot=self._parameters.paths[target][relation.target_places[entry]],
                        cosine=float(relation.matrix.data[entry]),
                    )
        return graph

    @cached_property
    def summary(self) -> GraphSummary:
        """Size, density, degrees, components, isolated tools and the ten slots that stand in most tools."""
        count = len(self)
        degrees = np.diff(self.adjacency.indptr)
        sides = (self._parameters, self._returns)
        partnered = np.union1d(np.nonzero(np.diff(self.pr.indptr))[0], self.pr.indices)
        return GraphSummary(
            tools=count,
            slots=sum(len(places) for side in sides for places in side.members),
            strings=len(self.strings),
            pp_edges=self.pp.nnz // 2,
            pr_edges=self.pr.nnz,
            density=float(self.adjacency.nnz / (count * (count - 1))) if count > 1 else 0.0,
            degrees=tuple(degrees.tolist()),
            components=tuple(sorted(np.bincount(self.components).tolist(), reverse=True)),
            isolated=tuple(self.tools[position] for position in np.nonzero(degrees == 0)[0]),
            partnered=len(partnered),
            hub_slots=self._rank_hubs(10),
        )

    def _rank_hubs(self, limit: int) -> tuple[HubSlot, ...]:
        standing = np.diff((self._parameters.owners + self._returns.owners).tocsr().indptr)
        edges = np.zeros(len(self.strings), np.int64)
        for relation, side, halved in ((self._pp, self._parameters, 2), (self._pr, self._returns, 1)):
            sources = np.repeat(np.arange(len(self)), np.diff(relation.matrix.indptr))
            ends = side.look_up(sources, relation.source_places)
            others = self._parameters.look_up(relation.matrix.indices, relation.target_places)
            both = np.concatenate((ends, others[ends != others]))
            edges += np.bincount(both, minlength=len(self.strings)) // halved
        order = np.lexsort((np.arange(len(self.strings)), -edges, -standing))[:limit]
        return tuple(HubSlot(self.strings[s], int(standing[s]), int(edges[s])) for s in order if standing[s] > 1)


def _turn(edge: Edge) -> Edge:
    turned = {"source": edge.target, "target": edge.source}
    return edge.model_copy(update={**turned, "source_slot": edge.target_slot, "target_slot": edge.source_slot})


def build_tool_graph(tools: Iterable[Tool], encoder: Encoder, tau: float = DEFAULT_TAU) -> ToolGraph:
    """Join all tools whose slots are similar (paper, section 3.1).

    Args:
        tools: The tools, in the order that the graph keeps.
        encoder: Encodes each distinct slot string once.
        tau: Two slots are similar when their cosine is greater; identical strings have cosine 1.

    Raises:
        SettingsError: tau is outside (0, 1].
        CatalogError: Two tools have the same name.
        EncoderError: The encoder cannot be loaded.
    """
    if not 0 < tau <= 1:
        raise SettingsError(f"tau is {tau!r}, but must lie in (0, 1]; the paper uses {DEFAULT_TAU}")
    listed = list(tools)
    names = tuple(tool.name for tool in listed)
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise CatalogError(f"two tools are called {double!r}; rename one of the two")
    numbers: dict[str, int] = {}
    takes = [_place_slots(iterate_slots(tool.parameters), numbers) for tool in listed]
    gives = [_place_slots(iterate_slots(tool.returns), numbers) for tool in listed]
    strings = tuple(numbers)
    similar = _relate_strings(strings, encoder, tau)
    parameters, returns = _make_side(takes, len(strings)), _make_side(gives, len(strings))
    return ToolGraph(
        tools=names,
        domains=tuple(tool.domain for tool in listed),
        strings=strings,
        tau=tau,
        encoder=encoder.name,
        similar=similar,
        _parameters=parameters,
        _returns=returns,
        _pp=_relate_tools(parameters, parameters, similar, mirrored=True),
        _pr=_relate_tools(returns, parameters, similar, mirrored=False),
    )


def _place_slots(slots: Iterable[SchemaSlot], numbers: dict[str, int]) -> dict[int, str]:
    """Number the strings of one tool; returns the first path of each, in the order of the schema."""
    paths: dict[int, str] = {}
    for slot in slots:
        paths.setdefault(numbers.setdefault(slot.text, len(numbers)), slot.path)
    return paths


def _make_side(placed: list[dict[int, str]], strings: int) -> _Side:
    members = tuple(np.fromiter(paths, np.int64, len(paths)) for paths in placed)
    rows = np.concatenate([*members, np.zeros(0, np.int64)])
    sizes = [len(own) for own in members]
    columns = np.repeat(np.arange(len(members)), sizes)
    places = np.concatenate([*(np.arange(size) for size in sizes), np.zeros(0, np.int64)])
    owners = csr_array((places + 1, (rows, columns)), shape=(strings, len(members)))
    return _Side(members, tuple(tuple(paths.values()) for paths in placed), owners)


def _relate_strings(strings: tuple[str, ...], encoder: Encoder, tau: float) -> "csr_array[np.float64, tuple[int, int]]":
    rows, columns, cosines = SlotRetriever(strings, encoder).find_pairs(tau)
    own = np.arange(len(strings) if tau < 1 else 0)
    data = np.concatenate((cosines, cosines, np.ones(len(own))))
    coordinates = (np.concatenate((rows, columns, own)), np.concatenate((columns, rows, own)))
    return csr_array((data, coordinates), shape=(len(strings), len(strings)))


def _relate_tools(
    sources: _Side, targets: _Side, similar: "csr_array[np.float64, tuple[int, int]]", *, mirrored: bool
) -> _Relation:
    """Join tools through similar strings, a row at a time, keeping the best pair of slots of each two.

    `mirrored` relates only tools i < j and gives (j, i) the same evidence.
    """
    count = len(sources.members)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]
    found = []
    for source, members in enumerate(sources.members):
        near, place = _gather(similar.indptr, members)
        owned, pair = _gather(targets.owners.indptr, similar.indices[near])
        target = targets.owners.indices[owned].astype(np.int64)
        target_place, source_place, cosine = targets.owners.data[owned] - 1, place[pair], similar.data[near][pair]
        order = np.lexsort((target_place, source_place, -cosine, target))
        order = order[target[order] > source] if mirrored else order[target[order] != source]
        best = order[np.unique(target[order], return_index=True)[1]]
        row = np.full(len(best), source)
        found.append((row, target[best], source_place[best], target_place[best], cosine[best]))
    rows, columns, source_places, target_places, cosines = (
        np.concatenate(parts) for parts in (zip(*found, strict=True) if found else [[np.zeros(0, np.int64)]] * 5)
    )
    if mirrored:
        rows, columns = np.concatenate((rows, columns)), np.concatenate((columns, rows))
        source_places, target_places = (
            np.concatenate((source_places, target_places)),
            np.concatenate((target_places, source_places)),
        )
        cosines = np.concatenate((cosines, cosines))
    order = np.lexsort((columns, rows))
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=count))))
    matrix = csr_array((cosines[order].astype(np.float64), columns[order], indptr), shape=(count, count))
    return _Relation(matrix, source_places[order], target_places[order])


def _gather(
    indptr: "NDArray[np.integer]", rows: "NDArray[np.integer]"
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Return the positions of all entries of some rows of a CSR matrix, and for each the place of its row in `rows`."""
    starts = indptr[rows].astype(np.int64)
    lengths = indptr[rows + 1].astype(np.int64) - starts
    place = np.repeat(np.arange(len(rows)), lengths)
    return np.arange(int(lengths.sum())) + (starts - np.cumsum(lengths) + lengths)[place], place
