"""Intersections and unions of schemas that were read: `allOf` becomes one object, a large `anyOf` does too."""

from typing import Any, NamedTuple

from toolflow_graph.types import JSON

__all__ = ["SchemaPart", "flatten_union", "merge_parts", "unite_parts"]

_SMALL_UNION = 12
"""Slots of a union of objects that is kept; a larger one becomes one object that allows what any branch allows."""
_MOST_BRANCHES = 4


class SchemaPart(NamedTuple):
    """A schema that was read.

    `size` counts its slots, `cut` says whether deeper ones were left out, `missing` names references that lead nowhere.
    """

    schema: JSON
    size: int = 1
    cut: bool = False
    missing: tuple[str, ...] = ()


def unite_parts(branches: list[SchemaPart]) -> SchemaPart:
    """Return what fits when any of the branches does; there must be one at least."""
    telling = [part for part in branches if set(part.schema) - {"required", "description"}]
    distinct = [part for place, part in enumerate(telling) if part.schema not in [p.schema for p in telling[:place]]]
    if len(distinct) < 2:
        return distinct[0] if distinct else branches[0]
    size, cut, missing = _add_up(distinct)
    schemas = [part.schema for part in distinct]
    if all("properties" in schema for schema in schemas) and (size > _SMALL_UNION or len(schemas) > _MOST_BRANCHES):
        return SchemaPart(_widen(schemas), size, cut, missing)
    if all(set(schema) == {"type"} and isinstance(schema["type"], str) for schema in schemas):
        return SchemaPart({"type": [schema["type"] for schema in schemas]}, 1, cut, missing)
    return SchemaPart({"anyOf": schemas[:_MOST_BRANCHES]}, size, cut or len(schemas) > _MOST_BRANCHES, missing)


def _widen(schemas: list[JSON]) -> JSON:
    """Return one object that has the properties of all, and requires what all of them require."""
    properties: JSON = {}
    for schema in schemas:
        properties = _join_properties(properties, schema["properties"])
    common = set.intersection(*(set(schema.get("required", ())) for schema in schemas))
    needed = [name for name in properties if name in common]
    return {"type": "object", "properties": properties, **({"required": needed} if needed else {})}


def merge_parts(parts: list[SchemaPart]) -> SchemaPart:
    """Return what has all that the parts have; where they contradict each other, the first one holds."""
    merged: JSON = {}
    properties: JSON = {}
    for part in parts:
        schema = part.schema
        if _contradict(merged, schema):
            continue
        if "anyOf" in schema and ("anyOf" in merged or properties or "properties" in schema):
            schema = flatten_union(schema)
        properties = _join_properties(properties, schema.get("properties", {}))
        needed = dict.fromkeys([*merged.get("required", ()), *schema.get("required", ())])
        merged = {**schema, **merged, **({"required": list(needed)} if needed else {})}
    if properties:
        merged = {**flatten_union(merged), "properties": properties} if "anyOf" in merged else merged
        merged = {"type": "object", **merged, "properties": properties}
        merged.pop("additionalProperties", None)
    size, cut, missing = _add_up(parts)
    return SchemaPart(merged, size, cut, missing)


def _join_properties(one: JSON, other: JSON) -> JSON:
    """Return the properties of both; of two with one name the one that says more."""
    joined = dict(one)
    for name, schema in other.items():
        if name not in joined or len(schema) > len(joined[name]):
            joined[name] = schema
    return joined


def _contradict(one: JSON, other: JSON) -> bool:
    kinds = [_kinds(schema.get("type")) for schema in (one, other)]
    return bool(kinds[0] and kinds[1]) and not kinds[0] & kinds[1]


def _kinds(written: Any) -> set[str]:
    return set() if written is None else ({written} if isinstance(written, str) else set(written)) - {"null"}


def flatten_union(schema: JSON) -> JSON:
    """Return a union of objects as one object with the properties of all branches."""
    branches = [part for part in schema.get("anyOf", ()) if "properties" in part]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if not branches:
        return rest if "anyOf" not in schema or "properties" in schema else schema
    properties = _join_properties(rest.get("properties", {}), _widen(branches)["properties"])
    return {"type": "object", **rest, "properties": properties}


def _add_up(parts: list[SchemaPart]) -> tuple[int, bool, tuple[str, ...]]:
    size = 1 + sum(part.size - 1 for part in parts)
    return size, any(part.cut for part in parts), tuple(name for part in parts for name in part.missing)[:8]
