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
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    for name, part in properties.items():
        if not isinstance(part, dict):
            continue
        path = f"{prefix}.{name}" if prefix else str(name)
        yield SchemaSlot(path, part)
        inner = part.get("items") if part.get("type") == "array" else part
        if isinstance(inner, dict):
            yield from iterate_slots(inner, path)


def schema_at(schema: JSON, path: str) -> JSON | None:
    """Return the schema of the slot at `path`, or None when there is none."""
    current = schema
    for name in path.split("."):
        if current.get("type") == "array" and isinstance(current.get("items"), dict):
            current = current["items"]
        properties = current.get("properties")
        if not isinstance(properties, dict) or not isinstance(properties.get(name), dict):
            return None
        current = properties[name]
    return current
