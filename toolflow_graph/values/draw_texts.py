"""Texts of every kind: dates, names, places, codes, and what people write."""

import random
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from toolflow_graph.types import JSON
from toolflow_graph.values import people
from toolflow_graph.values.kinds import Kind
from toolflow_graph.values.lexicon import AIRPORTS, COUNTRIES, CURRENCIES, LANGUAGES, STATES
from toolflow_graph.values.moments import date_format, format_datetime
from toolflow_graph.values.naming import split_words
from toolflow_graph.values.patterns import draw_pattern
from toolflow_graph.values.technical import draw_technical
from toolflow_graph.values.tense import find_tense, is_expiry, is_soon
from toolflow_graph.values.topics import draw_topic, examples_in

__all__ = ["draw_text"]


def draw_text(name: str, schema: JSON, kind: Kind, rng: random.Random, today: date) -> str:
    """Return a text of that kind; its length and pattern are the caller's business."""
    words = split_words(name)
    description = str(schema.get("description", ""))
    if kind in ("place", "id", "company") and "pattern" not in schema and (told := examples_in(description)):
        return rng.choice(told)
    if kind in ("text", "id", "person", "place") and (technical := draw_technical(words, description, rng)):
        return technical
    if kind in ("place", "city") and (special := _draw_special_place(words, description, rng)):
        return special
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple(rng)
    if kind in ("date", "time", "datetime"):
        return _draw_moment(words, description, schema, kind, rng, today)
    if kind == "person":
        return people.draw_person(rng, "first" if "first" in words else "last" if "last" in words else "full")
    if kind == "country":
        code = rng.choice(tuple(COUNTRIES))
        return code if "code" in words or re.search(r"\bcode\b|ISO", description) else COUNTRIES[code]
    if kind == "id":
        return _draw_code(words, rng)
    return _draw_text(words, description, rng)


def _draw_moment(
    words: tuple[str, ...], description: str, schema: JSON, kind: Kind, rng: random.Random, today: date
) -> str:
    if kind == "date":
        day = _draw_date(words, description, rng, today)
        if "pattern" in schema and not re.search(schema["pattern"], day.isoformat()):
            return day.strftime("%Y-%m")
        return day.strftime(date_format(description))
    if kind == "time":
        at = _draw_time(rng)
        return at.strftime("%H:%M:%SZ" if schema.get("format") == "time" else _time_form(schema))
    moment = datetime.combine(_draw_date(words, description, rng, today), _draw_time(rng))
    if schema.get("format") == "date-time" and "pattern" not in schema:
        return moment.strftime("%Y-%m-%dT%H:%M:00Z")
    return format_datetime(moment, str(schema.get("pattern", "")), description)


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
    tense = find_tense(words, description)
    if tense == "birth":
        return today - timedelta(days=rng.randint(19 * 365, 76 * 365))
    if tense == "past":
        return today - timedelta(days=rng.randint(1, 7) if rng.random() < 0.6 else rng.randint(1, 45))
    if is_expiry(words):
        return today + timedelta(days=rng.randint(30, 900))
    if "renewal" in words:
        return today + timedelta(days=rng.randint(20, 365))
    if is_soon(words):
        return today + timedelta(days=rng.randint(1, 9))
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
