"""What is kept between runs: embeddings by content, in the user's cache folder."""

import contextlib
import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import platformdirs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CACHE_VARIABLE", "EmbeddingCache", "find_cache_folder"]

CACHE_VARIABLE = "TOOLFLOW_CACHE_DIR"

_CHUNK = 512
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_SHORT_READ}
_CHECKSUM_BYTES = 8

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def find_cache_folder() -> Path:
    """Return the folder that `TOOLFLOW_CACHE_DIR` names, or the user's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_path("toolflow-graph", False))


class EmbeddingCache:
    """Embeddings on disk by content: one SQLite file with a checksum in every row.

    It is a cache and never an obstacle: a damaged file is deleted and filled anew, a damaged row counts as absent, and
    where nothing can be written, work goes on without it after one warning. The file keeps SQLite's rollback journal
    instead of a write-ahead log, because such a file can still be read in a folder that cannot be written.

    Args:
        folder: Where the file lies; by default `TOOLFLOW_CACHE_DIR` or the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or find_cache_folder()) / "embeddings-1.sqlite3"
        self._off = False

    def read(self, keys: Sequence[bytes]) -> "dict[bytes, NDArray[np.float32]]":
        """Return the vectors of those keys that are present and intact."""
        if not self.path.is_file():
            return {}
        found = self._attempt(lambda connection: list(_select(connection, keys))) or []
        return {key: vector for key, blob in found if (vector := _unseal(key, blob)) is not None}

    def write(self, keys: Sequence[bytes], vectors: "NDArray[np.float32]") -> None:
        """Store one vector (a row) per key, or nothing when that is impossible."""
        rows = [(key, _seal(key, vector)) for key, vector in zip(keys, vectors, strict=True)]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)

        self._attempt(insert)

    def _attempt(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        if self._off:
            return None
        problem: Exception | None = None
        for _ in range(2):
            inode = None
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self.path, timeout=30)
                with contextlib.closing(connection):
                    inode = self.path.stat().st_ino
                    connection.execute("PRAGMA synchronous=NORMAL")
                    connection.execute("CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB)")
                    return work(connection)
            except (sqlite3.Error, OSError) as exc:
                problem = exc
                if getattr(exc, "sqlite_errorcode", None) not in _DAMAGE:
                    break
            self._discard(inode)
        self._off = True
        _log.warning(
            "embeddings are not cached in %s (%s); set %s to a writable folder", self.path, problem, CACHE_VARIABLE
        )
        return None

    def _discard(self, inode: int | None) -> None:
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == inode:  # else another process has already replaced the damaged file
                self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
                self.path.unlink()


def _select(connection: sqlite3.Connection, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        marks = ",".join("?" * len(part))
        yield from connection.execute(f"SELECT key, vector FROM embeddings WHERE key IN ({marks})", part)  # noqa: S608


def _seal(key: bytes, vector: "NDArray[np.float32]") -> bytes:
    body = vector.astype("<f4").tobytes()
    return body + hashlib.blake2b(key + body, digest_size=_CHECKSUM_BYTES).digest()


def _unseal(key: bytes, blob: object) -> "NDArray[np.float32] | None":
    if not isinstance(blob, bytes):
        return None
    body, checksum = blob[:-_CHECKSUM_BYTES], blob[-_CHECKSUM_BYTES:]
    if not body or hashlib.blake2b(key + body, digest_size=_CHECKSUM_BYTES).digest() != checksum:
        return None
    return np.frombuffer(body, dtype="<f4").astype(np.float32)
