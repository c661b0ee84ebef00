"""What all trainings share: adapters, what is told of each step, the model that is saved, and what came of it."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from toolflow_graph.finetune.base import Base
from toolflow_graph.finetune.examples import IGNORED
from toolflow_graph.finetune.settings import FinetuneSettings
from toolflow_graph.types import JSON, Record

__all__ = ["CHECKPOINTS", "FinetuneReport", "OnStep", "make_adapter", "make_sft_trainer", "save_model", "watch"]

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


def make_sft_trainer() -> Any:
    """Return TRL's SFTTrainer, with the loss computed where there are labels, and nowhere else.

    Of a dialogue about a seventh is trained on, and a third of the time of a small model goes into the probabilities of
    its whole vocabulary. Where a model has losses of its own, or several processes train, TRL's own is taken.
    """
    import torch  # noqa: PLC0415
    from trl import SFTTrainer  # noqa: PLC0415

    class LabelledTrainer(SFTTrainer):  # type: ignore[misc] # trl is not typed
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            plain = "logits_to_keep" in signature(type(self._unwrap()).forward).parameters
            if return_outputs or self.aux_loss_enabled or self.accelerator.num_processes > 1 or not plain:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            following = torch.nn.functional.pad(inputs["labels"], (0, 1), value=IGNORED)[:, 1:]
            places = (following != IGNORED).any(dim=0).nonzero().squeeze(1)
            rest = {key: value for key, value in inputs.items() if key != "labels"}
            logits = model(**rest, use_cache=False, logits_to_keep=places).logits
            wanted = following[:, places].flatten()
            total = torch.nn.functional.cross_entropy(
                logits.float().flatten(0, 1), wanted, ignore_index=IGNORED, reduction="sum"
            )
            count = (wanted != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
            return total / count

        def _unwrap(self) -> Any:
            model = self.accelerator.unwrap_model(self.model)
            return model.get_base_model() if hasattr(model, "get_base_model") else model

    return LabelledTrainer


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
