"""Tries out what an estimate is made from: a rehearsal by the scripted cast, and a few plans of the models."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.runtime import RunControl

from toolflow_graph.dataset import is_accepted
from toolflow_graph.dialogue.graph import build_graph
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.errors import RunError
from toolflow_graph.models import ModelSettings
from toolflow_graph.models.ledger import Account, charge_to
from toolflow_graph.runner.play import Player
from toolflow_graph.runner.run import Run, RunEvent
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import JSON, DialogueRecord, Pattern

__all__ = ["Rehearsal", "Trial", "rehearse", "try_models"]

_REHEARSED = 40


@dataclass(frozen=True)
class Rehearsal:
    """Dialogues of the scripted cast; seconds and bytes are those of one."""

    records: list[DialogueRecord]
    seconds: float
    disk: float

    @property
    def accepted(self) -> float:
        """Share of the dialogues in which no check found an error."""
        return sum(map(is_accepted, self.records)) / len(self.records)


async def rehearse(settings: RunSettings) -> Rehearsal:
    """Play some dialogues of the kinds of a run by rules, in a folder that is removed."""
    number = min(_REHEARSED, settings.dialogues)
    changes: JSON = {"cast": "scripted", "models": ModelSettings(), "dialogues": number}
    changes |= {"max_attempts": 1, "max_rejected": 1.0, "execute": "none", "execute_tools": ()}
    changes |= {"workers": 1, "checkpoints": settings.keeping}
    if settings.written:
        changes["method"] = "toolflow"
    rehearsed = settings.model_copy(update=changes)
    with tempfile.TemporaryDirectory(prefix="toolflow-") as folder:
        out = Path(folder) / "run"
        run = await asyncio.to_thread(Run.start, rehearsed, out)
        began = time.monotonic()
        try:
            records = await _exhaust(run)
        finally:
            run.close()
        seconds = time.monotonic() - began
        disk = sum(path.stat().st_size for path in out.iterdir())
    return Rehearsal(records, seconds / len(records), disk / len(records))


async def _exhaust(run: Run) -> list[DialogueRecord]:
    """Return all records of a run; that some were rejected, and not replaced, is what is to be found out."""
    records: list[DialogueRecord] = []

    def note(event: RunEvent) -> None:
        if event.record is not None:
            records.append(event.record)

    try:
        async for _ in run.play(note):
            pass
    except RunError:
        if not records:
            raise
    return records


@dataclass(frozen=True)
class Trial:
    """Dialogues that models began: one that took so many seconds to its end, and all of them, planned or `ended`."""

    whole: DialogueRecord
    records: list[DialogueRecord]
    seconds: float
    ended: int = 1


async def try_models(
    settings: RunSettings, stage: Stage, account: Account, kinds: Sequence[tuple[Pattern, ...]]
) -> Trial:
    """Have every pattern planned once, and one dialogue of the most common kind played to its end.

    Where no model plans, all of them are played to their end.
    """
    charge_to(account)
    if stage.client is not None:
        await stage.client.greet()
    whole, *others = _cover_patterns(kinds)
    given = settings.dialogue(settings.patterns)
    player = Player(build_graph().compile(), given, stage, saved=False)
    drafter = player
    if "planner" in settings.roles and not settings.written:
        drafts = build_graph().compile(checkpointer=InMemorySaver(), interrupt_after=["planner"])
        drafter = Player(drafts, given, stage, saved=True)
    began = time.monotonic()
    tasks = [asyncio.create_task(drafter.play(index, kinds[index], RunControl())) for index in others]
    try:
        record = await player.play(whole, kinds[whole], RunControl())
        seconds = time.monotonic() - began
        records = [record, *await asyncio.gather(*tasks)]
        return Trial(record, records, seconds, ended=len(records) if drafter is player else 1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _cover_patterns(kinds: Sequence[tuple[Pattern, ...]]) -> list[int]:
    """Return indices of dialogues that have all patterns of the run between them, one of the most common kind first."""
    ((common, _),) = Counter(kinds).most_common(1)
    chosen = [kinds.index(common)]
    covered = set(common)
    for index, kind in enumerate(kinds):
        if not set(kind) <= covered:
            chosen.append(index)
            covered |= set(kind)
    return chosen
