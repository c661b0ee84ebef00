"""What was called for real in a run: noted before and after each call, so that a killed run repeats none unknowingly.

A line says that a call is about to be made, and another one what came of it; each is on the disk before anything else
happens. On the way on from a kill, a call of which the outcome is known is not made again. One of which only the
beginning is known may have taken effect or not.
"""

import asyncio
import errno
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from toolflow_graph.errors import DatasetError
from toolflow_graph.live.outcome import Outcome
from toolflow_graph.types import JSON

__all__ = [
    "EXECUTIONS",
    "Executions",
    "find_executions",
    "list_executions",
    "name_call",
    "name_executions",
    "note_executions_in",
    "open_executions",
]

EXECUTIONS = "executions.jsonl"


class Executions:
    """The note of a process: by dialogue and call what was begun, and what came of it.

    A call is known again by its dialogue, its id, its tool and a hash of its arguments. Processes
    of one run each write a note of their own and read those of the others, whose dialogues they may take over.
    """

    def __init__(self, path: Path) -> None:
        """Read what is noted already; raises `DatasetError` when a line is damaged, and OSError."""
        self.path = path
        self._begun: dict[str, Outcome | None] = {}
        self._beside: dict[str, Outcome | None] = {}
        self._lock = threading.Lock()
        self._file: int | None = None
        if path.exists():
            self._recover()
        self.look_beside()

    def __contains__(self, key: str) -> bool:
        """Say whether a call was begun."""
        return key in self._begun or key in self._beside

    def find(self, key: str) -> Outcome | None:
        """Return what came of a call; None when that is not known."""
        return self._begun[key] if key in self._begun else self._beside.get(key)

    async def begin(self, key: str, tool: str) -> None:
        """Note that a call is about to be made."""
        await asyncio.to_thread(self._append, {"call": key, "tool": tool})
        self._begun[key] = None

    async def end(self, key: str, outcome: Outcome) -> None:
        """Note what came of it."""
        await asyncio.to_thread(self._append, {"call": key, "failed": outcome.failed, "content": outcome.content})
        self._begun[key] = outcome

    async def withdraw(self, key: str) -> None:
        """Note that it was not made: the tool could not be reached."""
        await asyncio.to_thread(self._append, {"call": key, "made": False})
        self._begun.pop(key, None)

    def look_beside(self) -> None:
        """Read what the other processes of the run have noted so far; what they have in hand now is not ours."""
        self._beside.clear()
        for path in list_executions(self.path.parent):
            if path != self.path:
                for number, raw in enumerate(path.read_bytes().splitlines(keepends=True), 1):
                    if raw.endswith(b"\n"):  # a line without an end is being written, or its process was killed
                        _read_line(self._beside, path, number, raw)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, entry: JSON) -> None:
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            if self._file is None:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
                _sync_folder(self.path.parent)
            written = os.write(self._file, line)
            if written < len(line):
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(self._file)

    def _recover(self) -> None:
        end = 0
        with self.path.open("r+b") as file:
            for number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n"):  # what it would have told did not happen, or is not known
                    file.truncate(end)
                    break
                _read_line(self._begun, self.path, number, raw)
                end += len(raw)


def _read_line(begun: dict[str, Outcome | None], path: Path, number: int, raw: bytes) -> None:
    try:
        _take(begun, json.loads(raw))
    except (ValueError, KeyError, TypeError) as exc:
        raise DatasetError(
            f"{path}, line {number}: no note of a call; delete the line, and look whether the call that it told of "
            "took effect"
        ) from exc


def _take(begun: dict[str, Outcome | None], entry: Any) -> None:
    key = str(entry["call"])
    if entry.get("made") is False:
        begun.pop(key, None)
    elif "content" in entry:
        begun[key] = Outcome(dict(entry["content"]), bool(entry["failed"]))
    else:
        begun[key] = None


def name_executions(worker: int | None = None) -> str:
    """Return the name of the note of a process: of the run's own, or of one of its workers."""
    return EXECUTIONS if worker is None else f"executions-{worker}.jsonl"


def list_executions(folder: Path) -> list[Path]:
    """Return the notes that a run has, whatever the number of workers it was played with."""
    return sorted(folder.glob("executions*.jsonl"))


def name_call(index: int, call_id: str, tool: str, arguments: JSON) -> str:
    """Return what a call is known by: its dialogue, its id, and a hash of what is called how."""
    called = json.dumps([tool, arguments], sort_keys=True).encode()
    return f"{index}/{call_id}/{hashlib.sha256(called).hexdigest()[:16]}"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_NOTE: ContextVar[Executions | None] = ContextVar("executions", default=None)


def note_executions_in(executions: Executions | None) -> None:
    """Let all calls that are made from the current task on, and from those that it starts, be noted there."""
    _NOTE.set(executions)


def find_executions() -> Executions | None:
    """Return where the current task's calls are noted; None for nowhere."""
    return _NOTE.get()


@contextmanager
def open_executions(path: Path | None) -> Iterator[Executions | None]:
    """Open the note of a process; without a path there is none, as nothing can be resumed either."""
    if path is None:
        yield None
        return
    executions = Executions(path)
    try:
        yield executions
    finally:
        executions.close()
