"""`toolflow catalog import` and `enrich`, and generating over what was imported or never was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from endpoint import Endpoint
from toolflow_graph.catalog import iterate_slots, load_catalog
from toolflow_graph.cli.app import main
from toolflow_graph.runner import generate

CLINIC = Path(__file__).parent / "specs" / "clinic.yaml"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_import_writes_a_catalog_and_says_what_it_did(tmp_path, capsys):
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps([{"name": "fine", "parameters": SCHEMA}, {"name": "bad", "parameters": 7}]))
    code, out, err = run(capsys, "catalog", "import", CLINIC, broken, "--out", tmp_path / "mine")
    assert (code, err) == (0, "")
    assert "openapi, openai" in out
    assert "parameters without a description" in out
    assert "left out: 1 × 'parameters' is not a JSON Schema object (first: " in out
    assert "2 files written" in out
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["broken.json", "happy_paws_clinic.json"]
    assert len(load_catalog(tmp_path / "mine")) == 9


def test_import_names_every_tool_it_left_out(tmp_path, capsys):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"openapi": "3.0.0", "paths": {"/a": {"get": {}, "put": 5, "post": []}}}))
    code, out, _ = run(capsys, "catalog", "import", path, "--out", tmp_path / "mine", "--show-skipped")
    assert code == 0
    reason = "the operation is not an object"
    assert [line for line in out.splitlines() if line.startswith("left out: ")] == [
        f"left out: {path} PUT /a: {reason}",
        f"left out: {path} POST /a: {reason}",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no tool could be read"),
        ('{"swagger": "2.0", "paths": {}}', "no tool could be read"),
    ],
)
def test_import_of_nothing_is_an_error(tmp_path, capsys, content, said):
    path = tmp_path / "x.json"
    path.write_text(content)
    code, _, err = run(capsys, "catalog", "import", path, "--out", tmp_path / "mine")
    assert code == 1
    assert said in err
    assert not (tmp_path / "mine").exists()


def test_import_replaces_nothing_unless_forced(tmp_path, capsys):
    assert run(capsys, "catalog", "import", CLINIC, "--out", tmp_path / "mine")[0] == 0
    code, _, err = run(capsys, "catalog", "import", CLINIC, "--out", tmp_path / "mine")
    assert code == 1
    assert "--force" in err
    assert run(capsys, "catalog", "import", CLINIC, "--out", tmp_path / "mine", "--force")[0] == 0


def test_enrich_by_rules(tmp_path, capsys):
    path = tmp_path / "tools.json"
    path.write_text(json.dumps([{"name": "get_forecast", "parameters": SCHEMA}]))
    code, out, _ = run(capsys, "catalog", "enrich", path, "--out", tmp_path / "mine")
    assert code == 0
    assert "1 tools" in out
    (tool,) = load_catalog(tmp_path / "mine").tools.values()
    assert all(slot.schema.get("description") for slot in iterate_slots(tool.parameters))
    assert {"parameters.city.description", "parameters.city.examples", "returns"} <= set(tool.inferred)


def test_enrich_by_a_model(tmp_path, capsys):
    path = tmp_path / "tools.json"
    path.write_text(json.dumps([{"name": "get_forecast", "parameters": SCHEMA}, {"name": "stubborn"}]))

    def answer(request):
        text = request["messages"][0]["content"]
        if "stubborn" in text:
            return {"value": {"description": "", "slots": [], "returns_list": "", "returns": []}}
        return {
            "value": {
                "description": "Tells the weather of the coming days.",
                "slots": [
                    {"slot": "parameters.city", "description": "Name of the city", "examples": ["Porto", "Oslo"]},
                    {"slot": "parameters.days", "description": "How many days", "examples": ["3", "many"]},
                ],
                "returns_list": "forecasts",
                "returns": [{"name": "sky", "type": "string", "description": "Look of the sky"}],
            }
        }

    with Endpoint(answer) as endpoint:
        code, out, err = run(
            capsys,
            "catalog",
            "enrich",
            path,
            "--out",
            tmp_path / "mine",
            "--model",
            "test-model",
            "--base-url",
            endpoint.base_url,
        )
    assert code == 0, err
    assert "1 by rules" in out
    forecast, stubborn = load_catalog(tmp_path / "mine").tools.values()
    assert forecast.description == "Tells the weather of the coming days."
    assert forecast.parameters["properties"] == {
        "city": {"type": "string", "description": "Name of the city", "examples": ["Porto", "Oslo"]},
        "days": {"type": "integer", "description": "How many days", "examples": [3]},
    }
    assert forecast.returns["properties"]["forecasts"]["items"]["required"] == ["sky"]
    assert set(forecast.inferred) == {
        "returns",
        "description",
        "parameters.city.description",
        "parameters.city.examples",
        "parameters.days.description",
        "parameters.days.examples",
    }
    assert stubborn.description == "Stubborn."


def test_help_is_quick():
    code = (
        "import sys\nfrom toolflow_graph.cli.app import main\n"
        "try: main(['catalog', 'import', '--help'])\nfinally: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"yaml", "jsonschema", "numpy", "langgraph", "faiss"} & set(done.stdout.split())


@pytest.mark.slow
def test_twenty_dialogues_over_an_openapi_document():
    dialogues = list(generate(dialogues=20, seed=3, catalog=str(CLINIC)))
    assert len(dialogues) == 20
    called = {name for dialogue in dialogues for request in dialogue.plan.requests for name in request.tools}
    assert len(called) >= 6


def test_generate_says_what_the_catalog_lacks(tmp_path, capsys):
    text = CLINIC.read_text(encoding="utf-8")
    broken = "\npaths:\n  /broken:\n    get: {operationId: get_broken, parameters: [{$ref: 'http://other.example/p.json'}]}\n"
    assert "\npaths:\n" in text
    path = tmp_path / "clinic.yaml"
    path.write_text(text.replace("\npaths:\n", broken, 1), encoding="utf-8")
    options = ["--dialogues", "2", "--seed", "3", "--out", tmp_path / "run"]
    code, _, err = run(capsys, "generate", "--catalog", path, *options)
    assert code == 0
    assert "tools left out of the catalog: 1; the first is " in err
    assert "http://other.example/p.json" in err
