"""What an operation gives back: the schema of its success response, as an object."""

from toolflow_graph.catalog.documents import SUFFIXES
from toolflow_graph.catalog.names import make_name
from toolflow_graph.catalog.openapi_document import Api, pick_schema
from toolflow_graph.catalog.openapi_merge import SchemaPart, flatten_union
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON
from toolflow_graph.values.naming import pluralise, split_words

__all__ = ["read_response"]

_MOST_READ = 1500
_MOST_RETURNED = 150
"""Slots of a response; deeper ones are left out beyond that."""


def read_response(api: Api, path: str, operation: JSON) -> SchemaPart | None:
    """Return the schema of what an operation gives back; None where the document does not say, or not in full."""
    response = _pick_response(api, operation)
    schema = response.get("schema") if api.old else pick_schema(response.get("content"))
    if not isinstance(schema, dict):
        return None
    part = api.schemas.read(schema, sent=False, most=_MOST_RETURNED)
    if part.missing or part.size > _MOST_READ:
        return None
    whole = flatten_union(part.schema)
    kind = whole.get("type")
    kind = next((name for name in kind if name != "null"), None) if isinstance(kind, list) else kind
    if kind == "object" or (kind is None and "properties" in whole):
        properties = whole.get("properties")
        return part._replace(schema=_limit({**whole, "type": "object"})) if properties else None
    if kind is None:
        return None
    name = _name_value(schema, path, plural=kind == "array")
    inner = part.schema if kind != "array" else _limit_items(part.schema)
    return part._replace(schema={"type": "object", "properties": {name: inner}, "required": [name]})


def _pick_response(api: Api, operation: JSON) -> JSON:
    responses = operation.get("responses")
    if not isinstance(responses, dict):
        return {}
    codes = {str(code).upper(): response for code, response in responses.items()}
    good = [code for code in sorted(codes) if code.startswith("2")]
    for code in [*good, "DEFAULT"]:
        if code in codes:
            try:
                response = api.references.follow(codes[code])
            except CatalogError:
                return {}
            if code != "DEFAULT" or not good:
                return response
    return {}


def _name_value(schema: JSON, path: str, *, plural: bool) -> str:
    """Name a list, or a single value, by its schema's own name, else by the end of the path."""
    items = schema.get("items") if plural else schema
    reference = items.get("$ref") if isinstance(items, dict) else None
    named = reference.rsplit("/", 1)[-1] if isinstance(reference, str) else ""
    for suffix in SUFFIXES:
        named = named.removesuffix(suffix)
    named = named.rsplit(".", 1)[-1]
    if not named and not plural:
        return "result"
    steps = [step for step in path.split("/") if step and "{" not in step and "." not in step]
    words = split_words((named or (steps[-1] if steps else ""))[:100])
    words = words[:-1] if len(words) > 1 and words[-1] in ("dto", "model", "response", "list", "schema") else words
    if not words or len(words) > 4:
        return "items" if plural else "result"
    last = pluralise(words[-1]) if plural and named and not words[-1].endswith("s") else words[-1]
    return make_name("_".join((*words[:-1], last))) or "items"


def _limit(schema: JSON) -> JSON:
    properties = schema["properties"]
    if len(properties) <= _MOST_RETURNED:
        return schema
    kept = dict(list(properties.items())[:_MOST_RETURNED])
    return {**schema, "properties": kept, "required": [name for name in schema.get("required", ()) if name in kept]}


def _limit_items(schema: JSON) -> JSON:
    items = schema.get("items", {})
    return {**schema, "items": _limit(items)} if "properties" in items else schema
