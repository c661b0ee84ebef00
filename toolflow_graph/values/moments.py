"""Dates, times and moments as values: reading them, whatever their format, and writing them in the format wanted."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache

__all__ = ["MONTHS", "WEEKDAYS", "Moment", "date_format", "parse_moment"]

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s?(?:Z|[+-]\d{2}:?\d{2}|UTC)?)?"
)
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?(?:Z|[+-]\d{2}:?\d{2})?")
_HOUR = re.compile(r"(\d{1,2})\s*([AaPp]\.?[Mm]\.?)")
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[T ]+(\d{1,2}:\d{2}.*))?")
_NAMED = re.compile(
    r"(?:([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})|(\d{1,2})(?:st|nd|rd|th)? ([A-Za-z]{3,9})\.?,? (\d{4}))"
)
_FORMATS = (
    (re.compile(r"yyyy-mm-dd|\b\d{4}-\d{2}-\d{2}\b"), "%Y-%m-%d"),
    (re.compile(r"yyyy/mm/dd"), "%Y/%m/%d"),
    (re.compile(r"mm/dd/yyyy"), "%m/%d/%Y"),
    (re.compile(r"dd/mm/yyyy"), "%d/%m/%Y"),
    (re.compile(r"mm-dd-yyyy"), "%m-%d-%Y"),
    (re.compile(r"dd-mm-yyyy"), "%d-%m-%Y"),
    (re.compile(r"dd\.mm\.yyyy"), "%d.%m.%Y"),
    (re.compile(r"mm\.dd\.yyyy"), "%m.%d.%Y"),
)


@dataclass(frozen=True)
class Moment:
    """A date, a time of day, both, or a month; `others` are the other readings of an ambiguous date."""

    day: date | None = None
    at: time | None = None
    month: tuple[int, int] | None = None
    others: tuple[date, ...] = ()


def date_format(description: str) -> str:
    """Return the `strftime` format of dates that a description asks for; ISO when it asks for none."""
    lower = description.lower()
    return next((form for wanted, form in _FORMATS if wanted.search(lower)), "%Y-%m-%d")


@lru_cache(maxsize=65536)
def parse_moment(value: str) -> Moment | None:
    """Return the moment that the whole string denotes, or None."""
    text = value.strip()
    if not 4 <= len(text) <= 40 or not any(c.isdigit() for c in text):
        hour = _HOUR.fullmatch(text)
        return Moment(at=_time(hour[1], "0", "0", hour[2])) if hour else None
    try:
        return _parse(text)
    except ValueError:
        return None


def _parse(text: str) -> Moment | None:
    if match := _ISO.fullmatch(text):
        day = date(int(match[1]), int(match[2]), int(match[3]))
        at = time(int(match[4]), int(match[5]), int(match[6] or 0)) if match[4] else None
        return Moment(day, at)
    if match := _MONTH.fullmatch(text):
        return Moment(month=(int(match[1]), int(match[2])))
    if match := _TIME.fullmatch(text) or None:
        return Moment(at=_time(match[1], match[2], match[3] or "0", match[4]))
    if match := _HOUR.fullmatch(text):
        return Moment(at=_time(match[1], "0", "0", match[2]))
    if match := _YEAR_FIRST.fullmatch(text):
        return Moment(date(int(match[1]), int(match[2]), int(match[3])))
    if match := _YEAR_LAST.fullmatch(text):
        return _parse_year_last(match)
    if match := _NAMED.fullmatch(text):
        month, number, year = (match[1], match[2], match[3]) if match[1] else (match[5], match[4], match[6])
        index = next((i for i, m in enumerate(MONTHS, 1) if m.lower().startswith(month.lower()[:3])), 0)
        return Moment(date(int(year), index, int(number)))
    return None


def _parse_year_last(match: re.Match[str]) -> Moment | None:
    one, two, year = int(match[1]), int(match[2]), int(match[3])
    days = [date(year, m, d) for m, d in dict.fromkeys([(one, two), (two, one)]) if 1 <= m <= 12 and 1 <= d <= 31]
    inner = parse_moment(match[4]) if match[4] else None
    return Moment(days[0], inner.at if inner else None, None, tuple(days[1:])) if days else None


def _time(hour: str, minute: str, second: str, half: str | None) -> time:
    number = int(hour)
    if half:
        number = number % 12 + (12 if half[0] in "pP" else 0)
    return time(number % 24 if number == 24 else number, int(minute), int(second))


def format_datetime(moment: datetime, pattern: str, description: str) -> str:
    """Write a moment as ISO 8601, with seconds or a zone only where the pattern or description asks for them."""
    text = moment.strftime("%Y-%m-%dT%H:%M")
    lower = description.lower()
    for form in (text, text + ":00", text + ":00Z", text + "Z", text.replace("T", " "), text.replace("T", " ") + ":00"):
        if pattern and re.search(pattern, form):
            return form
    if "yyyy-mm-dd hh:mm:ss" in lower:
        return text.replace("T", " ") + ":00"
    if "yyyy-mm-dd hh:mm" in lower:
        return text.replace("T", " ")
    return text + ":00" if re.search(r"hh:mm:ss|thh", lower) else text
