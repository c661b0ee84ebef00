"""A dialogue as the checks see it: messages, calls with their results, facts, and what was planned."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cached_property, lru_cache
from typing import Any

from toolflow_graph.prompts import BUNDLED, Prompts
from toolflow_graph.types import JSON, DialoguePlan, Pattern, TurnLabel
from toolflow_graph.values.read_dates import NO_YEAR
from toolflow_graph.values.reading import Reading, read

__all__ = ["SEARCH", "Call", "CheckedDialogue", "Segment", "iterate_leaves", "read_dialogue", "text_of"]

SEARCH = "search_tools"


@dataclass(frozen=True)
class Call:
    """One tool call: where it stands, its parsed arguments (None when they are no JSON object) and its result.

    `result` is the parsed content, or the text itself when it is no JSON; `answered` is the index of the tool message.
    """

    message: int
    id: str
    name: str
    arguments: JSON | None
    problem: str = ""
    answered: int | None = None
    result: Any = None

    @property
    def error(self) -> str | None:
        """What the tool said when it failed, else None."""
        if isinstance(self.result, dict) and "error" in self.result and len(self.result) <= 2:
            return str(self.result["error"])
        return None

    @property
    def succeeded(self) -> bool:
        """Whether there is a result and it is no error."""
        return self.answered is not None and self.error is None


@dataclass(frozen=True)
class Segment:
    """The messages of one planned request, as the labels have it."""

    request: int
    patterns: frozenset[Pattern]
    messages: tuple[int, ...]


@dataclass(frozen=True)
class CheckedDialogue:
    """What the checks work on; everything derived is computed once."""

    messages: Sequence[JSON]
    tools: Mapping[str, JSON]
    calls: Sequence[Call]
    returns: Mapping[str, JSON] = field(default_factory=dict)
    plan: DialoguePlan | None = None
    labels: Sequence[TurnLabel] = ()
    now: datetime | None = None
    prompts: Prompts = BUNDLED

    @property
    def today(self) -> date | None:
        """The day of the dialogue, when anything tells it."""
        return self.now.date() if self.now else None

    def role(self, index: int) -> str:
        """The role of a message; "" when it has none."""
        return self._roles[index]

    @cached_property
    def _roles(self) -> tuple[str, ...]:
        return tuple(str(message.get("role", "")) for message in self.messages)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The text of every message, "" where it has none."""
        return tuple(text_of(message) for message in self.messages)

    def reading(self, index: int) -> Reading:
        """The reading of a message's text."""
        return read(self.texts[index], self.today)

    def indices(self, *roles: str, before: int | None = None) -> list[int]:
        """The indices of the messages with these roles."""
        end = len(self.messages) if before is None else before
        return [i for i in range(end) if self._roles[i] in roles]

    @cached_property
    def calls_of(self) -> dict[int, list[Call]]:
        """The calls by message index."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.message, []).append(call)
        return found

    def known_tools(self, before: int) -> dict[str, JSON]:
        """The tools that may be called at a message: those offered, and those that a search has found by then."""
        known = dict(self.tools)
        for call in self.calls:
            if call.name == SEARCH and call.answered is not None and call.answered < before:
                known.update({tool["name"]: tool for tool in _found_tools(call.result)})
        return known

    @cached_property
    def segments(self) -> list[Segment]:
        """The messages of each request; a message without a label belongs to the request before it."""
        label_of = {label.message: label for label in self.labels}
        messages: dict[int, list[int]] = {}
        patterns: dict[int, set[Pattern]] = {}
        current: TurnLabel | None = None
        for index in range(len(self.messages)):
            current = label_of.get(index, current)
            if current is not None:
                messages.setdefault(current.request, []).append(index)
                patterns.setdefault(current.request, set()).update(current.patterns)
        return [Segment(r, frozenset(patterns[r]), tuple(found)) for r, found in messages.items()]

    def calls_in(self, segment: Segment) -> list[Call]:
        """The calls that the assistant made for a request."""
        inside = set(segment.messages)
        return [call for call in self.calls if call.message in inside]

    def patterns_at(self, index: int) -> frozenset[Pattern]:
        """The patterns of the request that a message belongs to."""
        return self._patterns.get(index, frozenset())

    @cached_property
    def _patterns(self) -> dict[int, frozenset[Pattern]]:
        return {index: segment.patterns for segment in self.segments for index in segment.messages}


def text_of(message: JSON) -> str:
    """Return the text of a message; OpenAI's content parts are joined."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def read_dialogue(
    messages: Sequence[JSON],
    tools: Sequence[JSON],
    *,
    returns: Mapping[str, JSON] | None = None,
    plan: DialoguePlan | None = None,
    labels: Sequence[TurnLabel] = (),
    now: str | None = None,
    prompts: Prompts = BUNDLED,
) -> CheckedDialogue:
    """Parse a dialogue in OpenAI terms; whatever is malformed in it is kept for the checks to find."""
    plain = [m if isinstance(m, dict) else {"role": "", "content": str(m)} for m in messages]
    functions = [t["function"] if isinstance(t.get("function"), dict) else t for t in tools if isinstance(t, dict)]
    moment = _parse_now(now) or (_parse_now(plan.scenario.now) if plan else None) or _system_now(plain)
    by_name = {str(f["name"]): f for f in functions if "name" in f}
    calls = tuple(_read_calls(plain))
    return CheckedDialogue(plain, by_name, calls, returns or {}, plan, tuple(labels), moment, prompts)


