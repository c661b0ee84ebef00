"""An OpenAI-compatible server on the loopback that answers by a Python function and misbehaves on order.

    with Endpoint(lambda request: "Hello.", script={0: "429"}) as endpoint:
        ...  # base_url=endpoint.base_url, model="test-model"
        assert [entry.fault for entry in endpoint.log] == ["429", None]

What the function returns is the assistant's message: text, `{"content": …, "tool_calls": [call(…), …]}`, or
`{"value": …}`, which becomes JSON in the way that the request asks for (response_format, forced tool, or text).
"""

import asyncio
import copy
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolflow_graph.models.probe import GREETING

JSON = dict[str, Any]

Fault = Literal[
    "429",  # too many requests, says when to come back (`retry_after`)
    "429 without Retry-After",
    "500",
    "503",
    "drop",  # the connection ends in the middle of the response
    "slow",  # nothing comes for `slow_s` seconds
    "broken body",  # a whole response that is not JSON
    "truncated",  # cut off at the length limit, and says so
    "truncated JSON",  # cut off, and says nothing
    "wrong schema",
    "prose",  # words and a code fence around the JSON
    "empty choices",
    "empty content",
    "unknown tool",
    "malformed arguments",
    "duplicate ids",
    "missing ids",
    "content with calls",
    "reasoning",
    "no usage",
    "400",
    "web page",
    "401",
    "404",
    "context length",
    "quota",
    "content filter",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)

STORM: tuple[Fault, ...] = FAULTS[: FAULTS.index("400")]
"""The faults that a client must survive."""

_ERRORS: Mapping[str, tuple[int, str, str]] = {
    "429": (429, "rate_limit_exceeded", "Rate limit reached"),
    "429 without Retry-After": (429, "rate_limit_exceeded", "Rate limit reached"),
    "500": (500, "server_error", "The server had an error"),
    "503": (503, "overloaded", "The engine is overloaded"),
    "400": (400, "invalid_request", "Something in the request is wrong"),
    "401": (401, "invalid_api_key", "Incorrect API key provided: {key}"),
    "404": (404, "model_not_found", "The model {model} does not exist"),
    "context length": (400, "context_length_exceeded", "This model's maximum context length is 4096 tokens"),
    "quota": (429, "insufficient_quota", "You exceeded your current quota"),
    "content filter": (400, "content_filter", "The prompt was filtered"),
}


def call(name: str, arguments: Any, identity: str | None = None) -> JSON:
    """Return a tool call for an answer; arguments may be a string, however malformed."""
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": raw}}


@dataclass
class Entry:
    """One request, and what was done with it."""

    index: int
    path: str
    body: JSON
    fault: str | None = None
    status: int | None = None
    probe: bool = False
    answer: JSON | None = None
    tokens: int = 0
    gone: bool = False
    """Whether the client had hung up by the time the answer was ready."""

    @property
    def messages(self) -> list[JSON]:
        return self.body["messages"]


