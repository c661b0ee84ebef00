"""Numbers: believable ranges by name and kind, and exact drawing inside a schema's bounds."""

import math
import random
import re
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON
from toolflow_graph.values.kinds import Kind
from toolflow_graph.values.naming import split_words

__all__ = ["draw_number", "exact"]


class _Range(NamedTuple):
    words: frozenset[str]
    low: float
    high: float
    step: float


def _range(words: str, low: float, high: float, step: float) -> _Range:
    return _Range(frozenset(words.split()), low, high, step)


_RANGES = (
    _range("latitude lat", 36, 59, 0.0001),
    _range("longitude lon lng", -9, 24, 0.0001),
    _range("temperature temp", 5, 30, 1),
    _range("age", 19, 74, 1),
    _range("humidity", 30, 90, 1),
    _range("rating stars score", 1, 5, 0.5),
    _range("salary income wage", 24000, 95000, 500),
    _range("principal loan mortgage", 5000, 300000, 5000),
    _range("inflation growth", 1, 8, 0.5),
    _range("tax vat", 5, 25, 1),
    _range("interest", 1.5, 7.5, 0.25),
    _range("investment invested capital deposit", 500, 20000, 500),
    _range("budget", 200, 3000, 50),
    _range("rent", 500, 2200, 50),
    _range("tip", 10, 25, 1),
    _range("discount", 5, 40, 5),
    _range("radius", 1, 25, 1),
    _range("distance mileage", 2, 400, 1),
    _range("speed velocity", 5, 120, 5),
    _range("weight", 45, 110, 1),
    _range("height", 150, 195, 1),
    _range("mass", 1, 80, 1),
    _range("duration minutes", 15, 120, 15),
    _range("hours hour", 1, 12, 1),
    _range("seconds", 10, 120, 10),
    _range("nights", 1, 6, 1),
    _range("days day", 2, 14, 1),
    _range("weeks", 1, 8, 1),
    _range("months month", 1, 12, 1),
    _range("years term period", 1, 30, 1),
    _range("guests adults people persons passengers travelers travellers attendees party", 1, 6, 1),
    _range("children kids infants pets", 1, 3, 1),
    _range("bedrooms bathrooms rooms beds", 1, 4, 1),
    _range("limit results top", 3, 20, 1),
    _range("page", 1, 5, 1),
    _range("pages", 10, 400, 10),
    _range("area", 10, 200, 5),
    _range("volume", 10, 80, 5),
    _range("calories", 150, 900, 50),
    _range("population", 20000, 900000, 10000),
    _range("probability", 0.1, 0.9, 0.05),
    _range("angle", 15, 180, 15),
    _range("width length side base depth", 2, 40, 1),
    _range("quantity qty count", 1, 8, 1),
    _range("floor", 1, 9, 1),
    _range("port", 1024, 9000, 1),
    _range("price cost fare fee", 8, 250, 0.5),
    _range("timeout delay", 5, 60, 5),
    _range("precision decimals", 1, 6, 1),
    _range("percent percentage pct", 5, 80, 5),
)
_KINDS: dict[str, tuple[float, float, float]] = {
    "money": (10, 400, 0.5),
    "percent": (5, 60, 5),
    "count": (1, 12, 1),
    "measure": (2, 60, 1),
    "number": (2, 60, 1),
    "id": (1001, 9899, 1),
}


def exact(number: Decimal, *, integer: bool) -> int | float:
    """Return the number as JSON has it: an int when the slot wants one, else the float nearest to the decimal."""
    return int(number) if integer else (int(number) if number == number.to_integral_value() else float(number))


def draw_number(name: str, schema: JSON, kind: Kind, rng: random.Random, today: date) -> int | float:
    """Return a number inside the schema's bounds; where it has none, in a range that is usual for such a thing.

    Several `examples` say what is usual: it lies between the least and the greatest of them, in the steps that they
    have in common. Raises `CatalogError` when no number fits.
    """
    integer = schema.get("type") == "integer" or (isinstance(schema.get("type"), list) and "integer" in schema["type"])
    low, high, step = _usual(name, schema, kind, today)
    given = {key: Decimal(str(schema[key])) for key in _BOUNDS if isinstance(schema.get(key), int | float)}
    given = {key: value for key, value in given.items() if not isinstance(schema[key], bool)}
    shown = _read_examples(schema.get("examples"), given)
    given |= shown
    multiple = given.get("multipleOf")
    grid = multiple or _step(given, step, integer=integer)
    floor = _most(given, "minimum", "exclusiveMinimum", grid, 1)
    ceiling = _most(given, "maximum", "exclusiveMaximum", grid, -1)
    if floor is None:
        floor = low if ceiling is None or low <= ceiling else ceiling - grid * 20
    if ceiling is None:
        ceiling = max(high, floor + grid * 20) if high < floor else high
    first, last = math.ceil(floor / grid), math.floor(ceiling / grid)
    if first > last and not multiple:
        grid = Decimal(1) if integer else Decimal("0.01")
        first, last = math.ceil(floor / grid), math.floor(ceiling / grid)
        if first > last and not integer:
            return float(floor)
    if first > last:
        raise CatalogError(f"{name!r}: no number lies between {floor} and {ceiling} in steps of {grid}")
    tested = float(shown["multipleOf"]) if "multipleOf" in shown and not integer else schema.get("multipleOf")
    return _pick(first, last, grid, kind, rng, integer=integer, multiple=tested)


