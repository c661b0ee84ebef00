"""`toolflow ablate`: what the graph and the plan are worth, beside the paper's table."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolflow_graph.cli.graph import BackendOption, CatalogOption, EncoderOption
from toolflow_graph.cli.judge_options import (
    JudgeCacheOption,
    JudgeOption,
    JudgeOptions,
    JudgeSampleOption,
    NLIJudgeOption,
    NLIModelOption,
    add_judgement,
    load_nli,
)
from toolflow_graph.cli.model_options import (
    AssistantModelOption,
    BaseUrlOption,
    KeyEnvOption,
    MaxCostOption,
    MaxInFlightOption,
    MaxTokensOption,
    ModelOption,
    PlannerModelOption,
    PricesOption,
    ToolModelOption,
    UserModelOption,
)

if TYPE_CHECKING:
    from rich.console import Console

    from toolflow_graph.ablation import Ablation, Arm

__all__ = ["ablate"]


def ablate(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; each arm is a run in a folder of its own there.")],
    dialogues: Annotated[int, typer.Option("--dialogues", "-n", min=1, help="How many, of each arm.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every arm, and of samples and resamples.")] = 0,
    catalog: CatalogOption = None,
    encoder: EncoderOption = None,
    backend: BackendOption = None,
    sample: Annotated[
        int, typer.Option("--ss-sample", min=0, help="Dialogues drawn at random for SS and EnR; 0 for all.")
    ] = 200,
    nli_model: NLIModelOption = None,
    nli_judge: NLIJudgeOption = None,
    judge: JudgeOption = None,
    judge_sample: JudgeSampleOption = 200,
    judge_cache: JudgeCacheOption = None,
    settings: Annotated[Path | None, typer.Option(help="File with any settings of `toolflow generate`.")] = None,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    key_env: KeyEnvOption = None,
    planner_model: PlannerModelOption = None,
    user_model: UserModelOption = None,
    assistant_model: AssistantModelOption = None,
    tool_model: ToolModelOption = None,
    prices: PricesOption = None,
    max_cost: MaxCostOption = None,
    max_tokens: MaxTokensOption = None,
    max_in_flight: MaxInFlightOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Make the same data with and without graph and plan, measure it, and show the paper's table beside ours.

    With a model also `direct` and `cot`, which write a dialogue in one request. Limits hold for each arm, and for the
    judges, who are reached like the other models. An arm that is complete is not played again; one that was interrupted
    goes on. Leaves ablation.json and ablation.md in --out.
    """
    from rich.console import Console  # noqa: PLC0415

    from toolflow_graph.ablation import list_arms, measure_arms  # noqa: PLC0415
    from toolflow_graph.cli.evaluate import show_progress  # noqa: PLC0415
    from toolflow_graph.encoder import DEFAULT_ENCODER, load_encoder  # noqa: PLC0415
    from toolflow_graph.evaluation import EvaluationSettings  # noqa: PLC0415
    from toolflow_graph.models.settings import CHANGEABLE, model_options, names_models  # noqa: PLC0415
    from toolflow_graph.settings import parse_settings  # noqa: PLC0415
    from toolflow_graph.settings_file import load_settings  # noqa: PLC0415

    given = {"catalog": catalog, "encoder": encoder, "encoder_backend": backend}
    values: dict[str, Any] = load_settings(settings) if settings is not None else {}
    if "method" in values:
        raise typer.BadParameter("the arms are all methods: leave 'method' out of the settings")
    values |= {
        "dialogues": dialogues,
        "seed": seed,
        **{key: value for key, value in given.items() if value is not None},
    }
    models = {
        "model": model,
        "base_url": base_url,
        "key_env": key_env,
        "planner_model": planner_model,
        "user_model": user_model,
        "assistant_model": assistant_model,
        "tool_model": tool_model,
        "prices": None if prices is None else str(prices),
        "max_cost": max_cost,
        "max_tokens": max_tokens,
        "max_in_flight": max_in_flight,
    }
    chosen = model_options(**models)
    if chosen and (names_models(chosen) or not (judge or nli_judge)):
        values = {**values, "cast": "llm", "models": {**values.get("models", {}), **chosen}}
    run = parse_settings(values)
    if run.cast == "scripted" and "checkpoints" not in values:
        run = run.model_copy(
            update={"checkpoints": "none"}
        )  # a dialogue by rules is made again faster than it is saved
    options = JudgeOptions(
        judge, nli_judge, judge_sample, seed, judge_cache, None, base_url, key_env, max_cost, max_tokens, prices
    )
    nli = load_nli(nli_model, options)
    judging = partial(add_judgement, options=options) if judge is not None else None
    console = Console(highlight=False)
    arms = list_arms(run, out)
    for arm in arms:
        changes = model_options(**{name: value for name, value in models.items() if name in CHANGEABLE})
        _play(arm, changes, quiet=quiet)
    with show_progress(None) as tell:
        found = measure_arms(
            arms,
            encoder=load_encoder(
                run.encoder or DEFAULT_ENCODER,
                backend=run.encoder_backend,
                on_progress=lambda done, total: tell("encoding", done, total),
            ),
            nli=nli,
            judge=judging,
            settings=EvaluationSettings(seed=seed, sample=sample),
            on_progress=tell,
        )
    _write(found, out)
    if not quiet:
        _print(console, found)
        console.print(f"All measures of all arms: {out / 'ablation.md'}, {out / 'ablation.json'}", soft_wrap=True)


