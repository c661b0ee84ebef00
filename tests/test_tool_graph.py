"""The Tool Graph against a brute-force reference, and what can be asked of it."""

import hashlib
import math
import random
from collections import Counter
from functools import cache

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolflow_graph.catalog import iterate_slots
from toolflow_graph.encoder import load_encoder
from toolflow_graph.errors import CatalogError, EncoderError, SettingsError
from toolflow_graph.similarity import snap_embeddings
from toolflow_graph.tool_graph import DEFAULT_TAU, build_tool_graph, graph, rows
from toolflow_graph.tool_graph.kinds import AGREEMENT, find_kind
from toolflow_graph.tool_graph.topics import list_topics
from toolflow_graph.types import Edge, Tool


class ClusterEncoder:
    """Strings become one of a few directions, some exactly, some nearly, so that many cosines are high."""

    name = "clusters"
    dimension = 8

    def encode(self, texts):
        return np.stack([self._embed(text) for text in texts]).astype(np.float32)

    @staticmethod
    @cache
    def _embed(text):
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        centre = np.random.default_rng(digest[0] % 4).normal(size=8)
        noise = np.random.default_rng(list(digest)).normal(size=8) * (digest[1] % 3) * 0.3
        vector = centre / np.linalg.norm(centre) + noise / np.linalg.norm(centre)
        return vector / np.linalg.norm(vector)


def make_tool(name, parameters, returns, domain=""):
    return Tool(name=name, description=name, parameters=parameters, returns=returns, domain=domain)


def make_schema(**slots):
    properties = {name: {"type": "string", "description": text} for name, text in slots.items()}
    return {"type": "object", "properties": properties}


def compare_slots(source, target, cosine, tau):
    """Return every pair of slots above tau, best first, each string of a schema once at its first path."""
    mine, theirs = {}, {}
    for paths, schema in ((mine, source), (theirs, target)):
        for slot in iterate_slots(schema):
            paths.setdefault(slot.text, slot.path)
    pairs = [
        (-cosine(text, other), i, j, path, other_path)
        for i, (text, path) in enumerate(mine.items())
        for j, (other, other_path) in enumerate(theirs.items())
        if cosine(text, other) > tau
    ]
    return [(path, other_path, -negative) for negative, _, _, path, other_path in sorted(pairs)]


def make_cosine(tools, encoder):
    """Return the cosine of two slot strings; sums are exact, by `math.fsum`."""
    slots = (slot for tool in tools for schema in (tool.parameters, tool.returns) for slot in iterate_slots(schema))
    ordered = sorted({slot.text for slot in slots})
    vectors = dict(zip(ordered, snap_embeddings(encoder.encode(ordered)).tolist(), strict=True)) if ordered else {}

    @cache
    def cosine(one, other):
        if one == other:
            return 1.0
        return min(math.fsum(a * b for a, b in zip(vectors[one], vectors[other], strict=True)), 1.0)

    return cosine


def build_reference(tools, cosine, tau):
    """Compare every slot of every tool with every other, in plain Python."""
    evidence = {}
    for i, source in enumerate(tools):
        for j, target in enumerate(tools):
            if i < j:
                pairs = compare_slots(source.parameters, target.parameters, cosine, tau)
                evidence["P-P", source.name, target.name] = pairs
                evidence["P-P", target.name, source.name] = [(b, a, c) for a, b, c in pairs]
            if i != j:
                evidence["P-R", source.name, target.name] = compare_slots(
                    source.returns, target.parameters, cosine, tau
                )
    return {key: pairs for key, pairs in evidence.items() if pairs}


def assert_equal_to_reference(tool_graph, reference):
    for kind, matrix in (("P-P", tool_graph.pp), ("P-R", tool_graph.pr)):
        expected = np.zeros((len(tool_graph), len(tool_graph)))
        for (its_kind, source, target), pairs in reference.items():
            if its_kind == kind:
                expected[tool_graph.position(source), tool_graph.position(target)] = pairs[0][2]
        assert np.array_equal(matrix.toarray(), expected)
        assert matrix.nnz == np.count_nonzero(expected)
        assert matrix.has_sorted_indices
    for kind in ("P-P", "P-R"):
        for source in tool_graph.tools:
            for target in tool_graph.tools:
                pairs = reference.get((kind, source, target), [])
                listed = tool_graph.list_evidence(kind, source, target)
                assert [(edge.source_slot, edge.target_slot, edge.cosine) for edge in listed] == pairs
                assert all((edge.kind, edge.source, edge.target) == (kind, source, target) for edge in listed)
                assert tool_graph.edge(kind, source, target) == (listed[0] if listed else None)


