"""A worker: a process that plays dialogues for a run, told through its standard input, answering on its output.

It has an engine of its own, and a file of checkpoints where it can reach the run's folder. The run's files, its budget
and its account of spending are with the process that started it: every request to a model is allowed there first, and
entered there before the next one.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.errors import RunError
from toolflow_graph.models.ledger import Account, Ledger
from toolflow_graph.models.prices import load_prices
from toolflow_graph.models.probe import Capabilities
from toolflow_graph.models.settings import ModelSettings
from toolflow_graph.runner.engine import Drained, Place, Source
from toolflow_graph.runner.frames import make_frame, make_portable, read_frame
from toolflow_graph.runner.local import LocalEngine
from toolflow_graph.runner.manifest import fingerprint_catalog
from toolflow_graph.runner.play import is_starved
from toolflow_graph.runner.relayed_checkpoints import Relay
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import Pattern

__all__ = ["Assignment", "LineToRun", "main", "serve"]

_Hear = Callable[[], Awaitable[tuple[Any, ...] | None]]

_ORPHANED = 1
"""Exit code of a worker whose run is gone."""

_OUT_OF_MEMORY = 137
"""Exit code, as shells have it of a process that the system has killed."""


@dataclass(frozen=True)
class Assignment:
    """What a worker is started with: settings with its share of the pace, and what must be the same as in the run.

    Checkpoints go to `place`, or where that is None through the run (`relayed`), or are not made.
    """

    settings: RunSettings
    place: Place | None
    relayed: bool
    note: Path | None
    catalog_sha256: str
    prompts_sha256: str
    known: Mapping[str, Capabilities]


class LineToRun:
    """The way to the run: messages go out in order, questions are answered."""

    def __init__(self, send: Callable[[tuple[Any, ...]], None]) -> None:
        self._send = send
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[None]] = {}

    def tell(self, *message: Any) -> None:
        """Send a message; it is on its way when this returns."""
        self._send(message)

    async def ask(self, *question: Any) -> int:
        """Ask for something and wait until it is granted; returns its number, raises what the run raised."""
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self.tell(question[0], number, *question[1:])
            await answer
        finally:
            del self._asked[number]
        return number

    def answer(self, number: int, exc: BaseException | None) -> None:
        """Pass on what the run answered; who asked may be gone."""
        answer = self._asked.get(number)
        if answer is None or answer.done():
            if exc is None:
                self.tell("release", number)
        elif exc is None:
            answer.set_result(None)
        else:
            answer.set_exception(exc)


class _RemoteAccount(Account):
    """An account whose budget is kept by the run: nothing is asked of a model before it was allowed there."""

    def __init__(self, settings: ModelSettings, line: LineToRun) -> None:
        super().__init__(
            settings, Ledger(load_prices(settings.prices), keep=lambda expense: line.tell("expense", expense))
        )
        self._line = line

    @asynccontextmanager
    async def reserve(self, model: str, prompt: int, completion: int) -> AsyncIterator[None]:
        number = await self._line.ask("reserve", model, prompt, completion)
        try:
            yield
        finally:
            self._line.tell("release", number)


def _load(given: Assignment) -> Stage:
    stage = load_stage(given.settings)
    same = fingerprint_catalog(stage.catalog) == given.catalog_sha256
    if not same or stage.prompts.fingerprint() != given.prompts_sha256:
        changed = "prompts" if same else "catalog"
        raise RunError(f"the {changed} changed while workers were started; finished dialogues are kept: resume the run")
    if stage.client is not None:
        stage.client.learn(given.known)
    return stage


async def serve(line: LineToRun, hear: _Hear) -> None:
    """Do what the run says until it says no more; `hear` waits for its next message."""
    opening = await hear()
    if opening is None:
        return
    (given,) = opening
    stage = await asyncio.to_thread(_load, given)
    account = None if stage.client is None else _RemoteAccount(given.settings.models, line)
    playing: set[asyncio.Task[None]] = set()
    place = Relay(partial(line.tell, "save")) if given.relayed else given.place
    async with LocalEngine(given.settings, stage, place=place, note=given.note, account=account) as engine:
        line.tell("ready")
        while (message := await hear()) is not None:
            match message:
                case ("play", index, patterns, source):
                    task = asyncio.create_task(_play(line, engine, index, patterns, source))
                    playing.add(task)
                    task.add_done_callback(playing.discard)
                case ("answer", number, exc):
                    line.answer(number, exc)
                case ("forget", indices):
                    await engine.forget(indices)
                case ("stop",):
                    engine.stop()
                case _:
                    break
        if message is None:  # the run is gone, and another process may go on with it at any moment
            os._exit(_ORPHANED)


async def _play(
    line: LineToRun, engine: LocalEngine, index: int, patterns: Sequence[Pattern], source: Source | None
) -> None:
    try:
        finished = await engine.play(index, patterns, source)
    except Drained:
        line.tell("drained", index)
    except Exception as exc:  # noqa: BLE001 - raised again in the run
        _die_starved(exc)
        line.tell("failed", index, make_portable(exc))
    else:
        line.tell("finished", index, finished)


async def _work(line: LineToRun) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_answer_loop)  # a pipe that cannot be read for want of memory would be read for ever
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        await serve(line, partial(read_frame, reader))
    except Exception as exc:  # noqa: BLE001 - raised again in the run
        _die_starved(exc)
        line.tell("failed", None, make_portable(exc))


def _answer_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    exc = context.get("exception")
    if exc is not None:
        _die_starved(exc)
    loop.default_exception_handler(context)


def _die_starved(exc: BaseException) -> None:
    """End as if the system had ended it where memory is out: others go on with what it has in hand."""
    if is_starved(exc):
        os._exit(_OUT_OF_MEMORY)


def main() -> None:
    """Be a worker until the run ends; what anything prints goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to answer
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def send(message: tuple[Any, ...]) -> None:
        try:
            out.write(make_frame(message))
            out.flush()
        except BrokenPipeError:  # the run is gone, as in `serve`; dialogues in flight need not hear of it
            os._exit(_ORPHANED)

    try:
        asyncio.run(_work(LineToRun(send)))
    except Exception as exc:
        _die_starved(exc)
        raise
