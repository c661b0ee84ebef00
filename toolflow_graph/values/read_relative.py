"""Finding dates that are told relative to today."""

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta

from toolflow_graph.values.moments import WEEKDAYS
from toolflow_graph.values.read_calendar import read_calendar
from toolflow_graph.values.read_numbers import ORDINAL_WORDS, Mention, to_number

__all__ = ["read_relative"]

_ORDINAL = "|".join(sorted(ORDINAL_WORDS, key=len, reverse=True))
_ALONE = re.compile(
    rf"\b(?P<w>the |on |by |until |from |till |before |after )(?P<d>\d{{1,2}}(?:st|nd|rd|th)|{_ORDINAL})\b"
)
_WEEKDAY = re.compile(
    r"\b(?P<p>this|next|last|coming|past|following|previous|on|by|until|from)?\s?(?P<w>monday|tuesday|wednesday|thursday|"
    r"friday|saturday|sunday|tues|thurs|mon|tue|wed|thur|thu|fri|sat|sun)\b(?P<s>\s(?:week|after next|next week|"
    r"of next week|last week))?"
)
_NAMED = (
    (re.compile(r"\bthe day after tomorrow\b|\bovermorrow\b"), 2),
    (re.compile(r"\bthe day before yesterday\b"), -2),
    (re.compile(r"\btomorrow\b|\btmrw\b|\btmr\b"), 1),
    (re.compile(r"\byesterday\b|\blast night\b"), -1),
    (
        re.compile(r"\btoday\b|\btonight\b|\bthis (?:morning|afternoon|evening)\b|\bright now\b|\bcurrently\b|\bnow\b"),
        0,
    ),
    (re.compile(r"\ba week (?:from )?tomorrow\b|\btomorrow week\b"), 8),
)
_COUNT = (
    r"(?P<n>\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|thirty|sixty|ninety|"
    r"a couple of)"
)
_SPAN = r"(?P<u>days?|weeks?|fortnight|months?|years?)"
_AHEAD = re.compile(rf"\b(?:in\s{_COUNT}\s(?:more\s)?{_SPAN}\b)")
_LATER = re.compile(rf"\b{_COUNT}\s{_SPAN}\s(?P<w>from (?:now|today)|ago|later|earlier|today|hence)\b")
_LAST = re.compile(rf"\b(?:last|past|previous|next|coming)\s(?:{_COUNT}\s)?{_SPAN}\b")
_PERIOD = re.compile(r"\b(?P<p>this|next|last|the coming|the)\s(?P<u>weekend|week|month|year|quarter)\b")
_EDGE = re.compile(
    r"\b(?P<e>end|start|beginning|middle|last day|first day) of (?:(?P<p>the|this|next|last)\s)?"
    r"(?P<u>week|month|year|quarter)\b"
)
_LONE = ("wed", "sat", "sun", "mon", "tue", "thu", "fri")


