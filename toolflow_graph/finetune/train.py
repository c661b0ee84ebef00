"""One training: dialogues in, a model in Hugging Face form out."""

import json
import math
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolflow_graph.dataset import Source, StoredDialogue, open_dialogues
from toolflow_graph.devices import computes_bf16, find_device
from toolflow_graph.errors import DatasetError, SettingsError
from toolflow_graph.export import read_footprint, split_by_tool
from toolflow_graph.finetune.base import Base, load_base
from toolflow_graph.finetune.card import write_card
from toolflow_graph.finetune.examples import Encoding, encode_dialogues
from toolflow_graph.finetune.preference import train_on_preferences
from toolflow_graph.finetune.settings import FinetuneSettings
from toolflow_graph.finetune.trainer import (
    CHECKPOINTS,
    FinetuneReport,
    OnStep,
    make_adapter,
    make_sft_trainer,
    save_model,
    watch,
)

__all__ = ["finetune"]

SETTINGS = "finetune.json"


@dataclass(frozen=True)
class _Parts:
    train: Encoding
    held_out: Encoding | None


def finetune(
    sources: Sequence[Source], out: Path, settings: FinetuneSettings, *, on_step: OnStep | None = None
) -> FinetuneReport:
    """Train a base on dialogues of runs, files or shards, and save the merged model, its card and a report in `out`.

    A training that was interrupted goes on from its last checkpoint when it is started again with the same settings.
    Raises `SettingsError` when `out` was made with others, `DatasetError` when nothing is left to train on.
    """
    dialogues = [dialogue for source in sources for dialogue in open_dialogues(source)]
    _claim(out, sources, settings)
    base = load_base(settings.base, _read_template(settings), adapted=settings.adapt == "lora")
    with warnings.catch_warnings():
        # PEFT and TRL still ask by the name that transformers is to drop
        warnings.filterwarnings("ignore", r"`\w*gradient_checkpointing\w*` is deprecated", FutureWarning)
        if settings.method == "dpo":
            report = train_on_preferences(dialogues, base, out, settings, on_step)
        else:
            report = _train(_encode(dialogues, base, settings), base, out, settings, on_step)
    write_card(out, base.name, sources, dialogues, settings, report)
    (out / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return report


def _claim(out: Path, sources: Sequence[Source], settings: FinetuneSettings) -> None:
    """Note in the folder what is trained, or see that it is the same."""
    note = {"sources": [str(source) for source in sources], "settings": settings.model_dump(mode="json")}
    path = out / SETTINGS
    try:
        if path.exists():
            if json.loads(path.read_text(encoding="utf-8")) != note:
                raise SettingsError(f"{out} holds a training with other data or settings; name another folder")
            return
        if out.exists() and any(out.iterdir()):
            raise SettingsError(f"{out} is not empty and holds no training; name another folder")
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError) as exc:
        raise SettingsError(f"{out}: cannot be used: {exc}") from exc


def _read_template(settings: FinetuneSettings) -> str | None:
    if settings.chat_template is None:
        return None
    try:
        return Path(settings.chat_template).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"chat_template {settings.chat_template!r} cannot be read: {exc}") from exc


def _encode(dialogues: Sequence[StoredDialogue], base: Base, settings: FinetuneSettings) -> _Parts:
    places: Sequence[str | None] = ["train"] * len(dialogues)
    withheld: frozenset[str] = frozenset()
    if settings.holdout:
        footprints = [read_footprint(dialogue.messages, dialogue.tools) for dialogue in dialogues]
        shares = {"train": 1 - settings.holdout, "test": settings.holdout}
        split = split_by_tool(footprints, shares, random.Random(settings.seed))
        places, withheld = split.places, split.withheld("train")

    def encode(part: str, hidden: frozenset[str]) -> Encoding:
        chosen = [dialogue for dialogue, place in zip(dialogues, places, strict=True) if place == part]
        return encode_dialogues(
            chosen,
            base.tokenizer,
            base.format,
            max_length=settings.max_length,
            withheld=hidden,
            tool_examples=settings.tool_examples,
        )

    train = encode("train", withheld)
    train.left_out["between training and held-out tools"] += sum(place is None for place in places)
    if not train.examples:
        reasons = "; ".join(
            f"{count} {reason} ({train.first.get(reason, '')})" for reason, count in train.left_out.items()
        )
        raise DatasetError(f"no dialogue is left to train on: {reasons or 'the files hold none'}")
    return _Parts(train, encode("test", frozenset()) if settings.holdout else None)


