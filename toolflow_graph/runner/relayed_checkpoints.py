"""The saver of a worker that shares no disk with its run: what it has to save goes to the run, which keeps the file."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

from toolflow_graph.runner.checkpoints import STATEMENTS, GroupSaver
from toolflow_graph.runner.engine import Change, Row, Steps
from toolflow_graph.runner.seals import SealedSerializer

__all__ = ["Relay", "RelayedSaver", "open_relayed_checkpoints"]


@dataclass(frozen=True)
class Relay:
    """The way to the run for what has to be saved; changes are made there in the order in which they are sent."""

    send: Callable[[Change, Sequence[Row]], None]


class RelayedSaver(GroupSaver):
    """A `GroupSaver` whose file is elsewhere: a put returns when it is on its way.

    So whatever the run hears behind it, such as that a dialogue is finished, it hears after it has what belongs to it.
    A dialogue that was begun elsewhere comes with its steps, which are held in memory while it is played.
    """

    def __init__(self, connection: aiosqlite.Connection, relay: Relay) -> None:
        super().__init__(connection, Path(":memory:"), serde=SealedSerializer())
        self._relay = relay
        self._held: set[str] = set()

    async def receive(self, thread: str, steps: Steps) -> None:
        """Take up a thread that was begun elsewhere, and let go of those that nobody will ask for any more."""
        self.admit(thread)  # first, or another one that is taken up meanwhile lets go of it
        gone = [(held,) for held in self._held - self._known] + [(thread,)]
        self._held = (self._held & self._known) | {thread}
        changes: list[tuple[Change, list[Row]]] = [
            ("forget", gone),
            ("checkpoint", steps.checkpoints),
            ("writes", steps.writes),
        ]
        for change, rows in changes:
            for statement in STATEMENTS[change]:
                await self.conn.executemany(statement, rows)
        await self.conn.commit()

    async def _save(self, change: Change, rows: Sequence[Row]) -> None:
        self._relay.send(change, rows)


@asynccontextmanager
async def open_relayed_checkpoints(relay: Relay) -> AsyncIterator[RelayedSaver]:
    """Open the checkpoints of a worker that sends them to its run."""
    async with aiosqlite.connect(":memory:") as connection:
        saver = RelayedSaver(connection, relay)
        await saver.setup()
        yield saver
