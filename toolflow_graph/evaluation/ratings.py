"""Judgements as files keep them, by people and by models: four dimensions, from 1 to 5 (paper, section 4).

A line of a file of verdicts, shortened:
    {"dialogue": "s7-000012", "line": 13, "fingerprint": "5f0c…", "model": "gpt-5", "order": ["ACC", "NAT", …],
     "scores": {"ACC": {"reason": "The total in message 6 is …", "message": 6, "score": 3}, …}}
and of a file of ratings, of one click each (the last one about a thing holds, `score` or `choice` null takes it back):
    {"rater": "ada", "dialogue": "s7-000012", "fingerprint": "5f0c…", "dimension": "NAT", "score": 4, "at": "2026-…"}
    {"rater": "ada", "left": "5f0c…", "right": "77ab…", "dimension": "NAT", "choice": "left", "at": "2026-…"}
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.errors import DatasetError
from toolflow_graph.types import JSON, Record

__all__ = [
    "DIMENSIONS",
    "LABELS",
    "Choice",
    "Comparison",
    "Dimension",
    "Judgements",
    "Rating",
    "Score",
    "Verdict",
    "encode_line",
    "fingerprint_dialogue",
    "parse_line",
    "read_clicks",
    "read_judgements",
]

Dimension = Literal["NAT", "COH", "HELP", "ACC"]
"""The paper's dimensions."""

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

LABELS: Mapping[Dimension, str] = {
    "NAT": "naturalness",
    "COH": "coherence",
    "HELP": "helpfulness",
    "ACC": "accuracy",
}

Choice = Literal["left", "right", "same"]

Points = Annotated[int, Field(ge=1, le=5, strict=True)]


class Score(Record):
    """What a judge says in one dimension; `message` is the number (from 0) of the message that decided, if one did."""

    reason: str = Field(min_length=1)
    message: int | None = None
    score: Points


class Verdict(Record):
    """What one model says of one dialogue, in the order in which it was asked."""

    dialogue: str
    line: int
    fingerprint: str
    model: str
    order: tuple[Dimension, ...]
    scores: dict[Dimension, Score]


class Rating(Record):
    """One click: a person's score of a dialogue in one dimension; None takes back what they gave before.

    `undo` says that the line restores what held before the click before it.
    """

    rater: str
    dialogue: str
    fingerprint: str
    dimension: Dimension
    score: Points | None
    at: str = ""
    undo: bool = False


class Comparison(Record):
    """One click: which of two dialogues, named by fingerprint as they stood, a person finds better; None takes back.

    Which file a side came from is not written down, so that whoever looks into the file stays blind.
    """

    rater: str
    left: str
    right: str
    dimension: Dimension
    choice: Choice | None
    at: str = ""
    undo: bool = False


@dataclass(frozen=True)
class Judgements:
    """What files of ratings and verdicts hold, taken-back and overruled clicks left out."""

    verdicts: tuple[Verdict, ...] = ()
    ratings: tuple[Rating, ...] = ()
    comparisons: tuple[Comparison, ...] = ()


def fingerprint_dialogue(dialogue: StoredDialogue) -> str:
    """Return the hash by which judgements of a dialogue are found again, whatever file it stands in."""
    content = json.dumps([dialogue.messages, dialogue.tools], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def encode_line(record: Record) -> bytes:
    """Return a record as a line of strict JSON."""
    text = json.dumps(record.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def parse_line(raw: bytes) -> JSON:
    """Return the JSON object of a line; raises `ValueError` for anything else, NaN included."""
    row = json.loads(raw, parse_constant=_refuse_constant)
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as json.loads does
    return row


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def read_clicks(path: Path) -> list[Rating | Comparison]:
    """Return all clicks of a file of ratings, in order; raises `DatasetError` also where it holds anything else."""
    clicks = []
    for record in _read_file(path):
        if isinstance(record, Verdict):
            raise DatasetError(f"{path}: holds a model's verdicts, not people's ratings; name another file by --out")
        clicks.append(record)
    return clicks


def read_judgements(paths: Iterable[Path]) -> Judgements:
    """Read files of ratings and of verdicts, told by their lines.

    A last line that a killed process left unfinished is overlooked. Raises `DatasetError` with file and line for
    everything else that is neither.
    """
    verdicts: dict[tuple[str, str], Verdict] = {}
    clicks: dict[tuple[str, ...], Rating | Comparison] = {}
    for path in paths:
        for record in _read_file(path):
            if isinstance(record, Verdict):
                verdicts[record.fingerprint, record.model] = record
            elif isinstance(record, Rating):
                clicks[record.rater, record.dimension, record.fingerprint] = record
            else:
                pair = sorted((record.left, record.right))
                clicks[record.rater, record.dimension, *pair] = record
    ratings = tuple(click for click in clicks.values() if isinstance(click, Rating) and click.score is not None)
    comparisons = tuple(c for c in clicks.values() if isinstance(c, Comparison) and c.choice is not None)
    return Judgements(tuple(verdicts.values()), ratings, comparisons)


_KINDS: Sequence[tuple[str, type[Verdict | Rating | Comparison]]] = (
    ("scores", Verdict),
    ("score", Rating),
    ("choice", Comparison),
)


def _read_file(path: Path) -> Iterable[Verdict | Rating | Comparison]:
    try:
        with path.open("rb") as file:
            lines = list(enumerate(file, 1))
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    for number, raw in lines:
        if not raw.strip() or (number == len(lines) and not raw.endswith(b"\n")):
            continue
        where = f"{path}, line {number}"
        try:
            row = parse_line(raw)
        except (ValueError, RecursionError) as exc:
            raise DatasetError(f"{where}: not JSON: {exc}") from exc
        kind = next((kind for key, kind in _KINDS if key in row), None)
        if kind is None:
            raise DatasetError(
                f"{where}: neither a rating nor a verdict; give files of `toolflow evaluate rate --out` or of "
                "`toolflow evaluate --judge-out`"
            )
        try:
            yield kind.model_validate(row)
        except ValidationError as exc:
            first = exc.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise DatasetError(f"{where}: field {place!r}: {first['msg']}") from exc
