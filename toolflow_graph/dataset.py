"""The data set on disk: a line of JSON per dialogue, in OpenAI terms, with everything that made it.

Example of a line, shortened:
    {"id": "s7-000012", "messages": [{"role": "user", "content": "…"}, …], "tools": [{"type": "function", …}, …],
     "index": 12, "seed": 7, "patterns": ["sequential", "chitchat"], "plan": {…}, …}

`open_dialogues` reads a run's folder, such a file, any other JSON Lines with `messages` and `tools` as OpenAI or TRL
has them, and published shards. Whatever reads dialogues takes a `Source`, and gets at them by this module only.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import ToolMessage
from pydantic import ValidationError

from toolflow_graph.agents.openai_format import label_turns, to_openai_messages
from toolflow_graph.agents.roles import derive_rng
from toolflow_graph.dialogue.nodes import edges_of
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.dialogue.state import DialogueState
from toolflow_graph.errors import DatasetError
from toolflow_graph.models.settings import draw_models
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.shards import ShardFolder, is_shards, is_url
from toolflow_graph.types import JSON, DialoguePlan, DialogueRecord, Finding, Provenance

__all__ = [
    "ACCEPTED",
    "MANIFEST",
    "REJECTED",
    "Source",
    "StoredDialogue",
    "count_dialogues",
    "dialogue_id",
    "encode_record",
    "find_run",
    "is_accepted",
    "list_files",
    "name_source",
    "open_dialogues",
    "read_dialogues",
    "read_lines",
    "record_of",
    "replace_file",
]

Source = Path | str
"""Dialogues: a run's folder, a file, or shards, which are a folder or a URL (s3://…)."""

ACCEPTED, REJECTED, MANIFEST = "dialogues.jsonl", "rejected.jsonl", "manifest.json"
"""Files of a run's folder."""

_OURS = {"id", "index", "seed", "patterns"}


@dataclass(frozen=True)
class StoredDialogue:
    """A dialogue as a file holds it, tool-call arguments as JSON strings; `record` is what made it, if it is ours."""

    path: Path | str
    line: int
    id: str
    messages: list[JSON]
    tools: list[JSON]
    record: DialogueRecord | None = None


def dialogue_id(seed: int, index: int) -> str:
    """Return the id of a dialogue of a run; it is also the name of its checkpoint thread."""
    return f"s{seed}-{index:06d}"


def record_of(state: DialogueState, settings: DialogueSettings, stage: Stage) -> DialogueRecord:
    """Return the record of a dialogue from its last state, which may be that of a dialogue that went nowhere."""
    index = state.get("index", 0)
    plan = DialoguePlan.model_validate(state["plan"]) if state.get("plan") else None
    spoken = state.get("messages", [])
    messages = to_openai_messages(spoken)
    return DialogueRecord(
        id=dialogue_id(settings.seed, index),
        messages=messages,
        tools=[stage.tools[name].to_openai() for name in state.get("offered", [])],
        index=index,
        seed=settings.seed,
        patterns=tuple(state.get("patterns", ())),
        plan=plan,
        edges=edges_of(state),
        distractors=tuple(state.get("distractors", ())),
        turns=tuple(label_turns(spoken, plan)) if plan else (),
        provenance=tuple(Provenance.model_validate(entry) for entry in state.get("provenance", [])),
        cast=settings.cast,
        method=settings.method,
        findings=tuple(Finding.model_validate(finding) for finding in state.get("findings", [])),
        usage={
            "turns": sum(message["role"] == "user" for message in messages),
            "messages": len(messages),
            "calls": sum(len(message.get("tool_calls", ())) for message in messages),
        },
        models=_models_of(settings, index),
        spent=tuple(state.get("usage", ())),
        attempts=tuple(state.get("attempts", ())),
        executed=tuple(
            message.tool_call_id
            for message in spoken
            if isinstance(message, ToolMessage) and message.additional_kwargs.get("executed")
        ),
    )


def _models_of(settings: DialogueSettings, index: int) -> dict[str, str]:
    drawn = draw_models(settings.models, derive_rng(settings.seed, index, "models"), settings.roles)
    return {str(role): model for role, model in drawn.items()}


def is_accepted(record: DialogueRecord) -> bool:
    """Say whether no check found an error in it."""
    return not any(finding.severity == "error" for finding in record.findings)


def encode_record(record: DialogueRecord) -> bytes:
    """Return the record's line: fields in the order of the type, UTF-8 unescaped, always the same bytes."""
    line = json.dumps(record.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)
    return line.encode("utf-8") + b"\n"


def open_dialogues(source: Source, *, rejected: bool = False) -> Iterator[StoredDialogue]:
    """Yield the dialogues of a run's folder (accepted or rejected ones), of a file in OpenAI format, or of shards.

    In the files of a run a last line that was left unfinished is overlooked. Raises `DatasetError` as `read_dialogues`.
    """
    return (_read_line(*line) for line in read_lines(source, rejected=rejected))


