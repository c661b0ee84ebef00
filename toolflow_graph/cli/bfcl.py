"""`toolflow bfcl`: measure a model on the Berkeley Function-Calling Leaderboard with the benchmark's own checker."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolflow_graph.bfcl import Answerer, Case, CaseResult, Checker, ModelScores
    from toolflow_graph.types import JSON

__all__ = ["bfcl"]

_GROUPS = {
    "non_live": ("simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance"),
    "live": (
        "live_simple",
        "live_multiple",
        "live_parallel",
        "live_parallel_multiple",
        "live_irrelevance",
        "live_relevance",
    ),
    "multi_turn": ("multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param", "multi_turn_long_context"),
}


def bfcl(
    models: Annotated[
        list[str],
        typer.Option(
            "--model", "-m", help="Folder or id of a model to run here, smollm2, or its name at --base-url; repeatable."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; a run that was begun goes on.")],
    base_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible endpoint that serves the models; without, they run here.")
    ] = None,
    key_env: Annotated[str | None, typer.Option(help="Environment variable that holds the key.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="US dollars after which it stops.")] = None,
    categories: Annotated[
        str, typer.Option(help="Categories, comma-separated; also the groups non_live, live, multi_turn.")
    ] = "non_live,live",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Cases of each category, drawn by the seed.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    chat_template: Annotated[
        Path | None, typer.Option(help="Chat template to use instead of the model's own.", dir_okay=False)
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Cases at once.")] = 8,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 512,
    json_out: Annotated[Path | None, typer.Option("--json", help="File for the scores as JSON.")] = None,
) -> None:
    """Measure models on the Berkeley Function-Calling Leaderboard (v4 cases, the benchmark's own checker).

    An answer counts as it came: greedily drawn, read strictly, never asked for again. Calls of multi-turn cases are
    executed in a process of its own, with limits on time and memory.
    """
    from toolflow_graph.bfcl import Checker, load_cases, score_results  # noqa: PLC0415
    from toolflow_graph.bfcl.results import ResultFile  # noqa: PLC0415

    cases = load_cases(list(_expand(categories)), limit=limit, seed=seed)
    scores = []
    with Checker() as checker:
        for model in models:
            file = ResultFile.open(out, model, _describe(base_url, chat_template, max_new_tokens))
            missing = [case for case in cases if case.id not in file.results]
            if missing:
                answerer = (
                    _reach(model, base_url, key_env, max_cost, batch)
                    if base_url
                    else _load(model, chat_template, batch, max_new_tokens)
                )
                for result in _play(missing, answerer, checker, model):
                    file.add(result)
            scores.append(score_results(model, [file.results[case.id] for case in cases]))
    _print_scores(scores)
    if json_out is not None:
        _write_scores(json_out, scores)


def _expand(categories: str) -> Iterator[str]:
    for name in dict.fromkeys(part.strip() for part in categories.split(",") if part.strip()):
        yield from _GROUPS.get(name, (name,))


def _describe(base_url: str | None, chat_template: Path | None, max_new_tokens: int) -> "JSON":
    from toolflow_graph.bfcl.cases import name_version  # noqa: PLC0415

    template = None if chat_template is None else str(chat_template)
    where = {"base_url": base_url} if base_url else {"max_new_tokens": max_new_tokens, "chat_template": template}
    return {"benchmark": name_version(), "settings": where}


def _reach(model: str, base_url: str, key_env: str | None, max_cost: float | None, batch: int) -> "Answerer":
    from toolflow_graph.bfcl import EndpointAnswerer  # noqa: PLC0415
    from toolflow_graph.models import ChatClient  # noqa: PLC0415
    from toolflow_graph.models.settings import model_options, parse_models  # noqa: PLC0415

    given = model_options(base_url=base_url, key_env=key_env, max_cost=max_cost, model=model)
    return EndpointAnswerer(ChatClient(parse_models({**given, "temperature": 0.0, "max_repairs": 0})), model, batch)


def _load(model: str, chat_template: Path | None, batch: int, max_new_tokens: int) -> "Answerer":
    from toolflow_graph.bfcl import LocalAnswerer  # noqa: PLC0415
    from toolflow_graph.errors import BenchmarkError  # noqa: PLC0415
    from toolflow_graph.finetune.base import DEFAULT_BASE, find_embedded_base  # noqa: PLC0415

    source = str(find_embedded_base()) if model == DEFAULT_BASE else model
    try:
        template = None if chat_template is None else chat_template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BenchmarkError(f"{chat_template}: cannot be read as a chat template: {exc}") from exc
    answerer = LocalAnswerer(source, template=template, batch=batch, max_new_tokens=max_new_tokens)
    if answerer.format.origin == "chatml-hermes":
        typer.echo(
            f"{model}: its own chat template cannot render tools; ChatML with Hermes' tool calls is used", err=True
        )
    return answerer


def _play(cases: "Sequence[Case]", answerer: "Answerer", checker: "Checker", model: str) -> "Iterator[CaseResult]":
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from toolflow_graph.bfcl import play_cases  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(model, total=len(cases))
        for result in play_cases(cases, answerer, checker):
            progress.advance(task)
            yield result


def _print_scores(scores: "Sequence[ModelScores]") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table("category", "cases", title="BFCL v4, percent solved (95 % interval)", title_justify="left")
    for model in scores:
        table.add_column(escape(model.model), justify="right")
        table.add_column("called", justify="right")
        table.add_column("unread", justify="right")
    for row in zip(*(model.categories for model in scores), strict=True):
        cells = [
            cell
            for score in row
            for cell in (
                f"{score.accuracy:.1%} ({score.low:.1%} to {score.high:.1%})".replace("%", ""),
                f"{score.called:.0%}",
                f"{score.unread:.0%}",
            )
        ]
        table.add_row(row[0].category, f"{row[0].cases:,}", *cells)
    for label, key in (("non-live AST, mean of 4", "non_live_ast"), ("live AST, all cases", "live_ast")):
        values = [getattr(model, key) for model in scores]
        if None not in values:
            table.add_row(
                label, "", *(cell for value in values for cell in (f"{value * 100:.1f}", "", "")), style="bold"
            )
    Console().print(table)


def _write_scores(path: Path, scores: "Sequence[ModelScores]") -> None:
    import json  # noqa: PLC0415

    from toolflow_graph.bfcl.cases import name_version  # noqa: PLC0415
    from toolflow_graph.dataset import replace_file  # noqa: PLC0415
    from toolflow_graph.errors import BenchmarkError  # noqa: PLC0415

    content = {
        "benchmark": f"bfcl-eval {name_version()}",
        "models": [model.model_dump(mode="json") for model in scores],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, [json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"])
    except OSError as exc:
        raise BenchmarkError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
