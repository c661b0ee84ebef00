"""Checkpoints of a run: a SQLite file per process, a thread per dialogue, written in groups."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
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
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from toolflow_graph.runner.engine import Change, Row, Steps
from toolflow_graph.runner.seals import SealedSerializer, seal

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

__all__ = [
    "STATEMENTS",
    "GroupSaver",
    "copy_thread",
    "drop_threads",
    "find_last_step",
    "list_threads",
    "open_checkpoints",
]

_TABLES = {
    "checkpoints": "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata",
    "writes": "thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value",
}
_PUT, _PUT_WRITES = (
    f"INSERT OR {{}} INTO {table} ({columns}) VALUES ({', '.join('?' for _ in columns.split(', '))})"  # noqa: S608
    for table, columns in _TABLES.items()
)
_FORGET = tuple(f"DELETE FROM {table} WHERE thread_id = ?" for table in _TABLES)  # noqa: S608

STATEMENTS: Mapping[Change, Sequence[str]] = {
    "checkpoint": [_PUT.format("REPLACE")],
    "writes": [_PUT_WRITES.format("IGNORE")],
    "special writes": [_PUT_WRITES.format("REPLACE")],
    "forget": _FORGET,
}
"""What each change of rows is in SQL."""

_Batch = Callable[[sqlite3.Connection], object]

_BUSY_S = 30.0
"""Seconds to wait for another process that writes to the same file; a worker's thread is taken over in milliseconds."""


