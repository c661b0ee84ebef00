"""Finding dates and months in what people write, relative to a day that counts as today."""

import calendar
import re
from collections.abc import Iterator
from datetime import date

from toolflow_graph.values.moments import MONTHS
from toolflow_graph.values.naming import word_set
from toolflow_graph.values.read_numbers import ORDINAL_WORDS, Mention
from toolflow_graph.values.read_relative import read_relative

__all__ = ["NO_YEAR", "read_dates"]

NO_YEAR = 4
"""Stands for the year of a date without one when there is no today to tell it (a leap year)."""

_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)\b\.?"
)
_ORDINAL = "|".join(sorted(ORDINAL_WORDS, key=len, reverse=True))
_DAY = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|(?:{_ORDINAL}))"
_JOIN = r"(?:\s?(?:-|to|and|until|till|through|or)\s?(?:the )?)"
_DAY_MONTH = re.compile(
    rf"(?<![\w.:/])(?:(?P<d0>{_DAY}){_JOIN})?(?P<d>{_DAY})(?:\s(?:of\s)?|-)(?P<m>{_MONTH})(?:,?(?:\s|-)(?P<y>\d{{4}}))?"
)
_MONTH_DAY = re.compile(
    rf"\b(?P<m>{_MONTH})\s(?:the )?(?P<d>{_DAY})(?!\d|:)(?:{_JOIN}(?P<d2>{_DAY})(?![\d:]|\s?(?:am|pm|{_MONTH})))?"
    rf"(?:,?\s(?P<y>\d{{4}}))?"
)
_MONTH_ALONE = re.compile(rf"\b(?P<p>\w+\s)?(?P<m>{_MONTH})(?:\s(?:of\s)?(?P<y>\d{{4}}))?")
_ISO = re.compile(r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)")
_SLASHED = re.compile(r"(?<![\d/.-])(?P<a>\d{1,2})(?P<s>[/.-])(?P<b>\d{1,2})(?:(?P=s)(?P<y>\d{4}|\d{2}))?(?![\d/])")
_YEAR_MONTH = re.compile(r"(?<![\d-])(?P<y>\d{4})[-/](?P<m>0[1-9]|1[0-2])(?![\d-])")
_DOUBTFUL = ("may", "mar", "march", "sep", "dec", "jan", "jun", "oct")
_LEADS = word_set("in of for this last next since until till by from to early late mid end during through and through")
_YEAR = re.compile(r"(?<![\d.,/-])(?P<y>(?:19|20)\d{2})(?![\d,/-]|\.\d)")


def read_dates(text: str, today: date | None) -> Iterator[Mention]:
    """Yield the dates (kind "date") and months (kind "month", as (year, month)) of a folded text.

    Bounds of periods ("last month", "June", "2025") have kind "bound". Without `today`, relative words mean nothing,
    and dates without a year get the year `NO_YEAR`.
    """
    taken: list[tuple[int, int]] = []
    for mention in _read_written(text, today):
        taken.append((mention.start, mention.end))
        yield mention
    for mention in _read_months(text, today):
        if not any(start <= mention.start < end for start, end in taken):
            yield mention
    if today is not None:
        yield from read_relative(text, today, taken)


def _read_written(text: str, today: date | None) -> Iterator[Mention]:
    if any(c.isdigit() for c in text):
        for match in _ISO.finditer(text):
            yield from _dated(match, int(match["y"]), int(match["m"]), int(match["d"]))
        for match in _SLASHED.finditer(text):
            yield from _read_slashed(match, today)
    for match in _DAY_MONTH.finditer(text):
        for group in ("d0", "d"):
            yield from _read_day(match, match[group], today)
    for match in _MONTH_DAY.finditer(text):
        for group in ("d", "d2"):
            yield from _read_day(match, match[group], today)


def _read_day(match: re.Match[str], day: str | None, today: date | None) -> Iterator[Mention]:
    if day:
        number = ORDINAL_WORDS.get(day) or int(re.sub(r"\D", "", day))
        month = _month_number(match["m"])
        for year in [int(match["y"])] if match["y"] else _years(today):
            yield from _dated(match, year, month, number)


def _read_slashed(match: re.Match[str], today: date | None) -> Iterator[Mention]:
    if match["y"] is None and match["s"] != "/":
        return
    year = match["y"]
    years = _years(today) if year is None else [int(year) if len(year) == 4 else 2000 + int(year)]
    one, two = int(match["a"]), int(match["b"])
    for number in years:
        for month, day in {(one, two), (two, one)}:
            yield from _dated(match, number, month, day)


def _dated(match: re.Match[str], year: int, month: int, day: int) -> Iterator[Mention]:
    try:
        yield Mention(match.start(), match.end(), "date", (date(year, month, day),))
    except ValueError:
        return


def _years(today: date | None) -> list[int]:
    return [NO_YEAR] if today is None else [today.year - 1, today.year, today.year + 1]


def _month_number(word: str) -> int:
    return next(i for i, month in enumerate(MONTHS, 1) if month.lower().startswith(word[:3]))


def _read_months(text: str, today: date | None) -> Iterator[Mention]:
    for match in _YEAR_MONTH.finditer(text):
        yield from _month_mentions(match, int(match["y"]), int(match["m"]))
    for match in _MONTH_ALONE.finditer(text):
        lead = (match["p"] or "").strip()
        word = match["m"].rstrip(".")
        answers = not text[: match.start()].strip() and text[match.end() :].lstrip()[:1] in ("", ",", ".", "!", "?")
        if word in _DOUBTFUL and lead not in _LEADS and not match["y"] and lead != word and not answers:
            continue
        month = _month_number(match["m"])
        years = [int(match["y"])] if match["y"] else [y for y in _years(today) if y != NO_YEAR]
        for year in years:
            yield from _month_mentions(match, year, month)
    for match in _YEAR.finditer(text):
        year = int(match["y"])
        yield Mention(match.start(), match.end(), "bound", (date(year, 1, 1), date(year, 12, 31)))


def _month_mentions(match: re.Match[str], year: int, month: int) -> Iterator[Mention]:
    last = calendar.monthrange(year, month)[1]
    yield Mention(match.start("m"), match.end(), "month", ((year, month),))
    yield Mention(match.start("m"), match.end(), "bound", (date(year, month, 1), date(year, month, last)))