names = st.sampled_from(["id", "order_id", "city", "date", "käse", ""])
descriptions = st.sampled_from([None, "", "Identifier", "Name of the city", "Day", "x y"])
types = st.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"type": ["string", "null"]},
                         {"type": "string", "format": "date"}, {"type": "array"}])  # fmt: skip
leaves = st.builds(lambda text, kind: {} if text is None else {**kind, "description": text}, descriptions, types)
schemas = st.recursive(
    st.dictionaries(names, leaves, max_size=3).map(lambda properties: {"type": "object", "properties": properties}),
    lambda inner: st.dictionaries(
        names, inner | inner.map(lambda schema: {"type": "array", "items": schema}), min_size=1, max_size=2
    ).map(lambda properties: {"type": "object", "properties": properties}),
    max_leaves=4,
)
catalogs = st.lists(st.tuples(schemas, schemas), max_size=7).map(
    lambda pairs: [make_tool(f"tool_{number}", *pair) for number, pair in enumerate(pairs)]
)


@settings(max_examples=120, deadline=None)
@given(tools=catalogs, data=st.data())
def test_edges_equal_brute_force_on_random_catalogs(tools, data):
    cosine = make_cosine(tools, ClusterEncoder())
    texts = sorted({slot.text for tool in tools for slot in iterate_slots(tool.parameters)})
    borderline = sorted({cosine(one, other) for one in texts for other in texts if cosine(one, other) > 0})
    tau = data.draw(st.sampled_from([0.82, 0.5, 0.001, 1.0, *borderline]))
    reference = build_reference(tools, cosine, tau)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_FEW", data.draw(st.sampled_from([0, 2, 256])))
        tool_graph = build_tool_graph(tools, ClusterEncoder(), tau)
        assert_equal_to_reference(tool_graph, reference)
        assert_projections_equal_reference(tool_graph, reference)


def assert_projections_equal_reference(tool_graph, reference):
    ends = {kind: [(a, b) for its_kind, a, b in reference if its_kind == kind] for kind in ("P-P", "P-R")}
    joined = nx.Graph([*ends["P-P"], *ends["P-R"]])
    joined.add_nodes_from(tool_graph.tools)
    for tool in tool_graph.tools:
        assert tool_graph.neighbours(tool) == sorted(joined[tool])
        assert tool_graph.peers(tool) == sorted(b for a, b in ends["P-P"] if a == tool)
        assert tool_graph.consumers(tool) == sorted(b for a, b in ends["P-R"] if a == tool)
        assert tool_graph.producers(tool) == sorted(a for a, b in ends["P-R"] if b == tool)
    edges = tool_graph.edges_between(tool_graph.tools)
    assert Counter((e.kind, frozenset((e.source, e.target))) for e in edges if e.kind == "P-P") == Counter(
        (kind, frozenset((a, b))) for kind, a, b in reference if kind == "P-P" and a < b
    )
    assert {(e.source, e.target) for e in edges if e.kind == "P-R"} == set(ends["P-R"])
    labels = dict(zip(tool_graph.tools, tool_graph.components.tolist(), strict=True))
    parts = {frozenset(part) for part in nx.connected_components(joined)}
    assert {frozenset(name for name in labels if labels[name] == label) for label in labels.values()} == parts


def weigh_slots(source, target, cosine, rarity, factor):
    """Return what all pairs of similar slots of two schemas add to a weight."""
    return sum(
        cosine(text, other)
        * AGREEMENT[find_kind(slot.schema), find_kind(other_slot.schema)]
        * rarity(text) * rarity(other)
        * factor(slot, other_slot)
        for text, slot in source.items()
        for other, other_slot in target.items()
        if cosine(text, other) > 0.5
    )  # fmt: skip


