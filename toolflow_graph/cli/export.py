"""`toolflow export`: a run, or any file of dialogues, in the format that a trainer reads."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["export"]


def export(
    source: Annotated[Path, typer.Argument(metavar="FILE|RUN", help="File of dialogues, or a run's folder.")],
    target: Annotated[
        Literal["openai", "trl"],
        typer.Option("--format", "-f", help="openai: arguments as JSON strings. trl: arguments as objects."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, JSON Lines.")],
) -> None:
    """Write dialogues as a trainer reads them, one row each; rejected ones stay out."""
    from toolflow_graph.dataset import ACCEPTED, open_dialogues, replace_file  # noqa: PLC0415
    from toolflow_graph.errors import DatasetError  # noqa: PLC0415
    from toolflow_graph.export import export_dialogues  # noqa: PLC0415

    file = source / ACCEPTED if source.is_dir() else source
    rows = 0

    def lines() -> "Iterator[bytes]":
        nonlocal rows
        for row in export_dialogues(open_dialogues(source), target):
            rows += 1
            yield json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n"

    if out.resolve() == file.resolve():
        raise DatasetError(f"{out} is the file that is being read; name another one")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, lines())
    except OSError as exc:
        raise DatasetError(f"{out}: cannot be written: {exc.strerror or exc}") from exc
    typer.echo(f"{rows:,} dialogues written to {out}")
    if target == "trl":
        typer.echo(f'load them with datasets.load_dataset("json", data_files={str(out)!r})')
