"""Brings schemas that other projects write (BFCL's `dict`, `float`, `tuple`) into plain JSON Schema."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from toolflow_graph.types import JSON

__all__ = ["inline_references", "normalise_schema"]

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
_DEFINITIONS = ("$defs", "definitions")
_LARGEST = 5000
_NAMED_SCHEMAS = ("properties", "patternProperties", "dependentSchemas", *_DEFINITIONS)
_ONE_SCHEMA = ("items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames")
_LISTED_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems", "items")


def normalise_schema(schema: JSON) -> JSON:
    """Return a copy in which every `type` is one of JSON Schema's; `any` and unknown type names become no type."""
    normal = map_subschemas(schema, normalise_schema)
    if isinstance(normal.get("items"), list):  # a tuple, as drafts before 2020-12 write it
        normal["items"] = {"anyOf": normal["items"]} if normal["items"] else {}
    if "type" in normal:
        kind = _normalise_type(normal.pop("type"))
        if kind is not None:
            normal["type"] = kind
    if isinstance(normal.get("required"), bool):
        del normal["required"]
    if "properties" in normal and "type" not in normal:
        normal["type"] = "object"
    return _normalise_enum(normal)


def _normalise_enum(schema: JSON) -> JSON:
    """Make `enum` agree with `type`: an array's choices belong to its items, those of a boolean say nothing."""
    choices, kind = schema.get("enum"), schema.get("type")
    if not isinstance(choices, list) or kind not in ("array", "boolean", "integer", "number"):
        return schema
    if kind == "array":
        if any(isinstance(choice, list) for choice in choices):
            return schema
        items = schema.get("items")
        rest = {key: value for key, value in schema.items() if key != "enum"}
        return {**rest, "items": {**(items if isinstance(items, dict) else {}), "enum": choices}}
    fitting = [choice for choice in (_to_type(choice, kind) for choice in choices) if choice is not None]
    if kind == "boolean" or not fitting:
        return {key: value for key, value in schema.items() if key != "enum"}
    return {**schema, "enum": fitting}


def _to_type(choice: Any, kind: str) -> Any:
    if isinstance(choice, str):
        try:
            return int(choice) if kind == "integer" else float(choice)
        except ValueError:
            return None
    return choice if isinstance(choice, int | float) and not isinstance(choice, bool) else None


def _normalise_type(kind: Any) -> Any:
    if isinstance(kind, list):
        known = [_normalise_type(part) for part in kind]
        return None if None in known else [k for place, k in enumerate(known) if k not in known[:place]]
    if not isinstance(kind, str):
        return kind
    lower = kind.lower().split("[")[0].split("<")[0].strip()
    return lower if lower in _KNOWN else _TYPES.get(lower)


def inline_references(schema: JSON) -> JSON:
    """Return a schema without `$ref`: what pydantic writes under `$defs` stands where it is meant.

    Raises `ValueError` for a reference that leads out of the schema, nowhere, or back into itself, and when the
    schema would become too large.
    """
    return _inline(schema, schema, (), itertools.count())


def _inline(part: JSON, root: JSON, within: tuple[str, ...], number: Iterator[int]) -> JSON:
    if next(number) > _LARGEST:
        raise ValueError(f"its references expand to more than {_LARGEST:,} schemas")
    own = {key: value for key, value in part.items() if key not in _DEFINITIONS}
    own = map_subschemas(own, lambda inner: _inline(inner, root, within, number))
    reference = own.pop("$ref", None)
    if reference is None:
        return own
    if reference in within:
        raise ValueError(f"$ref {reference!r} refers to itself; a tool's values must have a depth")
    return {**_inline(_resolve(reference, root), root, (*within, reference), number), **own}


def _resolve(reference: Any, root: JSON) -> JSON:
    found: Any = root
    names = str(reference).split("/")
    for name in names[1:]:
        found = found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    if names[0] != "#" or not isinstance(found, dict):
        raise ValueError(f"$ref {reference!r} is not defined in the schema; give it under '$defs'")
    return found


def map_subschemas(schema: JSON, change: Callable[[JSON], JSON]) -> JSON:
    """Return a copy of a schema with `change` applied to the schemas right inside it, and to nothing else."""
    return {key: _map_value(key, value, change) for key, value in schema.items()}


def _map_value(key: str, value: Any, change: Callable[[JSON], JSON]) -> Any:
    if key in _NAMED_SCHEMAS and isinstance(value, dict):
        return {name: change(part) if isinstance(part, dict) else part for name, part in value.items()}
    if key in _ONE_SCHEMA and isinstance(value, dict):
        return change(value)
    if key in _LISTED_SCHEMAS and isinstance(value, list):
        return [change(part) if isinstance(part, dict) else part for part in value]
    return value
