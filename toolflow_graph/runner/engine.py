"""What plays the dialogues of a run: this process, processes beside it, or machines elsewhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from toolflow_graph.dataset import encode_record, is_accepted
from toolflow_graph.runner.database import Database
from toolflow_graph.types import DialogueRecord, Pattern

__all__ = ["Change", "Drained", "Engine", "Finished", "Place", "Row", "Source", "Steps"]

Place = Path | Database
"""Where checkpoints are: in a file of the process that made them, or in a database that all share."""

Row = tuple[Any, ...]

Change = Literal["checkpoint", "writes", "special writes", "forget"]
"""What is done with rows of checkpoints."""


@dataclass(frozen=True)
class Steps:
    """The rows of a dialogue's checkpoints themselves, for who plays it on and cannot reach where they are."""

    checkpoints: list[Row]
    writes: list[Row]


Source = Place | Steps
"""Where a dialogue that was begun before goes on from."""


@dataclass(frozen=True)
class Finished:
    """A dialogue that was played to its end, and its line as the run's file will hold it."""

    record: DialogueRecord
    line: bytes
    accepted: bool

    @classmethod
    def of(cls, record: DialogueRecord) -> Self:
        """Write a record down where it was made: the process that collects them has others to collect."""
        return cls(record, encode_record(record), is_accepted(record))


class Drained(Exception):  # noqa: N818 - what was asked for
    """A dialogue was left at one of its steps, saved, because the run is to end."""


class Engine(Protocol):
    """Plays dialogues wherever it likes; the run decides which ones, replaces rejected ones and writes the files.

    A dialogue is a function of the run's settings, its index and its patterns, so it does not matter who plays it, nor
    how often it was begun. An engine is entered before anything is played, and left when all is done; when it is left
    with an exception, it ends what it has begun at once.
    """

    @property
    def lanes(self) -> int:
        """How many dialogues it wants in flight at once."""
        ...

    async def __aenter__(self) -> Self:
        """Make ready."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of everything."""
        ...

    async def play(self, index: int, patterns: Sequence[Pattern], source: Source | None = None) -> Finished:
        """Play one dialogue; `source` has its checkpoints, if it was begun before.

        What breaks inside the dialogue is a finding in its record. What is the fault of the place is raised, and ends
        the run; `Drained` when `stop` came first.
        """
        ...

    def stop(self) -> None:
        """Let every dialogue in flight finish the step that it is in, and save it."""
        ...

    async def forget(self, indices: Iterable[int]) -> None:
        """Delete the checkpoints of dialogues that are safely written."""
        ...
