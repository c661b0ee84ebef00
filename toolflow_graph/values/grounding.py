"""Grounding: whether words contain a value, however people put it."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from toolflow_graph.types import JSON
from toolflow_graph.values.kinds import Kind, kind_of
from toolflow_graph.values.moments import Moment, parse_moment
from toolflow_graph.values.naming import fold, split_words, stem, word_set
from toolflow_graph.values.read_dates import NO_YEAR
from toolflow_graph.values.read_numbers import UNIT_SECONDS
from toolflow_graph.values.reading import Reading, content_words, read
from toolflow_graph.values.shapes import plain_schema
from toolflow_graph.values.synonyms import words_of_code
from toolflow_graph.values.words import enum_words

__all__ = ["overlap", "supports"]

_ENOUGH = 0.6
_YES = word_set("yes yeah yep sure please ok okay definitely absolutely true with include included")
_FIRM = word_set("yes yeah yep definitely absolutely true")
_NO = word_set("no not without don't doesn't never nope false skip exclude isn't won't nah")
_ENDS = word_set("end until till to out checkout return due finish close before arrival expiry by")
_LARGER = (
    (re.compile(r"\b(?:m|meters?|metres?)\b"), re.compile(r"\bkm\b|kilomet|\bk\b"), 1000),
    (re.compile(r"\b(?:g|grams?)\b"), re.compile(r"\bkg\b|kilo"), 1000),
    (re.compile(r"\b(?:ml|millilit\w+)\b"), re.compile(r"\bl\b|lit(?:er|re)"), 1000),
    (re.compile(r"\b(?:cm|centimet\w+)\b"), re.compile(r"\bm\b|\bmet(?:er|re)"), 100),
    (re.compile(r"\b(?:mb|megabytes?)\b"), re.compile(r"\bgb\b|gigabyte"), 1000),
    (re.compile(r"\bcents\b|minor unit"), re.compile(r"."), 100),
)


def supports(
    text: str | Sequence[str], value: Any, today: date | None, name: str = "", schema: JSON | None = None
) -> bool:
    """Tell whether the words contain the value, in any way in which people and models put it.

    `text` may be several texts: a moment's date and time, or an array's elements, may then stand in different ones.
    Without `today`, relative dates support nothing.
    """
    texts = (text,) if isinstance(text, str) else tuple(text)
    return _supports([read(t, today) for t in texts], value, name, plain_schema(schema or {}))


def _supports(readings: list[Reading], value: Any, name: str, schema: JSON) -> bool:
    if value is None:
        return True
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        return all(_supports(readings, v, k, plain_schema(properties.get(k) or {})) for k, v in value.items())
    if isinstance(value, list | tuple):
        items = schema.get("items")
        part = plain_schema(items) if isinstance(items, dict) else {}
        singular = name[:-1] if name.endswith("s") and not name.endswith("ss") else name
        return all(_supports(readings, v, singular, part) for v in value)
    if isinstance(value, bool):
        return any(_has_boolean(reading, value, name, schema) for reading in readings)
    if isinstance(value, int | float):
        return _has_number(readings, Decimal(str(value)), name, schema)
    return _has_string(readings, str(value), name, schema)


def _has_boolean(reading: Reading, value: bool, name: str, schema: JSON) -> bool:
    words = reading.words
    about = {stem(w) for w in split_words(name) if w not in _AUXILIARY}
    about |= {w for w in content_words(str(schema.get("description", ""))) if w not in _GENERIC}
    mentions = [i for i, token in enumerate(reading.tokens) if stem(token) in about]
    denied = any(set(reading.tokens[max(0, i - 4) : i]) & _NO for i in mentions)
    if value:
        return bool(words & _FIRM) or (bool(mentions) and not denied) or (bool(words & _YES) and not words & _NO)
    return denied or bool(words & _NO)


_AUXILIARY = frozenset({"is", "has", "include", "with", "only", "enable", "use", "and", "the", "of", "to", "in"})
_GENERIC = frozenset(
    {"whether", "true", "fals", "includ", "default", "only", "shoul", "should", "also", "set", "flag", "if"}
)


def _has_number(readings: list[Reading], value: Decimal, name: str, schema: JSON) -> bool:
    if any(value in reading.numbers for reading in readings):
        return True
    if abs(value) <= 1 and any(value * 100 in reading.shares for reading in readings):
        return True
    words = split_words(name)
    about = f"{' '.join(words)} {schema.get('description', '')}".lower()
    return (
        _has_duration(readings, value, words, about)
        or _has_part(readings, value, words)
        or _has_scaled(readings, value, about)
        or (value in (1, 2) and _has_few(readings, int(value), name, schema))
    )


def _has_duration(readings: list[Reading], value: Decimal, words: tuple[str, ...], about: str) -> bool:
    durations = [d for reading in readings for d in reading.durations]
    if not durations:
        return False
    units = [u for u in UNIT_SECONDS if u in words or f"{u}s" in words] or [
        u for u in UNIT_SECONDS if re.search(rf"\b{u}s?\b", about)
    ]
    if not units and "duration" in words:
        units = ["minute"]
    return any(
        value * UNIT_SECONDS[unit] == seconds for unit in units for seconds, said in durations if _agree(unit, said)
    )


def _agree(unit: str, said: str) -> bool:
    calendar = ("month", "year")
    return (unit in calendar) == (said in calendar)


def _has_part(readings: list[Reading], value: Decimal, words: tuple[str, ...]) -> bool:
    if value != int(value):
        return False
    number = int(value)
    if "day" in words and any(number == d.day for r in readings for d in r.dates):
        return True
    if "month" in words and any(number == m for r in readings for _, m in r.months):
        return True
    if "year" in words and any(number == y for r in readings for y, _ in r.months):
        return True
    if "hour" in words and any(number == t // 60 for r in readings for t in r.times):
        return True
    return "minute" in words and any(number == t % 60 for r in readings for t in r.times)


def _has_scaled(readings: list[Reading], value: Decimal, about: str) -> bool:
    return any(
        value / factor in reading.numbers and larger.search(reading.folded)
        for smaller, larger, factor in _LARGER
        if smaller.search(about)
        for reading in readings
    )


_ONE = word_set("a an one single myself alone")
_TWO = word_set("both us couple pair double two")
_TWOSOME = re.compile(
    r"\b(?:my (?:wife|husband|partner|girlfriend|boyfriend|friend|sister|brother|mother|father) and i|"
    r"with my (?:wife|husband|partner)|me and my \w+|the two of us)\b"
)


def _has_few(readings: list[Reading], value: int, name: str, schema: JSON) -> bool:
    if kind_of(name, schema) != "count":
        return False
    if value == 1:
        return any(reading.words & _ONE for reading in readings)
    return any(reading.words & _TWO or _TWOSOME.search(reading.folded) for reading in readings)


def _has_string(readings: list[Reading], value: str, name: str, schema: JSON) -> bool:
    if not value.strip():
        return True
    kind = kind_of(name, schema)
    moment = parse_moment(value) if kind not in ("id", "phone") or "T" in value else None
    if moment is not None and (_has_moment(readings, moment, name) or kind != "enum"):
        return _has_moment(readings, moment, name) or any(fold(value) in r.folded for r in readings)
    if kind == "enum":
        return any(_has_enum(reading, value, name, schema) for reading in readings)
    if kind == "phone":
        return any(_has_phone(reading, value) for reading in readings)
    if kind == "email" or _MAIL.fullmatch(value):
        return any(re.search(rf"(?<![\w.+-]){re.escape(fold(value))}(?![\w-])", r.folded) for r in readings)
    return _has_wording(readings, value, kind, name, schema)


def _has_wording(readings: list[Reading], value: str, kind: Kind, name: str, schema: JSON) -> bool:
    if _has_code(readings, value):
        return True
    if kind == "url":
        return any(_bare_url(value) in reading.folded for reading in readings)
    if re.fullmatch(r"-?\d+(?:\.\d+)?", value):
        return kind != "id" and _has_number(readings, Decimal(value), name, schema)
    if any(_has_phrase(reading, words) for words in words_of_code(value, kind, name) for reading in readings):
        return True
    if kind == "id" or _CODELIKE.fullmatch(value):
        return False
    return _has_words(readings, value, kind)


_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_CODELIKE = re.compile(r"[\w-]+(?:[./_@][\w-]+)+")


def _has_words(readings: list[Reading], value: str, kind: Kind) -> bool:
    if kind == "person":
        names = [fold(part) for part in re.split(r"[^\w'’-]+", value) if len(part) > 1]
        everything = frozenset().union(*(reading.words for reading in readings)) if readings else frozenset()
        return bool(names) and all(set(re.findall(r"[a-z0-9]+", n)) <= everything for n in names)
    if kind in ("city", "place", "address", "country"):
        head = value.partition(",")[0]
        if kind == "address":
            numbers = set(re.findall(r"\d+", head))
            return any(numbers <= reading.words and overlap([reading], head) >= _ENOUGH for reading in readings)
        threshold = 1.0 if kind == "city" else _ENOUGH
        return any(overlap([reading], head) >= threshold for reading in readings)
    if kind in ("currency", "email", "url"):
        return False
    return overlap(readings, value) >= _ENOUGH


def overlap(readings: Sequence[Reading], value: str) -> float:
    """Return the share of the value's content words (by stem) that the texts contain; 1.0 when one has it verbatim."""
    wanted = content_words(enum_words(value) if "_" in value and " " not in value else value)
    if not wanted:
        return float(any(fold(value) in reading.folded for reading in readings))
    stems = readings[0].stems.union(*(r.stems for r in readings[1:])) if readings else frozenset()
    told = [word for word in wanted if not word.isdigit()] or wanted
    shares = [sum(word in stems for word in words) / len(words) for words in (wanted, told)]
    return min(shares)