def _train(parts: _Parts, base: Base, out: Path, settings: FinetuneSettings, on_step: OnStep | None) -> FinetuneReport:
    import torch  # noqa: PLC0415
    from transformers.trainer_utils import get_last_checkpoint  # noqa: PLC0415
    from trl import SFTConfig  # noqa: PLC0415

    torch.manual_seed(settings.seed)
    mean = parts.train.tokens / len(parts.train.examples)
    batches = math.ceil(len(parts.train.examples) / settings.batch)
    accumulate = min(batches, max(1, round(settings.tokens_per_step / (mean * settings.batch))))
    per_step = accumulate * settings.batch
    wanted = settings.tokens / mean if settings.tokens else settings.epochs * len(parts.train.examples)
    steps = max(1, math.ceil(wanted / per_step))
    arguments = SFTConfig(
        output_dir=str(out / CHECKPOINTS),
        per_device_train_batch_size=settings.batch,
        per_device_eval_batch_size=settings.batch,
        gradient_accumulation_steps=accumulate,
        max_steps=steps,
        learning_rate=settings.rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, round(0.05 * steps)),
        train_sampling_strategy="group_by_length",
        max_length=None,
        bf16=computes_bf16(),
        use_cpu=find_device() == "cpu",
        activation_checkpointing=False,
        logging_steps=1,
        save_steps=settings.save_every,
        save_total_limit=2,
        seed=settings.seed,
        data_seed=settings.seed,
        report_to=[],
        disable_tqdm=True,
    )
    trainer = make_sft_trainer()(
        model=base.model,
        args=arguments,
        train_dataset=_make_dataset(parts.train),
        eval_dataset=_make_dataset(parts.held_out) if parts.held_out and parts.held_out.examples else None,
        processing_class=base.tokenizer,
        peft_config=make_adapter(settings),
        callbacks=watch(on_step),
    )
    last = get_last_checkpoint(str(out / CHECKPOINTS)) if (out / CHECKPOINTS).is_dir() else None
    measured = bool(parts.held_out and parts.held_out.examples)
    before = _read_before(out, trainer) if measured else None
    outcome = trainer.train(resume_from_checkpoint=last)
    after = float(trainer.evaluate()["eval_loss"]) if measured else None
    save_model(trainer.model, base, out)
    return FinetuneReport(
        base=base.name,
        chat_format=base.format.origin,
        dialogues=len(parts.train.examples),
        held_out=len(parts.held_out.examples) if parts.held_out else 0,
        left_out={reason: count for reason, count in parts.train.left_out.items() if count},
        masked_turns=parts.train.masked,
        split_calls=parts.train.split,
        steps=steps,
        tokens=round(steps * per_step * mean),
        seconds=round(float(outcome.metrics.get("train_runtime", 0.0)), 1),
        loss=float(outcome.training_loss),
        held_out_before=before,
        held_out_after=after,
    )


def _read_before(out: Path, trainer: Any) -> float:
    """Evaluate the untrained base once; a training that resumes has done so before."""
    path = out / CHECKPOINTS / "before.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(float(trainer.evaluate()["eval_loss"])), encoding="utf-8")
    return float(json.loads(path.read_text(encoding="utf-8")))


def _make_dataset(encoding: Encoding) -> Any:
    from datasets import Dataset  # noqa: PLC0415

    rows = encoding.examples
    return Dataset.from_dict(
        {
            "input_ids": [row.input_ids for row in rows],
            "labels": [row.labels for row in rows],
            "length": [len(row.input_ids) for row in rows],
        }
    )