def list_reference_topics(tool, tools):
    """Return how much each word of a tool's name counts, the squares adding up to 1."""
    own = [other for other in tools if other.domain == tool.domain]
    counts = {word: sum(word in other.name.split("_") for other in own) for word in tool.name.split("_")}
    said = {word: math.log(len(own) / n) for word, n in counts.items() if 1 < n < len(own) and not word.isdigit()}
    length = math.hypot(*said.values())
    return {word: value / length for word, value in said.items()}


def list_texts(schema):
    return {slot.text: slot for slot in reversed(list(iterate_slots(schema)))}


@settings(max_examples=60, deadline=None)
@given(tools=catalogs.filter(bool), data=st.data())
def test_weights_equal_their_definition(tools, data):
    domains, names = (
        data.draw(st.lists(st.sampled_from(choices), min_size=len(tools), max_size=len(tools)))
        for choices in ("ab", ["issue", "order", "issue_order", "issue_event"])
    )
    tools = [
        tool.model_copy(
            update={
                "name": f"{words}_{tool.name.removeprefix('tool_')}",
                "domain": domain,
                "parameters": {
                    **tool.parameters,
                    "required": [name for name in tool.parameters["properties"] if name > "d"],
                },
            }
        )
        for tool, domain, words in zip(tools, domains, names, strict=True)
    ]
    cosine = make_cosine(tools, ClusterEncoder())
    texts = [list_texts(tool.parameters) | list_texts(tool.returns) for tool in tools]

    def rarity(text):
        standing = {other: sum(other in own for own in texts) for own in texts for other in own}
        near = sum(n * cosine(text, other) for other, n in standing.items() if cosine(text, other) > 0.5)
        many = min(max(near, 1), len(tools))
        return math.log((len(tools) + 1) / many) / math.sqrt(many)

    topics = [list_reference_topics(tool, tools) for tool in tools]

    def weigh_feeding(producer, consumer):
        takes = list_texts(producer.parameters)
        one, other = (topics[tools.index(tool)] for tool in (producer, consumer))
        kin = sum(one[word] * other.get(word, 0) for word in one) if producer.domain == consumer.domain else 0

        def factor(given, taken):
            optional = taken.path.split(".")[0] not in consumer.parameters["required"]
            echoed = any(cosine(given.text, text) > 0.5 for text in takes)
            return 30 * (0.02 + kin) * (0.2 if optional else 1) * (0.2 if echoed else 1)

        return weigh_slots(list_texts(producer.returns), list_texts(consumer.parameters), cosine, rarity, factor)

    def weigh(one, other):
        same = 0.1 if one.domain == other.domain else 1
        shared = weigh_slots(list_texts(one.parameters), list_texts(other.parameters), cosine, rarity, lambda *_: same)
        return shared + weigh_feeding(one, other) + weigh_feeding(other, one)

    tool_graph = build_tool_graph(tools, ClusterEncoder(), 0.5, edges="weighted")
    weights = tool_graph.weights
    whole = np.array([[weigh(a, b) if a is not b else 0.0 for b in tools] for a in tools])
    sums = whole.sum(axis=1)
    usual = np.median(sums[sums > 0]) if sums.any() else 1
    factors = np.maximum(sums / usual, 1e-3) ** -0.25
    whole *= np.outer(factors, factors)
    assert np.allclose([weights.weigh(tool) for tool in range(len(tools))], whole)
    values = np.random.default_rng(0).random(len(tools))
    assert np.allclose(weights.spread(values), whole @ values)
    assert np.allclose(weights.strengths, whole.sum(axis=1))
    feeding = [[weigh_feeding(a, b) if a is not b else 0.0 for a in tools] for b in tools] * np.outer(factors, factors)
    assert np.allclose([weights.weigh_producers(tool) for tool in range(len(tools))], feeding)
    joined = nx.from_numpy_array(whole > 0)
    labels = weights.components
    assert {frozenset(np.flatnonzero(labels == label).tolist()) for label in labels} == {
        frozenset(part) for part in nx.connected_components(joined)
    }


