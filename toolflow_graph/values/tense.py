"""On which side of today a day lies that goes by a name: an expense was made, a train is yet to leave."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

from toolflow_graph.types import JSON
from toolflow_graph.values.naming import split_words, word_set

__all__ = ["Tense", "find_tense", "fits_tense", "is_expiry", "is_soon"]

Tense = Literal["birth", "past", "ahead"]

_PAST = word_set(
    "since last previous past issued created updated joined hired purchase purchased ordered invoice transaction "
    "historical history incident expense spent reading symptom sleep logged founded modified published onset "
    "visited completed received"
)
_PAST_DESCRIPTION = re.compile(
    r"\b(?:last(?! (?:day|date|possible|moment))|previous|past|history|historical|was|were|has been|report|"
    r"statistics|transactions|spending|statement|happened|occurred|purchased|issued|created|logged|recorded)\b"
)
_SOON = word_set("delivery arrival reply decision payment payout pickup collection visit")
_BIRTH = word_set("birth birthday dob birthdate born")
_EXPIRY = word_set("expiry expiration expires expire")

_OF_AGE = timedelta(days=18 * 365)
_LONG_AGO = timedelta(days=400)


def find_tense(words: Sequence[str], description: str) -> Tense:
    """Return where the days lie that a parameter with these words and this description stands for."""
    found = set(words)
    if found & _BIRTH:
        return "birth"
    if is_expiry(words) or "renewal" in found or is_soon(words):
        return "ahead"
    past = found & _PAST or (found & {"start", "end", "from", "to"} and _PAST_DESCRIPTION.search(description.lower()))
    if past or re.search(r"\b(?:of birth|happened|occurred|was \w+ed)\b", description.lower()):
        return "past"
    return "ahead"


def is_expiry(words: Sequence[str]) -> bool:
    """Say whether the day is one on which something runs out, which may be years ahead."""
    found = set(words)
    return bool(found & _EXPIRY or ("valid" in found and found & {"until", "to", "through"}))


def is_soon(words: Sequence[str]) -> bool:
    """Say whether the day is one of the next: something arrives, or is fetched or paid."""
    return bool(set(words) & _SOON and not set(words) & _PAST)


def fits_tense(name: str, schema: JSON, value: object, today: date) -> bool:
    """Say whether a day or moment can stand under a name; what is no ISO date can."""
    try:
        day = date.fromisoformat(str(value)[:10])
    except ValueError:
        return True
    tense = find_tense(split_words(name), str(schema.get("description", "")))
    if tense == "birth":
        return day <= today - _OF_AGE
    return today - _LONG_AGO <= day <= today if tense == "past" else day >= today
