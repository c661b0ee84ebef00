"""Reads ToolBench's JSON of RapidAPI tools: {"tool_name": …, "api_list": [{"name": …, "required_parameters": […]}]}.

An API is named as ToolBench names it, `search_for_spotify`. What RapidAPI calls a parameter's default is the value in
its test form, so it becomes an example. `returns` comes from the schema, the template or the example of the answer.
"""

from pathlib import Path
from typing import Any

from toolflow_graph.catalog.documents import parse_json
from toolflow_graph.catalog.examples import infer_schema
from toolflow_graph.catalog.functions import make_tool
from toolflow_graph.catalog.keywords import fits
from toolflow_graph.catalog.names import Names, make_name, make_slug
from toolflow_graph.catalog.native import add_tool
from toolflow_graph.catalog.openapi_schema import SchemaReader
from toolflow_graph.catalog.reading import Reading
from toolflow_graph.catalog.references import References
from toolflow_graph.catalog.texts import clean_text, shorten
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON, Annotations

__all__ = ["read_toolbench"]

_TYPES: dict[str, JSON] = {
    "NUMBER": {"type": "number"},
    "INTEGER": {"type": "integer"},
    "BOOLEAN": {"type": "boolean"},
    "ARRAY": {"type": "array", "items": {"type": "string"}},
    "OBJECT": {"type": "object"},
    "MAP": {"type": "object"},
    "DATE (YYYY-MM-DD)": {"type": "string", "format": "date"},
    "TIME (24-HOUR HH:MM)": {"type": "string", "format": "time"},
}
_MOST_PARAMETERS = 500
_MOST_RETURNED = 150


def read_toolbench(document: Any, path: Path, names: Names, reading: Reading) -> None:
    """Add the APIs of a document to a reading; one that is not valid is skipped with the reason."""
    seen: set[tuple[str, str]] = set()
    for holder in document if isinstance(document, list) else [document]:
        if not isinstance(holder, dict):
            reading.skip(str(path), "", "not an object")
            continue
        written = holder.get("api_list", [holder])
        for number, api in enumerate(written if isinstance(written, list) else [written], 1):
            label = _text(api, "name", "api_name") or f"api {number}"
            key = (str(api.get("tool_name")) if isinstance(api, dict) else "", label)
            if "tool_name" not in holder and key in seen:
                continue  # rows of a data set name an API again and again
            seen.add(key)
            try:
                _read_api(holder, api, path, names, reading)
            except (CatalogError, RecursionError) as exc:
                reason = str(exc) if isinstance(exc, CatalogError) else "nested too deeply"
                reading.skip(str(path), label[:100], reason)


def _read_api(holder: JSON, api: Any, path: Path, names: Names, reading: Reading) -> None:
    if not isinstance(api, dict):
        raise CatalogError("not an object")
    named = make_name(_text(api, "name", "api_name").lower())
    if not named:
        raise CatalogError("it has no 'name'")
    owner = make_slug(_text(api, "tool_name") or _text(holder, "tool_name", "title", "standardized_name"))
    name = f"{named}_for_{owner}" if owner and len(named) + len(owner) < 60 else named
    described = clean_text(_text(api, "description", "api_description"))
    about = clean_text(_text(holder, "tool_description"), 300)
    method = _text(api, "method").upper()
    tool = make_tool(
        name=make_name(name),
        description=described if len(described) > 20 or not about else shorten(f"{described or named}. {about}", 1024),
        parameters=_read_parameters(api),
        returns=_read_returns(api),
        domain=make_slug(_text(api, "category_name") or _text(holder, "category_name")) or owner or path.stem,
        provider=_text(holder, "host") or owner,
        source=str(path),
        annotations=Annotations(
            read_only=True if method == "GET" else None, destructive=True if method == "DELETE" else None
        ),
    )
    add_tool(tool, names, reading)


def _read_parameters(api: JSON) -> JSON:
    properties: JSON = {}
    required: list[str] = []
    for key in ("required_parameters", "optional_parameters"):
        written = api.get(key)
        for parameter in written if isinstance(written, list) else ():
            name = make_name(_text(parameter, "name"))
            if not name or name in properties:
                continue
            properties[name] = _read_parameter(parameter)
            if key == "required_parameters":
                required.append(name)
    if len(properties) > _MOST_PARAMETERS:
        raise CatalogError(f"it takes {len(properties):,} parameters, more than the {_MOST_PARAMETERS} that are read")
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _read_parameter(parameter: JSON) -> JSON:
    schema = dict(_TYPES.get(_text(parameter, "type").upper(), {"type": "string"}))
    if description := clean_text(parameter.get("description"), 400):
        schema["description"] = description
    choices = parameter.get("enum", parameter.get("options"))
    if isinstance(choices, list) and choices and all(isinstance(c, str) and c for c in choices) and len(choices) < 256:
        schema["enum"] = list(dict.fromkeys(choices))
    example = parameter.get("default")
    if schema["type"] == "number" and isinstance(example, str):
        try:
            example = float(example) if "." in example else int(example[:18])
        except ValueError:
            example = None
    if fits(example, schema) and "enum" not in schema:
        schema["examples"] = [example]
    return schema


def _read_returns(api: JSON) -> JSON | None:
    schema = _load(api.get("schema"))
    if isinstance(schema, dict) and schema:
        if "properties" in schema or "items" in schema:
            part = SchemaReader(References(schema)).read(schema, sent=False, most=_MOST_RETURNED)
            return _wrap(part.schema)
        return _wrap(infer_schema(schema))
    for key in ("template_response", "body"):
        example = _load(api.get(key))
        if isinstance(example, dict | list) and example:
            return _wrap(infer_schema(example))
    return None


def _wrap(schema: JSON) -> JSON | None:
    if schema.get("properties"):
        return schema
    return {"type": "object", "properties": {"items": schema}} if schema.get("type") == "array" else None


def _load(written: Any) -> Any:
    if not isinstance(written, str):
        return written
    try:
        return parse_json(written) if written.lstrip().startswith(("{", "[")) else None
    except ValueError:
        return None


def _text(node: Any, *keys: str) -> str:
    found = (node.get(key) for key in keys) if isinstance(node, dict) else ()
    return next((value.strip()[:4000] for value in found if isinstance(value, str) and value.strip()), "")
