"""How much faster several processes play the scripted cast than one, and that they write the same bytes.

    python benchmarks/workers.py [--dialogues 400] [--workers 1 2] [--checkpoints journal]

Each number of workers plays a short run and one of that many dialogues more, each begun by a fresh process; figures
are per dialogue of the difference, so that starting up does not count (it is shown apart). A process plays its first
hundred dialogues more slowly than later ones, and every worker has them: take many. Wall time needs idle cores, CPU
time does not: `bound` is how much faster so many workers can be than one process if each has a core, by the CPU time
that all processes took together per dialogue, the one that collects the records included, whose time is a worker's
loss.
Aim: two workers at least 1.8 times as fast as one process.
"""

import argparse
import asyncio
import hashlib
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolflow_graph.runner import Run
from toolflow_graph.settings import RunSettings

SHORT = 40


@dataclass
class Taken:
    """Seconds of a run: wall time, CPU of the process that began it, CPU of its children."""

    wall: float = 0.0
    own: float = 0.0
    children: float = 0.0


@contextmanager
def measure(taken: Taken) -> Iterator[None]:
    def read() -> tuple[float, float, float]:
        own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter(), own.ru_utime + own.ru_stime, ended.ru_utime + ended.ru_stime

    before = read()
    yield
    taken.wall, taken.own, taken.children = (now - then for now, then in zip(read(), before, strict=True))


def play(settings: RunSettings, out: Path) -> Taken:
    """Play a run in a process of its own and return what it took."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(play_here, settings, out).result()


def play_here(settings: RunSettings, out: Path) -> Taken:
    """Play a run and return what it took."""

    async def exhaust() -> None:
        run = Run.start(settings, out)
        try:
            async for _ in run.play():
                pass
        finally:
            run.close()

    taken = Taken()
    with measure(taken):
        asyncio.run(exhaust())
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--checkpoints", choices=["keep", "journal", "none"], default="journal")
    chosen = parser.parse_args()
    first: tuple[float, float] | None = None
    for workers in chosen.workers:
        digests = []
        runs = []
        for number in (SHORT, SHORT + chosen.dialogues):
            with tempfile.TemporaryDirectory() as folder:
                settings = RunSettings(dialogues=number, seed=1, workers=workers, checkpoints=chosen.checkpoints)
                runs.append(play(settings, Path(folder) / "run"))
                digests.append(hashlib.sha256((Path(folder) / "run" / "dialogues.jsonl").read_bytes()).hexdigest())
        short, long = runs
        wall = (long.wall - short.wall) / chosen.dialogues
        own, children = (
            (b - a) / chosen.dialogues for a, b in ((short.own, long.own), (short.children, long.children))
        )
        cpu = own + children
        first = first or (wall, cpu)
        print(
            f"{workers} workers: {1 / wall:6.1f} dialogues/s ({first[0] / wall:.2f}x); CPU {1000 * cpu:.1f} ms a "
            f"dialogue, of it {1000 * own:.1f} in the process that began it; bound {workers * first[1] / cpu:.2f}x; "
            f"start-up {short.own + short.children - SHORT * cpu:.1f} CPU s; sha256 {digests[1][:16]}",
            flush=True,
        )


if __name__ == "__main__":
    main()
