"""Search for tools: order and ties, the LangChain face, and how well the bundled tools are found."""

import doctest
import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from toolflow_graph import tool_retriever
from toolflow_graph.dialogue.briefs import draw_brief
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.encoder import load_encoder
from toolflow_graph.errors import CatalogError, SettingsError
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.similarity import snap_embeddings
from toolflow_graph.tool_retriever import ToolRetriever, describe_tool
from toolflow_graph.types import Phrasings, Tool

QUERIES = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "tool_queries.jsonl").read_text(encoding="utf-8").splitlines()
]


def embed(text):
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).normal(size=12)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class HashEncoder:
    name = "hash"
    dimension = 12

    def encode(self, texts):
        return np.stack([embed(text) for text in texts])


def make_tool(name, description, *requests):
    phrasings = Phrasings(requests=requests, answers=("Done.",)) if requests else None
    empty = {"type": "object"}
    return Tool(name=name, description=description, parameters=empty, returns=empty, phrasings=phrasings)


TOOLS = [make_tool(f"tool_{number}", f"Does {number // 2}.") for number in range(20)]


@pytest.fixture(scope="module")
def bundled(bundled_catalog):
    return ToolRetriever(bundled_catalog.tools.values(), load_encoder(), k=5)


@pytest.mark.parametrize("k", [1, 3, 7, 50])
def test_search_equals_brute_force(k):
    tools = [*TOOLS, make_tool("tool-0", "x")]
    retriever = ToolRetriever(tools, HashEncoder())
    documents = [f"{tool.name.replace('_', ' ')}: {tool.description}" for tool in tools]
    cosines = snap_embeddings(HashEncoder().encode(documents)) @ snap_embeddings(HashEncoder().encode(["query"]))[0]
    order = sorted(range(21), key=lambda position: (-cosines[position], position))[:k]
    assert retriever.search("query", k) == [(tools[i].name, float(cosines[i])) for i in order]
    nearest = retriever.nearest("tool_3", k)
    assert len(nearest) == min(k, 20)
    assert "tool_3" not in dict(nearest)
    assert nearest[0][1] == retriever.cosine("tool_3", nearest[0][0])


def test_search_breaks_ties_in_the_order_of_the_tools():
    encoder = SimpleNamespace(name="same", dimension=2, encode=lambda texts: np.ones((len(texts), 2), np.float32))
    retriever = ToolRetriever([make_tool(name, "") for name in "dcba"], encoder)
    assert [name for name, _ in retriever.search("x", 3)] == ["d", "c", "b"]
    assert [name for name, _ in retriever.nearest("c", 2)] == ["d", "b"]


def test_search_refuses_what_it_cannot_do():
    retriever = ToolRetriever([make_tool("one", "")], HashEncoder())
    with pytest.raises(SettingsError, match="at least 1"):
        retriever.search("x", 0)
    with pytest.raises(SettingsError, match="at least 1"):
        ToolRetriever([make_tool("one", "")], HashEncoder(), k=0)
    with pytest.raises(CatalogError, match="no tool 'two' among the 1 tools"):
        retriever.nearest("two", 1)
    assert ToolRetriever([], HashEncoder()).search("x", 3) == []
    assert ToolRetriever([], HashEncoder()).invoke("x") == []


def test_a_tool_is_compared_by_how_people_ask_for_it():
    tool = make_tool("find_train", "Finds it.", "A train to {address.to_city}[ on {day}|, today]?", "[{day}: ]Go!")
    assert describe_tool(tool) == "find train: Finds it. A train to to city, today? Go!"


def test_documents_are_the_tools_found_best_first():
    retriever = ToolRetriever(TOOLS, HashEncoder(), k=3)
    assert isinstance(retriever, BaseRetriever)
    found = [name for name, _ in retriever.search("query", 3)]
    documents = retriever.invoke("query")
    tools = [Tool.model_validate(document.metadata) for document in documents]
    assert [tool.name for tool in tools] == [document.id for document in documents] == found
    assert all(tool in TOOLS for tool in tools)
    assert documents[0].page_content == f"{found[0].replace('_', ' ')}: {tools[0].description}"
    assert json.loads(json.dumps(documents[0].metadata)) == documents[0].metadata
    assert repr(retriever) == "ToolRetriever(k=3)"