def test_weighted_steps_are_drawn_by_their_weights():
    rng = np.random.default_rng(5)
    tools = [
        make_tool(
            f"{('list_issues', 'close_issue', 'list_orders', 'close_order', 'ping')[number % 5]}_{number}",
            make_schema(**{f"s{slot}": "x" for slot in rng.choice(12, 3, replace=False)}),
            make_schema(**{f"s{slot}": "x" for slot in rng.choice(12, 2, replace=False)}),
            domain="ab"[number % 2],
        )
        for number in range(15)
    ]
    weights = build_tool_graph(tools, OneHotEncoder(), edges="weighted").weights
    generator = random.Random(0)
    for tool in range(15):
        seen = {tool, (tool + 1) % 15}
        expected = weights.weigh(tool)
        expected[list(seen)] = 0
        draws = 4000
        counts = Counter(weights.draw(tool, seen, generator) for _ in range(draws))
        expected *= draws / expected.sum()
        assert set(counts) <= set(np.flatnonzero(expected).tolist())
        often = expected >= 5
        statistic = sum((counts[k] - expected[k]) ** 2 / expected[k] for k in np.flatnonzero(often).tolist())
        assert statistic < 2.5 * often.sum() + 10
    assert weights.draw(0, set(range(15)), generator) is None


def test_an_id_comes_from_the_tool_that_is_about_the_same_thing():
    tools = [
        *(
            make_tool(f"list_{thing}s", make_schema(), make_schema(id=""), domain="shop")
            for thing in ("issue", "order")
        ),
        *(
            make_tool(f"close_{thing}", make_schema(id=""), make_schema(), domain="shop")
            for thing in ("issue", "order")
        ),
        make_tool("listIssues", make_schema(), make_schema(id=""), domain="elsewhere"),
        make_tool("ping", make_schema(), make_schema(), domain="elsewhere"),
    ]
    weights = build_tool_graph(tools, OneHotEncoder(), edges="weighted").weights
    from_issues, from_orders, *_, from_elsewhere, from_ping = weights.weigh_producers(2)
    assert from_issues > 10 * max(from_orders, from_elsewhere)
    assert min(from_orders, from_elsewhere) > 0
    assert from_ping == 0


@pytest.mark.parametrize(
    ("one", "other", "cosine"),
    [
        ("list_issues", "close_issue", 1.0),
        ("list_issues", "openIssue", 1.0),
        ("list_issues", "list_orders", 0.0),
        ("list_issues", "ping", 0.0),
        ("list_issues", "listIssues", 0.0),
        ("issue_events", "list_issues", 1 / math.sqrt(2)),
    ],
)
def test_topics_are_the_words_that_several_tools_of_a_domain_share(one, other, cosine):
    names = ["list_issues", "close_issue", "openIssue", "list_orders", "issue_events", "order_events", "getOrderEvent",
             "order_of_event", "ping", "listIssues"]  # fmt: skip
    topics = list_topics(names, ["a"] * 9 + ["b"])
    product = (topics @ topics.T).toarray()
    assert product[names.index(one), names.index(other)] == pytest.approx(cosine)


def test_values_that_do_not_fit_join_nothing_in_the_weighted_graph():
    flag = {"type": "object", "properties": {"when": {"type": "boolean"}}}
    date = {"type": "object", "properties": {"when": {"type": "string", "format": "date"}}}
    tool_graph = build_tool_graph(
        [make_tool("flag", flag, make_schema()), make_tool("date", make_schema(), date)],
        OneHotEncoder(),
        edges="weighted",
    )
    assert tool_graph.neighbours("flag") == ["date"]
    assert not tool_graph.weights.weigh(0).any()
    assert len(set(tool_graph.weights.components)) == 2


@pytest.mark.parametrize(
    ("edges", "count", "chosen"),
    [("auto", 52, "weighted"), ("auto", 51, "paper"), ("paper", 60, "paper"), ("weighted", 3, "weighted")],
    ids=["many", "few", "paper", "weighted"],
)
def test_weights_are_for_catalogs_in_which_tools_have_many_neighbours(edges, count, chosen):
    tools = [make_tool(f"t{number}", make_schema(id="Identifier"), make_schema()) for number in range(count)]
    assert build_tool_graph(tools, OneHotEncoder(), edges=edges).edges == chosen


def test_unknown_edges_are_refused():
    with pytest.raises(SettingsError, match="edges are 'best'; choose from auto, paper, weighted"):
        build_tool_graph(TRAVEL, OneHotEncoder(), edges="best")


