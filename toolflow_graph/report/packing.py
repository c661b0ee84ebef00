"""Packs dialogues so that a page can hold ten thousand: compressed in chunks, each tool written once, and an index.

A chunk is the Base64 of gzipped JSON, which browsers unpack by themselves (`DecompressionStream`) when it is needed.
"""

import base64
import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.types import JSON, PATTERNS, DialogueRecord

__all__ = ["PackedDialogues", "Packer", "pack_json", "read_text"]

_PER_CHUNK = 64
"""Dialogues unpacked together: about 0.4 MB of JSON, a few milliseconds."""

_TITLE = 110
_KEPT_OF_RECORD = {
    "plan",
    "edges",
    "distractors",
    "turns",
    "provenance",
    "cast",
    "method",
    "models",
    "findings",
    "spent",
    "attempts",
    "executed",
    "patterns",
    "seed",
    "index",
}


@dataclass(frozen=True)
class PackedDialogues:
    """Packed dialogues of one run: `index` has a row per dialogue and fits in memory, `chunks` are the dialogues.

    `tools` are the definitions that dialogues name by number.
    """

    index: str
    tools: str
    chunks: tuple[str, ...]
    dialogues: int


class Packer:
    """Takes dialogues one by one and packs them; what was packed is all that it remembers."""

    def __init__(self) -> None:
        self._waiting: list[JSON] = []
        self._chunks: list[str] = []
        self._tools: list[JSON] = []
        self._tool_numbers: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._checks: dict[str, int] = {}
        self._rows: dict[str, list[Any]] = {
            column: []
            for column in ("ids", "titles", "accepted", "patterns", "called", "checks", "turns", "calls", "lines")
        }

    def __len__(self) -> int:
        return len(self._rows["ids"])

    def add(self, dialogue: StoredDialogue, *, accepted: bool) -> None:
        """Pack one dialogue."""
        record = dialogue.record
        entry: JSON = {
            "messages": dialogue.messages,
            "tools": [self._number_tool(tool) for tool in dialogue.tools],
            **(_dump_record(record) if record else {}),
        }
        self._note_row(dialogue, accepted=accepted)
        self._waiting.append(entry)
        if len(self._waiting) == _PER_CHUNK:
            self._pack_waiting()

    def finish(self) -> PackedDialogues:
        """Return all that was packed."""
        self._pack_waiting()
        index = {
            **self._rows,
            "names": list(self._names),
            "check_names": list(self._checks),
            "pattern_names": PATTERNS,
            "per_chunk": _PER_CHUNK,
        }
        return PackedDialogues(pack_json(index), pack_json(self._tools), tuple(self._chunks), len(self))

    def _pack_waiting(self) -> None:
        if self._waiting:
            self._chunks.append(pack_json(self._waiting))
            self._waiting = []

    def _number_tool(self, tool: JSON) -> int:
        key = json.dumps(tool, sort_keys=True)
        if key not in self._tool_numbers:
            self._tool_numbers[key] = len(self._tools)
            self._tools.append(tool)
        return self._tool_numbers[key]

    def _note_row(self, dialogue: StoredDialogue, *, accepted: bool) -> None:
        record, rows = dialogue.record, self._rows
        calls = list(iterate_calls(dialogue.messages))
        said = (read_text(message) for message in dialogue.messages if message["role"] == "user")
        title = " ".join(next(said, "").split())
        rows["ids"].append(dialogue.id)
        rows["titles"].append(title if len(title) <= _TITLE else title[: _TITLE - 1].rstrip() + "…")
        rows["accepted"].append(int(accepted))
        rows["patterns"].append(sum(1 << PATTERNS.index(pattern) for pattern in find_patterns(record)))
        rows["called"].append([self._names.setdefault(name, len(self._names)) for name in dict.fromkeys(calls)])
        found = dict.fromkeys(finding.check for finding in record.findings) if record else {}
        rows["checks"].append([self._checks.setdefault(check, len(self._checks)) for check in found])
        rows["turns"].append(sum(message["role"] == "user" for message in dialogue.messages))
        rows["calls"].append(len(calls))
        rows["lines"].append(dialogue.line)


def find_patterns(record: DialogueRecord | None) -> frozenset[str]:
    """Return the patterns that a dialogue has: those that were due, and what its requests are besides."""
    if record is None:
        return frozenset()
    return frozenset(record.patterns).union(*(turn.patterns for turn in record.turns))


def iterate_calls(messages: list[JSON]) -> Iterator[str]:
    """Yield the name of the tool of each call."""
    for message in messages:
        for call in message.get("tool_calls") or ():
            yield str(call["function"].get("name", ""))


def read_text(message: JSON) -> str:
    """Return what a message says; content in parts is joined, and what is not text is left out."""
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def pack_json(content: Any) -> str:
    """Return JSON, gzipped, in Base64; the same content gives the same text."""
    return base64.b64encode(gzip.compress(_encode(content), compresslevel=6, mtime=0)).decode()


def _encode(content: Any) -> bytes:
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a character, as broken files have it
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:  # NaN and infinities, which JSON does not know but Python reads
        return _encode(_replace_unwritable(content))


def _replace_unwritable(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _replace_unwritable(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_replace_unwritable(value) for value in content]
    return str(content) if isinstance(content, float) and not math.isfinite(content) else content


def _dump_record(record: DialogueRecord) -> JSON:
    """Return what a reader wants to see of a record; the scripted agenda, the bulk of a plan, is not of it."""
    return record.model_dump(mode="json", include=_KEPT_OF_RECORD, exclude={"plan": {"outline"}}, exclude_defaults=True)
