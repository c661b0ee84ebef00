"""Reads tools in OpenAI function-calling JSON, the native form."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import ValidationError

from toolflow_graph.catalog.functions import make_tool
from toolflow_graph.catalog.names import Names
from toolflow_graph.catalog.normalise import inline_references, normalise_schema
from toolflow_graph.catalog.reading import DomainSpeech, Reading
from toolflow_graph.catalog.slots import iterate_slots
from toolflow_graph.catalog.texts import drop_controls
from toolflow_graph.errors import CatalogError, FrameError
from toolflow_graph.frames import parse_frame
from toolflow_graph.types import JSON, Annotations, Phrasings, Tool

__all__ = ["build_tool", "read_function", "read_native"]

_PARAMETERS = ("parameters", "input_schema", "inputSchema")  # the others are Anthropic's word and MCP's
_RETURNS = ("returns", "response", "outputSchema")  # the others are BFCL's word and MCP's
_MOST_PARAMETERS = 500


def read_native(document: Any, path: Path, names: Names, reading: Reading, *, strict: bool) -> None:
    """Add the tools of a document to a reading.

    A tool may stand as `{"type": "function", "function": {…}}` (chat completions) or flat (responses API, BFCL). What
    chat models do not accept in a name, such as a dot, becomes an underscore, as BFCL itself does it.

    Raises `CatalogError`, naming the file and the tool, when anything in it is not valid; unless it is `strict`, a
    tool that is not valid is skipped instead, and a second tool of the same name gets another one.
    """
    domain = path.stem
    if isinstance(document, dict) and "tools" in document:
        domain = str(document.get("domain", domain))
        speech = _read_speech(path, document)
        if speech != DomainSpeech() or domain not in reading.domains:
            reading.domains[domain] = speech
        document = document["tools"]
        if not isinstance(document, list):
            raise CatalogError(f"{path}: 'tools' is not a list; a catalog looks like {{'tools': [{{'name': …}}, …]}}")
    entries = document if isinstance(document, list) else [document]
    for number, entry in enumerate(entries, 1):
        try:
            tool = read_function(path, number, entry, domain)
        except CatalogError as exc:
            if strict:
                raise
            reading.skip(str(path), label_entry(entry, number), strip_place(str(exc), path, entry))
        else:
            add_tool(tool, names, reading, strict=strict)


def add_tool(tool: Tool, names: Names, reading: Reading, *, strict: bool = False) -> None:
    """Add a tool to a reading; one that is there already is counted, one with a name that is taken gets another.

    Raises `CatalogError` for a name that is taken when it is `strict`.
    """
    other = reading.find(tool.name)
    if other is not None:
        if strict:
            raise CatalogError(
                f"{tool.source}: tool {tool.name!r} is already defined in {other.source}; rename one of the two"
            )
        if (tool.description, tool.parameters) == (other.description, other.parameters):
            reading.notes["tools that were there already"] += 1
            return
    reading.add(tool.model_copy(update={"name": names.give(tool.name, tool.domain)}))


def label_entry(entry: object, number: int) -> str:
    """Return what to call an entry that could not be read: its name, else its place."""
    name = _function(entry).get("name")
    return drop_controls(name)[:100] if isinstance(name, str) and name else f"entry {number}"


def strip_place(message: str, path: Path, entry: object) -> str:
    """Return an error's message without the file and the tool, which stand beside it, as one line."""
    message = message.removeprefix(f"{path}: ").removeprefix(f"tool {_function(entry).get('name')!r}: ")
    return " ".join(message.split())[:300]


def _function(entry: object) -> JSON:
    if not isinstance(entry, dict):
        return {}
    return entry["function"] if isinstance(entry.get("function"), dict) else entry


def _read_speech(path: Path, document: JSON) -> DomainSpeech:
    try:
        return DomainSpeech.model_validate({key: document[key] for key in DomainSpeech.model_fields if key in document})
    except ValidationError as exc:
        place = ".".join(str(part) for part in exc.errors()[0]["loc"])
        raise CatalogError(
            f"{path}: {place}: {exc.errors()[0]['msg']}; openers are sentences, small_talk and the like pairs of two"
        ) from exc


def read_function(path: Path, number: int, entry: object, domain: str) -> Tool:
    """Return the tool of one entry, `number` in its file; raises `CatalogError` when it is not valid."""
    if not isinstance(entry, dict):
        raise CatalogError(f"{path}: entry {number} is not an object; a tool looks like {{'name': …, 'parameters': …}}")
    function = _function(entry)
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise CatalogError(f"{path}: entry {number} has no 'name'; every tool needs one")
    where = f"{path}: tool {name!r}"
    try:
        return build_tool(where, str(path), entry, function, domain)
    except RecursionError as exc:
        raise CatalogError(f"{where}: nested too deeply") from exc


def build_tool(where: str, source: str, entry: JSON, function: JSON, domain: str) -> Tool:
    """Return the tool of an entry, whose `function` has a name; `where` begins the `CatalogError` for what is wrong."""
    written = next((part[key] for key in _PARAMETERS for part in (function, entry) if part.get(key) is not None), None)
    parameters = _read_schema(where, "parameters", written)
    returned = next((part[key] for part in (entry, function) for key in _RETURNS if part.get(key) is not None), None)
    try:
        phrasings = Phrasings.model_validate(entry["phrasings"]) if "phrasings" in entry else None
        tool = make_tool(
            name=_valid_name(function["name"]),
            description=drop_controls(str(function.get("description") or "")).strip(),
            parameters=parameters,
            returns=None if returned is None else _read_schema(where, "returns", returned),
            domain=str(entry.get("domain", domain)),
            source=source,
            phrasings=phrasings,
            provider=str(entry.get("provider") or ""),
            annotations=_read_annotations(entry.get("annotations")),
            runs=str(entry.get("runs") or ""),
        )
        if marked := entry.get("inferred"):
            tool = Tool.model_validate({**dict(tool), "inferred": tuple(dict.fromkeys([*tool.inferred, *marked]))})
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{where}: {place}: {first['msg']}") from exc
    except TypeError as exc:
        raise CatalogError(f"{where}: 'inferred' is not a list of names") from exc
    _check_phrasings(where, tool)
    return tool


def _read_annotations(written: object) -> Annotations:
    """Read annotations in the native form, or the hints of MCP; what is neither says nothing."""
    if not isinstance(written, dict):
        return Annotations()
    hints = {"readOnlyHint": "read_only", "destructiveHint": "destructive", "idempotentHint": "idempotent"}
    known = {hints.get(key, key): value for key, value in written.items() if isinstance(value, bool)}
    return Annotations(**{key: value for key, value in known.items() if key in Annotations.model_fields})


def _valid_name(name: str) -> str:
    """Bring a name such as `math.factorial` into the form that chat models accept, character by character."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64]


def _read_schema(where: str, key: str, schema: object) -> JSON:
    if schema is None:
        schema = {"type": "object", "properties": {}}
    if not isinstance(schema, dict):
        raise CatalogError(f"{where}: {key!r} is not a JSON Schema object")
    properties = schema.get("properties")
    if isinstance(properties, dict) and len(properties) > _MOST_PARAMETERS:
        raise CatalogError(
            f"{where}: {key!r} has {len(properties):,} properties, more than the {_MOST_PARAMETERS} that are read"
        )
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
