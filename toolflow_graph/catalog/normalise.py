"""Brings schemas that other projects write (BFCL's `dict`, `float`, `tuple`) into plain JSON Schema."""

from typing import Any

from toolflow_graph.types import JSON

__all__ = ["normalise_schema"]

_TYPES = {
    "dict": "object",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "int": "integer",
    "long": "integer",
    "bool": "boolean",
    "str": "string",
    "char": "string",
    "byte": "integer",
    "tuple": "array",
    "list": "array",
    "arraylist": "array",
    "set": "array",
    "hashmap": "object",
    "hashtable": "object",
    "queue": "array",
    "stack": "array",
    "none": "null",
}
_KNOWN = {"object", "array", "string", "number", "integer", "boolean", "null"}


def normalise_schema(schema: JSON) -> JSON:
    """Return a copy in which every `type` is one of JSON Schema's; `any` and unknown type names become no type."""
    normal = {key: _normalise_value(key, value) for key, value in schema.items()}
    if "type" in normal:
        kind = _normalise_type(normal.pop("type"))
        if kind is not None:
            normal["type"] = kind
    if isinstance(normal.get("required"), bool):
        del normal["required"]
    if "properties" in normal and "type" not in normal:
        normal["type"] = "object"
    return normal


def _normalise_type(kind: Any) -> Any:
    if isinstance(kind, list):
        known = [_normalise_type(part) for part in kind]
        return None if None in known else known
    if not isinstance(kind, str):
        return kind
    lower = kind.lower().split("[")[0].split("<")[0].strip()
    return lower if lower in _KNOWN else _TYPES.get(lower)


def _normalise_value(key: str, value: Any) -> Any:
    if key == "properties" and isinstance(value, dict):
        return {name: normalise_schema(part) if isinstance(part, dict) else part for name, part in value.items()}
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return normalise_schema(value)
    if key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
        return [normalise_schema(part) if isinstance(part, dict) else part for part in value]
    return value
