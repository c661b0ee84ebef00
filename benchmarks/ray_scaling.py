"""How a run grows with the workers of a Ray cluster, which is started here for it.

    python benchmarks/ray_scaling.py [--workers 1 2 4] [--slots 4] [--median 4.0] [--seconds 60] [--dialogues 300]

Latency-bound: each worker may have so many requests in flight as `--slots` says, and the endpoint (saturation.py) has
slots for all of them and takes a time drawn from a log-normal distribution. Counted are answers a second between the
moment when all slots were taken for the first time and the stop. With w workers the bound is w x slots / mean time.
CPU-bound: scripted dialogues a second, from the first one that finished to the last. There a cluster grows with the
cores that it has, and all actors here share those of one machine.
"""

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import ray

from saturation import find_full, play, serve, settle
from toolflow_graph.runner import Run
from toolflow_graph.settings import RunSettings


def measure_waiting(chosen: argparse.Namespace, workers: int) -> tuple[float, float]:
    """Return answers a second with so many workers, and the bound."""
    asked = argparse.Namespace(**{**vars(chosen), "slots": workers * chosen.slots, "workers": workers})
    context = multiprocessing.get_context("spawn")
    line, other = context.Pipe()
    server = context.Process(target=serve, args=(asked, other), daemon=True)
    server.start()
    base_url, seed = line.recv()
    settings = settle(asked, seed, base_url=base_url)
    settings = settings.model_copy(update={"engine": "ray", "checkpoints": "none"})
    with tempfile.TemporaryDirectory() as folder:
        stopped = asyncio.run(play(Run.start(settings, Path(folder) / "run"), chosen.seconds))
    line.send("end")
    spans = line.recv()
    server.join()
    full = find_full(spans, asked.slots)
    if full is None:
        raise SystemExit("never were all slots taken; give more --seconds")
    mean = sum(end - start for start, end in spans) / len(spans)
    return sum(full < end <= stopped for _, end in spans) / (stopped - full), asked.slots / mean


def measure_computing(chosen: argparse.Namespace, workers: int) -> float:
    """Return scripted dialogues a second with so many workers."""
    settings = RunSettings(dialogues=chosen.dialogues, seed=1, engine="ray", workers=workers)
    moments = []

    async def exhaust(run: Run) -> None:
        moments.extend([time.monotonic() async for _ in run.play()])

    with tempfile.TemporaryDirectory() as folder:
        run = Run.start(settings, Path(folder) / "run")
        asyncio.run(exhaust(run))
        run.close()
    return (len(moments) - 1) / (moments[-1] - moments[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--slots", type=int, default=4, help="requests in flight of each worker")
    parser.add_argument("--median", type=float, default=4.0, help="seconds of an answer")
    parser.add_argument("--sigma", type=float, default=0.5, help="of the logarithm of the seconds")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--dialogues", type=int, default=300, help="scripted ones; 0 leaves them out")
    chosen = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=max(chosen.workers), include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    first = None
    for workers in chosen.workers:
        rate, bound = measure_waiting(chosen, workers)
        first = first or rate / workers
        print(
            f"waiting    {workers} workers {rate:6.2f} answers a second, {rate / first:.2f} times one worker, "
            f"{100 * rate / bound:.0f} % of the bound",
            flush=True,
        )
    for workers in chosen.workers if chosen.dialogues else []:
        print(f"computing  {workers} workers {measure_computing(chosen, workers):6.2f} dialogues a second", flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
