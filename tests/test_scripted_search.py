"""The scripted cast's search for tools is a real one, and the tool that is called afterwards was found by it."""

import json
import subprocess
import sys

import pytest

from runs import read_rows
from toolflow_graph.agents.search_tools import phrase_queries
from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.errors import RunError
from toolflow_graph.runner import generate
from toolflow_graph.settings import parse_settings

SEARCHED = {"patterns": ["search_tools", "single"], "seed": 3, "min_requests": 2, "max_requests": 2}


def play(dialogues, **settings):
    records = []
    settings = parse_settings({**SEARCHED, "dialogues": dialogues, **settings})
    for _ in generate(settings, on_event=lambda event: records.append(event.record)):
        pass
    return [record for record in records if record is not None]


def follow(record):
    """Return what was searched for and found, and what was called right after the last search."""
    calls = [call for message in record.messages for call in message.get("tool_calls") or ()]
    results = {m["tool_call_id"]: json.loads(m["content"]) for m in record.messages if m["role"] == "tool"}
    places = [place for place, call in enumerate(calls) if call["function"]["name"] == "search_tools"]
    searches = [
        (
            json.loads(calls[place]["function"]["arguments"])["query"],
            [tool["name"] for tool in results[calls[place]["id"]]["tools"]],
        )
        for place in places
    ]
    return searches, calls[places[-1] + 1]["function"]["name"]


@pytest.mark.slow
def test_search_returns_what_the_retriever_finds(bundled_graph):  # noqa: ARG001 - it is encoded by then
    stage = load_stage(parse_settings(SEARCHED))
    queries = set()
    for record in play(20):
        assert record.findings == ()
        searches, called = follow(record)
        for query, found in searches:
            assert found == [name for name, _ in stage.retriever.search(query, 4)]
        assert called in searches[-1][1]
        assert called not in [tool["function"]["name"] for tool in record.tools]
        assert searches[-1][0] in phrase_queries(stage.tools[called])
        queries |= {query for query, _ in searches}
    assert len(queries) > 12


@pytest.fixture
def find_late(monkeypatch):
    """Let searches find other tools, until a query says all there is to say."""
    full = {}

    def find(stage, query):
        if not full:
            full.update({phrase_queries(tool)[-1]: name for name, tool in stage.catalog.tools.items()})
        others = list(stage.catalog.tools)[:3]
        return (*others, full[query]) if query in full and full[query] is not None else tuple(others)

    monkeypatch.setattr(Stage, "find_tools", find)
    return full


def test_search_that_is_too_vague_is_made_again(find_late, bundled_graph):  # noqa: ARG001
    records = play(6)
    for record in records:
        assert record.findings == ()
        searches, called = follow(record)
        assert called in searches[-1][1]
        assert all(called not in found for _, found in searches[:-1])
        assert [len(query) for query, _ in searches] == sorted(len(query) for query, _ in searches)
    assert {len(follow(record)[0]) for record in records} >= {2, 3}


def test_tool_that_no_search_finds_is_not_planned(find_late, bundled_graph):  # noqa: ARG001
    find_late["no query"] = None
    with pytest.raises(RunError):
        play(1, max_attempts=2)


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("cancel_train_reservation", "cancel a seat reservation"),
        ("submit_meter_reading", "submit the figure|submit the figure of an energy meter to the supplier"),
        ("get_policy_details", "get what a policy covers"),
    ],
)
def test_queries_are_what_one_would_type(bundled_catalog, name, queries):
    *phrased, full = phrase_queries(bundled_catalog.tools[name])
    assert phrased == queries.split("|")
    assert full.startswith(f"{name.replace('_', ' ')}: ")


@pytest.mark.slow
def test_later_runs_search_without_loading_anything_heavy(tmp_path, bundled_graph):  # noqa: ARG001
    list(play(1))  # the cache has them all now
    heavy = "sorted({'openai', 'sentence_transformers', 'torch'} & sys.modules.keys())"
    script = f"import sys; from toolflow_graph.cli import main\ntry: main()\nfinally: print({heavy})"
    words = ["generate", "-q", "-n", "6", "--seed", "71", "--set", 'patterns=["search_tools"]', "--min-requests", "1"]
    command = [sys.executable, "-c", script, *words, "--out", str(tmp_path / "run")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "[]"
    assert len(read_rows(tmp_path / "run" / "dialogues.jsonl")) == 6
