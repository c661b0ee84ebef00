"""`toolflow evaluate rate` and `toolflow evaluate agreement`: people judge, and their agreement is measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolflow_graph.evaluation.agreement import Agreement
    from toolflow_graph.report.rating import Session

__all__ = ["agreement", "rate"]


def rate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Dialogues to rate: JSON Lines in OpenAI format, a run's folder, or a published set (folder or URL).",
        ),
    ],
    other: Annotated[
        str | None,
        typer.Argument(metavar="[FILE_B]", help="With it, its dialogues are compared to the first file's, blind."),
    ] = None,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File of ratings; is added to, and says where to go on.")
    ] = Path("ratings.jsonl"),
    rater: Annotated[str, typer.Option("--rater", help="Name of the person who rates.")],
    sample: Annotated[int, typer.Option("--sample", min=0, help="Dialogues to draw; 0 for all.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Of the sample, the order and the sides.")] = 0,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Open no page; write what was rated, unblinded, as CSV or JSON."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the page; 0 for any.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Rate dialogues from 1 to 5 on a page that this machine alone can open, or compare those of two runs blind.

    Every click is saved at once. Ctrl-C ends it; the same command goes on where you were.
    """
    import webbrowser  # noqa: PLC0415

    from toolflow_graph.dataset import open_dialogues  # noqa: PLC0415
    from toolflow_graph.report.rating import RatingServer, open_session  # noqa: PLC0415

    if not rater.strip():
        raise typer.BadParameter("is empty", param_hint="'--rater'")
    if export is not None and export.suffix.lower() not in (".csv", ".json"):
        raise typer.BadParameter("ends neither in .csv nor in .json", param_hint="'--export'")
    session = open_session(
        rater.strip(),
        out,
        open_dialogues(file),
        None if other is None else open_dialogues(other),
        sample=sample or None,
        seed=seed,
    )
    things = "pairs" if session.compares else "dialogues"
    if export is not None:
        rows = _export(session, export)
        typer.echo(f"{rows:,} judgements of {session.done:,} whole {things} written to {export}")
        return
    with RatingServer(session, port) as server:
        try:
            typer.echo(f"{len(session.items):,} {things}, {session.done:,} of them rated. Open, if no browser does:")
            typer.echo(server.url)
            typer.echo("Ctrl-C ends.")
            if browser:
                webbrowser.open(server.url)
            server.wait()
        except KeyboardInterrupt:
            typer.echo("")
    session.close()
    typer.echo(f"{session.done:,} of {len(session.items):,} {things} rated, saved in {out}")


def _export(session: "Session", path: Path) -> int:
    import json  # noqa: PLC0415

    from toolflow_graph.dataset import replace_file  # noqa: PLC0415
    from toolflow_graph.errors import DatasetError  # noqa: PLC0415
    from toolflow_graph.report.rating.server import write_csv  # noqa: PLC0415

    rows = session.export()
    text = write_csv(rows) if path.suffix.lower() == ".csv" else json.dumps(rows, indent=1) + "\n"
    try:
        replace_file(path, [text.encode("utf-8", "replace")])
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    return len(rows)


def agreement(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="Ratings of `evaluate rate`, and verdicts of `evaluate --judge-out`."),
    ],
    *,
    seed: Annotated[int, typer.Option("--seed", help="Of the bootstrap.")] = 0,
    json_out: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")] = None,
) -> None:
    """Say how far raters agree: Cohen's kappa between people, Pearson between people and the judge.

    Intervals are 95 % of a bootstrap over dialogues.
    """
    import json  # noqa: PLC0415

    from toolflow_graph.dataset import replace_file  # noqa: PLC0415
    from toolflow_graph.errors import DatasetError  # noqa: PLC0415
    from toolflow_graph.evaluation.agreement import measure_agreement  # noqa: PLC0415
    from toolflow_graph.evaluation.ratings import read_judgements  # noqa: PLC0415

    judgements = read_judgements(files)
    found = measure_agreement(judgements, seed=seed)
    _print(found)
    if json_out is not None:
        text = json.dumps([figure.model_dump(mode="json") for figure in found], ensure_ascii=False, indent=1)
        try:
            replace_file(json_out, [text.encode(), b"\n"])
        except OSError as exc:
            raise DatasetError(f"{json_out}: cannot be written: {exc.strerror or exc}") from exc


def _print(found: "Sequence[Agreement]") -> None:
    from toolflow_graph.evaluation.ratings import DIMENSIONS  # noqa: PLC0415

    columns = (*DIMENSIONS, None)
    groups: dict[tuple[str, str], dict[tuple[str, str], dict[str | None, Agreement]]] = {}
    for figure in found:
        rows = groups.setdefault((figure.of, figure.statistic), {})
        rows.setdefault((figure.one, figure.other), {})[figure.dimension] = figure
    for (of, statistic), rows in groups.items():
        title = f"{statistic[0].upper()}{statistic[1:]}" + ("" if of == "scores" else ", of comparisons")
        heads = "".join(f"{name or 'mean':>{_WIDTH}}" for name in columns)
        typer.secho(f"{title:<{_INDENT}}{heads}", bold=True)
        for (one, other), figures in rows.items():
            most = max(figure.items for figure in figures.values())
            typer.echo(f"{one} and {other} ({most:,})" if other else f"{one} ({most:,})")
            shown = [_write(figures.get(dimension)) for dimension in columns]
            for line in zip(*shown, strict=True):
                if any(line):
                    typer.echo(" " * _INDENT + "".join(f"{cell:>{_WIDTH}}" for cell in line))
        typer.echo("")
    typer.echo("In brackets: how many were judged by both. Second line: 95 % interval of a bootstrap over them.")


_INDENT, _WIDTH = 15, 13


def _write(figure: "Agreement | None") -> tuple[str, str]:
    """Return value and interval."""
    if figure is None or figure.value is None:
        return "-", ""
    interval = "" if figure.low is None else f"{figure.low:.2f}..{figure.high:.2f}"
    return f"{figure.value:.2f}", interval
