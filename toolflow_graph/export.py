"""Dialogues in the formats that trainers read: one row per dialogue, nothing in it but what is trained on.

`openai`
    `messages` with tool-call arguments as JSON strings, and `tools` as a list: OpenAI fine-tuning, axolotl, ms-swift.
`trl`
    `messages` with arguments as objects, as chat templates want them, and `tools` as one JSON string, which Arrow
    leaves as it is. Load it with `datasets.load_dataset("json", data_files=…)`; `Dataset.from_list` would give every
    call the arguments of all others, as nulls.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.errors import DatasetError
from toolflow_graph.types import JSON, DialogueRecord

__all__ = ["EXPORT_FORMATS", "ExportFormat", "export_dialogues"]

ExportFormat = Literal["openai", "trl"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


def export_dialogues(dialogues: Iterable[DialogueRecord | StoredDialogue], target: ExportFormat) -> Iterator[JSON]:
    """Yield one row per dialogue; raises `DatasetError` when the arguments of a call are no JSON object."""
    for dialogue in dialogues:
        if target == "openai":
            yield {"messages": [_for_openai(message) for message in dialogue.messages], "tools": dialogue.tools}
        else:
            messages = [_for_trl(dialogue.id, message) for message in dialogue.messages]
            yield {"messages": messages, "tools": json.dumps(dialogue.tools, ensure_ascii=False)}


def _for_openai(message: JSON) -> JSON:
    row = {"role": message["role"], "content": message.get("content")}
    if message.get("tool_calls"):
        row["tool_calls"] = [
            {"id": call.get("id"), "type": "function", "function": _pick(call["function"], "name", "arguments")}
            for call in message["tool_calls"]
        ]
    return row | _pick(message, "tool_call_id")


def _for_trl(name: str, message: JSON) -> JSON:
    """Chat templates join strings: content is never null; some want the tool's name beside its result."""
    row = {"role": message["role"], "content": message.get("content") or ""}
    if message.get("tool_calls"):
        row["tool_calls"] = [
            {
                "id": call.get("id"),
                "type": "function",
                "function": {
                    "name": call["function"].get("name"),
                    "arguments": _parse_arguments(name, call["function"].get("arguments")),
                },
            }
            for call in message["tool_calls"]
        ]
    return row | _pick(message, "tool_call_id", "name")


def _pick(source: JSON, *keys: str) -> JSON:
    return {key: source[key] for key in keys if key in source}


def _parse_arguments(name: str, text: str | None) -> JSON:
    try:
        arguments = json.loads(text or "{}")
    except ValueError as exc:
        raise DatasetError(f"dialogue {name!r}: the arguments of a call are not JSON: {text!r}") from exc
    if not isinstance(arguments, dict):
        raise DatasetError(f"dialogue {name!r}: the arguments of a call are not a JSON object: {text!r}")
    return arguments
