"""`toolflow graph`: the figures of the Tool Graph, the neighbours of one tool with their evidence, and a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolflow_graph.tool_graph import GraphSummary, ToolGraph
    from toolflow_graph.types import Tool

__all__ = [
    "BackendOption",
    "CatalogOption",
    "EdgesOption",
    "EncoderOption",
    "TauOption",
    "graph_app",
    "load_tool_graph",
]

CatalogOption = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        help="Tools: a file or folder (OpenAI tools, OpenAPI, ToolBench …), mcp:COMMAND or python:MODULE.",
        show_default="the bundled one",
    ),
]
TauOption = Annotated[
    float | None, typer.Option("--tau", help="Join slots whose cosine is above this, in (0, 1].", show_default="0.82")
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        help="Sentence encoder: the embedded one, or a sentence-transformers id or folder.",
        show_default="all-MiniLM-L6-v2",
    ),
]

BackendOption = Annotated[
    Literal["torch", "bf16", "onnx"] | None,
    typer.Option(
        "--encoder-backend",
        help="What encodes: the model as it is, or half again as fast with 16-bit weights or in ONNX Runtime.",
        show_default="torch",
    ),
]
EdgesOption = Annotated[
    Literal["auto", "paper", "weighted"] | None,
    typer.Option(
        "--edges",
        help="What walks go along: all edges alike, each by its weight, or what suits the catalog.",
        show_default="auto",
    ),
]

graph_app = typer.Typer(help="Show the Tool Graph: which tools share parameters, and which feed others.")

_BAR_WIDTH = 40


@graph_app.callback(invoke_without_command=True)
def summarise(
    context: typer.Context,
    catalog: CatalogOption = None,
    tau: TauOption = None,
    encoder: EncoderOption = None,
    backend: BackendOption = None,
    edges: EdgesOption = None,
) -> None:
    """Print size, density, degrees, components, hub slots and isolated tools."""
    context.obj = {"catalog": catalog, "tau": tau, "encoder": encoder, "backend": backend, "edges": edges}
    if context.invoked_subcommand is None:
        tool_graph = load_tool_graph(**context.obj)
        _print_summary(Console(), tool_graph, tool_graph.summary)


@graph_app.command("show")
def show(
    context: typer.Context,
    tool: Annotated[str, typer.Argument(help="Name of a tool.")],
    catalog: CatalogOption = None,
    tau: TauOption = None,
    encoder: EncoderOption = None,
    backend: BackendOption = None,
) -> None:
    """List what a tool is joined with, and by which slots."""
    tool_graph = load_tool_graph(**_merge_options(context, catalog, tau, encoder, backend))
    edges = tool_graph.edges_of(tool)
    table = Table("", "tool", "slot of this tool", "slot of the other", "cosine", title=tool, title_justify="left")
    table.columns[4].justify = "right"
    for column in table.columns[1:4]:
        column.overflow = "fold"  # names stay whole, to be copied
    relations = {"consumer": "feeds", "producer": "fed by", "peer": "shares"}
    found = dict.fromkeys(relations, 0)
    for edge in edges:
        role = "peer" if edge.kind == "P-P" else "consumer" if edge.source == tool else "producer"
        found[role] += 1
        own, other = (edge.source_slot, edge.target_slot), (edge.target_slot, edge.source_slot)
        slots = own if edge.source == tool else other
        partner = edge.target if edge.source == tool else edge.source
        table.add_row(relations[role], partner, *map(escape, slots), f"{edge.cosine:.3f}")
    console = Console()
    if not edges:
        console.print(
            f"{tool} is isolated: no slot of another tool is similar to one of its own (tau {tool_graph.tau})."
        )
        return
    console.print(table)
    console.print(
        f"{len(tool_graph.neighbours(tool))} neighbours: feeds {found['consumer']} tools, is fed by "
        f"{found['producer']}, shares parameters with {found['peer']}."
    )


@graph_app.command("html")
def html(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    catalog: CatalogOption = None,
    tau: TauOption = None,
    encoder: EncoderOption = None,
    backend: BackendOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
) -> None:
    """Write a picture of the graph as one page of HTML, to be searched, filtered and clicked.

    The page needs no network and no other file. Of a large catalog it shows communities first.
    """
    from toolflow_graph.catalog import load_catalog  # noqa: PLC0415
    from toolflow_graph.dataset import replace_file  # noqa: PLC0415
    from toolflow_graph.errors import ResourceError  # noqa: PLC0415
    from toolflow_graph.report import render_graph_page  # noqa: PLC0415

    if out.exists() and not force:
        raise ResourceError(f"{out} is there already; give --force to replace it, or another file")
    options = _merge_options(context, catalog, tau, encoder, backend)
    source = options.pop("catalog", None)
    tools = load_catalog(source).tools
    tool_graph = _build_tool_graph(tools.values(), **options)
    with Console(stderr=True).status("Drawing …"):
        page = render_graph_page(tool_graph, tools, _name_source(source))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, [page.html.encode("utf-8")])
    except OSError as exc:
        raise ResourceError(f"{out}: cannot be written: {exc.strerror or exc}") from exc
    typer.echo(f"drawn in {out}: tools {page.tools:,}, edges {page.edges:,}, communities {page.communities:,}")
    for sentence in page.left_out:
        typer.echo(sentence)


def load_tool_graph(
    catalog: str | None = None,
    tau: float | None = None,
    encoder: str | None = None,
    backend: Literal["torch", "bf16", "onnx"] | None = None,
    edges: Literal["auto", "paper", "weighted"] | None = None,
) -> "ToolGraph":
    """Build the Tool Graph of a catalog; while strings are encoded, a progress bar stands on standard error."""
    from toolflow_graph.catalog import load_catalog  # noqa: PLC0415

    return _build_tool_graph(load_catalog(catalog).tools.values(), tau, encoder, backend, edges)


def _name_source(source: str | None) -> str:
    """Return what a page may say of a source; a command or an address can hold secrets."""
    from toolflow_graph.catalog.sources import is_live  # noqa: PLC0415

    if source is None:
        return "bundled catalog"
    return f"{source.partition(':')[0]} tools" if is_live(source) else Path(source).resolve().name


def _merge_options(
    context: typer.Context, catalog: str | None, tau: float | None, encoder: str | None, backend: str | None
) -> dict[str, Any]:
    """Join the options given to a subcommand with those given before it."""
    given: dict[str, Any] = {"catalog": catalog, "tau": tau, "encoder": encoder, "backend": backend}
    outer: dict[str, Any] = context.obj or {}
    return outer | {name: value for name, value in given.items() if value is not None}


def _build_tool_graph(
    tools: "Iterable[Tool]",
    tau: float | None,
    encoder: str | None,
    backend: Literal["torch", "bf16", "onnx"] | None,
    edges: Literal["auto", "paper", "weighted"] | None,
) -> "ToolGraph":
    from toolflow_graph.encoder import DEFAULT_ENCODER, load_encoder  # noqa: PLC0415
    from toolflow_graph.tool_graph import DEFAULT_TAU, build_tool_graph  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("encoding slots", visible=False)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, visible=True)

        sentence_encoder = load_encoder(encoder or DEFAULT_ENCODER, backend=backend or "torch", on_progress=report)
        return build_tool_graph(tools, sentence_encoder, DEFAULT_TAU if tau is None else tau, edges=edges or "auto")


def _print_summary(console: Console, tool_graph: "ToolGraph", summary: "GraphSummary") -> None:
    figures = Table(title="Tool Graph", title_justify="left", show_header=False)
    figures.add_column()
    figures.add_column(justify="right")
    sizes = ", ".join(map(str, summary.components[:8])) + (", …" if len(summary.components) > 8 else "")
    partnered = summary.partnered / summary.tools if summary.tools else 0.0
    degrees = sorted(summary.degrees)
    mean = sum(degrees) / max(len(degrees), 1)
    middle = degrees[len(degrees) // 2]
    rows = {
        "tools": f"{summary.tools:,}",
        "slots, distinct strings": f"{summary.slots:,}, {summary.strings:,}",
        "tau, encoder": f"{tool_graph.tau}, {tool_graph.encoder}",
        "edges that walks go along": "each by its weight" if tool_graph.edges == "weighted" else "all alike (paper)",
        "P-P edges (undirected)": f"{summary.pp_edges:,}",
        "P-R edges (directed)": f"{summary.pr_edges:,}",
        "density (pairs joined)": f"{summary.density:.2%}",
        "tools with a P-R partner": f"{summary.partnered:,} ({partnered:.1%})",
        "neighbours: least, median, mean, most": f"{degrees[0]}, {middle}, {mean:.1f}, {degrees[-1]}",
        "components": f"{len(summary.components):,}: {sizes}",
        "isolated tools": f"{len(summary.isolated):,}",
    }
    for label, value in rows.items():
        figures.add_row(label, value)
    console.print(figures)
    console.print(_tabulate_degrees(degrees))
    hubs = Table("slot", "tools", "edges", title="Hub slots", title_justify="left")
    for column in hubs.columns[1:]:
        column.justify = "right"
    for hub in summary.hub_slots:
        hubs.add_row(escape(hub.text), str(hub.tools), str(hub.edges))
    console.print(hubs)
    if summary.isolated:
        more = len(summary.isolated) - 20
        console.print("Isolated: " + ", ".join(summary.isolated[:20]) + (f" and {more:,} more" if more > 0 else ""))


def _tabulate_degrees(degrees: list[int]) -> Table:
    """Count the tools by number of neighbours, in classes that double: 0, 1, 2-3, 4-7 and so on."""
    classes: dict[int, int] = {}
    for degree in degrees:
        classes[degree.bit_length()] = classes.get(degree.bit_length(), 0) + 1
    table = Table("neighbours", "tools", "", title="Degree distribution", title_justify="left")
    table.columns[0].justify = table.columns[1].justify = "right"
    for power in range(max(classes, default=0) + 1):
        low, high = (1 << power) >> 1, (1 << power) - 1
        count = classes.get(power, 0)
        bar = "█" * round(_BAR_WIDTH * count / max(classes.values()))
        table.add_row(str(low) if low >= high else f"{low}-{high}", str(count), bar)
    return table
