"""Slots: the parameters and return values of a tool, each at a path of its schema."""

from collections.abc import Iterator
from dataclasses import dataclass

from toolflow_graph.types import JSON

__all__ = ["SchemaSlot", "iterate_slots", "schema_at"]


@dataclass(frozen=True)
class SchemaSlot:
    """One property of a JSON Schema: `path` goes through objects with dots, and through lists of objects too."""

    path: str
    schema: JSON

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit(".", 1)[-1]

    @property
    def text(self) -> str:
        """The slot as the paper writes it, `{Name}: {Description}`."""
        return f"{self.name}: {self.schema.get('description', '')}"


def iterate_slots(schema: JSON, prefix: str = "") -> Iterator[SchemaSlot]:
    """Yield every property of an object schema, depth first, those of nested objects and of list items included."""
    for name, part in _properties(schema).items():
        if isinstance(part, dict):
            path = f"{prefix}.{name}" if prefix else str(name)
            yield SchemaSlot(path, part)
            yield from iterate_slots(part, path)


def schema_at(schema: JSON, path: str) -> JSON | None:
    """Return the schema of the slot at `path`, or None when there is none."""
    current = schema
    for name in path.split("."):
        part = _properties(current).get(name)
        if not isinstance(part, dict):
            return None
        current = part
    return current


def _properties(schema: JSON) -> JSON:
    """Return the properties of an object, of the items of a list, or of the first branch of a union that has any."""
    properties = schema.get("properties")
    if isinstance(properties, dict):
        return properties
    inner = [schema.get("items"), *schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    return next((found for part in inner if isinstance(part, dict) and (found := _properties(part))), {})
