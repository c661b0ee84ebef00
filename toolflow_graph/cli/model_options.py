"""The options of `toolflow generate` that say which models play, how they are reached, and what they may take."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AssistantModelOption",
    "BaseUrlOption",
    "KeyEnvOption",
    "MaxCostOption",
    "MaxInFlightOption",
    "MaxTokensOption",
    "ModelOption",
    "PlannerModelOption",
    "PricesOption",
    "RewordOption",
    "ToolModelOption",
    "UserModelOption",
]

_PANEL = "Played by models (without, by rules)"

ModelOption = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Model that plays all roles, or a pool a,b,c.", rich_help_panel=_PANEL),
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option("--base-url", help="OpenAI-compatible endpoint; the OpenAI API without.", rich_help_panel=_PANEL),
]
KeyEnvOption = Annotated[
    str | None,
    typer.Option(
        "--key-env",
        help="Environment variable that holds the key.",
        show_default="OPENAI_API_KEY",
        rich_help_panel=_PANEL,
    ),
]
PlannerModelOption = Annotated[
    str | None, typer.Option("--planner-model", help="Model of the planner.", rich_help_panel=_PANEL)
]
UserModelOption = Annotated[str | None, typer.Option("--user-model", help="Model of the user.", rich_help_panel=_PANEL)]
AssistantModelOption = Annotated[
    str | None, typer.Option("--assistant-model", help="Model of the assistant.", rich_help_panel=_PANEL)
]
ToolModelOption = Annotated[
    str | None, typer.Option("--tool-model", help="Model of the tools.", rich_help_panel=_PANEL)
]
RewordOption = Annotated[
    str | None,
    typer.Option(
        "--reword", help="Model that only rewords what the rules say; calls stay theirs.", rich_help_panel=_PANEL
    ),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option("--max-cost", help="US dollars of the whole run after which it stops.", rich_help_panel=_PANEL),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", help="Tokens of the whole run after which it stops.", rich_help_panel=_PANEL),
]
MaxInFlightOption = Annotated[
    int | None, typer.Option("--max-in-flight", help="Requests at once, at most.", rich_help_panel=_PANEL)
]
PricesOption = Annotated[
    Path | None,
    typer.Option("--prices", help="TOML file with prices of further models.", rich_help_panel=_PANEL),
]