async def test_documents_are_the_same_asynchronously_in_batches_and_in_a_chain():
    retriever = ToolRetriever(TOOLS, HashEncoder(), k=3)
    expected = [retriever.invoke(query) for query in ("one", "two")]
    assert await retriever.ainvoke("one") == expected[0]
    assert retriever.batch(["one", "two"]) == expected
    assert await retriever.abatch(["one", "two"]) == expected
    chain = RunnableLambda(str.strip) | retriever | (lambda documents: [document.id for document in documents])
    assert chain.invoke(" one ") == [document.id for document in expected[0]]


def test_callbacks_hear_of_a_search():
    from langchain_core.callbacks import BaseCallbackHandler  # noqa: PLC0415

    heard = []

    class Listener(BaseCallbackHandler):
        def on_retriever_start(self, serialized, query, **_):  # noqa: ARG002
            heard.append(query)

        def on_retriever_end(self, documents, **_):
            heard.append(len(documents))

    ToolRetriever(TOOLS, HashEncoder(), k=3).invoke("one", config={"callbacks": [Listener()]})
    assert heard == ["one", 3]


def test_example_of_the_docstring():
    assert doctest.testmod(tool_retriever) == (0, 3)


def words_of(text):
    return set(re.findall(r"\w+", text.lower()))


def overlap(one, other):
    return len(words_of(one) & words_of(other)) / len(words_of(one) | words_of(other))


def test_queries_are_many_and_of_all_domains(bundled_catalog):
    tools = bundled_catalog.tools
    asked = {query["tools"][0] for query in QUERIES}
    assert len({query["query"].lower() for query in QUERIES}) == len(QUERIES) >= 260
    assert len(asked) >= 90
    assert {tools[name].domain for name in asked} == {tool.domain for tool in tools.values()}
    assert all(sum(query["tools"][0] == name for query in QUERIES) >= 2 for name in asked)
    assert all(name in tools for query in QUERIES for name in query["tools"])


def test_no_query_is_a_copy_of_a_description_or_of_a_phrasing(bundled_catalog):
    described = [tool.description for tool in bundled_catalog.tools.values()]
    assert max(overlap(query["query"], text) for query in QUERIES for text in described) < 0.5
    for query in QUERIES:
        for name in query["tools"]:
            tool = bundled_catalog.tools[name]
            copied = [frame for frame in tool.phrasings.requests if overlap(query["query"], said(tool, frame)) >= 0.5]
            assert not copied, query


def said(tool, frame):
    alone = tool.phrasings.model_copy(update={"requests": (frame,)})
    bare = tool.model_copy(update={"name": "", "description": "", "phrasings": alone})
    return describe_tool(bare).removeprefix(": ")


@pytest.mark.parametrize(("k", "floor"), [(1, 0.48), (5, 0.73), (10, 0.80)])
def test_bundled_tools_are_found_by_what_people_say(bundled, k, floor):
    found = [{name for name, _ in bundled.search(query["query"], k)} for query in QUERIES]
    recall = sum(not names.isdisjoint(query["tools"]) for names, query in zip(found, QUERIES, strict=True))
    assert recall / len(QUERIES) >= floor


def mean_cosine(retriever, brief):
    cosines = [max(retriever.cosine(name, other) for other in brief.tools) for name in brief.distractors]
    return sum(cosines) / len(cosines)


def test_distractors_by_the_retriever_sound_more_like_the_tools_of_the_dialogue():
    graph, alike = DialogueSettings(seed=3), DialogueSettings(seed=3, distractors_from="retriever")
    stage = load_stage(graph)
    near, nearer = [], []
    for index in range(40):
        one, other = (draw_brief(settings, stage, index, ["single"], 0) for settings in (graph, alike))
        assert list(one.tools) == list(other.tools)
        assert len(set(other.distractors)) == 3
        assert not set(other.tools) & set(other.distractors)
        near += [mean_cosine(stage.retriever, one)] if one.distractors else []
        nearer.append(mean_cosine(stage.retriever, other))
    assert sum(nearer) / len(nearer) > sum(near) / len(near) + 0.08


@pytest.mark.parametrize("count", [0, 64])
def test_as_many_distractors_by_the_retriever_as_wanted(count):
    settings = DialogueSettings(distractors=count, distractors_from="retriever", method="no-graph")
    brief = draw_brief(settings, load_stage(settings), 0, ["single"], 0)
    assert len(set(brief.distractors)) == count
