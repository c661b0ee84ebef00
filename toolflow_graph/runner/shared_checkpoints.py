"""The saver of a process whose checkpoints are in PostgreSQL, where every other process of the run finds them."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from toolflow_graph.runner.checkpoints import GroupSaver
from toolflow_graph.runner.database import CONNECT_S, PUT_SEALED, Database, blame_database, read_address
from toolflow_graph.runner.seals import SealedSerializer, seal

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

__all__ = ["SharedSaver", "copy_dialogue", "open_shared_checkpoints"]


class SharedSaver(AsyncPostgresSaver):
    """An `AsyncPostgresSaver` on one connection, with what a run asks of its savers (see `GroupSaver`).

    As there, a thread that was begun by another process is not looked for unless it was named to `admit` before, and
    each row has a checksum.
    """

    UPSERT_CHECKPOINTS_SQL = PUT_SEALED

    def __init__(self, connection: AsyncConnection[dict[str, Any]], database: Database) -> None:
        super().__init__(connection, serde=SealedSerializer())
        self._database = database
        self._known: set[str] = set()

    def admit(self, thread: str) -> None:
        """Look for a thread in the database from now on."""
        self._known.add(thread)

    def leave(self, thread: str) -> None:
        """Note that a thread will not be asked for any more; it stays in the database."""
        self._known.discard(thread)

    async def forget(self, threads: Iterable[str]) -> None:
        """Delete threads, all in one transaction."""
        names = list(threads)
        self._known.difference_update(names)
        with blame_database(self._database):
            await self.aprune(names, strategy="delete")

    async def aget_tuple(self, config: "RunnableConfig") -> CheckpointTuple | None:
        """Return the last checkpoint of a thread, or the one that is named; a new thread costs no look-up."""
        if str(config["configurable"]["thread_id"]) not in self._known:
            return None
        with blame_database(self._database):
            return await super().aget_tuple(config)

    async def aget_delta_channel_history(
        self, *, config: "RunnableConfig", channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what was written to channels of which a checkpoint does not hold the whole."""
        with blame_database(self._database):
            return await super().aget_delta_channel_history(config=config, channels=channels)

    async def aput(
        self,
        config: "RunnableConfig",
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> "RunnableConfig":
        """Save a checkpoint; returns its config."""
        self._known.add(str(config["configurable"]["thread_id"]))
        with blame_database(self._database):
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: "RunnableConfig", writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a task wrote."""
        with blame_database(self._database):
            await super().aput_writes(config, writes, task_id, task_path)

    def _dump_blobs(self, *args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
        return [_seal_row(row) for row in super()._dump_blobs(*args, **kwargs)]

    def _dump_writes(self, *args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
        return [_seal_row(row) for row in super()._dump_writes(*args, **kwargs)]


def _seal_row(row: Sequence[Any]) -> tuple[Any, ...]:
    *place, kind, content = row
    return (*place, *seal(place, kind, content))


@asynccontextmanager
async def open_shared_checkpoints(database: Database) -> AsyncIterator[SharedSaver]:
    """Open the checkpoints of a run for one process; the tables must be there (`prepare_database`).

    Nothing but plain data and LangChain messages is ever revived from them: no pickle, no other type.
    """
    address, _ = read_address(database.address)
    with blame_database(database):
        connection = await AsyncConnection.connect(
            address, autocommit=True, prepare_threshold=0, row_factory=dict_row, connect_timeout=CONNECT_S
        )
    try:
        yield SharedSaver(connection, database)
    finally:
        await connection.close()


async def copy_dialogue(database: Database, dialogue: str, target: GroupSaver) -> bool:
    """Copy a dialogue's checkpoints to another saver, as the thread of its name; says whether there were any."""
    thread = database.name_thread(dialogue)
    async with open_shared_checkpoints(database) as source:
        with blame_database(database):
            found = [step async for step in source.alist({"configurable": {"thread_id": thread}})]
    for step in reversed(found):
        own = {"thread_id": dialogue, "checkpoint_ns": step.config["configurable"]["checkpoint_ns"]}
        before = step.parent_config["configurable"]["checkpoint_id"] if step.parent_config else None
        parent: RunnableConfig = {"configurable": {**own, "checkpoint_id": before}}
        saved = await target.aput(parent, step.checkpoint, step.metadata, step.checkpoint["channel_versions"])
        writes: defaultdict[str, list[tuple[str, Any]]] = defaultdict(list)
        for task, channel, value in step.pending_writes or ():
            writes[task].append((channel, value))
        for task, written in writes.items():
            await target.aput_writes(saved, written, task)
    return bool(found)