def read_relative(text: str, today: date, taken: list[tuple[int, int]]) -> Iterator[Mention]:
    """Yield the dates that only `today` makes sense of: "Friday", "the 12th", "in two weeks", "last month".

    `taken` are the places of written dates; a weekday beside one ("Friday 12 June") adds nothing to it.
    """
    for pattern, offset in _NAMED:
        for match in pattern.finditer(text):
            yield Mention(match.start(), match.end(), "date", (today + timedelta(days=offset),))
    yield from _read_near(text, today, taken)
    yield from _read_counted(text, today)
    for match in _PERIOD.finditer(text):
        yield from _read_period(match, today)
    for match in _EDGE.finditer(text):
        first, last = _period(match["p"] or "the", match["u"], today)
        edge = {"end": last, "last day": last, "middle": first + (last - first) // 2}.get(match["e"], first)
        yield Mention(match.start(), match.end(), "date", (edge,))
    yield from read_calendar(text, today)


def _read_near(text: str, today: date, taken: list[tuple[int, int]]) -> Iterator[Mention]:
    for match in _WEEKDAY.finditer(text):
        beside = any(start - 2 <= match.end() <= start or end <= match.start() <= end + 2 for start, end in taken)
        if not beside or match["p"]:
            yield from _read_weekday(match, today)
    for match in _ALONE.finditer(text):
        if not any(start <= match.start("d") < end for start, end in taken):
            yield from _read_ordinal(match, today)


def _read_counted(text: str, today: date) -> Iterator[Mention]:
    for match in (*_AHEAD.finditer(text), *_LATER.finditer(text)):
        sign = -1 if (match.groupdict().get("w") or "") in ("ago", "earlier") else 1
        moved = _shift(today, match["n"], match["u"], sign)
        yield Mention(match.start(), match.end(), "date", (moved,))
    for match in _LAST.finditer(text):
        sign = 1 if match[0].startswith(("next", "coming")) else -1
        moved = _shift(today, match["n"] or "a", match["u"], sign)
        yield Mention(match.start(), match.end(), "bound", (moved, moved + timedelta(days=1), today))


def _read_weekday(match: re.Match[str], today: date) -> Iterator[Mention]:
    word, lead, suffix = match["w"], match["p"] or "", (match["s"] or "").strip()
    if word in _LONE and (word in ("wed", "sat", "sun")) and not lead:
        return
    index = next(i for i, day in enumerate(WEEKDAYS) if day.lower().startswith(word[:3]))
    coming = today + timedelta(days=(index - today.weekday() - 1) % 7 + 1)
    week = timedelta(days=7)
    monday = today - timedelta(days=today.weekday())
    if "last week" in suffix:
        values = [monday - week + timedelta(days=index)]
    elif "next" in suffix or suffix == "week":
        values = [monday + week + timedelta(days=index), coming + week]
    elif lead == "next":
        values = [coming, monday + week + timedelta(days=index)]
    elif lead in ("last", "past", "previous"):
        values = [coming - week, coming - 2 * week if coming - today == week else coming - week]
    else:
        values = [coming, coming - week]
    yield Mention(match.start("w"), match.end(), "date", tuple(dict.fromkeys(values)))


def _read_ordinal(match: re.Match[str], today: date) -> Iterator[Mention]:
    word = match["d"]
    day = ORDINAL_WORDS.get(word) or int(re.sub(r"\D", "", word))
    values = []
    for shift in (-1, 0, 1):
        year, month = divmod(today.year * 12 + today.month - 1 + shift, 12)
        if 1 <= day <= calendar.monthrange(year, month + 1)[1]:
            values.append(date(year, month + 1, day))
    ahead = [v for v in values if v >= today][:1]
    behind = [v for v in values if v < today][-1:]
    if ahead or behind:
        yield Mention(match.start("d"), match.end("d"), "ordinal_date", tuple(ahead + behind))


def _shift(day: date, count: str, unit: str, sign: int) -> date:
    number = int(to_number(count) or 1) * sign
    if unit.startswith("day"):
        return day + timedelta(days=number)
    if unit.startswith(("week", "fortnight")):
        return day + timedelta(days=number * (14 if unit.startswith("f") else 7))
    months = number * (12 if unit.startswith("year") else 1)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _read_period(match: re.Match[str], today: date) -> Iterator[Mention]:
    if match["p"] == "the" and match["u"] not in ("weekend", "week", "month"):
        return
    first, last = _period(match["p"], match["u"], today)
    if match["u"] == "month":
        yield Mention(match.start(), match.end(), "month", ((first.year, first.month),))
    kind = "date" if match["u"] == "weekend" else "bound"
    yield Mention(match.start(), match.end(), kind, (first, last))


def _period(lead: str, unit: str, today: date) -> tuple[date, date]:
    step = {"next": 1, "last": -1}.get(lead, 0)
    if unit in ("week", "weekend"):
        monday = today - timedelta(days=today.weekday()) + timedelta(days=7 * step)
        return (
            (monday + timedelta(days=5), monday + timedelta(days=6))
            if unit == "weekend"
            else (
                monday,
                monday + timedelta(days=6),
            )
        )
    if unit == "year":
        return date(today.year + step, 1, 1), date(today.year + step, 12, 31)
    size = 3 if unit == "quarter" else 1
    index = (today.year * 12 + today.month - 1) // size + step
    start_year, start_month = divmod(index * size, 12)
    end_year, end_month = divmod(index * size + size - 1, 12)
    last = calendar.monthrange(end_year, end_month + 1)[1]
    return date(start_year, start_month + 1, 1), date(end_year, end_month + 1, last)
