"""Every module says what is public; the package exports few names, and loads them when they are used."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import toolflow_graph

MODULES = [
    module.name
    for module in pkgutil.walk_packages(toolflow_graph.__path__, "toolflow_graph.")
    if not module.name.startswith("toolflow_graph._data")
]


def test_package_exports():
    assert sorted(toolflow_graph.__all__) == [
        "DialogueRecord",
        "RunSettings",
        "Tool",
        "ToolRetriever",
        "ToolflowError",
        "agenerate",
        "build_tool_graph",
        "generate",
        "load_catalog",
        "load_encoder",
        "open_dialogues",
    ]
    assert dir(toolflow_graph) == toolflow_graph.__all__
    for name in toolflow_graph.__all__:
        assert getattr(toolflow_graph, name).__name__ == name


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'regenerate'"):
        _ = toolflow_graph.regenerate


def test_import_loads_nothing_heavy():
    code = "import sys, toolflow_graph; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "numpy", "langgraph", "langchain_core", "faiss"} & set(loaded)


@pytest.mark.parametrize("name", MODULES)
def test_public_names_exist(name):
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    for public in names:
        assert hasattr(module, public)
