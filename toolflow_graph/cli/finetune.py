"""`toolflow finetune`: a base model, trained on dialogues."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from toolflow_graph.finetune import FinetuneReport

__all__ = ["finetune"]


def finetune(
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA…", help="Runs' folders, files of dialogues, or published sets (folder or URL)."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model; a training that was begun goes on.")],
    base: Annotated[str, typer.Option(help="Base model: the embedded one (135M), or a folder or id.")] = "smollm2",
    method: Annotated[Literal["sft", "dpo"], typer.Option(help="Supervised, or on preference pairs.")] = "sft",
    full: Annotated[bool, typer.Option("--full", help="Train all weights instead of LoRA adapters.")] = False,
    epochs: Annotated[float | None, typer.Option(help="Passes over the data.", show_default="1")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens to train on, instead of epochs.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Learning rate.", show_default="2e-4; 2e-5 with --full; 5e-6 for dpo")
    ] = None,
    tokens_per_step: Annotated[int | None, typer.Option(help="Tokens of a step.", show_default="16384")] = None,
    batch: Annotated[int | None, typer.Option(help="Dialogues at once.", show_default="2")] = None,
    max_length: Annotated[int | None, typer.Option(help="Longest dialogue, in tokens.", show_default="4096")] = None,
    holdout: Annotated[
        float | None, typer.Option(help="Share held out, by tools, to evaluate on.", show_default="0.1")
    ] = None,
    chat_template: Annotated[
        Path | None, typer.Option(help="Chat template to use instead of the base's own.", dir_okay=False)
    ] = None,
    tool_examples: Annotated[
        bool, typer.Option("--tool-examples", help="Keep example values in the tools' schemas.")
    ] = False,
    rank: Annotated[int | None, typer.Option(help="Rank of the adapters.", show_default="16")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
) -> None:
    """Train a model to call tools, on dialogues of a run or of any file in OpenAI format.

    Only what the assistant says and calls is trained on, and not the turns that a check has flagged. The merged model
    lands in --out in Hugging Face form, ready for `toolflow bfcl --model`, with a card and a report.
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from toolflow_graph.errors import ResourceError  # noqa: PLC0415
    from toolflow_graph.finetune import finetune as train  # noqa: PLC0415
    from toolflow_graph.finetune import parse_finetune_settings  # noqa: PLC0415

    given = {
        "epochs": epochs,
        "tokens": tokens,
        "learning_rate": learning_rate,
        "tokens_per_step": tokens_per_step,
        "batch": batch,
        "max_length": max_length,
        "holdout": holdout,
        "chat_template": None if chat_template is None else str(chat_template),
        "rank": rank,
    }
    values = {name: value for name, value in given.items() if value is not None}
    adapt = "full" if full else "lora"
    settings = parse_finetune_settings(
        {"base": base, "method": method, "adapt": adapt, "seed": seed, "tool_examples": tool_examples, **values}
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("loading base and data", total=None)

        def on_step(step: int, steps: int, logs: dict[str, float]) -> None:
            said = f"loss {logs['loss']:.3f}" if "loss" in logs else "training"
            progress.update(task, description=said, completed=step, total=steps)

        try:
            report = train(data, out, settings, on_step=on_step)
        except ImportError as exc:
            raise ResourceError(f"training needs {exc.name!r}: pip install 'toolflow-graph[finetune]'") from exc
    _tell(report, out)


def _tell(report: "FinetuneReport", out: Path) -> None:
    typer.echo(
        f"trained on {report.dialogues:,} dialogues, {report.tokens:,} tokens in {report.steps:,} steps, "
        f"{report.seconds / 60:,.1f} minutes; loss {report.loss:.3f}"
    )
    for reason, count in report.left_out.items():
        typer.echo(f"left out: {count:,} {reason}")
    if report.chat_format == "chatml-hermes":
        typer.echo("chat template: ChatML with Hermes' tool calls, as the base's own cannot render tools")
    if report.split_calls:
        typer.echo(f"the chat template takes one call a turn: {report.split_calls:,} parallel calls were split")
    if report.held_out_after is not None:
        typer.echo(
            f"loss on {report.held_out:,} dialogues of unseen tools: {report.held_out_before:.3f} before, "
            f"{report.held_out_after:.3f} after"
        )
    typer.echo(f"model, card and report are in {out}; measure it: toolflow bfcl --model {out} --out runs/bfcl")
