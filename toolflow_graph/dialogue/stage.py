"""What does not belong to one dialogue: catalog, Tool Graph and cast, named by the settings and loaded once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from toolflow_graph.agents.llm import ExecutedTools, Recall, Voices, llm_cast
from toolflow_graph.agents.reworded import reword_cast
from toolflow_graph.agents.roles import Cast
from toolflow_graph.agents.scripted import scripted_cast
from toolflow_graph.agents.search_tools import SEARCH_TOOLS, phrase_queries
from toolflow_graph.catalog.reading import Catalog
from toolflow_graph.catalog.sources import is_live, load_catalog
from toolflow_graph.encoder import Backend, SentenceEncoder, TransientEncoder, load_encoder
from toolflow_graph.errors import SettingsError
from toolflow_graph.live.calling import LiveTools
from toolflow_graph.models import ChatClient, ModelSettings
from toolflow_graph.prompts import BUNDLED, Prompts
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.tool_graph import Edges, ToolGraph, build_tool_graph
from toolflow_graph.tool_retriever import ToolRetriever
from toolflow_graph.types import JSON, Tool

__all__ = ["Stage", "load_stage"]


@dataclass(frozen=True, eq=False)
class Stage:
    """Catalog, Tool Graph and cast of a run; `tools` are the catalog's and the ones that the cast itself brings.

    `client` is what the models of the LLM cast are asked through, `live` what calls those tools that are executed.
    """

    catalog: Catalog
    tool_graph: ToolGraph
    cast: Cast
    tools: Mapping[str, Tool]
    encoder: SentenceEncoder
    client: ChatClient | None = None
    live: LiveTools | None = None
    prompts: Prompts = BUNDLED

    @cached_property
    def retriever(self) -> ToolRetriever:
        """Finds tools of the catalog for a text; built when it is first asked."""
        return ToolRetriever(self.catalog.tools.values(), self.encoder)

    def find_tools(self, query: str) -> tuple[str, ...]:
        """Return the names of the tools that fit a text best."""
        return self._search(query)

    @cached_property
    def _search(self) -> Callable[[str], tuple[str, ...]]:
        """Finds tools and remembers what it found.

        What the scripted cast searches a small catalog for is encoded together with its tools, and cached with them:
        later runs search without loading the encoder's weights.
        """
        retriever = self.retriever
        if self.cast.name == "scripted" and len(self.catalog) <= _ENCODED_AHEAD:
            self.encoder.encode([query for tool in self.catalog.tools.values() for query in phrase_queries(tool)[:2]])

        @lru_cache(maxsize=4096)
        def search(query: str) -> tuple[str, ...]:
            return tuple(name for name, _ in retriever.search(query, _FOUND))

        return search


_FOUND = 4
"""Tools that a search for tools returns."""

_ENCODED_AHEAD = 1000
"""Tools of a catalog for which queries are encoded before they are needed."""


def load_stage(settings: DialogueSettings) -> Stage:
    """Return the stage that the settings name, from memory after the first time."""
    encoder = _find_encoder(settings.encoder, settings.encoder_backend)
    base = _load(settings.catalog, _stamp(settings.catalog), encoder, settings.tau, settings.edges)
    if settings.prompts is not None:
        base = _with_prompts(base, settings.prompts, _stamp(settings.prompts))
    if settings.cast == "llm":
        memory = _remember(encoder)
        stage = _with_models(
            base, settings.models, Recall(memory, settings.recall, settings.recall_after, settings.window)
        )
        if not settings.executes:
            return stage
        return _with_execution(stage, settings.execute, settings.execute_tools, settings.execute_timeout_s)
    return _with_rewording(base, settings.models) if settings.models.reword else base


@lru_cache(maxsize=8)
def _with_prompts(stage: "Stage", folder: str, stamp: object) -> "Stage":  # noqa: ARG001 - part of the key
    prompts = Prompts(folder)
    prompts.check()
    return replace(stage, prompts=prompts)


@lru_cache(maxsize=8)
def _with_models(stage: "Stage", models: ModelSettings, recall: Recall) -> "Stage":
    client = ChatClient(models)
    return replace(stage, cast=llm_cast(Voices(client, models, stage.prompts), recall), client=client)


@lru_cache(maxsize=8)
def _with_execution(stage: "Stage", mode: str, named: tuple[str, ...], timeout_s: float) -> "Stage":
    tools = stage.catalog.tools
    idle = next((name for name in named if name not in tools or not tools[name].runs), None)
    if idle is not None:
        what = "has nothing that could be called" if idle in tools else "is no tool of the catalog"
        raise SettingsError(f"setting 'execute_tools': {idle!r} {what}; `runs` of a tool says how it is called")
    chosen = {
        name: _take_any_result(tool)
        for name, tool in tools.items()
        if tool.runs and (name in named or mode == "all" or (mode == "read_only" and tool.annotations.read_only))
    }
    if not chosen:
        runs = sum(bool(tool.runs) for tool in tools.values())
        raise SettingsError(
            f"there is no tool to execute: of {len(tools):,} tools {runs:,} can be called, and none of these is marked "
            "as read-only; name some with --execute-tool, or give --execute-all"
            if runs
            else "there is no tool to execute: MCP servers (mcp:…) and Python functions (python:…) can be called"
        )
    live = LiveTools(timeout_s)
    cast = replace(stage.cast, tool_simulator=ExecutedTools(stage.cast.tool_simulator, live, chosen))
    return replace(stage, cast=cast, tools={**stage.tools, **chosen}, live=live)


_ANYTHING: JSON = {"type": "object", "properties": {}}


def _take_any_result(tool: Tool) -> Tool:
    """Return the tool with returns that promise nothing where they were only guessed: the real tool knows better."""
    return tool.model_copy(update={"returns": _ANYTHING}) if "returns" in tool.inferred else tool


@lru_cache(maxsize=8)
def _with_rewording(stage: "Stage", models: ModelSettings) -> "Stage":
    # a line that fails twice stays as it is, and that is no loss
    client = ChatClient(models.model_copy(update={"max_repairs": min(1, models.max_repairs)}))
    return replace(stage, cast=reword_cast(stage.cast, Voices(client, models, stage.prompts)), client=client)


@lru_cache(maxsize=8)
def _find_encoder(name: str, backend: Backend) -> SentenceEncoder:
    """Return the one encoder of this name, so that its weights are in memory once."""
    return load_encoder(name, backend=backend)


@lru_cache(maxsize=8)
def _remember(encoder: SentenceEncoder) -> TransientEncoder:
    return TransientEncoder(encoder)


def _stamp(source: str | None) -> tuple[tuple[str, int, int], ...]:
    """Return names, times and sizes of a catalog's files, so that an edited one is read again."""
    if source is None or is_live(source):
        return ()
    root = Path(source)
    files = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]
    return tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in files if p.exists())


@lru_cache(maxsize=8)
def _load(source: str | None, stamp: object, encoder: SentenceEncoder, tau: float, edges: Edges) -> Stage:  # noqa: ARG001 - part of the key
    catalog = load_catalog(source)
    tool_graph = build_tool_graph(list(catalog.tools.values()), encoder, tau, edges=edges)
    return Stage(catalog, tool_graph, scripted_cast(), {**catalog.tools, SEARCH_TOOLS.name: SEARCH_TOOLS}, encoder)
