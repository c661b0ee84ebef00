"""Reads tools in OpenAI function-calling JSON, the native form, from a file or a folder of files."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import ValidationError

from toolflow_graph.catalog.infer import infer_returns
from toolflow_graph.catalog.normalise import normalise_schema
from toolflow_graph.errors import CatalogError, FrameError
from toolflow_graph.frames import parse_frame
from toolflow_graph.resources import find_resource
from toolflow_graph.types import JSON, Phrasings, Tool

__all__ = ["Catalog", "DomainSpeech", "load_catalog"]


@dataclass(frozen=True)
class DomainSpeech:
    """What people say around the tools of one domain; all lists may be empty."""

    title: str = ""
    neighbours: tuple[str, ...] = ()
    openers: tuple[str, ...] = ()
    small_talk: tuple[tuple[str, str], ...] = ()
    general_questions: tuple[tuple[str, str], ...] = ()
    closings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Catalog:
    """Tools by name, in the order of their files, and the speech of their domains."""

    tools: dict[str, Tool]
    domains: dict[str, DomainSpeech] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tools)


def load_catalog(source: Path | str | None = None) -> Catalog:
    """Read a catalog from a JSON or JSON Lines file or a folder of them; without a source, the bundled one.

    Raises `CatalogError`, naming the file and the tool, when anything in it is not valid.
    """
    root = find_resource("tool_catalog") if source is None else Path(source)
    if not root.exists():
        raise CatalogError(f"{str(root)!r} does not exist; give a JSON file of tools or a folder of such files")
    files = sorted(p for p in root.rglob("*") if p.suffix in (".json", ".jsonl")) if root.is_dir() else [root]
    if not files:
        raise CatalogError(f"no .json or .jsonl file in {str(root)!r}; give a file or folder with OpenAI-format tools")
    tools: dict[str, Tool] = {}
    domains: dict[str, DomainSpeech] = {}
    for path in files:
        for tool in _read_file(path, domains):
            if tool.name in tools:
                other = tools[tool.name].source
                raise CatalogError(f"{path}: tool {tool.name!r} is already defined in {other}; rename one of the two")
            tools[tool.name] = tool
    if not tools:
        raise CatalogError(f"{str(root)!r} holds no tool")
    return Catalog(tools, domains)


def _read_file(path: Path, domains: dict[str, DomainSpeech]) -> list[Tool]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CatalogError(f"{path}: cannot be read as UTF-8 text: {exc}") from exc
    try:
        document = _parse(path, text)
    except RecursionError as exc:
        raise CatalogError(f"{path}: nested too deeply to be a tool catalog") from exc
    domain = path.stem
    if isinstance(document, dict) and "tools" in document:
        domain = str(document.get("domain", domain))
        domains[domain] = _read_speech(path, document)
        document = document["tools"]
    entries = document if isinstance(document, list) else [document]
    return [_read_tool(path, number, entry, domain) for number, entry in enumerate(entries, 1)]


def _parse(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].lstrip().startswith("{") or not lines[0].rstrip().endswith("}"):
            raise CatalogError(f"{path}: not JSON: {whole}") from whole
        parsed = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    parsed.append(json.loads(line))
                except ValueError as exc:
                    raise CatalogError(f"{path}, line {number}: not JSON: {exc}") from exc
        return parsed


def _read_speech(path: Path, document: JSON) -> DomainSpeech:
    try:
        return DomainSpeech(
            title=str(document.get("title", "")),
            neighbours=tuple(document.get("neighbours", ())),
            openers=tuple(document.get("openers", ())),
            small_talk=_pairs(document, "small_talk"),
            general_questions=_pairs(document, "general_questions"),
            closings=_pairs(document, "closings"),
        )
    except (TypeError, ValueError) as exc:
        raise CatalogError(f"{path}: openers are sentences, small_talk and the like pairs of two: {exc}") from exc


def _pairs(document: JSON, key: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(user), str(assistant)) for user, assistant in document.get(key, ()))


def _read_tool(path: Path, number: int, entry: object, domain: str) -> Tool:
    if not isinstance(entry, dict):
        raise CatalogError(f"{path}: entry {number} is not an object; a tool looks like {{'name': …, 'parameters': …}}")
    function = entry["function"] if isinstance(entry.get("function"), dict) else entry
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise CatalogError(f"{path}: entry {number} has no 'name'; every tool needs one")
    where = f"{path}: tool {name!r}"
    parameters = _read_schema(where, "parameters", function.get("parameters"))
    inferred: list[str] = []
    returns = entry.get("returns", function.get("returns"))
    description = str(function.get("description") or "").strip()
    if returns is None:
        returns = infer_returns(name, description, parameters)
        inferred.append("returns")
    returns = _read_schema(where, "returns", returns)
    if not description:
        description = name.replace("_", " ").replace("-", " ").strip().capitalize() + "."
        inferred.append("description")
    try:
        phrasings = Phrasings.model_validate(entry["phrasings"]) if "phrasings" in entry else None
        tool = Tool.model_validate(
            {
                "name": name,
                "description": description,
                "parameters": parameters,
                "returns": returns,
                "domain": str(entry.get("domain", domain)),
                "source": str(path),
                "inferred": tuple(inferred),
                "phrasings": phrasings,
            }
        )
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{where}: {place}: {first['msg']}") from exc
    if phrasings is not None:
        _check_phrasings(where, phrasings)
    return tool


def _read_schema(where: str, key: str, schema: object) -> JSON:
    if schema is None:
        schema = {"type": "object", "properties": {}}
    if not isinstance(schema, dict):
        raise CatalogError(f"{where}: {key!r} is not a JSON Schema object")
    normal = normalise_schema(schema)
    try:
        Draft202012Validator.check_schema(normal)
    except SchemaError as exc:
        raise CatalogError(f"{where}: {key!r} is not a valid JSON Schema at {exc.json_path}: {exc.message}") from exc
    if normal.get("type", "object") != "object":
        raise CatalogError(f"{where}: {key!r} must describe an object, not {normal['type']!r}")
    missing = [n for n in normal.get("required", []) if n not in normal.get("properties", {})]
    if missing:
        raise CatalogError(f"{where}: {key!r} requires {missing[0]!r}, which it does not define")
    return normal


def _check_phrasings(where: str, phrasings: Phrasings) -> None:
    sources = [*phrasings.requests, *phrasings.answers, *phrasings.items, *phrasings.picks]
    sources += [s for group in (phrasings.asks, phrasings.changes) for many in group.values() for s in many]
    sources += [s for error in phrasings.errors for s in (error.message, *error.told)]
    try:
        for source in sources:
            parse_frame(source)
    except FrameError as exc:
        raise CatalogError(f"{where}: {exc}") from exc
