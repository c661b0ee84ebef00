"""Finding days that the calendar fixes: holidays, "the second Tuesday of July", "the third quarter"."""

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from toolflow_graph.values.moments import MONTHS, WEEKDAYS
from toolflow_graph.values.read_numbers import Mention

__all__ = ["find_easter", "read_calendar"]

_FIXED = {
    "new years eve": (12, 31),
    "new years day": (1, 1),
    "new years": (1, 1),
    "epiphany": (1, 6),
    "three kings": (1, 6),
    "australia day": (1, 26),
    "groundhog day": (2, 2),
    "valentines day": (2, 14),
    "valentines": (2, 14),
    "st patricks day": (3, 17),
    "saint patricks day": (3, 17),
    "womens day": (3, 8),
    "april fools day": (4, 1),
    "april fools": (4, 1),
    "anzac day": (4, 25),
    "kings day": (4, 27),
    "may day": (5, 1),
    "labour day": (5, 1),
    "cinco de mayo": (5, 5),
    "juneteenth": (6, 19),
    "midsummers day": (6, 24),
    "canada day": (7, 1),
    "independence day": (7, 4),
    "fourth of july": (7, 4),
    "bastille day": (7, 14),
    "swiss national day": (8, 1),
    "assumption day": (8, 15),
    "german unity day": (10, 3),
    "reformation day": (10, 31),
    "halloween": (10, 31),
    "all saints day": (11, 1),
    "all saints": (11, 1),
    "all souls day": (11, 2),
    "guy fawkes night": (11, 5),
    "bonfire night": (11, 5),
    "armistice day": (11, 11),
    "veterans day": (11, 11),
    "st nicholas day": (12, 6),
    "christmas eve": (12, 24),
    "christmas day": (12, 25),
    "christmas": (12, 25),
    "boxing day": (12, 26),
    "st stephens day": (12, 26),
}
"""Holidays by month and day, apostrophes left out."""

_AROUND_EASTER = {
    "shrove tuesday": -47,
    "pancake day": -47,
    "ash wednesday": -46,
    "palm sunday": -7,
    "maundy thursday": -3,
    "good friday": -2,
    "easter saturday": -1,
    "easter sunday": 0,
    "easter": 0,
    "easter monday": 1,
    "ascension day": 39,
    "ascension": 39,
    "whit sunday": 49,
    "pentecost": 49,
    "whitsun": 49,
    "whit monday": 50,
    "corpus christi": 60,
}
"""Holidays by their distance from Easter Sunday, in days."""

_NTH = {
    "martin luther king day": ((1, 3, 0),),
    "mlk day": ((1, 3, 0),),
    "presidents day": ((2, 3, 0),),
    "mothers day": ((5, 2, 6),),
    "memorial day": ((5, -1, 0),),
    "fathers day": ((6, 3, 6),),
    "labor day": ((9, 1, 0),),
    "columbus day": ((10, 2, 0),),
    "thanksgiving day": ((11, 4, 3), (10, 2, 0)),
    "thanksgiving": ((11, 4, 3), (10, 2, 0)),
}
"""Holidays by month, number of the week (-1 the last) and weekday; where countries differ, both."""

_AFTER_THANKSGIVING = {"black friday": 1, "cyber monday": 4}


def _as_pattern(names: list[str]) -> str:
    """Return a pattern of names, longest first, in which a possessive may have its apostrophe or not."""
    longest = sorted(names, key=len, reverse=True)
    return "|".join(re.sub(r"s\b", "'?s'?", name) for name in longest)


_HOLIDAY = re.compile(rf"\b(?:{_as_pattern([*_FIXED, *_AROUND_EASTER, *_NTH, *_AFTER_THANKSGIVING])})\b")
_ORDER = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": -1}
_ANY = re.compile(
    r" day\b|eve\b|night\b|monday|friday|quarter|\bq[1-4]\b|mid|christmas|easter|thanks|new year|all s|hallow|valen|"
    r"fools|pentec|ascens|whit|wednesday|thursday|saturday|sunday|tuesday|juneteenth|epiph|kings|corpus|cinco|fourth"
)
"""What any of the patterns below holds; most texts hold none of it."""

