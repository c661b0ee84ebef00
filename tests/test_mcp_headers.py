"""MCP servers behind credentials: headers come out of the environment, and their values are written down nowhere."""

import asyncio
import json
import traceback

import pytest

from endpoint import Endpoint
from runs import read_rows
from test_execution import Model
from test_mcp import serve_web
from toolflow_graph.catalog.sources import load_catalog
from toolflow_graph.cli.app import main
from toolflow_graph.errors import CatalogError
from toolflow_graph.live.calling import LiveTools
from toolflow_graph.live.http_address import parse_http_address

TOKEN = "tok-5f3a9c\\ü".replace("ü", '"7781')  # with characters that JSON escapes


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    monkeypatch.setenv("OPENAI_API_KEY", "test")


@pytest.fixture(scope="module")
def expired(tmp_path_factory):
    return tmp_path_factory.mktemp("vault") / "expired"


@pytest.fixture(scope="module")
def vault(expired):
    with serve_web("guarded.py", TOKEN, expired) as url:
        yield url


def guarded(url, header="Authorization: Bearer $VAULT_TOKEN"):
    return f"mcp:{url} --header '{header}'"


def assert_hidden(text):
    assert TOKEN not in text
    assert json.dumps(TOKEN)[1:-1] not in text
    assert TOKEN[:10] not in text


def test_header_opens_the_server_and_its_value_is_hidden(vault):
    catalog = load_catalog(guarded(vault, "Authorization: Bearer ${VAULT_TOKEN}"))
    assert set(catalog.tools) == {"who_asks", "leak"}
    assert catalog.tools["who_asks"].description == "Say who asks; knows $VAULT_TOKEN."
    assert "Bearer ${VAULT_TOKEN}" in catalog.tools["who_asks"].runs
    assert_hidden("".join(tool.model_dump_json() for tool in catalog.tools.values()))


def test_results_and_errors_name_the_variable_instead(vault):
    tools = load_catalog(guarded(vault)).tools

    async def work():
        async with LiveTools(20.0) as live:
            return [await live.run(tools[name].runs, {"reason": "audit"}) for name in ("who_asks", "leak")]

    asked, leaked = asyncio.run(work())
    assert asked.content["authorization"] == "Bearer $VAULT_TOKEN"
    assert leaked.failed
    assert "bad token $VAULT_TOKEN" in leaked.content["error"]


@pytest.mark.parametrize(
    ("header", "variable", "told"),
    [
        ("", None, "answers 401 (Unauthorized); give it a header behind the address: --header"),
        ("Authorization: Bearer $OLD", "old-token-1", "answers 401 (Unauthorized); look at the value of $OLD"),
        ("Authorization: Bearer $OLD", None, "the environment has no OLD, which the header 'Authorization' needs"),
        ("Authorization: Bearer $OLD", "two\nlines", "the value of OLD has characters that the header"),
        ("Authorization: Bearer abc", None, "the header 'Authorization' is written out"),
        ("X-Api-Key: abc", None, "--header 'X-Api-Key: $NAME'"),
        ("no header", None, "a header has the form 'Name: value'"),
    ],
)
def test_refusals_are_one_clear_line(vault, monkeypatch, header, variable, told):
    if variable:
        monkeypatch.setenv("OLD", variable)
    with pytest.raises(CatalogError) as raised:
        load_catalog(guarded(vault, header) if header else f"mcp:{vault}")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    if variable:
        assert variable not in str(raised.value).replace("\\n", "\n")
    assert not header.endswith("abc") or "abc" not in str(raised.value)


def test_forbidden_is_told_and_its_traceback_has_no_secret(vault):
    with pytest.raises(CatalogError) as raised:
        load_catalog(guarded(vault.replace("/mcp", "/forbidden")))
    assert "answers 403 (Forbidden); look at the value of $VAULT_TOKEN" in str(raised.value)
    assert_hidden("".join(traceback.format_exception(raised.value)))
    assert_hidden(repr(parse_http_address(guarded(vault).removeprefix("mcp:"))))


@pytest.mark.parametrize("address", ["http://x --heads a", "http://x --header", "http://x 'y"])
def test_address_that_is_written_otherwise_is_refused(address):
    with pytest.raises(CatalogError, match="write mcp:http://… --header"):
        parse_http_address(address)


def test_plain_headers_may_be_written_out():
    parsed = parse_http_address("http://x/mcp --header 'X-Region: eu' --header 'X-Version: 2'")
    assert (parsed.url, parsed.headers) == ("http://x/mcp", {"X-Region": "eu", "X-Version": "2"})


def generate_over(source, out, capsys):
    model = Model("who_asks", {"reason": "audit"}, "Who is asking here? The reason is the audit.")
    with Endpoint(model) as endpoint:
        words = ["--model", "test-model", "--base-url", endpoint.base_url, "--catalog", source, "--execute-all"]
        words += ["-n", "1", "--tools", "2", "--distractors", "0", "--set", 'patterns=["single"]']
        words += ["--set", "max_attempts=1", "--min-requests", "1", "--max-requests", "1", "--out", str(out)]
        with pytest.raises(SystemExit) as left:
            main(["generate", *words])
    said = capsys.readouterr()
    return left.value.code, said.out + said.err


@pytest.mark.slow
def test_nothing_that_a_run_leaves_has_the_secret(vault, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["catalog", "import", guarded(vault), "--out", str(tmp_path / "catalog")])
    assert left.value.code == 0
    code, said = generate_over(str(tmp_path / "catalog"), tmp_path / "run", capsys)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"manifest.json", "checkpoints.sqlite"} <= {path.name for path in files}
    for path in files:
        assert_hidden(path.read_bytes().decode("latin-1"))
    assert_hidden(said)
    (row,) = [*read_rows(tmp_path / "run" / "dialogues.jsonl"), *read_rows(tmp_path / "run" / "rejected.jsonl")]
    assert len(row["executed"]) == 1, (code, said)
    (result,) = [json.loads(message["content"]) for message in row["messages"] if message["role"] == "tool"]
    assert result["authorization"] == "Bearer $VAULT_TOKEN"


@pytest.mark.slow
def test_token_that_expires_stops_the_run_in_one_line(vault, expired, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["catalog", "import", guarded(vault), "--out", str(tmp_path / "catalog")])
    expired.touch()
    try:
        code, said = generate_over(str(tmp_path / "catalog"), tmp_path / "run", capsys)
    finally:
        expired.unlink()
    assert code == 1
    assert "answers 401 (Unauthorized); look at the value of $VAULT_TOKEN" in said
    assert "Traceback" not in said
