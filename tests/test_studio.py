"""LangGraph Studio, driven as its web app drives it: a `langgraph dev` server, and langgraph-sdk instead of clicks."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from langgraph_sdk import get_sync_client

from endpoint import Endpoint
from toolflow_graph.catalog import load_catalog
from toolflow_graph.settings import DialogueSettings, StudioSettings
from toolflow_graph.types import METHODS, PATTERNS

pytestmark = pytest.mark.slow

TOP = Path(__file__).resolve().parents[1]
GRAPH = "dialogue"
STOPS = ["planner", "user", "assistant", "tool_simulator", "validator"]
SHORT = {"seed": 3, "patterns": ["single", "chitchat"], "tools": 4, "max_requests": 2}
READY_WITHIN = 180


@pytest.fixture(scope="module")
def server(bundled_graph, tmp_path_factory):
    """A server with what `make studio` gives it, but no key, no way out, and an error for any call that blocks it."""
    assert len(bundled_graph) > 0  # its embeddings are in the cache that the server reads
    folder = tmp_path_factory.mktemp("studio")  # the server keeps its threads in the folder that it runs in
    shutil.copy(TOP / "langgraph.json", folder)
    (folder / "toolflow_graph").symlink_to(TOP / "toolflow_graph")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    nowhere = "http://127.0.0.1:9"
    kept = ("PATH", "HOME", "LANG", "TOOLFLOW_CACHE_DIR", "OMP_NUM_THREADS", "HF_HUB_OFFLINE")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "NO_PROXY": "127.0.0.1,localhost",
        "NO_COLOR": "1",
    }
    command = [str(Path(sys.executable).parent / "langgraph"), "dev", "--no-browser", "--no-reload"]
    command += ["--port", str(port), "--n-jobs-per-worker", "4"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        await_readiness(process, f"http://127.0.0.1:{port}", folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_readiness(process, url, log):
    until = time.monotonic() + READY_WITHIN
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < until and process.poll() is None:
        try:
            opener.open(f"{url}/ok", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"langgraph dev was not ready (exit code {process.poll()}):\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="module")
def client(server):
    with get_sync_client(url=server) as opened:
        yield opened


@pytest.fixture(scope="module")
def schemas(client):
    (assistant,) = client.assistants.search(graph_id=GRAPH)
    return client.assistants.get_schemas(assistant["assistant_id"])


@pytest.fixture
def thread(client):
    return client.threads.create()["thread_id"]


def play(client, thread, **how):
    """Start with nothing, or go on, until the end or the next stop; return the state of the thread."""
    client.runs.wait(thread, GRAPH, **{"context": SHORT, **how})
    return client.threads.get_state(thread)


def play_to_the_end(client, thread, state):
    """Go on from stop to stop; return the states on the way, the last one included."""
    states = [state]
    while states[-1]["next"]:
        states.append(play(client, thread, interrupt_before=STOPS))
        assert len(states) < 40
    return states


def words(state):
    return [(message["type"], message["content"]) for message in state["values"]["messages"]]


def patterns(values):
    return {pattern for request in values["plan"]["requests"] for pattern in request["patterns"]}


# What Studio shows before anything has run


def test_graph_is_listed_with_its_description(client):
    (assistant,) = client.assistants.search()
    assert assistant["graph_id"] == GRAPH
    assert assistant["name"] == "ToolFlow dialogue"
    assert "tool-calling dialogue" in assistant["description"]


def test_graph_is_drawn_with_every_node_and_edge(client):
    drawn = client.assistants.get_graph(GRAPH)
    assert {node["id"] for node in drawn["nodes"]} == {"__start__", "sampler", "writer", *STOPS, "__end__"}
    assert {(edge["source"], edge["target"]) for edge in drawn["edges"]} == {
        ("__start__", "sampler"),
        ("sampler", "planner"),
        ("sampler", "writer"),
        ("sampler", "validator"),
        ("writer", "validator"),
        ("planner", "user"),
        ("planner", "validator"),
        ("user", "assistant"),
        ("user", "validator"),
        ("assistant", "tool_simulator"),
        ("assistant", "user"),
        ("assistant", "validator"),
        ("tool_simulator", "assistant"),
        ("validator", "__end__"),
    }


def test_input_shows_as_a_form(schemas):
    fields = schemas["input_schema"]["properties"]
    assert set(fields) == {"index", "patterns"}
    assert all(field["description"] for field in fields.values())
    assert fields["patterns"]["items"]["enum"] == list(PATTERNS)
    assert "required" not in schemas["input_schema"]


def test_context_shows_as_a_form(schemas):
    fields = schemas["context_schema"]["properties"]
    assert set(fields) == set(StudioSettings.model_fields) - {"models", "mix"}
    assert "$ref" not in json.dumps(schemas["context_schema"])  # a form of plain fields
    assert [name for name, field in fields.items() if not field.get("description")] == []
    defaults = json.loads(StudioSettings().model_dump_json(exclude={"models", "mix"}))
    assert {name: field["default"] for name, field in fields.items()} == defaults
    assert (fields["tools"]["minimum"], fields["tools"]["maximum"]) == (1, 64)
    assert fields["cast"]["enum"] == ["scripted", "llm"]
    assert fields["method"]["enum"] == list(METHODS)
    assert fields["strategy"]["enum"] == ["walk", "even", "random"]
    assert fields["patterns"]["items"]["enum"] == list(PATTERNS)


@pytest.mark.parametrize("schema", ["state_schema", "output_schema"])
def test_messages_are_known_as_chat(schemas, schema):
    kinds = schemas[schema]["properties"]["messages"]["items"]["oneOf"]
    shown = {kind["$ref"].rsplit("/", 1)[1] for kind in kinds}
    assert {"SystemMessage", "HumanMessage", "AIMessage", "ToolMessage"} <= shown


# Running


def test_runs_with_empty_input_and_no_context(client, thread):
    out = client.runs.wait(thread, GRAPH, input={})
    assert out["verdict"] == "accepted", out["findings"]
    assert [message["type"] for message in out["messages"][:2]] == ["system", "human"]
    assert out["messages"][-1]["type"] == "ai"
    assert client.threads.get_state(thread)["next"] == []


def test_context_decides_what_is_played(client, thread):
    out = client.runs.wait(thread, GRAPH, input={}, context={"seed": 3, "patterns": ["parallel"], "tools": 4})
    assert patterns(out) == {"parallel"}
    assert len(out["drawn"]) == 4
    assert out["messages"][0]["id"] == "3-0-0"
    assert out["verdict"] == "accepted", out["findings"]


def test_method_of_the_form_is_played(client, thread):
    values = play(client, thread, input={}, context={**SHORT, "method": "no-plan"})["values"]
    assert (values["plan"]["requests"], values["patterns"]) == ([], [])
    assert values["verdict"] == "accepted", values["findings"]


def test_method_that_needs_a_model_says_so(client, thread):
    with pytest.raises(Exception, match="method 'direct' needs a model that writes"):
        play(client, thread, input={}, context={**SHORT, "method": "direct"})


def test_emptied_catalog_field_means_the_bundled_catalog(client, thread):
    assert play(client, thread, input={}, context={**SHORT, "catalog": ""})["values"]["verdict"] == "accepted"


def test_own_catalog_is_named_in_the_context(client, thread):
    catalog = str(TOP / "tool_catalog" / "travel.json")
    values = play(client, thread, input={}, context={**SHORT, "catalog": catalog})["values"]
    assert set(values["drawn"]) <= set(load_catalog(catalog).tools)


def test_tools_are_searched_without_holding_up_the_server(client, thread):
    values = play(client, thread, input={}, context={"patterns": ["search_tools"]})["values"]
    assert values["verdict"] == "accepted", values["findings"]
    assert "search_tools" in {call["name"] for m in values["messages"] for call in m.get("tool_calls", ())}


def test_models_of_the_form_are_asked(client, thread):
    with Endpoint(lambda _: "Hello.") as endpoint:
        context = {**SHORT, "cast": "llm", "model": "test-model", "base_url": endpoint.base_url}
        client.runs.wait(thread, GRAPH, input={}, context=context, raise_error=False)  # that answer is no plan
    assert {entry.body["model"] for entry in endpoint.log} == {"test-model"}


def test_flat_fields_are_gathered_into_the_settings_of_models():
    settings = StudioSettings(cast="llm", model="a, b", tool_model="c", base_url="http://127.0.0.1:8000/v1")
    assert (settings.models.model, settings.models.tool, settings.models.planner) == (("a", "b"), ("c",), ())
    assert settings.models.base_url == "http://127.0.0.1:8000/v1"
    assert StudioSettings(model="", base_url="").models == DialogueSettings().models


def test_setting_out_of_range_is_named(client, thread):
    with pytest.raises(Exception, match=r"tools\n.*greater than or equal to 1"):
        play(client, thread, input={}, context={"tools": 0})


# Stepping, editing, forking


def test_stops_before_every_node_and_goes_on_with_what_was_edited(client, thread):
    straight = play(client, client.threads.create()["thread_id"], input={})
    state = play(client, thread, input={}, interrupt_before=STOPS)
    assert state["next"] == ["planner"]
    assert state["values"]["drawn"]
    assert not state["values"].get("plan")

    state = play(client, thread, interrupt_before=STOPS)
    assert state["next"] == ["user"]
    assert patterns(state["values"]) == {"single", "chitchat"}

    state = play(client, thread, interrupt_before=STOPS)
    assert state["next"] == ["assistant"]
    said = state["values"]["messages"][-1]
    client.threads.update_state(thread, {"messages": [{**said, "content": "Please, and take your time."}]})
    edited = client.threads.get_state(thread)
    assert edited["next"] == ["assistant"]

    states = play_to_the_end(client, thread, edited)
    assert {node for state in states for node in state["next"]} >= {"user", "assistant", "tool_simulator", "validator"}
    assert states[-1]["values"]["verdict"] in ("accepted", "rejected")
    assert words(states[-1])[1] == ("human", "Please, and take your time.") != words(straight)[1]
    assert words(states[-1])[2:] == words(straight)[2:]


def test_edited_position_moves_the_dialogue_in_its_plan(client, thread):
    state = play(client, thread, input={}, interrupt_before=["user"])
    requests, acts = state["values"]["plan"]["requests"], state["values"]["plan"]["outline"]["acts"]
    last = len(requests) - 1
    place = next(i for i, act in enumerate(acts) if (act["by"], act["request"]) == ("user", last))
    assert place > 0
    client.threads.update_state(thread, {"position": place})
    assert client.threads.get_state(thread)["next"] == ["user"]
    values = play(client, thread)["values"]
    assert {m["additional_kwargs"]["request"] for m in values["messages"] if m["type"] != "system"} == {last}
    assert (values["request"], values["position"]) == (last, len(acts))
    assert values["verdict"] == "rejected"  # not every request was made


@pytest.mark.parametrize("stop", ["planner", "user", "assistant", "tool_simulator", "validator"])
def test_state_can_be_edited_at_every_stop(client, thread, stop):
    state = play(client, thread, input={}, interrupt_before=[stop])
    if stop == "user":
        state = play(client, thread, interrupt_before=[stop])  # after the assistant, not only after the planner
    client.threads.update_state(thread, {"offered": state["values"].get("offered", [])})
    edited = client.threads.get_state(thread)
    assert edited["next"] == [stop]
    assert edited["values"] == state["values"] | {"offered": edited["values"]["offered"]}
    values = play(client, thread)["values"]
    assert values["verdict"] == "accepted", values["findings"]


def test_example_of_the_documentation_runs(client, monkeypatch):
    (example,) = re.findall(r"```python\n(.*?)```", (TOP / "docs" / "studio.md").read_text(), re.DOTALL)
    monkeypatch.setattr("langgraph_sdk.get_sync_client", lambda url: client if url == "http://127.0.0.1:2024" else None)
    names = {}
    exec(example, names)  # noqa: S102 - the file is ours
    state = client.threads.get_state(names["thread"])
    assert words(state)[1] == ("human", "Please.")
    assert state["values"]["verdict"] in ("accepted", "rejected")


def test_history_can_be_forked_and_played_on(client, thread):
    ending = play(client, thread, input={})
    history = client.threads.get_history(thread, limit=100)
    assert history[0]["checkpoint"]["checkpoint_id"] == ending["checkpoint"]["checkpoint_id"]
    assert [state["next"] for state in history[::-1]][:4] == [["__start__"], ["sampler"], ["planner"], ["user"]]
    lengths = [len(state["values"].get("messages", ())) for state in history]
    assert lengths == sorted(lengths, reverse=True)

    earlier = next(state for state in history[::-1] if state["next"] == ["assistant"])
    said = earlier["values"]["messages"][-1]
    fork = client.threads.update_state(
        thread, {"messages": [{**said, "content": "Another way to begin."}]}, checkpoint=earlier["checkpoint"]
    )
    forked = play(client, thread, checkpoint=fork["checkpoint"])
    assert words(forked)[1] == ("human", "Another way to begin.")
    assert words(forked)[2:] == words(ending)[2:]
    assert forked["next"] == []

    again = play(client, thread, checkpoint=earlier["checkpoint"])
    assert words(again) == words(ending)
    old = client.threads.get_state(thread, checkpoint=ending["checkpoint"])
    assert words(old) == words(ending)
