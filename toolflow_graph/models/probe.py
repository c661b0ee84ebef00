"""Finds out by a few short requests what an endpoint can do with a model."""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from jsonschema import Draft202012Validator

from toolflow_graph.models.answers import read_reply
from toolflow_graph.models.structured import StructuredMode
from toolflow_graph.models.traffic import Clock, GaveUp
from toolflow_graph.types import JSON, Record

__all__ = ["GREETING", "Capabilities", "Post", "probe"]

_ANSWER_TOKENS = 1024  # enough for a model that reasons first, and an end for one that never stops

_SCHEMA: JSON = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}, "number": {"type": "integer"}},
    "required": ["colour", "number"],
    "additionalProperties": False,
}
_FORMAT: JSON = {
    "type": "json_schema",
    "json_schema": {"name": "toolflow_probe", "schema": _SCHEMA, "strict": True},
}
_LEAST_SCHEMA = 20  # tokens; the schema has about 60
GREETING: list[JSON] = [{"role": "user", "content": "Hello, how are you today?"}]
"""Nobody who does not see the schema answers this with a colour and a number."""

_TOOL: JSON = {
    "type": "function",
    "function": {
        "name": "toolflow_probe",
        "description": "Return the local time of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_QUESTION: list[JSON] = [{"role": "user", "content": "Look up what time it is in Oslo now. Use the tool."}]
_FORCED: JSON = {"type": "function", "function": {"name": "toolflow_probe"}}


class Capabilities(Record):
    """What an endpoint does with a model.

    `schema_in_prompt` says that the schema of `json_schema` is counted as prompt: it stands before the messages there
    (as at the OpenAI API), where other servers only decode by it. `tools` are calls that the model makes by itself,
    `forced_tool` a call that the request names. `latency_s` is the time of one short answer; `notes` say what was seen
    where something is missing.
    """

    json_schema: bool
    schema_in_prompt: bool
    tools: bool
    forced_tool: bool
    usage: bool
    latency_s: float
    notes: tuple[str, ...] = ()

    def structured_modes(self) -> tuple[StructuredMode, ...]:
        """Return the ways to ask for a structured answer, the best first; the last works everywhere."""
        found: list[StructuredMode] = []
        if self.json_schema:
            found.append("json_schema")
        if self.forced_tool:
            found.append("tool")
        return (*found, "text")


class Post(Protocol):
    """Sends one chat completion; raises `GaveUp`."""

    def __call__(self, messages: Sequence[JSON], **request: Any) -> Awaitable[JSON]:
        """Return the response."""
        ...


async def probe(post: Post, clock: Clock) -> Capabilities:
    """Try json_schema and native tools; raises `GaveUp` when the endpoint does not answer at all."""
    seen = _Seen(post, clock)
    schema, tool = await asyncio.gather(
        seen.ask("json_schema", GREETING, response_format=_FORMAT),
        seen.ask("tools", _QUESTION, tools=[_TOOL]),
    )
    honoured = schema is not None and _fits(schema)
    if schema is not None and not honoured:
        seen.notes.append("json_schema is accepted but not obeyed")
    native = tool is not None and _calls(tool)
    if tool is not None and not native:
        seen.notes.append("with tools at hand the model answered in words")
    bare = _count_prompt(await seen.ask("a plain request", GREETING)) if honoured else 0
    forced = native
    if not native and not honoured:
        answer = await seen.ask("a forced tool", _QUESTION, tools=[_TOOL], tool_choice=_FORCED)
        forced = answer is not None and _calls(answer)
    if not seen.bodies:  # all that was special was refused: is it able to answer anything?
        await seen.ask("a plain request", GREETING, needed=True)
    return Capabilities(
        json_schema=honoured,
        schema_in_prompt=bare > 0 and _count_prompt(schema) - bare > _LEAST_SCHEMA,
        tools=native,
        forced_tool=forced,
        usage=all(_count_prompt(body) for body in seen.bodies),
        latency_s=round(min(seen.seconds), 3),
        notes=tuple(seen.notes),
    )


class _Seen:
    def __init__(self, post: Post, clock: Clock) -> None:
        self._post = post
        self._clock = clock
        self.bodies: list[JSON] = []
        self.seconds: list[float] = []
        self.notes: list[str] = []

    async def ask(self, what: str, messages: Sequence[JSON], *, needed: bool = False, **request: Any) -> JSON | None:
        """Return the response, or None when the endpoint refuses what is special about the request."""
        began = self._clock.time()
        try:
            body = await self._post(messages, max_completion_tokens=_ANSWER_TOKENS, **request)
        except GaveUp as exc:
            if needed or exc.fault.kind not in ("refused", "server"):
                raise
            self.notes.append(f"{what}: {exc.fault.said}")
            return None
        self.seconds.append(self._clock.time() - began)
        self.bodies.append(body)
        return body


def _count_prompt(body: JSON | None) -> int:
    """Return the prompt's tokens as the endpoint reports them, 0 where it does not."""
    count = ((body or {}).get("usage") or {}).get("prompt_tokens")
    return count if isinstance(count, int) else 0


def _fits(body: JSON) -> bool:
    try:
        value = json.loads(read_reply(body).text)
    except ValueError:
        return False
    return Draft202012Validator(_SCHEMA).is_valid(value)


def _calls(body: JSON) -> bool:
    calls = read_reply(body).calls
    return bool(calls) and all(call.name == "toolflow_probe" and call.parse_error is None for call in calls)
