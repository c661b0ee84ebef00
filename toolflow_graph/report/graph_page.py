"""The Tool Graph as a page: a picture to walk through, with the slots that are behind every edge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from toolflow_graph.catalog import SchemaSlot, iterate_slots
from toolflow_graph.errors import CatalogError
from toolflow_graph.report.communities import Pairs, find_communities, name_communities, pick_pairs
from toolflow_graph.report.layout import lay_out
from toolflow_graph.report.page import Assets, render_page
from toolflow_graph.tool_graph import ToolGraph
from toolflow_graph.types import JSON, Edge, Tool

__all__ = ["GRAPH_ASSETS", "MOST_BYTES", "Drawing", "GraphPage", "render_drawing", "render_graph_page"]

GRAPH_ASSETS = Assets(("graph.css",), ("vendor/graphology.umd.min.js", "vendor/sigma.min.js", "graph.js"))

MOST_BYTES = 15_000_000
"""Size of a page at most."""

_GROUPED_ABOVE = 1_500
"""Catalogs with more tools are shown as communities first."""


@dataclass(frozen=True)
class _Detail:
    """How much a page tells of a tool: characters of texts, slots besides those of its edges, evidence of an edge."""

    description: int
    slot: int
    slots: int
    evidence: int


_DETAILS = (
    _Detail(description=4_000, slot=1_000, slots=500, evidence=8),
    _Detail(description=600, slot=240, slots=40, evidence=4),
    _Detail(description=300, slot=120, slots=12, evidence=2),
    _Detail(description=160, slot=80, slots=3, evidence=1),
    _Detail(description=80, slot=40, slots=0, evidence=1),
)
"""From full to sparse; a page has the first that fits."""


@dataclass(frozen=True)
class GraphPage:
    """A page and what is in it; `left_out` says in sentences what is not, as the page itself does."""

    html: str
    tools: int
    edges: int
    communities: int
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Drawing:
    """What a page shows: tools, their joined pairs, the evidence of these, and how many each tool is joined with.

    `facts` are further entries of the page's data: `tau`, `encoder`, and `edges_in_all` by kind.
    """

    tools: Sequence[Tool]
    pairs: Pairs
    evidence: Sequence[Sequence[Edge]]
    neighbours: Sequence[int]
    facts: JSON


def render_graph_page(tool_graph: ToolGraph, tools: Mapping[str, Tool], title: str = "Tool Graph") -> GraphPage:
    """Draw a Tool Graph as one page of HTML that needs nothing else; the same graph gives the same page.

    Tools are grouped by communities; above 1,500 these are shown first, each to be opened. Above 12,000 joined pairs,
    each tool shows its strongest. Texts and slots are cut until the page has no more than 15 MB.

    Args:
        tool_graph: The graph.
        tools: Its tools by name, at least.
        title: What the page is called, such as the source of the catalog.

    Raises:
        CatalogError: There are too many tools for one page.
    """
    pairs, summary = pick_pairs(tool_graph), tool_graph.summary
    facts: JSON = {
        "tau": tool_graph.tau,
        "encoder": tool_graph.encoder,
        "edges_in_all": {"P-P": summary.pp_edges, "P-R": summary.pr_edges},
    }
    shown = [tools[name] for name in tool_graph.tools]
    drawing = Drawing(shown, pairs, _list_evidence(tool_graph, pairs), tool_graph.degrees.tolist(), facts)
    return render_drawing(drawing, title)


def render_drawing(drawing: Drawing, title: str) -> GraphPage:
    """Draw tools and their edges as a page; see `render_graph_page`."""
    tools, pairs = drawing.tools, drawing.pairs
    communities = find_communities(len(tools), pairs)
    placed = lay_out(len(tools), communities, pairs)
    names = name_communities(tools, communities, pairs)
    home = {tool: number for number, group in enumerate(communities) for tool in group}
    domains = {name: number for number, name in enumerate(dict.fromkeys(tool.domain for tool in tools))}
    shared: JSON = {
        "title": title,
        "grouped": len(tools) > _GROUPED_ABOVE,
        **drawing.facts,
        "domains": list(domains),
        "communities": [
            {"name": name, "x": _round(x), "y": _round(y), "radius": _round(radius)}
            for name, (x, y), radius in zip(names, placed.centres, placed.radii, strict=True)
        ],
    }
    for detail in _DETAILS:
        writing = _Writing(tools, drawing.evidence, detail)
        entries = [
            {
                **writing.describe(number),
                "domain": domains[tools[number].domain],
                "community": home[number],
                "x": _round(placed.tools[number, 0]),
                "y": _round(placed.tools[number, 1]),
                "neighbours": drawing.neighbours[number],
            }
            for number in range(len(tools))
        ]
        left_out = (*_say_pairs_left_out(pairs), *writing.say_left_out())
        data = {**shared, "tools": entries, "edges": writing.write_edges(), "left_out": left_out}
        page = render_page("graph.html", f"Tool Graph: {title}", GRAPH_ASSETS, data)
        if len(page.encode("utf-8")) <= MOST_BYTES:
            return GraphPage(page, len(tools), len(drawing.evidence), len(communities), left_out)
    raise CatalogError(f"{len(tools):,} tools do not fit on a page of {MOST_BYTES:,} bytes; give a part of the catalog")


class _Writing:
    """Tools and edges as a page holds them, in one detail; slots are numbered as far as they are written."""

    def __init__(self, tools: Sequence[Tool], evidence: Sequence[Sequence[Edge]], detail: _Detail) -> None:
        self._tools = tools
        self._detail = detail
        self._edges = evidence
        self._cut = self._slots_left_out = 0
        takes: list[set[str]] = [set() for _ in self._tools]
        gives: list[set[str]] = [set() for _ in self._tools]
        position = {tool.name: number for number, tool in enumerate(tools)}.__getitem__
        for edge in chain.from_iterable(pairs[: detail.evidence] for pairs in evidence):
            (gives if edge.kind == "P-R" else takes)[position(edge.source)].add(edge.source_slot)
            takes[position(edge.target)].add(edge.target_slot)
        self._position = position
        self._takes = [
            self._pick(tool.parameters, used, tool.required) for tool, used in zip(self._tools, takes, strict=True)
        ]
        self._gives = [self._pick(tool.returns, used, ()) for tool, used in zip(self._tools, gives, strict=True)]

    def describe(self, number: int) -> JSON:
        """Return name, description and slots of a tool."""
        tool = self._tools[number]
        return {
            "name": tool.name,
            "description": self._shorten(tool.description, self._detail.description),
            "takes": [self._write_slot(slot, tool.required) for slot in self._takes[number].values()],
            "gives": [self._write_slot(slot, ()) for slot in self._gives[number].values()],
        }

    def write_edges(self) -> list[list[Any]]:
        """Return kind, source, target, evidence (two numbers of slots and the cosine) and number of all evidence."""
        places = [
            {"P-R": _number(gives), "P-P": _number(takes)}
            for takes, gives in zip(self._takes, self._gives, strict=True)
        ]
        written = []
        for pairs in self._edges:
            kind, source, target = pairs[0].kind, self._position(pairs[0].source), self._position(pairs[0].target)
            sources, targets = places[source][kind], places[target]["P-P"]
            shown = [
                [sources[edge.source_slot], targets[edge.target_slot], round(edge.cosine, 3)]
                for edge in pairs[: self._detail.evidence]
            ]
            written.append([kind, source, target, shown, len(pairs)])
        return written

    def say_left_out(self) -> list[str]:
        """Say what the detail cost, once all tools are described."""
        said = []
        if self._cut:
            said.append(
                f"{self._cut:,} long texts are cut, descriptions of tools at {self._detail.description:,} characters "
                f"and those of slots at {self._detail.slot:,}."
            )
        if self._slots_left_out:
            said.append(f"{self._slots_left_out:,} parameters and return values without a shown edge are left out.")
        hidden = sum(max(len(pairs) - self._detail.evidence, 0) for pairs in self._edges)
        if hidden:
            said.append(f"An edge shows its best pairs of slots, at most {self._detail.evidence}.")
        return said

    def _pick(self, schema: JSON, used: set[str], required: Sequence[str]) -> dict[str, SchemaSlot]:
        slots = {slot.path: slot for slot in iterate_slots(schema)}
        first = sorted((path for path in slots if path not in used), key=lambda path: path not in required)
        kept = used.union(first[: self._detail.slots])
        self._slots_left_out += len(slots) - len(kept)
        return {path: slot for path, slot in slots.items() if path in kept}

    def _write_slot(self, slot: SchemaSlot, required: Sequence[str]) -> list[Any]:
        description = self._shorten(str(slot.schema.get("description", "")), self._detail.slot)
        return [
            slot.path,
            self._shorten(_name_type(slot.schema), self._detail.slot),
            description,
            int(slot.path in required),
        ]

    def _shorten(self, text: str, most: int) -> str:
        if len(text) <= most:
            return text
        self._cut += 1
        return text[: most - 1].rstrip() + "…"


def _list_evidence(tool_graph: ToolGraph, pairs: Pairs) -> list[list[Edge]]:
    """List the edges of all pairs: P-R either way and P-P, each with its pairs of slots, best first."""
    names = tool_graph.tools
    ways: tuple[tuple[Literal["P-P", "P-R"], bool], ...] = (("P-R", False), ("P-R", True), ("P-P", False))
    found = (
        tool_graph.list_evidence(kind, *((names[other], names[one]) if turned else (names[one], names[other])))
        for one, other in zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)
        for kind, turned in ways
    )
    return [evidence for evidence in found if evidence]


def _say_pairs_left_out(pairs: Pairs) -> list[str]:
    if len(pairs) == pairs.joined:
        return []
    shown = f"{len(pairs):,}, the {pairs.strongest} strongest of each tool"
    return [f"{pairs.joined:,} pairs of tools are joined; shown are {shown}."]


def _name_type(schema: JSON) -> str:
    kind = schema.get("type", "")
    named = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    items = schema.get("items")
    if named == "array" and isinstance(items, dict) and items.get("type"):
        named = f"array of {_name_type(items)}"
    values = schema.get("enum")
    return f"{named}: {', '.join(map(str, values))}" if isinstance(values, list) and values else named


def _number(slots: Mapping[str, SchemaSlot]) -> dict[str, int]:
    return {path: number for number, path in enumerate(slots)}


def _round(value: float) -> float:
    return round(float(value), 2)
