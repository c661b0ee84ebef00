"""Schemas of example answers, and of templates that stand for one (`{"id": "int", "rows": [{"name": "str"}]}`)."""

import re
from typing import Any

from toolflow_graph.catalog.names import make_name
from toolflow_graph.types import JSON

__all__ = ["infer_schema"]

_DEEPEST = 5
_MOST = 60
_TEMPLATE = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "empty": "", "NoneType": ""}
_FORMATS = (
    ("date", re.compile(r"\d{4}-\d{2}-\d{2}")),
    ("date-time", re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[-+]\d{2}:?\d{2})?")),
    ("uri", re.compile(r"https?://\S+")),
)


def infer_schema(example: Any, depth: int = _DEEPEST) -> JSON:
    """Return a JSON Schema that the example fits; of a list the first element counts."""
    if isinstance(example, dict):
        parts = {} if depth == 0 else dict(list(example.items())[:_MOST])
        properties = {
            make_name(str(name)): infer_schema(part, depth - 1)
            for name, part in parts.items()
            if make_name(str(name)) and name != "_list_length"
        }
        return {"type": "object", "properties": properties} if properties else {"type": "object"}
    if isinstance(example, list):
        return {"type": "array", "items": infer_schema(example[0], depth - 1) if example and depth > 0 else {}}
    if isinstance(example, bool):
        return {"type": "boolean"}
    if isinstance(example, int | float):
        return {"type": "integer" if isinstance(example, int) else "number"}
    if not isinstance(example, str):
        return {}
    if example in _TEMPLATE:
        return {"type": _TEMPLATE[example]} if _TEMPLATE[example] else {}
    format_ = next((name for name, form in _FORMATS if form.fullmatch(example)), None)
    return {"type": "string", "format": format_} if format_ else {"type": "string"}
