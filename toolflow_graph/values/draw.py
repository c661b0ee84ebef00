"""Drawing: a believable value for any slot, valid against its JSON Schema (Draft 2020-12)."""

import copy
import random
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON
from toolflow_graph.values import people
from toolflow_graph.values.coherence import coherent
from toolflow_graph.values.kinds import Kind, kind_of, plain_schema, plain_type
from toolflow_graph.values.lexicon import AIRPORTS, COUNTRIES, CURRENCIES, LANGUAGES, STATES
from toolflow_graph.values.moments import date_format, format_datetime
from toolflow_graph.values.naming import split_words, word_set
from toolflow_graph.values.numbers import draw_number
from toolflow_graph.values.patterns import compile_pattern, draw_pattern
from toolflow_graph.values.topics import draw_topic, examples_in

__all__ = ["draw_value"]

_PAST = word_set(
    "since last previous past issued created updated joined hired purchase purchased ordered invoice transaction "
    "historical history incident expense spent reading symptom sleep logged founded modified published onset visited completed received"
)
_PAST_DESCRIPTION = re.compile(
    r"\b(?:last(?! (?:day|date|possible|moment))|previous|past|history|historical|was|were|has been|report|statistics|transactions|spending|"
    r"statement|happened|occurred|purchased|issued|created|logged|recorded)\b"
)
_BIRTH = word_set("birth birthday dob birthdate born")
_EXPIRY = word_set("expiry expiration expires expire")
_SOON = word_set("delivery arrival reply decision payment payout pickup collection visit")
_TYPES: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
_DEFAULTED = 0.15
_OPTIONAL = 0.5


def draw_value(name: str, schema: JSON, rng: random.Random, today: date) -> Any:
    """Return a believable value for the slot that validates against its schema.

    Dates lie around `today`; raises `CatalogError` when no value can be generated.
    """
    schema = plain_schema(schema)
    if "const" in schema:
        return copy.deepcopy(schema["const"])
    if schema.get("enum"):
        choices = [c for c in schema["enum"] if c is not None] or schema["enum"]
        return copy.deepcopy(rng.choice(choices))
    examples = schema.get("examples")
    type_ = plain_type(schema)
    if isinstance(examples, list) and examples and type_ not in ("array", "object", "integer", "number"):
        return copy.deepcopy(rng.choice(examples))
    if "default" in schema and type_ not in ("array", "object") and _use_default(schema, rng):
        return copy.deepcopy(schema["default"])
    if type_ == "null":
        return None
    kind = kind_of(name, schema)
    if kind == "object":
        return _draw_object(schema, rng, today)
    if kind == "array":
        return _draw_array(name, schema, rng, today)
    if kind == "boolean":
        return rng.random() < 0.5
    if type_ in ("integer", "number") or (not type_ and kind in ("number", "money", "measure", "count")):
        if isinstance(examples, list) and examples and "minimum" not in schema:
            return rng.choice(examples)
        return draw_number(name, schema, kind, rng, today)
    return _draw_string(name, schema, kind, rng, today)


def _use_default(schema: JSON, rng: random.Random) -> bool:
    default = schema["default"]
    fits = _TYPES.get(plain_type(schema), object)
    usable = default not in (None, "") and isinstance(default, fits)
    return usable and (fits is bool or not isinstance(default, bool)) and rng.random() < _DEFAULTED


def _draw_object(schema: JSON, rng: random.Random, today: date) -> JSON:
    properties = schema.get("properties") or {}
    required = set(schema.get("required", ()))
    drawn: JSON = {}
    for name, part in properties.items():
        if name in required or rng.random() < _OPTIONAL:
            drawn[name] = draw_value(name, part if isinstance(part, dict) else {}, rng, today)
    for name in schema.get("required", ()):
        if name not in drawn:
            drawn[name] = draw_value(name, {"type": "string"}, rng, today)
    extra = schema.get("additionalProperties")
    if not properties and isinstance(extra, dict):
        drawn = {
            f"item_{i + 1}": draw_value("item", extra, rng, today) for i in range(int(schema.get("minProperties", 1)))
        }
    return coherent(drawn, schema, rng)