def test_matrices_of_too_many_edges_are_refused(monkeypatch, travel):
    monkeypatch.setattr(graph, "MOST_ENTRIES", 3)
    for ask in (lambda: travel.pp, lambda: travel.pr, lambda: travel.adjacency, travel.to_networkx):
        with pytest.raises(CatalogError, match=r"about 4\.0e\+00 edges, too many for a matrix"):
            ask()
    assert travel.neighbours("book_hotel") == ["find_hotels", "cancel_booking"]


TRAVEL = [
    make_tool("find_hotels", make_schema(city="Name of the city"), make_schema(hotel_id="Identifier of the hotel")),
    make_tool(
        "book_hotel",
        make_schema(hotel_id="Identifier of the hotel", guest_name="Full name of the guest"),
        make_schema(booking_id="Identifier of the booking", hotel_id="Identifier of the hotel"),
    ),
    make_tool("cancel_booking", make_schema(booking_id="Identifier of the booking"), make_schema(refund="Money back")),
    make_tool("get_forecast", make_schema(town="Name of the town or city"), make_schema(sky="State of the sky")),
    make_tool("roll_dice", make_schema(sides="How many sides the dice have"), make_schema(eyes="What was thrown")),
]


class OneHotEncoder:
    """Gives every distinct string its own axis."""

    name = "one-hot"
    dimension = 64

    def encode(self, texts):
        assert len(set(texts)) == len(texts), "each string is encoded once"
        return np.eye(self.dimension, dtype=np.float32)[: len(texts)]


@pytest.fixture
def travel():
    return build_tool_graph(TRAVEL, OneHotEncoder())


def test_real_encoder_equals_brute_force_and_joins_what_belongs_together():
    encoder = load_encoder()
    for tau in (0.82, 0.6, 0.4):
        tool_graph = build_tool_graph(TRAVEL, encoder, tau)
        reference = build_reference(TRAVEL, make_cosine(TRAVEL, encoder), tau)
        assert_equal_to_reference(tool_graph, reference)
    tool_graph = build_tool_graph(TRAVEL, encoder, 0.6)
    assert tool_graph.neighbours("get_forecast") == ["find_hotels"]
    assert tool_graph.edge("P-P", "find_hotels", "get_forecast").source_slot == "city"
    assert tool_graph.neighbours("roll_dice") == []


def test_neighbours_producers_and_consumers(travel):
    assert travel.neighbours("book_hotel") == ["find_hotels", "cancel_booking"]
    assert travel.producers("book_hotel") == ["find_hotels"]
    assert travel.consumers("book_hotel") == ["cancel_booking"]
    assert travel.producers("find_hotels") == []
    assert "book_hotel" in travel
    assert "fly" not in travel
    assert len(travel) == 5


def test_no_tool_is_joined_with_itself(travel):
    assert travel.edge("P-R", "book_hotel", "book_hotel") is None
    assert travel.list_evidence("P-R", "book_hotel", "book_hotel") == []
    assert travel.pr.diagonal().sum() == travel.pp.diagonal().sum() == travel.adjacency.diagonal().sum() == 0


def test_edges_between_run_from_producer_to_consumer(travel):
    edges = travel.edges_between(["cancel_booking", "book_hotel", "find_hotels", "book_hotel"])
    slot = {"source_slot": "hotel_id", "target_slot": "hotel_id", "cosine": 1.0}
    other = {"source_slot": "booking_id", "target_slot": "booking_id", "cosine": 1.0}
    assert edges == [
        Edge(kind="P-R", source="find_hotels", target="book_hotel", **slot),
        Edge(kind="P-R", source="book_hotel", target="cancel_booking", **other),
    ]
    assert travel.edges_between(["cancel_booking", "find_hotels"]) == []


def test_parameter_edges_are_listed_once_and_shown_alike_from_both_sides():
    shared = make_schema(city="Name of the city", day="Day of travel")
    tools = [make_tool(name, shared, make_schema()) for name in ("one", "two")]
    tool_graph = build_tool_graph(tools, OneHotEncoder())
    (edge,) = tool_graph.edges_between(["two", "one"])
    assert (edge.kind, edge.source, edge.target, edge.source_slot) == ("P-P", "one", "two", "city")
    assert [e.source_slot for e in tool_graph.list_evidence("P-P", "two", "one")] == ["city", "day"]
    assert tool_graph.edge("P-P", "two", "one").target_slot == "city"
    assert (tool_graph.pp != tool_graph.pp.T).nnz == 0


