"""Who knows a code: people have some at hand, others only a system hands out."""

import re
from typing import Any

from toolflow_graph.types import JSON
from toolflow_graph.values.kinds import kind_of
from toolflow_graph.values.naming import split_words, word_set

__all__ = ["is_identifier", "is_reference"]

_RETURNED = re.compile(r"\bas (?:returned|shown|given|listed) (?:by|in)\b")
_REFERENCES = word_set(
    "number no code ref reference iban plate vin zip zipcode postcode postal isbn sku pin barcode ticker symbol "
    "serial coupon voucher pnr ssn"
)
_HELD_IDS = word_set(
    "student employee member membership patient passport tax national license licence driver loyalty invoice policy "
    "customer account frequent vat personal insurance"
)


def is_reference(name: str, schema: JSON) -> bool:
    """Tell codes that people have at hand (order number, booking reference, IBAN) from ids of a system."""
    words = split_words(name)
    if not words or _is_other(schema):
        return False
    found = set(words)
    if _RETURNED.search(str(schema.get("description", ""))):
        return False
    if words[-1] in ("id", "identifier"):
        return bool(found & _HELD_IDS)
    if words[-1] in _REFERENCES:
        return kind_of(name, schema) not in ("phone", "country", "currency", "address", "count", "measure")
    return bool(found & {"tracking", "invoice", "iban", "postal", "zip"}) and kind_of(name, schema) == "id"


def is_identifier(name: str, schema: JSON) -> bool:
    """Tell whether only a system hands the value out, so that no user can know it before a result has shown it."""
    words = split_words(name)
    if not words or _is_other(schema) or is_reference(name, schema):
        return False
    if words[-1] in ("id", "ids", "identifier", "identifiers", "uuid", "guid", "token"):
        return True
    return kind_of(name, schema) == "id" and bool(_RETURNED.search(str(schema.get("description", ""))))


def _is_other(schema: JSON) -> bool:
    values: Any = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    return bool(values) or schema.get("type") in ("boolean", "object")
