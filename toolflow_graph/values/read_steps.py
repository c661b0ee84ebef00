"""Finding steps from a known day to another one: "the night before", "the Monday after", "two working days later"."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

from toolflow_graph.values.moments import WEEKDAYS
from toolflow_graph.values.read_numbers import to_number
from toolflow_graph.values.spoken_numbers import ONES

__all__ = ["Step", "add_months", "add_working_days", "read_steps", "take_step"]


@dataclass(frozen=True)
class Step:
    """How to get from one day to another.

    `amount` counts days, working days or months, forwards or back; or it is a weekday (Monday is 0), a day of the month
    (`ordinal`), or the first (0), middle (1) or last (2) day of the period around the known day. `toward` says on which
    side of the known day the other one lies, 0 when the words leave it open.
    """

    unit: Literal[
        "day", "working_day", "month", "weekday", "weekend", "week_edge", "month_edge", "year_edge", "ordinal"
    ]
    amount: int
    toward: int = 0


_BACK = ("before", "earlier", "previous", "preceding", "prior", "early", "ahead", "sooner", "in advance", "beforehand")
_SIDE = r"before|after|earlier|later|following|prior|ahead|early|in advance|beforehand|sooner|late|longer|extra|more"
_COUNT = r"(?P<n>\d{1,2}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|a couple of)"
_NO_CLOCK = (
    rf"(?! (?:tomorrow|yesterday|\d|noon|midnight|midday|lunch|work|breakfast|dinner|(?:{'|'.join(ONES[1:13])})\b))"
)
_DAY = re.compile(
    rf"\b(?:day|night|evening|morning|afternoon) (?P<s>before|after|earlier|later|prior)\b{_NO_CLOCK}|"
    r"\b(?P<p>next|following|previous|preceding) (?:day|morning|evening|afternoon|night)\b|\bovernight\b"
)
_COUNTED = re.compile(rf"\b{_COUNT} (?P<k>working |business |work)?(?P<u>days?|months?|years?)\b(?: (?P<s>{_SIDE})\b)?")
_WORKING_DAY = re.compile(
    r"\b(?P<p>next|following|first|previous|last|preceding) (?:working|business|work)[ -]?day\b|"
    r"\b(?:working|business|work)[ -]?day (?P<s>before|after)\b"
)
_WEEKDAYS = "|".join(day.lower() for day in WEEKDAYS)
_NAMES = "easter whit good black cyber palm shrove maundy ash first second third fourth last 1st 2nd 3rd 4th".split()
_NOT_AFTER = "".join(rf"(?<!\b{name} )" for name in _NAMES)
_WEEKDAY = re.compile(
    rf"{_NOT_AFTER}\b(?:(?P<p>next|following|previous|preceding) )?(?P<w>{_WEEKDAYS}|weekend)s?\b"
    rf"(?: (?P<s>before|after|prior|earlier|later|following)\b{_NO_CLOCK})?"
)
_EDGE = re.compile(
    r"\b(?P<e>end|start|beginning|middle|rest|last day|first day) of (?:the |that |this |same )*"
    r"(?P<u>week|month|year)\b"
)
_EDGES = {"start": 0, "beginning": 0, "first day": 0, "middle": 1}
_ORDINAL = re.compile(r"\b(?P<d>[12]?\d|3[01])(?:st|nd|rd|th)\b")
_WEEK = timedelta(days=7)


@lru_cache(maxsize=4096)
def read_steps(text: str) -> tuple[Step, ...]:
    """Return the steps that a folded text speaks of, each once."""
    return tuple(dict.fromkeys(_find_steps(text)))


def _find_steps(text: str) -> Iterator[Step]:
    for match in _DAY.finditer(text):
        yield Step("day", -1 if (match["s"] or match["p"]) in _BACK else 1)
    for match in _COUNTED.finditer(text):
        number = to_number(match["n"])
        months = {"m": 1, "y": 12}.get(match["u"][0])
        if number is None or (not months and not match["k"]):
            continue  # plain days are lengths of time like any other
        unit: Literal["month", "working_day"] = "month" if months else "working_day"
        for sign in (1, -1) if match["s"] is None else (-1,) if match["s"] in _BACK else (1,):
            yield Step(unit, sign * int(number * (months or 1)), sign if match["s"] else 0)
    for match in _WORKING_DAY.finditer(text):
        sign = -1 if (match["s"] or match["p"]) in (*_BACK, "last") else 1
        yield Step("working_day", sign, sign)
    for match in _WEEKDAY.finditer(text):
        word = match["s"] or match["p"]
        toward = 0 if word is None else -1 if word in _BACK else 1
        if match["w"] == "weekend":
            yield Step("weekend", 0, toward)
        else:
            yield Step("weekday", next(i for i, day in enumerate(WEEKDAYS) if day.lower() == match["w"]), toward)
    for match in _EDGE.finditer(text):
        period: Literal["week_edge", "month_edge", "year_edge"] = f"{match['u']}_edge"  # type: ignore[assignment]
        yield Step(period, _EDGES.get(match["e"], 2))
    for match in _ORDINAL.finditer(text):
        yield Step("ordinal", int(match["d"]))


def take_step(step: Step, day: date) -> tuple[date, ...]:
    """Return the days that a step from a known day may lead to."""
    try:
        return tuple(_take(step, day))
    except (OverflowError, ValueError):  # beyond the calendar
        return ()


def _take(step: Step, day: date) -> Iterator[date]:
    if step.unit == "day":
        yield day + timedelta(days=step.amount)
    elif step.unit == "working_day":
        yield add_working_days(day, step.amount)
    elif step.unit == "month":
        yield add_months(day, step.amount)
    elif step.unit in ("weekday", "weekend"):
        for weekday in (step.amount,) if step.unit == "weekday" else (5, 6):
            yield from _find_weekdays(day, weekday, step.toward)
    elif step.unit == "ordinal":
        yield from (day.replace(day=step.amount), add_months(day.replace(day=1), 1).replace(day=step.amount))
    else:
        first, last = _find_edges(step.unit, day)
        yield {0: first, 1: first + (last - first) // 2}.get(step.amount, last)


def _find_weekdays(day: date, weekday: int, toward: int) -> Iterator[date]:
    after = day + timedelta(days=(weekday - day.weekday() - 1) % 7 + 1)
    if toward > 0 or (toward == 0 and after - day != _WEEK):
        yield after
    if toward < 0:
        yield after - (2 * _WEEK if after - day == _WEEK else _WEEK)
    if toward == 0:  # in the same week
        yield day + timedelta(days=weekday - day.weekday())


def add_months(day: date, months: int) -> date:
    """Return the same day of another month, or its last day where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def add_working_days(day: date, number: int) -> date:
    """Return the day that lies a number of days from Monday to Friday ahead, or back."""
    step = timedelta(days=1 if number > 0 else -1)
    for _ in range(abs(number)):
        day += step
        while day.weekday() > 4:
            day += step
    return day


def _find_edges(unit: str, day: date) -> tuple[date, date]:
    if unit == "week_edge":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    if unit == "month_edge":
        return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
    return day.replace(month=1, day=1), day.replace(month=12, day=31)
