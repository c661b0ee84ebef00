"""A dialogue on its way to a trainer: its messages, its tools, and which turns are not trained on."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from toolflow_graph.dataset import StoredDialogue, is_accepted
from toolflow_graph.export.masks import find_untrained
from toolflow_graph.types import JSON, DialogueRecord
from toolflow_graph.validation.dialogue import text_of

__all__ = [
    "NO_TURN",
    "REJECTED",
    "Example",
    "Tally",
    "UnfitError",
    "cut_example",
    "dump_json",
    "list_calls",
    "make_examples",
    "order_results",
    "parse_arguments",
    "read_result",
    "speak",
]

REJECTED = "rejected"
NO_TURN = "no turn of the assistant is left to train on"


_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


class UnfitError(Exception):
    """This dialogue cannot be written in this format; the message says why, and it is left out."""


@dataclass(frozen=True)
class Example:
    """A dialogue in OpenAI terms, tool-call arguments as JSON strings; it ends with a message of the assistant.

    `untrained` has the indices of those of its messages that are not trained on, with the reason.
    """

    id: str
    messages: list[JSON]
    tools: list[JSON]
    untrained: Mapping[int, str] = field(default_factory=dict)
    record: DialogueRecord | None = None

    @property
    def trained(self) -> list[int]:
        """The indices of the messages that are trained on."""
        return [i for i, m in enumerate(self.messages) if m["role"] == "assistant" and i not in self.untrained]


@dataclass
class Tally:
    """What an export has done: dialogues and rows written, dialogues left out and turns not trained on, by reason."""

    dialogues: int = 0
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


def make_examples(dialogues: Iterable[DialogueRecord | StoredDialogue], tally: Tally) -> Iterator[Example]:
    """Yield the dialogues that can be trained on; rejected ones, and those in which no turn is left, are tallied."""
    for dialogue in dialogues:
        record = dialogue if isinstance(dialogue, DialogueRecord) else dialogue.record
        if record is not None and not is_accepted(record):
            tally.left_out[REJECTED] += 1
            continue
        if any(message["role"] not in _ROLES for message in dialogue.messages):
            tally.left_out["a message with a role that OpenAI does not know"] += 1
            continue
        messages = [{**message, "role": _ROLES[message["role"]]} for message in dialogue.messages]
        last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=-1)
        tools = [tool if "function" in tool else {"type": "function", "function": tool} for tool in dialogue.tools]
        example = Example(dialogue.id, messages[: last + 1], tools, find_untrained(dialogue), record)
        if example.trained:
            yield example
        else:
            tally.left_out[NO_TURN] += 1


def cut_example(example: Example) -> Example | None:
    """Return what stands before the first turn that is not trained on; None when no trained turn does.

    For formats that train on every turn of the assistant.
    """
    if not example.untrained:
        return example
    first = min(example.untrained)
    last = max((place for place in example.trained if place < first), default=None)
    return None if last is None else replace(example, messages=example.messages[: last + 1], untrained={})


def speak(message: JSON) -> str:
    """Return what a message says, "" when it only calls: chat templates join strings."""
    return text_of(message)


def list_calls(message: JSON) -> list[JSON]:
    """Return the calls of a message as `{"name", "arguments"}`, arguments parsed; raises `UnfitError`."""
    return [
        {
            "name": str(call["function"].get("name")),
            "arguments": parse_arguments(call["function"].get("arguments")),
        }
        for call in message.get("tool_calls") or ()
    ]


def parse_arguments(text: str | None) -> JSON:
    """Return the arguments of a call; raises `UnfitError` when they are no JSON object."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise UnfitError("the arguments of a call are not a JSON object")
    return arguments


def order_results(messages: list[JSON]) -> list[JSON]:
    """Return the messages, the results of parallel calls in the order of the calls: some formats have no ids."""
    ordered: list[JSON] = []
    place = 0
    while place < len(messages):
        message = messages[place]
        ordered.append(message)
        place += 1
        ids = [call.get("id") for call in message.get("tool_calls") or ()]
        end = place
        while end < len(messages) and messages[end]["role"] == "tool":
            end += 1
        results = messages[place:end]
        if len(set(ids)) == len(results) and {result.get("tool_call_id") for result in results} == set(ids):
            results = sorted(results, key=lambda result: ids.index(result.get("tool_call_id")))
        ordered += results
        place = end
    return ordered


def read_result(text: str) -> Any:
    """Return the result of a call as JSON, or the text itself when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def dump_json(value: object) -> str:
    """Return JSON as all formats have it: UTF-8 unescaped."""
    return json.dumps(value, ensure_ascii=False)
