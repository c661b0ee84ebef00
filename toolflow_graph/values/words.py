"""Words: how people say a value, whatever it is; never JSON, brackets, ISO dates or bare code words."""

import random
import re
from datetime import date
from decimal import Decimal
from typing import Any

from toolflow_graph.types import JSON
from toolflow_graph.values.kinds import Kind, kind_of
from toolflow_graph.values.lexicon import COUNTRIES, CURRENCIES, LANGUAGES
from toolflow_graph.values.moments import parse_moment
from toolflow_graph.values.naming import split_words, word_set
from toolflow_graph.values.shapes import plain_schema
from toolflow_graph.values.spoken_moments import Style, say_moment
from toolflow_graph.values.spoken_numbers import (
    format_number,
    say_duration,
    say_money,
    say_number,
    say_with_noun,
)

__all__ = ["Style", "enum_words", "is_fraction", "join_words", "say"]

_VERBATIM: frozenset[Kind] = frozenset({"id", "email", "url", "phone"})
_BRACKETS = re.compile(r"[\[\]{}<>]")
_CAPITALS = word_set(
    "HIGH LOW OPEN BEST SLOW FAST FREE FULL HALF GOOD NEW OLD BUY SELL YES NO DAY WEEK MONTH YEAR CASH CARD LAST NEXT "
    "ALL ANY NONE ASC DESC MALE LONG SHORT DONE TODO HOT COLD RED BLUE GREEN PAID LATE"
)


def say(
    value: Any,
    name: str,
    schema: JSON,
    rng: random.Random,
    today: date,
    *,
    currency: str | None = None,
    noun: str = "",
    style: Style = "user",
    month_first: bool | None = None,
) -> str:
    """Return the words in which people say the value of a slot.

    `currency` (ISO 4217) makes amounts of money complete, `noun` is what a number counts ("night"), and `style`
    tells how freely: an assistant writes "9:30" where a user may say "half past nine"; `month_first` fixes "June 12"
    or "12 June", which is drawn otherwise.
    """
    schema = plain_schema(schema)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _say_number(value, name, schema, rng, currency=currency, noun=noun, style=style)
    if isinstance(value, str):
        return _say_string(value, name, schema, rng, today, style=style, month_first=month_first)
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        amounts = any(kind_of(key, properties.get(key) or {}) == "money" for key in value)
        own = value["currency"] if amounts and isinstance(value.get("currency"), str) else currency
        said = [
            say(
                part,
                key,
                properties.get(key) or {},
                rng,
                today,
                currency=own,
                style="assistant",
                month_first=month_first,
            )
            for key, part in value.items()
            if not (key == "currency" and amounts)
        ]
        told = list(dict.fromkeys(s for s in said if s))
        moments = [part for part in value.values() if isinstance(part, str) and parse_moment(part) is not None]
        spans = len(moments) == len(told) == _ENDS  # "Sunday, 27 October" would be one day, not two
        return (" to " if spans else ", ").join(told) or "nothing"
    items = schema.get("items")
    part = items if isinstance(items, dict) else {}
    singular = name[:-1] if name.endswith("s") and not name.endswith("ss") else name
    style = "assistant" if len(value) > 1 else style  # "half past nine" does not read well in a row
    return join_words(
        [
            say(item, singular, part, rng, today, currency=currency, noun=noun, style=style, month_first=month_first)
            for item in value
        ]
    )


_ENDS = 2
"""Moments of a span: its first and its last."""


def join_words(parts: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"; "nothing" for an empty list."""
    if not parts:
        return "nothing"
    separator = "; " if any("," in part for part in parts) and len(parts) > 1 else ", "
    if len(parts) == 1:
        return parts[0]
    return f"{separator.join(parts[:-1])} and {parts[-1]}"


def _say_number(
    value: float, name: str, schema: JSON, rng: random.Random, *, currency: str | None, noun: str, style: Style
) -> str:
    kind = kind_of(name, schema)
    words = split_words(name)
    if noun:
        relaxed = say_duration(value, rng) if noun == "minute" and style == "user" else None
        return relaxed or say_with_noun(value, noun)
    if "year" in words or kind == "id":
        return format_number(value, grouped=False)
    if kind == "money":
        return say_money(value, currency, rng, casual=style == "user")
    if kind == "percent":
        shown = Decimal(str(value)) * 100 if is_fraction(value, schema) else Decimal(str(value))
        sign = "%" if style == "assistant" or rng.random() < 0.6 else " percent"
        return format_number(float(shown)) + sign
    return say_number(value, rng, spelled=style == "user")


def is_fraction(value: float, schema: JSON) -> bool:
    """Tell whether a share is given as a part of one (0.05 for 5 %)."""
    description = str(schema.get("description", "")).lower()
    small = schema.get("maximum", 101) <= 1 or "decimal" in description or "fraction" in description
    return small and abs(value) <= 1


def _say_string(
    value: str, name: str, schema: JSON, rng: random.Random, today: date, *, style: Style, month_first: bool | None
) -> str:
    kind = kind_of(name, schema)
    moment = parse_moment(value) if kind not in ("id", "phone") or "T" in value else None
    if moment is not None:
        return say_moment(moment, rng, today, style, month_first=month_first)
    if kind in _VERBATIM:
        return value
    if kind == "currency" and value.upper() in CURRENCIES:
        return CURRENCIES[value.upper()][1] if style == "user" and rng.random() < 0.6 else value.upper()
    if kind == "country" and value.upper() in COUNTRIES:
        return COUNTRIES[value.upper()]
    if set(split_words(name)) & {"language", "lang", "locale"} and value.lower() in LANGUAGES:
        return LANGUAGES[value.lower()]
    if kind == "enum":
        return enum_words(value)
    plain = _BRACKETS.sub("", value)
    if " " not in plain and "_" in plain:
        return enum_words(plain)
    return plain.replace("_", " ").strip() or "nothing"


def enum_words(value: str) -> str:
    """Return the words of an enum value: `eating_out` → "eating out", `IN_PROGRESS` → "in progress", `USD` as it is."""
    plain = _BRACKETS.sub("", value)
    parts = [part for part in re.split(r"[_\s]+", plain) if part]
    if len(parts) == 1:
        camel = re.split(r"(?<=[a-z])(?=[A-Z])", parts[0])
        # two capitalised parts are a brand more often than not: GitHub, PayPal, PostgreSQL
        camel_case = len(camel) > 1 and (camel[0].islower() or len(camel) > 2) and not parts[0].endswith(("QL", "OS"))
        camel_case = camel_case and all(len(c) > 1 for c in camel)
        parts = camel if camel_case else parts
    else:
        camel_case = False
    if len(parts) > 1 and plain.isupper():
        return " ".join(parts).lower()
    return " ".join(_decapitalise(part, alone=len(parts) == 1, camel_case=camel_case) for part in parts) or "nothing"


def _decapitalise(part: str, *, alone: bool, camel_case: bool) -> str:
    if part.isupper() and part.isalpha():
        shout = len(part) > 5 or part in _CAPITALS or (not alone and len(part) > 3)
        return part.lower() if shout else part
    return part[0].lower() + part[1:] if camel_case and part[1:].islower() else part
