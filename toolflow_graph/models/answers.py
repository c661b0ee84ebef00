"""What a model answers: text and calls as they came, what they cost, and the attempts that it took."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from pydantic import Field

from toolflow_graph.types import JSON, Record

__all__ = [
    "Attempt",
    "Completion",
    "Mode",
    "ModelCall",
    "Reply",
    "Usage",
    "estimate_tokens",
    "explain_damage",
    "read_reply",
]

Mode = Literal["json_schema", "tool", "text", "native", "plain"]
"""How an answer was asked for: structured in one of three ways, with native tools, or as mere text."""


class Usage(Record):
    """Tokens and US dollars; usages add up.

    `cached` tokens are part of `prompt`. `estimated` counts the requests whose tokens the endpoint did not report,
    `unpriced` those of models whose price is not known, `refused` those whose answer was not taken.
    """

    requests: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    cost: float = 0.0
    estimated: int = 0
    unpriced: int = 0
    refused: int = 0

    @property
    def tokens(self) -> int:
        """Prompt and completion."""
        return self.prompt + self.completion

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})


class ModelCall(Record):
    """A tool call as the model made it; when its arguments are not a JSON object, `parse_error` says why."""

    id: str
    name: str
    arguments: JSON = Field(default={})
    raw: str = ""
    parse_error: str | None = None

    def to_openai(self) -> JSON:
        """Return the call as an entry of `tool_calls`."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.raw}}


class Attempt(Record):
    """One answer: what came, and why it was not taken (`problem` is None for the one that was)."""

    mode: Mode
    text: str = ""
    calls: tuple[ModelCall, ...] = ()
    reasoning: str = ""
    problem: str | None = None
    usage: Usage = Usage()


@dataclass(frozen=True)
class Completion:
    """An answer that holds: `value` is the validated one when a schema was given.

    `attempts` are all answers in order, the last of them this one; `usage` is that of all of them together.
    """

    text: str
    calls: tuple[ModelCall, ...]
    value: Any
    reasoning: str
    usage: Usage
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class Reply:
    """One choice of a chat completion; `fault` says why it is no answer at all, whatever was asked."""

    text: str = ""
    calls: tuple[ModelCall, ...] = ()
    reasoning: str = ""
    fault: str | None = None


_THOUGHT = re.compile(r"\s*<(think|thinking|reasoning)>(.*?)</\1>\s*", re.DOTALL)


def read_reply(body: JSON, taken: Collection[str] = ()) -> Reply:
    """Read the first choice of a response; whatever is wrong with it becomes data, nothing raises.

    Calls without an id, or with one that is `taken` (by the dialogue so far, or by another call), get a new one.
    """
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    message = choice.get("message") if choice else None
    if choice is None or not isinstance(message, dict):
        return Reply(fault="the response holds no choice")
    text = _read_text(message.get("content"))
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    reasoning = reasoning if isinstance(reasoning, str) else ""
    if thought := _THOUGHT.match(text):
        reasoning = "\n".join(part for part in (reasoning, thought[2].strip()) if part)
        text = text[thought.end() :]
    fault = None
    reason = choice.get("finish_reason")
    if reason == "length":
        fault = "the answer was cut off at the length limit; answer more briefly"
    elif reason == "content_filter":
        fault = "the endpoint's content filter stopped the answer"
    elif refusal := message.get("refusal"):
        fault = f"the model refused: {refusal}"
    return Reply(text, _read_calls(message.get("tool_calls"), taken), reasoning, fault)


def _read_text(content: Any) -> str:
    if isinstance(content, list):  # some gateways answer in parts
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _read_calls(found: Any, known: Collection[str]) -> tuple[ModelCall, ...]:
    calls: list[ModelCall] = []
    taken = set(known)
    for entry in found if isinstance(found, list) else []:
        function = entry.get("function") if isinstance(entry, dict) else None
        if not isinstance(function, dict):
            function = {}
        identity = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(identity, str) or not identity or identity in taken:
            identity = next(name for n in count(len(taken)) if (name := f"call_{n}") not in taken)
        taken.add(identity)
        called = function.get("name")
        calls.append(_read_call(identity, called if isinstance(called, str) else "", function.get("arguments")))
    return tuple(calls)


def _read_call(identity: str, name: str, given: Any) -> ModelCall:
    raw = given if isinstance(given, str) else json.dumps({} if given is None else given, ensure_ascii=False)
    try:
        arguments = json.loads(raw or "{}", parse_constant=_refuse_constant)
    except ValueError as exc:
        return ModelCall(id=identity, name=name, raw=raw, parse_error=f"not JSON: {explain_damage(raw, exc)}")
    if not isinstance(arguments, dict):
        return ModelCall(id=identity, name=name, raw=raw, parse_error="not a JSON object")
    return ModelCall(id=identity, name=name, arguments=arguments, raw=raw or "{}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def explain_damage(text: str, exc: ValueError) -> str:
    """Say in plain words what is wrong with a text that should be JSON: it was cut off, or is damaged at a place."""
    if not isinstance(exc, json.JSONDecodeError):
        return str(exc)
    open_string = exc.msg.startswith("Unterminated string") and text.rstrip()[-1:] not in ("}", "]")
    if open_string or exc.pos >= len(text.rstrip()):
        return "it stops before its end, so it was cut off; write all of it, more briefly if it is long"
    if exc.msg.startswith("Unterminated string"):
        return f"a string that begins at {_quote(text, exc.pos)} is never closed by a quotation mark"
    return f"at {_quote(text, exc.pos)} ({exc.msg})"


def _quote(text: str, place: int) -> str:
    return repr(text[place : place + _QUOTED] + ("…" if len(text) > place + _QUOTED else ""))


_QUOTED = 30
"""Characters of a damaged answer that are shown."""


def estimate_tokens(content: Any) -> int:
    """Estimate the tokens of text or JSON as a quarter of its characters."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return -(-len(text) // 4)
