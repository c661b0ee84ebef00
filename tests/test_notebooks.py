"""The notebooks: they run to their end without a model and a network, and what is committed is small and clean."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

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


def make_smaller(notebook, much, less):
    (cell,) = [cell for cell in code_cells(notebook) if much in cell.source]
    cell.source = cell.source.replace(much, less)


def test_there_are_notebooks():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 4


@pytest.mark.slow
@by_name
def test_notebook_runs_to_its_end(path, tmp_path, monkeypatch):
    """Every cell runs; what a cell writes goes to a folder of its own, and nothing is said on standard error."""
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = read(path)
    if path.stem in SMALLER:
        make_smaller(notebook, *SMALLER[path.stem])
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert outputs
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
    kinds = [[sorted(output.get("data", {})) for output in cell.outputs] for cell in code_cells(notebook)]
    committed = [[sorted(output.get("data", {})) for output in cell.outputs] for cell in code_cells(read(path))]
    assert kinds == committed


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