def _read_calls(messages: Sequence[JSON]) -> Iterator[Call]:
    for index, message in enumerate(messages):
        if message.get("role") != "assistant":
            continue
        for entry in message.get("tool_calls") or ():
            if isinstance(entry, dict):
                yield _read_call(messages, index, entry)


def _read_call(messages: Sequence[JSON], index: int, entry: JSON) -> Call:
    function = entry.get("function") if isinstance(entry.get("function"), dict) else entry
    arguments, problem = _parse_arguments(function.get("arguments") if function else None)
    identity = str(entry.get("id") or "")
    name = str((function or {}).get("name") or "")
    for place in range(index + 1, len(messages)):
        answer = messages[place]
        if answer.get("role") == "tool" and identity and answer.get("tool_call_id") == identity:
            result = _parse_result(text_of(answer))
            return Call(index, identity, name, arguments, problem, place, result)
    return Call(index, identity, name, arguments, problem)


def _parse_arguments(raw: Any) -> tuple[JSON | None, str]:
    if isinstance(raw, dict):
        return raw, ""
    if not isinstance(raw, str):
        return None, "there are no arguments; an empty call has {}"
    try:
        parsed = json.loads(raw or "null")
    except ValueError as exc:
        return None, f"the arguments are not JSON: {exc}"
    return (parsed, "") if isinstance(parsed, dict) else (None, "the arguments are no JSON object")


def _parse_result(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _found_tools(result: Any) -> list[JSON]:
    found = result.get("tools") if isinstance(result, dict) else None
    tools = [t.get("function", t) for t in found if isinstance(t, dict)] if isinstance(found, list) else []
    return [t for t in tools if isinstance(t, dict) and isinstance(t.get("name"), str)]


def _parse_now(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


_TODAY = re.compile(r"\b(?:today|date|now|time|day)\b", re.IGNORECASE)


def _system_now(messages: Sequence[JSON]) -> datetime | None:
    for message in messages:
        if message.get("role") == "system":
            text = text_of(message)
            cue = _TODAY.search(text)
            found = _first_moment(text[cue.start() :]) if cue else None
            return found or _first_moment(text)
    return None


@lru_cache(maxsize=1024)
def _first_moment(text: str) -> datetime | None:
    reading = read(text, None)
    dated = [(m.start, v) for m in reading.dated if m.kind == "date" for v in m.values if isinstance(v, date)]
    day = next((v for _, v in sorted(dated) if v.year != NO_YEAR), None)
    clock = next((m for m in sorted(reading.timed, key=lambda m: m.start) if m.kind == "time"), None)
    minutes = clock.values[0] if clock else 0
    if day is None or not isinstance(minutes, int):
        return None
    return datetime.combine(day, time(minutes // 60, minutes % 60))


def iterate_leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, scalar) for every leaf of a JSON value; a list's items have `[0]`, `[1]` … in the path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from iterate_leaves(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from iterate_leaves(part, f"{path}[{index}]")
    else:
        yield path, value