def _draw_array(name: str, schema: JSON, rng: random.Random, today: date) -> list[Any]:
    low = int(schema.get("minItems", 1))
    high = int(schema.get("maxItems", max(low, 3)))
    items = schema.get("items")
    if (
        "minItems" not in schema
        and high >= 3
        and isinstance(items, dict)
        and items.get("type") in ("number", "integer")
    ):
        low = 3
    size = rng.randint(low, max(low, min(high, max(low, 1) + 2)))
    size = max(low, min(size, high))
    prefix = schema.get("prefixItems")
    if isinstance(prefix, list):
        return [draw_value(name, part, rng, today) for part in prefix]
    part = items if isinstance(items, dict) else {"type": "string"}
    singular = name[:-1] if name.endswith("s") and not name.endswith("ss") else name
    drawn: list[Any] = []
    for attempt in range(size * 8):
        value = draw_value(singular, part, rng, today)
        if value not in drawn and (attempt > size * 5 or not _repeats(value, drawn, part)):
            drawn.append(value)
        if len(drawn) == size:
            return drawn
    if len(drawn) < low and schema.get("uniqueItems"):
        raise CatalogError(f"{name!r} wants {low} different items and only {len(drawn)} were found")
    while len(drawn) < low:
        drawn.append(copy.deepcopy(rng.choice(drawn)))
    return drawn


def _repeats(value: Any, drawn: list[Any], schema: JSON) -> bool:
    if not isinstance(value, dict):
        return False
    properties = schema.get("properties") or {}
    told = [n for n in value if isinstance(value[n], str) and "examples" in properties.get(n, {})]
    return any(value[n] == other.get(n) for n in told for other in drawn if isinstance(other, dict))


def _draw_string(name: str, schema: JSON, kind: Kind, rng: random.Random, today: date) -> str:
    pattern = schema.get("pattern")
    low, high = int(schema.get("minLength", 0)), schema.get("maxLength")
    if pattern:
        fits = compile_pattern(pattern)
        for _ in range(4 if kind in ("id", "text") else 20):
            if kind in ("id", "text"):
                break
            text = _draw_kind(name, schema, kind, rng, today)
            if fits.search(text) and low <= len(text) <= (high or len(text)):
                return text
        return draw_pattern(pattern, rng, low, high)
    for _ in range(12):
        text = _draw_kind(name, schema, kind, rng, today)
        if low <= len(text) and (high is None or len(text) <= high):
            return text
    if high is not None and len(text) > high:
        return text[:high].rstrip() or text[:high]
    while len(text) < low:
        text = f"{text} {_draw_kind(name, schema, 'text', rng, today)}"
    return text if high is None else text[:high]


def _draw_kind(name: str, schema: JSON, kind: Kind, rng: random.Random, today: date) -> str:
    words = split_words(name)
    description = str(schema.get("description", ""))
    if kind in ("place", "id", "company") and "pattern" not in schema and (told := examples_in(description)):
        return rng.choice(told)
    if kind in ("place", "city") and (special := _draw_special_place(words, description, rng)):
        return special
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple(rng)
    if kind == "date":
        day = _draw_date(words, description, rng, today)
        if "pattern" in schema and not re.search(schema["pattern"], day.isoformat()):
            return day.strftime("%Y-%m")
        return day.strftime(date_format(description))
    if kind == "time":
        at = _draw_time(rng)
        return at.strftime("%H:%M:%SZ" if schema.get("format") == "time" else _time_form(schema))
    if kind == "datetime":
        moment = datetime.combine(_draw_date(words, description, rng, today), _draw_time(rng))
        if schema.get("format") == "date-time" and "pattern" not in schema:
            return moment.strftime("%Y-%m-%dT%H:%M:00Z")
        return format_datetime(moment, str(schema.get("pattern", "")), description)
    if kind == "person":
        return people.draw_person(rng, "first" if "first" in words else "last" if "last" in words else "full")
    if kind == "country":
        code = rng.choice(tuple(COUNTRIES))
        return code if "code" in words or re.search(r"\bcode\b|ISO", description) else COUNTRIES[code]
    if kind == "id":
        return _draw_code(words, rng)
    return _draw_text(words, description, rng)


def _draw_special_place(words: tuple[str, ...], description: str, rng: random.Random) -> str | None:
    if "airport" in words or "airport code" in description.lower():
        coded = re.search(r"\bcode\b|IATA", description)
        return rng.choice(tuple(AIRPORTS)).upper() if coded else f"{people.draw_city(rng)} Airport"
    if words[-1:] == ("state",):
        code = rng.choice(tuple(STATES))
        return code if re.search(r"abbreviat|two[- ]letter|\bcode\b", description) else STATES[code]
    return None


