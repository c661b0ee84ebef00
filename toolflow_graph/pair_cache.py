"""Similar pairs that were found before, so that a grown catalog is searched for what is new only."""

import contextlib
import hashlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolflow_graph.encoder import CACHE_VARIABLE, find_cache_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KnownPairs", "PairCache"]

_KEPT = 8
"""Files of one encoder and threshold; the one used longest ago goes first."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnownPairs:
    """Pairs of some of the strings: `known` are the positions of those that were compared with one another."""

    known: "NDArray[np.int64]"
    rows: "NDArray[np.int64]"
    columns: "NDArray[np.int64]"
    cosines: "NDArray[np.float64]"


class PairCache:
    """Results of searches as files, each with digests of its strings; a damaged file counts as absent.

    Args:
        identity: Names the exact vectors, see `SentenceEncoder.identity`.
        tau: The threshold of the searches.
    """

    def __init__(self, identity: str, tau: float) -> None:
        digest = hashlib.sha256(f"{identity}\0{tau!r}".encode()).hexdigest()[:32]
        self.folder = find_cache_folder() / "pairs-1" / digest

    def find(self, strings: Sequence[str]) -> KnownPairs:
        """Return what is known of these strings, by the file that knows most of them."""
        wanted = _digest(strings)
        best: tuple[int, Path] | None = None
        for path in self._list():
            digests = _read(path, "digests")
            shared = 0 if digests is None else int(np.isin(wanted, digests).sum())
            if shared and (best is None or shared > best[0]):
                best = shared, path
        nothing = np.zeros(0, np.int64)
        parts = [] if best is None else [_read(best[1], name) for name in ("digests", "rows", "columns", "cosines")]
        if best is None or any(part is None for part in parts):
            return KnownPairs(nothing, nothing, nothing, np.zeros(0))
        with contextlib.suppress(OSError):
            best[1].touch()
        digests, rows, columns, cosines = (part for part in parts if part is not None)
        order = np.argsort(wanted)
        place = np.minimum(np.searchsorted(wanted, digests, sorter=order), len(wanted) - 1)
        position = np.where(wanted[order[place]] == digests, order[place], -1)
        one, other = position[rows], position[columns]
        kept = (one >= 0) & (other >= 0)
        low, high = np.minimum(one[kept], other[kept]), np.maximum(one[kept], other[kept])
        return KnownPairs(np.sort(position[position >= 0]), low, high, cosines[kept])

    def write(
        self,
        strings: Sequence[str],
        rows: "NDArray[np.int64]",
        columns: "NDArray[np.int64]",
        cosines: "NDArray[np.float64]",
    ) -> None:
        """Store all similar pairs of some strings, or nothing where that is impossible."""
        digests = _digest(strings)
        name = f"{hashlib.sha256(np.sort(digests).tobytes()).hexdigest()[:32]}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
                np.savez(file, digests=digests, rows=rows, columns=columns, cosines=cosines)
            os.replace(file.name, self.folder / name)  # noqa: PTH105
            for path in self._list()[_KEPT:]:
                path.unlink(missing_ok=True)
        except OSError as exc:
            _log.warning("similar slots are not kept in %s (%s); set %s", self.folder, exc, CACHE_VARIABLE)

    def _list(self) -> list[Path]:
        """Return the files, those used last first."""
        try:
            return sorted(self.folder.glob("*.npz"), key=lambda path: (-path.stat().st_mtime_ns, path.name))
        except OSError:  # another process has removed one
            return []


def _read(path: Path, name: str) -> "NDArray[Any] | None":
    try:
        with np.load(path) as archive:
            part: NDArray[Any] = archive[name]
            return part
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _digest(strings: Sequence[str]) -> "NDArray[np.bytes_]":
    digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in strings)
    return np.frombuffer(b"".join(digests), "S16")
