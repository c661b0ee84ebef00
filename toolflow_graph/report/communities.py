"""Groups of tools that work together: which pairs of tools to draw, which tools to keep together, and what to call it.

What counts are the weights of edges (`WeightedEdges`), so that a parameter which all tools take joins nobody.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.tool_graph import ToolGraph
from toolflow_graph.tool_graph.rows import list_bits
from toolflow_graph.types import Tool

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pairs", "find_communities", "name_communities", "pick_pairs"]

_MOST_PAIRS = 12_000
"""A graph with more joined pairs shows the strongest of each tool."""

_MOST_PICKED = 60_000
_MOST_TOGETHER = 400
_LEAST_WEIGHT = 1e-6
"""Of edges that weigh nothing, since the kinds of their values do not agree."""

_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Joined tools, each pair once with `one` < `other`, and the sum of the weights of their edges.

    `joined` counts all pairs of the graph, and `strongest` says how many each tool was to keep, None for all.
    """

    one: "NDArray[np.int64]"
    other: "NDArray[np.int64]"
    weights: "NDArray[np.float64]"
    joined: int
    strongest: int | None

    def __len__(self) -> int:
        return len(self.one)


def pick_pairs(tool_graph: ToolGraph) -> Pairs:
    """List the joined pairs of a graph, or where they are too many to be seen, the strongest of each tool."""
    count, degrees = len(tool_graph), tool_graph.degrees
    joined = int(degrees.sum()) // 2
    strongest = None if joined <= _MOST_PAIRS else max(3, min(20, _MOST_PICKED // count))
    found: dict[tuple[int, int], float] = {}
    for tool in np.flatnonzero(degrees).tolist():
        near = list_bits(tool_graph.rows.joined(tool))
        weights = np.maximum(tool_graph.weights.weigh(tool)[near], _LEAST_WEIGHT)
        order = np.lexsort((near, -weights))[:strongest]
        for other, weight in zip(near[order].tolist(), weights[order].tolist(), strict=True):
            found.setdefault((min(tool, other), max(tool, other)), weight)
    ends = np.array(sorted(found), np.int64).reshape(-1, 2)
    weights = np.array([found[one, other] for one, other in ends.tolist()], np.float64)
    return Pairs(ends[:, 0], ends[:, 1], weights, joined, strongest)


def find_communities(count: int, pairs: Pairs, seed: int = 0) -> list[list[int]]:
    """Group `count` tools by the Louvain method, largest group first; large groups are divided again.

    Tools in groups of one or two make up a last group together.
    """
    import networkx as nx  # noqa: PLC0415

    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(count))
    ends = zip(pairs.one.tolist(), pairs.other.tolist(), pairs.weights.tolist(), strict=True)
    graph.add_weighted_edges_from(ends)
    groups: list[list[int]] = []
    waiting = [graph]
    while waiting:
        part = waiting.pop()
        divided = [sorted(group) for group in nx.community.louvain_communities(part, seed=seed)]
        for group in divided:
            if len(group) > _MOST_TOGETHER and len(divided) > 1:
                waiting.append(nx.Graph(graph.subgraph(group)))
            else:
                groups.append(group)
    rest = sorted(tool for group in groups if len(group) < 3 for tool in group)
    kept = sorted((group for group in groups if len(group) >= 3), key=lambda group: (-len(group), group[0]))
    return [*kept, rest] if rest else kept


def name_communities(tools: Sequence[Tool], communities: Sequence[Sequence[int]], pairs: Pairs) -> list[str]:
    """Name each group by its commonest domain and the words that set its tools' names apart."""
    words = [set(map(str.lower, _WORD.findall(tool.name))) for tool in tools]
    standing = Counter(word for own in words for word in own)
    joined = set(pairs.one.tolist()) | set(pairs.other.tolist())
    names = []
    for group in communities:
        domains = Counter(tools[tool].domain for tool in group)
        (domain, most), *others = sorted(domains.items(), key=lambda item: (-item[1], item[0]))
        if len(group) > 1 and joined.isdisjoint(group):
            names.append("joined with no other tool")
            continue
        here = Counter(word for tool in group for word in words[tool] if not any(word in d.lower() for d in domains))
        lifts = {word: math.log(most * len(words) / (len(group) * standing[word])) for word, most in here.items()}
        telling = sorted((word for word in here if lifts[word] > 0), key=lambda word: (-here[word] * lifts[word], word))
        title = domain if not others or 2 * most > len(group) else f"{domain}, {others[0][0]}"
        names.append(": ".join(filter(None, (title, ", ".join(telling[:2])))))
    return names
