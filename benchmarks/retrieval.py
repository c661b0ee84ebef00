"""How well tools are found by what people say: recall@k and MRR on the queries written for the bundled catalog.

    .venv/bin/python benchmarks/retrieval.py [--misses]

tests/data/tool_queries.jsonl holds the queries; one looks like this (several tools where any of them is right):
{"query": "should I take an umbrella in London today?", "tools": ["check_rain_chance", "get_weather_forecast"]}

A tool is compared by one text, by the best of several, or by words alone (BM25); a hybrid adds standard scores of a
dense and a lexical search, or reciprocal ranks. The queries are split in halves by their first tool (a hash of its
name). What the retriever uses was chosen on the first half, as the simplest of those within noise of the best (0.03 is
one standard error of R@5), so the second is the one to quote.

R@k   share of the queries with a right tool among the first k
MRR   mean of 1 / rank of the first right tool

Below: distractors of 500 dialogues by where they are drawn. `same domain` is the share that is of a domain of the
dialogue's tools, `nearest` and `mean` the cosine to the most similar of these and to all of them (name and
description only, which is not quite what either is drawn by), `tools` how many different ones there are.
"""

import argparse
import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from toolflow_graph.catalog import load_catalog
from toolflow_graph.dialogue.briefs import draw_brief
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.encoder import Encoder, load_encoder
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.tool_retriever import ToolRetriever, describe_tool
from toolflow_graph.types import Tool
from toolflow_graph.values.reading import content_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]
    """One row per query, one column per tool."""

QUERIES = Path(__file__).parent.parent / "tests" / "data" / "tool_queries.jsonl"
COUNTS = (1, 3, 5, 10)
DISTRACTED = 500


def read_queries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in QUERIES.read_text(encoding="utf-8").splitlines()]


def is_second_half(query: dict[str, Any]) -> bool:
    return hashlib.sha256(query["tools"][0].encode()).digest()[-1] % 2 == 1


# What a tool is compared by


def introduce(tool: Tool) -> str:
    return describe_tool(tool.model_copy(update={"phrasings": None}))


def list_parameters(tool: Tool) -> list[str]:
    properties = tool.parameters.get("properties", {})
    return [schema.get("description", name) for name, schema in properties.items()]


def list_phrasings(tool: Tool) -> list[str]:
    alone = [tool.phrasings.model_copy(update={"requests": (frame,)}) for frame in tool.phrasings.requests]
    texts = [describe_tool(tool.model_copy(update={"phrasings": one})) for one in alone]
    return [text.removeprefix(introduce(tool)).strip() for text in texts]


# Scores


def compare(queries: "Scores", encoder: Encoder, texts: Sequence[str]) -> "Scores":
    return queries @ encoder.encode(texts).T


def compare_best(queries: "Scores", encoder: Encoder, texts: Sequence[Sequence[str]], best: int) -> "Scores":
    """Return the mean of each tool's best cosines."""
    return np.stack([np.sort(compare(queries, encoder, own))[:, -best:].mean(axis=1) for own in texts], axis=1)


def count_words(queries: Sequence[str], texts: Sequence[str], k1: float = 1.2, b: float = 0.75) -> "Scores":
    """Return BM25 over stems, stop words left out."""
    documents = [Counter(stem for part in text.split() for stem in content_words(f"the {part}")) for text in texts]
    for document in documents:
        document.pop("the", None)
    frequency = Counter(stem for document in documents for stem in document)
    lengths = np.array([document.total() for document in documents])
    scores = np.zeros((len(queries), len(texts)))
    for row, query in enumerate(queries):
        for stem in content_words(query):
            counts = np.array([document[stem] for document in documents])
            rarity = math.log(1 + (len(texts) - frequency[stem] + 0.5) / (frequency[stem] + 0.5))
            scores[row] += rarity * counts * (k1 + 1) / (counts + k1 * (1 - b + b * lengths / lengths.mean()))
    return scores


def standardise(scores: "Scores") -> "Scores":
    return (scores - scores.mean(axis=1, keepdims=True)) / (scores.std(axis=1, keepdims=True) + 1e-9)


def invert_ranks(scores: "Scores") -> "Scores":
    return 1 / (61 + np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1))


# Figures


