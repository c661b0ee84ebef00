"""The Tool Graph of a run: the tools of its dialogues, and the edges between those that were drawn together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.catalog import iterate_slots
from toolflow_graph.errors import CatalogError
from toolflow_graph.report.communities import Pairs
from toolflow_graph.report.graph_page import Drawing, GraphPage, render_drawing
from toolflow_graph.report.tally import EdgeKey, Tally
from toolflow_graph.types import JSON, Edge, Tool

if TYPE_CHECKING:
    from toolflow_graph.runner import Manifest

__all__ = ["draw_run_graph", "load_run_tools"]

_MOST_PAIRS = 12_000


def load_run_tools(manifest: "Manifest") -> dict[str, Tool]:
    """Return the tools of a run's catalog by name, or none where it has changed since, is gone, or is no file.

    What runs (an MCP server, Python code) is not started for a report.
    """
    from toolflow_graph.catalog import load_catalog  # noqa: PLC0415
    from toolflow_graph.catalog.sources import is_live  # noqa: PLC0415
    from toolflow_graph.runner.manifest import fingerprint_catalog  # noqa: PLC0415

    note = manifest.catalog
    if note.path is not None and is_live(note.path):
        return {}
    try:
        catalog = load_catalog(note.path)
    except CatalogError:
        return {}
    return dict(catalog.tools) if fingerprint_catalog(catalog) == note.sha256 else {}


def draw_run_graph(tally: Tally, manifest: "Manifest | None", title: str) -> GraphPage | None:
    """Draw the tools that a run offered and the edges that its dialogues were drawn along; None without any edge.

    Of more than 12,000 joined pairs, those of the most dialogues are shown.
    """
    if not tally.edges:
        return None
    known = load_run_tools(manifest) if manifest else {}
    names = sorted({name for key in tally.edges for name in key[1:3]} | tally.tools.keys())
    tools = _describe_tools(names, known, tally)
    evidence, pairs, neighbours = _join(names, tally.edges)
    kinds = [edges[0].kind for edges in evidence]
    facts: JSON = {
        "tau": manifest.settings.tau if manifest else round(min(edge.cosine for edge, _ in tally.edges.values()), 2),
        "edges_in_all": {kind: kinds.count(kind) for kind in ("P-P", "P-R")},
        "facts": f"{len(names):,} tools of {tally.accepted + tally.rejected:,} dialogues, and the "
        f"{len(evidence):,} edges between tools that were drawn together",
    }
    return render_drawing(Drawing(tools, pairs, evidence, neighbours, facts), title)


def _describe_tools(names: list[str], known: Mapping[str, Tool], tally: Tally) -> list[Tool]:
    """Return the tools with every slot that an edge names, even where its schema is not known."""
    takes: dict[str, dict[str, JSON]] = {name: {} for name in names}
    gives: dict[str, dict[str, JSON]] = {name: {} for name in names}
    for kind, source, target, source_slot, target_slot in tally.edges:
        (gives if kind == "P-R" else takes)[source].setdefault(source_slot, {})
        takes[target].setdefault(target_slot, {})
    return [
        Tool.model_construct(
            name=name,
            description=known[name].description
            if name in known
            else str(tally.tools.get(name, {}).get("description", "")),
            parameters=_add_slots(tally.tools.get(name, {}).get("parameters"), takes[name]),
            returns=_add_slots(known[name].returns if name in known else None, gives[name]),
            domain=known[name].domain if name in known else "",
        )
        for name in names
    ]


def _add_slots(schema: object, slots: dict[str, JSON]) -> JSON:
    found = schema if isinstance(schema, dict) else {}
    missing = slots.keys() - {slot.path for slot in iterate_slots(found)}
    if not missing:
        return found
    return {**found, "properties": {**found.get("properties", {}), **{path: {} for path in sorted(missing)}}}


def _join(names: list[str], edges: Mapping[EdgeKey, tuple[Edge, int]]) -> tuple[list[list[Edge]], Pairs, list[int]]:
    """Return the edges by kind and direction, the joined pairs, and how many tools each tool is joined with."""
    numbers = {name: number for number, name in enumerate(names)}
    groups: dict[tuple[str, str, str], list[Edge]] = {}
    weights: dict[tuple[int, int], float] = {}
    for edge, dialogues in edges.values():
        one, other = sorted((numbers[edge.source], numbers[edge.target]))
        if one == other:
            continue
        ends = (edge.source, edge.target) if edge.kind == "P-R" else (names[one], names[other])
        turned = edge.kind == "P-P" and edge.source != ends[0]
        groups.setdefault((edge.kind, *ends), []).append(_turn(edge) if turned else edge)
        weights[one, other] = weights.get((one, other), 0.0) + dialogues * edge.cosine
    neighbours = np.bincount(np.array(list(weights), np.int64).reshape(-1), minlength=len(names)).tolist()
    shown = sorted(sorted(weights, key=lambda pair: (-weights[pair], pair))[:_MOST_PAIRS])
    kept = set(shown)
    ends_shown = np.array(shown, np.int64).reshape(-1, 2)
    pairs = Pairs(
        ends_shown[:, 0], ends_shown[:, 1], np.array([weights[pair] for pair in shown]), len(weights), strongest=None
    )
    evidence = [
        sorted(group, key=lambda edge: (-edge.cosine, edge.source_slot, edge.target_slot))
        for (_, source, target), group in sorted(groups.items())
        if (min(numbers[source], numbers[target]), max(numbers[source], numbers[target])) in kept
    ]
    return evidence, pairs, neighbours


def _turn(edge: Edge) -> Edge:
    ends = {"source": edge.target, "target": edge.source}
    return edge.model_copy(update={**ends, "source_slot": edge.target_slot, "target_slot": edge.source_slot})