def _play(arm: "Arm", changes: Mapping[str, Any], *, quiet: bool) -> None:
    from rich.console import Console  # noqa: PLC0415

    from toolflow_graph.ablation import open_arm  # noqa: PLC0415
    from toolflow_graph.cli.progress import play_run  # noqa: PLC0415
    from toolflow_graph.errors import BudgetExceeded, ModelError, RunError  # noqa: PLC0415

    console = Console(stderr=True, highlight=False)
    run = open_arm(arm, changes)
    if run is None:
        if not quiet:
            console.print(f"{arm.method}: complete already", style="dim")
        return
    try:
        signal = play_run(run, console, show="none" if quiet else "bar")
    except BudgetExceeded as exc:
        raise BudgetExceeded(f"arm {arm.method!r}: {exc}; give the same command with a higher {exc.option}") from exc
    except ModelError as exc:
        raise ModelError(f"arm {arm.method!r}: {exc}; the same command goes on") from exc
    except RunError as exc:
        if run.manifest.status != "complete":
            raise
        signal = None  # the arm falls short of what was wanted: that is a result too
        console.print(f"{arm.method}: {exc}", style="yellow", markup=False, soft_wrap=True)
    finally:
        run.close()
    if signal is not None:
        typer.echo(
            f"toolflow: stopped in arm {arm.method} with {run.counts.done} of {run.counts.planned} dialogues finished; "
            "the same command goes on",
            err=True,
        )
        raise typer.Exit(128 + signal)
    if not run.counts.accepted:
        raise RunError(f"none of the dialogues of arm {arm.method!r} was accepted; see {arm.folder}/rejected.jsonl")
    if not quiet:
        console.print(f"{arm.method}: {run.counts.accepted:,} dialogues", style="dim")


def _write(found: "Ablation", out: Path) -> None:
    from toolflow_graph.ablation import render_ablation  # noqa: PLC0415
    from toolflow_graph.dataset import replace_file  # noqa: PLC0415
    from toolflow_graph.errors import DatasetError  # noqa: PLC0415

    texts = {"ablation.json": found.model_dump_json(indent=1) + "\n", "ablation.md": render_ablation(found)}
    for name, text in texts.items():
        try:
            replace_file(out / name, [text.encode("utf-8", "backslashreplace")])
        except OSError as exc:
            raise DatasetError(f"{out / name}: cannot be written: {exc.strerror or exc}") from exc


def _print(console: "Console", found: "Ablation") -> None:
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from toolflow_graph.ablation.rendering import (  # noqa: PLC0415
        list_caveats,
        write_arms,
        write_contrasts,
    )

    contrasts = Table(title="What a part adds: without it → with it", title_justify="left")
    for heading in ("", "adds", "paper", "here", "beyond chance"):
        contrasts.add_column(heading, justify="left" if heading in ("", "adds") else "right")
    for label, part, paper, paper_added, here, added, verdict in write_contrasts(found):
        below = [
            f"{there}\n{delta}" if delta != "–" else there for there, delta in ((paper, paper_added), (here, added))
        ]
        contrasts.add_row(label.split(",")[0], part, *(escape(cell) for cell in below), verdict, end_section=True)
    console.print(contrasts)
    headings, rows = write_arms(found)
    arms = Table(title="Arms [95 % interval]", title_justify="left")
    for place, heading in enumerate(headings):
        arms.add_column(heading, justify="right" if place else "left", overflow="fold")
    for row in rows:
        arms.add_row(*(escape(cell.replace(" [", "\n[")) for cell in row))
    console.print(arms)
    for caveat in list_caveats(found.contrasts):
        console.print(caveat, style="dim", markup=False)
