"""Verdicts that were asked for before: one file of JSON Lines, found by all that was sent to the model.

A line, shortened: {"key": "9f2c…", "model": "gpt-5", "verdict": {"NAT": {"reason": "…", "message": 3, "score": 4}, …}};
of a pair of texts, whether one entails the other: {"key": "31d0…", "model": "gpt-5", "verdict": {"label": "neutral"}}.
"""

import hashlib
import json
import logging
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import TypeAdapter, ValidationError

from toolflow_graph.encoder.cache import find_cache_folder
from toolflow_graph.errors import DatasetError
from toolflow_graph.evaluation.ratings import encode_line, parse_line
from toolflow_graph.types import JSON, Record

__all__ = ["VerdictCache", "key_verdict"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _Entry(Record):
    key: str
    model: str
    verdict: JSON


def key_verdict(model: str, temperature: float | None, messages: Sequence[JSON], schema: JSON) -> str:
    """Return the key of a verdict: the prompt and what is judged are all in the messages."""
    content = json.dumps([model, temperature, messages, schema])
    return hashlib.sha256(content.encode()).hexdigest()


class VerdictCache:
    """Verdicts on disk by content; each is appended when it comes, so that a run that ends early loses none.

    Lines that are damaged count as absent. Where the user's cache folder cannot be used, work goes on without it after
    one warning; a file of one's own that cannot be used raises `DatasetError`.

    Args:
        path: A file of one's own, created when it is missing; by default one beside the embedding cache.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or find_cache_folder() / "verdicts-2.jsonl"
        self._own = path is not None
        self._off = False

    def read(self, keys: Collection[str], adapter: TypeAdapter[T]) -> dict[str, T]:
        """Return the verdicts of those keys that are present and intact, as what the adapter makes of them."""
        wanted = set(keys)
        found: dict[str, T] = {}
        damaged = intact = 0
        try:
            with self.path.open("rb") as file:
                for raw in file:
                    try:
                        entry = _Entry.model_validate(parse_line(raw))
                        if entry.key in wanted:
                            found[entry.key] = adapter.validate_python(entry.verdict)
                    except (ValueError, ValidationError, RecursionError):
                        damaged += bool(raw.strip())
                    else:
                        intact += 1
        except FileNotFoundError:
            return {}
        except OSError as exc:
            self._fail(exc)
        if damaged and not intact and self._own:
            raise DatasetError(f"{self.path}: holds something else than verdicts; name another file by --judge-cache")
        if damaged:
            _log.warning("%s: %d damaged lines are overlooked; their verdicts are asked for again", self.path, damaged)
        return found

    def write(self, key: str, model: str, verdict: JSON) -> None:
        """Append one verdict."""
        if self._off:
            return
        line = encode_line(_Entry(key=key, model=model, verdict=verdict))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                if _ends_torn(file):
                    line = b"\n" + line
                file.write(line)  # one write in append mode: lines of several processes do not mix
        except OSError as exc:
            self._fail(exc)

    def _fail(self, exc: OSError) -> None:
        if self._own:
            raise DatasetError(f"{self.path}: cannot be used as cache of verdicts: {exc.strerror or exc}") from exc
        self._off = True
        _log.warning("verdicts are not cached in %s (%s)", self.path, exc.strerror or exc)


def _ends_torn(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
