"""Tools that can be called for real become tools of a catalog: their schemas are other people's, or generated."""

from typing import Any

from toolflow_graph.catalog.names import Names, make_slug
from toolflow_graph.catalog.native import add_tool, build_tool, label_entry
from toolflow_graph.catalog.normalise import map_subschemas
from toolflow_graph.catalog.reading import Reading
from toolflow_graph.catalog.texts import clean_text
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON

__all__ = ["add_live_tool", "name_domain"]


def add_live_tool(reading: Reading, names: Names, source: str, domain: str, entry: JSON) -> None:
    """Add a tool in the native form or in MCP's; one that is not valid is skipped with the reason."""
    label = label_entry(entry, len(reading.tools) + len(reading.skipped) + 1)
    where = f"{source}: tool {label!r}"
    schemas = {key: tidy_schema(value) for key, value in entry.items() if key in _SCHEMAS and isinstance(value, dict)}
    tidy = {**entry, **schemas, "description": clean_text(entry.get("description"))}
    if not clean_text(entry.get("name")):
        reading.skip(source, label, "it has no name")
        return
    try:
        add_tool(build_tool(where, source, tidy, tidy, domain), names, reading)
    except (CatalogError, RecursionError) as exc:
        reason = "nested too deeply" if isinstance(exc, RecursionError) else str(exc).removeprefix(f"{where}: ")
        reading.skip(source, label, " ".join(reason.split())[:300])


_SCHEMAS = ("parameters", "returns", "inputSchema", "outputSchema")


def name_domain(*candidates: str) -> str:
    """Return the first of the names that makes a domain."""
    return next((slug for name in candidates if (slug := make_slug(name))), "tools")


def tidy_schema(schema: JSON) -> JSON:
    """Return a schema without what generators of schemas add and nobody needs.

    Titles that repeat the name go, and so does the null of a parameter that may be left out: to leave it out says the
    same.
    """
    tidy = map_subschemas({key: value for key, value in schema.items() if key != "title"}, tidy_schema)
    if "description" in tidy:
        tidy["description"] = clean_text(tidy["description"])
    required = tidy.get("required", ())
    if isinstance(tidy.get("properties"), dict) and isinstance(required, list | tuple):
        tidy["properties"] = {
            name: part if name in required or not isinstance(part, dict) else _without_null(part)
            for name, part in tidy["properties"].items()
        }
    return tidy


def _without_null(schema: JSON) -> JSON:
    branches: Any = schema.get("anyOf")
    rest = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    if not isinstance(branches, list) or {"type": "null"} not in branches:
        return rest
    kept = [branch for branch in branches if branch != {"type": "null"}]
    rest = {key: value for key, value in rest.items() if key != "anyOf"}
    if len(kept) == 1 and isinstance(kept[0], dict):
        return {**kept[0], **rest}
    return {**rest, "anyOf": kept} if kept else schema
