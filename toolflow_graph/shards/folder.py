"""The folder of a published data set: writing shards so that they are whole or not there, and reading them.

Whatever fsspec knows is a place for it: a path, s3://bucket/folder, gs://…, memory://… in tests. A shard gets its name
when it is complete, and counts when the index names it; the index is replaced after every shard.

    index.json                             what is there: names, numbers of dialogues, hashes
    dialogues-00000-of-00020.jsonl, …      lines as in a run's `dialogues.jsonl`; or .parquet, see `parquet.py`
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import fsspec
from pydantic import ValidationError

from toolflow_graph.errors import DatasetError, ToolflowError
from toolflow_graph.shards.parquet import decode_lines, require_parquet
from toolflow_graph.types import Record

__all__ = ["INDEX", "Encoding", "Shard", "ShardFolder", "ShardIndex", "is_shards", "is_url"]

INDEX = "index.json"

Encoding = Literal["jsonl", "parquet"]

_S3 = ("s3://", "s3a://")


class Shard(Record):
    """A file of an index: `sha256` is that of its bytes, `lines_sha256` that of the lines of the run it was made of."""

    name: str
    dialogues: int
    bytes: int
    sha256: str
    lines_sha256: str


class ShardIndex(Record):
    """What `index.json` holds; `run` is the id of the run, and `complete` says that all of it is there."""

    format: Literal[1] = 1
    encoding: Encoding = "jsonl"
    run: str
    settings_sha256: str
    dialogues: int
    shard_size: int
    complete: bool = False
    shards: tuple[Shard, ...] = ()


def is_url(place: object) -> bool:
    """Say whether a place is an address for fsspec and not a path."""
    return isinstance(place, str) and "://" in place


def is_shards(place: str | Path) -> bool:
    """Say whether a place is to be read as shards: an address, or a folder with an index."""
    return is_url(place) or (Path(place) / INDEX).is_file()


class ShardFolder:
    """A folder that fsspec opens; `place` is how it was named."""

    def __init__(self, place: str | Path) -> None:
        self.place = str(place)
        with _blame(self.place):
            if is_url(place):
                fs, root = fsspec.core.url_to_fs(self.place)
            else:
                fs, root = fsspec.filesystem("file"), Path(place).absolute()
        self._fs: Any = fs
        self._root = str(root).rstrip("/")

    def read_index(self) -> ShardIndex | None:
        """Return the index, None where there is none; raises `DatasetError` when it cannot be read."""
        with _blame(self.place):
            try:
                content = self._fs.cat_file(f"{self._root}/{INDEX}")
            except FileNotFoundError:
                return None
        try:
            return ShardIndex.model_validate_json(content)
        except ValidationError as exc:
            raise DatasetError(f"{self.place}/{INDEX}: not an index of shards: {exc.errors()[0]['msg']}") from exc

    def write(self, name: str, chunks: Iterable[bytes]) -> tuple[int, str]:
        """Write a file, which gets its name when it is complete; returns its size and its SHA-256."""
        path, temporary = f"{self._root}/{name}", f"{self._root}/.{name}.tmp"
        size, digest = 0, hashlib.sha256()
        with _blame(self.place):
            self._fs.makedirs(self._root, exist_ok=True)
            with self._fs.open(temporary, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                file.flush()
                if "file" in self._protocols:
                    os.fsync(file.fileno())
            self._fs.mv(temporary, path)
        return size, digest.hexdigest()

    def write_index(self, index: ShardIndex) -> None:
        """Replace the index."""
        self.write(INDEX, [index.model_dump_json(indent=2).encode() + b"\n"])

    def read(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield shard, number and bytes of each line, in order.

        Raises `DatasetError` when there is no index, shards are still to come, or the bytes of one are not those that
        were published.
        """
        index = self.read_index()
        if index is None:
            raise DatasetError(f"{self.place}: no published data set: it has no {INDEX}")
        if not index.complete:
            there = sum(shard.dialogues for shard in index.shards)
            raise DatasetError(
                f"{self.place}: only {there:,} of {index.dialogues:,} dialogues are published; finish it with "
                "toolflow publish"
            )
        if index.encoding == "parquet":
            require_parquet()
        for shard in index.shards:
            if "/" in shard.name:
                raise DatasetError(f"{self.place}/{INDEX}: {shard.name!r} is no name of a shard")
            where = f"{self.place.rstrip('/')}/{shard.name}"
            lines = self._read_lines(where, shard) if index.encoding == "jsonl" else self._read_parquet(where, shard)
            for number, raw in enumerate(lines, 1):
                yield where, number, raw

    def _read_lines(self, where: str, shard: Shard) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with _blame(where), self._fs.open(f"{self._root}/{shard.name}", "rb") as file:
            for raw in file:
                digest.update(raw)
                yield raw
        _compare(where, digest.hexdigest(), shard)

    def _read_parquet(self, where: str, shard: Shard) -> Iterator[bytes]:
        """Yield the lines of a shard that is held in memory as it is stored: its end has to be read first."""
        with _blame(where):
            content = self._fs.cat_file(f"{self._root}/{shard.name}")
            _compare(where, hashlib.sha256(content).hexdigest(), shard)
            yield from decode_lines(content)

    @property
    def _protocols(self) -> tuple[str, ...]:
        protocol = self._fs.protocol
        return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _compare(where: str, digest: str, shard: Shard) -> None:
    if digest != shard.sha256:
        raise DatasetError(f"{where}: not what was published; publish the run again in another folder")


@contextmanager
def _blame(place: str) -> Iterator[None]:
    """Turn what a store refuses into one `DatasetError`."""
    try:
        yield
    except ToolflowError:
        raise
    except ImportError as exc:
        remedy = "; get it with: pip install 'toolflow-graph[s3]'" if place.startswith(_S3) else ""
        raise DatasetError(f"{place}: {exc}{remedy}") from exc
    except FileNotFoundError as exc:
        raise DatasetError(f"{place}: not found") from exc
    except Exception as exc:
        if not isinstance(exc, OSError | ValueError) and (not is_url(place) or type(exc).__module__ == "builtins"):
            raise
        raise DatasetError(f"{place}: {exc}") from exc  # a store's library has errors of its own, of no common class