def _time_form(schema: JSON) -> str:
    pattern = schema.get("pattern", "")
    return "%H:%M:%S" if pattern and not re.search(pattern, "09:30") else "%H:%M"


def _draw_date(words: tuple[str, ...], description: str, rng: random.Random, today: date) -> date:
    found = set(words)
    if found & _BIRTH:
        return today - timedelta(days=rng.randint(19 * 365, 76 * 365))
    if found & _EXPIRY or ("valid" in found and found & {"until", "to", "through"}):
        return today + timedelta(days=rng.randint(30, 900))
    if "renewal" in found:
        return today + timedelta(days=rng.randint(20, 365))
    if found & _SOON and not found & _PAST:
        return today + timedelta(days=rng.randint(1, 9))
    past = found & _PAST or (found & {"start", "end", "from", "to"} and _PAST_DESCRIPTION.search(description.lower()))
    if past or re.search(r"\b(?:of birth|happened|occurred|was \w+ed)\b", description.lower()):
        return today - timedelta(days=rng.randint(1, 7) if rng.random() < 0.6 else rng.randint(1, 45))
    near = rng.random()
    return today + timedelta(days=rng.randint(1, 6) if near < 0.45 else rng.randint(1, 30))


def _draw_time(rng: random.Random) -> time:
    hour = rng.choice((7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 13, 14, 14, 15, 15, 16, 17, 18, 18, 19, 20))
    return time(hour, rng.choice((0, 0, 0, 30, 30, 15, 45)))


def _draw_code(words: tuple[str, ...], rng: random.Random) -> str:
    found = set(words)
    if found & {"zip", "zipcode", "postal", "postcode"}:
        return f"{rng.randint(10000, 96000)}"
    if found & {"uuid", "guid"}:
        return str(uuid.UUID(int=rng.getrandbits(128), version=4))
    if found & {"ticker", "symbol"}:
        return rng.choice(("AAPL", "MSFT", "NVDA", "AMZN", "TSLA", "SAP", "ASML", "NESN", "GOOG", "META"))
    if "iban" in found:
        return "DE" + "".join(rng.choice("0123456789") for _ in range(20))
    if "plate" in found:
        return draw_pattern("[A-Z]{2}-[0-9]{3}-[A-Z]{2}", rng)
    if "tracking" in found:
        return draw_pattern("1Z[0-9A-HJ-NP-Z]{10}", rng)
    if found & {"flight"}:
        return draw_pattern("(AF|LH|BA|KL|LX|UA)[1-9][0-9]{2,3}", rng)
    head = next((w for w in words if w not in ("id", "ids", "number", "code", "no", "ref", "reference")), "ref")
    letters = head[:3].upper() if len(head) > 2 else "REF"
    return f"{letters}-{rng.randint(1000, 99999)}"


def _draw_text(words: tuple[str, ...], description: str, rng: random.Random) -> str:
    found = set(words)
    if found & {"language", "lang", "locale"}:
        code = rng.choice(tuple(LANGUAGES))
        return code if "code" in found or "code" in description.lower() else LANGUAGES[code]
    if found & {"timezone", "tz"} or words[-2:] == ("time", "zone"):
        return rng.choice(("Europe/Paris", "Europe/London", "America/New_York", "Asia/Tokyo", "Europe/Zurich"))
    if "ip" in found:
        return f"192.0.2.{rng.randint(1, 254)}"
    if found & {"username", "login"}:
        return people.draw_email(rng).split("@")[0].replace(".", "")
    if "month" in found:
        return rng.choice(("January", "March", "May", "June", "September", "November"))
    if found & {"day", "weekday"}:
        return rng.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"))
    return draw_topic(words, description, rng)


_SIMPLE: dict[str, Callable[[random.Random], str]] = {
    "city": people.draw_city,
    "address": people.draw_address,
    "place": people.draw_place,
    "company": people.draw_company,
    "email": people.draw_email,
    "phone": people.draw_phone,
    "url": people.draw_url,
    "currency": lambda rng: rng.choice(tuple(CURRENCIES)[:10]),
}
