"""Checkpoints of a run: one SQLite file, one thread per dialogue, written in groups."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosqlite
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

__all__ = ["GroupSaver", "open_checkpoints"]

_PUT = (
    "INSERT OR REPLACE INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, "
    "checkpoint, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_PUT_WRITES = (
    "INSERT OR {} INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_REPLACE_WRITES, _ADD_WRITES = _PUT_WRITES.format("REPLACE"), _PUT_WRITES.format("IGNORE")

_Batch = tuple[str, list[tuple[Any, ...]]]


class GroupSaver(AsyncSqliteSaver):
    """An `AsyncSqliteSaver` that commits what all dialogues in flight have to save in one transaction.

    The original goes to its thread four times for each checkpoint, which costs more CPU than all else in a scripted
    dialogue. Here one transaction runs at a time, in a thread of its own, and takes along everything that was put in
    the meantime, in order. A put returns when it is committed. The tables are the original's.
    """

    def __init__(self, connection: aiosqlite.Connection, path: Path, *, serde: JsonPlusSerializer) -> None:
        super().__init__(connection, serde=serde)
        self._path = path
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._writer: sqlite3.Connection | None = None
        self._known: set[str] = set()
        self._waiting: list[_Batch] = []
        self._group: asyncio.Future[None] | None = None
        self._flusher: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        """Make the tables, and look which threads there are."""
        if not self.is_setup:
            await super().setup()
            async with self.conn.execute("SELECT DISTINCT thread_id FROM checkpoints") as rows:
                self._known = {thread async for (thread,) in rows}

    async def aget_tuple(self, config: "RunnableConfig") -> CheckpointTuple | None:
        """Return the last checkpoint of a thread, or the one that is named; a new thread costs no look-up."""
        if str(config["configurable"]["thread_id"]) not in self._known:
            return None
        return await super().aget_tuple(config)

    async def aput(
        self,
        config: "RunnableConfig",
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 - the protocol's
    ) -> "RunnableConfig":
        """Save a checkpoint; returns its config."""
        own = config["configurable"]
        kind, content = self.serde.dumps_typed(checkpoint)
        noted = json.dumps(get_checkpoint_metadata(config, metadata), ensure_ascii=False).encode("utf-8", "ignore")
        thread, namespace, parent = str(own["thread_id"]), own["checkpoint_ns"], own.get("checkpoint_id")
        self._known.add(thread)
        await self._commit((_PUT, [(thread, namespace, checkpoint["id"], parent, kind, content, noted)]))
        saved = {"thread_id": own["thread_id"], "checkpoint_ns": namespace, "checkpoint_id": checkpoint["id"]}
        return {"configurable": saved}

    async def aput_writes(
        self, config: "RunnableConfig", writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a task wrote."""
        own = config["configurable"]
        place = (str(own["thread_id"]), str(own["checkpoint_ns"]), str(own["checkpoint_id"]), task_id, task_path)
        rows = [
            (*place, WRITES_IDX_MAP.get(channel, number), channel, *self.serde.dumps_typed(value))
            for number, (channel, value) in enumerate(writes)
        ]
        special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        await self._commit((_REPLACE_WRITES if special else _ADD_WRITES, rows))

    async def aclose(self) -> None:
        """Finish what is being written and close the writing connection."""
        if self._flusher is not None:
            await asyncio.wait([self._flusher])
        if self._writer is not None:
            await self.loop.run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown()

    async def _commit(self, batch: _Batch) -> None:
        self._waiting.append(batch)
        if self._group is None:
            self._group = self.loop.create_future()
        group = self._group
        if self._flusher is None or self._flusher.done():
            self._flusher = self.loop.create_task(self._flush())
        await asyncio.shield(group)

    async def _flush(self) -> None:
        while self._group is not None:
            batches, group = self._waiting, self._group
            self._waiting, self._group = [], None
            try:
                await self.loop.run_in_executor(self._thread, self._write, batches)
            except Exception as exc:  # noqa: BLE001 - raised in every put of the group
                group.set_exception(exc)
                group.exception()  # a put that was cancelled does not ask
            else:
                group.set_result(None)

    def _write(self, batches: list[_Batch]) -> None:
        if self._writer is None:
            self._writer = _connect(self._path)
        with self._writer:
            for statement, rows in batches:
                self._writer.executemany(statement, rows)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


@asynccontextmanager
async def open_checkpoints(path: Path) -> AsyncIterator[GroupSaver]:
    """Open the checkpoints of a run for reading and writing.

    Nothing but plain data and LangChain messages is ever revived from the file: no pickle, no other type.
    `synchronous=NORMAL` in WAL mode survives a killed process; a power cut may cost the last steps, never the file.
    """
    serde = JsonPlusSerializer(pickle_fallback=False, allowed_json_modules=None, allowed_msgpack_modules=None)
    async with aiosqlite.connect(path) as connection:
        saver = GroupSaver(connection, path, serde=serde)
        try:
            await saver.setup()
            yield saver
        finally:
            await saver.aclose()
