"""Builds the Tool Graph of a catalog."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy.sparse import csr_array

from toolflow_graph.encoder import Encoder
from toolflow_graph.errors import CatalogError, SettingsError
from toolflow_graph.retriever import SlotRetriever
from toolflow_graph.tool_graph.graph import ToolGraph
from toolflow_graph.tool_graph.incidence import Incidence, list_slots, make_side
from toolflow_graph.types import Tool

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DEFAULT_TAU", "EDGES", "Edges", "build_tool_graph"]

DEFAULT_TAU = 0.82
"""The paper's threshold."""

Edges = Literal["auto", "paper", "weighted"]
EDGES: tuple[Edges, ...] = get_args(Edges)

_MANY_NEIGHBOURS = 50
"""Where a tool has more in the mean, what joins them says little, and `auto` weighs edges."""


def build_tool_graph(
    tools: Iterable[Tool], encoder: Encoder, tau: float = DEFAULT_TAU, *, edges: Edges = "auto"
) -> ToolGraph:
    """Join all tools whose slots are similar (paper, section 3.1).

    Args:
        tools: The tools, in the order that the graph keeps.
        encoder: Encodes each distinct slot string once.
        tau: Two slots are similar when their cosine is greater; identical strings have cosine 1.
        edges: What walks go along: all edges alike (`paper`), each by its weight (`weighted`, see `WeightedEdges`), or,
            with `auto`, the second where a tool has more than 50 neighbours in the mean.

    Raises:
        SettingsError: tau is outside (0, 1], or `edges` unknown.
        CatalogError: Two tools have the same name.
        EncoderError: The encoder cannot be loaded.
    """
    if not 0 < tau <= 1:
        raise SettingsError(f"tau is {tau!r}, but must lie in (0, 1]; the paper uses {DEFAULT_TAU}")
    if edges not in EDGES:
        raise SettingsError(f"edges are {edges!r}; choose from {', '.join(EDGES)}")
    listed = list(tools)
    names = tuple(tool.name for tool in listed)
    if len(set(names)) < len(names):
        double = next(name for place, name in enumerate(names) if name in names[:place])
        raise CatalogError(f"two tools are called {double!r}; rename one of the two")
    numbers: dict[str, int] = {}
    takes = list_slots([tool.parameters for tool in listed], numbers)
    gives = list_slots([tool.returns for tool in listed], numbers)
    strings = tuple(numbers)
    incidence = Incidence(
        make_side(takes, len(strings)), make_side(gives, len(strings)), _relate_strings(strings, encoder, tau)
    )
    plain = ToolGraph(
        tools=names,
        domains=tuple(tool.domain for tool in listed),
        strings=strings,
        tau=tau,
        encoder=encoder.name,
        edges="paper",
        incidence=incidence,
    )
    weighted = edges == "weighted" or (edges == "auto" and plain.mean_degree > _MANY_NEIGHBOURS)
    return replace(plain, edges="weighted") if weighted else plain


def _relate_strings(strings: tuple[str, ...], encoder: Encoder, tau: float) -> "csr_array[np.float64, tuple[int, int]]":
    rows, columns, cosines = SlotRetriever(strings, encoder).find_pairs(tau)
    own: NDArray[np.int64] = np.arange(len(strings) if tau < 1 else 0)
    data = np.concatenate((cosines, cosines, np.ones(len(own))))
    coordinates = (np.concatenate((rows, columns, own)), np.concatenate((columns, rows, own)))
    return csr_array((data, coordinates), shape=(len(strings), len(strings)))
