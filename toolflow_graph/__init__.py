"""toolflow-graph: natural, coherent multi-turn tool-calling dialogues from a catalog of tools.

Example:
    from toolflow_graph import generate

    for dialogue in generate(catalog="my_tools.json", dialogues=100, seed=7):
        print(dialogue.id, dialogue.messages)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolflow_graph.catalog import load_catalog
    from toolflow_graph.dataset import open_dialogues
    from toolflow_graph.encoder import load_encoder
    from toolflow_graph.errors import ToolflowError
    from toolflow_graph.runner import agenerate, generate
    from toolflow_graph.settings import RunSettings
    from toolflow_graph.tool_graph import build_tool_graph
    from toolflow_graph.tool_retriever import ToolRetriever
    from toolflow_graph.types import DialogueRecord, Tool

__all__ = [
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

_HOMES = {
    "DialogueRecord": "types",
    "RunSettings": "settings",
    "Tool": "types",
    "ToolRetriever": "tool_retriever",
    "ToolflowError": "errors",
    "agenerate": "runner",
    "build_tool_graph": "tool_graph",
    "generate": "runner",
    "load_catalog": "catalog",
    "load_encoder": "encoder",
    "open_dialogues": "dataset",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `toolflow --help` must not load FAISS and LangGraph."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
