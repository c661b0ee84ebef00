"""Writes what is left of a data set when the dialogues that leak are taken out, line by line as it was."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from toolflow_graph.dataset import Source, list_files, name_source, read_lines, replace_file
from toolflow_graph.errors import DatasetError
from toolflow_graph.overlap.results import Overlap
from toolflow_graph.shards import is_shards

__all__ = ["name_targets", "write_clean"]

_FILE_SUFFIXES = (".jsonl", ".json")


def name_targets(sources: Sequence[Source], target: Path) -> dict[Source, Path]:
    """Return which file each source's clean dialogues go to: `target` itself, or a file of its name in that folder.

    A folder, of a run or of shards, becomes FOLDER.jsonl. Raises `DatasetError` when two would be the same file, or one
    would be a file that is read.
    """
    single = target.suffix in _FILE_SUFFIXES and not target.is_dir()
    if single and len(sources) > 1:
        raise DatasetError(f"{str(target)!r} is one file, and {len(sources)} are read; name a folder to write them to")
    targets = {source: target if single else target / _name_target(source) for source in dict.fromkeys(sources)}
    twice = [path for path, number in Counter(targets.values()).items() if number > 1]
    if twice:
        raise DatasetError(f"two of the files would be written to {str(twice[0])!r}; take them one after the other")
    read = list_files(sources)
    for path in targets.values():
        if path.resolve() in read:
            raise DatasetError(f"{str(path)!r} is a file that is being read; name another place")
    return targets


def _name_target(source: Source) -> str:
    name = name_source(source)
    return f"{name}.jsonl" if is_shards(source) or Path(source).is_dir() else name


def write_clean(overlap: Overlap, targets: Mapping[Source, Path], seen: Mapping[str, int]) -> None:
    """Copy the lines without the leaking ones; `seen` is the number of each file's last line that was read.

    Raises `DatasetError` when a file cannot be written.
    """
    for source, target in targets.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, _copy(source, overlap.leaking_lines, seen))
        except OSError as exc:
            raise DatasetError(f"{target}: cannot be written: {exc.strerror or exc}") from exc


def _copy(source: Source, leaking: Mapping[str, Sequence[int]], seen: Mapping[str, int]) -> Iterator[bytes]:
    left_out: tuple[str, frozenset[int]] = ("", frozenset())
    for path, number, raw in read_lines(source):
        file = str(path)
        if file != left_out[0]:
            left_out = (file, frozenset(leaking.get(file, ())))
        if number <= seen.get(file, 0) and number not in left_out[1]:  # a run may have gone on since
            yield raw.rstrip(b"\r\n") + b"\n"
