"""`toolflow sample`: sets of tools as a dialogue gets them, with the edges between them."""

from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from toolflow_graph.cli.graph import (
    BackendOption,
    CatalogOption,
    EdgesOption,
    EncoderOption,
    TauOption,
    load_tool_graph,
)

__all__ = ["sample"]


def sample(
    *,
    size: Annotated[int, typer.Option(help="Tools in a set.")] = 4,
    count: Annotated[int, typer.Option(help="Number of sets.")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed draws the same sets.")] = 0,
    strategy: Annotated[
        Literal["walk", "even", "random"],
        typer.Option(help="The paper's random walk, one that keeps off hubs, or the ablation without graph."),
    ] = "walk",
    catalog: CatalogOption = None,
    tau: TauOption = None,
    encoder: EncoderOption = None,
    backend: BackendOption = None,
    edges: EdgesOption = None,
) -> None:
    """Draw sets of tools from the Tool Graph and print the edges inside each."""
    import random  # noqa: PLC0415

    from toolflow_graph.sampling import sample_tools  # noqa: PLC0415

    tool_graph = load_tool_graph(catalog, tau, encoder, backend, edges)
    console = Console(highlight=False)
    for index in range(count):
        drawn = sample_tools(tool_graph, size, random.Random(f"{seed}:{index}"), strategy)
        console.print(f"[bold]{index + 1}.[/] {escape(' · '.join(drawn))}", soft_wrap=True)
        found = tool_graph.edges_between(drawn)
        for edge in found:
            arrow = "→" if edge.kind == "P-R" else "↔"
            text = f"{edge.source}.{edge.source_slot} {arrow} {edge.target}.{edge.target_slot}"
            console.print(f"   {edge.kind} {edge.cosine:.3f}  {escape(text)}", soft_wrap=True)
        if not found:
            console.print("   no edge between them")
