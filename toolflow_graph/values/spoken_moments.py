"""How people put dates and times into words."""

import random
from datetime import date, time, timedelta
from typing import Literal

from toolflow_graph.values.moments import MONTHS, WEEKDAYS, Moment
from toolflow_graph.values.spoken_numbers import spell, spell_ordinal

__all__ = ["Style", "say_date", "say_moment", "say_month", "say_time"]

Style = Literal["user", "assistant"]


def say_moment(
    moment: Moment, rng: random.Random, today: date, style: Style, *, month_first: bool | None = None
) -> str:
    """Return the words for a date, a time, both, or a month; `month_first` fixes "June 12" or "12 June"."""
    if moment.month is not None:
        return say_month(*moment.month, rng, today)
    if moment.day is None:
        return say_time(moment.at or time(), rng, style)
    day = say_date(moment.day, rng, today, style, month_first=month_first)
    return day if moment.at is None else f"{day} at {say_time(moment.at, rng, style, dated=True)}"


def say_date(day: date, rng: random.Random, today: date, style: Style, *, month_first: bool | None = None) -> str:
    """Return "tomorrow", "Friday", "next Tuesday", "the 12th", "12 June" …, whatever cannot be misunderstood."""
    ahead = (day - today).days
    if ahead in _NEAR:
        return _NEAR[ahead]
    weekday = WEEKDAYS[day.weekday()]
    chance = rng.random()
    if 2 <= ahead <= 6:
        if chance < 0.62:
            return weekday
        if chance < 0.75 and style == "user":
            return f"this {weekday}"
    elif 7 <= ahead <= 13 and chance < 0.35 and _next_is_clear(day, today):
        return f"next {weekday}"
    elif -6 <= ahead <= -2 and chance < 0.6:
        return f"last {weekday}"
    if 2 <= ahead <= 20 and style == "user" and chance > 0.85:
        return f"the {_ordinal(day.day)}"
    return _calendar_date(day, rng, today, style, month_first=month_first)


_NEAR = {0: "today", 1: "tomorrow", -1: "yesterday"}


def _next_is_clear(day: date, today: date) -> bool:
    monday = today - timedelta(days=today.weekday())
    return monday + timedelta(days=7) <= day < monday + timedelta(days=14)


def _calendar_date(day: date, rng: random.Random, today: date, style: Style, *, month_first: bool | None) -> str:
    month = MONTHS[day.month - 1]
    first = rng.random() < 0.5 if month_first is None else month_first
    plain = style == "assistant" or rng.random() < 0.6
    if first:
        text = f"{month} {day.day if plain else _ordinal(day.day)}"
    else:
        text = f"{day.day} {month}" if plain else f"the {_ordinal(day.day)} of {month}"
    if -200 <= (day - today).days <= 300:
        return text
    return f"{text}, {day.year}" if text.startswith(month) else f"{text} {day.year}"


def say_month(year: int, month: int, rng: random.Random, today: date) -> str:
    """Return "June", "this month", "next month" or "March 2025"."""
    ahead = (year - today.year) * 12 + month - today.month
    if ahead in _MONTHS and rng.random() < 0.5:
        return _MONTHS[ahead]
    name = MONTHS[month - 1]
    return name if -6 <= ahead <= 5 else f"{name} {year}"


_MONTHS = {0: "this month", 1: "next month", -1: "last month"}


def say_time(at: time, rng: random.Random, style: Style, *, dated: bool = False) -> str:
    """Return "9:30 am", "quarter to six in the evening", "noon" …; after its day also "9:30" and "half past nine"."""
    if at.second:
        return at.strftime("%H:%M:%S")
    if (at.hour, at.minute) in ((12, 0), (0, 0)):
        return "noon" if at.hour else "midnight"
    digits = f"{at.hour}:{at.minute:02d}"
    if style == "assistant":
        return digits
    half_day = "am" if at.hour < 12 else "pm"
    hour = at.hour % 12 or 12
    chance = rng.random()
    clear = at.hour == _NOON or (dated and _MORNING <= at.hour < _NOON)
    if at.hour == 0:
        return f"{digits.replace('0:', '00:', 1)}" if chance < 0.5 else f"12:{at.minute:02d} am"
    if at.minute == 0:
        spoken = f"{spell(hour)} o'clock" if clear else f"{spell(hour)}{_daypart(at, clear=clear)}"
        forms = (f"{hour} {half_day}", spoken, f"{hour}{half_day}")
    elif at.minute in _QUARTERS and (clear or at.hour % _NOON < _NOON - 1 or not _QUARTERS[at.minute][1]):
        words, later = _QUARTERS[at.minute]
        forms = (
            f"{words} {spell((hour % 12 + 1) if later else hour)}{_daypart(at, clear=clear)}",
            f"{hour}:{at.minute:02d} {half_day}",
            digits if clear or at.hour > 12 else f"{hour}:{at.minute:02d} {half_day}",
        )
    else:
        forms = (digits if clear or at.hour > 12 else f"{hour}:{at.minute:02d} {half_day}",) * 2 + (
            f"{hour}:{at.minute:02d}{half_day}",
        )
    return forms[0] if chance < 0.4 else forms[1] if chance < 0.75 else forms[2]


_MORNING, _NOON = 7, 12
"""Noon's name alone tells which half of the day is meant; those of the morning hours do beside a day.

"Quarter to twelve in the morning" is said by nobody, and could be midnight.
"""

_QUARTERS = {15: ("quarter past", False), 30: ("half past", False), 45: ("quarter to", True)}


def _daypart(at: time, *, clear: bool) -> str:
    if clear:
        return ""
    if at.hour < 12:
        return " in the morning"
    return " in the afternoon" if at.hour < 17 else " in the evening" if at.hour < 22 else " at night"


def _ordinal(number: int) -> str:
    return spell_ordinal(number)
