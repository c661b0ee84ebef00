"""`toolflow report`: runs, or any files of dialogues, as one page to read, search and click through."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.progress import Progress

    from toolflow_graph.dataset import StoredDialogue
    from toolflow_graph.evaluation import Analysis, Comparison, Evaluation
    from toolflow_graph.report import GatheredRun
    from toolflow_graph.runner import Manifest

__all__ = ["report"]

_MOST_RUNS = 4


def report(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN…",
            help="A run's folder, a file of dialogues, or a published set (folder or URL); several stand side by side.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--evaluation",
            metavar="FILE",
            help="What `toolflow evaluate RUN… --json FILE` wrote of the same RUNs; without, they are evaluated now.",
        ),
    ] = None,
    evaluated: Annotated[
        bool, typer.Option("--evaluate/--no-evaluate", help="Whether to evaluate the RUNs where no FILE is given.")
    ] = True,
    shown: Annotated[
        int, typer.Option("--dialogues", min=1, help="Dialogues of a RUN that the page holds at most, the first ones.")
    ] = 20_000,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
) -> None:
    """Write one page of HTML: figures with plots, the Tool Graph, what was found, and every dialogue to read.

    The page needs no network and no other file.
    """
    from toolflow_graph.dataset import replace_file  # noqa: PLC0415
    from toolflow_graph.errors import ResourceError  # noqa: PLC0415
    from toolflow_graph.report import render_report  # noqa: PLC0415

    if len(sources) > _MOST_RUNS:
        raise typer.BadParameter(f"{len(sources)} given, at most {_MOST_RUNS} stand side by side", param_hint="RUN…")
    if out.exists() and not force:
        raise ResourceError(f"{out} is there already; give --force to replace it, or another file")
    runs, comparisons = _gather(sources, evaluation, evaluated=evaluated, shown=shown)
    size = 0

    def measured() -> "Iterator[bytes]":
        nonlocal size
        for piece in render_report(runs, comparisons):
            size += len(piece)
            yield piece

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, measured())
    except OSError as exc:
        raise ResourceError(f"{out}: cannot be written: {exc.strerror or exc}") from exc
    dialogues = sum(run.packed.dialogues for run in runs)
    typer.echo(f"written to {out}: {dialogues:,} dialogue{'' if dialogues == 1 else 's'}, {_say_size(size)}")


def _gather(
    sources: list[str], evaluation: Path | None, *, evaluated: bool, shown: int
) -> "tuple[list[GatheredRun], list[Comparison]]":
    """Read and evaluate all runs, with a progress bar on standard error."""
    from functools import partial  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from toolflow_graph.dataset import name_source  # noqa: PLC0415
    from toolflow_graph.evaluation import compare_analyses  # noqa: PLC0415
    from toolflow_graph.report import gather_run  # noqa: PLC0415

    comparisons: list[Comparison] = []
    ready: list[Evaluation] | None = None
    if evaluation is not None:
        ready, comparisons = _read_evaluations(evaluation, len(sources))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    runs: list[GatheredRun] = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        analyse = _prepare_analysis(progress) if evaluated and ready is None else None
        for number, source in enumerate(sources):
            task = progress.add_task(f"reading {name_source(source)}", total=_count_both(source))
            measured = ready[number] if ready is not None else analyse
            runs.append(gather_run(source, measured, shown=shown, on_dialogue=partial(progress.advance, task)))
    analyses = [run.analysis for run in runs if run.analysis is not None]
    if ready is None and len(analyses) == len(runs):
        comparisons = compare_analyses(analyses)
    return runs, comparisons


def _prepare_analysis(
    progress: "Progress",
) -> "Callable[[Iterable[StoredDialogue], Manifest | None], Analysis]":
    """Return what measures a run as `toolflow evaluate` does by default; it says in the bar what takes long."""
    from toolflow_graph.encoder import DEFAULT_ENCODER, load_encoder  # noqa: PLC0415
    from toolflow_graph.evaluation import analyse_dialogues  # noqa: PLC0415
    from toolflow_graph.evaluation.structure import count_quota  # noqa: PLC0415
    from toolflow_graph.report.run_graph import load_run_tools  # noqa: PLC0415

    task = progress.add_task("evaluating", visible=False)

    def tell(what: str, done: int, total: int | None) -> None:
        if what != "reading":
            progress.update(task, description=what, completed=done, total=total, visible=True)

    encoder = load_encoder(DEFAULT_ENCODER, on_progress=lambda done, total: tell("encoding", done, total))

    def analyse(dialogues: "Iterable[StoredDialogue]", manifest: "Manifest | None") -> "Analysis":
        return analyse_dialogues(
            "run",
            dialogues,
            encoder=encoder,
            quota=count_quota(manifest.settings) if manifest else None,
            catalog=(load_run_tools(manifest) or None) if manifest else None,
            on_progress=tell,
        )

    return analyse


def _count_both(source: str) -> int | None:
    """Return about how many dialogues will be read, accepted and rejected ones."""
    from toolflow_graph.dataset import count_dialogues, find_run  # noqa: PLC0415

    accepted = count_dialogues(source)
    if find_run(source) is None or not Path(source).is_dir():
        return accepted
    return (accepted or 0) + (count_dialogues(source, rejected=True) or 0) or None


def _read_evaluations(path: Path, runs: int) -> "tuple[list[Evaluation], list[Comparison]]":
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from toolflow_graph.errors import DatasetError  # noqa: PLC0415
    from toolflow_graph.evaluation import Comparison, Evaluation  # noqa: PLC0415

    try:
        content = TypeAdapter(dict[str, list[Evaluation | Comparison]]).validate_json(path.read_bytes())
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except ValidationError as exc:
        raise DatasetError(
            f"{path}: not what `toolflow evaluate RUN… --json {path.name}` writes: {exc.errors()[0]['msg']}"
        ) from exc
    evaluations = [one for one in content.get("evaluations", []) if isinstance(one, Evaluation)]
    if len(evaluations) != runs:
        raise DatasetError(
            f"{path}: holds {len(evaluations)} evaluations for {runs} RUNs; write it anew by "
            f"`toolflow evaluate RUN… --json {path.name}` with the same RUNs in the same order"
        )
    return evaluations, [one for one in content.get("comparisons", []) if isinstance(one, Comparison)]


def _say_size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
