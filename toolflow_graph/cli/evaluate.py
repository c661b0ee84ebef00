"""`toolflow evaluate`: how good dialogues are, of one file or of several side by side."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from toolflow_graph.cli.graph import BackendOption, EncoderOption
from toolflow_graph.cli.judge_options import (
    JudgeCacheOption,
    JudgeMaxCostOption,
    JudgeMaxTokensOption,
    JudgeOption,
    JudgeOptions,
    JudgeOutOption,
    JudgePricesOption,
    JudgeSampleOption,
    NLIJudgeOption,
    NLIModelOption,
    add_judgement,
    load_nli,
)
from toolflow_graph.cli.rate import agreement, rate
from toolflow_graph.errors import ToolflowError

if TYPE_CHECKING:
    from toolflow_graph.encoder import SentenceEncoder
    from toolflow_graph.evaluation import Analysis, Comparison, Evaluation, Measure
    from toolflow_graph.evaluation.analysis import Progress

__all__ = ["evaluate_app", "show_progress"]

_DEFAULT = "measure"


class _DefaultGroup(TyperGroup):
    """A group whose first word may be a file: what is no subcommand goes to the hidden default command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and "--help" not in args:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help of the default command, then the subcommands if there are any."""
        default = self.commands[_DEFAULT]
        default.format_help(type(ctx)(default, info_name=ctx.info_name, parent=ctx.parent), formatter)
        if len(self.commands) > 1:
            super().format_help(ctx, formatter)


evaluate_app = typer.Typer(
    cls=_DefaultGroup,
    no_args_is_help=True,
    help="Measure how good dialogues are: coherence, diversity, structure, signatures of failure.",
)

_ENDPOINT = "Endpoint of the chat models"

evaluate_app.command()(rate)
evaluate_app.command()(agreement)


@evaluate_app.command(_DEFAULT, hidden=True)
def measure(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…",
            help="JSON Lines with `messages` and `tools`, a run's folder, or a published set (folder or URL).",
        ),
    ],
    json_out: Annotated[Path | None, typer.Option("--json", help="Write everything to this file, as JSON.")] = None,
    markdown_out: Annotated[Path | None, typer.Option("--markdown", help="Write a report in Markdown.")] = None,
    sample: Annotated[
        int,
        typer.Option("--ss-sample", min=0, help="Dialogues drawn at random for SS, EnR and Vendi score; 0 for all."),
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of samples and resamples.")] = 0,
    encoder: EncoderOption = None,
    backend: BackendOption = None,
    catalog: Annotated[
        str | None, typer.Option(help="Catalog that the tools were drawn from; a run's own is found without.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Worst examples to print for each signature, and of the judge.")
    ] = 1,
    nli_model: NLIModelOption = None,
    nli_judge: NLIJudgeOption = None,
    judge: JudgeOption = None,
    judge_sample: JudgeSampleOption = 200,
    judge_cache: JudgeCacheOption = None,
    judge_out: JudgeOutOption = None,
    max_cost: JudgeMaxCostOption = None,
    max_tokens: JudgeMaxTokensOption = None,
    prices: JudgePricesOption = None,
    base_url: Annotated[
        str | None, typer.Option(help="Endpoint of the chat models.", rich_help_panel=_ENDPOINT)
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option(
            help="Environment variable that holds the key.",
            show_default="OPENAI_API_KEY",
            rich_help_panel=_ENDPOINT,
        ),
    ] = None,
) -> None:
    """Measure how good dialogues are; two or more files are compared with the first.

    Works on runs and on any other dialogues in OpenAI (or TRL) format. docs/evaluation.md tells what each figure means.
    """
    from toolflow_graph.dataset import list_files  # noqa: PLC0415
    from toolflow_graph.evaluation import EvaluationSettings, analyse_dialogues, compare_analyses  # noqa: PLC0415

    console = Console()
    if (base_url or key_env) and not (nli_judge or judge):
        raise typer.BadParameter(
            "--base-url and --key-env say how a chat model is reached; name it by --nli-judge or --judge"
        )
    options = JudgeOptions(
        judge, nli_judge, judge_sample, seed, judge_cache, judge_out, base_url, key_env, max_cost, max_tokens, prices
    )
    nli = load_nli(nli_model, options)
    settings = EvaluationSettings(seed=seed, sample=sample)
    analyses: list[Analysis] = []
    for path in paths:
        source = _open(path, catalog)
        with show_progress(source.lines) as progress:
            analyses.append(
                analyse_dialogues(
                    path,
                    source.dialogues,
                    encoder=_load_encoder(encoder, backend, progress),
                    nli=nli,
                    settings=settings,
                    quota=source.quota,
                    catalog=source.tools,
                    on_progress=progress,
                )
            )
    failure = None
    if judge_out is not None and judge_out.resolve() in list_files(paths):
        raise typer.BadParameter("is a file that is being evaluated", param_hint="'--judge-out'")
    if judge is not None:
        failure = _judge(paths, analyses, options)
    evaluations = [analysis.evaluation for analysis in analyses]
    comparisons = compare_analyses(analyses, seed)
    _write(paths, json_out, markdown_out, evaluations, comparisons)
    _print(console, evaluations, comparisons)
    for evaluation in evaluations if examples else ():
        _print_worst(console, evaluation, examples)
    for out in (json_out, markdown_out):
        if out is not None:
            console.print(f"written to {out}", markup=False, soft_wrap=True)
    if failure is not None:
        raise failure


def _judge(paths: Sequence[str], analyses: "list[Analysis]", options: JudgeOptions) -> "ToolflowError | None":
    """Add to each analysis what the judge says; returns what ended it early, so that the rest is shown before."""
    from toolflow_graph.dataset import open_dialogues  # noqa: PLC0415

    for place, (path, analysis) in enumerate(zip(paths, analyses, strict=True)):
        try:
            judged = add_judgement(analysis.evaluation, open_dialogues(path), options)
        except ToolflowError as exc:
            return exc
        analyses[place] = replace(analysis, evaluation=judged)
    return None


class _Source:
    """What is evaluated, and what is known of it besides."""

    def __init__(self, path: str) -> None:
        from toolflow_graph.dataset import count_dialogues, open_dialogues  # noqa: PLC0415

        self.dialogues = open_dialogues(path)
        self.lines = count_dialogues(path)
        self.quota: dict[str, float] | None = None
        self.tools: frozenset[str] | None = None


def _open(path: str, catalog: str | None) -> _Source:
    from toolflow_graph.catalog import load_catalog  # noqa: PLC0415
    from toolflow_graph.catalog.sources import is_live  # noqa: PLC0415
    from toolflow_graph.dataset import ACCEPTED, find_run  # noqa: PLC0415
    from toolflow_graph.errors import CatalogError  # noqa: PLC0415
    from toolflow_graph.evaluation.structure import count_quota  # noqa: PLC0415
    from toolflow_graph.runner.manifest import fingerprint_catalog, read_manifest  # noqa: PLC0415

    source = _Source(path)
    if catalog is not None:
        source.tools = frozenset(load_catalog(catalog).tools)
    folder = find_run(path)
    if folder is None or not (Path(path).is_dir() or Path(path).name == ACCEPTED):
        return source
    manifest = read_manifest(folder)
    source.quota = count_quota(manifest.settings)
    where = manifest.catalog.path
    if catalog is None and not (where and is_live(where)):  # tools of a server are not asked for again
        try:
            loaded = load_catalog(where)
        except CatalogError:
            return source
        if fingerprint_catalog(loaded) == manifest.catalog.sha256:
            source.tools = frozenset(loaded.tools)
    return source


def _load_encoder(
    name: str | None, backend: Literal["torch", "bf16", "onnx"] | None, progress: "Progress"
) -> "SentenceEncoder":
    from toolflow_graph.encoder import DEFAULT_ENCODER, load_encoder  # noqa: PLC0415

    return load_encoder(
        name or DEFAULT_ENCODER,
        backend=backend or "torch",
        on_progress=lambda done, total: progress("encoding", done, total),
    )


@contextmanager
def show_progress(lines: int | None) -> "Iterator[Progress]":
    """Show on standard error what is being done, with rate and time left; reading has a known number of lines."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from toolflow_graph.cli.rate_column import RateColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[what] = bar.add_task(what, total=lines if what == "reading" else total)
            bar.update(tasks[what], completed=done, total=lines if what == "reading" else total)

        yield report


