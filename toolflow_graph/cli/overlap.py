"""`toolflow overlap`: what of a data set, or of a catalog, also stands in a benchmark."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolflow_graph.cli.graph import BackendOption, EncoderOption

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from toolflow_graph.dataset import StoredDialogue
    from toolflow_graph.overlap import Match, Overlap

__all__ = ["overlap"]

_LISTED = 20
_LONGEST_STRETCH = 16


def overlap(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE…",
            help="JSON Lines with `messages` and `tools`, a run's folder, or a published set (folder or URL).",
        ),
    ] = None,
    *,
    against: Annotated[
        list[str],
        typer.Option(
            metavar="BENCHMARK",
            help="bfcl, a published set, or a file or folder: tools in any form, dialogues, JSON Lines, text. May be "
            "repeated.",
        ),
    ],
    catalog: Annotated[
        str | None, typer.Option(help="Tools to look at, with or without dialogues; in any form.")
    ] = None,
    drop: Annotated[
        Path | None, typer.Option(help="File or folder for the dialogues that do not leak, as they were.")
    ] = None,
    ngrams_only: Annotated[
        bool, typer.Option("--ngrams-only", help="Leave out the cosine test, which takes an encoder.")
    ] = False,
    encoder: EncoderOption = None,
    backend: BackendOption = None,
    fail: Annotated[bool, typer.Option("--fail", help="Exit code 1 when something leaks.")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write everything to this file, as JSON.")] = None,
) -> None:
    """Find tools and messages that also stand in a benchmark, by the two tests of the ToolFlow paper.

    More than 10 tokens in a row that the benchmark has too contaminate them; over 10 % contaminated tokens, or a cosine
    above 0.9, is a leak. A dialogue leaks when one of its tools or messages does.
    """
    files = paths or []
    if not files and catalog is None:
        raise typer.BadParameter("give files of dialogues, or --catalog, or both")
    if drop is not None and not files:
        raise typer.BadParameter("--drop writes dialogues: give a file of them")

    from rich.console import Console  # noqa: PLC0415

    from toolflow_graph.catalog import load_catalog  # noqa: PLC0415
    from toolflow_graph.encoder import DEFAULT_ENCODER, load_encoder  # noqa: PLC0415
    from toolflow_graph.overlap import find_overlap, load_benchmarks  # noqa: PLC0415
    from toolflow_graph.overlap.decontaminate import name_targets, write_clean  # noqa: PLC0415

    targets = name_targets(files, drop) if drop is not None else {}
    seen: dict[str, int] = {}
    with _show_progress() as tell:
        benchmark = load_benchmarks(against)
        result = find_overlap(
            benchmark,
            _read(files, seen),
            load_catalog(catalog).tools.values() if catalog is not None else (),
            encoder=None
            if ngrams_only
            else load_encoder(encoder or DEFAULT_ENCODER, backend=backend or "torch", on_progress=tell),
            sources=[*files, *([catalog] if catalog is not None else [])],
        )
    if drop is not None:
        write_clean(result, targets, seen)
    _print_overlap(Console(highlight=False), result)
    if drop is not None:
        kept = result.dialogues - result.leaking_dialogues
        typer.echo(f"{kept:,} of {_count(result.dialogues, 'dialogue')} written to {drop}")
    if json_out is not None:
        _write(result, json_out, files)
        typer.echo(f"written to {json_out}")
    if fail and result.leaks:
        raise typer.Exit(1)


def _read(files: list[str], seen: dict[str, int]) -> "Iterator[StoredDialogue]":
    from toolflow_graph.dataset import open_dialogues  # noqa: PLC0415

    for path in files:
        for dialogue in open_dialogues(path):
            seen[str(dialogue.path)] = dialogue.line
            yield dialogue


@contextmanager
def _show_progress() -> Iterator[Callable[[int, int], None]]:
    """Show what is going on, on a terminal; encoding with how much of it is done."""
    from rich.console import Console  # noqa: PLC0415

    with Console(stderr=True).status("Comparing …") as status:
        yield lambda done, total: status.update(f"Encoding {done:,} of {total:,} texts (kept for the next time) …")


def _write(result: "Overlap", out: Path, files: list[str]) -> None:
    from toolflow_graph.dataset import list_files, replace_file  # noqa: PLC0415
    from toolflow_graph.errors import DatasetError  # noqa: PLC0415

    if out.resolve() in list_files(files):
        raise DatasetError(f"{str(out)!r} is a file that is being read; name another one")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, [result.model_dump_json(indent=1).encode("utf-8", "backslashreplace"), b"\n"])
    except OSError as exc:
        raise DatasetError(f"{out}: cannot be written: {exc.strerror or exc}") from exc


def _print_overlap(console: "Console", result: "Overlap") -> None:
    size = f"{_count(result.benchmark_tools, 'tool')} and {_count(result.benchmark_texts, 'text')}"
    console.print(f"Against {', '.join(result.benchmarks)}: {size}", markup=False, soft_wrap=True)
    if result.benchmark_skipped:
        console.print(f"{_count(result.benchmark_skipped, 'tool')} of it could not be read", style="yellow")
    console.print(_make_table(result))
    _print_matches(console, "Leaks", result.leaks[:_LISTED])
    if len(result.leaks) > _LISTED:
        console.print(f"  … and {len(result.leaks) - _LISTED:,} more; --json FILE lists all", style="dim")
    _print_matches(console, "Closest of what does not leak", result.closest)
    console.print(_explain(result), style="dim", markup=False)


def _make_table(result: "Overlap") -> "Table":
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("")
    for heading in ("looked at", "leak", "by n-grams", "by cosine"):
        table.add_column(heading, justify="right")
    kinds: list[tuple[Literal["tool", "message"], int]] = [("tool", result.tools), ("message", result.messages)]
    for kind, number in kinds:
        if number:
            cosine = f"{result.count(kind, 'cosine'):,}" if result.encoder else "-"
            leaks = f"{result.count(kind):,}"
            table.add_row(f"{kind}s", f"{number:,}", leaks, f"{result.count(kind, 'ngrams'):,}", cosine)
    if result.dialogues:
        table.add_row("dialogues", f"{result.dialogues:,}", f"{result.leaking_dialogues:,}", "", "")
    return table


def _print_matches(console: "Console", title: str, matches: "Sequence[Match]") -> None:
    if matches:
        console.print(title, style="bold")
    for match in matches:
        console.print(f"  {_describe(match)}", markup=False, soft_wrap=True)


def _describe(match: "Match") -> str:
    place = f", message {match.message}" if match.message is not None else ""
    often = f" (in {_count(match.dialogues, 'dialogue')})" if match.dialogues > 1 else ""
    parts = []
    if match.contaminated:
        words = match.stretch.split()
        shown = " ".join(words[:_LONGEST_STRETCH]) + (" …" if len(words) > _LONGEST_STRETCH else "")
        parts.append(f"{match.contaminated:.1%} of its tokens, “{shown}”, stand in {match.stretch_of!r}")
    if match.cosine is not None:
        parts.append(f"cosine {match.cosine:.3f} with {match.nearest!r}")
    return f"{match.kind if match.kind == 'tool' else 'dialogue'} {match.name!r}{place}{often}: {'; '.join(parts)}"


def _explain(result: "Overlap") -> str:
    from toolflow_graph.overlap.leaks import LARGEST_COSINE, LARGEST_SHARE  # noqa: PLC0415
    from toolflow_graph.overlap.ngrams import LONGEST_CLEAN  # noqa: PLC0415

    ngrams = f"A leak has more than {LARGEST_SHARE:.0%} of its tokens in n-grams of more than {LONGEST_CLEAN}"
    if result.encoder is None:
        return f"{ngrams}; the cosine test was left out."
    paper = "" if result.encoder == result.paper_encoder else f" (the paper's encoder was {result.paper_encoder})"
    return f"{ngrams}, or a cosine above {LARGEST_COSINE} by {result.encoder}{paper}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
