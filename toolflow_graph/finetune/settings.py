"""Settings of a training; unknown keys are errors."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolflow_graph.errors import SettingsError

__all__ = ["FinetuneSettings", "parse_finetune_settings"]


class FinetuneSettings(BaseModel):
    """What a training depends on besides its data; the defaults suit a small model on a laptop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = Field(default="smollm2", description="Base model: the embedded one, or a folder or id")
    method: Literal["sft", "dpo"] = Field(
        default="sft", description="Supervised on the assistant's turns, or on preference pairs"
    )
    adapt: Literal["lora", "full"] = Field(
        default="lora", description="Low-rank adapters, merged at the end, or all weights"
    )
    rank: int = Field(default=16, ge=1, le=1024, description="Rank of the adapters; their alpha is twice that")
    learning_rate: float | None = Field(
        default=None, gt=0, description="Empty for 2e-4 (LoRA), 2e-5 (all weights) or 5e-6 (DPO)"
    )
    epochs: float = Field(default=1.0, gt=0, description="Passes over the data, unless `tokens` says when to end")
    tokens: int | None = Field(default=None, ge=1, description="Tokens to train on, repeated or cut as it needs be")
    tokens_per_step: int = Field(default=16384, ge=1, description="Tokens that one step of the optimiser sees")
    batch: int = Field(default=2, ge=1, description="Dialogues at once; the rest of a step is accumulated")
    max_length: int = Field(default=4096, ge=16, description="Tokens of the longest dialogue; longer ones are left out")
    holdout: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the dialogues, by tools that training never sees, to evaluate on"
    )
    tool_examples: bool = Field(
        default=False,
        description="Whether example values stay in the tools' schemas, where the values of calls could be copied from",
    )
    chat_template: str | None = Field(default=None, description="File of a chat template to use instead of the base's")
    seed: int = Field(default=0, ge=0, description="Seed of split, adapters and order")
    save_every: int = Field(
        default=50, ge=1, description="Steps between two checkpoints, from which a training resumes"
    )

    @property
    def rate(self) -> float:
        """The learning rate that holds."""
        usual = {"dpo": 5e-6, "full": 2e-5, "lora": 2e-4}
        return self.learning_rate or usual["dpo" if self.method == "dpo" else self.adapt]


def parse_finetune_settings(values: Mapping[str, Any]) -> FinetuneSettings:
    """Validate settings; raises `SettingsError` with one line that names the setting and the trouble."""
    try:
        return FinetuneSettings.model_validate(dict(values))
    except ValidationError as exc:
        error = exc.errors()[0]
        raise SettingsError(f"setting {error['loc'][0]!r}: {error['msg']} (given: {error['input']!r})") from exc
