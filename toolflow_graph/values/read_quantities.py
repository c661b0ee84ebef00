"""Finding quantities with their units, so that another unit of the same kind can be told from them."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from toolflow_graph.values.naming import split_words
from toolflow_graph.values.read_numbers import read_numbers

__all__ = ["Quantity", "convert", "read_quantities", "to_base", "unit_after", "unit_of"]

Quantity = tuple[str, Decimal]
"""What is measured (length, mass, volume, temperature, speed), and how much in its base unit."""

_UNITS: dict[str, tuple[str, str]] = {
    "mm": ("length", "0.001"),
    "cm": ("length", "0.01"),
    "m": ("length", "1"),
    "km": ("length", "1000"),
    "inch": ("length", "0.0254"),
    "foot": ("length", "0.3048"),
    "yard": ("length", "0.9144"),
    "mile": ("length", "1609.344"),
    "g": ("mass", "0.001"),
    "kg": ("mass", "1"),
    "ounce": ("mass", "0.028349523"),
    "pound": ("mass", "0.45359237"),
    "stone": ("mass", "6.35029318"),
    "tonne": ("mass", "1000"),
    "ml": ("volume", "0.001"),
    "cl": ("volume", "0.01"),
    "l": ("volume", "1"),
    "pint": ("volume", "0.5682612"),
    "gallon": ("volume", "3.78541178"),
    "kmh": ("speed", "1"),
    "mph": ("speed", "1.609344"),
    "knot": ("speed", "1.852"),
    "celsius": ("temperature", "1"),
    "fahrenheit": ("temperature", "1"),
}
_WORDS = {
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "m": "m meter meters metre metres",
    "km": "km kms kilometer kilometers kilometre kilometres",
    "inch": "inch inches",
    "foot": "foot feet ft",
    "yard": "yard yards yd yds",
    "mile": "mile miles mi",
    "g": "g gram grams gramme grammes",
    "kg": "kg kgs kilo kilos kilogram kilograms",
    "ounce": "ounce ounces oz",
    "pound": "pound pounds lb lbs",
    "stone": "stone stones",
    "tonne": "tonne tonnes ton tons",
    "ml": "ml milliliter milliliters millilitre millilitres",
    "cl": "cl",
    "l": "l liter liters litre litres",
    "pint": "pint pints",
    "gallon": "gallon gallons",
    "kmh": "kmh kph",
    "mph": "mph",
    "knot": "knot knots",
    "celsius": "celsius centigrade c",
    "fahrenheit": "fahrenheit f",
}
_UNIT_OF = {word: unit for unit, words in _WORDS.items() for word in words.split()}
_FOLLOWS = re.compile(
    r"\s?-?(?:degrees? )?(?P<unit>km/h|"
    + "|".join(sorted((re.escape(w) for w in _UNIT_OF), key=len, reverse=True))
    + r")(?![\w/])"
)
_FEET = re.compile(r"\b(\d)\s?(?:'|ft|foot|feet)\s?(\d{1,2})(?:\"|''|\s?in(?:ch(?:es)?)?\b|(?=[\s,.!?]|$))")
_AMBIGUOUS = frozenset({"c", "f", "m", "l", "g"})
_SPELLED_OUT = re.compile(r"°\s?([cf])\b|\bdegrees? ([cf]|celsius|fahrenheit)\b")


@lru_cache(maxsize=4096)
def read_quantities(folded: str) -> tuple[Quantity, ...]:
    """Return the quantities of a folded text, in base units."""
    return tuple(_read(folded))


def _read(folded: str) -> Iterator[Quantity]:
    for match in _FEET.finditer(folded):
        yield "length", Decimal(match[1]) * Decimal("0.3048") + Decimal(match[2]) * Decimal("0.0254")
    for mention in read_numbers(folded):
        unit = unit_after(folded, mention.end)
        if unit is not None:
            yield from (to_base(value, unit) for value in mention.values if isinstance(value, Decimal))


def unit_after(folded: str, place: int) -> str | None:
    """Return the unit that stands at a place of a folded text, right after a number."""
    found = _FOLLOWS.match(folded, place)
    if found is None:
        return None
    return "kmh" if found["unit"] == "km/h" else _UNIT_OF[found["unit"]]


def to_base(amount: Decimal, unit: str) -> Quantity:
    """Return an amount of a unit as a quantity."""
    kind, factor = _UNITS[unit]
    return kind, (amount - 32) * 5 / 9 if unit == "fahrenheit" else amount * Decimal(factor)


def convert(quantity: Quantity, unit: str) -> Decimal | None:
    """Return a quantity in a unit, None when the unit measures something else."""
    kind, factor = _UNITS[unit]
    if kind != quantity[0]:
        return None
    return quantity[1] * 9 / 5 + 32 if unit == "fahrenheit" else quantity[1] / Decimal(factor)


@lru_cache(maxsize=4096)
def unit_of(name: str, description: str) -> str | None:
    """Return the unit in which a slot is measured, by the words of its name, else of its description."""
    for words in (split_words(name), tuple(re.findall(r"[a-z]+", description.lower()))):
        for word in words[::-1]:
            if word in _UNIT_OF and word not in _AMBIGUOUS:
                return _UNIT_OF[word]
        if "kmh" in words or {"km", "h"} <= set(words):
            return "kmh"
    sign = _SPELLED_OUT.search(description.lower())
    return _UNIT_OF[sign[1] or sign[2]] if sign else None
