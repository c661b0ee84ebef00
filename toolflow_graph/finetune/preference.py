"""Direct preference optimisation on the pairs that a run has left: a refused answer, and the one in its place.

Source: Rafailov et al., "Direct Preference Optimization", NeurIPS 2023; by TRL's DPOTrainer.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from toolflow_graph.chat_format import render_dialogue, render_prompt
from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.devices import computes_bf16, find_device
from toolflow_graph.errors import ChatFormatError, DatasetError
from toolflow_graph.export import export_dialogues
from toolflow_graph.finetune.base import Base
from toolflow_graph.finetune.examples import drop_examples
from toolflow_graph.finetune.settings import FinetuneSettings
from toolflow_graph.finetune.trainer import CHECKPOINTS, FinetuneReport, OnStep, make_adapter, save_model, watch
from toolflow_graph.types import JSON

__all__ = ["train_on_preferences"]


def train_on_preferences(
    dialogues: Sequence[StoredDialogue], base: Base, out: Path, settings: FinetuneSettings, on_step: OnStep | None
) -> FinetuneReport:
    """Train on all pairs of the dialogues; raises `DatasetError` where there are none, as in scripted dialogues."""
    import torch  # noqa: PLC0415
    from datasets import Dataset  # noqa: PLC0415
    from transformers.trainer_utils import get_last_checkpoint  # noqa: PLC0415
    from trl import DPOConfig, DPOTrainer  # noqa: PLC0415

    pairs = list(export_dialogues(dialogues, "preference"))
    texts = [text for row in pairs if (text := _write(base, row, settings)) is not None]
    if not texts:
        raise DatasetError(
            f"the {len(dialogues)} dialogues hold {len(pairs)} preference pairs, none of which can be used; pairs come "
            "from answers that were refused, so only dialogues played by models have them"
        )
    torch.manual_seed(settings.seed)
    accumulate = max(1, round(8 / settings.batch))
    steps = max(1, math.ceil(settings.epochs * len(texts) / (accumulate * settings.batch)))
    arguments = DPOConfig(
        output_dir=str(out / CHECKPOINTS),
        per_device_train_batch_size=settings.batch,
        gradient_accumulation_steps=accumulate,
        max_steps=steps,
        learning_rate=settings.rate,
        max_length=None,
        bf16=computes_bf16(),
        use_cpu=find_device() == "cpu",
        activation_checkpointing=True,  # two answers at a time, with their prompt, are long
        logging_steps=1,
        save_steps=settings.save_every,
        save_total_limit=2,
        seed=settings.seed,
        report_to=[],
        disable_tqdm=True,
    )
    trainer = DPOTrainer(
        model=base.model,
        args=arguments,
        train_dataset=Dataset.from_list(texts),
        processing_class=base.tokenizer,
        peft_config=make_adapter(settings),
        callbacks=watch(on_step),
    )
    last = get_last_checkpoint(str(out / CHECKPOINTS)) if (out / CHECKPOINTS).is_dir() else None
    outcome = trainer.train(resume_from_checkpoint=last)
    save_model(trainer.model, base, out)
    return FinetuneReport(
        base=base.name,
        chat_format=base.format.origin,
        dialogues=len(texts),
        held_out=0,
        left_out={"too long, or refused by the chat template": len(pairs) - len(texts)}
        if len(pairs) > len(texts)
        else {},
        masked_turns=0,
        split_calls=0,
        steps=steps,
        tokens=0,
        seconds=round(float(outcome.metrics.get("train_runtime", 0.0)), 1),
        loss=float(outcome.training_loss),
        held_out_before=None,
        held_out_after=None,
    )


def _write(base: Base, row: JSON, settings: FinetuneSettings) -> JSON | None:
    """Render a pair by the base's chat template; None when it does not fit."""
    offered: list[JSON] = json.loads(row["tools"])
    tools = offered if settings.tool_examples else [drop_examples(tool) for tool in offered]
    try:
        prompt = render_prompt(base.tokenizer, base.format, row["prompt"], tools)
        answers = {
            side: render_dialogue(base.tokenizer, base.format, [*row["prompt"], *row[side]], tools).text
            for side in ("chosen", "rejected")
        }
    except ChatFormatError:
        return None
    if not all(answer.startswith(prompt) for answer in answers.values()):
        return None
    if any(len(base.tokenizer(answer)["input_ids"]) > settings.max_length for answer in answers.values()):
        return None
    return {"prompt": prompt, **{side: answer[len(prompt) :] for side, answer in answers.items()}}
