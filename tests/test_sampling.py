"""Drawing tools from the Tool Graph."""

import random
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolflow_graph import sampling
from toolflow_graph.errors import CatalogError, SamplingError, SettingsError
from toolflow_graph.sampling import STRATEGIES, measure_sampling, measure_sets, sample_tools
from toolflow_graph.tool_graph import build_tool_graph
from toolflow_graph.types import Tool

WALKS = [strategy for strategy in STRATEGIES if strategy != "random"]


class DistinctEncoder:
    """Gives every distinct string its own axis: tools are joined exactly where strings are identical."""

    name = "distinct"

    def __init__(self):
        self.dimension = 400
        self._axes = {}

    def encode(self, texts):
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[self._axes.setdefault(text, len(self._axes))] = 1
        return rows


def make_graph(count, pairs):
    """Join tools t0, t1, … by a P-R edge per pair."""
    slots = [({}, {}) for _ in range(count)]
    for source, target in pairs:
        slots[source][1][f"value_{source}_{target}"] = {"type": "string"}
        slots[target][0][f"value_{source}_{target}"] = {"type": "string"}
    tools = [
        Tool(
            name=f"t{number}",
            description="",
            parameters={"type": "object", "properties": takes},
            returns={"type": "object", "properties": gives},
        )
        for number, (takes, gives) in enumerate(slots)
    ]
    return build_tool_graph(tools, DistinctEncoder())


PATH = make_graph(6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)])
STAR = make_graph(9, [(0, leaf) for leaf in range(1, 9)])
ISLANDS = make_graph(7, [(0, 1), (1, 2), (3, 4)])
HUB = make_graph(40, [(0, leaf) for leaf in range(1, 40)] + [(n, n + 1) for n in range(1, 39)])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_drawn_tools_are_different_and_as_many_as_wanted(strategy, size):
    for seed in range(30):
        drawn = sample_tools(PATH, size, random.Random(seed), strategy)
        assert len(drawn) == len(set(drawn)) == size


@pytest.mark.parametrize("strategy", WALKS)
@settings(deadline=None)
@given(edges=st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15), seed=st.integers(0, 99))
def test_every_tool_of_a_walk_is_joined_with_an_earlier_one(strategy, edges, seed):
    tool_graph = make_graph(10, [(a, b) for a, b in edges if a != b])
    largest = tool_graph.summary.components[0]
    for size in range(1, largest + 1):
        drawn = sample_tools(tool_graph, size, random.Random(seed), strategy)
        assert len(set(drawn)) == size
        for place, tool in enumerate(drawn[1:], 1):
            assert set(tool_graph.neighbours(tool)) & set(drawn[:place])
    with pytest.raises(SamplingError):
        sample_tools(tool_graph, largest + 1, random.Random(seed), strategy)


def test_steps_to_distinct_neighbours_are_equally_likely_however_many_slots_join_them():
    slots = {"type": "object", "properties": {f"s{number}": {"type": "string"} for number in range(6)}}
    one = {"type": "object", "properties": {"s0": {"type": "string"}}}
    tools = [Tool(name=f"t{n}", description="", parameters=slots if n % 2 else one, returns=slots) for n in range(90)]
    tool_graph = build_tool_graph(tools, DistinctEncoder(), edges="paper")
    rng = random.Random(3)
    counts = Counter(sample_tools(tool_graph, 2, rng, start="t1")[1] for _ in range(8900))
    assert len(counts) == 89
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 125  # 88 degrees of freedom, p = 0.006


@pytest.mark.parametrize("strategy", WALKS)
def test_walks_on_weighted_edges_keep_to_what_fits_and_is_rare(strategy):
    def make(name, takes, gives, domain):
        takes, gives = (
            {"type": "object", "properties": {s: {"type": "string"} for s in part}} for part in (takes, gives)
        )
        return Tool(
            name=name,
            description="",
            parameters={**takes, "required": list(takes["properties"])},
            returns=gives,
            domain=domain,
        )

    tools = [make(f"list_{n}", ["limit"], [f"id_{n}"], f"d{n}") for n in range(40)]
    tools += [make(f"get_{n}", ["limit", f"id_{n}"], [], f"d{n}") for n in range(40)]
    weighted, paper = (build_tool_graph(tools, DistinctEncoder(), edges=edges) for edges in ("weighted", "paper"))
    figures = [measure_sampling(g, 3, 300, random.Random(0), strategy) for g in (weighted, paper)]
    assert figures[0].pr_share > 0.9
    assert figures[1].pr_share < 0.2
    assert figures[0].coverage > 0.95
    drawn = [sample_tools(weighted, 3, random.Random(seed), strategy) for seed in range(20)]
    assert drawn == [sample_tools(weighted, 3, random.Random(seed), strategy) for seed in range(20)]


def test_starts_are_uniform_where_the_paper_s_edges_are_too_many(monkeypatch):
    monkeypatch.setattr(sampling, "_MOST_BALANCED", 10)
    tool_graph = make_graph(40, [(0, leaf) for leaf in range(1, 40)])
    starts = Counter(sample_tools(tool_graph, 2, random.Random(seed))[0] for seed in range(2000))
    assert len(starts) == 40
    assert max(starts.values()) < 2000 / 40 * 2


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_seed_decides(strategy):
    first = [sample_tools(HUB, 4, random.Random(seed), strategy) for seed in range(20)]
    assert first == [sample_tools(HUB, 4, random.Random(seed), strategy) for seed in range(20)]
    assert len({tuple(drawn) for drawn in first}) > 15


