"""Values that belong together inside one object: bounds in order, totals that add up, e-mails of the right person."""

import random
import re
from collections.abc import Collection
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from toolflow_graph.types import JSON
from toolflow_graph.values.kinds import kind_of
from toolflow_graph.values.lexicon import CITIES, COUNTRIES
from toolflow_graph.values.moments import parse_moment
from toolflow_graph.values.naming import split_words
from toolflow_graph.values.numbers import exact
from toolflow_graph.values.people import draw_email
from toolflow_graph.values.shapes import plain_schema

__all__ = ["coherent"]

_ORDERED = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("low", "high"),
    ("lower", "upper"),
    ("start", "end"),
    ("begin", "end"),
    ("from", "to"),
    ("from", "until"),
    ("since", "until"),
    ("after", "before"),
    ("departure", "arrival"),
    ("depart", "arrive"),
    ("depart", "return"),
    ("departure", "return"),
    ("outbound", "return"),
    ("open", "close"),
    ("opens", "closes"),
    ("opening", "closing"),
    ("pickup", "dropoff"),
    ("pickup", "return"),
    ("pickup", "delivery"),
    ("in", "out"),
    ("checkin", "checkout"),
    ("issue", "due"),
    ("issued", "due"),
    ("created", "updated"),
    ("order", "delivery"),
    ("first", "last"),
)
_TOTALS = frozenset({"total", "total_price", "total_cost", "total_amount", "order_total"})
_PRICES = ("unit_price", "price_per_night", "price_per_unit", "nightly_rate", "price_per_person", "price")
_QUANTITIES = ("quantity", "nights", "guests", "passengers", "units", "travelers", "travellers", "ticket_count")


def coherent(obj: JSON, schema: JSON, rng: random.Random, fixed: Collection[str] = ()) -> JSON:
    """Return the object with its values made to agree, each still inside its own schema; `fixed` ones stay."""
    properties = plain_schema(schema).get("properties") or {}
    result = dict(obj)
    _order_pairs(result, properties, rng, fixed)
    _add_up(result, properties)
    _take_off(result, properties)
    _match_people(result, properties, rng)
    _match_countries(result, properties)
    return {**result, **{name: obj[name] for name in fixed if name in obj}}


def _order_pairs(result: JSON, properties: JSON, rng: random.Random, fixed: Collection[str]) -> None:
    by_words = {split_words(name): name for name in result}
    for words, name in by_words.items():
        for low, high in _ORDERED:
            if low not in words:
                continue
            other = by_words.get(tuple(high if w == low else w for w in words))
            if other is not None and other != name and (low, high) != ("first", "last"):
                before = (result[name], result[other])
                _order(result, name, other, properties, rng)
                _hold(result, (name, other), before, properties, rng, fixed)


def _order(result: JSON, low: str, high: str, properties: JSON, rng: random.Random) -> None:
    one, two = result[low], result[high]
    if isinstance(one, bool) or isinstance(two, bool):
        return
    if isinstance(one, int | float) and isinstance(two, int | float):
        if one > two:
            _set(result, {low: two, high: one}, properties)
        return
    if not (isinstance(one, str) and isinstance(two, str)):
        return
    first, second = parse_moment(one), parse_moment(two)
    if first is None or second is None or (first.day is None) != (second.day is None) or len(one) != len(two):
        return
    key_one, key_two = _key(one), _key(two)
    if key_one > key_two:
        _set(result, {low: two, high: one}, properties)
    elif key_one == key_two:
        later = _later(one, rng)
        if later is not None:
            _set(result, {high: later}, properties)


def _hold(
    result: JSON,
    pair: tuple[str, str],
    before: tuple[Any, Any],
    properties: JSON,
    rng: random.Random,
    fixed: Collection[str],
) -> None:
    """Put a fixed value of an ordered pair back, and move the other one past it."""
    low, high = pair
    if (result[low], result[high]) == before or not {low, high} & set(fixed):
        return
    result[low], result[high] = before
    if {low, high} <= set(fixed):
        return
    if low in fixed and isinstance(before[0], str):
        later = _later(before[0], rng)
        if later is not None:
            _set(result, {high: later}, properties)
    elif isinstance(before[0], int | float):
        _set(result, {high: before[0]} if low in fixed else {low: before[1]}, properties)


