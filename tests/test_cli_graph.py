"""`toolflow graph` and `toolflow sample`."""

import json
import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import toolflow_graph.encoder
from toolflow_graph.cli.graph import graph_app
from toolflow_graph.cli.sample import sample
from toolflow_graph.errors import CatalogError, EncoderError, SamplingError, SettingsError

app = typer.Typer()
app.add_typer(graph_app, name="graph")
app.command("sample")(sample)


class LetterEncoder:
    name = "letters"
    dimension = 256

    def encode(self, texts):
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text.encode():
                row[letter] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    def load(name, *, backend, on_progress=None):
        assert backend == "torch"
        if name == "broken":
            raise EncoderError("the encoder 'broken' cannot be loaded")
        on_progress(0, 10)
        on_progress(10, 10)
        return LetterEncoder()

    monkeypatch.setattr(toolflow_graph.encoder, "load_encoder", load)
    monkeypatch.setenv("COLUMNS", "140")


def make_entry(name, takes, gives):
    def schema(names):
        return {"type": "object", "properties": {slot: {"type": "string", "description": text} for slot, text in names}}

    return {"name": name, "description": f"Does {name}.", "parameters": schema(takes), "returns": schema(gives)}


@pytest.fixture
def catalog(tmp_path):
    order = ("order_id", "Identifier of the order [as given]")
    tools = [
        make_entry("find_orders", [("shop", "XXXXXX")], [order]),
        make_entry("cancel_order", [order], [("refund", "$$$$$$$$$$$$$$")]),
        make_entry("track_order", [order], [("place", "~~~~~~~~~~~~~~~")]),
        make_entry("roll_dice", [("sides", "0123456789012345")], []),
    ]
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(tools))
    return str(path)


def invoke(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_summary_shows_the_figures(catalog):
    result = invoke("graph", "--catalog", catalog)
    assert result.exit_code == 0
    lines = {
        line.split("│")[1].strip(): line.split("│")[2].strip() for line in result.stdout.splitlines() if "│" in line
    }
    assert lines["tools"] == "4"
    assert lines["P-P edges (undirected)"] == "1"
    assert lines["P-R edges (directed)"] == "2"
    assert lines["density (pairs joined)"] == "50.00%"
    assert lines["tools with a P-R partner"] == "3 (75.0%)"
    assert lines["components"] == "2: 3, 1"
    assert lines["order_id: Identifier of the order [as given]"] == "3"
    assert "Isolated: roll_dice" in result.stdout
    assert "encoding" not in result.stdout


def test_show_lists_neighbours_with_evidence(catalog):
    result = invoke("graph", "show", "cancel_order", "--catalog", catalog)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    assert rows == [
        ["fed by", "find_orders", "order_id", "order_id", "1.000"],
        ["shares", "track_order", "order_id", "order_id", "1.000"],
    ]
    assert "2 neighbours: feeds 0 tools, is fed by 1, shares parameters with 1." in result.stdout


@pytest.mark.parametrize("before", [True, False], ids=["before-show", "after-show"])
def test_options_may_stand_on_either_side_of_show(catalog, before):
    options = ["--catalog", catalog, "--tau", "1"]
    result = invoke("graph", *(options if before else []), "show", "cancel_order", *([] if before else options))
    assert result.exit_code == 0
    assert "cancel_order is isolated" in result.stdout
    assert "tau 1.0" in result.stdout


def test_sample_prints_sets_with_the_edges_between_them(catalog):
    result = invoke("sample", "--catalog", catalog, "--size", "3", "--count", "5")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split(".")[0] for line in lines if not line.startswith(" ")] == list("12345")
    assert lines.count("   P-R 1.000  find_orders.order_id → cancel_order.order_id") == 5
    assert lines.count("   P-P 1.000  cancel_order.order_id ↔ track_order.order_id") == 5
    assert "roll_dice" not in result.stdout


def test_sample_is_seeded(catalog):
    options = ["sample", "--catalog", catalog, "--size", "2", "--strategy", "random", "--count", "8"]
    one, same, other = (invoke(*options, "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert one == same != other
    assert "no edge between them" in one


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["graph", "--tau", "1.5"], SettingsError, r"must lie in \(0, 1\]"),
        (["graph", "--tau", "0"], SettingsError, r"must lie in \(0, 1\]"),
        (["graph", "--encoder", "broken"], EncoderError, "cannot be loaded"),
        (["graph", "show", "cancel_ordr"], CatalogError, "did you mean 'cancel_order'"),
        (["sample", "--size", "4"], SamplingError, "only 3 tools reachable from 'find_orders', 4 wanted"),
        (["sample", "--size", "9", "--strategy", "random"], SamplingError, "only 4 tools"),
    ],
    ids=["tau", "tau-zero", "encoder", "tool", "reachable", "too-many"],
)
def test_errors_reach_the_main_command(catalog, arguments, error, message):
    result = invoke(*arguments, "--catalog", catalog)
    assert isinstance(result.exception, error)
    with pytest.raises(error, match=message):
        raise result.exception


def test_missing_catalog_is_an_error(tmp_path):
    result = invoke("graph", "--catalog", str(tmp_path / "none.json"))
    assert isinstance(result.exception, CatalogError)


def test_unknown_strategy_is_a_usage_error(catalog):
    assert invoke("sample", "--catalog", catalog, "--strategy", "hop").exit_code == 2


def test_help_imports_nothing_heavy():
    script = (
        "import sys, toolflow_graph.cli.graph, toolflow_graph.cli.sample;"
        "heavy = {'torch', 'faiss', 'scipy', 'numpy', 'networkx', 'sentence_transformers'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
