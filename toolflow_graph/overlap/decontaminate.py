"""Writes what is left of a data set when the dialogues that leak are taken out, line by line as it was."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolflow_graph.dataset import ACCEPTED, replace_file
from toolflow_graph.errors import DatasetError
from toolflow_graph.overlap.results import Overlap

__all__ = ["name_targets", "write_clean"]

_FILE_SUFFIXES = (".jsonl", ".json")


def name_targets(sources: Sequence[Path], target: Path) -> dict[Path, Path]:
    """Return which file each source's clean dialogues go to: `target` itself, or a file of its name in that folder.

    A run's folder becomes FOLDER.jsonl. Raises `DatasetError` when two would be the same file, or one its own source.
    """
    single = target.suffix in _FILE_SUFFIXES and not target.is_dir()
    if single and len(sources) > 1:
        raise DatasetError(f"{str(target)!r} is one file, and {len(sources)} are read; name a folder to write them to")
    targets: dict[Path, Path] = {}
    for source in sources:
        file = source / ACCEPTED if source.is_dir() else source
        name = f"{source.resolve().name}.jsonl" if source.is_dir() else source.name
        targets[file] = target if single else target / name
    twice = [path for path, number in Counter(targets.values()).items() if number > 1]
    if twice:
        raise DatasetError(f"two of the files would be written to {str(twice[0])!r}; take them one after the other")
    for file, path in targets.items():
        if path.resolve() == file.resolve():
            raise DatasetError(f"{str(path)!r} is a file that is being read; name another place")
    return targets


def write_clean(overlap: Overlap, targets: dict[Path, Path], seen: dict[Path, int]) -> None:
    """Copy the lines without the leaking ones; `seen` is the number of each file's last line that was read.

    Raises `DatasetError` when a file cannot be written.
    """
    for source, target in targets.items():
        leaking = set(overlap.leaking_lines.get(str(source), ()))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, _copy(source, leaking, seen.get(source, 0)))
        except OSError as exc:
            raise DatasetError(f"{target}: cannot be written: {exc.strerror or exc}") from exc


def _copy(source: Path, leaking: set[int], last: int) -> Iterator[bytes]:
    with source.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number > last:  # what a killed process left unfinished
                return
            if number not in leaking and raw.strip():
                yield raw.rstrip(b"\r\n") + b"\n"
