"""The options of judges, and what they add to an evaluation; for every command that evaluates."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolflow_graph.dataset import StoredDialogue
    from toolflow_graph.evaluation import Evaluation
    from toolflow_graph.evaluation.judge import Judgement
    from toolflow_graph.evaluation.nli import NLIBackend
    from toolflow_graph.models import ChatClient, ModelSettings

__all__ = [
    "JudgeBaseUrlOption",
    "JudgeCacheOption",
    "JudgeKeyEnvOption",
    "JudgeMaxCostOption",
    "JudgeMaxTokensOption",
    "JudgeOption",
    "JudgeOptions",
    "JudgeOutOption",
    "JudgePricesOption",
    "JudgeSampleOption",
    "NLIJudgeOption",
    "NLIModelOption",
    "add_judgement",
    "load_nli",
]

_PANEL = "Judged by models"
_ENTAILMENT = "Entailment (EnR)"

NLIModelOption = Annotated[
    str | None,
    typer.Option(
        "--nli-model", help="Cross-encoder trained on NLI (folder or id), for EnR.", rich_help_panel=_ENTAILMENT
    ),
]
NLIJudgeOption = Annotated[
    str | None,
    typer.Option(
        "--nli-judge",
        metavar="MODEL",
        help="Chat model that says in its place whether a round entails the next request.",
        rich_help_panel=_ENTAILMENT,
    ),
]

JudgeOption = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="MODEL[,MODEL…]",
        help="Model that judges NAT, COH, HELP and ACC from 1 to 5; several are a committee.",
        rich_help_panel=_PANEL,
    ),
]
JudgeSampleOption = Annotated[
    int, typer.Option("--judge-sample", min=0, help="Dialogues that are judged; 0 for all.", rich_help_panel=_PANEL)
]
JudgeCacheOption = Annotated[
    Path | None,
    typer.Option(
        "--judge-cache",
        metavar="FILE",
        help="File that keeps verdicts, so that none is asked for twice; those of --nli-judge too.",
        show_default="in the user's cache folder",
        rich_help_panel=_PANEL,
    ),
]
JudgeOutOption = Annotated[
    Path | None,
    typer.Option("--judge-out", metavar="FILE", help="Write the verdicts as JSON Lines.", rich_help_panel=_PANEL),
]
JudgeBaseUrlOption = Annotated[
    str | None,
    typer.Option("--base-url", help="OpenAI-compatible endpoint; the OpenAI API without.", rich_help_panel=_PANEL),
]
JudgeKeyEnvOption = Annotated[
    str | None,
    typer.Option(
        "--key-env",
        help="Environment variable that holds the key.",
        show_default="OPENAI_API_KEY",
        rich_help_panel=_PANEL,
    ),
]
JudgeMaxCostOption = Annotated[
    float | None, typer.Option("--max-cost", help="US dollars after which it stops.", rich_help_panel=_PANEL)
]
JudgeMaxTokensOption = Annotated[
    int | None, typer.Option("--max-tokens", help="Tokens after which it stops.", rich_help_panel=_PANEL)
]
JudgePricesOption = Annotated[
    Path | None, typer.Option("--prices", help="TOML file with prices of further models.", rich_help_panel=_PANEL)
]


@dataclass
class JudgeOptions:
    """What was given on the command line; one client, and so one budget, serves both judges and all files."""

    judge: str | None = None
    nli_judge: str | None = None
    sample: int = 200
    seed: int = 0
    cache: Path | None = None
    out: Path | None = None
    base_url: str | None = None
    key_env: str | None = None
    max_cost: float | None = None
    max_tokens: int | None = None
    prices: Path | None = None
    _client: "ChatClient | None" = field(default=None, init=False, repr=False)
    _judgements: "list[Judgement]" = field(default_factory=list, init=False, repr=False)

    def read_settings(self, model: str | None) -> "ModelSettings":
        """Return the settings of some models, as the client takes them; raises `SettingsError`."""
        from toolflow_graph.models.settings import model_options, parse_models  # noqa: PLC0415

        return parse_models(
            model_options(
                model=model,
                base_url=self.base_url,
                key_env=self.key_env,
                max_cost=self.max_cost,
                max_tokens=self.max_tokens,
                prices=None if self.prices is None else str(self.prices),
            )
        )

    def open_client(self) -> "ChatClient":
        """Return the client, made when it is first needed: where all verdicts are kept, not even a key is."""
        from toolflow_graph.models import ChatClient  # noqa: PLC0415

        if self._client is None:
            models = ",".join(model for model in (self.judge, self.nli_judge) if model)
            self._client = ChatClient(self.read_settings(models))
        return self._client


def load_nli(nli_model: str | None, options: JudgeOptions) -> "NLIBackend | None":
    """Return what measures EnR: a cross-encoder, or a chat model within the judge's limits; None without either.

    Raises as `CrossEncoderNLI` and `ModelNLI` do.
    """
    nli_judge = options.nli_judge
    if nli_model is None and nli_judge is None:
        return None
    from toolflow_graph.evaluation.nli import CrossEncoderNLI, ModelNLI  # noqa: PLC0415
    from toolflow_graph.evaluation.verdict_cache import VerdictCache  # noqa: PLC0415

    if nli_judge is None:
        return CrossEncoderNLI(nli_model or "")
    if nli_model is not None:
        raise typer.BadParameter("EnR is measured by one backend: give --nli-model or --nli-judge")
    settings = options.read_settings(nli_judge)
    return ModelNLI(nli_judge, settings, cache=VerdictCache(options.cache), open_client=options.open_client)


def add_judgement(
    evaluation: "Evaluation", dialogues: "Iterable[StoredDialogue]", options: JudgeOptions
) -> "Evaluation":
    """Return the evaluation with what the judge says of the same dialogues.

    With `out`, the verdicts of all files that were judged with these options are written there. Says on standard error
    what it took. Raises as `judge_dialogues` does.
    """
    import asyncio  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from toolflow_graph.evaluation.judge import judge_dialogues, write_verdicts  # noqa: PLC0415
    from toolflow_graph.evaluation.judged import summarise_judgement  # noqa: PLC0415
    from toolflow_graph.evaluation.verdict_cache import VerdictCache  # noqa: PLC0415
    from toolflow_graph.prompts import BUNDLED  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("Judging"), *Progress.get_default_columns()[1:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        judgement = asyncio.run(
            judge_dialogues(
                dialogues,
                options.read_settings(options.judge),
                sample=options.sample or None,
                seed=options.seed,
                cache=VerdictCache(options.cache),
                open_client=options.open_client,
                on_done=lambda done, of: progress.update(task, completed=done, total=of),
            )
        )
    options._judgements.append(judgement)  # noqa: SLF001 - written by this function only
    if options.out is not None:
        write_verdicts(options.out, *options._judgements)  # noqa: SLF001
    _tell(judgement)
    judged = summarise_judgement(judgement)
    return evaluation.model_copy(
        update={
            "measures": (*evaluation.measures, *judged.measures),
            "distributions": (*evaluation.distributions, *judged.distributions),
            "worst": {**evaluation.worst, **judged.worst},
            "settings": {
                **evaluation.settings,
                "judge": {
                    "models": list(judgement.models),
                    "sample": judgement.drawn,
                    "seed": judgement.seed,
                    "prompts": BUNDLED.fingerprint(),
                },
            },
        }
    )


def _tell(judgement: "Judgement") -> None:
    usage = judgement.usage
    kept = len(judgement.verdicts) + len(judgement.unjudged) - judgement.asked
    cost = f", ${usage.cost:.4f}" if usage.cost else ""
    typer.echo(
        f"judged by {', '.join(judgement.models)}: {judgement.drawn:,} of {judgement.offered:,} dialogues, "
        f"{judgement.asked:,} verdicts asked for, {max(kept, 0):,} kept from before; {usage.tokens:,} tokens{cost}",
        err=True,
    )
    for entry in judgement.unjudged[:3]:
        typer.echo(f"no verdict of {entry.dialogue} by {entry.model}: {entry.reason}", err=True)
    if len(judgement.unjudged) > 3:
        typer.echo(f"and {len(judgement.unjudged) - 3:,} more without a verdict", err=True)