def test_edges_of_a_tool_are_those_it_has(travel):
    edges = travel.edges_of("book_hotel")
    assert {(edge.source, edge.target) for edge in edges} == {
        ("find_hotels", "book_hotel"),
        ("book_hotel", "cancel_booking"),
    }


def test_networkx_graph_has_every_edge_with_its_evidence():
    tools = [make_tool(t.name, t.parameters, t.returns, domain="travel") for t in TRAVEL]
    tools.append(make_tool("list_rooms", make_schema(hotel_id="Identifier of the hotel"), make_schema()))
    tool_graph = build_tool_graph(tools, OneHotEncoder())
    graph = tool_graph.to_networkx()
    assert list(graph) == list(tool_graph.tools)
    assert graph.nodes["roll_dice"] == {"domain": "travel"}
    assert graph.number_of_edges() == tool_graph.pp.nnz + tool_graph.pr.nnz
    assert graph.has_edge("list_rooms", "book_hotel", "P-P")
    assert graph.has_edge("book_hotel", "list_rooms", "P-P")
    assert graph.edges["find_hotels", "book_hotel", "P-R"] == {
        "kind": "P-R", "source_slot": "hotel_id", "target_slot": "hotel_id", "cosine": 1.0,
    }  # fmt: skip
    for source, target, attributes in graph.edges(data=True):
        edge = tool_graph.edge(attributes["kind"], source, target)
        assert edge == Edge(source=source, target=target, **attributes)


def test_summary_agrees_with_networkx(travel):
    summary = travel.summary
    graph = travel.to_networkx().to_undirected()
    assert summary.tools == 5
    assert summary.pp_edges == 0
    assert summary.pr_edges == 2
    assert summary.isolated == ("get_forecast", "roll_dice")
    assert summary.components == (3, 1, 1)
    assert summary.degrees == tuple(len(set(graph[name])) for name in travel.tools)
    assert summary.density == pytest.approx(2 / 10)
    assert summary.partnered == 3
    assert summary.strings == 9
    assert summary.slots == 12
    assert [(hub.text, hub.tools, hub.edges) for hub in summary.hub_slots] == [
        ("hotel_id: Identifier of the hotel", 2, 1),
        ("booking_id: Identifier of the booking", 2, 1),
    ]


@pytest.mark.parametrize("tau", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_tau_outside_its_range_is_refused(tau):
    with pytest.raises(SettingsError, match=r"must lie in \(0, 1\]"):
        build_tool_graph(TRAVEL, OneHotEncoder(), tau)


def test_nothing_is_above_tau_one():
    assert build_tool_graph(TRAVEL, OneHotEncoder(), 1).adjacency.nnz == 0


def test_unknown_tool_is_named_with_its_likeliest_spelling(travel):
    with pytest.raises(CatalogError, match=r"no tool 'book_hotle' .* did you mean 'book_hotel'"):
        travel.neighbours("book_hotle")


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(CatalogError, match="two tools are called 'roll_dice'"):
        build_tool_graph([*TRAVEL, TRAVEL[-1]], OneHotEncoder())


def test_an_encoder_that_returns_nothing_useful_is_refused():
    encoder = OneHotEncoder()
    encoder.encode = lambda texts: np.zeros((len(texts), 4), np.float32)
    with pytest.raises(EncoderError, match="zero or not finite"):
        build_tool_graph(TRAVEL, encoder)


@pytest.mark.parametrize(
    "tools", [[], [make_tool("bare", {"type": "object"}, {"type": "object"})], TRAVEL[:1]], ids=["none", "bare", "one"]
)
def test_small_catalogs_have_a_graph_without_edges(tools):
    tool_graph = build_tool_graph(tools, OneHotEncoder())
    assert tool_graph.tau == DEFAULT_TAU
    assert tool_graph.pp.shape == tool_graph.pr.shape == (len(tools), len(tools))
    assert tool_graph.pp.nnz == tool_graph.pr.nnz == 0
    assert tool_graph.summary.isolated == tool_graph.tools
    assert tool_graph.to_networkx().number_of_nodes() == len(tools)
