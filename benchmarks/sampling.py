"""What drawn sets of tools are like: the paper's walk, other starts, steps and ways out of dead ends, and random sets.

    .venv/bin/python benchmarks/sampling.py [--catalog PATH] [--size 4] [--draws 2000] [--seed 0]

P-R         share of sets with a P-R edge inside
joined      mean share of a set's pairs that any edge joins
slots       mean over a set's pairs of the best cosine of an edge (0 without)
meaning     mean over a set's pairs of the cosine of name and description, which no walk looks at
coverage    share of the tools drawn at least once, after a tenth of the draws, and after all
Gini, peak  unevenness of the tools' use (0 = all alike), and the most used tool's use over the mean
µs          per draw
"""

import argparse
import random
import time
from collections.abc import Callable

from toolflow_graph.catalog import load_catalog
from toolflow_graph.encoder import load_encoder
from toolflow_graph.sampling import measure_sets, sample_tools
from toolflow_graph.tool_graph import ToolGraph, build_tool_graph
from toolflow_graph.tool_retriever import ToolRetriever

Draw = Callable[[random.Random], list[str]]


def list_ways(graph: ToolGraph, size: int) -> dict[str, Draw]:
    """Return the strategies, and variants of the walk to hold them against."""
    sizes = {name: len(graph.neighbours(name)) for name in graph.tools}
    reachable = [n for n, c in zip(graph.tools, graph.components, strict=True) if (graph.components == c).sum() >= size]
    near = {name: graph.neighbours(name) for name in graph.tools}

    def draw_anew(rng: random.Random) -> list[str]:
        while True:
            drawn = [rng.choice(reachable)]
            while len(drawn) < size and (fresh := [name for name in near[drawn[-1]] if name not in drawn]):
                drawn.append(rng.choice(fresh))
            if len(drawn) == size:
                return drawn

    def go_on_from_hub(rng: random.Random) -> list[str]:
        drawn = [rng.choice(reachable)]
        while len(drawn) < size:
            fresh = [name for name in near[drawn[-1]] if name not in drawn]
            every = sorted({name for tool in drawn for name in near[tool]} - set(drawn))
            drawn.append(rng.choice(fresh) if fresh else max(every, key=sizes.__getitem__))
        return drawn

    return {
        "random": lambda rng: sample_tools(graph, size, rng, "random"),
        "walk": lambda rng: sample_tools(graph, size, rng, "walk"),
        "even": lambda rng: sample_tools(graph, size, rng, "even"),
        "walk, uniform start": lambda rng: sample_tools(graph, size, rng, "walk", start=rng.choice(reachable)),
        "even, uniform start": lambda rng: sample_tools(graph, size, rng, "even", start=rng.choice(reachable)),
        "walk, restart": lambda rng: sample_tools(graph, size, rng, "walk", restart=True),
        "dead end: draw anew": draw_anew,
        "dead end: to the hub": go_on_from_hub,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog")
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    tools = load_catalog(options.catalog).tools.values()
    encoder = load_encoder()
    graph = build_tool_graph(tools, encoder)
    retriever = ToolRetriever([tool.model_copy(update={"phrasings": None}) for tool in tools], encoder)
    summary = graph.summary
    unreachable = sum(size for size in summary.components if size < options.size)
    print(
        f"{summary.tools} tools, {unreachable} of them in components of under {options.size}; {options.draws} draws\n"
    )
    print(f"{'':22}{'P-R':>7}{'joined':>8}{'slots':>8}{'meaning':>9}{'coverage':>16}{'Gini':>8}{'peak':>7}{'µs':>7}")
    for name, draw in list_ways(graph, options.size).items():
        rng = random.Random(options.seed)
        draw(rng)
        begin = time.thread_time()
        sets = [draw(rng) for _ in range(options.draws)]
        spent = (time.thread_time() - begin) / options.draws * 1e6
        early = measure_sets(graph, sets[: max(1, options.draws // 10)]).coverage
        slots = measure_sets(graph, sets).relatedness
        figures = measure_sets(graph, sets, relate=retriever.cosine)
        coverage = f"{early:.3f} → {figures.coverage:.3f}"
        print(
            f"{name:22}{figures.pr_share:7.3f}{figures.joined_share:8.3f}{slots:8.3f}{figures.relatedness:9.3f}"
            f"{coverage:>16}{figures.gini:8.3f}{figures.peak:7.2f}{spent:7.0f}"
        )


if __name__ == "__main__":
    main()
