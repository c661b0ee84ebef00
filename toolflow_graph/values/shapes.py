"""The schema that counts behind unions, intersections and nullable types."""

from toolflow_graph.types import JSON

__all__ = ["plain_schema", "plain_type"]


def plain_schema(schema: JSON) -> JSON:
    """Return the schema that counts: the first branch that is not null of a union, with its own keywords merged in."""
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if isinstance(branches, list):
            for branch in branches:
                if isinstance(branch, dict) and branch.get("type") != "null":
                    return plain_schema({**{k: v for k, v in schema.items() if k != key}, **branch})
    if isinstance(schema.get("allOf"), list):
        merged = {k: v for k, v in schema.items() if k != "allOf"}
        for branch in schema["allOf"]:
            if isinstance(branch, dict):
                merged = _merge(merged, branch)
        return plain_schema(merged)
    return schema


def _merge(one: JSON, other: JSON) -> JSON:
    merged = {**one, **other}
    if "properties" in one and "properties" in other:
        merged["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        merged["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    for key, choose in (("minimum", max), ("maximum", min), ("minLength", max), ("maxLength", min)):
        if key in one and key in other:
            merged[key] = choose(one[key], other[key])
    return merged


def plain_type(schema: JSON) -> str:
    """Return the first type of a plain schema that is not null; "" when it names none."""
    kind = schema.get("type", "")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "")
    if not kind:
        kind = "object" if "properties" in schema else "array" if "items" in schema else ""
    return str(kind)
