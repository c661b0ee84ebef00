"""The engine of a Ray cluster: workers on any of its machines, each an actor that needs a CPU.

The run stays where it was started: it decides what is played, keeps the budget and alone writes files. An actor is a
worker like those beside the run (`worker.py`); messages are arguments and results of its methods, which go from process
to process and are not kept by the cluster. What is secret is in no message: an actor finds keys of models and the
password of the database in the environment of its machine, under the names that the settings give.

Checkpoints are in a database that all reach, or an actor sends what it has to save along with its other messages, and
the run keeps it in a file of its own: then a dialogue that goes on elsewhere is sent there with its steps.

Ray's own restarts are not used. The engine replaces an actor that died, because it has to know what was in flight: that
is played on by another one.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from toolflow_graph.dataset import dialogue_id
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.errors import RunError
from toolflow_graph.models.ledger import Account
from toolflow_graph.runner.checkpoints import GroupSaver, open_checkpoints
from toolflow_graph.runner.database import Database
from toolflow_graph.runner.engine import Finished, Source, Steps
from toolflow_graph.runner.folder import name_checkpoints
from toolflow_graph.runner.frames import make_portable
from toolflow_graph.runner.worker import LineToRun, serve
from toolflow_graph.runner.workers import Line, Worker, WorkerEngine
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import Pattern

try:
    import ray
    from ray.exceptions import RayError
except ImportError as exc:
    raise RunError(
        f"a Ray cluster needs a package that is not installed ({exc.name}); get it with: "
        "pip install 'toolflow-graph[ray]'"
    ) from exc

__all__ = ["RayEngine"]

_CONNECT_S = 10

_Message = tuple[Any, ...]


class _Actor:
    """The worker's end: takes messages in the order of their numbers, gives out those that have gathered."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[_Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[_Message | None] = asyncio.Queue()
        self._early: dict[int, _Message] = {}
        self._due = 0
        self._work: asyncio.Task[None] | None = None

    async def tell(self, number: int, message: _Message) -> None:
        """Take a message; calls may overtake each other."""
        self._early[number] = message
        while self._due in self._early:
            self._inbox.put_nowait(self._early.pop(self._due))
            self._due += 1
        if self._work is None:
            self._work = asyncio.create_task(self._serve())

    async def hear(self) -> list[_Message | None]:
        """Wait for messages to the run; None stands for the end."""
        gathered = [await self._outbox.get()]
        while not self._outbox.empty():
            gathered.append(self._outbox.get_nowait())
        return gathered

    async def _serve(self) -> None:
        line = LineToRun(self._outbox.put_nowait)
        try:
            await serve(line, self._inbox.get)
        except Exception as exc:  # noqa: BLE001 - raised again in the run
            line.tell("failed", None, make_portable(exc))
        self._outbox.put_nowait(None)


class _Call:
    """The way to an actor; implements `Line`."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._number = 0
        self._heard: list[_Message | None] = []
        self._end = "in good order"

    def tell(self, *message: Any) -> None:
        with suppress(RayError):
            self._actor.tell.remote(self._number, message)
        self._number += 1

    async def hear(self) -> _Message | None:
        if not self._heard:
            try:
                self._heard = (await self._actor.hear.remote())[::-1]
            except RayError as exc:
                self._end = f"by {type(exc).__name__}"
                self.cut()
                return None
        return self._heard.pop()

    async def find_end(self) -> str:
        return self._end

    def cut(self) -> None:
        with suppress(RayError):
            ray.kill(self._actor)


class RayEngine(WorkerEngine):
    """Plays in actors of a cluster.

    Without an address it is the cluster that `RAY_ADDRESS` names or that runs on this machine, else one that begins and
    ends with the engine. Every machine needs the package, and the catalog, prompts and encoder under the same paths;
    that catalog and prompts are the same is checked.
    """

    def __init__(
        self,
        settings: RunSettings,
        stage: Stage,
        account: Account | None,
        database: Database | None,
        where: Path | None,
    ) -> None:
        super().__init__(settings, stage, account, places=lambda _: (database, None), where=where)
        self._file = where / name_checkpoints() if where and not database and settings.keeping != "none" else None
        self._relays = self._file is not None
        self._saver: GroupSaver | None = None
        self._open = AsyncExitStack()
        self._unsaved: BaseException | None = None
        self._actor = ray.remote(num_cpus=1, max_restarts=0)(_Actor)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if not ray.is_initialized():
                # in the main thread Ray would take SIGTERM
                await asyncio.to_thread(_connect, self._settings.ray_address)
                stack.push_async_callback(asyncio.to_thread, ray.shutdown)
            if self._file is not None:
                self._saver = await stack.enter_async_context(open_checkpoints(self._file))
            await super().__aenter__()
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._open:
            await super().__aexit__(kind, exc, trace)
        if exc is None and self._unsaved is not None:
            raise self._unsaved

    async def play(self, index: int, patterns: Sequence[Pattern], source: Source | None = None) -> Finished:
        """Have a dialogue played by the actor that has the least to do, which is sent what lies on this machine."""
        if isinstance(source, Path):
            source = await self._read_steps(index, source)
        return await super().play(index, patterns, source)

    async def forget(self, indices: Iterable[int]) -> None:
        """Delete the checkpoints of these dialogues, here or where they are."""
        if self._saver is None:
            await super().forget(indices)
        else:
            await self._saver.forget(map(self._name_thread, indices))

    def _account_for(self, worker: Worker, message: _Message) -> None:
        match message:
            case ("save", change, rows):
                assert self._saver is not None  # noqa: S101 - nobody was told to send steps otherwise
                self._saver.take(change, rows).add_done_callback(self._note_saved)
            case _:
                super()._account_for(worker, message)

    def _note_saved(self, saved: "asyncio.Future[None]") -> None:
        if (exc := saved.exception()) is not None and self._unsaved is None:
            self._unsaved = exc
            self._fail(exc)

    async def _find_source(self, worker: Worker, index: int) -> Source | None:
        if self._saver is None:
            return await super()._find_source(worker, index)
        return await self._read_steps(index, self._file)

    async def _read_steps(self, index: int, source: Path | None) -> Steps | None:
        """Return the steps of a dialogue, which are in the run's file from now on; None where there are none."""
        if self._saver is None:
            return None
        thread = self._name_thread(index)
        if source is not None and source != self._file:
            await self._saver.adopt(thread, source)
        self._saver.leave(thread)
        steps = await self._saver.read(thread)
        return steps if steps.checkpoints else None

    def _name_thread(self, index: int) -> str:
        return dialogue_id(self._settings.seed, index)

    async def _open_line(self, worker: Worker) -> Line:
        call = _Call(self._actor.remote())
        call.tell(self._brief(worker))
        return call


def _connect(address: str | None) -> None:
    """Join the cluster; Ray itself would wait for minutes where nobody answers."""
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address not in (None, "auto"):
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), _CONNECT_S).close()
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (RayError, OSError, RuntimeError, ValueError) as exc:
        said = " ".join(str(exc).split())
        where = "no cluster could be started here" if address is None else f"no Ray cluster answers at {address!r}"
        raise RunError(f"{where} ({said[:200]}); give the HOST:PORT that `ray start` has printed") from exc
