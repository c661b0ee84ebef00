"""Reads function lists of data sets and benchmarks: BFCL, xLAM, ToolACE, and rows of dialogues that carry their tools.

An xLAM function has no JSON Schema: {"name": …, "parameters": {"city": {"type": "str, optional", "description": …}}}.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolflow_graph.catalog.detect import is_plain_mapping
from toolflow_graph.catalog.documents import parse_json
from toolflow_graph.catalog.keywords import fits
from toolflow_graph.catalog.names import Names
from toolflow_graph.catalog.native import add_tool, label_entry, read_function, strip_place
from toolflow_graph.catalog.reading import Reading
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON

__all__ = ["read_functions"]

_DEEPEST = 6
_SCALARS = {
    **dict.fromkeys(("str", "string", "text", "date", "datetime", "bytes"), "string"),
    **dict.fromkeys(("int", "integer", "long"), "integer"),
    **dict.fromkeys(("float", "double", "number", "decimal", "complex"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("dict", "object", "mapping"), "object"),
    **dict.fromkeys(("list", "array", "set", "tuple", "sequence", "iterable", "frozenset"), "array"),
}


def read_functions(document: Any, path: Path, names: Names, reading: Reading) -> None:
    """Add the functions of a document to a reading; one that is not valid is skipped with the reason."""
    seen: set[str] = set()
    for number, entry in enumerate(_list_functions(document, path, reading), 1):
        key = json.dumps(entry, sort_keys=True, default=str)
        if key in seen:
            continue
        seen.add(key)
        try:
            tool = read_function(path, number, _complete(entry), path.stem)
        except (CatalogError, RecursionError) as exc:
            reason = strip_place(str(exc), path, entry) if isinstance(exc, CatalogError) else "nested too deeply"
            reading.skip(str(path), label_entry(entry, number), reason)
        else:
            add_tool(tool, names, reading)


def _list_functions(document: Any, path: Path, reading: Reading) -> Iterator[Any]:
    for number, row in enumerate(document if isinstance(document, list) else [document], 1):
        if not isinstance(row, dict):
            reading.skip(str(path), f"entry {number}", "not an object")
            continue
        try:
            yield from _list_row(row)
        except (ValueError, RecursionError) as exc:
            reading.skip(str(path), f"row {number}", f"its tools cannot be read: {exc}")


def _list_row(row: JSON) -> list[Any]:
    """Return the functions of a row: its tools as a list, as JSON in a string, or in its system message."""
    carried = row["tools"] if "tools" in row else row.get("function")
    if carried is None and "system" in row and "name" not in row:
        found = re.search(r"\[\s*\{", str(row["system"]))
        carried = [] if found is None else json.JSONDecoder().raw_decode(str(row["system"])[found.start() :])[0]
    if isinstance(carried, str):
        carried = parse_json(carried)
    if isinstance(carried, list):
        return carried
    return [carried] if isinstance(carried, dict) and "tools" in row else [row]


def _complete(entry: Any) -> Any:
    """Return the entry with a JSON Schema where it has only a mapping from names to descriptions."""
    if not isinstance(entry, dict):
        return entry
    function = entry["function"] if isinstance(entry.get("function"), dict) else entry
    parameters = function.get("parameters")
    if not isinstance(parameters, dict) or not is_plain_mapping(parameters):
        return entry
    properties: JSON = {}
    required = []
    for name, part in parameters.items():
        properties[name] = _read_parameter(part)
        written = str(part.get("type", ""))
        optional = (
            "optional" in written.lower() or part.get("required") is False or part.get("default") not in (None, "")
        )
        if not optional:
            required.append(name)
    schema = {"type": "object", "properties": properties, "required": required}
    return {**entry, "function": {**function, "parameters": schema}}


def _read_parameter(part: JSON) -> JSON:
    schema = _read_type(re.sub(r",?\s*\boptional\b\s*$", "", str(part.get("type", "")), flags=re.IGNORECASE))
    if description := part.get("description"):
        schema["description"] = str(description)
    if isinstance(part.get("enum"), list):
        schema["enum"] = part["enum"]
    if fits(part.get("default"), schema):
        schema["default"] = part["default"]
    return schema


def _read_type(written: str, depth: int = 0) -> JSON:
    """Return the schema of a type in Python's notation: `List[Dict[str, int]]`, `Optional[str]`, `Union[int, str]`."""
    match = re.fullmatch(r"\s*(?:typing\.)?(\w+)\s*(?:[\[(](.*)[\])])?\s*", written[:500], re.DOTALL)
    if match is None or depth > _DEEPEST:
        parts = _split(written[:500], "|")
        return _read_type(parts[0], depth + 1) if len(parts) > 1 and depth <= _DEEPEST else {}
    outer = match[1].lower()
    inner = _split(match[2], ",") if match[2] else []
    if outer == "optional":
        return _read_type(inner[0], depth + 1) if inner else {}
    if outer == "union":
        kinds = [_read_type(part, depth + 1) for part in inner if part.strip().lower() != "none"]
        return kinds[0] if len(kinds) == 1 else ({"anyOf": kinds} if kinds and all(kinds) else {})
    if outer == "literal":
        return {"type": "string", "enum": [part.strip(" '\"") for part in inner]} if inner else {}
    kind = _SCALARS.get(outer)
    if kind is None:
        return {}
    schema: JSON = {"type": kind}
    if kind == "array":
        items = [_read_type(part, depth + 1) for part in inner if part.strip() not in ("", "...")]
        schema["items"] = items[0] if items else {}
    elif kind == "object" and len(inner) == 2 and (values := _read_type(inner[1], depth + 1)):
        schema["additionalProperties"] = values
    return schema


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[(") - (character in "])")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
