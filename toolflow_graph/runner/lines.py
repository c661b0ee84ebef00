"""A JSON Lines file of finished dialogues that grows by a line at a time and is brought into order in the end."""

import json
import os
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from toolflow_graph.dataset import replace_file
from toolflow_graph.errors import DatasetError
from toolflow_graph.types import JSON

__all__ = ["LineFile"]

_SYNC_EVERY = 1.0
"""Seconds between two fsyncs; a killed process loses nothing of what it wrote, a power cut at most so much."""


class LineFile:
    """An append-only file that knows where each dialogue's line stands, in 16 bytes per line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._indices, self._offsets = array("q"), array("q")
        self._end = 0
        self._synced = time.monotonic()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

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
                    self._indices.append(row["index"])
                except (ValueError, KeyError, TypeError, OverflowError) as exc:
                    raise DatasetError(
                        f"{self.path}, line {number}: not a dialogue of this run; delete the line, it is made anew"
                    ) from exc
                self._offsets.append(self._end)
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
        self._indices.append(index)
        self._offsets.append(self._end)
        self._end += len(line)
        if time.monotonic() - self._synced > _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Wait until what was written is on the disk; may be called from another thread."""
        self._synced = time.monotonic()
        os.fsync(self._file)

    def sort(self) -> None:
        """Rewrite the file in the order of the dialogues, atomically, unless it is in that order.

        Of a dialogue that stands there twice (someone has copied a line) the last line counts.
        """
        self.sync()
        indices = np.frombuffer(self._indices, dtype=np.int64)
        order = np.argsort(indices, kind="stable")
        if len(order) < 2 or bool(np.all(np.diff(indices) > 0)):
            return
        ordered = indices[order]
        order = order[np.append(ordered[1:] != ordered[:-1], True)]
        starts = np.frombuffer(self._offsets, dtype=np.int64)
        ends = np.append(starts[1:], self._end)
        places = zip(starts[order].tolist(), ends[order].tolist(), strict=True)
        replace_file(self.path, (os.pread(self._file, end - start, start) for start, end in places))

    def close(self) -> None:
        """Close the file; nothing can be added any more."""
        os.close(self._file)
