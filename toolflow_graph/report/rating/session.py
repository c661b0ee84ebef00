"""What one person rates, and what they have said of it so far; every click is on disk before it counts."""

import errno
import os
import random
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.errors import DatasetError
from toolflow_graph.evaluation.judge import draw_dialogues
from toolflow_graph.evaluation.ratings import (
    DIMENSIONS,
    Choice,
    Comparison,
    Dimension,
    Rating,
    encode_line,
    fingerprint_dialogue,
    read_clicks,
)
from toolflow_graph.types import JSON

__all__ = ["Item", "Session", "open_session"]

Value = int | Choice | None


@dataclass(frozen=True)
class Item:
    """One thing to rate: a dialogue, or two that stand left and right; `first_left` tells which file is left."""

    dialogues: tuple[StoredDialogue, ...]
    fingerprints: tuple[str, ...]
    first_left: bool = True

    @property
    def key(self) -> tuple[str, ...]:
        """What it is found by, on whichever side its dialogues stand."""
        return tuple(sorted(self.fingerprints))


def open_session(
    rater: str,
    out: Path,
    dialogues: Iterable[StoredDialogue],
    others: Iterable[StoredDialogue] | None = None,
    *,
    sample: int | None = None,
    seed: int = 0,
) -> "Session":
    """Begin to rate, or go on where `out` says that this person had come to.

    Args:
        rater: Who rates; the order of things and the sides of pairs are drawn for each person anew.
        out: File of ratings, which is added to; several people may use one.
        dialogues: What is rated.
        others: With these, dialogues are compared: those with the same id, or without any such, in their order.
        sample: Dialogues (or pairs) to draw; the same as a judge draws with the same seed.
        seed: Of the sample, order and sides.

    Raises:
        DatasetError: A file cannot be read or written, or there is nothing to rate.
    """
    compares = others is not None
    if others is None:
        items = [Item((d,), (fingerprint_dialogue(d),)) for d in draw_dialogues(dialogues, sample, seed)[1]]
    else:
        items = [_place_pair(pair, rater, seed) for pair in _pair_up(list(dialogues), list(others), sample, seed)]
    items = list({item.key: item for item in items}.values())
    if not items:
        raise DatasetError("there is nothing to rate: no dialogue" + (", or only equal ones" if compares else ""))
    _make_rng("rate", seed, rater).shuffle(items)
    return Session(rater, out, items)


def _pair_up(
    one: Sequence[StoredDialogue], other: Sequence[StoredDialogue], sample: int | None, seed: int
) -> Iterator[tuple[StoredDialogue, StoredDialogue]]:
    by_id = {dialogue.id: dialogue for dialogue in other}
    common = [dialogue for dialogue in one if dialogue.id in by_id]
    pairs = [(dialogue, by_id[dialogue.id]) for dialogue in common] or list(zip(one, other, strict=False))
    pairs = [pair for pair in pairs if fingerprint_dialogue(pair[0]) != fingerprint_dialogue(pair[1])]
    drawn = {dialogue.line for dialogue in draw_dialogues((pair[0] for pair in pairs), sample, seed)[1]}
    yield from (pair for pair in pairs if pair[0].line in drawn)


def _place_pair(pair: tuple[StoredDialogue, StoredDialogue], rater: str, seed: int) -> Item:
    names = tuple(map(fingerprint_dialogue, pair))
    if _make_rng("sides", seed, rater, *sorted(names)).random() < 0.5:
        return Item(pair, names)
    return Item(pair[::-1], names[::-1], first_left=False)


def _make_rng(*parts: object) -> random.Random:
    return random.Random(repr(parts))  # `repr` also of a name with bytes in it that are no UTF-8


