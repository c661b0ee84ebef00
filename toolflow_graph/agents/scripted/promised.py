"""What later calls of the plan take from a result must be in it, even where the tool's schema leaves it open."""

from collections.abc import Iterable
from typing import Any

from toolflow_graph.types import JSON
from toolflow_graph.values.shapes import plain_schema

__all__ = ["require_paths"]


def require_paths(returns: JSON, paths: Iterable[str]) -> JSON:
    """Return the schema of a result in which the fields at the paths are required, through unions and lists."""
    for path in paths:
        returns = _require(returns, path.split(".")) or returns
    return returns


def _require(schema: JSON, names: list[str]) -> JSON | None:
    """Return the schema with the path required, None when it does not lead through it."""
    properties = schema.get("properties")
    if isinstance(properties, dict):
        return _require_property(schema, properties, names)
    if isinstance(schema.get("items"), dict):
        items = _require(schema["items"], names)
        return None if items is None else {**_only(schema, "array"), "items": items}
    if isinstance(schema.get("allOf"), list):
        return _require(plain_schema(schema), names)
    for key in ("anyOf", "oneOf"):
        rest = {name: part for name, part in schema.items() if name != key}
        for branch in schema.get(key, ()):
            found = _require({**rest, **branch}, names) if isinstance(branch, dict) else None
            if found is not None:
                return found
    return None


def _require_property(schema: JSON, properties: JSON, names: list[str]) -> JSON | None:
    name, *rest = names
    part = properties.get(name)
    if not isinstance(part, dict):
        return None
    inner = _require(part, rest) if rest else part
    if inner is None:
        return None
    required = schema.get("required", [])
    return {
        **_only(schema, "object"),
        "properties": {**properties, name: inner},
        "required": required if name in required else [*required, name],
    }


def _only(schema: JSON, kind: str) -> Any:
    """Return the schema for this one of the types that it allows."""
    return {**schema, "type": kind} if isinstance(schema.get("type"), list) else schema
