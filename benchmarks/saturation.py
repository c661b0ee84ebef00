"""How well a run keeps an endpoint busy: requests a second against what its slots could answer at most.

    python benchmarks/saturation.py [--seconds 60] [--slots 64] [--in-flight 64] [--median 1.0] [--sigma 0.5]
        [--workers 1]

The endpoint is a process of its own on the loopback. It answers so many requests at once as it has slots, each after a
time drawn from a log-normal distribution; whoever comes when all slots are taken waits. The models are played by the
scripted cast (tests/players.py). The run has no end: it is stopped after the seconds, so that a tail of few dialogues
does not show. The bound is slots / mean time that a request held its slot, as the endpoint measured it; what is counted
are answers between the moment when all slots were taken for the first time and the stop (`steady`), and from the first
request on (`whole`). Aim: at least 95 % of the bound, steady.

With as many requests in flight as there are slots, a slot is empty while its answer is on its way back and the next
request on its way there. A few more in flight wait at the endpoint instead.

The curve shows the slots taken over time. CPU is that of the run's processes, per request: with more than one core's
worth of it (requests a second x CPU seconds per request > 1), give it --workers.
"""

import argparse
import asyncio
import math
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from toolflow_graph.runner import Run
from toolflow_graph.settings import RunSettings, parse_settings

sys.path.append(str(Path(__file__).parent.parent / "tests"))

Span = tuple[float, float]

BARS = " ▁▂▃▄▅▆▇█"


def settle(chosen: argparse.Namespace, seed: int, **models: Any) -> RunSettings:
    """Return settings of a run that has more dialogues than it can finish."""
    expected = chosen.slots / chosen.median * chosen.seconds
    return parse_settings(
        {
            "cast": "llm",
            "tools": 8,
            "seed": seed,
            "dialogues": 2 * chosen.slots + math.ceil(expected / 8),
            "max_attempts": 1,
            "max_rejected": 1.0,
            "workers": chosen.workers,
            "checkpoints": "journal",
            "models": {
                "model": "test-model",
                "max_in_flight": chosen.in_flight or chosen.slots,
                "timeout_s": 600,
                **models,
            },
        }
    )


def serve(chosen: argparse.Namespace, line: Connection) -> None:
    """Be the endpoint: tell the address and the seed, wait for the end, return who held a slot from when to when."""
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415

    from endpoint import Endpoint, Entry  # noqa: PLC0415 - a module of the tests
    from players import Players  # noqa: PLC0415

    class Slow(Endpoint):
        """An endpoint with slots; `spans` are the times for which a request held one."""

        def begin(self) -> None:
            self.slots = asyncio.Semaphore(chosen.slots)
            self.spans: list[Span] = []
            self.rng = random.Random(1)

        async def _respond(self, request: Request, entry: Entry) -> Response:
            async with self.slots:
                began = time.time()
                drawn = chosen.median * math.exp(self.rng.gauss(0, chosen.sigma))
                response = await super()._respond(request, entry)
                await asyncio.sleep(max(0.0, began + drawn - time.time()))
                if not entry.probe:
                    self.spans.append((began, time.time()))
                entry.body = entry.answer = None  # type: ignore[assignment] - not to be looked at any more
                return response

    def find_players() -> tuple[int, Players]:
        for seed in count():
            try:
                return seed, Players(settle(chosen, seed))
            except AssertionError:  # two dialogues at the same time and place
                continue
        raise AssertionError

    seed, players = find_players()
    endpoint = Slow(players)
    endpoint.begin()
    with endpoint:
        line.send((endpoint.base_url, seed))
        line.recv()
    line.send(endpoint.spans)


async def play(run: Run, seconds: float) -> float:
    """Play for so long, then stop; returns the moment of the stop."""
    stopped = 0.0

    def stop() -> None:
        nonlocal stopped
        stopped = time.time()
        run.stop()

    asyncio.get_running_loop().call_later(seconds, stop)
    try:
        async for _ in run.play():
            pass
    finally:
        run.close()
    return stopped or time.time()


def draw_curve(spans: Sequence[Span], began: float, ended: float, slots: int, columns: int = 72) -> str:
    """Return the mean number of taken slots over time as one line of bars."""
    width = (ended - began) / columns
    taken = [0.0] * columns
    for start, end in spans:
        for column in range(max(0, int((start - began) / width)), min(columns, int((end - began) / width) + 1)):
            left = began + column * width
            taken[column] += max(0.0, min(end, left + width) - max(start, left)) / width
    return "".join(BARS[min(8, round(8 * number / slots))] for number in taken)


def find_full(spans: Sequence[Span], slots: int) -> float | None:
    """Return when all slots were taken for the first time."""
    running = 0
    for moment, change in sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans]):
        running += change
        if running >= slots:
            return moment
    return None


def print_figures(spans: Sequence[Span], stopped: float, cpu: float, chosen: argparse.Namespace) -> None:
    began = min(start for start, _ in spans)
    mean = sum(end - start for start, end in spans) / len(spans)
    bound = chosen.slots / mean
    print(f"{len(spans)} requests, {mean:.2f} s each in the mean; {chosen.slots} slots bear {bound:.1f} a second")
    full = find_full(spans, chosen.slots)
    for name, since in (("whole", began), ("steady", full)):
        if since is None:
            print(f"  {name:<7} never were all slots taken")
            continue
        rate = sum(since < end <= stopped for _, end in spans) / (stopped - since)
        share = 100 * rate / bound
        print(f"  {name:<7} {rate:6.1f} a second, {share:5.1f} % of the bound (from {since - began:.1f} s on)")
    print(f"  CPU     {1000 * cpu / len(spans):6.1f} ms a request, {100 * cpu / (stopped - began):.0f} % of one core")
    print(f"  slots taken over {stopped - began:.0f} s:")
    print("  " + draw_curve(spans, began, stopped, chosen.slots))


def measure_cpu() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--in-flight", type=int, help="requests at once; as many as there are slots by itself")
    parser.add_argument("--median", type=float, default=1.0, help="seconds of an answer")
    parser.add_argument("--sigma", type=float, default=0.5, help="of the logarithm of the seconds")
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    line, other = context.Pipe()
    server = context.Process(target=serve, args=(chosen, other), daemon=True)
    server.start()
    base_url, seed = line.recv()
    settings = settle(chosen, seed, base_url=base_url)
    with tempfile.TemporaryDirectory() as folder:
        run = Run.start(settings, Path(folder) / "run")
        before = measure_cpu()
        stopped = asyncio.run(play(run, chosen.seconds))
        cpu = measure_cpu() - before
    line.send("end")
    spans = line.recv()
    server.join()
    print_figures(spans, stopped, cpu, chosen)


if __name__ == "__main__":
    main()
