"""How far a run is: what the progress bar shows, what machines read, what `status.json` holds."""

import json
import os
import time
from pathlib import Path
from typing import Literal

from toolflow_graph.models.answers import Usage
from toolflow_graph.runner.manifest import Counts
from toolflow_graph.types import Record

__all__ = ["STATUS", "Pace", "Progress", "Status", "write_status"]

STATUS = "status.json"

Status = Literal["running", "stopping", "interrupted", "complete"]

_WINDOW_S = 60.0
"""The rate is that of the last minute: a run whose endpoint slows down shows it."""


class Progress(Record):
    """How far a run is, at a moment (`time`, seconds since 1970).

    `rate` is in finished dialogues a second over the last minute; `seconds_left` follows from it and from the share
    that is accepted. Both are None until there is something to judge by. `tokens` and `cost` are those of all sessions,
    None where no model plays or, of the cost, where a price is not known. `processes` are those that play,
    none when the run has ended.
    """

    status: Status
    time: float
    seconds: float
    planned: int
    accepted: int
    rejected: int
    rate: float | None
    seconds_left: float | None
    tokens: int | None
    cost: float | None
    processes: tuple[int, ...]


class Pace:
    """Measures how fast dialogues finish, and tells from it how long the rest will take."""

    def __init__(self, before: Counts) -> None:
        self._began = time.monotonic()
        self._marks: list[tuple[float, int]] = [(self._began, before.done)]

    @property
    def seconds(self) -> float:
        """Seconds of this session."""
        return time.monotonic() - self._began

    def look(
        self,
        status: Status,
        counts: Counts,
        spent: Usage | None,
        processes: tuple[int, ...] = (),
    ) -> Progress:
        """Return how far the run is now."""
        now = time.monotonic()
        if now - self._marks[-1][0] >= 1.0:
            self._marks.append((now, counts.done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW_S:
            del self._marks[0]
        since, done = self._marks[0]
        rate = (counts.done - done) / (now - since) if counts.done > done and now > since else None
        lacking = counts.planned - counts.accepted
        share = counts.accepted / counts.done if counts.accepted else None
        left = 0.0 if not lacking else lacking / share / rate if rate and share else None
        return Progress(
            status=status,
            time=round(time.time(), 3),
            seconds=round(now - self._began, 3),
            planned=counts.planned,
            accepted=counts.accepted,
            rejected=counts.rejected,
            rate=None if rate is None else round(rate, 4),
            seconds_left=None if left is None or status == "interrupted" else round(left, 1),
            tokens=None if spent is None else spent.tokens,
            cost=None if spent is None or spent.unpriced else round(spent.cost, 6),
            processes=() if status in {"interrupted", "complete"} else processes or (os.getpid(),),
        )


def write_status(folder: Path, progress: Progress) -> None:
    """Replace the status file; whoever reads it sees the old one or the new one, and nothing hangs on its loss."""
    temporary = folder / f".{STATUS}.tmp"
    temporary.write_text(json.dumps(progress.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / STATUS)
