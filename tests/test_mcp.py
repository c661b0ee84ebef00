"""Reading tools from MCP servers: real ones, and ones that hang, crash, flood, or list without end."""

import asyncio
import os
import shlex
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolflow_graph.catalog.sources import load_catalog, read_sources
from toolflow_graph.cli.app import main
from toolflow_graph.errors import CatalogError
from toolflow_graph.live import server as mcp_server
from toolflow_graph.live.background import ask_and_wait

SERVERS = Path(__file__).parent / "mcp_servers"


def command(*words):
    return shlex.join([sys.executable, *map(str, words)])


@pytest.fixture
def hostile(tmp_path):
    """The command of a hostile server in a mode; at the end no process of it is left."""
    pids = tmp_path / "pids"
    yield lambda mode: command(SERVERS / "hostile.py", mode, pids)
    assert_ended(pids)


def assert_ended(pids):
    started = [int(line) for line in pids.read_text().split()]
    assert started
    deadline = time.monotonic() + 60
    while alive := [pid for pid in started if is_alive(pid)]:
        assert time.monotonic() < deadline, f"left behind: {alive}"
        time.sleep(0.02)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # a grandchild that nobody waits for stays as a zombie where init does not reap
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


@contextmanager
def serve_web(script="web.py", *arguments):
    """Serve over HTTP by a script that is given a port and the arguments; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, SERVERS / script, str(port), *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 180
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def test_time_server_becomes_tools():
    source = f"mcp:{command('-m', 'mcp_server_time')}"
    catalog = load_catalog(source)
    assert sorted(catalog.tools) == ["convert_time", "get_current_time"]
    tool = catalog.tools["convert_time"]
    assert tool.required == ["source_timezone", "time", "target_timezone"]
    assert set(tool.returns["properties"]) == {"source", "target", "time_difference"}
    assert tool.annotations.read_only is True
    assert (tool.domain, tool.provider, tool.source) == ("mcp_time", "mcp-time", source)
    assert tool.runs == f"{source}#convert_time"
    assert tool.inferred == ()
    assert "$ref" not in str(tool.returns)
    assert "title" not in tool.parameters


def test_git_server_says_what_writes_and_what_destroys():
    tools = load_catalog(f"mcp:{command('-m', 'mcp_server_git')}").tools
    assert tools["git_log"].annotations.read_only is True
    assert tools["git_commit"].annotations.read_only is False
    assert tools["git_reset"].annotations.destructive is True
    assert "returns" in tools["git_log"].inferred
    assert tools["git_log"].parameters["properties"]["start_timestamp"]["type"] == "string"


def test_web_server_becomes_tools():
    with serve_web() as url:
        tools = load_catalog(f"mcp:{url}").tools
    assert tools["count_stock"].returns["required"] == ["article", "pieces"]
    assert tools["count_stock"].annotations.read_only is True
    assert tools["clear_stock"].annotations.destructive is True
    assert tools["clear_stock"].parameters["properties"]["reason"] == {"type": "string"}
    assert {tool.domain for tool in tools.values()} == {"web_shop"}


def test_secret_of_the_environment_is_not_written_down(hostile, monkeypatch):
    monkeypatch.setenv("SHOP_MODE", "nasty")
    source = f"mcp:{hostile('MODE').replace('MODE', '$SHOP_MODE')}"
    tools = load_catalog(source).tools
    assert "bell" in tools
    assert all("$SHOP_MODE" in tool.runs for tool in tools.values())


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("hang_start", "did not answer within 4 seconds"),
        ("hang_list", "did not list its tools within 1 seconds"),
        ("crash_start", "ended before it answered; its last words: 'ValueError: the configuration is missing'"),
    ],
)
def test_server_that_does_not_answer_is_told_in_one_line(hostile, monkeypatch, mode, told):
    monkeypatch.setattr(mcp_server, "START_S", 4.0 if mode == "hang_start" else 60.0)
    monkeypatch.setattr(mcp_server, "LIST_S", 1.0)
    source = f"mcp:{hostile(mode)}"
    began = time.monotonic()
    with pytest.raises(CatalogError) as raised:
        load_catalog(source)
    assert str(raised.value) == f"{source}: the server {told}"
    assert time.monotonic() - began < 120


@pytest.mark.parametrize(("mode", "told"), [("flood", "floods its standard output"), ("flood_line", "a line of more")])
def test_flood_ends_early(hostile, mode, told):
    began = time.monotonic()
    with pytest.raises(CatalogError, match=told):
        load_catalog(f"mcp:{hostile(mode)}")
    assert time.monotonic() - began < 120


def test_flood_of_errors_does_no_harm(hostile):
    assert len(load_catalog(f"mcp:{hostile('flood_errors')}")) == 3


@pytest.mark.parametrize(("mode", "kept"), [("many", 5000), ("one_page", 5000), ("endless", 1000), ("circle", 3)])
def test_long_list_is_cut(hostile, mode, kept):
    reading = read_sources([f"mcp:{hostile(mode)}"])
    assert len(reading.tools) == kept
    (skipped,) = reading.skipped
    assert "more than 5,000 tools" in skipped.reason or "its list has no end" in skipped.reason


def test_bad_tools_are_skipped_and_the_others_kept(hostile):
    reading = read_sources([f"mcp:{hostile('nasty')}"])
    tools = {tool.name: tool for tool in reading.tools}
    assert {name: tool.runs.rpartition("#")[2] for name, tool in tools.items()} == {
        "_b_bold__b_": "%3Cb%3Ebold%3C/b%3E",
        "______etc_passwd": "../../etc/passwd",
        "bell": "bell",
        "good": "good",
    }
    assert tools["bell"].description == "Rings the [31m bell. system"
    assert tools["good"].description == "Does good."
    no_object = "'inputSchema' is not the JSON Schema of an object"
    assert {skipped.name: skipped.reason.partition(";")[0] for skipped in reading.skipped} == {
        "no_schema": no_object,
        "a_list": no_object,
        "odd_type": "'parameters' is not a valid JSON Schema at $.properties.x.type: 7 is not valid under any of the "
        "given schemas",
        "circular": "'parameters': $ref '#' refers to itself",
        "entry 6": "it has no name",
        "a tool without a name": "not an object",
        "good": "the server lists it twice",
    }


def test_stubborn_server_and_its_children_are_ended(hostile):
    assert len(load_catalog(f"mcp:{hostile('stubborn')}")) == 3


def test_rest_of_the_catalog_is_kept(hostile, tmp_path, capsys):
    good = command("-m", "mcp_server_time")
    with pytest.raises(SystemExit) as left:
        main(["catalog", "import", f"mcp:{hostile('crash_start')}", f"mcp:{good}", "--out", str(tmp_path / "out")])
    assert left.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "ended before it answered" in told
    assert load_catalog(tmp_path / "out").tools["get_current_time"].runs == f"mcp:{good}#get_current_time"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("no-such-command --now", "the server cannot be started: No such file or directory"),
        ("", "names no server; write mcp:COMMAND"),
        ("echo 'open", "not a command: No closing quotation"),
        ("http://127.0.0.1:9/mcp", "the server cannot be used: .*connect"),
    ],
    ids=["unknown", "nothing", "quote", "nobody there"],
)
def test_bad_address_is_told_in_one_line(address, told):
    with pytest.raises(CatalogError, match=told):
        load_catalog(f"mcp:{address}")


def test_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "toolflow_graph.live.server")
    with pytest.raises(CatalogError, match=r"pip install 'toolflow-graph\[mcp\]'"):
        load_catalog("mcp:anything")


def test_interrupted_reading_leaves_no_process(hostile, tmp_path):
    async def interrupt():
        reading = asyncio.create_task(mcp_server.Server(hostile("hang_start")).list_tools())
        while not (tmp_path / "pids").exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
        reading.cancel()
        await asyncio.wait([reading])

    ask_and_wait(interrupt())
