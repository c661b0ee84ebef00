"""What all trainings share: adapters, what is told of each step, the model that is saved, and what came of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolflow_graph.finetune.base import Base
from toolflow_graph.finetune.settings import FinetuneSettings
from toolflow_graph.types import JSON, Record

__all__ = ["CHECKPOINTS", "FinetuneReport", "OnStep", "make_adapter", "save_model", "watch"]

CHECKPOINTS = "checkpoints"

OnStep = Callable[[int, int, JSON], None]
"""Told after every step: which it was, of how many, and what the trainer has logged."""


class FinetuneReport(Record):
    """What came of a training.

    `held_out_before` and `held_out_after` are the mean loss per trained token on dialogues whose tools training has not
    seen, None without any; `tokens` counts those that were trained on, repeats included.
    """

    base: str
    chat_format: str
    dialogues: int
    held_out: int
    left_out: dict[str, int]
    masked_turns: int
    split_calls: int
    steps: int
    tokens: int
    seconds: float
    loss: float
    held_out_before: float | None
    held_out_after: float | None


def make_adapter(settings: FinetuneSettings) -> Any:
    """Return PEFT's settings of the adapters, None where all weights are trained."""
    if settings.adapt == "full":
        return None
    from peft import LoraConfig  # noqa: PLC0415

    return LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear", task_type="CAUSAL_LM")


def watch(on_step: OnStep | None) -> list[Any]:
    """Return the callbacks of a trainer that tell of every step."""
    from transformers import TrainerCallback  # noqa: PLC0415

    if on_step is None:
        return []
    told = on_step

    class Watcher(TrainerCallback):  # type: ignore[misc] # trl and transformers are not typed
        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the base's names
            told(state.global_step, state.max_steps, kwargs.get("logs") or {})

    return [Watcher()]


def save_model(model: Any, base: Base, out: Path) -> None:
    """Save a model with its adapters merged, and the tokenizer with the chat template that it was trained with."""
    merged = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    base.tokenizer.chat_template = base.format.template
    base.tokenizer.response_template = base.format.response
    merged.save_pretrained(out)
    base.tokenizer.save_pretrained(out)
