"""Graph-based sampling: draws the tools of one dialogue by a random walk on the Tool Graph (paper, section 3.1).

`walk`
    The paper's: from a random tool along P-P and P-R edges, in either direction, to a uniformly drawn neighbour, past
    tools already drawn.
`even`
    The same, but a step towards a tool with more neighbours is the less likely the more it has (the ratio of the
    degrees, as in a Metropolis walk whose stationary distribution is uniform). Tools are used more evenly and sets hang
    together as well; see benchmarks/sampling.py.
`random`
    Uniformly drawn tools, the ablation.

At a dead end a walk steps back to the latest tool that has an undrawn neighbour. Drawing anew would favour the tools in
dense regions, and going on from the best-connected tool would favour hubs.

On a graph of weighted edges (see `ToolGraph.edges`) a step is drawn by the weights, and "more neighbours" is more
weight.

A walk visits well-connected tools more often than others, wherever it starts. Starts are therefore weighted so that,
over many walks, every tool is expected equally often, as far as the choice of the start can do that. Where the paper's
edges are too many to be listed, starts are uniform.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, combinations
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from toolflow_graph.errors import SamplingError, SettingsError
from toolflow_graph.tool_graph import ToolGraph
from toolflow_graph.tool_graph.rows import clear_bit, count_bits, list_bits, pick_bit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STRATEGIES", "SamplingFigures", "Strategy", "measure_sampling", "measure_sets", "sample_tools"]

Strategy = Literal["walk", "even", "random"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

_BALANCING_ROUNDS = 60
_MOST_BALANCED = 2_000_000
"""Neighbours of all tools up to which the starts of walks on the paper's edges are balanced."""

_TRIALS = 64
"""Steps to heavier tools that an even walk may refuse before it takes one."""


@dataclass(frozen=True)
class SamplingFigures:
    """What many drawn sets are like.

    Attributes:
        draws: Number of sets.
        pr_share: Share of the sets with at least one P-R edge inside.
        joined_share: Mean share of the pairs of a set that an edge joins.
        relatedness: Mean over the pairs of a set of how related the two tools are.
        coverage: Share of the tools that were drawn at least once.
        gini: Gini coefficient of the tools' use, 0 when all are used equally often.
        peak: Use of the most used tool over the mean use.
    """

    draws: int
    pr_share: float
    joined_share: float
    relatedness: float
    coverage: float
    gini: float
    peak: float


def sample_tools(
    tool_graph: ToolGraph,
    size: int,
    rng: random.Random,
    strategy: Strategy = "walk",
    *,
    start: str | None = None,
    restart: bool = False,
) -> list[str]:
    """Draw `size` different tools, in the order in which the walk meets them.

    A walk stays in one connected component, so without `restart` it starts only where `size` tools are reachable.

    Args:
        tool_graph: The graph to walk on.
        size: Number of tools.
        rng: The only source of randomness.
        strategy: How to draw, see the module.
        start: The first tool, instead of a random one.
        restart: Whether a walk that has drawn a whole component goes on in another one.

    Raises:
        SamplingError: There are not that many tools, or not that many are connected.
        SettingsError: The size is below 1, or the strategy unknown.
        CatalogError: The graph has no tool `start`.
    """
    if size < 1:
        raise SettingsError(f"{size} tools wanted; ask for at least 1")
    if strategy not in STRATEGIES:
        raise SettingsError(f"unknown sampling strategy {strategy!r}; there are {', '.join(STRATEGIES)}")
    if size > len(tool_graph):
        raise SamplingError(f"the catalog has only {len(tool_graph)} tools, {size} wanted; lower the size or add tools")
    if strategy == "random":
        first = [] if start is None else [tool_graph.position(start)]
        rest = [position for position in range(len(tool_graph)) if position not in first]
        drawn = first + rng.sample(rest, size - len(first))
    else:
        fixed = None if start is None else tool_graph.position(start)
        drawn = [_draw_start(tool_graph, size, rng, strategy, fixed=fixed, restart=restart)]
        _walk(tool_graph, drawn, size, rng, strategy)
    return [tool_graph.tools[position] for position in drawn]


