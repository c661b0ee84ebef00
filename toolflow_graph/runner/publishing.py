"""Publishes a complete run as shards, here or in an object store; going on where it was broken off."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from toolflow_graph.dataset import ACCEPTED
from toolflow_graph.errors import DatasetError, RunError
from toolflow_graph.runner.manifest import Manifest, read_manifest
from toolflow_graph.shards import Shard, ShardFolder, ShardIndex

__all__ = ["publish_run"]


def publish_run(
    run: Path, place: str, *, shard_size: int = 5000, on_shard: Callable[[Shard, bool], None] | None = None
) -> ShardIndex:
    """Write the accepted dialogues of a run as shards of so many; shards that are there already are not written again.

    `on_shard` is told of every shard, and whether it was there. Raises `RunError` when the run is not complete or has
    changed since a part of it was published, and `DatasetError` when the place holds another data set or cannot be
    written.
    """
    manifest = read_manifest(run)
    if manifest.status != "complete":
        raise RunError(f"{run} is not complete, and only then its order is settled: finish it with --resume {run}")
    folder = ShardFolder(place)
    index = _begin(manifest, folder, shard_size)
    there = {shard.name: shard for shard in index.shards}
    shards: list[Shard] = []
    total = -(-index.dialogues // shard_size)
    try:
        with (run / ACCEPTED).open("rb") as lines:
            for number in range(total):
                name = f"dialogues-{number:05d}-of-{total:05d}.jsonl"
                begin = lines.tell()
                shard = _describe(name, islice(iter(lines.readline, b""), shard_size))
                if name in there and there[name] != shard:
                    raise RunError(f"{run} has changed since {name} was published; publish it in another folder")
                shards.append(shard)
                if name not in there:
                    lines.seek(begin)
                    folder.write(name, islice(iter(lines.readline, b""), shard_size))
                    index = index.model_copy(update={"shards": tuple(shards)})
                    folder.write_index(index)
                if on_shard is not None:
                    on_shard(shard, name in there)
    except OSError as exc:
        raise RunError(f"{run / ACCEPTED}: cannot be read: {exc.strerror or exc}") from exc
    if not index.complete:
        index = index.model_copy(update={"complete": True})
        folder.write_index(index)
    return index


def _begin(manifest: Manifest, folder: ShardFolder, shard_size: int) -> ShardIndex:
    index = folder.read_index()
    wanted = ShardIndex(
        run=manifest.run,
        settings_sha256=manifest.settings_sha256,
        dialogues=manifest.counts.accepted,
        shard_size=shard_size,
    )
    if index is None:
        return wanted
    if index.model_copy(update={"complete": False, "shards": ()}) != wanted:
        differs = "in shards of another size" if index.run == wanted.run else "of another run"
        raise DatasetError(f"{folder.place} holds dialogues {differs}; name another folder")
    return index


def _describe(name: str, lines: Iterator[bytes]) -> Shard:
    digest, count, size = hashlib.sha256(), 0, 0
    for line in lines:
        digest.update(line)
        count += 1
        size += len(line)
    return Shard(name=name, dialogues=count, bytes=size, sha256=digest.hexdigest())