def _key(text: str) -> tuple[Any, ...]:
    moment = parse_moment(text)
    if moment is None:
        return ()
    day = moment.day.toordinal() if moment.day else 0
    return (day, moment.month or (0, 0), moment.at.isoformat() if moment.at else "")


def _later(text: str, rng: random.Random) -> str | None:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return (date.fromisoformat(text) + timedelta(days=rng.randint(1, 5))).isoformat()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", text):
        return (datetime.fromisoformat(text) + timedelta(minutes=30 * rng.randint(1, 4))).strftime("%Y-%m-%dT%H:%M")
    if re.fullmatch(r"\d{2}:\d{2}", text):
        minutes = int(text[:2]) * 60 + int(text[3:]) + 30 * rng.randint(1, 4)
        return f"{minutes // 60:02d}:{minutes % 60:02d}" if minutes < 1440 else None
    return None


def _add_up(result: JSON, properties: JSON) -> None:
    total = next((name for name in result if name in _TOTALS), None)
    price = next((name for name in _PRICES if name in result), None)
    quantity = next((name for name in _QUANTITIES if name in result), None)
    if total is None or price is None or quantity is None or isinstance(result[total], str):
        return
    if all(isinstance(result[name], int | float) for name in (price, quantity)):
        product = Decimal(str(result[price])) * Decimal(str(result[quantity]))
        integer = properties.get(total, {}).get("type") == "integer"
        _set(result, {total: exact(product, integer=integer)}, properties)


def _take_off(result: JSON, properties: JSON) -> None:
    """Make the net amount what is left of the gross one after the deductions, where these are listed."""
    gross, net = (next((name for name in result if word in split_words(name)), None) for word in ("gross", "net"))
    deducted = result.get("deductions")
    if gross is None or net is None or not isinstance(deducted, dict):
        return
    amounts = [result[gross], *deducted.values()]
    if all(isinstance(amount, int | float) and not isinstance(amount, bool) for amount in amounts):
        left = Decimal(str(amounts[0])) - sum((Decimal(str(amount)) for amount in amounts[1:]), Decimal())
        _set(result, {net: exact(left, integer=properties.get(net, {}).get("type") == "integer")}, properties)


def _match_people(result: JSON, properties: JSON, rng: random.Random) -> None:
    people = [n for n in result if isinstance(result[n], str) and kind_of(n, properties.get(n, {})) == "person"]
    emails = [n for n in result if isinstance(result[n], str) and kind_of(n, properties.get(n, {})) == "email"]
    if len(people) == 1 and len(emails) == 1 and " " in result[people[0]]:
        schema = properties.get(emails[0], {})
        if not any(key in schema for key in ("enum", "const", "examples", "pattern")):
            _set(result, {emails[0]: draw_email(rng, result[people[0]])}, properties)


def _match_countries(result: JSON, properties: JSON) -> None:
    for words, name in [(split_words(n), n) for n in result]:
        if "city" not in words:
            continue
        code = CITIES.get(result[name]) if isinstance(result[name], str) else None
        others = {split_words(n): n for n in result}
        target = others.get(tuple("country" if w == "city" else w for w in words))
        if code is None or target is None or not isinstance(result[target], str):
            continue
        _set(result, {target: code if len(result[target]) == 2 else COUNTRIES[code]}, properties)


def _match_addresses(result: JSON, properties: JSON) -> None:
    city = next((result[n] for n in result if split_words(n)[-1:] == ("city",)), None)
    for name, value in list(result.items()):
        if isinstance(city, str) and isinstance(value, str) and kind_of(name, properties.get(name, {})) == "address":
            street, comma, town = value.rpartition(", ")
            if comma and town in CITIES and "examples" not in properties.get(name, {}):
                _set(result, {name: street}, properties)


def _set(result: JSON, changes: JSON, properties: JSON) -> None:
    if all(_fits(value, plain_schema(properties.get(name, {}))) for name, value in changes.items()):
        result.update(changes)


def _fits(value: Any, schema: JSON) -> bool:
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, str):
        length = int(schema.get("minLength", 0)) <= len(value) <= int(schema.get("maxLength", len(value)))
        return length and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)
    multiple = schema.get("multipleOf")
    if multiple is not None and (value / multiple) != int(value / multiple):
        return False
    if schema.get("type") == "integer" and value != int(value):
        return False
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    above = "exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"]
    below = "exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"]
    return bool(low <= value <= high and above and below)
