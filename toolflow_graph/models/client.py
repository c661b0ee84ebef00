"""`ChatClient`: what an agent asks for goes out, and what comes back is checked, mended and paid for."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from toolflow_graph.errors import ModelOutputError
from toolflow_graph.models.access import find_access
from toolflow_graph.models.answers import Attempt, Completion, Mode, Reply, Usage, estimate_tokens, read_reply
from toolflow_graph.models.faults import blame
from toolflow_graph.models.ledger import Budget, Ledger, read_usage
from toolflow_graph.models.prices import load_prices
from toolflow_graph.models.probe import Capabilities, probe
from toolflow_graph.models.settings import ModelSettings
from toolflow_graph.models.structured import Shape, StructuredMode, UnfitError, append_failure
from toolflow_graph.models.traffic import Clock, GaveUp, Traffic
from toolflow_graph.models.wire import Wire
from toolflow_graph.types import JSON

__all__ = ["ChatClient", "Check"]

Check = Callable[[Any], str | None]
"""A caller's own check of an answer: of the value when a schema was given, else of the `Reply`; says what is wrong."""


@dataclass(frozen=True)
class _Line:
    """What belongs to one event loop; probes run once, whoever asks for them."""

    wire: Wire
    traffic: Traffic
    probes: dict[str, "asyncio.Task[Capabilities]"] = field(default_factory=dict)


@dataclass(frozen=True)
class _Question:
    """One `complete`, whatever number of requests it takes."""

    role: str
    model: str
    messages: Sequence[JSON]
    shape: Shape | None
    tools: Sequence[JSON]
    check: Check | None
    dialogue: str
    attempts: list[Attempt] = field(default_factory=list)


