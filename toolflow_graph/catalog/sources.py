"""Reads tools from any source: files and folders in every form that is known, MCP servers, Python functions."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolflow_graph.catalog.detect import Form, detect_form
from toolflow_graph.catalog.documents import find_files, read_document
from toolflow_graph.catalog.names import Names
from toolflow_graph.catalog.native import read_native
from toolflow_graph.catalog.reading import Catalog, Reading, Skipped
from toolflow_graph.errors import CatalogError
from toolflow_graph.resources import find_resource

if TYPE_CHECKING:
    from toolflow_graph.catalog.other_documents import OtherDocuments

__all__ = ["is_live", "load_catalog", "read_parsed", "read_source", "read_sources"]

_NO_TOOL = "nothing in it looks like a tool"
_LIVE = ("mcp", "python")
"""Prefixes of sources that are no files: `mcp:ADDRESS` is read by `read_tools(address)` of `catalog.mcp`, and so on."""


def load_catalog(source: Path | str | None = None) -> Catalog:
    """Read a catalog from any source; without one, the bundled one.

    A file is JSON, JSON Lines or YAML; its form (OpenAI tools, OpenAPI, ToolBench …) is told by its content. A folder
    is read with all that is in it. Tools of other forms that cannot be read are left out and listed in `skipped`.

    Raises `CatalogError`, naming file and tool, when anything in a file of OpenAI tools is not valid, or nothing at
    all could be read.
    """
    reading = Reading()
    read_into(reading, str(find_resource("tool_catalog") if source is None else source), Names(), strict=True)
    if not reading.tools:
        raise CatalogError(f"{str(source)!r} holds no tool{_first_reason(reading)}")
    return Catalog({tool.name: tool for tool in reading.tools}, reading.domains, tuple(reading.skipped))


def read_source(source: Path | str, *, allow_remote_refs: bool = False) -> Reading:
    """Read all tools of a source that can be read; the rest, files too, is skipped with the reason.

    With `allow_remote_refs`, documents that an OpenAPI document refers to are read too: files below its folder, and
    what HTTP servers hand out.

    Raises `CatalogError` when there is no such source.
    """
    return read_sources([source], allow_remote_refs=allow_remote_refs)


def read_sources(sources: list[Path | str] | list[str], *, allow_remote_refs: bool = False) -> Reading:
    """Read several sources as one: tools of the same name are told apart."""
    reading, names = Reading(), Names()
    others = _find_others(sources) if allow_remote_refs else None
    for source in sources:
        read_into(reading, str(source), names, strict=False, others=others)
    if others is not None:
        reading.notes["other documents read"] += len(others)
        parts = {skipped for skipped in reading.skipped if skipped.reason == _NO_TOOL and _is_part(skipped, others)}
        reading.skipped = [skipped for skipped in reading.skipped if skipped not in parts]
        for address, reason in others.failed.items():
            reading.skip(address, "", reason)
    return reading


def _find_others(sources: list[Path | str] | list[str]) -> "OtherDocuments":
    from toolflow_graph.catalog.other_documents import OtherDocuments  # noqa: PLC0415 - rarely wanted

    paths = [Path(source) for source in sources if not is_live(source)]
    return OtherDocuments(path if path.is_dir() else path.parent for path in paths)


def _is_part(skipped: Skipped, others: "OtherDocuments") -> bool:
    return str(Path(skipped.where).resolve()) in others.files


def is_live(source: Path | str) -> bool:
    """Say whether a source is no file but something that runs, such as an MCP server."""
    prefix, colon, _ = str(source).partition(":")
    return bool(colon) and prefix in _LIVE


def read_into(
    reading: Reading, source: str, names: Names, *, strict: bool, others: "OtherDocuments | None" = None
) -> None:
    """Add the tools of one source to a reading; `names` are those given so far."""
    if is_live(source):
        try:
            _read_live(source, names, reading)
        except CatalogError as exc:
            if strict:
                raise
            reading.skip(source, "", str(exc).removeprefix(f"{source}: "))
        return
    for path in find_files(Path(source)):
        try:
            _read_file(path, names, reading, strict=strict, others=others)
        except CatalogError as exc:
            if strict:
                raise
            reading.skip(str(path), "", str(exc).removeprefix(f"{path}: "))


def _read_live(source: str, names: Names, reading: Reading) -> None:
    prefix, _, address = source.partition(":")
    read_tools: Callable[[str], Reading] = import_module(f"toolflow_graph.catalog.{prefix}").read_tools
    found = read_tools(address)
    for tool in found.tools:
        reading.add(tool.model_copy(update={"name": names.give(tool.name, tool.domain)}))
    reading.skipped += found.skipped
    reading.forms[prefix] += 1
    reading.notes.update(found.notes)


def _read_file(path: Path, names: Names, reading: Reading, *, strict: bool, others: "OtherDocuments | None") -> None:
    read_parsed(read_document(path), path, names, reading, strict=strict, others=others)


def read_parsed(
    document: Any,
    path: Path,
    names: Names,
    reading: Reading,
    *,
    strict: bool = False,
    others: "OtherDocuments | None" = None,
) -> None:
    """Add the tools of a document that was read from a file already to a reading.

    Raises `CatalogError` when nothing in it looks like a tool or, if it is `strict`, anything in it is not valid.
    """
    form = detect_form(document)
    if form is None and not strict:
        raise CatalogError(_NO_TOOL)
    read = _READERS[form or "openai"]
    if others is not None and form in ("openapi", "swagger"):
        read = partial(_read_openapi, others=others)
    try:
        read(document, path, names, reading, strict)
    except RecursionError as exc:
        raise CatalogError(f"{path}: nested too deeply to be a tool catalog") from exc
    reading.forms[form or "openai"] += 1


def _read_openapi(
    document: Any, path: Path, names: Names, reading: Reading, _strict: bool, others: "OtherDocuments | None" = None
) -> None:
    from toolflow_graph.catalog.openapi import read_openapi  # noqa: PLC0415 - most catalogs are native

    read_openapi(document, str(path), path.stem, names, reading, others)


def _read_toolbench(document: Any, path: Path, names: Names, reading: Reading, _strict: bool) -> None:
    from toolflow_graph.catalog.toolbench import read_toolbench  # noqa: PLC0415

    read_toolbench(document, path, names, reading)


def _read_functions(document: Any, path: Path, names: Names, reading: Reading, _strict: bool) -> None:
    from toolflow_graph.catalog.function_lists import read_functions  # noqa: PLC0415

    read_functions(document, path, names, reading)


def _read_native(document: Any, path: Path, names: Names, reading: Reading, strict: bool) -> None:
    read_native(document, path, names, reading, strict=strict)


_READERS: dict[Form, Callable[[Any, Path, Names, Reading, bool], None]] = {
    "openai": _read_native,
    "openapi": _read_openapi,
    "swagger": _read_openapi,
    "toolbench": _read_toolbench,
    "bfcl": _read_functions,
    "xlam": _read_functions,
    "dialogues": _read_functions,
}


def _first_reason(reading: Reading) -> str:
    if not reading.skipped:
        return ""
    first = reading.skipped[0]
    return f" that can be read; {first.name or first.where!r}: {first.reason}"
