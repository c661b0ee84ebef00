"""Drawing: a believable value for any slot, valid against its JSON Schema (Draft 2020-12)."""

import copy
import random
from datetime import date
from typing import Any

from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON
from toolflow_graph.values.coherence import coherent
from toolflow_graph.values.draw_texts import draw_text
from toolflow_graph.values.kinds import Kind, kind_of
from toolflow_graph.values.numbers import draw_number
from toolflow_graph.values.patterns import compile_pattern, draw_pattern
from toolflow_graph.values.shapes import plain_schema, plain_type

__all__ = ["draw_value"]

_TYPES: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
_DEFAULTED = 0.15
_OPTIONAL = 0.5


def draw_value(name: str, schema: JSON, rng: random.Random, today: date) -> Any:
    """Return a believable value for the slot that validates against its schema.

    Dates lie around `today`; raises `CatalogError` when no value can be generated.
    """
    schema = plain_schema(schema)
    if "const" in schema or schema.get("enum"):
        choices = [schema["const"]] if "const" in schema else schema["enum"]
        return copy.deepcopy(rng.choice([c for c in choices if c is not None] or choices))
    examples = schema.get("examples")
    type_ = plain_type(schema)
    if isinstance(examples, list) and examples and type_ not in ("array", "object", "integer", "number"):
        return copy.deepcopy(rng.choice(examples))
    if "default" in schema and type_ not in ("array", "object") and _use_default(schema, rng):
        return copy.deepcopy(schema["default"])
    if type_ == "null":
        return None
    kind = kind_of(name, schema)
    if kind in ("object", "array"):
        return _draw_object(schema, rng, today) if kind == "object" else _draw_array(name, schema, rng, today)
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
    high = int(schema.get("maxItems", max(int(schema.get("minItems", 1)), 3)))
    low = max(int(schema.get("minItems", 1)), min(1, high))  # an empty list would say little
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
            text = draw_text(name, schema, kind, rng, today)
            if fits.search(text) and low <= len(text) <= (high or len(text)):
                return text
        return draw_pattern(pattern, rng, low, high)
    for _ in range(12):
        text = draw_text(name, schema, kind, rng, today)
        if low <= len(text) and (high is None or len(text) <= high):
            return text
    if high is not None and len(text) > high:
        return text[:high].rstrip() or text[:high]
    while len(text) < low:
        text = f"{text} {draw_text(name, schema, 'text', rng, today)}"
    return text if high is None else text[:high]
