"""Kinds of values, and how well one kind feeds another: a boolean does not feed a date."""

from typing import TYPE_CHECKING, Any

import numpy as np

from toolflow_graph.types import JSON

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AGREEMENT", "KINDS", "find_kind"]

KINDS = ("any", "text", "date", "moment", "integer", "number", "boolean", "list", "object")
"""What a slot may hold, `any` where its schema does not say; dates and moments are texts of that format."""

_PARTIAL = {
    ("integer", "number"): 1.0,
    ("text", "integer"): 0.5,  # identifiers and amounts are often written as texts
    ("text", "number"): 0.5,
    ("text", "date"): 0.5,
    ("text", "moment"): 0.5,
    ("date", "moment"): 0.5,
    ("moment", "integer"): 0.5,  # seconds since 1970
    ("boolean", "text"): 0.25,
    ("boolean", "integer"): 0.25,
    ("list", "text"): 0.25,  # a list of identifiers holds some for a slot that takes one
    ("list", "integer"): 0.25,
    ("list", "number"): 0.25,
    ("list", "object"): 0.25,
    ("object", "text"): 0.25,  # what is described by an object often has its identifier in there
    ("object", "integer"): 0.25,
}
_NUMBERS = {name: number for number, name in enumerate(KINDS)}
_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean", "array": "list"}
_FORMATS = {"date": "date", "date-time": "moment"}


def _tabulate() -> "NDArray[np.float64]":
    table = np.eye(len(KINDS))
    table[0, :] = table[:, 0] = 1.0
    for (one, other), share in _PARTIAL.items():
        table[_NUMBERS[one], _NUMBERS[other]] = table[_NUMBERS[other], _NUMBERS[one]] = share
    return table


AGREEMENT = _tabulate()
"""From 0 (never) to 1 for each pair of `KINDS`; symmetric."""


def find_kind(schema: JSON) -> int:
    """Return the place in `KINDS` of what a slot holds."""
    kind: Any = schema.get("type")
    if isinstance(kind, list):
        named = [part for part in kind if part != "null"]
        kind = named[0] if len(named) == 1 else None
    if kind == "string":
        return _NUMBERS[_FORMATS.get(str(schema.get("format")), "text")]
    if kind == "object" or "properties" in schema:
        return _NUMBERS["object"]
    return _NUMBERS[_TYPES.get(str(kind), "any")]
