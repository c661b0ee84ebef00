"""`toolflow generate`: play dialogues into a folder, or go on with a run that was interrupted."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from toolflow_graph.cli.assignments import assign_values
from toolflow_graph.cli.graph import CatalogOption, EncoderOption, TauOption
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
    RewordOption,
    ToolModelOption,
    UserModelOption,
)
from toolflow_graph.errors import BudgetExceeded, ModelError, RunError

if TYPE_CHECKING:
    from toolflow_graph.runner import Run

__all__ = ["generate"]

_Progress = Literal["bar", "json", "none"]

_DIALOGUE = "Each dialogue"
_REAL = "Real tools (with a model that plays)"


def generate(
    *,
    dialogues: Annotated[int | None, typer.Option("--dialogues", "-n", help="How many to generate.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same dialogues.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the new run.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Finish the run in this folder; its settings are in its manifest.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that play: as many as there are cores, where rules play.")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"] | None,
        typer.Option(help="Where the workers are: on this machine, or on a Ray cluster.", show_default="local"),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="The Ray cluster; by itself the one of this machine, or one that is started."
        ),
    ] = None,
    concurrency: Annotated[int | None, typer.Option(help="Dialogues in flight at once in each process.")] = None,
    checkpoints: Annotated[
        str | None,
        typer.Option(
            help="keep: all states of all dialogues; journal: only until a dialogue is written; none. By itself keep "
            "up to 1,000 dialogues, else journal.",
            show_default="auto",
        ),
    ] = None,
    checkpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Database for the checkpoints, shared by all processes: postgresql://user@host/name. $NAME in it "
            "stands for a variable of the environment, where a password belongs.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="toolflow, no-graph, no-plan, no-graph-no-plan; direct or cot with a model."),
    ] = None,
    cast: Annotated[
        str | None, typer.Option(help="scripted or llm; llm where a model plays.", show_default="scripted")
    ] = None,
    catalog: CatalogOption = None,
    tau: TauOption = None,
    encoder: EncoderOption = None,
    tools: Annotated[int | None, typer.Option(help="Tools drawn for a dialogue.", rich_help_panel=_DIALOGUE)] = None,
    distractors: Annotated[
        int | None, typer.Option(help="Tools that are offered but not needed.", rich_help_panel=_DIALOGUE)
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="How tools are drawn: see `toolflow sample`.", rich_help_panel=_DIALOGUE)
    ] = None,
    min_requests: Annotated[int | None, typer.Option(help="Fewest requests.", rich_help_panel=_DIALOGUE)] = None,
    max_requests: Annotated[int | None, typer.Option(help="Most requests.", rich_help_panel=_DIALOGUE)] = None,
    max_turns: Annotated[int | None, typer.Option(help="User turns at most.", rich_help_panel=_DIALOGUE)] = None,
    execute: Annotated[
        bool,
        typer.Option(
            "--execute",
            help="Call tools that can be called (MCP servers, Python functions) and are marked read-only.",
            rich_help_panel=_REAL,
        ),
    ] = False,
    execute_all: Annotated[
        bool, typer.Option("--execute-all", help="Call all that can be called.", rich_help_panel=_REAL)
    ] = False,
    execute_tools: Annotated[
        list[str] | None,
        typer.Option("--execute-tool", metavar="NAME", help="Call this tool too.", rich_help_panel=_REAL),
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="File with any of the settings: TOML, YAML or JSON.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, as in TOML.")
    ] = None,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    key_env: KeyEnvOption = None,
    planner_model: PlannerModelOption = None,
    user_model: UserModelOption = None,
    assistant_model: AssistantModelOption = None,
    tool_model: ToolModelOption = None,
    reword: RewordOption = None,
    prices: PricesOption = None,
    max_cost: MaxCostOption = None,
    max_tokens: MaxTokensOption = None,
    max_in_flight: MaxInFlightOption = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only estimate tokens, cost, time and disk: a few plans are made, nothing is kept."
        ),
    ] = False,
    progress: Annotated[
        _Progress,
        typer.Option(help="A bar on the terminal, a line of JSON a second on standard error, or nothing."),
    ] = "bar",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Generate dialogues into a folder, checkpointed at every step.

    An interrupted run (Ctrl-C, a crash, a full disk, a limit) goes on with `toolflow generate --resume FOLDER`;
    address, key, prices and limits of the models may be given anew then.
    """
    from toolflow_graph.models.settings import CHANGEABLE, model_options  # noqa: PLC0415

    given: dict[str, Any] = {
        "dialogues": dialogues,
        "seed": seed,
        "method": method,
        "cast": cast,
        "catalog": None if catalog is None else str(catalog),
        "tau": tau,
        "encoder": encoder,
        "tools": tools,
        "distractors": distractors,
        "strategy": strategy,
        "min_requests": min_requests,
        "max_requests": max_requests,
        "max_turns": max_turns,
        "execute": "all" if execute_all else "read_only" if execute else None,
        "execute_tools": execute_tools or None,
    }
    flags = {name: value for name, value in given.items() if value is not None}
    models = {
        "model": model,
        "base_url": base_url,
        "key_env": key_env,
        "planner_model": planner_model,
        "user_model": user_model,
        "assistant_model": assistant_model,
        "tool_model": tool_model,
        "reword": reword,
        "prices": None if prices is None else str(prices),
        "max_cost": max_cost,
        "max_tokens": max_tokens,
        "max_in_flight": max_in_flight,
    }
    others = {
        "out": out,
        "checkpoints": checkpoints,
        "checkpoint_url": checkpoint_url,
        "settings": settings,
        "set": assignments,
        "dry_run": dry_run,
    }
    chosen = model_options(**models)
    if resume is not None:
        fixed = [name for name, value in models.items() if value is not None and name not in CHANGEABLE]
        _refuse_with_resume([*flags, *fixed, *(name for name, value in others.items() if value)])
    elif out is None and not dry_run:
        raise typer.BadParameter("give --out FOLDER for a new run, or --resume FOLDER to go on with one")
    else:
        running = {
            "engine": engine,
            "ray_address": address,
            "workers": workers,
            "concurrency": concurrency,
            "checkpoints": checkpoints,
            "checkpoint_url": checkpoint_url,
        }
        flags |= {name: value for name, value in running.items() if value is not None}
        flags = {**_read_settings(settings, assignments or []), **flags}
        if chosen:
            named = {**flags.get("models", {}), **chosen}
            flags = {**({} if named.get("reword") else {"cast": "llm"}), **flags, "models": named}
    if dry_run:
        from toolflow_graph.cli.estimate import show_estimate  # noqa: PLC0415

        show_estimate(flags, quiet=quiet)
        return

    def open_run() -> "Run":
        from toolflow_graph.runner import Run  # noqa: PLC0415
        from toolflow_graph.settings import parse_settings  # noqa: PLC0415

        if resume is not None:
            return Run.resume(
                resume, concurrency=concurrency, workers=workers, engine=engine, ray_address=address, models=chosen
            )
        return Run.start(parse_settings(flags), out)

    _play(open_run, resume or out or Path(), progress="none" if quiet else progress, quiet=quiet)


