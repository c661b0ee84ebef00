"""What a line states in figures: dates, times, lengths of time, money, shares, numbers and places in an order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from toolflow_graph.values.lexicon import CURRENCIES
from toolflow_graph.values.naming import word_set
from toolflow_graph.values.read_numbers import Mention
from toolflow_graph.values.reading import Reading, read

__all__ = ["Said", "SaidKind", "find_turn", "is_same", "read_said"]

SaidKind = Literal["date", "month", "period", "time", "span", "money", "share", "number", "ordinal"]


@dataclass(frozen=True)
class Said:
    """One figure in a folded text: where it stands, in which words, and all that it can mean.

    `currency` holds the ISO codes that an amount's sign or word can stand for, `hours` the times (minutes after
    midnight) that a bare number can be; `turn` says "next" or "last" of a weekday, `joined` that another value
    follows at once ("40 to 55 euros"), and `idle` that it is more a way of speaking ("an hour", "the second try"),
    which may go or come, but not become another.
    """

    kind: SaidKind
    values: frozenset[object]
    start: int
    end: int
    words: str
    currency: frozenset[str] = frozenset()
    hours: frozenset[object] = frozenset()
    turn: str = ""
    joined: bool = False
    idle: bool = False


def is_same(one: Said, other: Said, *, loose: bool = False) -> bool:
    """Tell whether two figures can mean the same; `loose` lets an amount go without its currency."""
    if one.kind == other.kind == "date":
        return bool(one.values & other.values) and (one.turn == other.turn or "?" in (one.turn, other.turn))
    if one.kind == other.kind == "money":
        return bool(one.values & other.values and one.currency & other.currency)
    if one.kind == other.kind:
        return bool(one.values & other.values)
    kinds = {one.kind, other.kind}
    if kinds == {"ordinal", "date"}:
        ordinal, day = (one, other) if one.kind == "ordinal" else (other, one)
        return any(isinstance(v, date) and v.day in ordinal.values for v in day.values)
    if kinds == {"number", "money"}:
        number = one if one.kind == "number" else other
        return loose and number.joined and bool(one.values & other.values)
    if kinds == {"number", "time"}:
        number, time = (one, other) if one.kind == "number" else (other, one)
        return bool(number.hours & time.values)
    return False


def read_said(text: str, today: date | None) -> list[Said]:
    """Return the figures of a text in their order, each once; what only helps to speak ("one of them") is no figure."""
    reading = read(text, today)
    found: list[Said] = []
    for read_kind in (_read_moments, _read_times, _read_spans, _read_numbers):
        taken = [(said.start, said.end) for said in found]
        found += [s for s in read_kind(reading) if not any(s.start < end and start < s.end for start, end in taken)]
    return sorted(found, key=lambda said: said.start)


_NOW = word_set("now currently")
_YEAR_ALONE = re.compile(r"(?:19|20)\d\d")
_TURN = re.compile(r"\b(next|following|last|past|previous)\s$")
_TURNS = {"following": "next", "past": "last", "previous": "last"}
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b")


def _read_moments(reading: Reading) -> Iterator[Said]:
    groups: dict[tuple[object, ...], set[object]] = {}
    for mention in reading.dated:
        words = reading.folded[mention.start : mention.end].strip()
        if words in _NOW or words == "right now" or _YEAR_ALONE.fullmatch(words):
            continue
        if (mention.kind == "ordinal_date" and words.isalpha()) or words == "last day":
            continue  # "the first one", "the last day of cover": no day is meant
        if mention.kind in ("date", "ordinal_date"):
            days = frozenset((v.month, v.day) for v in mention.values if isinstance(v, date))
            key: tuple[object, ...] = ("date", mention.start, mention.end, days)
        elif mention.kind == "month":
            months = frozenset(v[1] for v in mention.values if isinstance(v, tuple))
            key = ("month", mention.start, mention.end, months)
        else:
            key = ("period", mention.start, mention.end)
        groups.setdefault(key, set()).update(mention.values)
    for key, values in _drop_inner(groups):
        kind, start, end = key[0], int(str(key[1])), int(str(key[2]))
        meant = values - {reading.today} if kind == "period" else values
        words = reading.folded[start:end].strip(" .,")
        turn = _read_turn(reading.folded, start, words)
        idle = words == "today" and reading.folded[:start].endswith("for ")  # "that's all for today"
        yield Said(kind, frozenset(meant), start, end, words, turn=turn, idle=idle)  # type: ignore[arg-type]


def find_turn(folded: str, said: Said) -> int:
    """Return where a figure begins with the "next" or "last" that may stand before a weekday."""
    lead = _TURN.search(folded[: said.start]) if said.kind == "date" and said.turn in ("next", "last") else None
    return lead.start() if lead else said.start


def _drop_inner(
    groups: dict[tuple[object, ...], set[object]],
) -> Iterator[tuple[tuple[object, ...], set[object]]]:
    """Yield the groups without those that stand inside a longer one, and periods beside a date or month."""
    places = [(key[0], int(str(key[1])), int(str(key[2]))) for key in groups]
    for key, values in groups.items():
        kind, start, end = key[0], int(str(key[1])), int(str(key[2]))
        longer = any(s <= start and end <= e and e - s > end - start for _, s, e in places)
        named = kind == "period" and any(k != "period" and s < end and start < e for k, s, e in places)
        if not longer and not named:
            yield key, values


def _read_turn(folded: str, start: int, words: str) -> str:
    """Return "next" or "last" for a weekday that is put so, "" for a plain one, "?" for what is no weekday."""
    if not _WEEKDAY.match(words):
        return "?"
    if "last week" in words:
        return "last"
    if words.endswith((" week", "after next")):
        return "next"
    lead = _TURN.search(folded[:start])
    return _TURNS.get(lead[1], lead[1]) if lead else ""


def _read_times(reading: Reading) -> Iterator[Said]:
    strict = [m for m in reading.timed if m.kind == "time"]
    for mention in strict:
        inner = any(
            o is not mention
            and o.start <= mention.start
            and mention.end <= o.end
            and o.end - o.start > mention.end - mention.start
            for o in strict
        )
        if not inner:
            yield _said("time", mention, reading)


_RATE = re.compile(r"(?:an?|another)\b|one (?:day|night)\b")
_SPANNING = re.compile(
    r"\b(?:in|for|within|after|takes?|took|lasts?|about|of|than|around|nearly|almost|only|under|over|below|above|least|"
    r"most|another)\s$"
)


def _read_spans(reading: Reading) -> Iterator[Said]:
    for mention in sorted(reading.lasting, key=lambda m: m.start - m.end):
        words = reading.folded[mention.start : mention.end]
        rate = _RATE.match(words) is not None and "half" not in words  # "50 euros a day"
        idle = rate and not _SPANNING.search(reading.folded[: mention.start])
        values = {(seconds, "night" if unit == "night" else "") for seconds, unit in _pairs(mention)}
        unit = _UNIT.search(words)
        if unit and len(mention.values) == 1 and " half" not in words[unit.end() :]:
            words = words[: unit.end()]
        yield Said("span", frozenset(values), mention.start, mention.start + len(words), words.strip(), idle=idle)


_UNIT = re.compile(
    r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|fortnights?|months?|years?|yrs?)\b"
)


def _pairs(mention: Mention) -> Iterator[tuple[Decimal, str]]:
    return (value for value in mention.values if isinstance(value, tuple))


_NO_FIGURES = word_set("one both once double a couple pair")
_NO_ORDINALS = re.compile(
    r"\b(?:at first\b|first of all|first (?:name|thing|come|served|aid|,)|"
    r"(?:a|one|just a|any|this) second\b|second (?:thoughts?|hand)|second-hand|secondhand)|^first,"
)
_TRY = re.compile(r" (?:go|try|attempt)\b")


def _read_numbers(reading: Reading) -> Iterator[Said]:
    folded = reading.folded
    hours = [m for m in reading.timed if m.kind == "hour"]
    idle = [match.span() for match in _NO_ORDINALS.finditer(folded)]
    for mention in sorted(reading.numbered, key=lambda m: m.start - m.end):
        words = folded[mention.start : mention.end].strip()
        if mention.kind == "ordinal":
            if not any(start <= mention.start < end for start, end in idle):
                said = _said("ordinal", mention, reading)
                yield replace(said, idle=_TRY.match(folded, mention.end) is not None)
            continue
        if words in _NO_FIGURES:
            continue
        values = frozenset(mention.values)
        if mention.kind == "percent":
            yield Said("share", values, mention.start, mention.end, words)
            continue
        start, end, currency = _find_currency(folded, mention.start, mention.end)
        if currency:
            yield Said("money", values, start, end, folded[start:end].strip(), currency)
            continue
        clock = frozenset(v for m in hours if m.start < mention.end and mention.start < m.end for v in m.values)
        joined = _JOINED.match(folded, mention.end) is not None
        yield Said("number", values, mention.start, mention.end, words, hours=clock, joined=joined)


_JOINED = re.compile(r"\s?(?:to|and|or|-)\s?(?=\W?\d)|, (?=\W?\d)")


def _said(kind: SaidKind, mention: Mention, reading: Reading) -> Said:
    words = reading.folded[mention.start : mention.end].strip(" .,")
    return Said(kind, frozenset(mention.values), mention.start, mention.end, words)


def _list_currencies() -> dict[str, frozenset[str]]:
    """Return which codes each sign, code and word can stand for; "dollars" are those of any country."""
    found: dict[str, set[str]] = {}
    for code, (sign, words, others) in CURRENCIES.items():
        plain = words.lower()
        last = plain.rsplit(" ", 1)[-1]
        for name in (sign, code.lower(), plain, last, last.removesuffix("s"), *others):
            if name:
                found.setdefault(name, set()).add(code)
    found["$"] |= found["dollars"]
    found["¥"] |= found.get("yuan", set())
    found["€"].add("EUR")
    return {name: frozenset(codes) for name, codes in found.items()}


_CURRENCIES = _list_currencies()
_ANY_CURRENCY = "|".join(sorted(map(re.escape, _CURRENCIES), key=len, reverse=True))
_BEFORE = re.compile(rf"(?<![a-z])({_ANY_CURRENCY})\s?$")
_AFTER = re.compile(rf"\s?-?({_ANY_CURRENCY})(?![a-z])")


def _find_currency(folded: str, start: int, end: int) -> tuple[int, int, frozenset[str]]:
    """Return the amount's place with its currency, and what that can be; nothing when there is none."""
    if after := _AFTER.match(folded, end):
        return start, after.end(), _CURRENCIES[after[1]]
    if before := _BEFORE.search(folded[:start]):
        return before.start(), end, _CURRENCIES[before[1]]
    return start, end, frozenset()
