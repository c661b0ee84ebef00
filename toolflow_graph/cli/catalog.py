"""`toolflow catalog`: tools of any form become a catalog, and what they lack is filled in."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from toolflow_graph.cli.model_options import BaseUrlOption, KeyEnvOption, MaxCostOption, MaxTokensOption, PricesOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolflow_graph.catalog import Reading
    from toolflow_graph.types import Tool

__all__ = ["catalog_app"]

catalog_app = typer.Typer(
    help="Bring tools of any form into a catalog, and fill in what they lack.", no_args_is_help=True
)

_MOST_REASONS = 12

OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder to write, one file for each domain.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that are there already.")]


@catalog_app.command("import")
def import_catalog(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="Files or folders of OpenAPI, Swagger, OpenAI tools, ToolBench, BFCL or xLAM, JSON or YAML; "
            "mcp:COMMAND or 'mcp:URL --header …'; python:MODULE[:FUNCTION].",
        ),
    ],
    out: OutOption,
    force: ForceOption = False,
    allow_remote_refs: Annotated[
        bool,
        typer.Option(
            "--allow-remote-refs",
            help="Read what OpenAPI documents refer to: files below their folder, and what HTTP servers hand out.",
        ),
    ] = False,
    show_skipped: Annotated[bool, typer.Option("--show-skipped", help="List every tool that was left out.")] = False,
) -> None:
    """Read tools of any form, told by its content, and write them as a catalog.

    What cannot be read is left out and counted by its reason. References to other documents are not followed unless
    that is allowed; docs/remote_refs.md says how far.
    """
    from toolflow_graph.catalog.sources import read_sources  # noqa: PLC0415
    from toolflow_graph.catalog.write import write_catalog  # noqa: PLC0415
    from toolflow_graph.errors import CatalogError  # noqa: PLC0415

    with Console(stderr=True).status("Reading …"):
        reading = read_sources(sources, allow_remote_refs=allow_remote_refs)
    console = Console()
    if reading.tools:
        files = write_catalog(reading.tools, reading.domains, out, force=force)
        _print_reading(console, reading)
    _print_skipped(console, reading, every=show_skipped)
    if not reading.tools:
        raise CatalogError(f"no tool could be read from {', '.join(map(repr, sources))}")
    console.print(
        f"{len(files):,} {'file' if len(files) == 1 else 'files'} written to {escape(str(out))}", soft_wrap=True
    )


@catalog_app.command("enrich")
def enrich(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Catalog, or tools in any form that import takes.")],
    out: OutOption,
    force: ForceOption = False,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Model that fills in what is missing; without, rules do.")
    ] = None,
    base_url: BaseUrlOption = None,
    key_env: KeyEnvOption = None,
    max_cost: MaxCostOption = None,
    max_tokens: MaxTokensOption = None,
    prices: PricesOption = None,
) -> None:
    """Fill in missing descriptions, return schemas and examples, each one marked as inferred."""
    from toolflow_graph.catalog.enrich import enrich_tool  # noqa: PLC0415
    from toolflow_graph.catalog.sources import load_catalog  # noqa: PLC0415
    from toolflow_graph.catalog.write import write_catalog  # noqa: PLC0415

    catalog = load_catalog(source)
    tools = list(catalog.tools.values())
    if model is None:
        enriched, note = [enrich_tool(tool) for tool in tools], ""
        failure = None
    else:
        options = {
            "model": model,
            "base_url": base_url,
            "key_env": key_env,
            "max_cost": max_cost,
            "max_tokens": max_tokens,
            "prices": None if prices is None else str(prices),
        }
        enriched, note, failure = _ask_model(tools, model, options)
    files = write_catalog(enriched, catalog.domains, out, force=force)
    filled = Counter(
        name.rsplit(".", 1)[-1]
        for before, after in zip(tools, enriched, strict=True)
        for name in after.inferred
        if name not in before.inferred or name in ("description", "returns")
    )
    said = ", ".join(f"{count:,} {_plural(name)}" for name, count in sorted(filled.items())) or "nothing to fill in"
    typer.echo(f"{len(enriched):,} tools: {said}{note}; {len(files):,} files in {out}")
    if failure is not None:
        raise failure


def _ask_model(
    tools: "list[Tool]", model: str, options: "Mapping[str, object]"
) -> "tuple[list[Tool], str, Exception | None]":
    """Return the tools, those that the model did not come to unchanged, and what ended it early."""
    import asyncio  # noqa: PLC0415

    from rich.progress import Progress  # noqa: PLC0415

    from toolflow_graph.catalog.enrich_by_model import enrich_tools  # noqa: PLC0415
    from toolflow_graph.errors import BudgetExceeded, ModelError  # noqa: PLC0415
    from toolflow_graph.models import ChatClient  # noqa: PLC0415
    from toolflow_graph.models.settings import model_options, parse_models  # noqa: PLC0415

    client = ChatClient(parse_models(model_options(**options)))
    enriched = list(tools)
    done = 0
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("asking the model", total=len(tools))

        def keep(index: int, tool: "Tool") -> None:
            nonlocal done
            done += 1
            enriched[index] = tool
            progress.update(task, completed=done)

        try:
            by_rules = asyncio.run(enrich_tools(tools, client, model, on_done=keep))
        except (BudgetExceeded, ModelError) as exc:
            if not done:
                raise
            return enriched, f" (by {model}, for {done:,} of them)", exc
    rest = f", {by_rules:,} by rules, as its answers did not hold" if by_rules else ""
    return enriched, f" (by {model}{rest})", None


def _plural(name: str) -> str:
    return {"description": "descriptions", "returns": "return schemas"}.get(name, name)


def _print_reading(console: Console, reading: "Reading") -> None:
    table = Table(title="Read", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "form" if len(reading.forms) == 1 else "forms": reading.form,
        "files": f"{sum(reading.forms.values()):,}",
        "tools": f"{len(reading.tools):,}",
        "domains": f"{len({tool.domain for tool in reading.tools}):,}",
        "deprecated tools": f"{sum(tool.annotations.deprecated for tool in reading.tools):,}",
        "tools without a description": f"{sum('description' in tool.inferred for tool in reading.tools):,}",
        "tools without returns": f"{sum('returns' in tool.inferred for tool in reading.tools):,}",
        "parameters without a description": f"{reading.undescribed:,}",
        **{note: f"{count:,}" for note, count in reading.notes.items() if count},
        "left out": f"{len(reading.skipped):,}",
    }
    for label, value in rows.items():
        table.add_row(label, escape(value))
    console.print(table)


def _print_skipped(console: Console, reading: "Reading", *, every: bool) -> None:
    if not reading.skipped:
        return
    if every:
        for skipped in reading.skipped:
            name = f" {skipped.name}" if skipped.name else ""
            console.print(escape(f"left out: {skipped.where}{name}: {skipped.reason}"), soft_wrap=True)
        return
    reasons = Counter(skipped.reason for skipped in reading.skipped)
    first = {skipped.reason: skipped for skipped in reversed(reading.skipped)}
    for reason, count in reasons.most_common(_MOST_REASONS):
        example = first[reason]
        where = f"{example.where} {example.name}".strip()
        console.print(escape(f"left out: {count:,} × {reason} (first: {where})"), soft_wrap=True)
    if len(reasons) > _MOST_REASONS:
        console.print(f"and {len(reasons) - _MOST_REASONS:,} other reasons; --show-skipped lists all")
