"""What a finished run shows: a table of figures, one whole dialogue, the files, and what to try next."""

import shlex
from collections import Counter
from itertools import islice
from pathlib import Path

from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolflow_graph.cli.costs import draw_costs, tell_costs
from toolflow_graph.cli.transcript import draw_dialogue
from toolflow_graph.dataset import ACCEPTED, MANIFEST, REJECTED, read_dialogues
from toolflow_graph.runner import Manifest
from toolflow_graph.runner.folder import find_checkpoints
from toolflow_graph.runner.spending import SPENDING
from toolflow_graph.types import DialogueRecord

__all__ = ["print_summary"]

_LOOKED_AT, _IDEAL_LENGTH = 20, 18


def print_summary(console: Console, folder: Path, manifest: Manifest) -> None:
    """Print the end of a run."""
    console.print(_draw_figures(manifest))
    if manifest.costs is not None:
        console.print(draw_costs(manifest.costs))
        for line in tell_costs(manifest.costs):
            console.print(line, soft_wrap=True)
    if manifest.counts.rejected:
        console.print(Text("rejected for: " + _count_reasons(folder / REJECTED), style="red"))
    shown = _choose_dialogue(folder / ACCEPTED)
    if shown is not None:
        console.print(draw_dialogue(shown))
    _print_next(console, folder, manifest, shown)


def _draw_figures(manifest: Manifest) -> Columns:
    counts = manifest.counts
    run = Table(title="Run", title_justify="left", show_header=False)
    run.add_column()
    run.add_column(justify="right")
    for name, value in {
        "accepted": f"[green]{counts.accepted:,}[/]",
        "rejected": f"[red]{counts.rejected:,}[/]" if counts.rejected else "0",
        "user turns": f"{counts.turns:,}",
        "messages": f"{counts.messages:,}",
        "tool calls": f"{counts.calls:,}",
        "seconds": f"{manifest.seconds:.1f}",
        "dialogues/s": f"{counts.done / manifest.seconds:.1f}" if manifest.seconds else "-",
    }.items():
        run.add_row(name, value)
    patterns = Table(title="Dialogues with pattern", title_justify="left", show_header=False)
    patterns.add_column()
    patterns.add_column(justify="right")
    for name, number in sorted(counts.patterns.items(), key=lambda item: -item[1]):
        patterns.add_row(name, f"{number:,}")
    return Columns([run, patterns], padding=(0, 4))


def _count_reasons(path: Path) -> str:
    reasons: Counter[str] = Counter()
    for dialogue in read_dialogues(path):
        if dialogue.record is not None:
            reasons.update({finding.check for finding in dialogue.record.findings if finding.severity == "error"})
    return ", ".join(f"{check} ({number})" for check, number in reasons.most_common())


def _choose_dialogue(path: Path) -> DialogueRecord | None:
    """Return one of the first dialogues: many patterns, calls, and a length that fits a screen."""
    records = [stored.record for stored in islice(read_dialogues(path), _LOOKED_AT) if stored.record is not None]

    def rank(record: DialogueRecord) -> tuple[bool, int, int]:
        return record.usage["calls"] > 0, len(set(record.patterns)), -abs(record.usage["messages"] - _IDEAL_LENGTH)

    return max(records, key=rank, default=None)


def _print_next(console: Console, folder: Path, manifest: Manifest, shown: DialogueRecord | None) -> None:
    counts = manifest.counts
    files = [(ACCEPTED, f"{counts.accepted:,} dialogues, one a line")]
    if counts.rejected:
        files.append((REJECTED, f"{counts.rejected:,}, with what was found in them"))
    files.append((MANIFEST, "settings, versions, counts"))
    if manifest.costs is not None:
        files.append((SPENDING, "every request to a model, with its tokens and cost"))
    files += [(path.name, "every state of every dialogue") for path in find_checkpoints(folder)]
    commands = [
        (f"toolflow validate {folder}", "run all checks again"),
        (f"toolflow report {folder} --out report.html", "one page: figures, the Tool Graph, every dialogue"),
        (f"toolflow export {folder} --format trl --out train.jsonl", "rows for a trainer"),
    ]
    tool = next((tool["function"]["name"] for tool in shown.tools), None) if shown else None
    if tool is not None:
        catalog = f" --catalog {shlex.quote(manifest.settings.catalog)}" if manifest.settings.catalog else ""
        commands.append((f"toolflow graph show {tool}{catalog}", "what feeds it, and what it feeds"))
    commands.append(("toolflow generate --catalog TOOLS.json --out runs/mine", "the same with your own tools"))
    _print_pairs(console, "Files", [(str(folder / name), note) for name, note in files])
    _print_pairs(console, "Next", commands)


def _print_pairs(console: Console, title: str, pairs: list[tuple[str, str]]) -> None:
    """Print things to copy, each on one line whatever the width, with what they are."""
    width = max(len(thing) for thing, _ in pairs)
    console.print(Text(title, style="bold"))
    for thing, note in pairs:
        console.print(Text.assemble("  ", (thing.ljust(width), "cyan"), "  ", (note, "dim")), soft_wrap=True)