_MONTH_NAMES = "|".join(month.lower() for month in MONTHS)
_NTH_WEEKDAY = re.compile(
    rf"\b(?P<n>{'|'.join(_ORDER)}) (?P<w>{'|'.join(day.lower() for day in WEEKDAYS)}) (?:in|of) "
    rf"(?:(?P<m>{_MONTH_NAMES})(?: (?P<y>\d{{4}}))?|(?P<p>the|this|next|last|every|each) month)\b"
)
_QUARTER = re.compile(r"\b(?:q(?P<q>[1-4])|(?P<n>first|second|third|fourth|last) quarter)\b(?: of)?(?: (?P<y>\d{4}))?")
_MID_MONTH = re.compile(rf"\b(?:mid[- ]|(?:the )?middle of )(?P<m>{_MONTH_NAMES})\b(?: (?P<y>\d{{4}}))?")


def read_calendar(text: str, today: date) -> Iterator[Mention]:
    """Yield the days of a folded text that the calendar fixes, in the years around `today`."""
    if not _ANY.search(text):
        return
    years = (today.year - 1, today.year, today.year + 1)
    for match in _HOLIDAY.finditer(text):
        name = match[0].replace("'", "")
        yield Mention(match.start(), match.end(), "date", tuple(d for y in years for d in _find_holiday(name, y)))
    for match in _NTH_WEEKDAY.finditer(text):
        yield Mention(match.start(), match.end(), "date", tuple(_read_nth(match, today)))
    for match in _MID_MONTH.finditer(text):
        named = [int(match["y"])] if match["y"] else years
        month = _month_number(match["m"])
        yield Mention(match.start(), match.end(), "date", tuple(date(year, month, 15) for year in named))
    for match in _QUARTER.finditer(text):
        number = int(match["q"]) if match["q"] else _ORDER[match["n"]] % 5
        for year in [int(match["y"])] if match["y"] else years:
            last = calendar.monthrange(year, number * 3)[1]
            bounds = date(year, number * 3 - 2, 1), date(year, number * 3, last)
            yield Mention(match.start(), match.end(), "bound", bounds)


def _month_number(name: str) -> int:
    return next(i for i, month in enumerate(MONTHS, 1) if month.lower() == name)


@lru_cache(maxsize=1024)
def _find_holiday(name: str, year: int) -> tuple[date, ...]:
    if name in _FIXED:
        return (date(year, *_FIXED[name]),)
    if name in _AROUND_EASTER:
        return (find_easter(year) + timedelta(days=_AROUND_EASTER[name]),)
    if name in _AFTER_THANKSGIVING:
        return (_nth_weekday(year, 11, 4, 3) + timedelta(days=_AFTER_THANKSGIVING[name]),)
    return tuple(_nth_weekday(year, *rule) for rule in _NTH[name])


def find_easter(year: int) -> date:
    """Return Easter Sunday of the western churches (the anonymous Gregorian computus)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    skipped, leaps = divmod(century, 4)
    moon = (19 * golden + century - skipped - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * leaps + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _nth_weekday(year: int, month: int, number: int, weekday: int) -> date:
    """Return the weekday (Monday is 0) of that number in a month; -1 is the last."""
    if number > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))
    last = date(year, month, calendar.monthrange(year, month)[1])
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def _read_nth(match: re.Match[str], today: date) -> Iterator[date]:
    number = _ORDER[match["n"]]
    weekday = next(i for i, day in enumerate(WEEKDAYS) if day.lower() == match["w"])
    if match["m"]:
        for year in [int(match["y"])] if match["y"] else (today.year - 1, today.year, today.year + 1):
            yield _nth_weekday(year, _month_number(match["m"]), number, weekday)
        return
    for ahead in {"next": (1,), "last": (-1,)}.get(match["p"], (0, 1)):
        year, month = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        yield _nth_weekday(year, month + 1, number, weekday)
