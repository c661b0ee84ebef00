"""Tracing by environment variables: spans arrive where they are told to go, and without them nothing is sent."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from endpoint import Endpoint
from players import Players
from postgres import find_port
from toolflow_graph.settings import parse_settings

COMMAND = [sys.executable, "-c", "from toolflow_graph.cli import main; main()", "generate", "--quiet"]
PREFIXES = ("LANGSMITH_", "LANGCHAIN_", "OTEL_")


class Collector(ThreadingHTTPServer):
    """Takes whatever is sent; `received` has the path and the body of every request."""

    def __init__(self):
        self.received = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def bodies(self, path):
        return b"".join(body for where, body in self.received if where.startswith(path))


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        self.server.received.append((self.path, self.rfile.read(length)))
        self._answer()

    def do_GET(self):
        self.server.received.append((self.path, b""))
        self._answer()

    do_PATCH = do_POST  # noqa: N815 - the library's name

    def _answer(self):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def generate(out, environment, *options):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    command = [*COMMAND, "--out", str(out), *(str(option) for option in options)]
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_nothing_is_sent_unless_it_is_asked_for(tmp_path, catalog):
    with Collector() as collector:
        there = {"LANGSMITH_ENDPOINT": collector.address, "LANGSMITH_API_KEY": "ls-key"}
        there |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}
        assert generate(tmp_path / "run", there, "-n", 2, "--catalog", catalog) == ""
    assert collector.received == []


def test_langsmith_is_sent_each_node(tmp_path, catalog):
    pytest.importorskip("zstandard")
    with Collector() as collector:
        there = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": collector.address, "LANGSMITH_API_KEY": "ls-key"}
        there |= {"LANGSMITH_DISABLE_RUN_COMPRESSION": "true"}
        generate(tmp_path / "run", there, "-n", 1, "--catalog", catalog)
    sent = collector.bodies("/runs")
    for node in (b"sampler", b"planner", b"user", b"assistant", b"validator"):
        assert node in sent


def test_traces_that_cannot_be_delivered_are_told_without_the_key(tmp_path, catalog):
    """LangSmith's client would name the first and last letters, which of a short key is all of it."""
    there = {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "planted"}
    there |= {"LANGSMITH_ENDPOINT": f"http://127.0.0.1:{find_port()}"}
    told = generate(tmp_path / "run", there, "-n", 1, "--catalog", catalog)
    assert "Failed to" in told
    assert "plant" not in told
    assert "API Key" not in told


@pytest.mark.slow
def test_opentelemetry_is_sent_each_node_and_each_request_of_every_worker(tmp_path, catalog):
    values = {"cast": "llm", "catalog": catalog, "tools": 8, "seed": 3, "dialogues": 2, "max_attempts": 1}
    values |= {"patterns": ("single",)}
    players = Players(parse_settings({**values, "models": {"model": "test-model"}}))
    with Collector() as collector, Endpoint(players) as endpoint:
        there = {"LANGSMITH_TRACING": "true", "LANGSMITH_TRACING_MODE": "otel"}
        there |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OPENAI_API_KEY": "sk-planted-0123456789"}
        options = ["-n", 2, "--catalog", catalog, "--seed", 3, "--set", "tools=8", "--set", "max_attempts=1"]
        options += ["--set", 'patterns=["single"]', "--base-url", endpoint.base_url, "--model", "test-model"]
        generate(tmp_path / "run", there, *options, "--workers", 2)
    sent = collector.bodies("/v1/traces")
    for word in (b"sampler", b"planner", b"tool_simulator", b"validator", b"test-model"):
        assert word in sent
    assert b"sk-planted" not in b"".join(body for _, body in collector.received)
