"""`ChatClient`: what an agent asks for goes out, and what comes back is checked, mended and paid for."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from toolflow_graph.errors import ModelOutputError
from toolflow_graph.models.access import find_access
from toolflow_graph.models.answers import Attempt, Completion, Mode, Reply, Usage, estimate_tokens, read_reply
from toolflow_graph.models.faults import ADDRESS, PASSING, blame, blame_request
from toolflow_graph.models.ledger import Account, Ledger, find_account, read_usage
from toolflow_graph.models.prices import load_prices
from toolflow_graph.models.probe import GREETING, Capabilities, probe
from toolflow_graph.models.settings import ModelSettings
from toolflow_graph.models.structured import Shape, StructuredMode, UnfitError, append_failure
from toolflow_graph.models.traffic import Clock, GaveUp, Traffic
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    from toolflow_graph.models.wire import Wire

__all__ = ["ChatClient", "Check"]

_GREETING_S = 10.0

Check = Callable[[Any], Awaitable[str | None] | str | None]
"""A caller's own check of an answer: of the value when a schema was given, else of the `Reply`; says what is wrong.

One that takes long is awaited.
"""


@dataclass(frozen=True)
class _Line:
    """What belongs to one event loop; probes run once, whoever asks for them."""

    wire: "Wire"
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
    price list. What is asked outside of a run (see `charge_to`) goes into the client's own `ledger`. Tests give a
    `clock` and a `rng` (for jitter) of their own.
    """

    def __init__(
        self,
        settings: ModelSettings,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.access = find_access(settings)
        self.ledger = Ledger(load_prices(settings.prices))
        self._own = Account(settings, self.ledger)
        self._clock = clock
        self._rng = rng
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()
        self._known: dict[str, Capabilities] = {}
        self._refused: set[tuple[str, str]] = set()

    async def complete(
        self,
        role: str,
        model: str,
        messages: Sequence[JSON],
        *,
        schema: type[BaseModel] | JSON | None = None,
        shared_schema: JSON | None = None,
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
            shared_schema: A schema for all answers of a conversation whose `schema` changes, see `Shape`.
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
        shape = None if schema is None else Shape(schema, shared_schema)
        question = _Question(role, model, messages, shape, tools or (), check, dialogue)
        ways = await self._find_ways(question)
        for mode, request in ways:
            try:
                return await self._converse(question, mode, request)
            except GaveUp as exc:
                gave_up = exc
            if gave_up.fault.kind != "refused" or mode == ways[-1][0]:
                break
            question.attempts.append(Attempt(mode=mode, problem=f"the endpoint refused: {gave_up.fault.said}"))
            self._refused.add((model, _fingerprint(request)))
        raise await self._judge_failure(gave_up, question)

    async def greet(self) -> None:
        """Try every model that may play, so that a wrong name, key or address shows before anything is spent.

        Raises as `complete` does.
        """
        await asyncio.gather(*(self.capabilities(model) for model in self.settings.models))

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

    @property
    def known(self) -> dict[str, Capabilities]:
        """What was found out about the models so far; another client of the same endpoint may `learn` it."""
        return dict(self._known)

    def learn(self, known: Mapping[str, Capabilities]) -> None:
        """Take over what another client has found out, so that nothing is tried twice."""
        self._known.update(known)

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

    def _find_account(self) -> Account:
        return find_account() or self._own

    def _find_line(self) -> _Line:
        loop = asyncio.get_running_loop()
        if loop not in self._lines:
            from toolflow_graph.models.wire import Wire  # noqa: PLC0415 - the OpenAI client takes a second

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

    async def _find_ways(self, question: _Question) -> list[tuple[Mode, JSON]]:
        """Return the modes to ask in, the best first, with the fields of a request that each takes."""
        shape, forced = question.shape, self.settings.structured
        if shape is None:
            return [("native", {"tools": list(question.tools)})] if question.tools else [("plain", {})]
        if forced != "auto" and (forced != "json_schema" or shape.shared is None):
            return [(forced, shape.build_request(forced))]
        model = question.model
        able = await self.capabilities(model)
        modes = able.structured_modes() if forced == "auto" else (forced,)
        ways: list[tuple[Mode, JSON]] = [(m, shape.build_request(m, in_prompt=able.schema_in_prompt)) for m in modes]
        if not self._refused:
            return ways
        return [(mode, request) for mode, request in ways if (model, _fingerprint(request)) not in self._refused]

    async def _converse(self, question: _Question, mode: Mode, request: JSON) -> Completion:
        """Ask in one mode until an answer holds; raises `GaveUp` and `ModelOutputError`."""
        shape, attempts = question.shape, question.attempts
        asked = list(question.messages)
        if shape is not None:
            asked = shape.instruct(asked, cast("StructuredMode", mode))
        for _ in range(self.settings.max_repairs + 1):
            body, usage = await self._post(question, asked, request)
            reply = read_reply(body, _list_ids(asked))
            value, problem = await _judge(question, reply)
            attempt = Attempt(mode=mode, text=reply.text, calls=reply.calls, reasoning=reply.reasoning, problem=problem)
            if problem is not None:
                usage = usage.model_copy(update={"refused": 1})
                self._find_account().ledger.refuse(question.role, question.model, question.dialogue)
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

    async def _post(
        self, question: _Question, messages: Sequence[JSON], request: JSON, patience_s: float | None = None
    ) -> tuple[JSON, Usage]:
        """Send one request at the pace of the traffic, within the budget, and enter it in the ledger."""
        line, account = self._find_line(), self._find_account()
        role, model = question.role, question.model
        prompt = estimate_tokens([*messages, request])
        completion = account.ledger.expect_completion(role)
        if self.settings.max_answer_tokens is not None:
            completion = min(completion, self.settings.max_answer_tokens)

        async def call() -> tuple[JSON, Usage]:
            async with account.reserve(model, prompt, completion):
                body = await line.wire.post(model, messages, role=role, **request)
                written = estimate_tokens(_read_written(body))
                return body, account.ledger.add(role, model, read_usage(body, prompt, written), question.dialogue)

        body, usage = await line.traffic.send(call, tokens=prompt + completion, patience_s=patience_s)
        line.traffic.correct(usage.tokens - prompt - completion)
        return body, usage

    async def _judge_failure(self, exc: GaveUp, question: _Question) -> Exception:
        """Return the error for a request that was given up: of this one alone if the model answers a greeting."""
        model = question.model
        passing = exc.fault.kind in PASSING and (exc.tries > 1 or exc.fault.kind not in ADDRESS)
        if passing and await self._answers_greeting(model):
            return blame_request(exc.fault, model, tries=exc.tries, seconds=exc.seconds)
        return self._blame(exc, model)

    async def _answers_greeting(self, model: str) -> bool:
        """Say whether a model answers the shortest of all requests, while another one has failed for long."""
        patience = min(_GREETING_S, self.settings.patience_s)
        try:
            await self._post(_Question("probe", model, GREETING, None, (), None, ""), GREETING, {}, patience)
        except GaveUp:
            return False
        return True

    def _blame(self, exc: GaveUp, model: str) -> Exception:
        return blame(exc.fault, self.access, model, tries=exc.tries, seconds=exc.seconds)


async def _judge(question: _Question, reply: Reply) -> tuple[Any, str | None]:
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
    return value, await said if isinstance(said, Awaitable) else said


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


def _fingerprint(request: JSON) -> str:
    return json.dumps(request, sort_keys=True)