class GroupSaver(AsyncSqliteSaver):
    """An `AsyncSqliteSaver` that commits what all dialogues in flight have to save in one transaction.

    The original goes to its thread four times for each checkpoint, which costs more CPU than all else in a scripted
    dialogue. Here one transaction runs at a time, in a thread of its own, and takes along everything that was put in
    the meantime, in order. A put returns when it is committed. When one could not be, all later ones fail too, so that
    no thread has a gap. The tables are the original's.

    A thread that was not begun here is not looked for unless it was named to `admit` or `adopt` before, and none is
    known any more once it was told to `leave`: what is held in memory does not grow with the run.
    """

    def __init__(self, connection: aiosqlite.Connection, path: Path, *, serde: SealedSerializer) -> None:
        super().__init__(connection, serde=serde)
        self._path = path
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._writer: sqlite3.Connection | None = None
        self._known: set[str] = set()
        self._waiting: list[_Batch] = []
        self._group: asyncio.Future[None] | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    def admit(self, thread: str) -> None:
        """Look for a thread in the file from now on."""
        self._known.add(thread)

    async def adopt(self, thread: str, source: Path) -> None:
        """Take a thread over from the file of another process, which has ended or will not write to it any more."""
        await self._commit(lambda connection: _replace(connection, thread, _read_file(source, thread)))
        self._known.add(thread)

    def take(self, change: Change, rows: Sequence[Row]) -> "asyncio.Future[None]":
        """Save what the saver of another process has sent; what is returned is done when it is committed."""
        return self._wait(partial(_apply, change, rows))

    async def read(self, thread: str) -> Steps:
        """Return a thread, with all that was given to save before."""
        found: list[Steps] = []
        await self._commit(lambda connection: found.append(_read(connection, thread)))
        return found[0]

    def leave(self, thread: str) -> None:
        """Note that a thread will not be asked for any more; it stays in the file."""
        self._known.discard(thread)

    async def forget(self, threads: Iterable[str]) -> None:
        """Delete threads, all in one transaction."""
        rows = [(thread,) for thread in threads]
        self._known.difference_update(thread for (thread,) in rows)
        await self._save("forget", rows)

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
        place = (thread, namespace, checkpoint["id"], parent)
        row = (*place, *seal((*place, noted), kind, content), noted)
        await self._save("checkpoint", [row])
        saved = {"thread_id": own["thread_id"], "checkpoint_ns": namespace, "checkpoint_id": checkpoint["id"]}
        return {"configurable": saved}

    async def aput_writes(
        self, config: "RunnableConfig", writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a task wrote."""
        own = config["configurable"]
        place = (str(own["thread_id"]), str(own["checkpoint_ns"]), str(own["checkpoint_id"]), task_id, task_path)
        rows = []
        for number, (channel, value) in enumerate(writes):
            columns = (*place, WRITES_IDX_MAP.get(channel, number), channel)
            rows.append((*columns, *seal(columns, *self.serde.dumps_typed(value))))
        special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        await self._save("special writes" if special else "writes", rows)

    async def aclose(self) -> None:
        """Finish what is being written and close the writing connection."""
        if self._flusher is not None:
            await asyncio.wait([self._flusher])
        if self._writer is not None:
            await self.loop.run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown()

    async def _save(self, change: Change, rows: Sequence[Row]) -> None:
        await self._commit(partial(_apply, change, rows))

    async def _commit(self, batch: _Batch) -> None:
        await asyncio.shield(self._wait(batch))

    def _wait(self, batch: _Batch) -> "asyncio.Future[None]":
        """Have a batch written in its turn; returns what its whole group waits for."""
        self._waiting.append(batch)
        if self._group is None:
            self._group = self.loop.create_future()
        group = self._group
        if self._flusher is None or self._flusher.done():
            self._flusher = self.loop.create_task(self._flush())
        return group

    async def _flush(self) -> None:
        while self._group is not None:
            batches, group = self._waiting, self._group
            self._waiting, self._group = [], None
            try:
                await self.loop.run_in_executor(self._thread, self._write, batches)
            except Exception as exc:  # noqa: BLE001 - raised in every put of the group
                self._failure = exc
                group.set_exception(exc)
                group.exception()  # a put that was cancelled does not ask
            else:
                group.set_result(None)

    def _write(self, batches: list[_Batch]) -> None:
        if self._failure is not None:
            raise self._failure
        if self._writer is None:
            self._writer = _connect(self._path)
        with self._writer:
            for batch in batches:
                batch(self._writer)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def copy_thread(source: Path, target: Path, thread: str) -> None:
    """Copy a thread from one file into another, whose tables are made; the source is only read."""
    with closing(_connect(target)) as connection, connection:
        _replace(connection, thread, _read_file(source, thread))


def _apply(change: Change, rows: Sequence[Row], connection: sqlite3.Connection) -> None:
    for statement in STATEMENTS[change]:
        connection.executemany(statement, rows)


def _read_file(path: Path, thread: str) -> Steps:
    with closing(_connect(path)) as connection:
        return _read(connection, thread)


def _read(connection: sqlite3.Connection, thread: str) -> Steps:
    return Steps(
        *(
            connection.execute(f"SELECT {columns} FROM {table} WHERE thread_id = ?", (thread,)).fetchall()  # noqa: S608
            for table, columns in _TABLES.items()
        )
    )


def _replace(connection: sqlite3.Connection, thread: str, steps: Steps) -> None:
    """Write a thread into a file that may hold an older state of it; where it comes from it stays, as the older one."""
    _apply("forget", [(thread,)], connection)
    _apply("checkpoint", steps.checkpoints, connection)
    _apply("writes", steps.writes, connection)


def list_threads(path: Path) -> Iterator[str]:
    """Yield the names of the threads in a file, each found by one step in the index; raises `sqlite3.Error`."""
    with closing(_connect(path)) as connection:
        if not _has_tables(connection):
            return
        last = ""
        while True:
            (name,) = connection.execute(
                "SELECT min(thread_id) FROM checkpoints WHERE thread_id > ?", (last,)
            ).fetchone()
            if name is None:
                return
            yield name
            last = name


def _has_tables(connection: sqlite3.Connection) -> bool:
    """Say whether the process that made the file came so far as to make its tables."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'writes'").fetchone() is not None


def find_last_step(path: Path, thread: str) -> str:
    """Return the id of a thread's last checkpoint, empty where there is none; ids grow with time."""
    with closing(_connect(path)) as connection:
        if not _has_tables(connection):
            return ""
        query = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ?"
        (found,) = connection.execute(query, (thread,)).fetchone()
        return found or ""


def drop_threads(path: Path, threads: Iterable[str]) -> None:
    """Delete threads from a file that no process has open."""
    rows = [(thread,) for thread in threads]
    if rows:
        with closing(_connect(path)) as connection, connection:
            for statement in _FORGET:
                connection.executemany(statement, rows)


@asynccontextmanager
async def open_checkpoints(path: Path) -> AsyncIterator[GroupSaver]:
    """Open the checkpoints of a run for reading and writing.

    Nothing but plain data and LangChain messages is ever revived from the file: no pickle, no other type. Whether the
    file and its threads are whole is asked before, in `damage.py`.
    `synchronous=NORMAL` in WAL mode survives a killed process; a power cut may cost the last steps, never the file.
    """
    async with aiosqlite.connect(path) as connection:
        saver = GroupSaver(connection, path, serde=SealedSerializer())
        try:
            await saver.setup()
            yield saver
        finally:
            await saver.aclose()