class ChatClient:
    """All requests of a run to one endpoint; may be used from several event loops, each with its own connections.

    Raises `ModelError` at once when the endpoint needs a key and its variable is not set, `SettingsError` for a bad
    price list. Tests give a `clock` and a `rng` (for jitter) of their own.
    """

    def __init__(
        self,
        settings: ModelSettings,
        *,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.access = find_access(settings)
        self.ledger = ledger or Ledger(load_prices(settings.prices))
        self.budget = Budget(settings, self.ledger)
        self._clock = clock
        self._rng = rng
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()
        self._known: dict[str, Capabilities] = {}
        self._refused: set[tuple[str, str, str]] = set()

    async def complete(
        self,
        role: str,
        model: str,
        messages: Sequence[JSON],
        *,
        schema: type[BaseModel] | JSON | None = None,
        tools: Sequence[JSON] | None = None,
        check: Check | None = None,
        dialogue: str = "",
    ) -> Completion:
        """Return an answer that holds.

        Args:
            role: Who asks; the ledger counts by it.
            model: Name of the model.
            messages: The conversation in OpenAI form. It is sent as it stands; what asks again only adds to its end.
            schema: What the answer must fit: a pydantic class (`value` is an instance) or a JSON Schema.
            tools: OpenAI `tools` that the model may call; not together with a schema.
            check: A further check; what it returns is told to the model word for word.
            dialogue: Id of the dialogue, for the ledger.

        Raises:
            ModelOutputError: No answer held after the repairs; `attempts` has all of them.
            ModelError: The endpoint cannot be used; `ContextLengthError` when the messages are too long for it.
            BudgetExceeded: The request would pass the budget.
        """
        if schema is not None and tools:
            raise ValueError("give a schema or tools, not both")
        shape = None if schema is None else Shape(schema)
        question = _Question(role, model, messages, shape, tools or (), check, dialogue)
        modes = await self._choose_modes(question)
        for mode in modes:
            try:
                return await self._converse(question, mode)
            except GaveUp as exc:
                gave_up = exc
            if gave_up.fault.kind != "refused" or mode == modes[-1]:
                break
            question.attempts.append(Attempt(mode=mode, problem=f"the endpoint refused: {gave_up.fault.said}"))
            self._refused.add((model, mode, _fingerprint(question.shape)))
        raise self._blame(gave_up, model)

    async def capabilities(self, model: str) -> Capabilities:
        """Return what the endpoint can do with a model, tried out once; raises as `complete` does."""
        if model in self._known:
            return self._known[model]
        line = self._find_line()
        if model not in line.probes:
            line.probes[model] = asyncio.create_task(self._probe(line, model))
        try:
            self._known[model] = await asyncio.shield(line.probes[model])
        except GaveUp as exc:
            line.probes.pop(model, None)
            gave_up = exc
        else:
            return self._known[model]
        raise self._blame(gave_up, model)

    async def calls_natively(self, model: str) -> bool:
        """Say whether a model calls tools by itself; where not, an assistant answers by a schema."""
        return (await self.capabilities(model)).tools

    async def list_models(self) -> list[str]:
        """Return the models that the endpoint offers, none when it keeps no list; raises `ModelError`."""
        line = self._find_line()
        try:
            return await line.traffic.send(line.wire.list_models)
        except GaveUp as exc:
            gave_up = exc
        if gave_up.fault.kind in ("model", "path", "refused"):
            return []
        raise self._blame(gave_up, "")

    async def aclose(self) -> None:
        """Close the connections of the running event loop; the ledger stays."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            for task in line.probes.values():
                task.cancel()
            await line.wire.aclose()

    def _find_line(self) -> _Line:
        loop = asyncio.get_running_loop()
        if loop not in self._lines:
            traffic = Traffic(
                max_in_flight=self.settings.max_in_flight,
                patience_s=self.settings.patience_s,
                requests_per_minute=self.settings.requests_per_minute,
                tokens_per_minute=self.settings.tokens_per_minute,
                clock=self._clock,
                rng=self._rng,
            )
            self._lines[loop] = _Line(Wire(self.settings, self.access), traffic)
        return self._lines[loop]

    async def _probe(self, line: _Line, model: str) -> Capabilities:
        async def post(messages: Sequence[JSON], **request: Any) -> JSON:
            return (await self._post(_Question("probe", model, messages, None, (), None, ""), messages, request))[0]

        return await probe(post, line.traffic.clock)

    async def _choose_modes(self, question: _Question) -> tuple[Mode, ...]:
        if question.shape is None:
            return ("native",) if question.tools else ("plain",)
        if self.settings.structured != "auto":
            return (self.settings.structured,)
        modes = (await self.capabilities(question.model)).structured_modes()
        if not self._refused:
            return modes
        print_ = _fingerprint(question.shape)
        return tuple(mode for mode in modes if (question.model, mode, print_) not in self._refused)

    async def _converse(self, question: _Question, mode: Mode) -> Completion:
        """Ask in one mode until an answer holds; raises `GaveUp` and `ModelOutputError`."""
        shape, attempts = question.shape, question.attempts
        asked, request = list(question.messages), {}
        if shape is not None:
            structured = cast("StructuredMode", mode)
            asked, request = shape.instruct(asked, structured), shape.build_request(structured)
        elif question.tools:
            request = {"tools": list(question.tools)}
        for _ in range(self.settings.max_repairs + 1):
            body, usage = await self._post(question, asked, request)
            reply = read_reply(body, _list_ids(asked))
            value, problem = _judge(question, reply)
            attempt = Attempt(mode=mode, text=reply.text, calls=reply.calls, reasoning=reply.reasoning, problem=problem)
            attempts.append(attempt.model_copy(update={"usage": usage}))
            if problem is None:
                calls = () if shape else reply.calls
                total = sum((a.usage for a in attempts), Usage())
                return Completion(reply.text, calls, value, reply.reasoning, total, tuple(attempts))
            asked = append_failure(asked, reply, problem, structured=shape is not None)
        raise ModelOutputError(
            f"{question.role} ({question.model}): no usable answer in {len(attempts)} attempts; the last: {problem}",
            attempts,
        )

    async def _post(self, question: _Question, messages: Sequence[JSON], request: JSON) -> tuple[JSON, Usage]:
        """Send one request at the pace of the traffic, within the budget, and enter it in the ledger."""
        line = self._find_line()
        role, model = question.role, question.model
        prompt = estimate_tokens([*messages, request])
        completion = self.ledger.expect_completion(role)
        if self.settings.max_answer_tokens is not None:
            completion = min(completion, self.settings.max_answer_tokens)

        async def call() -> tuple[JSON, Usage]:
            with self.budget.reserve(model, prompt, completion):
                body = await line.wire.post(model, messages, role=role, **request)
                written = estimate_tokens(_read_written(body))
                return body, self.ledger.add(role, model, read_usage(body, prompt, written), question.dialogue)

        body, usage = await line.traffic.send(call, tokens=prompt + completion)
        line.traffic.correct(usage.tokens - prompt - completion)
        return body, usage

    def _blame(self, exc: GaveUp, model: str) -> Exception:
        return blame(exc.fault, self.access, model, tries=exc.tries, seconds=exc.seconds)


def _judge(question: _Question, reply: Reply) -> tuple[Any, str | None]:
    """Return the value of a reply (None without a schema) and what is wrong with it."""
    if reply.fault is not None:
        return None, reply.fault
    value: Any = None
    if question.shape is not None:
        try:
            value = question.shape.read(reply)
        except UnfitError as exc:
            return None, str(exc)
    elif problem := _complain(question, reply):
        return None, problem
    said = question.check(reply if question.shape is None else value) if question.check else None
    return value, said


def _complain(question: _Question, reply: Reply) -> str | None:
    """Say what is wrong with text and calls as such."""
    if not reply.text.strip() and not reply.calls:
        return "the answer is empty"
    names = [tool["function"]["name"] for tool in question.tools]
    known = f"the tools are {', '.join(names)}" if names else "there are no tools here, answer in words"
    problems = []
    for call in reply.calls:
        if call.name not in names:
            problems.append(f"there is no tool {call.name!r}; {known}")
        elif call.parse_error is not None:
            problems.append(f"the arguments of {call.name!r} are {call.parse_error}")
    return "; ".join(problems) or None


def _list_ids(messages: Sequence[JSON]) -> set[str]:
    return {call["id"] for message in messages for call in message.get("tool_calls") or ()}


def _read_written(body: JSON) -> Any:
    reply = read_reply(body)
    return reply.text + reply.reasoning + "".join(call.name + call.raw for call in reply.calls)


def _fingerprint(shape: Shape | None) -> str:
    return json.dumps(shape.sent_schema, sort_keys=True) if shape else ""
