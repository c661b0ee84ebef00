"""The sentence frame that is left when the values are taken out of a text; repeated frames betray a machine."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from toolflow_graph.values.naming import fold
from toolflow_graph.values.read_dates import read_dates
from toolflow_graph.values.read_numbers import read_durations, read_numbers
from toolflow_graph.values.read_times import read_times
from toolflow_graph.values.words import enum_words

__all__ = ["frame_of"]

_TODAY = date(2024, 1, 3)

_QUOTED = re.compile(r"\"[^\"]{1,200}\"|“[^”]{1,200}”|(?<!\w)'[^']{2,200}'(?!\w)|‘[^’]{1,200}’")
_CODE = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{3,}\b|\S+@\S+\.\w+|https?://\S+|\b[A-Z]{3,}\b")
_MONEY = re.compile(
    r"[€$£¥₹]\s?_|_\s?(?:€|(?:euros?|dollars?|pounds?|francs?|yen|kron[eo]r)\b)|\b(?:eur|usd|gbp|chf)\s_"
)
_NAME = re.compile(
    r"(?<![.!?:…]\s)(?<!^)(?<=\s)(?!I\b|I')[A-ZÀ-Þ][\w'’&-]+(?:\s(?:(?:de|van|von|of|the|&)\s)?[A-ZÀ-Þ][\w'’&-]+)*"
)
_RUN = re.compile(r"_(?:[\s,/–-]*_)+")


def frame_of(text: str, values: Iterable[Any]) -> str:
    """Return the text lower-cased, with `_` for each value, number, date, time, amount, code, quotation and name."""
    frame = text
    for said in sorted({s for value in values for s in _forms(value)}, key=lambda s: (-len(s), s)):
        frame = re.sub(rf"(?<!\w){re.escape(said)}(?!\w)", "_", frame, flags=re.IGNORECASE)
    for pattern in (_QUOTED, _CODE, _NAME):
        frame = pattern.sub("_", frame)
    frame = " ".join(fold(frame).split())
    for reader in (_moments, read_durations, read_numbers):
        spans = sorted((m.start, m.end) for m in reader(frame))
        frame = _blank(frame, spans)
    frame = _MONEY.sub("_", frame)
    return _RUN.sub("_", frame).strip()


def _moments(text: str) -> Iterator[Any]:
    yield from (m for m in read_times(text) if m.kind == "time")
    yield from (m for m in read_dates(text, _TODAY) if m.kind != "bound")


def _blank(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    position = 0
    for start, end in spans:
        if start >= position:
            parts.append(text[position:start])
            parts.append("_" + (" " if text[start:end].endswith(" ") else ""))
        position = max(position, end)
    return "".join(parts) + text[position:]


def _forms(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _forms(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _forms(part)
    elif isinstance(value, str) and len(value) > 1:
        yield value
        if "_" in value or not value.islower():
            yield enum_words(value)
