"""`toolflow generate`: play dialogues into a folder, or go on with a run that was interrupted."""

import tomllib
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolflow_graph.cli.graph import CatalogOption, EncoderOption, TauOption
from toolflow_graph.errors import RunError

if TYPE_CHECKING:
    from toolflow_graph.runner import Run

__all__ = ["generate"]

_DIALOGUE = "Each dialogue"
_MODELS = "Played by models (without, by rules)"


def generate(
    *,
    dialogues: Annotated[int | None, typer.Option("--dialogues", "-n", help="How many to generate.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same dialogues.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the new run.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Finish the run in this folder; its settings are in its manifest.")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(help="Dialogues in flight at once.")] = None,
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
    settings: Annotated[Path | None, typer.Option(help="TOML file with any of the settings.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, as in TOML.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Model that plays all roles, or a pool a,b,c.", rich_help_panel=_MODELS),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(help="OpenAI-compatible endpoint; the OpenAI API without.", rich_help_panel=_MODELS),
    ] = None,
    planner_model: Annotated[str | None, typer.Option(help="Model of the planner.", rich_help_panel=_MODELS)] = None,
    user_model: Annotated[str | None, typer.Option(help="Model of the user.", rich_help_panel=_MODELS)] = None,
    assistant_model: Annotated[
        str | None, typer.Option(help="Model of the assistant.", rich_help_panel=_MODELS)
    ] = None,
    tool_model: Annotated[str | None, typer.Option(help="Model of the tools.", rich_help_panel=_MODELS)] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="US dollars after which the run stops.", rich_help_panel=_MODELS)
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Tokens after which the run stops.", rich_help_panel=_MODELS)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Generate dialogues into a folder, checkpointed at every step.

    An interrupted run (Ctrl-C, a crash, a full disk) goes on with `toolflow generate --resume FOLDER`.
    """
    given: dict[str, Any] = {
        "dialogues": dialogues,
        "seed": seed,
        "catalog": None if catalog is None else str(catalog),
        "tau": tau,
        "encoder": encoder,
        "tools": tools,
        "distractors": distractors,
        "strategy": strategy,
        "min_requests": min_requests,
        "max_requests": max_requests,
        "max_turns": max_turns,
    }
    flags = {name: value for name, value in given.items() if value is not None}
    models = {
        "model": model,
        "base_url": base_url,
        "planner": planner_model,
        "user": user_model,
        "assistant": assistant_model,
        "tool": tool_model,
        "max_cost": max_cost,
        "max_tokens": max_tokens,
    }
    chosen = {name: value for name, value in models.items() if value is not None}
    others = {"out": out, "settings": settings, "set": assignments}
    if resume is not None:
        _refuse_with_resume([*flags, *chosen, *(name for name, value in others.items() if value)])
    elif out is None:
        raise typer.BadParameter("give --out FOLDER for a new run, or --resume FOLDER to go on with one")
    else:
        flags |= {} if concurrency is None else {"concurrency": concurrency}
        flags = {**_read_settings(settings, assignments or []), **flags}
        if chosen:
            flags = {"cast": "llm", **flags, "models": {**flags.get("models", {}), **chosen}}

    from rich.console import Console  # noqa: PLC0415 - not before the options are known to be right

    from toolflow_graph.cli.progress import play_run  # noqa: PLC0415
    from toolflow_graph.cli.summary import print_summary  # noqa: PLC0415

    console = Console(stderr=True)
    with console.status("Reading the catalog and building the Tool Graph …") if not quiet else nullcontext():
        try:
            run = _open(resume, out, flags, concurrency)
        except KeyboardInterrupt:
            typer.echo("toolflow: interrupted before the first dialogue; nothing was written", err=True)
            raise typer.Exit(130) from None
    try:
        signal = play_run(run, console, quiet=quiet)
    finally:
        run.close()
    folder = resume or out or Path()
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


def _open(resume: Path | None, out: Path | None, values: dict[str, Any], concurrency: int | None) -> "Run":
    from toolflow_graph.runner import Run  # noqa: PLC0415
    from toolflow_graph.settings import parse_settings  # noqa: PLC0415

    if resume is not None:
        return Run.resume(resume, concurrency=concurrency)
    return Run.start(parse_settings(values), out)


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
    from toolflow_graph.settings import load_settings  # noqa: PLC0415

    values = load_settings(path) if path is not None else {}
    for assignment in assignments:
        key, sign, text = assignment.partition("=")
        if not sign:
            raise typer.BadParameter(f"--set {assignment!r}: write KEY=VALUE, for example --set max_turns=12")
        *tables, last = key.strip().split(".")
        place = values
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = _parse_value(text.strip())
    return values


def _parse_value(text: str) -> Any:
    """Read a value as TOML does; what is not TOML is a string without its quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
