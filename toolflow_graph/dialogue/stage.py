"""What does not belong to one dialogue: catalog, Tool Graph and cast, named by the settings and loaded once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from toolflow_graph.agents.llm import Voices, llm_cast
from toolflow_graph.agents.roles import Cast
from toolflow_graph.agents.scripted import scripted_cast
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.catalog.native import Catalog, load_catalog
from toolflow_graph.models import ChatClient, ModelSettings
from toolflow_graph.retriever import ToolRetriever, load_encoder
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.tool_graph import ToolGraph, build_tool_graph
from toolflow_graph.types import Tool

__all__ = ["Stage", "load_stage"]


@dataclass(frozen=True, eq=False)
class Stage:
    """Catalog, Tool Graph and cast of a run; `tools` are the catalog's and the ones that the cast itself brings."""

    catalog: Catalog
    tool_graph: ToolGraph
    cast: Cast
    tools: Mapping[str, Tool]
    encoder: str

    @cached_property
    def retriever(self) -> ToolRetriever:
        """Finds tools of the catalog for a text; built when it is first asked."""
        return ToolRetriever(list(self.catalog.tools.values()), load_encoder(self.encoder))

    def find_tools(self, query: str) -> list[str]:
        """Return the names of the tools that fit a text best."""
        return [name for name, _ in self.retriever.search(query, _FOUND)]


_FOUND = 4
"""Tools that a search for tools returns."""


def load_stage(settings: DialogueSettings) -> Stage:
    """Return the stage that the settings name, from memory after the first time."""
    base = _load(settings.catalog, _stamp(settings.catalog), settings.encoder, settings.tau)
    return base if settings.cast == "scripted" else _with_models(base, settings.models)


@lru_cache(maxsize=8)
def _with_models(stage: "Stage", models: ModelSettings) -> "Stage":
    return replace(stage, cast=llm_cast(Voices(ChatClient(models), models)))


def _stamp(source: str | None) -> tuple[tuple[str, int, int], ...]:
    """Return names, times and sizes of a catalog's files, so that an edited one is read again."""
    if source is None:
        return ()
    root = Path(source)
    files = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]
    return tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in files if p.exists())


@lru_cache(maxsize=8)
def _load(source: str | None, stamp: object, encoder: str, tau: float) -> Stage:  # noqa: ARG001 - part of the key
    catalog = load_catalog(source)
    tool_graph = build_tool_graph(list(catalog.tools.values()), load_encoder(encoder), tau)
    return Stage(catalog, tool_graph, scripted_cast(), {**catalog.tools, SEARCH_TOOLS.name: SEARCH_TOOLS}, encoder)
