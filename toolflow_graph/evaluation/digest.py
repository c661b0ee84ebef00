"""What the measures need to know of a dialogue, and no more, so that many thousand dialogues fit into memory."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.evaluation.chains import find_depths
from toolflow_graph.types import JSON
from toolflow_graph.validation.dialogue import Call, CheckedDialogue, iterate_leaves, read_dialogue
from toolflow_graph.values import frame_of
from toolflow_graph.values.words import enum_words

__all__ = ["CallDigest", "DialogueDigest", "Round", "ToolDigest", "Turn", "digest_dialogue"]

_SENTENCE_END = re.compile(r"(?<=[.?!…])\s+")
_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says in a message; `frames` are its sentences without the values in them."""

    message: int
    role: Literal["user", "assistant"]
    text: str
    frames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallDigest:
    """A call: its arguments as (path, scalar), and its depth, which is the number of calls in the chain up to it.

    `returned` are the scalars of its result.
    """

    message: int
    name: str
    arguments: tuple[tuple[str, Any], ...]
    returned: tuple[Any, ...]
    failed: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Round:
    """A user turn with all that answers it until the next one; `response` is what the assistant says in it."""

    message: int
    request: str
    response: str
    calls: tuple[CallDigest, ...]


@dataclass(frozen=True, slots=True)
class ToolDigest:
    """An offered tool: its parameters, and the values that are allowed for those with an enum."""

    name: str
    parameters: tuple[str, ...]
    enums: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True, slots=True)
class DialogueDigest:
    """One dialogue of a set.

    `patterns` are those that were due, `labels` those of each request as it was played; both are None where the
    dialogue is not ours.
    """

    id: str
    line: int
    turns: tuple[Turn, ...]
    rounds: tuple[Round, ...]
    calls: tuple[CallDigest, ...]
    tools: tuple[ToolDigest, ...]
    patterns: tuple[str, ...] | None
    labels: tuple[tuple[str, ...], ...] | None

    @property
    def messages(self) -> list[JSON]:
        """What is said, as messages."""
        return [{"role": turn.role, "content": turn.text} for turn in self.turns]

    @property
    def depth(self) -> int:
        """The number of calls in its longest chain."""
        return max((call.depth for call in self.calls), default=0)


def digest_dialogue(
    stored: StoredDialogue, known_tools: dict[str, ToolDigest] | None = None
) -> tuple[DialogueDigest, list[str]]:
    """Return the digest of a dialogue, and all its texts: messages, calls and results.

    `known_tools` shares the digests of equal tools among dialogues.
    """
    record = stored.record
    dialogue = read_dialogue(stored.messages, stored.tools, plan=record.plan if record else None, now=_ANY_DAY)
    depths = find_depths(dialogue, record.provenance if record else None)
    calls = tuple(_digest_calls(dialogue.calls, depths))
    labels: tuple[tuple[str, ...], ...] | None = None
    if record is not None:
        by_request: dict[int, tuple[str, ...]] = {label.request: label.patterns for label in record.turns}
        labels = tuple(by_request.values())
    digest = DialogueDigest(
        id=stored.id,
        line=stored.line,
        turns=tuple(_read_turns(dialogue)),
        rounds=tuple(_read_rounds(dialogue, calls)),
        calls=calls,
        tools=tuple(_digest_tools(dialogue.tools, {} if known_tools is None else known_tools)),
        patterns=tuple(map(str, record.patterns)) if record else None,
        labels=labels,
    )
    return digest, list(_list_written(dialogue))


_ANY_DAY = "2000-01-01"
"""Nothing here depends on the day; without one, each system message would be searched for it."""


def _digest_calls(calls: Sequence[Call], depths: Sequence[int]) -> Iterator[CallDigest]:
    for call, depth in zip(calls, depths, strict=True):
        yield CallDigest(
            message=call.message,
            name=call.name,
            arguments=tuple(iterate_leaves(call.arguments or {})),
            returned=tuple(leaf for _, leaf in iterate_leaves(call.result)) if call.answered is not None else (),
            failed=call.error is not None,
            depth=depth,
        )


def _digest_tools(tools: Mapping[str, JSON], known: dict[str, ToolDigest]) -> Iterator[ToolDigest]:
    for name, function in tools.items():
        schema = function.get("parameters")
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(properties, dict):
            properties = {}
        enums = tuple(
            (parameter, tuple(value for value in part["enum"] if not isinstance(value, dict | list)))
            for parameter, part in properties.items()
            if isinstance(part, dict) and isinstance(part.get("enum"), list)
        )
        digest = ToolDigest(name, tuple(map(str, properties)), enums)
        shared = known.setdefault(name, digest)
        yield shared if shared == digest else digest


def _read_turns(dialogue: CheckedDialogue) -> Iterator[Turn]:
    mask = _compile_values(dialogue)
    for index in dialogue.indices("user", "assistant"):
        text = dialogue.texts[index]
        if not text.strip():
            continue
        masked = mask.sub("_", text) if mask else text
        frames = tuple(part for part in _SENTENCE_END.split(frame_of(masked, ())) if part)
        yield Turn(index, "user" if dialogue.role(index) == "user" else "assistant", text, frames)


def _compile_values(dialogue: CheckedDialogue) -> "re.Pattern[str] | None":
    """Return a pattern for the values of all calls and results that somebody says; None when there are none."""
    said = "\n".join(dialogue.texts[index] for index in dialogue.indices("user", "assistant")).casefold()
    forms: set[str] = set()
    for call in dialogue.calls:
        for _, leaf in (*iterate_leaves(call.arguments or {}), *iterate_leaves(call.result)):
            if isinstance(leaf, str) and 1 < len(leaf) <= _LONGEST_VALUE:
                forms.update(form for form in (leaf, enum_words(leaf)) if form and form.casefold() in said)
    if not forms:
        return None
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)", re.IGNORECASE)


def _read_rounds(dialogue: CheckedDialogue, calls: Sequence[CallDigest]) -> Iterator[Round]:
    starts = dialogue.indices("user")
    for start, end in zip(starts, [*starts[1:], len(dialogue.messages)], strict=True):
        said = (dialogue.texts[i] for i in range(start + 1, end) if dialogue.role(i) == "assistant")
        response = " ".join(text.strip() for text in said if text.strip())
        inside = tuple(call for call in calls if start < call.message < end)
        yield Round(start, dialogue.texts[start].strip(), response, inside)


def _list_written(dialogue: CheckedDialogue) -> Iterator[str]:
    """Yield the text of every message, and every call as its name and arguments."""
    for message, text in zip(dialogue.messages, dialogue.texts, strict=True):
        if text:
            yield text
        for call in message.get("tool_calls") or ():
            function = call["function"]
            yield f"{function.get('name') or ''} {function.get('arguments') or ''}"
