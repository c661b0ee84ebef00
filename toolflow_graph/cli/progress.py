"""Plays a run on a terminal: a progress bar, and an orderly end on Ctrl-C."""

import asyncio
import signal
from contextlib import aclosing

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from toolflow_graph.runner import Run, RunEvent

__all__ = ["RateColumn", "play_run"]


class RateColumn(ProgressColumn):
    """What is done per second, or per minute."""

    def render(self, task: Task) -> Text:
        """Return the rate of a task, nothing while there is none."""
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 0.1 else f"{speed * 60:.1f}/min", style="progress.data.speed")


def play_run(run: Run, console: Console, *, quiet: bool = False) -> int | None:
    """Play a run to its end; returns the number of the signal that ended it before, or None.

    The first SIGINT or SIGTERM lets every dialogue finish its step and saves it; the second ends the run at once, which
    costs the steps in flight and nothing else.
    """
    return asyncio.run(_play(run, console, quiet=quiet))


async def _play(run: Run, console: Console, *, quiet: bool) -> int | None:
    loop = asyncio.get_running_loop()
    this = asyncio.current_task()
    received: list[int] = []

    def receive(number: int) -> None:
        received.append(number)
        if len(received) == 1:
            run.stop()
        elif this is not None:
            this.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, receive, number)
    bar = Progress(
        TextColumn("Generating"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    task = bar.add_task("", total=run.counts.planned, completed=run.counts.accepted, note="")

    def tell(event: RunEvent) -> None:
        rejected = event.counts.rejected
        notes = [f"[red]{rejected} rejected[/]"] if rejected else []
        if run.account is not None and (cost := run.account.ledger.total.cost):
            notes.append(f"${cost:.2f}")
        bar.update(task, completed=event.counts.accepted, note=" ".join(notes))

    try:
        with bar:
            async with aclosing(run.play(tell)) as records:
                async for _ in records:
                    pass
    except asyncio.CancelledError:
        if not received:
            raise
    return received[0] if received and run.stopped else None