def read_lines(source: Source, *, rejected: bool = False) -> Iterator[tuple[Path | str, int, bytes]]:
    """Yield file, number and bytes of the line of each dialogue that `open_dialogues` yields."""
    if is_shards(source):
        return ShardFolder(source).read()
    path = _find_file(Path(source), rejected=rejected)
    return _read_file(path, torn="skip" if (path.parent / MANIFEST).exists() else "error")


def _find_file(source: Path, *, rejected: bool = False) -> Path:
    return source / (REJECTED if rejected else ACCEPTED) if source.is_dir() else source


def find_run(source: Source) -> Path | None:
    """Return the folder of the run whose dialogues these are, None for shards and other files.

    A folder that holds no shards is taken for a run; whoever reads its manifest is told if it is none.
    """
    if is_shards(source):
        return None
    path = Path(source)
    return path if path.is_dir() else path.parent if (path.parent / MANIFEST).exists() else None


def name_source(source: Source) -> str:
    """Return the last part of where dialogues are: the name of the folder or file, without what lies above it."""
    if is_url(source):
        return str(source).rstrip("/").rpartition("/")[2]
    return Path(source).resolve().name


def list_files(sources: Iterable[Source]) -> set[Path]:
    """Return the files on this machine that are read for these sources, resolved: nothing may be written over them."""
    files: set[Path] = set()
    for source in sources:
        if not is_shards(source):
            files.add(_find_file(Path(source)).resolve())
        elif not is_url(source):
            files.update(path.resolve() for path in Path(source).iterdir())
    return files


def count_dialogues(source: Source, *, rejected: bool = False) -> int | None:
    """Return about how many dialogues will be read, None where that is not known; what is wrong is said by readers."""
    try:
        if is_shards(source):
            index = ShardFolder(source).read_index()
            return None if index is None else index.dialogues
        with _find_file(Path(source), rejected=rejected).open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    except (OSError, DatasetError):
        return None


def read_dialogues(path: Path, *, torn: Literal["error", "skip"] = "error") -> Iterator[StoredDialogue]:
    """Yield the dialogues of a JSON Lines file in OpenAI format, one after the other.

    `torn="skip"` overlooks a last line that a killed process left unfinished; raises `DatasetError` with file and line
    for everything else that is no dialogue.
    """
    return (_read_line(*line) for line in _read_file(path, torn=torn))


def _read_file(path: Path, *, torn: Literal["error", "skip"]) -> Iterator[tuple[Path, int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if raw.strip() and (raw.endswith(b"\n") or torn == "error"):
                    yield path, number, raw
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


def _read_line(path: Path | str, number: int, raw: bytes) -> StoredDialogue:
    where = f"{path}, line {number}"
    try:
        row = json.loads(raw)
    except ValueError as exc:
        if number == 1 and raw.lstrip()[:1] in (b"[", b"{"):
            raise DatasetError(
                f"{where}: not JSON Lines: {exc}; write one dialogue as one JSON object per line"
            ) from exc
        raise DatasetError(f"{where}: not JSON: {exc}") from exc
    except RecursionError as exc:
        raise DatasetError(f"{where}: nested too deeply to be a dialogue") from exc
    if not isinstance(row, dict) or "messages" not in row:
        raise DatasetError(f'{where}: no \'messages\'; a line looks like {{"messages": […], "tools": […]}}')
    messages = [_read_message(f"{where}, message {place}", message) for place, message in _list(where, row, "messages")]
    tools = [tool for _, tool in _list(where, row, "tools")]
    for place, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise DatasetError(f"{where}: tool {place} is not an object")
    name = str(row.get("id") or f"line {number}")
    record = _read_record(where, row) if row.keys() >= _OURS else None
    return StoredDialogue(path, number, name, messages, tools, record)


def _list(where: str, row: JSON, key: str) -> Iterable[tuple[int, Any]]:
    value = row.get(key)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as exc:
            raise DatasetError(f"{where}: {key!r} is a string, but not of JSON: {exc}") from exc
    if value is None and key == "tools":
        value = []
    if not isinstance(value, list):
        raise DatasetError(f"{where}: {key!r} is not a list")
    return enumerate(value)


def _read_message(where: str, message: object) -> JSON:
    """Return a message with its arguments as JSON strings, as OpenAI has them and TRL has not."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise DatasetError(f"{where}: not an object with a 'role'")
    calls = message.get("tool_calls")
    if calls is None:
        return {key: value for key, value in message.items() if key != "tool_calls"}
    if not isinstance(calls, list) or not all(_is_call(call) for call in calls):
        raise DatasetError(f"{where}: 'tool_calls' is not a list of objects with a 'function'")
    return {**message, "tool_calls": [_read_call(call) for call in calls]}


def _is_call(call: object) -> bool:
    return isinstance(call, dict) and isinstance(call.get("function"), dict)


def _read_call(call: JSON) -> JSON:
    arguments = call["function"].get("arguments")
    if isinstance(arguments, str):
        return call
    text = json.dumps({} if arguments is None else arguments, ensure_ascii=False)
    return {**call, "function": {**call["function"], "arguments": text}}


def _read_record(where: str, row: JSON) -> DialogueRecord:
    try:
        return DialogueRecord.model_validate(row)
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DatasetError(f"{where}: field {place!r}: {first['msg']}") from exc


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one and nothing between."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