def _draw_start(
    tool_graph: ToolGraph, size: int, rng: random.Random, strategy: Strategy, *, fixed: int | None, restart: bool
) -> int:
    reachable = _count_reachable(tool_graph)
    if fixed is None and (restart or reachable.max() >= size):
        candidates, cumulative = _weigh_starts(tool_graph, 1 if restart else size, size, strategy)
        return rng.choices(candidates, cum_weights=cumulative)[0]
    position = int(np.argmax(reachable)) if fixed is None else fixed
    if not restart and reachable[position] < size:
        raise SamplingError(
            f"only {reachable[position]} tools reachable from {tool_graph.tools[position]!r}, {size} wanted; "
            f"lower the size or tau (now {tool_graph.tau})"
        )
    return position


@lru_cache(maxsize=16)
def _count_reachable(tool_graph: ToolGraph) -> "NDArray[np.int64]":
    """Return the size of the connected component of each tool."""
    components = tool_graph.weights.components if tool_graph.edges == "weighted" else tool_graph.components
    return np.bincount(components)[components]


def _walk(tool_graph: ToolGraph, drawn: list[int], size: int, rng: random.Random, strategy: Strategy) -> None:
    """Extend `drawn` to `size` tools; where a whole component is drawn, go on from any other tool."""
    draw = _draw_weighted if tool_graph.edges == "weighted" else _draw_plain
    seen = set(drawn)
    while len(drawn) < size:
        steps = (draw(tool_graph, current, seen, rng, strategy) for current in reversed(drawn))
        step = next((found for found in steps if found is not None), None)
        if step is None:
            step = rng.choice([tool for tool in range(len(tool_graph)) if tool not in seen])
        drawn.append(step)
        seen.add(step)


def _draw_plain(
    tool_graph: ToolGraph, current: int, seen: set[int], rng: random.Random, strategy: Strategy
) -> int | None:
    """Draw one of the neighbours that are not in `seen`, or return None when there is none."""
    fresh = tool_graph.rows.joined(current)
    for tool in seen:
        clear_bit(fresh, tool)
    count = count_bits(fresh)
    if not count:
        return None
    if strategy == "walk":
        return pick_bit(fresh, rng.choice(range(count)))
    tools = list_bits(fresh)
    degrees = tool_graph.degrees
    favour = np.cumsum(np.minimum(1.0, degrees[current] / degrees[tools]))
    step: int = rng.choices(tools.tolist(), cum_weights=favour.tolist())[0]
    return step


def _draw_weighted(
    tool_graph: ToolGraph, current: int, seen: set[int], rng: random.Random, strategy: Strategy
) -> int | None:
    weights = tool_graph.weights
    if strategy == "walk":
        return weights.draw(current, seen, rng)
    for _ in range(_TRIALS):
        step = weights.draw(current, seen, rng)
        if step is None or rng.random() * weights.strengths[step] < weights.strengths[current]:
            break
    return step


@lru_cache(maxsize=16)
def _weigh_starts(
    tool_graph: ToolGraph, reach: int, size: int, strategy: Strategy
) -> tuple[Sequence[int], Sequence[float]]:
    """Return the tools from which at least `reach` tools are reachable, and cumulative weights to start there.

    The expected use of the tools by walks of `size` steps is s + sT + sT² + …, with the starts s and the transition
    matrix T (that steps never go back to a drawn tool is left out). The weights are found by giving a start more, round
    after round, where the use is below the mean.
    """
    candidates = np.nonzero(_count_reachable(tool_graph) >= reach)[0]
    starts = np.zeros(len(tool_graph))
    starts[candidates] = 1 / len(candidates)
    step_on = _make_step(tool_graph, strategy)
    for _ in range(_BALANCING_ROUNDS):
        if step_on is None:
            break
        use, step = starts.copy(), starts
        for _ in range(size - 1):
            step = step_on(step)
            use += step
        starts[candidates] *= np.sqrt(use[candidates].mean() / use[candidates])
        starts /= starts.sum()
    return candidates.tolist(), list(accumulate(starts[candidates].tolist()))


