"""Plays a run on a terminal or for a machine: how far it is, and an orderly end on Ctrl-C."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from toolflow_graph.runner import Run
from toolflow_graph.runner.progress import Progress as RunProgress

__all__ = ["play_run", "say_progress"]

_BAR_EVERY, _LINE_EVERY = 0.2, 1.0


def play_run(run: Run, console: Console, *, show: Literal["bar", "json", "none"] = "bar") -> int | None:
    """Play a run to its end; returns the number of the signal that ended it before, or None.

    The first SIGINT or SIGTERM lets every dialogue finish its step and saves it; the second ends the run at once, which
    costs the steps in flight and nothing else. `show` is a bar on a terminal, or a line of JSON a second on standard
    error.
    """
    return asyncio.run(_play(run, console, show=show))


async def _play(run: Run, console: Console, *, show: Literal["bar", "json", "none"]) -> int | None:
    loop = asyncio.get_running_loop()
    this = asyncio.current_task()
    received: list[int] = []

    def receive(number: int) -> None:
        received.append(number)
        if len(received) == 1:
            run.stop()
            if show == "bar" and console.is_terminal:
                console.print("Stopping after the steps in flight; once more stops at once.")
        elif this is not None:
            this.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, receive, number)
    shown = _show_bar(run, console) if show == "bar" else _print_lines(run) if show == "json" else nullcontext()
    try:
        async with shown, aclosing(run.play()) as records:
            async for _ in records:
                pass
    except asyncio.CancelledError:
        if not received:
            raise
    return received[0] if received and run.stopped else None


@asynccontextmanager
async def _show_bar(run: Run, console: Console) -> AsyncIterator[None]:
    bar = Progress(
        TextColumn("Generating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=run.counts.planned, completed=run.counts.accepted, said="")

    def draw() -> None:
        progress = run.look()
        bar.update(task, completed=progress.accepted, said=say_progress(progress))

    with bar:
        async with _repeat(draw, _BAR_EVERY):
            yield


@asynccontextmanager
async def _print_lines(run: Run) -> AsyncIterator[None]:
    def write() -> None:
        sys.stderr.write(json.dumps(run.look().model_dump(mode="json")) + "\n")
        sys.stderr.flush()

    write()
    try:
        async with _repeat(write, _LINE_EVERY):
            yield
    finally:
        write()


@asynccontextmanager
async def _repeat(act: Callable[[], None], seconds: float) -> AsyncIterator[None]:
    async def work() -> None:
        while True:
            await asyncio.sleep(seconds)
            act()

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def say_progress(progress: RunProgress) -> str:
    """Return rate, time left, what was rejected, tokens and cost: what there is of them, in rich's markup."""
    said = []
    if progress.rate is not None:
        rate = progress.rate
        said.append(f"{rate:.1f}/s" if rate >= 0.1 else f"{60 * rate:.1f}/min")
    if progress.seconds_left:
        said.append(f"{_say_time(progress.seconds_left)} left")
    if progress.rejected:
        said.append(f"[red]{progress.rejected:,} rejected[/]")
    if progress.tokens:
        said.append(_say_tokens(progress.tokens))
    if progress.cost:
        said.append(f"${progress.cost:,.2f}")
    return " · ".join(said)


def _say_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _say_tokens(tokens: int) -> str:
    if tokens < 1_000_000:
        return f"{tokens / 1000:,.0f}k tokens"
    return f"{tokens / 1_000_000:,.1f}M tokens"