def _play(open_run: Callable[[], "Run"], folder: Path, *, progress: _Progress, quiet: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - not before the options are known to be right

    from toolflow_graph.cli.progress import play_run  # noqa: PLC0415
    from toolflow_graph.cli.summary import print_summary  # noqa: PLC0415
    from toolflow_graph.dataset import MANIFEST  # noqa: PLC0415

    console = Console(stderr=True)
    with console.status("Reading the catalog and building the Tool Graph …") if progress == "bar" else nullcontext():
        try:
            run = open_run()
        except KeyboardInterrupt:
            typer.echo("toolflow: interrupted before the first dialogue; nothing was written", err=True)
            raise typer.Exit(130) from None
    if progress != "json":
        _tell_losses(run, quiet=quiet)
    try:
        signal = play_run(run, console, show=progress)
    except BudgetExceeded as exc:
        run.close()
        if not quiet:
            print_summary(Console(), folder, run.manifest)
        raise BudgetExceeded(f"{exc}: toolflow generate --resume {folder} {exc.option} …") from exc
    except ModelError as exc:
        run.close()
        if not (folder / MANIFEST).exists():  # it has never begun
            raise
        raise ModelError(f"{exc}; go on with: toolflow generate --resume {folder}") from exc
    finally:
        run.close()
    if signal is not None:
        typer.echo(
            f"toolflow: stopped with {run.counts.done} of {run.counts.planned} dialogues finished, all of them kept; "
            f"go on with: toolflow generate --resume {folder}",
            err=True,
        )
        raise typer.Exit(128 + signal)
    if not quiet:
        print_summary(Console(), folder, run.manifest)
    if not run.counts.accepted:
        raise RunError(
            f"none of the {run.counts.planned} dialogues was accepted; see {folder}/rejected.jsonl, "
            f"the first for {_find_first_reason(folder / 'rejected.jsonl')}"
        )


def _tell_losses(run: "Run", *, quiet: bool) -> None:
    """Tell what of the catalog is left out, and, even of a quiet run, what of its folder was damaged."""
    if (skipped := run.stage.catalog.skipped) and not quiet:
        first = f"{skipped[0].name or skipped[0].where}: {skipped[0].reason}"
        typer.echo(f"tools left out of the catalog: {len(skipped):,}; the first is {first}", err=True)
    for said in run.damages:
        typer.echo(f"toolflow: {said}", err=True)


def _find_first_reason(path: Path) -> str:
    from toolflow_graph.dataset import read_dialogues  # noqa: PLC0415

    record = next(read_dialogues(path)).record
    errors = [finding for finding in record.findings if finding.severity == "error"] if record else []
    return f"{errors[0].check!r}: {errors[0].message}" if errors else "no reason"


def _refuse_with_resume(names: list[str]) -> None:
    if names:
        option = "--" + names[0].replace("_", "-")
        raise typer.BadParameter(f"{option} cannot be given with --resume: the run's own settings hold")


def _read_settings(path: Path | None, assignments: list[str]) -> dict[str, Any]:
    from toolflow_graph.settings_file import load_settings  # noqa: PLC0415

    values = load_settings(path) if path is not None else {}
    assign_values(values, assignments)
    return values
