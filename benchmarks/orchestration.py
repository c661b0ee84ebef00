"""What a scripted dialogue costs, and where: agents, checks, LangGraph, checkpoints, files.

    python benchmarks/orchestration.py [--dialogues 100] [--profile]

CPU milliseconds are those of the process with all its threads, so that a loaded machine hardly shows; dialogues per
second are wall time. The plain loop calls the same nodes on a dict, without LangGraph. Aim: at most 40 ms of CPU per
30-step dialogue with the saver, of which the scripted agents at most 10.
"""

import argparse
import asyncio
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from langgraph.runtime import Runtime

from toolflow_graph.agents.roles import Cast
from toolflow_graph.dialogue import graph as wiring
from toolflow_graph.dialogue import nodes
from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.runner import Run
from toolflow_graph.settings import MixEntry, RunSettings, assign_patterns

LONG = {
    "tools": 8,
    "mix": (MixEntry(share=1, patterns=("sequential", "single", "missing_parameter", "correction", "tool_error")),),
}
"""Settings whose dialogues have about 30 steps."""

ROUTERS = {
    "sampler": wiring.after_sampler,
    "planner": wiring.after_planner,
    "user": wiring.after_user,
    "assistant": None,
}


async def play_plainly(settings: RunSettings, index: int, patterns: tuple[str, ...]) -> tuple[int, dict[str, Any]]:
    """Play one dialogue in a loop; returns its steps and its last state."""
    runtime = Runtime(context=settings.dialogue())
    state: dict[str, Any] = {"index": index, "patterns": list(patterns), "messages": []}
    node, steps = "sampler", 0
    while True:
        update = await getattr(nodes, node)(state, runtime)
        state = {**state, **update, "messages": state["messages"] + update.get("messages", [])}
        steps += 1
        if node == "validator":
            return steps, state
        if node == "tool_simulator":
            node = "assistant"
        elif node == "assistant":
            node = await wiring.after_assistant(state, runtime)
        else:
            node = await ROUTERS[node](state)


class Stopwatch:
    """Adds up the CPU seconds spent in an agent's methods."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def watch(self, agent: object, *methods: str) -> object:
        """Return the agent with these methods measured."""
        watch = self

        class Watched:
            def __getattr__(self, name: str) -> Any:
                method = getattr(agent, name)
                return watch.measure(method) if name in methods else method

        return Watched()

    def measure(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method, measured; scripted agents never wait, so their coroutines run in one go."""
        if not asyncio.iscoroutinefunction(method):

            def measured(*args: Any, **options: Any) -> Any:
                began = time.thread_time()
                try:
                    return method(*args, **options)
                finally:
                    self.seconds += time.thread_time() - began

            return measured

        async def measured_async(*args: Any) -> Any:
            began = time.thread_time()
            try:
                return await method(*args)
            finally:
                self.seconds += time.thread_time() - began

        return measured_async


def watch_agents(stage: Stage, watch: Stopwatch) -> Stage:
    cast = Cast(
        stage.cast.name,
        watch.watch(stage.cast.planner, "accepts", "plan"),
        watch.watch(stage.cast.user, "speak"),
        watch.watch(stage.cast.assistant, "act"),
        watch.watch(stage.cast.tool_simulator, "run"),
    )
    return replace(stage, cast=cast)


@contextmanager
def measure_cpu(result: list[float]) -> Iterator[None]:
    began, cpu = time.perf_counter(), time.process_time()
    yield
    result += [time.process_time() - cpu, time.perf_counter() - began]


def measure_plain(settings: RunSettings) -> tuple[float, float, float, float]:
    """Return per dialogue: steps, CPU ms of everything, of the agents alone, of the checks alone."""
    assigned = assign_patterns(settings.mix, settings.dialogues, settings.seed)
    agents, checks = Stopwatch(), Stopwatch()
    stage = watch_agents(load_stage(settings), agents)

    async def play() -> int:
        return sum([(await play_plainly(settings, index, patterns))[0] for index, patterns in enumerate(assigned)])

    taken: list[float] = []
    with (
        patch.object(nodes, "load_stage", lambda _: stage),
        patch.object(nodes, "validate_dialogue", checks.measure(nodes.validate_dialogue)),
        measure_cpu(taken),
    ):
        steps = asyncio.run(play())
    count = settings.dialogues
    return steps / count, 1000 * taken[0] / count, 1000 * agents.seconds / count, 1000 * checks.seconds / count


def measure_run(settings: RunSettings, out: Path | None) -> tuple[float, float]:
    """Return CPU ms per dialogue and dialogues per second of a run."""

    async def play() -> None:
        run = Run.start(settings, out)
        try:
            async for _ in run.play():
                pass
        finally:
            run.close()

    taken: list[float] = []
    with measure_cpu(taken):
        asyncio.run(play())
    return 1000 * taken[0] / settings.dialogues, settings.dialogues / taken[1]


def print_figures(settings: RunSettings) -> None:
    steps, plain, agents, checks = measure_plain(settings)
    print(f"{settings.dialogues} dialogues of {steps:.1f} steps; CPU ms per dialogue, in brackets per 30 steps")

    def show(name: str, value: float, note: str = "") -> None:
        print(f"  {name:<36} {value:7.2f}  ({30 * value / steps:6.2f})  {note}")

    show("scripted agents", agents)
    show("checks", checks)
    show("plain Python loop, all in all", plain)
    with tempfile.TemporaryDirectory() as folder:
        for name, kept, saved in (("no folder", False, "none"), ("files", True, "none"), ("SQLite", True, "keep")):
            for concurrency in (1, 16, 64):
                varied = settings.model_copy(update={"concurrency": concurrency, "checkpoints": saved})
                out = Path(folder) / f"{name}-{concurrency}" if kept else None
                cpu, rate = measure_run(varied, out)
                note = f"{rate:6.1f} dialogues/s, agents {100 * agents / cpu:.0f} %"
                show(f"LangGraph, {name}, concurrency {concurrency}", cpu, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=100)
    parser.add_argument("--profile", action="store_true", help="print where the time of a run with checkpoints goes")
    chosen = parser.parse_args()
    settings = RunSettings(dialogues=chosen.dialogues, seed=1)
    load_stage(settings)
    measure_plain(settings)  # warms imports and caches

    for title, varied in (("default mix", settings), ("long dialogues", settings.model_copy(update=LONG))):
        print(f"\n{title}")
        print_figures(varied)
    if chosen.profile:
        with tempfile.TemporaryDirectory() as folder:
            profile = cProfile.Profile()
            profile.runcall(measure_run, settings, Path(folder) / "profiled")
            pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
