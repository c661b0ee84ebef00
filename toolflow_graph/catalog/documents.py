"""Reads a file of JSON, JSON Lines or YAML, whatever its name ends with, in bounded time and memory."""

import json
from pathlib import Path
from typing import Any

from toolflow_graph.errors import CatalogError

__all__ = ["SUFFIXES", "find_files", "parse_document", "parse_json", "read_document"]

SUFFIXES = (".json", ".jsonl", ".yaml", ".yml")
"""What files of a folder are looked at."""

_LARGEST_JSON = 256 * 2**20
_LARGEST_YAML = 32 * 2**20
"""Bytes; YAML takes some fifty times as long to read."""


def find_files(source: Path) -> list[Path]:
    """Return the file itself, or the files of a folder in order; raises `CatalogError` when there is none."""
    if not source.exists():
        raise CatalogError(f"{str(source)!r} does not exist; give a file of tools or a folder of such files")
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise CatalogError(f"{str(source)!r} is neither a file nor a folder")
    files = sorted(path for path in source.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    if not files:
        raise CatalogError(
            f"no .json or .jsonl file in {str(source)!r}, and no .yaml; give a file or folder with tools"
        )
    return files


def read_document(path: Path) -> Any:
    """Return the content of a file as plain JSON values; that of JSON Lines is a list.

    Raises `CatalogError`, naming the file, when it cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > _LARGEST_JSON:
            raise CatalogError(f"{path}: {size / 2**20:,.0f} MiB are more than the {_LARGEST_JSON >> 20} that are read")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise CatalogError(f"{path}: cannot be read as UTF-8 text: {exc}") from exc
    return parse_document(str(path), path.suffix, text)


def parse_document(where: str, suffix: str, text: str) -> Any:
    """Return what a text says as plain JSON values; raises `CatalogError`, naming `where`, when it says nothing."""
    try:
        return _parse(where, suffix, text)
    except RecursionError as exc:
        raise CatalogError(f"{where}: nested too deeply to be a tool catalog") from exc


def _parse(where: str, suffix: str, text: str) -> Any:
    begins = text[:200].lstrip()[:1]
    named_yaml = suffix in (".yaml", ".yml")
    if begins not in ("{", "[") and (named_yaml or (begins and suffix not in (".json", ".jsonl"))):
        return _parse_yaml(where, text)
    try:
        return parse_json(text)
    except ValueError as whole:
        if named_yaml:
            return _parse_yaml(where, text)
        lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) < 2 or not (lines[0][1].startswith("{") and lines[0][1].endswith("}")):
            raise CatalogError(f"{where}: not JSON: {whole}") from whole
        return [_parse_line(where, number, line) for number, line in lines]


def _parse_yaml(where: str, text: str) -> Any:
    from toolflow_graph.catalog.yaml_document import parse_yaml  # noqa: PLC0415 - most catalogs are JSON

    if len(text) > _LARGEST_YAML:
        raise CatalogError(
            f"{where}: {len(text) / 2**20:,.0f} MiB of YAML are more than the {_LARGEST_YAML >> 20} that are read; "
            "convert it to JSON"
        )
    try:
        return parse_yaml(text)
    except CatalogError as exc:
        raise CatalogError(f"{where}: {exc}") from exc


def _parse_line(where: str, number: int, line: str) -> Any:
    try:
        return parse_json(line)
    except ValueError as exc:
        raise CatalogError(f"{where}, line {number}: not JSON: {exc}") from exc


def parse_json(text: str) -> Any:
    """Parse strictly: no NaN, and no half of a surrogate pair, which could not be written to a data set later.

    Raises `ValueError`, and `RecursionError` for what is nested too deeply.
    """
    parsed = json.loads(text, parse_constant=_refuse_constant)
    if "\\ud" in text.lower():
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
