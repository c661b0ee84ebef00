"""Damaged checkpoints: found before anything is played on from them, moved aside, and said."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from toolflow_graph.runner.seals import are_whole

__all__ = ["find_damage", "find_damaged_threads", "set_aside"]

_OF_THE_PLACE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""What SQLite says of the disk or of another process, and not of the file."""

_CHECKPOINTS = """SELECT type, checkpoint, thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, metadata
    FROM checkpoints WHERE thread_id = ?"""
_WRITES = """SELECT type, value, thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel
    FROM writes WHERE thread_id = ?"""
_ROWS = (_CHECKPOINTS, _WRITES)
"""Kind and content, then the row's other columns in the order in which they were sealed."""


def find_damage(path: Path) -> str | None:
    """Return what is wrong with a file of checkpoints, None when its pages and indices are sound.

    Raises `sqlite3.Error` when the file cannot be looked at.
    """
    if not path.stat().st_size:
        return "it is empty"
    try:
        with closing(sqlite3.connect(path)) as connection:
            (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            for statement in _ROWS if said == "ok" and _count_tables(connection) == len(_ROWS) else ():
                connection.execute(statement, ("",)).fetchone()
    except sqlite3.DatabaseError as exc:
        if _is_of_the_place(exc):
            raise
        return str(exc)
    return None if said == "ok" else " ".join(str(said).split())


def find_damaged_threads(path: Path, threads: Iterable[str]) -> list[str]:
    """Return those of the threads in a sound file of which a row is not as it was written, or cannot be revived."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        return [
            thread
            for thread in threads
            if not all(are_whole(connection.execute(statement, (thread,))) for statement in _ROWS)
        ]


def _count_tables(connection: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM sqlite_master WHERE name IN ('checkpoints', 'writes')"
    (number,) = connection.execute(query).fetchone()
    return int(number)


def _is_of_the_place(exc: sqlite3.Error) -> bool:
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF in _OF_THE_PLACE


def set_aside(path: Path) -> Path:
    """Move a file of checkpoints away, with what belongs to it, and return its new name; an older one there goes."""
    aside = path.with_name(f"{path.name}.damaged")
    for suffix in ("", "-wal", "-shm"):
        source, target = path.with_name(path.name + suffix), aside.with_name(aside.name + suffix)
        target.unlink(missing_ok=True)
        if source.exists():
            source.replace(target)
    return aside