def _write(
    paths: Sequence[str],
    json_out: Path | None,
    markdown_out: Path | None,
    evaluations: "Sequence[Evaluation]",
    comparisons: "Sequence[Comparison]",
) -> None:
    from toolflow_graph.dataset import list_files, replace_file  # noqa: PLC0415
    from toolflow_graph.errors import DatasetError  # noqa: PLC0415
    from toolflow_graph.evaluation import render_markdown  # noqa: PLC0415

    content = {
        "evaluations": [evaluation.model_dump(mode="json") for evaluation in evaluations],
        "comparisons": [comparison.model_dump(mode="json") for comparison in comparisons],
    }
    texts = (
        (json_out, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"),
        (markdown_out, render_markdown(evaluations, comparisons)),
    )
    for out, text in texts:
        if out is None:
            continue
        if out.resolve() in list_files(paths):
            raise DatasetError(f"{out} is a file that is being evaluated; name another one")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            replace_file(out, [text.encode("utf-8", "backslashreplace")])
        except OSError as exc:
            raise DatasetError(f"{out}: cannot be written: {exc.strerror or exc}") from exc


def _print(console: Console, evaluations: "Sequence[Evaluation]", comparisons: "Sequence[Comparison]") -> None:
    from toolflow_graph.evaluation.rendering import FAMILIES, list_keys  # noqa: PLC0415

    for family, title in FAMILIES.items():
        measures = list_keys(evaluations, family)
        if measures and len(evaluations) == 1:
            console.print(_tabulate_one(title, measures))
        elif measures:
            console.print(_tabulate_several(title, measures, evaluations, comparisons))
    if comparisons:
        console.print(
            f"* beyond chance: differs from {evaluations[0].source} with p below 5 %, adjusted for all differences "
            "(Holm). ? cannot be judged; --json says why.",
            markup=False,
            soft_wrap=True,
        )
    for evaluation in evaluations:
        _print_quota(console, evaluation)


def _tabulate_one(title: str, measures: "Sequence[Measure]") -> Table:
    from toolflow_graph.evaluation.rendering import format_interval, format_value  # noqa: PLC0415

    table = Table("", "", "95 % interval", "", title=title, title_justify="left", show_lines=False)
    table.columns[1].justify = table.columns[2].justify = "right"
    for column in table.columns[1:3]:
        column.no_wrap = True
    table.columns[3].style = "dim"
    for one in measures:
        value = format_value(one.value, one.unit)
        table.add_row(one.label, value, escape(format_interval(one.low, one.high, one.unit)), escape(one.note))
    return table


def _tabulate_several(
    title: str,
    measures: "Sequence[Measure]",
    evaluations: "Sequence[Evaluation]",
    comparisons: "Sequence[Comparison]",
) -> Table:
    from toolflow_graph.evaluation.rendering import format_difference, format_interval, format_value  # noqa: PLC0415

    table = Table("", title=title, title_justify="left")
    for place, evaluation in enumerate(evaluations):
        table.add_column(escape(evaluation.source), justify="right")
        if place:
            table.add_column("difference", justify="right", no_wrap=True)
    for one in measures:
        cells = [one.label]
        for place, evaluation in enumerate(evaluations):
            own = {m.key: m for m in evaluation.measures}.get(one.key)
            value = "–" if own is None else format_value(own.value, own.unit)
            cells.append(value + (f"\n{escape(format_interval(own.low, own.high, own.unit))}" if own else ""))
            if place:
                found = {d.key: d for d in comparisons[place - 1].differences}.get(one.key)
                told = format_difference(found, one.unit) if found else ""
                cells.append(f"[bold]{told}[/]" if found and found.beyond_chance else told)
        table.add_row(*(cell.rstrip("\n") for cell in cells))
    return table


def _print_quota(console: Console, evaluation: "Evaluation") -> None:
    """Print the patterns and what was due of them, where a quota is known."""
    patterns = next((d for d in evaluation.distributions if d.key == "patterns"), None)
    if patterns is None or all(part.expected is None for part in patterns.bins):
        return
    table = Table("pattern", "dialogues", "due", title=f"Quota of {escape(evaluation.source)}", title_justify="left")
    table.columns[1].justify = table.columns[2].justify = "right"
    for part in patterns.bins:
        style = "" if part.count == part.expected else "bold red"
        table.add_row(part.label, f"{part.count:,.0f}", f"{part.expected or 0:,.0f}", style=style)
    console.print(table)


def _print_worst(console: Console, evaluation: "Evaluation", most: int) -> None:
    """Print the worst examples of the signatures and of the judge; all are in the JSON."""
    labels = {one.key: one.label for one in evaluation.measures if one.family in ("signatures", "judge")}
    shown = [(labels[key], found[:most]) for key, found in evaluation.worst.items() if key in labels and found]
    if not shown:
        return
    console.print(f"Worst of {evaluation.source}", style="bold", markup=False)
    for label, found in shown:
        console.print(f"  {label}", markup=False)
        for one in found:
            console.print(f"    {one.dialogue} (line {one.line}): {one.excerpt}", markup=False, highlight=False)