def _has_moment(readings: list[Reading], moment: Moment, name: str) -> bool:
    if moment.month is not None:
        year, month = moment.month
        return any(
            moment.month in r.months or any((d.year, d.month) == (year, month) for d in r.dates) for r in readings
        )
    has_day = moment.day is None or any(_has_date(readings, day, name) for day in (moment.day, *moment.others))
    return has_day and (moment.at is None or _has_time(readings, moment, name))


def _has_date(readings: list[Reading], day: date, name: str) -> bool:
    if any(day in reading.dates for reading in readings):
        return True
    if readings and readings[0].today is None:
        undated = [d for reading in readings for d in reading.dates if d.year == NO_YEAR]
        return any((d.month, d.day) == (day.month, day.day) for d in undated)
    if not _ENDS & set(split_words(name)):
        return False
    spans = {int(seconds) // 86400 for r in readings for seconds, unit in r.durations if unit in _DAYLONG}
    return any((day - base).days in spans for r in readings for base in r.dates) if spans else False


_SHORT = 6
_DAYLONG = ("day", "night", "week", "fortnight")


def _has_time(readings: list[Reading], moment: Moment, name: str) -> bool:
    at = moment.at
    if at is None:
        return True
    if at.second:
        return any(at.strftime("%H:%M:%S") in r.folded for r in readings)
    minutes = at.hour * 60 + at.minute
    if any(minutes in reading.times for reading in readings):
        return True
    if at.minute == 0 and any(len(r.tokens) <= _SHORT and r.numbers & {at.hour, at.hour % 12 or 12} for r in readings):
        return True
    if minutes == 0 and moment.day is not None and any(moment.day in r.dates for r in readings):
        return True
    if not _ENDS & set(split_words(name)):
        return False
    spans = {int(seconds) // 60 for r in readings for seconds, unit in r.durations if unit in ("hour", "minute")}
    return any(minutes - base in spans for r in readings for base in r.times) if spans else False


def _has_enum(reading: Reading, value: str, name: str, schema: JSON) -> bool:
    plain = reading.plain
    mine = _phrase(value)
    others = [c for c in schema.get("enum") or () if isinstance(c, str) and c != value]
    synonyms = words_of_code(value, "enum", name)
    if any(_has_phrase(reading, words) and _phrase(words) not in map(_phrase, others) for words in synonyms):
        return True
    for other in others:
        longer = _phrase(other)
        if mine.strip() and mine in longer and len(longer) > len(mine):
            plain = plain.replace(longer, " ")
    if mine.strip() and mine in plain:
        return True
    wanted = content_words(enum_words(value))
    stems = {stem(word) for word in plain.split()}
    if all(word in stems for word in wanted):
        return True
    shared = {word for other in others for word in content_words(enum_words(other))}
    distinctive = [word for word in wanted if word not in shared]
    return bool(others) and len(wanted) > 1 and any(word in stems and len(word) > 3 for word in distinctive)


@lru_cache(maxsize=16384)
def _phrase(value: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", fold(enum_words(value)).replace("'", "")).strip()
    return f" {words} "


def _has_phrase(reading: Reading, words: str) -> bool:
    if not words[0].isalnum():
        return words in reading.text
    if words in ("us", "in", "it", "no", "is", "he", "id", "c", "f", "m"):
        return re.search(rf"(?<![A-Za-z0-9]){re.escape(words.upper())}(?![A-Za-z0-9])", reading.text) is not None
    return _phrase(words) in reading.plain


def _has_phone(reading: Reading, value: str) -> bool:
    digits = re.sub(r"\D", "", value)
    said = re.sub(r"(?<=\d)[\s().\-/]+(?=[\d(])|[()]", "", reading.folded)
    runs = re.findall(r"\d+", said)
    return any(run == digits or (len(digits) > 8 and len(run) > 7 and run[-8:] == digits[-8:]) for run in runs)


def _bare_url(value: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", fold(value)).rstrip("/")


def _has_code(readings: list[Reading], value: str) -> bool:
    code = fold(value)
    return any(reading.has_code(code) for reading in readings)