def rank_first(scores: "Scores", right: Sequence[Sequence[int]]) -> "NDArray[np.int64]":
    """Return the rank of each query's first right tool, from 1."""
    ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1) + 1
    return np.array([row[list(wanted)].min() for row, wanted in zip(ranks, right, strict=True)])


def tell(ranks: "NDArray[np.int64]") -> str:
    return "".join(f"{(ranks <= k).mean():7.3f}" for k in COUNTS) + f"{(1 / ranks).mean():7.3f}"


def measure_distractors(origin: Literal["graph", "retriever"]) -> str:
    settings = DialogueSettings(seed=7, distractors_from=origin)
    stage = load_stage(settings)
    tools = stage.catalog.tools
    plain = ToolRetriever([tool.model_copy(update={"phrasings": None}) for tool in tools.values()], stage.encoder)
    rows, used = [], set()
    for index in range(DISTRACTED):
        brief = draw_brief(settings, stage, index, ["single"], 0)
        domains = {tool.domain for tool in brief.tools.values()}
        used.update(brief.distractors)
        for name in brief.distractors:
            cosines = list(map(plain.cosine, repeat(name), brief.tools))
            rows.append((tools[name].domain in domains, max(cosines), float(np.mean(cosines))))
    return "".join(f"{mean:13.3f}" for mean in np.mean(rows, axis=0)) + f"{len(used):8}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misses", action="store_true", help="Print the queries without a right tool in the first 5")
    options = parser.parse_args()

    tools, encoder, queries = list(load_catalog().tools.values()), load_encoder(), read_queries()
    said = [query["query"] for query in queries]
    places = {tool.name: place for place, tool in enumerate(tools)}
    right = [[places[name] for name in query["tools"]] for query in queries]
    vectors = encoder.encode(said).astype(np.float64)

    introduced, described = [introduce(tool) for tool in tools], [describe_tool(tool) for tool in tools]
    phrased = [[text, *list_phrasings(tool)] for text, tool in zip(introduced, tools, strict=True)]
    with_parameters = [" ".join([introduce(tool), *list_parameters(tool)]) for tool in tools]
    one = compare(vectors, encoder, described)
    lexical = count_words(said, described)
    variants = {
        "description": compare(vectors, encoder, [tool.description for tool in tools]),
        "name, description": compare(vectors, encoder, introduced),
        "… and parameters": compare(vectors, encoder, with_parameters),
        "… and phrasings (used)": one,
        "… and both": compare(
            vectors, encoder, [" ".join([d, *list_parameters(t)]) for d, t in zip(described, tools, strict=True)]
        ),
        "best phrasing": compare_best(vectors, encoder, phrased, 1),
        "mean of best 2": compare_best(vectors, encoder, phrased, 2),
        "BM25: name, description": count_words(said, introduced),
        "BM25: … and phrasings": lexical,
        "used + 0.3 BM25": standardise(one) + 0.3 * standardise(lexical),
        "used + BM25 by ranks": invert_ranks(one) + invert_ranks(lexical),
    }
    second = np.array([is_second_half(query) for query in queries])
    head = "".join(f"{f'R@{k}':>7}" for k in COUNTS) + f"{'MRR':>7}"
    print(f"{len(queries)} queries for {len({query['tools'][0] for query in queries})} of {len(tools)} tools\n")
    print(f"{'':26}{f'first half ({(~second).sum()})':>35}{f'second half ({second.sum()})':>37}")
    print(f"{'':26}{head}  {head}")
    for name, scores in variants.items():
        ranks = rank_first(scores, right)
        print(f"{name:26}{tell(ranks[~second])}  {tell(ranks[second])}")
    ranks = rank_first(one, right)
    print(f"\nused, all queries: {tell(ranks)}")
    if options.misses:
        for place in np.flatnonzero(ranks > 5):
            found = [tools[i].name for i in np.argsort(-one[place], kind="stable")[:5]]
            print(f"{ranks[place]:4}  {said[place]}  ({queries[place]['tools'][0]}; found {', '.join(found)})")
    print(f"\n{'distractors from':18}{'same domain':>13}{'nearest':>13}{'mean':>13}{'tools':>8}")
    for origin in ("graph", "retriever"):
        print(f"{origin:18}{measure_distractors(origin)}")


if __name__ == "__main__":
    main()
