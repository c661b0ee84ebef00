"""The folder of a run: a lock, the manifest, and two files that grow by a line per finished dialogue."""

import errno
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from toolflow_graph.dataset import ACCEPTED, MANIFEST, REJECTED, encode_record, is_accepted, replace_file
from toolflow_graph.errors import DatasetError, RunError
from toolflow_graph.live.executions import EXECUTIONS
from toolflow_graph.runner.manifest import Counts
from toolflow_graph.runner.spending import SPENDING
from toolflow_graph.types import JSON, DialogueRecord

__all__ = ["CHECKPOINTS", "LineFile", "RunFolder", "blame_disk"]

CHECKPOINTS, _LOCK = "checkpoints.sqlite", ".lock"

_SYNC_EVERY = 1.0
"""Seconds between two fsyncs; a killed process loses nothing of what it wrote, a power cut at most so much."""

_BLOCK = 1 << 20


class LineFile:
    """An append-only JSON Lines file of dialogues that knows where each one's line stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._synced = time.monotonic()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def recover(self) -> Iterator[JSON]:
        """Yield what the file holds already; a last line that was never finished is cut off.

        Raises `DatasetError` when another line is damaged.
        """
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n"):
                    break
                try:
                    row = json.loads(raw)
                    index = row["index"]
                except (ValueError, KeyError, TypeError) as exc:
                    raise DatasetError(
                        f"{self.path}, line {number}: not a dialogue of this run; delete the line, it is made anew"
                    ) from exc
                self._places[index] = (self._end, len(raw))
                self._end += len(raw)
                yield row
        if os.fstat(self._file).st_size != self._end:
            os.ftruncate(self._file, self._end)
            os.fsync(self._file)

    def append(self, index: int, line: bytes) -> None:
        """Add a line; when it does not fit on the disk, the file stays as it was and OSError is raised."""
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._places[index] = (self._end, len(line))
        self._end += len(line)
        if time.monotonic() - self._synced > _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        os.fsync(self._file)
        self._synced = time.monotonic()

    def sort(self) -> None:
        """Rewrite the file in the order of the dialogues, atomically, unless it is in that order."""
        self.sync()
        places = [self._places[index] for index in sorted(self._places)]
        if places == sorted(places):
            return
        replace_file(self.path, (os.pread(self._file, length, offset) for offset, length in places))

    def close(self) -> None:
        """Close the file; nothing can be added any more."""
        os.close(self._file)


class RunFolder:
    """A run's folder, open and locked: no other process can work in it, and a dead one leaves no lock behind."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self.accepted = LineFile(path / ACCEPTED)
        self.rejected = LineFile(path / REJECTED)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Open a folder for a new run; raises `RunError` when it holds a run already or cannot be written."""
        _refuse_used(path)
        with blame_disk(path):
            path.mkdir(parents=True, exist_ok=True)
            lock = _lock(path)
        try:
            _refuse_used(path)
            with blame_disk(path):
                return cls(path, lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Open the folder of a run that was started before."""
        with blame_disk(path):
            lock = _lock(path)
        try:
            with blame_disk(path):
                return cls(path, lock)
        except BaseException:
            os.close(lock)
            raise

    def recover(self, planned: int) -> Counts:
        """Read what is finished, mending what a killed process left, and count it."""
        counts = Counts(planned=planned)
        for file, accepted in ((self.accepted, True), (self.rejected, False)):
            for row in file.recover():
                counts = counts.add(row.get("patterns", ()), row.get("usage", {}), accepted=accepted)
        return counts

    def add(self, record: DialogueRecord) -> None:
        """Write a finished dialogue to the file that it belongs in."""
        file = self.accepted if is_accepted(record) else self.rejected
        with blame_disk(self.path):
            file.append(record.index, encode_record(record))

    def sort(self) -> None:
        """Bring both files into the order of the dialogues."""
        with blame_disk(self.path):
            self.accepted.sort()
            self.rejected.sort()

    def discard(self) -> None:
        """Undo `create`, when the run could not begin."""
        self.close()
        beside = (f"{CHECKPOINTS}-wal", f"{CHECKPOINTS}-shm")
        for name in (ACCEPTED, REJECTED, SPENDING, EXECUTIONS, CHECKPOINTS, *beside, MANIFEST, _LOCK):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()

    def close(self) -> None:
        """Let go of the folder."""
        for file in (self.accepted, self.rejected):
            file.close()
        os.close(self._lock)


def _refuse_used(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file; name a folder")
    used = [name for name in (MANIFEST, ACCEPTED, REJECTED, CHECKPOINTS) if (path / name).exists()]
    if MANIFEST in used:
        raise RunError(f"{path} already holds a run; go on with it by --resume {path}, or name another folder")
    if used and any((path / name).stat().st_size for name in used):
        raise RunError(f"{path} already holds {used[0]!r} but no {MANIFEST}; name another folder")


def _lock(path: Path) -> int:
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        named = f" (process {holder})" if holder else ""
        raise RunError(f"another toolflow{named} is working in {path}; wait for it, or name another folder") from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


@contextmanager
def blame_disk(path: Path) -> Iterator[None]:
    """Turn what a disk can refuse into one `RunError` that says what is kept and how to go on."""
    try:
        yield
    except OSError as exc:
        full = exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise RunError(_advise(path, "the disk is full" if full else exc.strerror or str(exc), full=full)) from exc
    except sqlite3.Error as exc:
        said = str(exc)
        if isinstance(exc, sqlite3.OperationalError):
            full = "full" in said or "disk I/O" in said
            raise RunError(_advise(path, f"{CHECKPOINTS}: {said}", full=full)) from exc
        raise RunError(
            f"{path / CHECKPOINTS}: {said}; delete it and resume: what is in {ACCEPTED} is kept, "
            "only dialogues that were in flight start anew"
        ) from exc


def _advise(path: Path, trouble: str, *, full: bool) -> str:
    if not (path / MANIFEST).exists():
        return f"cannot write to {path}: {trouble}; name another folder"
    mend = "make room" if full else "mend it"
    return f"cannot write to {path}: {trouble}; all finished dialogues are kept: {mend}, then --resume {path}"
