"""The notebooks: they run to their end without a network, by rules and with a model; what is committed is small."""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from endpoint import Endpoint
from notebook_players import NotebookPlayers
from players import Players
from runs import read_rows
from toolflow_graph.settings import parse_settings
from toolflow_graph.values import kind_of

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 400_000
"""Bytes that a committed notebook may have, outputs included."""

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
MACHINE = re.compile(r"/(?:home|root|Users|work|tmp|var|opt|private)/|\\\\Users\\\\|site-packages|0x[0-9a-f]{8}")
"""What betrays the machine that a notebook was run on."""

SMALLER = {
    "03_first_experiments": ("MANY, FEW = 100, 50", "MANY, FEW = 24, 12"),
    "05_from_data_to_model": ('"tokens": 70_000', '"tokens": 20_000'),
}
"""Where a notebook says how much is computed, and how much is enough to see that it runs."""

by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(output):
    """Yield what an output says, pictures left out."""
    yield output.get("text", "")
    yield from (str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/"))


def change(notebook, much, less):
    (cell,) = [cell for cell in code_cells(notebook) if much in cell.source]
    cell.source = cell.source.replace(much, less)


def test_there_are_notebooks():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 4


def execute(notebook, folder):
    """Execute all cells, in a folder of their own, and return the outputs of each."""
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    outputs = [cell.outputs for cell in code_cells(notebook)]
    shown = [output for cell in outputs for output in cell]
    assert shown
    assert [output.text for output in shown if output.output_type == "stream" and output.name == "stderr"] == []
    return outputs


@pytest.fixture
def kernel(monkeypatch):
    """The environment of a kernel: this package, and pictures that nobody has to show."""
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    return monkeypatch


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
@by_name
def test_notebook_runs_to_its_end(path, tmp_path):
    """Every cell runs; what a cell writes goes to a folder of its own, and nothing is said on standard error."""
    notebook = read(path)
    if path.stem in SMALLER:
        change(notebook, *SMALLER[path.stem])
    outputs = execute(notebook, tmp_path)
    committed = [cell.outputs for cell in code_cells(read(path))]
    kinds = [[[sorted(output.get("data", {})) for output in cell] for cell in cells] for cells in (outputs, committed)]
    assert kinds[0] == kinds[1]


# With a model


def read_with_model(number, endpoint):
    """Return the notebook with a model set as a reader would set it, at this endpoint."""
    (path,) = [path for path in NOTEBOOKS if path.stem.startswith(number)]
    notebook = read(path)
    (cell,) = [cell for cell in code_cells(notebook) if re.search(r"^MODEL = None", cell.source, re.MULTILINE)]
    cell.source = re.sub(r"^MODEL = None", 'MODEL = "test-model"', cell.source, flags=re.MULTILINE)
    cell.source = re.sub(r"^BASE_URL = None", f'BASE_URL = "{endpoint.base_url}"', cell.source, flags=re.MULTILINE)
    return notebook


def can_play(run):
    """Say whether the players have a plan for the tools that are drawn first; a model would make do with any."""
    return Players(parse_settings({"cast": "llm", **run})).can_play()


def asks_for_a_name(run):
    """Say whether the players have a plan in which the assistant asks for a person, whom the notebook then replaces."""
    mix = [{"share": 1, "patterns": run["patterns"]}]
    players = Players(parse_settings({"cast": "llm", **run, "mix": mix}))
    return players.can_play() and kind_of(find_ask(players)["parameter"], {"type": "string"}) == "person"


def find_ask(players):
    """The only part of the agenda in which the assistant asks for a value."""
    outline = players.rehearsals[0].plan.outline
    (asked,) = (part for act in outline["acts"] for part in act.get("parts", ()) if part["kind"] == "ask")
    return asked


def take_other_words(players, body, name):
    """Answer as the players do, but call with the name that was put into the user's mouth instead of what was asked."""
    reply = players(body)
    if name not in json.dumps(body["messages"]) or not reply.get("tool_calls"):
        return reply
    asked, outline = find_ask(players.played[0]), players.played[0].rehearsals[0].plan.outline
    return json.loads(json.dumps(reply).replace(outline["calls"][asked["call"]]["arguments"][asked["parameter"]], name))


def said_in(outputs):
    return "\n".join(text for cell in outputs for output in cell for text in texts(output))


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
def test_a_dialogue_is_stepped_through_with_a_model(tmp_path):
    dialogue = {
        "patterns": ("sequential", "missing_parameter", "chitchat"),
        "tools": 4,
        "dialogues": 1,
        "max_attempts": 1,
    }
    seed = next(seed for seed in range(6, 90) if asks_for_a_name({**dialogue, "seed": seed}))
    players = NotebookPlayers([lambda: {**dialogue, "seed": seed}])
    with Endpoint(lambda body: take_other_words(players, body, "Marta Lindqvist")) as endpoint:
        notebook = read_with_model("02", endpoint)
        change(notebook, "seed=6", f"seed={seed}")
        outputs = execute(notebook, tmp_path)
    assert players.left == 0
    assert {players.played[0].recognise(entry.body)[0] for entry in endpoint.log} == {
        "planner",
        "user",
        "assistant",
        "tool",
    }
    assert "**accepted**" in said_in(outputs)
    assert "Marta Lindqvist" in said_in(outputs[-1:])


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
def test_experiments_are_made_with_a_model(tmp_path):
    many, few = 2, 2
    sizes = {"no-graph-no-plan": many, "no-plan": many, "no-graph": many, "toolflow": few, "direct": few}
    runs = [
        {"method": method, "dialogues": dialogues, "seed": sum(map(ord, method))} for method, dialogues in sizes.items()
    ]
    players = NotebookPlayers([lambda run=run: run for run in runs])
    with Endpoint(players) as endpoint:
        notebook = read_with_model("03", endpoint)
        change(notebook, SMALLER["03_first_experiments"][0], f"MANY, FEW = {many}, {few}")
        change(notebook, '"seed": 7', '"seed": sum(map(ord, method))')
        execute(notebook, tmp_path)
    assert players.left == 0
    made = {file.parent.name: len(read_rows(file)) for file in (tmp_path / "runs").glob("*/*/dialogues.jsonl")}
    assert made == {"neither": many, "graph": many, "plan": many, "whole": few, "baseline": few}


@pytest.mark.slow
def test_own_tools_are_called_for_real_by_a_model(tmp_path, kernel):
    kernel.setenv("TMPDIR", str(tmp_path))

    def find(name):
        (path,) = tmp_path.glob(f"*/{name}")
        return path

    def take_bakery():
        kernel.syspath_prepend(str(find("bakery.py").parent))
        return "python:bakery"

    sequential = {"share": 1, "patterns": ["sequential"]}
    missing = {"share": 1, "patterns": ["single", "missing_parameter"]}
    failing = {"share": 1, "patterns": ["single", "tool_error"]}
    size = {"distractors": 0, "min_requests": 1, "max_requests": 3, "dialogues": 2}
    runs = [
        lambda: {**size, "catalog": str(find("shed.yaml")), "tools": 2, "mix": [sequential, failing], "seed": 5},
        lambda: {**size, "catalog": take_bakery(), "tools": 3, "mix": [sequential, missing], "seed": 2},
        lambda: {**size, "catalog": str(find("spoken")), "tools": 3, "mix": [sequential, missing], "seed": 6},
        lambda: {**size, "catalog": take_bakery(), "tools": 3, "mix": [sequential], "seed": 4, "execute": "all"},
    ]
    players = NotebookPlayers(runs)
    try:
        with Endpoint(players) as endpoint:
            notebook = read_with_model("04", endpoint)
            change(
                notebook,
                'show(*generate(catalog=str(HERE / "spoken"), dialogues=2, **settings',
                'show(*generate(catalog=str(HERE / "spoken"), dialogues=2, **settings | {"seed": 6}',
            )
            outputs = execute(notebook, tmp_path)
    finally:
        sys.modules.pop("bakery", None)
    assert players.left == 0
    last = said_in(outputs[-1:])
    assert last.count("**s4-") == 2
    assert "order_bread" in last


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
def test_a_model_sits_the_exam_beside_the_trained_one(tmp_path):
    with Endpoint(lambda _: "None of these can do that.") as endpoint:
        notebook = read_with_model("05", endpoint)
        change(notebook, *SMALLER["05_from_data_to_model"])
        notebook.cells.append(
            nbformat.v4.new_code_cell("[(s.model, [c.accuracy for c in s.categories]) for s in scores]")
        )
        outputs = execute(notebook, tmp_path)
    assert len(endpoint.log) == 24
    assert "('test-model', [0.0, 0.0, 0.0, 1.0])" in said_in(outputs[-1:])


# What is committed


@by_name
def test_committed_notebook_is_whole_and_small(path):
    notebook = read(path)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert {output.output_type for output in outputs} <= {"display_data", "execute_result", "stream"}
    assert path.stat().st_size < LARGEST


@by_name
def test_committed_notebook_is_without_noise(path):
    notebook = read(path)
    assert {name: notebook.metadata[name] for name in KERNEL} == KERNEL
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert [cell.metadata for cell in notebook.cells if cell.metadata] == []
    said = [text for cell in code_cells(notebook) for output in cell.outputs for text in texts(output)]
    told = [MACHINE.search(text) for text in (*said, *(cell.source for cell in notebook.cells))]
    assert [found.group() for found in told if found] == []


@by_name
def test_notebook_reads_as_an_essay(path):
    """Prose begins it and stands between the cells, and no line of code is too long for a page."""
    notebook = read(path)
    assert notebook.cells[0].source.startswith("# ")
    prose = sum(cell.cell_type == "markdown" for cell in notebook.cells)
    assert prose >= 0.4 * len(notebook.cells)
    long = [line for cell in code_cells(notebook) for line in cell.source.splitlines() if len(line) > 100]
    assert long == []


@by_name
def test_links_lead_somewhere(path):
    links = [link for cell in read(path).cells for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", cell.source)]
    assert [link for link in links if not (FOLDER / link).exists()] == []


@by_name
def test_names_are_those_of_the_package(path):
    """The line that a reader changes is there, and nothing is taken from the tests."""
    sources = "\n".join(cell.source for cell in code_cells(read(path)))
    assert re.search(r"^(MODEL|CATALOG) = None\b", sources, re.MULTILINE)
    assert not re.search(r"^\s*(?:from|import) (?:tests|conftest|players|endpoint)\b", sources, re.MULTILINE)
