"""`toolflow generate --dry-run`: what a run would take."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolflow_graph.cli.costs import name_unpriced, say_dollars
from toolflow_graph.runner.estimate import Estimate, Span, estimate_run
from toolflow_graph.settings import parse_settings

__all__ = ["show_estimate"]

_MINUTE, _HOUR = 60, 3600
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def show_estimate(values: Mapping[str, Any], *, quiet: bool = False) -> None:
    """Estimate a run with these settings and print it."""
    settings = parse_settings(values)
    console = Console(stderr=True)
    with nullcontext() if quiet else console.status("Trying a few dialogues …"):
        estimate = asyncio.run(estimate_run(settings))
    print_estimate(Console(), estimate)


def print_estimate(console: Console, estimate: Estimate) -> None:
    """Print an estimate."""
    console.print(Columns([_draw_figures(estimate), _draw_patterns(estimate)], padding=(0, 4)))
    if estimate.roles:
        console.print(_draw_roles(estimate))
    for line in _tell(estimate):
        console.print(line, soft_wrap=True)


def _draw_figures(estimate: Estimate) -> Table:
    table = Table(title=f"Estimate for {estimate.dialogues:,} accepted dialogues", title_justify="left")
    table.add_column("")
    for name in ("low", "likely", "high"):
        table.add_column(name, justify="right")
    rows: list[tuple[str, Span | None, Callable[[float], str]]] = [
        ("dialogues played", estimate.played, _say_number),
        ("requests", estimate.requests, _say_number),
        ("prompt tokens", estimate.prompt, _say_number),
        ("completion tokens", estimate.completion, _say_number),
        ("cost", estimate.cost, say_dollars),
        ("time", estimate.seconds, _say_time),
    ]
    for name, span, say in rows:
        if span is not None:
            table.add_row(name, say(span.low), say(span.likely), say(span.high))
    each = estimate.disk / estimate.played.likely
    table.add_row("disk", "", _say_size(estimate.disk), f"{_say_size(each)} each", style="dim")
    return table


def _draw_patterns(estimate: Estimate) -> Table:
    table = Table(title="Dialogues with pattern", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right", style="dim")
    for name, number in estimate.patterns.items():
        table.add_row(name, f"{number:,}", f"{number / estimate.dialogues:.0%}")
    return table


def _draw_roles(estimate: Estimate) -> Table:
    table = Table(title="Each dialogue played, likely", title_justify="left")
    table.add_column("")
    for name in ("requests", "prompt", "cached", "completion", "cost"):
        table.add_column(name, justify="right")
    for role, share in estimate.roles.items():
        figures = (share.prompt, share.cached, share.completion)
        table.add_row(role, f"{share.requests:.1f}", *(f"{figure:,.0f}" for figure in figures), say_dollars(share.cost))
    known = [share.cost for share in estimate.roles.values() if share.cost is not None]
    if len(known) == len(estimate.roles) > 1:
        table.add_row("in all", "", "", "", "", say_dollars(sum(known)), style="bold")
    return table


def _tell(estimate: Estimate) -> Iterator[Text]:
    """Yield what must be known besides."""
    if estimate.without_price:
        yield Text(name_unpriced(estimate.without_price), style="yellow")
    if estimate.stopped_by is not None:
        option = "--" + estimate.stopped_by.replace("_", "-")
        yield Text(
            f"{option} would stop the run after about {estimate.stops_after:,} of {estimate.dialogues:,} dialogues",
            style="yellow",
        )
    if estimate.trial is None:
        return
    played = estimate.played
    low, likely, high = (estimate.dialogues / number for number in (played.low, played.likely, played.high))
    yield Text(
        f"Low is with {low:.0%} of the dialogues accepted, likely with {likely:.0%}, high with {high:.0%}: rejected "
        "ones are paid for, and replaced.",
        style="dim",
    )
    trial, spent = estimate.trial, estimate.trial.spent
    if trial.broke_off is not None:
        yield Text(f"a rough estimate: a dialogue that was tried broke off, {trial.broke_off}", style="yellow")
    cost = "" if spent.cost is None else f", {say_dollars(spent.cost)}"
    yield Text(
        f"For this, models began {trial.begun} dialogue{'s' if trial.begun > 1 else ''} and played {trial.ended} to "
        f"the end: "
        f"{spent.requests} requests, {spent.prompt + spent.completion:,} tokens{cost}. Nothing was kept.",
        style="dim",
    )


def _say_number(number: float) -> str:
    return f"{number:,.0f}"


def _say_time(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


def _say_size(size: float) -> str:
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}"
        size /= 1000
    raise AssertionError
