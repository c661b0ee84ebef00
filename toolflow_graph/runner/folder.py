"""The folder of a run: who may work in it, and the files of finished dialogues."""

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from toolflow_graph.dataset import ACCEPTED, MANIFEST, REJECTED
from toolflow_graph.errors import RunError
from toolflow_graph.live.executions import list_executions
from toolflow_graph.runner.lines import LineFile
from toolflow_graph.runner.manifest import Counts
from toolflow_graph.runner.progress import STATUS
from toolflow_graph.runner.spending import SPENDING

__all__ = ["CHECKPOINTS", "RunFolder", "blame_disk", "find_checkpoints", "name_checkpoints"]

CHECKPOINTS, _LOCK = "checkpoints.sqlite", ".lock"


def name_checkpoints(worker: int | None = None) -> str:
    """Return the name of the file of checkpoints of a process: of the run's own, or of one of its workers."""
    return CHECKPOINTS if worker is None else f"checkpoints-{worker}.sqlite"


def find_checkpoints(folder: Path) -> list[Path]:
    """Return the files of checkpoints that a run has, whatever the number of workers it was played with."""
    return sorted(folder.glob("checkpoints*.sqlite"))


_PATIENCE_S, _LOOK_S = 15.0, 0.05
"""How long, and how often, the lock of a process that is gone is waited for: its workers end as soon as they notice."""


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

    @property
    def lock(self) -> int:
        """The descriptor that holds the lock: who inherits it holds it too."""
        return self._lock

    def add(self, index: int, line: bytes, *, accepted: bool) -> None:
        """Write a finished dialogue to the file that it belongs in."""
        file = self.accepted if accepted else self.rejected
        with blame_disk(self.path):
            file.append(index, line)

    def sync(self) -> None:
        """Wait until all that was added is on the disk; may be called from another thread."""
        with blame_disk(self.path):
            self.accepted.sync()
            self.rejected.sync()

    def sort(self) -> None:
        """Bring both files into the order of the dialogues."""
        with blame_disk(self.path):
            self.accepted.sort()
            self.rejected.sort()

    def discard(self) -> None:
        """Undo `create`, when the run could not begin."""
        self.close()
        self.drop_checkpoints()
        names = (ACCEPTED, REJECTED, SPENDING, STATUS, MANIFEST, _LOCK)
        for path in (*list_executions(self.path), *(self.path / name for name in names)):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()

    def drop_checkpoints(self) -> None:
        """Remove all checkpoints, of every worker."""
        for path in self.path.glob("checkpoints*.sqlite*"):
            path.unlink(missing_ok=True)

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
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            if time.monotonic() < deadline and not _is_alive(holder):
                time.sleep(_LOOK_S)
                continue
            os.close(lock)
            named = f" (process {holder})" if holder else ""
            raise RunError(
                f"another toolflow{named} is working in {path}; wait for it, or name another folder"
            ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _is_alive(holder: str) -> bool:
    """Say whether the process that took the lock still lives; one that is not named yet does."""
    if not holder.isdigit():
        return True
    try:
        os.kill(int(holder), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
            f"the checkpoints in {path} are damaged: {said}; what is in {ACCEPTED} is kept: --resume {path} moves them "
            "aside, and only dialogues that were in flight begin anew"
        ) from exc


def _advise(path: Path, trouble: str, *, full: bool) -> str:
    if not (path / MANIFEST).exists():
        return f"cannot write to {path}: {trouble}; name another folder"
    mend = "make room" if full else "mend it"
    return f"cannot write to {path}: {trouble}; all finished dialogues are kept: {mend}, then --resume {path}"