@dataclass
class Endpoint:
    """The server; `script` gives faults by request number, `storm` by probability, `spoil` by what is asked.

    Probes do not count, and meet no fault unless the server is `down`. With `schema_in_prompt` the schema of a
    `response_format` counts as prompt, as at the OpenAI API.
    """

    answer: Callable[[JSON], Any] = field(default=lambda _: "Hello.")
    script: Mapping[int, Fault] = field(default_factory=dict)
    storm: Mapping[Fault, float] = field(default_factory=dict)
    spoil: Callable[[JSON], Fault | None] = field(default=lambda _: None)
    down: bool = False
    seed: int = 0
    models: tuple[str, ...] = ("test-model",)
    json_schema: Literal["honoured", "ignored", "refused"] = "honoured"
    tools: Literal["native", "ignored", "refused"] = "native"
    usage: bool = True
    schema_in_prompt: bool = False
    retry_after: str = "0"
    slow_s: float = 30.0
    latency_s: float = 0.0
    key: str | None = None
    log: list[Entry] = field(default_factory=list)
    probes: list[Entry] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._list_models),
            ]
        )
        self._server = _Server(uvicorn.Config(app, log_config=None, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._serve, name="endpoint", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the test server did not end"

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    @property
    def counts(self) -> Counter[str | None]:
        """How many requests met which fault; None counts those that were answered well."""
        return Counter(entry.fault for entry in self.log)

    async def _list_models(self, request: Request) -> Response:
        if refusal := self._refuse_key(request):
            return refusal
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in self.models]
        return JSONResponse({"object": "list", "data": data})

    async def _complete(self, request: Request) -> Response:
        body = json.loads(await request.body())
        probe = "toolflow_probe" in json.dumps(body) or body["messages"] == GREETING
        log = self.probes if probe else self.log
        entry = Entry(len(log), request.url.path, body, probe=probe)
        log.append(entry)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            response = self._refuse_key(request) or await self._respond(request, entry)
        finally:
            self.running -= 1
        entry.status = response.status_code
        return response

    def _refuse_key(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return None if self.key in (None, given) else _error("401", key=given)

    def _draw_fault(self, entry: Entry) -> Fault | None:
        if entry.probe and not self.down:
            return None
        if fault := self.spoil(entry.body):
            return fault
        if entry.index in self.script:
            return self.script[entry.index]
        number = random.Random(f"{self.seed}:{entry.index}").random()
        for fault, share in self.storm.items():
            if number < share:
                return fault
            number -= share
        return None

    async def _respond(self, request: Request, entry: Entry) -> Response:
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if refusal := self._refuse(entry.body):
            return refusal
        entry.fault = fault = self._draw_fault(entry)
        if fault in _ERRORS:
            return _error(fault, headers={"retry-after": self.retry_after} if fault == "429" else {})
        if fault == "web page":
            return Response("<!doctype html><title>Welcome</title>", media_type="text/html")
        if fault == "slow":
            await _wait_for_hang_up(request, self.slow_s)
        text = json.dumps(self._compose(entry))
        await asyncio.sleep(0)
        if await request.is_disconnected():
            entry.gone = True
        if fault == "broken body":
            text = text[: len(text) // 2]
        return _Dropped(text) if fault == "drop" else Response(text, media_type="application/json")

    def _refuse(self, body: JSON) -> Response | None:
        if body["model"] not in self.models:
            return _error("404", model=body["model"])
        if "response_format" in body and self.json_schema == "refused":
            return _error("400", "response_format of type json_schema is not supported")
        if "tools" in body and self.tools == "refused":
            return _error("400", "tools are not supported")
        return None

    def _compose(self, entry: Entry) -> JSON:
        """Return the chat completion, with what the fault does to it."""
        body, fault = entry.body, entry.fault
        message = self._answer_probe(body) if entry.probe else self.answer(body)
        choice = {"index": 0, "message": self._shape(message, body), "finish_reason": "stop"}
        if choice["message"].get("tool_calls"):
            choice["finish_reason"] = "tool_calls"
        if fault in _SPOIL:
            _SPOIL[fault](choice)
        entry.answer = choice["message"]
        response: JSON = {
            "id": f"chatcmpl-{entry.index}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [] if fault == "empty choices" else [choice],
        }
        usage = _count_tokens(body, choice["message"], schema_in_prompt=self.schema_in_prompt)
        entry.tokens = usage["total_tokens"]
        if self.usage and fault != "no usage":
            response["usage"] = usage
        return response

    def _answer_probe(self, body: JSON) -> Any:
        if "response_format" in body:
            return {"value": {"colour": "red", "number": 7}}
        if "tools" in body:
            return {"content": "", "tool_calls": [call("toolflow_probe", {"city": "Oslo"})]}
        return "I am well, thank you."

    def _shape(self, message: Any, body: JSON) -> JSON:
        """Return an answer as an OpenAI message, by way of what the request asks for and this server can do."""
        if isinstance(message, str):
            return {"role": "assistant", "content": message}
        message = copy.deepcopy(message)
        if "value" in message:
            value = message["value"]
            text = value if isinstance(value, str) else json.dumps(value)
            if "response_format" in body and self.json_schema == "ignored":
                return {"role": "assistant", "content": "I am a model that talks."}
            choice = body.get("tool_choice")
            if isinstance(choice, dict) and self.tools == "native":
                calls = [call(choice["function"]["name"], text, "call_answer")]
                return {"role": "assistant", "content": None, "tool_calls": calls}
            return {"role": "assistant", "content": text}
        calls = message.get("tool_calls") or []
        if calls and self.tools == "ignored":
            return {"role": "assistant", "content": message.get("content") or "I would call a tool now."}
        for number, entry in enumerate(calls):
            if entry.get("id") is None:
                entry["id"] = f"call_{len(body['messages'])}_{number}"
        return {"role": "assistant", "content": None, **message}


def _error(kind: str, said: str | None = None, *, headers: Mapping[str, str] | None = None, **values: str) -> Response:
    status, code, message = _ERRORS[kind]
    text = said or message.format(**{"key": "?", "model": "?", **values})
    body = {"error": {"message": text, "type": code, "code": code, "param": None}}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def _count_tokens(body: JSON, message: JSON, *, schema_in_prompt: bool) -> JSON:
    asked = [*body["messages"], *([body.get("response_format", "")] if schema_in_prompt else [])]
    prompt, completion = len(json.dumps(asked)) // 4, len(json.dumps(message)) // 4
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _cut(choice: JSON) -> None:
    message = choice["message"]
    text = message.get("content") or ""
    message["content"] = text[: len(text) // 2] or None
    _change_arguments(choice, lambda raw: raw[: len(raw) // 2])


def _truncate(choice: JSON) -> None:
    _cut(choice)
    choice["finish_reason"] = "length"


def _break_schema(choice: JSON) -> None:
    if _is_json(choice["message"].get("content")):
        choice["message"]["content"] = '{"surprise": true}'
    _change_arguments(choice, lambda _: '{"surprise": true}')


def _add_prose(choice: JSON) -> None:
    text = choice["message"].get("content")
    if _is_json(text):
        choice["message"]["content"] = f"Of course! Here:\n```json\n{text}\n```\nTell me {{if}} you need more."


def _empty(choice: JSON) -> None:
    choice["message"].update(content=None, tool_calls=None)


def _rename_tool(choice: JSON) -> None:
    for entry in _calls_of(choice)[:1]:
        entry["function"]["name"] = "no_such_tool"


def _set_ids(identity: str | None) -> Callable[[JSON], None]:
    def change(choice: JSON) -> None:
        for entry in _calls_of(choice):
            entry["id"] = identity

    return change


def _add_content(choice: JSON) -> None:
    if _calls_of(choice):
        choice["message"]["content"] = "Let me look that up."


def _add_reasoning(choice: JSON) -> None:
    choice["message"]["reasoning_content"] = "The user wants something."


_SPOIL: Mapping[str | None, Callable[[JSON], None]] = {
    "truncated": _truncate,
    "truncated JSON": _cut,
    "wrong schema": _break_schema,
    "prose": _add_prose,
    "empty content": _empty,
    "unknown tool": _rename_tool,
    "malformed arguments": lambda choice: _change_arguments(choice, lambda raw: raw[:-1] + ", oops"),
    "duplicate ids": _set_ids("call_same"),
    "missing ids": _set_ids(None),
    "content with calls": _add_content,
    "reasoning": _add_reasoning,
}
"""What a fault does to a choice; an answer that has no part for it stays as it is."""


def _calls_of(choice: JSON) -> list[JSON]:
    return choice["message"].get("tool_calls") or []


def _change_arguments(choice: JSON, change: Callable[[str], str]) -> None:
    for entry in _calls_of(choice):
        entry["function"]["arguments"] = change(entry["function"]["arguments"])


def _is_json(text: str | None) -> bool:
    try:
        return isinstance(json.loads(text or ""), dict)
    except ValueError:
        return False


async def _wait_for_hang_up(request: Request, seconds: float) -> None:
    """Wait, but no longer than the client does."""
    try:
        await asyncio.wait_for(request.receive(), seconds)
    except TimeoutError:
        return


class _Server(uvicorn.Server):
    """A server that ends at once when it is told to, not at its next look at the clock."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._up = threading.Event()

    async def main_loop(self) -> None:
        self._told = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        self._up.set()
        await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for task in self.server_state.tasks:
            task.cancel()
        for listening in sockets or []:
            listening.close()

    def end(self) -> None:
        assert self._up.wait(10), "the test server did not start"
        self._loop.call_soon_threadsafe(self._told.set)


class _Dropped(Response):
    """A response whose connection ends in the middle."""

    def __init__(self, text: str) -> None:
        super().__init__(text, media_type="application/json")

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})


class QuickClock:
    """A client's clock that does not wait, but counts what it would have waited as time."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def time(self) -> float:
        return time.monotonic() + self.skipped

    async def sleep(self, seconds: float) -> None:
        self.skipped += seconds
        await asyncio.sleep(0)
