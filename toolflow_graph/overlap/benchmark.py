"""What a benchmark consists of: its tools, and its texts (questions, prompts, documents).

A source is `bfcl`, a file, a folder of files, a published set, an MCP server or Python functions:

- a catalog in any form that `toolflow catalog import` reads;
- rows (JSON, JSON Lines): their tools are read from `tools` or `function`; with `messages` the texts are what user and
  assistant say, otherwise all strings outside the tools;
- any other text: its paragraphs.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolflow_graph.catalog import Reading, read_source
from toolflow_graph.catalog.detect import detect_form
from toolflow_graph.catalog.documents import SUFFIXES, find_files, read_document
from toolflow_graph.catalog.names import Names
from toolflow_graph.catalog.sources import is_live, read_parsed
from toolflow_graph.dataset import ACCEPTED, open_dialogues
from toolflow_graph.errors import CatalogError, DatasetError
from toolflow_graph.overlap.bfcl import BFCL, find_bfcl, trim_row
from toolflow_graph.overlap.tokens import write_tool
from toolflow_graph.shards import is_shards
from toolflow_graph.types import JSON, Tool

__all__ = ["Benchmark", "Passage", "list_said", "load_benchmarks"]

_SPOKEN = ("user", "assistant")
_TOOL_KEYS = ("tools", "function", "functions")
_PARAMETER_KEYS = ("parameters", "input_schema", "inputSchema")
_DESCRIBING = ("openapi", "swagger", "toolbench")
"""Forms of documents that describe an API and hold nothing else."""


@dataclass(frozen=True)
class Passage:
    """A text of a benchmark; `label` says where it stands."""

    label: str
    text: str


@dataclass
class Benchmark:
    """The distinct tools and texts of one or several sources; `skipped` counts tools that could not be read."""

    names: list[str] = field(default_factory=list)
    tools: dict[str, Tool] = field(default_factory=dict)
    passages: list[Passage] = field(default_factory=list)
    skipped: int = 0

    _seen: set[str] = field(default_factory=set, repr=False)

    def __len__(self) -> int:
        return len(self.tools) + len(self.passages)

    def add_tools(self, reading: Reading) -> None:
        """Add tools that are not there yet, by what is written of them."""
        for tool in reading.tools:
            self.tools.setdefault(write_tool(tool.to_openai()), tool)
        self.skipped += len(reading.skipped)

    def add_texts(self, label: str, texts: Iterable[str]) -> None:
        """Add texts that are not there yet."""
        for text in texts:
            if text.strip() and text not in self._seen:
                self._seen.add(text)
                self.passages.append(Passage(label, text))


class _AnyNames(Names):
    """Lets tools be called the same, as those of a benchmark's rows are."""

    def give(self, wanted: str, owner: str = "") -> str:  # noqa: ARG002 - nobody owns a name here
        return wanted


def load_benchmarks(sources: Iterable[str]) -> Benchmark:
    """Read all sources into one benchmark.

    Raises `DatasetError` or `CatalogError` when one cannot be read or holds neither a tool nor a text.
    """
    benchmark = Benchmark()
    for source in sources:
        before = len(benchmark)
        if source == BFCL:
            version, files = find_bfcl()
            benchmark.names.append(f"BFCL (bfcl-eval {version})")
            for path in files:
                _add_rows([trim_row(row) for row in _list_rows(read_document(path))], path, benchmark)
        elif is_live(source):
            benchmark.names.append(source)
            benchmark.add_tools(read_source(source))
        elif is_shards(source):
            benchmark.names.append(source)
            rows = [{"id": d.id, "messages": d.messages, "tools": d.tools} for d in open_dialogues(source)]
            _add_rows(rows, Path(source), benchmark)
        else:
            benchmark.names.append(source)
            for path in _find_files(Path(source)):
                _add_file(path, benchmark)
        if len(benchmark) == before and source not in benchmark.names[:-1]:
            raise DatasetError(f"{source!r} holds neither a tool nor a text to compare with")
    return benchmark


def list_said(messages: Iterable[Any]) -> Iterator[tuple[int, str, str]]:
    """Yield what user and assistant say: index of the message, role, text."""
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _SPOKEN:
            continue
        content = message.get("content")
        if isinstance(content, list):  # parts, as OpenAI has them for pictures
            content = "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
        if isinstance(content, str) and content.strip():
            yield index, message["role"], content


def _find_files(source: Path) -> list[Path]:
    if source.is_dir() and (source / ACCEPTED).exists():
        return [source / ACCEPTED]
    if not source.exists():
        raise DatasetError(f"{str(source)!r} does not exist; give {BFCL!r}, or a file or folder to compare with")
    return find_files(source)


def _add_file(path: Path, benchmark: Benchmark) -> None:
    document = _read_content(path)
    if isinstance(document, str):
        benchmark.add_texts(path.name, re.split(r"\n\s*\n", document))
    elif isinstance(document, dict) and detect_form(document) in _DESCRIBING:
        _add_tools(document, path, benchmark)
    else:
        _add_rows(_list_rows(document), path, benchmark)


def _read_content(path: Path) -> Any:
    """Return a parsed document, or the text of a file that is none."""
    if path.suffix in SUFFIXES:
        return read_document(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise DatasetError(f"{path}: cannot be read as UTF-8 text: {exc}") from exc
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return read_document(path)
    except CatalogError:
        return text


def _list_rows(document: Any) -> list[JSON]:
    rows = document if isinstance(document, list) else [document]
    return [row if isinstance(row, dict) else {"text": row} for row in rows]


def _add_rows(rows: list[JSON], path: Path, benchmark: Benchmark) -> None:
    for number, row in enumerate(rows, 1):
        label = str(row.get("id") or f"{path.name}, row {number}")
        if isinstance(messages := row.get("messages"), list):
            benchmark.add_texts(label, (text for _, _, text in list_said(messages)))
        elif not _is_tool(row):
            benchmark.add_texts(label, _list_strings([row[key] for key in row if key not in _TOOL_KEYS]))
    carrying = [row for row in rows if detect_form(row) is not None]
    if carrying:
        _add_tools(carrying[0] if len(rows) == 1 else carrying, path, benchmark)


def _is_tool(row: JSON) -> bool:
    return ("name" in row and any(key in row for key in _PARAMETER_KEYS)) or detect_form(row) in _DESCRIBING


def _add_tools(document: Any, path: Path, benchmark: Benchmark) -> None:
    reading = Reading()
    read_parsed(document, path, _AnyNames(), reading)
    benchmark.add_tools(reading)


def _list_strings(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            stack.extend(reversed(part.values()))
        elif isinstance(part, list):
            stack.extend(reversed(part))
