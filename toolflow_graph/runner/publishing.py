"""Publishes a complete run as shards, here or in an object store; going on where it was broken off."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from toolflow_graph.dataset import ACCEPTED
from toolflow_graph.errors import DatasetError, RunError
from toolflow_graph.export.examples import UnfitError, dump_json
from toolflow_graph.export.trl import trl_message
from toolflow_graph.runner.manifest import Manifest, read_manifest
from toolflow_graph.shards import Encoding, Shard, ShardFolder, ShardIndex
from toolflow_graph.shards.parquet import encode_rows, require_parquet
from toolflow_graph.types import JSON

__all__ = ["publish_run"]


def publish_run(
    run: Path,
    place: str,
    *,
    encoding: Encoding = "jsonl",
    shard_size: int = 5000,
    on_shard: Callable[[Shard, bool], None] | None = None,
) -> ShardIndex:
    """Write the accepted dialogues of a run as shards of so many; shards that are there already are not written again.

    `on_shard` is told of every shard, and whether it was there. Raises `RunError` when the run is not complete or has
    changed since a part of it was published, and `DatasetError` when the place holds another data set or cannot be
    written, or Parquet is asked for and its package is not installed.
    """
    if encoding == "parquet":
        require_parquet()
    manifest = read_manifest(run)
    if manifest.status != "complete":
        raise RunError(f"{run} is not complete, and only then its order is settled: finish it with --resume {run}")
    folder = ShardFolder(place)
    index = _begin(manifest, folder, encoding, shard_size)
    there = {shard.name: shard for shard in index.shards}
    shards: list[Shard] = []
    total = -(-index.dialogues // shard_size)
    try:
        with (run / ACCEPTED).open("rb") as lines:
            for number in range(total):
                name = f"dialogues-{number:05d}-of-{total:05d}.{encoding}"
                begin = lines.tell()
                count, digest = _measure(islice(iter(lines.readline, b""), shard_size))
                shard = there.get(name)
                if shard is None:
                    lines.seek(begin)
                    taken: Iterator[bytes] = islice(iter(lines.readline, b""), shard_size)
                    if encoding == "parquet":
                        taken = encode_rows(_lay_out(enumerate(taken, number * shard_size + 1), run / ACCEPTED))
                    size, stored = folder.write(name, taken)
                    shard = Shard(name=name, dialogues=count, bytes=size, sha256=stored, lines_sha256=digest)
                    index = index.model_copy(update={"shards": (*shards, shard)})
                    folder.write_index(index)
                elif (shard.dialogues, shard.lines_sha256) != (count, digest):
                    raise RunError(f"{run} has changed since {name} was published; publish it in another folder")
                shards.append(shard)
                if on_shard is not None:
                    on_shard(shard, name in there)
    except OSError as exc:
        raise RunError(f"{run / ACCEPTED}: cannot be read: {exc.strerror or exc}") from exc
    if not index.complete:
        index = index.model_copy(update={"complete": True})
        folder.write_index(index)
    return index


def _begin(manifest: Manifest, folder: ShardFolder, encoding: Encoding, shard_size: int) -> ShardIndex:
    index = folder.read_index()
    wanted = ShardIndex(
        encoding=encoding,
        run=manifest.run,
        settings_sha256=manifest.settings_sha256,
        dialogues=manifest.counts.accepted,
        shard_size=shard_size,
    )
    if index is None:
        return wanted
    if index.model_copy(update={"complete": False, "shards": ()}) != wanted:
        how = f"as {index.encoding}" if index.encoding != encoding else "in shards of another size"
        differs = how if index.run == wanted.run else "of another run"
        raise DatasetError(f"{folder.place} holds dialogues {differs}; name another folder")
    return index


def _measure(lines: Iterator[bytes]) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    for line in lines:
        digest.update(line)
        count += 1
    return count, digest.hexdigest()


def _lay_out(lines: Iterable[tuple[int, bytes]], path: Path) -> Iterator[JSON]:
    """Yield the row of each numbered line for Parquet, messages as a chat template takes them."""
    for number, line in lines:
        try:
            row = json.loads(line)
            yield {
                **{key: row[key] for key in ("id", "index", "seed", "patterns", "cast", "method")},
                **{key: row["usage"][key] for key in ("turns", "calls")},
                "messages": dump_json([trl_message(message) for message in row["messages"]]),
                "tools": dump_json(row["tools"]),
                "record": line.removesuffix(b"\n").decode(),
            }
        except (ValueError, LookupError, TypeError, UnfitError) as exc:
            raise RunError(f"{path}, line {number}: not a dialogue as a run writes it: {exc!r}") from exc