def _make_step(
    tool_graph: ToolGraph, strategy: Strategy
) -> "Callable[[NDArray[np.float64]], NDArray[np.float64]] | None":
    """Return what turns the chances to be at each tool into those one step later; None where that is too much work."""
    tiny = np.finfo(np.float64).tiny
    if tool_graph.edges == "weighted":
        weights = tool_graph.weights
        strengths = np.maximum(weights.strengths, tiny)
        return lambda chances: np.maximum(weights.spread(chances / strengths), 0.0)
    if tool_graph.mean_degree * len(tool_graph) > _MOST_BALANCED:
        return None
    matrix = tool_graph.adjacency.astype(np.float64).tocsr()
    degrees = np.diff(matrix.indptr).astype(np.float64)
    if strategy == "even":
        rows = np.repeat(np.arange(len(degrees)), np.diff(matrix.indptr))
        matrix.data = np.minimum(1.0, degrees[rows] / degrees[matrix.indices])
    totals: NDArray[np.float64] = np.asarray(matrix.sum(axis=1))
    scale = 1.0 / np.maximum(totals, tiny)
    backward: Any = matrix.T.tocsr()
    return lambda chances: backward @ (chances * scale)


def measure_sampling(
    tool_graph: ToolGraph,
    size: int,
    draws: int,
    rng: random.Random,
    strategy: Strategy = "walk",
    *,
    relate: Callable[[str, str], float] | None = None,
) -> SamplingFigures:
    """Draw many sets and return what they are like.

    Args:
        tool_graph: The graph to draw from.
        size: Tools in a set.
        draws: Number of sets.
        rng: The only source of randomness.
        strategy: How to draw.
        relate: How related two tools are; by default the best cosine of an edge between them, 0 without one.
    """
    if draws < 1:
        raise SettingsError(f"{draws} draws wanted; ask for at least 1")
    sets = (sample_tools(tool_graph, size, rng, strategy) for _ in range(draws))
    return measure_sets(tool_graph, sets, relate=relate)


def measure_sets(
    tool_graph: ToolGraph, sets: Iterable[Sequence[str]], *, relate: Callable[[str, str], float] | None = None
) -> SamplingFigures:
    """Return what sets of tools are like, however they were drawn; `relate` is as in `measure_sampling`."""
    relate = relate or (lambda one, other: _find_best_cosine(tool_graph, one, other))
    use = dict.fromkeys(tool_graph.tools, 0)
    draws = with_pr = 0
    joined: list[float] = []
    related: list[float] = []
    for drawn in sets:
        draws += 1
        for tool in drawn:
            use[tool] += 1
        edges = tool_graph.edges_between(drawn)
        with_pr += any(edge.kind == "P-R" for edge in edges)
        pairs = list(combinations(drawn, 2))
        if pairs:
            joined.append(len({frozenset((edge.source, edge.target)) for edge in edges}) / len(pairs))
            related.append(sum(relate(one, other) for one, other in pairs) / len(pairs))
    counts = np.sort(np.array(list(use.values()), np.float64))
    ranks = 2 * np.arange(1, len(counts) + 1) - len(counts) - 1
    return SamplingFigures(
        draws=draws,
        pr_share=with_pr / draws,
        joined_share=sum(joined) / max(len(joined), 1),
        relatedness=sum(related) / max(len(related), 1),
        coverage=float((counts > 0).mean()),
        gini=float((ranks * counts).sum() / (len(counts) * counts.sum())),
        peak=float(counts[-1] / counts.mean()),
    )


def _find_best_cosine(tool_graph: ToolGraph, one: str, other: str) -> float:
    edges = (
        tool_graph.edge("P-P", one, other),
        tool_graph.edge("P-R", one, other),
        tool_graph.edge("P-R", other, one),
    )
    return max((edge.cosine for edge in edges if edge is not None), default=0.0)