class Session:
    """The items of one person in their order, and the values given; safe to use from several threads.

    A value is a score from 1 to 5, or which of two is better ("left", "same", "right"); None takes it back. Raises
    `DatasetError` when the file cannot be read.
    """

    def __init__(self, rater: str, out: Path, items: Sequence[Item]) -> None:
        self.rater = rater
        self.out = out
        self.items = tuple(items)
        self.compares = len(self.items[0].dialogues) > 1
        self._places = {item.key: place for place, item in enumerate(self.items)}
        self._values: list[dict[Dimension, Value]] = [{} for _ in self.items]
        self._undoable: list[tuple[int, Dimension, Value]] = []
        self._lock = threading.Lock()
        self._file = _open_log(out)
        for click in read_clicks(out):
            self._recall(click)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def values(self, place: int) -> Mapping[Dimension, Value]:
        """Return what was said of an item; raises IndexError."""
        return dict(self._values[place])

    def is_done(self, place: int) -> bool:
        """Say whether an item has a value in every dimension."""
        return len(self._values[place]) == len(DIMENSIONS)

    @property
    def done(self) -> int:
        """How many items have a value in every dimension."""
        return sum(map(self.is_done, range(len(self.items))))

    def rate(self, place: int, dimension: Dimension, value: Value) -> None:
        """Write one click down, then let it count.

        Raises:
            IndexError: There is no such item.
            ValueError: The value is none of those that may be given.
            OSError: It could not be saved, and does not count.
        """
        if not 0 <= place < len(self.items):
            raise IndexError(place)
        allowed = ("left", "same", "right", None) if self.compares else (1, 2, 3, 4, 5, None)
        if dimension not in DIMENSIONS or value not in allowed or isinstance(value, bool):
            raise ValueError(f"{value!r} cannot be given for {dimension!r}")
        with self._lock:
            before = self._values[place].get(dimension)
            self._save(place, dimension, value)
            self._undoable.append((place, dimension, before))

    def undo(self) -> int | None:
        """Take the last click back, also one of an earlier sitting; returns the item, None when there is none."""
        with self._lock:
            if not self._undoable:
                return None
            place, dimension, before = self._undoable[-1]
            self._save(place, dimension, before, undo=True)
            self._undoable.pop()
            return place

    def _save(self, place: int, dimension: Dimension, value: Value, *, undo: bool = False) -> None:
        line = encode_line(self._write(place, dimension, value, undo=undo))
        begin = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - undone as if it were raised
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(begin)
            raise
        self._set(place, dimension, value)

    def _write(self, place: int, dimension: Dimension, value: Value, *, undo: bool) -> Rating | Comparison:
        item, now = self.items[place], datetime.now(UTC).isoformat(timespec="seconds")
        if self.compares:
            left, right = item.fingerprints
            choice = value if isinstance(value, str) else None
            return Comparison(
                rater=self.rater, left=left, right=right, dimension=dimension, choice=choice, at=now, undo=undo
            )
        return Rating(
            rater=self.rater,
            dialogue=item.dialogues[0].id,
            fingerprint=item.fingerprints[0],
            dimension=dimension,
            score=value if isinstance(value, int) else None,
            at=now,
            undo=undo,
        )

    def _set(self, place: int, dimension: Dimension, value: Value) -> None:
        if value is None:
            self._values[place].pop(dimension, None)
        else:
            self._values[place][dimension] = value

    def _recall(self, click: Rating | Comparison) -> None:
        """Let a click of an earlier sitting count, if it is this person's and about something that is still here."""
        key: tuple[str, ...]
        value: Value
        if isinstance(click, Comparison):
            key, value = tuple(sorted((click.left, click.right))), self._turn(click)
        else:
            key, value = (click.fingerprint,), click.score
        place = self._places.get(key)
        if click.rater != self.rater or place is None:
            return
        if not click.undo:
            self._undoable.append((place, click.dimension, self._values[place].get(click.dimension)))
        elif self._undoable:
            self._undoable.pop()
        self._set(place, click.dimension, value)

    def _turn(self, click: Comparison) -> Choice | None:
        """Return a choice as the sides stand now; another seed may have turned them."""
        place = self._places.get(tuple(sorted((click.left, click.right))))
        turned = place is not None and self.items[place].fingerprints[0] != click.left
        swap: Mapping[Choice | None, Choice] = {"left": "right", "right": "left"}
        return swap.get(click.choice, click.choice) if turned else click.choice

    def export(self) -> list[JSON]:
        """Return one row per item and dimension that has a value, in the order of the first file, unblinded."""
        ordered = sorted(enumerate(self.items), key=lambda entry: self._find_first(entry[1]).line)
        return [
            {"rater": self.rater, "dimension": dimension, **self._unblind(item, value)}
            for place, item in ordered
            for dimension in DIMENSIONS
            if (value := self._values[place].get(dimension)) is not None
        ]

    def _find_first(self, item: Item) -> StoredDialogue:
        return item.dialogues[0 if item.first_left else -1]

    def _unblind(self, item: Item, value: Value) -> JSON:
        if not self.compares:
            dialogue = item.dialogues[0]
            return {"dialogue": dialogue.id, "file": str(dialogue.path), "line": dialogue.line, "score": value}
        first, second = item.dialogues if item.first_left else item.dialogues[::-1]
        sides = {"left": first, "right": second} if item.first_left else {"left": second, "right": first}
        preferred = "same" if value == "same" else str(sides[str(value)].path)
        return {
            "dialogue": first.id,
            "file": str(first.path),
            "other_dialogue": second.id,
            "other_file": str(second.path),
            "left": str(sides["left"].path),
            "preferred": preferred,
        }


def _open_log(path: Path) -> BinaryIO:
    """Open a file of ratings to add to; a last line that a killed process left unfinished is cut off."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
        read_clicks(path)  # before anything is changed: the name may be that of another file
        end = file.seek(0, os.SEEK_END)
        while end and _read_byte(file, end - 1) != b"\n":
            end -= 1
        file.truncate(end)
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be used as file of ratings: {exc.strerror or exc}") from exc
    return file


def _read_byte(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.read(1)
