"""Reads tools in OpenAI function-calling JSON, the native form, from a file or a folder of files."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import ValidationError

from toolflow_graph.catalog.infer import infer_returns
from toolflow_graph.catalog.normalise import inline_references, normalise_schema
from toolflow_graph.catalog.slots import iterate_slots
from toolflow_graph.errors import CatalogError, FrameError
from toolflow_graph.frames import parse_frame
from toolflow_graph.resources import find_resource
from toolflow_graph.types import JSON, Phrasings, Record, Tool

__all__ = ["Catalog", "DomainSpeech", "load_catalog"]

_RETURNS = ("returns", "response")  # the second is BFCL's word


class DomainSpeech(Record):
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

    A tool may stand as `{"type": "function", "function": {…}}` (chat completions) or flat (responses API, BFCL). What
    chat models do not accept in a name, such as a dot, becomes an underscore, as BFCL itself does it.

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
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise CatalogError(f"{path}: cannot be read as UTF-8 text: {exc}") from exc
    try:
        return _read_document(path, _parse(path, text), domains)
    except RecursionError as exc:
        raise CatalogError(f"{path}: nested too deeply to be a tool catalog") from exc


def _read_document(path: Path, document: Any, domains: dict[str, DomainSpeech]) -> list[Tool]:
    domain = path.stem
    if isinstance(document, dict) and "tools" in document:
        domain = str(document.get("domain", domain))
        speech = _read_speech(path, document)
        if speech != DomainSpeech() or domain not in domains:
            domains[domain] = speech
        document = document["tools"]
        if not isinstance(document, list):
            raise CatalogError(f"{path}: 'tools' is not a list; a catalog looks like {{'tools': [{{'name': …}}, …]}}")
    entries = document if isinstance(document, list) else [document]
    return [_read_tool(path, number, entry, domain) for number, entry in enumerate(entries, 1)]


def _parse(path: Path, text: str) -> Any:
    try:
        return _load_json(text)
    except ValueError as whole:
        lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) < 2 or not (lines[0][1].startswith("{") and lines[0][1].endswith("}")):
            raise CatalogError(f"{path}: not JSON: {whole}") from whole
        return [_parse_line(path, number, line) for number, line in lines]


def _parse_line(path: Path, number: int, line: str) -> Any:
    try:
        return _load_json(line)
    except ValueError as exc:
        raise CatalogError(f"{path}, line {number}: not JSON: {exc}") from exc


def _load_json(text: str) -> Any:
    """Parse strictly: no NaN, and no half of a surrogate pair, which could not be written to a data set later."""
    parsed = json.loads(text, parse_constant=_refuse_constant)
    if "\\ud" in text.lower():
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _read_speech(path: Path, document: JSON) -> DomainSpeech:
    try:
        return DomainSpeech.model_validate({key: document[key] for key in DomainSpeech.model_fields if key in document})
    except ValidationError as exc:
        place = ".".join(str(part) for part in exc.errors()[0]["loc"])
        raise CatalogError(
            f"{path}: {place}: {exc.errors()[0]['msg']}; openers are sentences, small_talk and the like pairs of two"
        ) from exc


def _read_tool(path: Path, number: int, entry: object, domain: str) -> Tool:
    if not isinstance(entry, dict):
        raise CatalogError(f"{path}: entry {number} is not an object; a tool looks like {{'name': …, 'parameters': …}}")
    function = entry["function"] if isinstance(entry.get("function"), dict) else entry
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise CatalogError(f"{path}: entry {number} has no 'name'; every tool needs one")
    where = f"{path}: tool {name!r}"
    name = _valid_name(name)
    parameters = _read_schema(where, "parameters", function.get("parameters"))
    inferred: list[str] = []
    returns = next((part[key] for part in (entry, function) for key in _RETURNS if part.get(key) is not None), None)
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
    _check_phrasings(where, tool)
    return tool


def _valid_name(name: str) -> str:
    """Bring a name such as `math.factorial` into the form that chat models accept."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64]


def _read_schema(where: str, key: str, schema: object) -> JSON:
    if schema is None:
        schema = {"type": "object", "properties": {}}
    if not isinstance(schema, dict):
        raise CatalogError(f"{where}: {key!r} is not a JSON Schema object")
    try:
        normal = normalise_schema(inline_references(schema))
    except ValueError as exc:
        raise CatalogError(f"{where}: {key!r}: {exc}") from exc
    try:
        Draft202012Validator.check_schema(normal)
    except SchemaError as exc:
        raise CatalogError(f"{where}: {key!r} is not a valid JSON Schema at {exc.json_path}: {exc.message}") from exc
    if normal.setdefault("type", "object") != "object":
        raise CatalogError(f"{where}: {key!r} must describe an object, not {normal['type']!r}")
    normal.setdefault("properties", {})
    missing = [n for n in normal.get("required", []) if n not in normal["properties"]]
    if missing:
        raise CatalogError(f"{where}: {key!r} requires {missing[0]!r}, which it does not define")
    return normal


def _check_phrasings(where: str, tool: Tool) -> None:
    """Refuse frames that are not well-formed, or that name a slot which they can never fill."""
    phrasings = tool.phrasings
    if phrasings is None:
        return
    taken = {slot.path for slot in iterate_slots(tool.parameters)}
    returned = {slot.path for slot in iterate_slots(tool.returns)}
    inside = {path.partition(".")[2] for path in returned}
    _check_frames(where, "requests", phrasings.requests, taken)
    _check_frames(where, "answers", phrasings.answers, {*taken, *returned, "count", "list"})
    _check_frames(where, "items", phrasings.items, taken | inside)
    _check_frames(where, "picks", phrasings.picks, inside)
    for key, groups in (("asks", phrasings.asks), ("changes", phrasings.changes)):
        for parameter, frames in groups.items():
            _check_parameter(where, key, parameter, taken)
            _check_frames(where, key, frames, taken)
    for error in phrasings.errors:
        _check_frames(where, "errors", (error.message, *error.told), taken)
        if error.about is not None:
            _check_parameter(where, "errors", error.about, taken)


def _check_frames(where: str, key: str, frames: Iterable[str], known: set[str]) -> None:
    for frame in frames:
        try:
            unknown = parse_frame(frame).paths - known
        except FrameError as exc:
            raise CatalogError(f"{where}: {key}: {exc}") from exc
        if unknown:
            raise CatalogError(f"{where}: {key}: frame {frame!r} names the unknown slot {min(unknown)!r}")


def _check_parameter(where: str, key: str, parameter: str, known: set[str]) -> None:
    if parameter not in known:
        raise CatalogError(f"{where}: {key}: there is no parameter {parameter!r}")
