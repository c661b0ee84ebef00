"""The built wheel, installed where nothing of the checkout can be seen."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def run(*command, cwd):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "PIP_"))
    }
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), cwd=ROOT)
    (built,) = folder.glob("toolflow_graph-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A new environment with the wheel; it borrows the installed dependencies, but not the editable install."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder)
    python = folder / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"),
        str(wheel),
        cwd=folder,
    )
    packages = Path(
        run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # .pth files inside it are not followed
    return folder


def test_wheel_holds_the_package_its_data_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {p.relative_to(ROOT).as_posix() for p in (ROOT / "toolflow_graph").rglob("*") if p.is_file()}
    data = {f"toolflow_graph/_data/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "prompts").glob("*.md")}
    data |= {f"toolflow_graph/_data/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "tool_catalog").glob("*.json")}
    assert len(data) > 20
    expected = {name for name in package | data if "__pycache__" not in name}
    assert expected - names == set()
    assert "toolflow_graph/agents/scripted/speech.json" in names
    assert "toolflow_graph/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    outside = {name for name in names - expected if ".dist-info/" not in name}
    assert {name for name in outside if not name.startswith("toolflow_graph/_data/")} == set()
    assert [name for name in names if "test" in name.split("/")[0]] == []


def test_installed_wheel_is_what_is_imported(environment, tmp_path):
    look = "import sys, toolflow_graph; print(toolflow_graph.__file__); print(*sys.path, sep='\\n')"
    where, *path = run(str(environment / "bin" / "python"), "-P", "-c", look, cwd=tmp_path).splitlines()
    assert Path(where).is_relative_to(environment)
    assert str(ROOT) not in path


def test_installed_wheel_generates(environment, tmp_path):
    run(str(environment / "bin" / "toolflow"), "generate", "--dialogues", "3", "--out", "run", cwd=tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest
    lines = (tmp_path / "run" / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()
    rejected = (tmp_path / "run" / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) + len(rejected) == 3
    assert lines
    for line in lines:
        dialogue = json.loads(line)
        assert dialogue["messages"][0]["role"] == "system"
        assert dialogue["messages"][-1]["role"] == "assistant"
        assert dialogue["tools"]
