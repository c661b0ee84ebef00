"""Comparing the figures of a line and of its rewording: dates, times, amounts, numbers, and where they stand."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from toolflow_graph.agents.reworded.line import Line
from toolflow_graph.agents.reworded.order import Placed, find_swaps
from toolflow_graph.agents.reworded.phrases import Masked, count_listed
from toolflow_graph.agents.reworded.said import Said, is_same, read_said
from toolflow_graph.values.moments import MONTHS, WEEKDAYS
from toolflow_graph.values.naming import word_set
from toolflow_graph.values.reading import read

__all__ = ["compare_figures", "find_months", "find_unit"]


def compare_figures(line: Line, old: Masked, new: Masked) -> Iterator[str]:
    """Yield figures that are gone, were added, or stand where they mean something else, phrases among them."""
    mine, theirs = read_said(old.text, line.today), read_said(new.text, line.today)
    carried = _list_currencies(mine) & _list_currencies(theirs)
    words = read(new.text, None).words
    for said in mine:
        one = said.kind == "number" and said.values == {Decimal(1)} and words & _ONE
        if not one and not said.idle and not any(_means(said, other, carried) for other in theirs):
            yield f"{said.words!r} is gone or has changed"
    for said in theirs:
        free = (said.idle and not any(other.idle and other.kind == said.kind for other in mine)) or (
            said.kind == "number" and _counts_list(line, said, new)
        )
        if not free and not any(_means(other, said, carried) for other in mine):
            yield f"{said.words!r} is not in the line"
    pointed = None if any(said.kind == "date" for said in mine) else _THAT_DAY.search(new.text)
    if pointed and not _THAT_DAY.search(old.text):
        yield f"{pointed[0]!r} is not in the line"
    yield from _find_wrong_weekday(line, old.text, new.text, mine)
    was, now = _list_units(old.text), _list_units(new.text)
    yield from (f"the unit of {was[unit]!r} is gone" for unit in was if unit not in now)
    yield from (f"the unit of {now[unit]!r} is not in the line" for unit in now if unit not in was)
    yield from _find_wrong_month(mine, theirs, old.text, new.text)
    yield from _find_wrong_year(line, old.text, new.text, mine)
    before = [*old.placed, *_place(mine, mine, carried)]
    after = [*new.placed, *_place(theirs, mine, carried)]
    yield from _find_thinned(new.text, before, after)
    for first, second in find_swaps(old.text, before, new.text, after):
        yield f"{first.words!r} and {second.words!r} must keep their order, so that they cannot be mixed up"


_THAT_DAY = re.compile(r"\b(?:that|the same) (?:day|week|month|year|morning|afternoon|evening|night)\b")
_ONE = word_set("a an one single once my myself alone")


def _counts_list(line: Line, said: Said, new: Masked) -> bool:
    """Tell whether a number in words says, ahead of what the line lists, how many these are."""
    if line.speaker == "user" or not said.words.isalpha() or _MORE.search(line.text):
        return False
    ahead = all(said.end <= placed.start for placed in new.placed)
    return ahead and {Decimal(count_listed(line))} == said.values


_MORE = re.compile(r"\bmore\b")


def _list_currencies(said: Sequence[Said]) -> frozenset[str]:
    return frozenset().union(*(one.currency for one in said))


def _means(said: Said, other: Said, carried: frozenset[str]) -> bool:
    """Tell whether two figures mean the same; "between 40 and 55 euros" names the currency once."""
    return is_same(said, other, loose=bool((said.currency | other.currency) & carried))


def _place(said: Sequence[Said], known: Sequence[Said], carried: frozenset[str]) -> Iterator[Placed]:
    for one in said:
        if one.idle:
            continue
        place = next(
            (n for n, other in enumerate(known) if one.kind == other.kind and one.values == other.values), None
        )
        if place is None:
            place = next((n for n, other in enumerate(known) if _means(other, one, carried)), None)
        if place is not None:
            yield Placed(_GROUPS.get(known[place].kind, known[place].kind), place, one.start, one.end, one.words)


_GROUPS = {"money": "number", "ordinal": "number"}
_DAY_NAMES = {name.lower(): number for number, name in enumerate(WEEKDAYS)}
_DAY_NAME = re.compile(rf"\b({'|'.join(_DAY_NAMES)})\b")


def _find_wrong_weekday(line: Line, old: str, new: str, said: Sequence[Said]) -> Iterator[str]:
    named = {_DAY_NAMES[name] for name in _DAY_NAME.findall(old)}
    named |= {day.weekday() for day in _list_near_days(line, said)}
    for name in _DAY_NAME.findall(new):
        if _DAY_NAMES[name] not in named:
            yield f"{name.capitalize()!r} is not the day of the line"


_UNITS = (
    ("kilometre", r"km|kilomet(?:er|re)s?"),
    ("metre", r"m|met(?:er|re)s?"),
    ("centimetre", r"cm|centimet(?:er|re)s?"),
    ("mile", r"miles?|mi"),
    ("kilogram", r"kg|kilos?|kilograms?"),
    ("gram", r"g|grams?"),
    ("milligram", r"mg|milligrams?"),
    ("litre", r"l|lit(?:er|re)s?"),
    ("millilitre", r"ml|millilit(?:er|re)s?"),
    ("gigabyte", r"gb|gigs?|gigabytes?"),
    ("megabyte", r"mb|megabytes?"),
    ("kilowatt-hour", r"kwh|kilowatt[- ]hours?"),
    ("kilowatt", r"kw|kilowatts?"),
    ("calorie", r"kcal|calories?"),
    ("kilometre per hour", r"km/h|kmh|kph|kilomet(?:er|re)s (?:per|an) hour"),
    ("mile per hour", r"mph|miles (?:per|an) hour"),
    ("degree", r"°|degrees?"),
    ("degree Celsius", r"(?:°|degrees?) ?(?:c|celsius)"),
    ("degree Fahrenheit", r"(?:°|degrees?) ?(?:f|fahrenheit)"),
)
_UNIT = re.compile(
    r"(?<=\d)[\s-]?(?:"
    + "|".join(rf"(?P<u{n}>{words})" for n, (_, words) in reversed([*enumerate(_UNITS)]))
    + r")(?![a-z/])"
)


def _list_units(folded: str) -> dict[str, str]:
    """Return the units of measure that stand after digits, each with the words of its first place."""
    found: dict[str, str] = {}
    for match in _UNIT.finditer(folded):
        name = _UNITS[int((match.lastgroup or "u0")[1:])][0]
        found.setdefault(name, folded[max(0, match.start() - 5) : match.end()].split(" ", 1)[-1])
    return found


def find_unit(folded: str, end: int) -> int:
    """Return where a figure ends with the unit of measure that may follow it."""
    unit = _UNIT.match(folded, end)
    return unit.end() if unit else end


_MONTH_NAMES = {name.lower(): number for number, name in enumerate(MONTHS, 1) if name != "May"}
_MONTH_NAME = re.compile(rf"\b({'|'.join(_MONTH_NAMES)})\b")


def find_months(folded: str) -> Iterator[re.Match[str]]:
    """Yield the names of months in a folded text, May aside: that is more often a verb."""
    return _MONTH_NAME.finditer(folded)


def _find_wrong_month(mine: Sequence[Said], theirs: Sequence[Said], old: str, new: str) -> Iterator[str]:
    """Yield months that are gone or were added, those too that are no date: "the March bill"."""
    was, now = _list_months(mine, old), _list_months(theirs, new)
    names = (f"{name.capitalize()!r} is gone" for name in _MONTH_NAME.findall(old) if _MONTH_NAMES[name] not in now)
    added = (
        f"{name.capitalize()!r} is not in the line"
        for name in _MONTH_NAME.findall(new)
        if _MONTH_NAMES[name] not in was
    )
    yield from (*names, *added)


def _list_months(said: Sequence[Said], text: str) -> set[int]:
    values = [value for one in said for value in one.values]
    dated = {value.month for value in values if isinstance(value, date)}
    told = {value[1] for one in said if one.kind == "month" for value in one.values if isinstance(value, tuple)}
    return dated | told | {_MONTH_NAMES[name] for name in _MONTH_NAME.findall(text)}


_YEAR = re.compile(r"(?<![\w.,:/-])((?:19|20)\d\d)(?![\w:/-]|[.,]\d)")


def _find_wrong_year(line: Line, old: str, new: str, said: Sequence[Said]) -> Iterator[str]:
    """Yield years that were left out, and added ones that are not those of the line's dates."""
    mine, theirs = set(_YEAR.findall(old)), set(_YEAR.findall(new))
    yield from (f"the year {year} is gone" for year in sorted(mine - theirs))
    near = {str(day.year) for day in _list_near_days(line, said)}
    yield from (f"the line does not say {year}" for year in sorted(theirs - mine - near))


def _list_near_days(line: Line, said: Sequence[Said]) -> list[date]:
    """Return for each date the day that is nearest among those that it can be."""
    days = ([value for value in one.values if isinstance(value, date)] for one in said)
    today = line.today
    return [min(found, key=lambda day: abs((day - today).days)) for found in days if found] if today else []


def _find_thinned(new: str, before: Sequence[Placed], after: Sequence[Placed]) -> Iterator[str]:
    """Yield values that the rewording says less often than the line, without a word that joins them.

    Nor may another value have taken their place.
    """
    mine, theirs = (Counter((p.group, p.value) for p in placed) for placed in (before, after))
    replaced = any(0 < count < theirs[key] for key, count in mine.items())
    if _JOINING.search(new) and not replaced:
        return
    for placed in {(p.group, p.value): p for p in before}.values():
        key = placed.group, placed.value
        if 0 < theirs[key] < mine[key]:
            yield f"{placed.words!r} is said {mine[key]} times; keep each, or say that it holds for all"


_JOINING = re.compile(r"\b(?:all|both|each|every|everything|same|also|too|either|likewise|everyone|everybody)\b")
