"""Schemas of OpenAPI documents as plain JSON Schema: references inlined, size bounded, valid by construction.

A schema is read to a depth: at depth 0 an object stands without its properties. What a schema comes to depends on the
depth and on nothing around it, so every schema of a document is read once for each depth and shared from then on, which
keeps documents with cycles (and with exponentially many paths) fast and small.
"""

from typing import Any

from toolflow_graph.catalog.keywords import DESCRIBED, describe, keep_examples, keep_keywords, read_types, to_nullable
from toolflow_graph.catalog.names import make_name
from toolflow_graph.catalog.openapi_merge import SchemaPart, merge_parts, unite_parts
from toolflow_graph.catalog.references import References
from toolflow_graph.types import JSON

__all__ = ["SchemaReader"]

_DEEPEST = 5
_NESTING = frozenset(("properties", "items", "additionalProperties", "allOf", "anyOf", "oneOf"))


class SchemaReader:
    """Reads the schemas of one document; keeps it alive, as what was read is found again by identity."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._parts: dict[tuple[int, int, bool], tuple[Any, SchemaPart | None]] = {}
        self._origins: dict[int, tuple[JSON, int]] = {}
        """By identity of a schema that was read: itself, and which schema of the document it was read from."""

    def read(self, schema: Any, *, sent: bool, most: int) -> SchemaPart:
        """Return the schema as deep as `most` slots allow, and at least one level of it.

        `sent` says whether it is part of a request (then what is read-only is left out) or of a response.
        """
        for depth in range(_DEEPEST, 1, -1):
            part = self._read(schema, depth, sent)
            if part.size <= most:
                pruned = self._prune(part.schema, sent, ())
                return part if pruned is part.schema else part._replace(schema=pruned or {}, cut=True)
        return self._read(schema, 1, sent)

    def _prune(self, schema: JSON, sent: bool, above: tuple[int, ...]) -> JSON | None:
        """Cut a schema where it stands inside of itself; returns None for what is cut, the schema if nothing is."""
        origin = self._origins.get(id(schema))
        if origin is not None:
            if origin[1] in above:
                return None
            above = (*above, origin[1])
        changed = self._prune_properties(schema, sent, above)
        for key in ("items", "additionalProperties"):
            if isinstance(inner := schema.get(key), dict):
                pruned = self._prune(inner, sent, above)
                if pruned is None:
                    return None
                if pruned is not inner:
                    changed[key] = pruned
        branches = schema.get("anyOf", ())
        kept = [self._prune(branch, sent, above) for branch in branches]
        if any(one is not other for one, other in zip(kept, branches, strict=True)):
            changed["anyOf"] = [branch or {"type": "object"} for branch in kept]
        return {**schema, **changed} if changed else schema

    def _prune_properties(self, schema: JSON, sent: bool, above: tuple[int, ...]) -> JSON:
        """Return the keywords that change: a property that is cut stays in a request as any object, else it goes."""
        properties = schema.get("properties", {})
        kept = {name: self._prune(part, sent, above) for name, part in properties.items()}
        if all(kept[name] is part for name, part in properties.items()):
            return {}
        left = {name: part or {"type": "object"} for name, part in kept.items() if sent or part is not None}
        needed = [name for name in schema.get("required", ()) if name in left]
        return {"properties": left, **({"required": needed} if "required" in schema else {})}

    def _read(self, schema: Any, depth: int, sent: bool) -> SchemaPart:
        if not isinstance(schema, dict):
            return SchemaPart({})
        said = schema
        if "$ref" in schema:
            target = self._references.find(schema["$ref"])
            if not isinstance(target, dict):
                return SchemaPart({}, missing=(str(schema["$ref"])[:200],))
            schema = target
        key = (id(schema), depth if _NESTING & schema.keys() else 0, sent)
        if key in self._parts:
            part = self._parts[key][1]
            if part is None:  # met again on the way down: a list of itself, say
                return SchemaPart({}, cut=True)
        else:
            self._parts[key] = (schema, None)
            try:
                part = self._convert(schema, depth, sent)
            except BaseException:
                del self._parts[key]
                raise
            self._parts[key] = (schema, part)
        if said is schema:
            return part
        if any(name in said for name in DESCRIBED):
            part = part._replace(schema={**part.schema, **describe(said), **keep_examples(said, part.schema)})
        self._origins[id(part.schema)] = (part.schema, id(schema))
        return part

    def _convert(self, schema: JSON, depth: int, sent: bool) -> SchemaPart:
        own = self._convert_plain(schema, depth, sent)
        parts = [self._read(part, depth, sent) for part in _list(schema, "allOf")]
        nullable = False
        for key in ("oneOf", "anyOf"):
            branches = _list(schema, key)
            kept = [branch for branch in branches if not _is_null(branch)]
            nullable = nullable or len(kept) < len(branches)
            if kept:
                parts.append(unite_parts([self._read(branch, depth, sent) for branch in kept]))
        if not parts:
            return own
        merged = self._require(schema, merge_parts([own, *parts]))
        if "type" not in own.schema and (nullable or schema.get("nullable") is True):
            merged = merged._replace(schema=to_nullable(merged.schema))
        if "examples" not in merged.schema or "default" not in merged.schema:
            merged = merged._replace(schema={**merged.schema, **keep_examples(schema, merged.schema)})
        return merged

    def _require(self, schema: JSON, merged: SchemaPart) -> SchemaPart:
        """Require what one part of an `allOf` demands and another one defines."""
        properties = merged.schema.get("properties", {})
        needed = dict.fromkeys(merged.schema.get("required", ()))
        for part in (schema, *_list(schema, "allOf")):
            target = self._references.find(part["$ref"]) if isinstance(part, dict) and "$ref" in part else part
            if isinstance(target, dict):
                named = (make_name(str(name)) for name in _list(target, "required"))
                needed |= dict.fromkeys(name for name in named if name in properties)
        if not needed:
            return merged
        return merged._replace(schema={**merged.schema, "required": list(needed)})

    def _convert_plain(self, schema: JSON, depth: int, sent: bool) -> SchemaPart:
        types, nullable = read_types(schema)
        converted = keep_keywords(schema, types)
        size, cut = 1, False
        missing: tuple[str, ...] = ()
        if types == ["object"]:
            inside = self._convert_properties(schema, depth, sent)
            converted |= inside.schema
            size, cut, missing = size + inside.size, inside.cut, inside.missing
        elif types == ["array"]:
            items = self._read(schema.get("items"), depth, sent)
            converted["items"] = {**items.schema, **converted["items"]} if "items" in converted else items.schema
            size, cut, missing = size + items.size - 1, items.cut, items.missing
        if nullable:
            converted = to_nullable(converted)
        return SchemaPart(converted, size, cut, missing)

    def _convert_properties(self, schema: JSON, depth: int, sent: bool) -> SchemaPart:
        written = schema.get("properties")
        if not isinstance(written, dict) or not written:
            return self._convert_values(schema, depth, sent)
        if depth == 0:
            return SchemaPart({}, 0, cut=True)
        hidden = "readOnly" if sent else "writeOnly"
        properties: JSON = {}
        size, cut = 0, False
        missing: tuple[str, ...] = ()
        required = schema.get("required")
        demanded = set(map(str, required)) if isinstance(required, list) else set()
        needed: list[str] = []
        for name, inner in written.items():
            if isinstance(inner, dict) and inner.get(hidden) is True:
                continue
            key = make_name(str(name)) or f"field_{len(properties) + 1}"
            if key in properties:
                continue
            part = self._read(inner, depth - 1, sent)
            if part.cut and part.size == 1 and not sent:  # an object of which nothing is left
                cut = True
                continue
            properties[key] = part.schema
            size, cut, missing = size + part.size, cut or part.cut, missing + part.missing
            if name in demanded:
                needed.append(key)
        converted: JSON = {"properties": properties}
        if needed:
            converted["required"] = needed
        return SchemaPart(converted, size, cut, missing[:8])

    def _convert_values(self, schema: JSON, depth: int, sent: bool) -> SchemaPart:
        """Read an object that maps any names to values of one kind."""
        values = schema.get("additionalProperties")
        if not isinstance(values, dict) or not values:
            return SchemaPart({}, 0)
        if depth == 0:
            return SchemaPart({}, 0, cut=True)
        part = self._read(values, depth - 1, sent)
        return part._replace(schema={"additionalProperties": part.schema})


def _list(schema: JSON, key: str) -> list[Any]:
    found = schema.get(key)
    return found if isinstance(found, list) else []


def _is_null(branch: Any) -> bool:
    return isinstance(branch, dict) and (branch.get("type") == "null" or branch.get("enum") == [None])
