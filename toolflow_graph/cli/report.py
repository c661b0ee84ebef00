"""`toolflow report`: runs, or any files of dialogues, as one page to read, search and click through."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolflow_graph.evaluation import Evaluation
    from toolflow_graph.report import GatheredRun

__all__ = ["report"]

_MOST_RUNS = 4


def report(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="RUN…", help="Folder of a run, or a file of dialogues; several stand side by side."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    evaluations: Annotated[
        list[Path] | None,
        typer.Option(
            "--evaluation", "-e", metavar="FILE", help="Evaluation of a RUN as JSON, once for each RUN, in order."
        ),
    ] = None,
    shown: Annotated[
        int, typer.Option("--dialogues", min=1, help="Dialogues of a RUN that the page holds at most, the first ones.")
    ] = 20_000,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
) -> None:
    """Write one page of HTML: figures with plots, the Tool Graph, what was found, and every dialogue to read.

    The page needs no network and no other file.
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from toolflow_graph.dataset import replace_file  # noqa: PLC0415
    from toolflow_graph.errors import ResourceError  # noqa: PLC0415
    from toolflow_graph.report import gather_run, render_report  # noqa: PLC0415

    if len(sources) > _MOST_RUNS:
        raise typer.BadParameter(f"{len(sources)} given, at most {_MOST_RUNS} stand side by side", param_hint="RUN…")
    if evaluations and len(evaluations) != len(sources):
        raise typer.BadParameter(
            f"{len(evaluations)} given for {len(sources)} RUNs; give one for each, in order", param_hint="--evaluation"
        )
    if out.exists() and not force:
        raise ResourceError(f"{out} is there already; give --force to replace it, or another file")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    runs: list[GatheredRun] = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for number, source in enumerate(sources):
            task = progress.add_task(f"reading {source.name}", total=_count_lines(source))
            evaluation = _read_evaluation(evaluations[number]) if evaluations else None
            step = partial(progress.advance, task)
            runs.append(gather_run(source, evaluation, shown=shown, on_dialogue=step))
    size = 0

    def measured() -> "Iterator[bytes]":
        nonlocal size
        for piece in render_report(runs):
            size += len(piece)
            yield piece

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, measured())
    except OSError as exc:
        raise ResourceError(f"{out}: cannot be written: {exc.strerror or exc}") from exc
    dialogues = sum(run.packed.dialogues for run in runs)
    typer.echo(
        f"written to {out}: {dialogues:,} dialogue{'' if dialogues == 1 else 's'}, {_say_size(size)}; open it in a browser"
    )


def _count_lines(source: Path) -> int | None:
    """Return about how many dialogues will be read; what cannot be read is complained of later."""
    from toolflow_graph.dataset import ACCEPTED, REJECTED  # noqa: PLC0415

    paths = [source / ACCEPTED, source / REJECTED] if source.is_dir() else [source]
    try:
        lines = 0
        for path in filter(Path.exists, paths):
            with path.open("rb") as file:
                lines += sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))  # noqa: B023
    except OSError:
        return None
    return lines


def _read_evaluation(path: Path) -> "Evaluation":
    from pydantic import ValidationError  # noqa: PLC0415

    from toolflow_graph.errors import DatasetError  # noqa: PLC0415
    from toolflow_graph.evaluation import Evaluation  # noqa: PLC0415

    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DatasetError(
            f"{path}: not an evaluation: {place + ': ' if place else ''}{first['msg']}; write one with `toolflow evaluate`"
        ) from exc


def _say_size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
