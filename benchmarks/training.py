"""Tokens that training reads in a CPU second: what precision and the place of the loss are worth.

    .venv/bin/python benchmarks/training.py [--base smollm2] [--dialogues 4] [--rank 16]

One thread, LoRA, loading included, dialogues of the scripted cast in the default mix, one step of the optimiser over
all of them. A CPU that does not compute in bf16 has no row for it. Needs what benchmarks/replication.py needs.

loss at labels     probabilities of the vocabulary only where the assistant's tokens are
loss everywhere    as TRL's SFTTrainer computes them
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

from toolflow_graph.devices import computes_bf16
from toolflow_graph.finetune import DEFAULT_BASE, finetune, parse_finetune_settings
from toolflow_graph.finetune import train as module
from toolflow_graph.runner import generate


def import_trainer() -> type:
    from trl import SFTTrainer  # noqa: PLC0415

    return SFTTrainer


PLACES = {"loss at labels": module.make_sft_trainer, "loss everywhere": import_trainer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=DEFAULT_BASE)
    parser.add_argument("--dialogues", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        for _ in generate(dialogues=given.dialogues, seed=7, out=run):
            pass
        print("precision  loss              tokens   CPU s  tokens/CPU s")
        for halved in (True, False):
            if halved and not computes_bf16():
                continue
            for place, trainer in PLACES.items():
                out = Path(folder) / f"{halved}-{place}"
                values = {
                    "base": given.base,
                    "rank": given.rank,
                    "batch": 1,
                    "holdout": 0.0,
                    "tokens_per_step": 1 << 20,
                }
                with (
                    patch.object(module, "make_sft_trainer", trainer),
                    patch.object(module, "computes_bf16", lambda halved=halved: halved),
                ):
                    began = time.process_time()
                    report = finetune([run], out, parse_finetune_settings(values))
                    spent = time.process_time() - began
                precision = "bf16" if halved else "fp32"
                print(
                    f"{precision:9}  {place:16}{report.tokens:8,}{spent:8.1f}{report.tokens / spent:14.1f}", flush=True
                )


if __name__ == "__main__":
    main()