def test_sampling_leaves_the_global_generators_alone():
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    for strategy in STRATEGIES:
        sample_tools(HUB, 4, random.Random(1), strategy)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_a_walk_steps_on_from_where_it_is():
    for seed in range(30):
        drawn = sample_tools(PATH, 4, random.Random(seed), start="t0")
        assert drawn == ["t0", "t1", "t2", "t3"]


def test_at_a_dead_end_the_walk_steps_back_to_the_latest_tool_with_an_undrawn_neighbour():
    for seed in range(30):
        drawn = sample_tools(STAR, 4, random.Random(seed), start="t3")
        assert drawn[:2] == ["t3", "t0"]
        comb = make_graph(6, [(0, 1), (1, 2), (2, 3), (2, 4), (0, 5)])
        walk = sample_tools(comb, 6, random.Random(seed), start="t1")
        if walk[1] == "t2":
            assert set(walk[2:4]) == {"t3", "t4"}
            assert walk[4:] == ["t0", "t5"]


@pytest.mark.parametrize("strategy", WALKS)
def test_a_walk_starts_only_where_enough_tools_are_reachable(strategy):
    for seed in range(50):
        assert set(sample_tools(ISLANDS, 3, random.Random(seed), strategy)) == {"t0", "t1", "t2"}


def test_too_few_reachable_tools_are_an_error_that_names_the_mend():
    with pytest.raises(SamplingError, match="only 2 tools reachable from 't3', 3 wanted; lower the size or tau"):
        sample_tools(ISLANDS, 3, random.Random(0), start="t3")
    with pytest.raises(SamplingError, match="only 3 tools reachable from 't0', 4 wanted; lower the size or tau"):
        sample_tools(ISLANDS, 4, random.Random(0))
    with pytest.raises(SamplingError, match="only 7 tools, 8 wanted"):
        sample_tools(ISLANDS, 8, random.Random(0), "random")


@pytest.mark.parametrize("strategy", WALKS)
def test_with_restart_a_walk_goes_on_in_another_component(strategy):
    starts = set()
    for seed in range(60):
        drawn = sample_tools(ISLANDS, 7, random.Random(seed), strategy, restart=True)
        assert len(set(drawn)) == 7
        starts.add(drawn[0])
    assert len(starts) > 4
    assert sample_tools(ISLANDS, 3, random.Random(0), strategy, start="t3", restart=True)[:2] == ["t3", "t4"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": 0}, SettingsError, "at least 1"),
        (
            {"size": 2, "strategy": "hop"},
            SettingsError,
            "unknown sampling strategy 'hop'; there are walk, even, random",
        ),
        ({"size": 2, "start": "t99"}, CatalogError, "no tool 't99'"),
        ({"size": 2, "start": "t99", "strategy": "random"}, CatalogError, "no tool 't99'"),
    ],
    ids=["size", "strategy", "start", "random-start"],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        sample_tools(PATH, rng=random.Random(0), **arguments)


def test_random_sets_may_start_with_a_given_tool():
    assert all(sample_tools(PATH, 3, random.Random(s), "random", start="t4")[0] == "t4" for s in range(10))


def test_starts_make_the_use_of_tools_more_even():
    rng = random.Random(0)
    balanced = measure_sampling(HUB, 4, 1500, rng, "walk")
    uniform = measure_sets(HUB, (sample_tools(HUB, 4, rng, start=rng.choice(HUB.tools)) for _ in range(1500)))
    even = measure_sampling(HUB, 4, 1500, rng, "even")
    assert even.peak < balanced.peak <= uniform.peak * 1.02
    assert even.gini < balanced.gini < uniform.gini * 1.02


def test_figures_of_known_sets():
    figures = measure_sets(ISLANDS, [["t0", "t1"], ["t0", "t2"], ["t3", "t4"], ["t5", "t6"]])
    assert figures.draws == 4
    assert figures.pr_share == pytest.approx(2 / 4)
    assert figures.joined_share == pytest.approx(2 / 4)
    assert figures.relatedness == pytest.approx(2 / 4)
    assert figures.coverage == 1
    assert figures.peak == pytest.approx(2 / (8 / 7))
    uses = sorted([2, 1, 1, 1, 1, 1, 1])
    differences = sum(abs(a - b) for a in uses for b in uses)
    assert figures.gini == pytest.approx(differences / (2 * 7 * sum(uses)))


def test_relatedness_can_be_measured_by_other_means():
    figures = measure_sampling(PATH, 3, 20, random.Random(0), relate=lambda one, other: float(one != other) / 4)
    assert figures.relatedness == 0.25
    with pytest.raises(SettingsError, match="0 draws"):
        measure_sampling(PATH, 3, 0, random.Random(0))


def test_walks_hang_together_better_than_random_sets():
    walk, chance = (measure_sampling(HUB, 4, 300, random.Random(0), strategy) for strategy in ("walk", "random"))
    assert walk.pr_share == 1 > chance.pr_share
    assert walk.relatedness > chance.relatedness
    assert all(one != other for one, other in pairwise(STRATEGIES))
