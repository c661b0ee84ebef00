"""What evaluating costs: seconds and memory of `toolflow evaluate` without judge and NLI, step by step.

    toolflow generate --dialogues 10000 --seed 11 --set checkpoints=none --out runs/evaluation
    python benchmarks/evaluation.py runs/evaluation                 # every dialogue a different one
    python benchmarks/evaluation.py runs/evaluation --ss-sample 1000
    python benchmarks/evaluation.py                                 # 300 dialogues, made first

The embeddings are computed anew (the cache is a folder that is thrown away), unless `--cached`. Aim: 10,000 dialogues
in under two minutes. Nearly all of it is one thread, so CPU time is what it takes on an idle machine; the verdict goes
by that.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from toolflow_graph.dataset import open_dialogues
from toolflow_graph.encoder import CACHE_VARIABLE, load_encoder
from toolflow_graph.evaluation import EvaluationSettings, evaluate_dialogues
from toolflow_graph.runner import generate

AIM_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, nargs="?")
    parser.add_argument("--ss-sample", type=int, default=EvaluationSettings().sample)
    parser.add_argument("--cached", action="store_true", help="Use the embeddings that are cached already.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not given.cached:
            os.environ[CACHE_VARIABLE] = folder
        source = given.source or Path(folder) / "run"
        if given.source is None:
            for _ in generate(dialogues=300, seed=11, out=source):
                pass
        measure(source, given.ss_sample)


def measure(source: Path, sample: int) -> None:
    steps: dict[str, tuple[float, float]] = {}
    started = now = (time.process_time(), time.perf_counter())
    doing = "reading"

    def report(what: str, _done: int, _total: int | None) -> None:
        nonlocal now, doing
        if what != doing:
            before, now = now, (time.process_time(), time.perf_counter())
            steps[doing] = (now[0] - before[0], now[1] - before[1])
            doing = what

    found = evaluate_dialogues(
        str(source),
        open_dialogues(source),
        encoder=load_encoder(),
        settings=EvaluationSettings(sample=sample),
        on_progress=report,
    )
    end = (time.process_time(), time.perf_counter())
    steps[doing] = (end[0] - now[0], end[1] - now[1])
    print(f"{found.dialogues:,} dialogues, {len(found.measures)} measures")
    for what, (cpu, wall) in steps.items():
        print(f"  {what:<10} {cpu:7.1f} s of CPU {wall:7.1f} s")
    cpu, wall = end[0] - started[0], end[1] - started[1]
    print(f"  {'all':<10} {cpu:7.1f} s of CPU {wall:7.1f} s  {'ok' if cpu < AIM_S else 'MISSED'}")
    print(f"  {found['ss'].note}")
    print(f"  memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