def _read_examples(examples: Any, given: dict[str, Decimal]) -> dict[str, Decimal]:
    """Return the bounds and the step of several examples that keep to the given ones; else nothing."""
    listed = examples if isinstance(examples, list) else []
    numbers = {Decimal(str(n)) for n in listed if isinstance(n, int | float) and not isinstance(n, bool)}
    low, high = given.get("minimum", min(numbers, default=0)), given.get("maximum", max(numbers, default=0))
    if len(numbers) < 2 or not all(low <= number <= high for number in numbers):
        return {}
    places = max(0, *(-int(number.as_tuple().exponent) for number in numbers))
    step = Decimal(math.gcd(*(int(number.scaleb(places)) for number in numbers))).scaleb(-places)
    bounds = {"minimum": min(numbers), "maximum": max(numbers)}
    return bounds if step % given.get("multipleOf", step) else {**bounds, "multipleOf": step}


_TOLD = re.compile(
    r"(?:between|from|ranging from|range of|ranges from|scale of|scale from|range is|\()\s*(-?\d+(?:\.\d+)?)\s*"
    r"(?:\([^)]*\)\s*)?(?:and|to|-|–)\s*(-?\d+(?:\.\d+)?)(?!\s*(?:decimal|digit))"
)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def _most(given: dict[str, Decimal], closed: str, opened: str, grid: Decimal, sign: int) -> Decimal | None:
    bounds = []
    if closed in given:
        bounds.append(given[closed])
    if opened in given:
        edge = given[opened]
        on_grid = edge % grid == 0
        bounds.append(edge + sign * grid if on_grid else edge)
    return None if not bounds else max(bounds) if sign > 0 else min(bounds)


def _step(given: dict[str, Decimal], step: Decimal, *, integer: bool) -> Decimal:
    low = given.get("minimum", given.get("exclusiveMinimum"))
    high = given.get("maximum", given.get("exclusiveMaximum"))
    if integer:
        step = max(Decimal(1), step.to_integral_value())
    if low is None and high is None:
        return step
    span = abs(high - low) if low is not None and high is not None else None
    if span is not None and span < step * 4:
        return Decimal(1) if integer or span >= 20 else Decimal("0.1") if span > 1 else Decimal("0.01")
    on_grid = (low is None or low % step == 0) and (high is None or high % step == 0)
    return step if on_grid else Decimal(1) if integer else Decimal("0.01") if step < 1 else Decimal(1)


def _usual(name: str, schema: JSON, kind: Kind, today: date) -> tuple[Decimal, Decimal, Decimal]:
    words = split_words(name)
    description = str(schema.get("description", "")).lower()
    integer = schema.get("type") == "integer"
    low: float
    high: float
    step: float
    if "year" in words or (words and words[-1] == "year"):
        past = any(w in description for w in ("release", "built", "born", "publish", "histor", "founded", "was "))
        low, high, step = (today.year - 30, today.year - 1, 1) if past else (today.year - 2, today.year, 1)
    elif told := _told_range(description):
        low, high, step = told
    else:
        found = _match(words)
        low, high, step = found or _KINDS.get(kind, (2, 60, 1))
        if kind == "percent" and re.search(r"decimal|fraction|0\.\d", description):
            low, high, step = 0.01, 0.3, 0.01
        if "fahrenheit" in description and words and "temp" in words[-1]:
            low, high, step = 40, 95, 1
        if kind == "money" and integer:
            step = max(1.0, step)
    return Decimal(str(low)), Decimal(str(high)), Decimal(str(step))


def _told_range(description: str) -> tuple[float, float, float] | None:
    match = _TOLD.search(description)
    if match is None:
        return None
    low, high = (float(part) for part in match.groups())
    if low >= high or high > 10**6:
        return None
    return low, high, 1 if high - low >= 4 and float(low).is_integer() else (high - low) / 20 if high > 1 else 0.05


def _match(words: tuple[str, ...]) -> tuple[float, float, float] | None:
    for word in reversed(words):
        for entry in _RANGES:
            if word in entry.words:
                return entry.low, entry.high, entry.step
    return None


def _pick(
    first: int, last: int, grid: Decimal, kind: Kind, rng: random.Random, *, integer: bool, multiple: float | None
) -> int | float:
    for _ in range(60):
        index = _index(first, last, kind, rng)
        value = exact(grid * index, integer=integer)
        # jsonschema divides floats to test `multipleOf`: 29.4 / 0.1 is no whole number for it
        if not isinstance(multiple, float) or (value / multiple) == int(value / multiple):
            return value
    return exact(grid * first, integer=integer)


def _index(first: int, last: int, kind: Kind, rng: random.Random) -> int:
    span = last - first
    if kind == "count" and span > 11:
        return min(last, first + int(rng.expovariate(1 / max(4, span / 4))))
    index = rng.randint(first, last)
    if span > 200 and kind in ("number", "measure", "count") and rng.random() < 0.6:
        coarse = 10 ** (len(str(span)) - 2) * 5
        rounded = index // coarse * coarse
        return rounded if rounded >= first else index
    return index
