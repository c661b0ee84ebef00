"""The engine of several processes on this machine: dialogues go to the least busy worker, and on when one dies."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from toolflow_graph.dataset import record_of
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.errors import RunError
from toolflow_graph.live.executions import name_executions
from toolflow_graph.models.ledger import Account
from toolflow_graph.runner.database import Database
from toolflow_graph.runner.engine import Drained, Finished, Place
from toolflow_graph.runner.folder import RunFolder, name_checkpoints
from toolflow_graph.runner.frames import make_frame, read_frame
from toolflow_graph.runner.manifest import fingerprint_catalog
from toolflow_graph.runner.worker import Assignment
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import Finding, Pattern

__all__ = ["ProcessEngine", "share_settings"]

_DEATHS = 5
"""Times that a worker may die without having finished a dialogue before it is not started again; when all together
have died so often for each of them, the machine is at fault and no dialogue."""

_SUSPECT, _GUILTY = 2, 4
"""Deaths that a dialogue was in flight at: from so many on it is played alone, after so many it is given up."""

_END_S = 20.0


@dataclass(eq=False)
class _Order:
    """A dialogue that somebody waits for."""

    index: int
    patterns: tuple[Pattern, ...]
    source: Place | None
    done: "asyncio.Future[Finished]"
    deaths: int = 0


@dataclass(eq=False)
class _Worker:
    """A process and what it has to do; `deaths` counts those since it finished a dialogue, `alone` plays a suspect."""

    number: int
    settings: RunSettings
    place: Place | None
    lanes: int
    process: asyncio.subprocess.Process | None = None
    orders: dict[int, _Order] = field(default_factory=dict)
    reserved: dict[int, ExitStack] = field(default_factory=dict)
    ready: bool = False
    alone: bool = False
    deaths: int = 0

    def tell(self, *message: Any) -> None:
        """Send a message; one that has died is noticed elsewhere."""
        assert self.process is not None and self.process.stdin is not None  # noqa: S101, PT018 - it was started
        with suppress(OSError, RuntimeError):
            self.process.stdin.write(make_frame(message))


def share_settings(settings: RunSettings, workers: int) -> list[RunSettings]:
    """Return the settings of each worker: the pace of the whole run is divided, its budget is not theirs to keep.

    A run that may have fewer requests in flight than there are workers has fewer workers.
    """
    models = settings.models
    if not settings.roles:
        return [settings] * workers
    workers = min(workers, models.max_in_flight)
    shares = []
    for number in range(workers):
        part: dict[str, Any] = {
            "max_in_flight": models.max_in_flight // workers + (number < models.max_in_flight % workers),
            "max_cost": None,
            "max_tokens": None,
        }
        for pace in ("requests_per_minute", "tokens_per_minute"):
            whole = getattr(models, pace)
            part[pace] = None if whole is None else whole / workers
        shares.append(settings.model_copy(update={"models": models.model_copy(update=part)}))
    return shares


class ProcessEngine:
    """Plays in as many processes as the settings have workers.

    Where one dies, what it had in flight goes to another one, which goes on from the last checkpoint. A dialogue that
    was in flight twice when one died is played alone in a process, and is rejected when that dies too, twice.
    """

    def __init__(
        self,
        settings: RunSettings,
        stage: Stage,
        folder: RunFolder | None,
        account: Account | None = None,
        database: Database | None = None,
    ) -> None:
        self._settings = settings
        self._stage = stage
        self._folder = folder
        self._account = account
        self._database = database
        self._catalog_sha256 = fingerprint_catalog(stage.catalog)
        self._workers = [self._describe(n, s) for n, s in enumerate(share_settings(settings, settings.workers))]
        self._waiting: deque[_Order] = deque()
        self._where: dict[int, _Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._stopped = self._ending = False
        self._fruitless = 0

    @property
    def lanes(self) -> int:
        """Dialogues in flight over all processes."""
        return sum(worker.lanes for worker in self._workers)

    @property
    def processes(self) -> list[int]:
        """Ids of the processes that play."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    def _describe(self, number: int, settings: RunSettings) -> _Worker:
        kept = self._folder is not None and settings.keeping != "none"
        place: Place | None = self._database
        if place is None and self._folder is not None and kept:
            place = self._folder.path / name_checkpoints(number)
        return _Worker(number, settings, place, settings.lanes)

    async def __aenter__(self) -> Self:
        for worker in self._workers:
            self._begin(worker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        for worker in self._workers:
            if worker.process is None:
                continue
            if exc is None and worker.ready:
                worker.tell("end")
            else:
                _kill(worker)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_END_S)
        for worker in self._workers:
            _kill(worker)
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def play(self, index: int, patterns: Sequence[Pattern], source: Place | None = None) -> Finished:
        """Have a dialogue played by the worker that has the least to do."""
        if self._failure is not None:
            raise self._failure
        if self._stopped:
            raise Drained
        order = _Order(index, tuple(patterns), source, asyncio.get_running_loop().create_future())
        self._waiting.append(order)
        self._assign()
        return await order.done

    def stop(self) -> None:
        """Let every dialogue in flight finish its step and save it."""
        self._stopped = True
        while self._waiting:
            _settle(self._waiting.popleft(), Drained())
        for worker in self._workers:
            if worker.process is not None:
                worker.tell("stop")

    async def forget(self, indices: Iterable[int]) -> None:
        """Have the checkpoints of these dialogues deleted by the workers that hold them."""
        by_worker: dict[_Worker, list[int]] = {}
        for index in indices:
            worker = self._where.get(index)
            if worker is not None:
                by_worker.setdefault(worker, []).append(index)
        for worker, mine in by_worker.items():
            if worker.process is not None:
                worker.tell("forget", mine)
            for index in mine:
                del self._where[index]

    def _begin(self, worker: _Worker) -> None:
        task = asyncio.create_task(self._tend(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tend(self, worker: _Worker) -> None:
        """Keep a worker alive for as long as that makes sense."""
        while not self._ending and not self._stopped and self._failure is None:
            try:
                worker.process = await self._start()
                if self._ending:
                    _kill(worker)
                worker.tell(self._brief(worker))
                await self._listen(worker)
                code = await worker.process.wait()
            except BaseException as exc:  # noqa: BLE001 - the disk under the spending, a worker that cannot start
                self._fail(exc)
                _kill(worker)
                return
            finally:
                worker.ready = False
            if self._ending:
                return
            self._bury(worker, code)
            if self._fruitless >= _DEATHS * self._settings.workers:
                self._fail(RunError(self._mourn(code)))
                return
            if worker.deaths >= _DEATHS and len(self._workers) > 1:
                self._workers.remove(worker)
                return
        for order in [*worker.orders.values()]:
            _settle(order, Drained())

    async def _start(self) -> asyncio.subprocess.Process:
        script = f"import sys; sys.path[:] = {sys.path!r}; from toolflow_graph.runner.worker import main; main()"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            script,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is the run's to answer
            pass_fds=() if self._folder is None else (self._folder.lock,),  # as long as one lives, nobody else works
            env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
        )

    def _brief(self, worker: _Worker) -> Assignment:
        client = self._stage.client
        return Assignment(
            settings=worker.settings,
            place=worker.place,
            note=None if self._folder is None else self._folder.path / name_executions(worker.number),
            catalog_sha256=self._catalog_sha256,
            prompts_sha256=self._stage.prompts.fingerprint(),
            known={} if client is None else client.known,
        )

    async def _listen(self, worker: _Worker) -> None:
        """Take what a worker says until it is gone."""
        assert worker.process is not None and worker.process.stdout is not None  # noqa: S101, PT018 - it was started
        while (message := await read_frame(worker.process.stdout)) is not None:
            match message:
                case ("finished", index, finished):
                    worker.deaths = self._fruitless = 0
                    self._close(worker, index, finished)
                case ("drained", index):
                    self._close(worker, index, Drained())
                case ("failed", None, exc):
                    self._fail(exc)
                case ("failed", index, exc):
                    self._close(worker, index, exc)
                case ("ready",):
                    worker.ready = True
                    if self._stopped:
                        worker.tell("stop")
                    self._assign()
                case _:
                    self._account_for(worker, message)

    def _close(self, worker: _Worker, index: int, result: Finished | BaseException) -> None:
        order = worker.orders.pop(index)
        worker.alone = False
        if isinstance(result, Finished) and worker.place is not None and self._settings.keeping == "journal":
            self._where[index] = worker
        _settle(order, result)
        self._assign()

    def _account_for(self, worker: _Worker, message: tuple[Any, ...]) -> None:
        """Keep the budget and the account of the run for a worker."""
        assert self._account is not None  # noqa: S101 - only models cost
        match message:
            case ("reserve", number, model, prompt, completion):
                held = ExitStack()
                try:
                    held.enter_context(self._account.budget.reserve(model, prompt, completion))
                except Exception as exc:  # noqa: BLE001 - raised where it was asked
                    worker.tell("answer", number, exc)
                else:
                    worker.reserved[number] = held
                    worker.tell("answer", number, None)
            case ("release", number):
                worker.reserved.pop(number, ExitStack()).close()
            case ("expense", expense):
                self._account.ledger.write(expense)

    def _assign(self) -> None:
        """Give dialogues that wait to workers with a free lane."""
        for _ in range(len(self._waiting)):
            order = self._waiting.popleft()
            if order.done.done():
                continue
            worker = self._choose(order)
            if worker is None:
                self._waiting.append(order)
                continue
            worker.orders[order.index] = order
            worker.alone = order.deaths >= _SUSPECT
            worker.tell("play", order.index, order.patterns, order.source)

    def _choose(self, order: _Order) -> _Worker | None:
        lanes = 1 if order.deaths >= _SUSPECT else None  # there is always an idle worker by the end of the run
        free = [w for w in self._workers if w.ready and not w.alone and len(w.orders) < (lanes or w.lanes)]
        return min(free, key=lambda worker: len(worker.orders), default=None)

    def _bury(self, worker: _Worker, code: int) -> None:
        """Pass on what a worker that has died had in hand."""
        self._fruitless += 1
        worker.deaths += not worker.alone
        worker.alone = False
        for held in worker.reserved.values():
            held.close()
        worker.reserved.clear()
        orders, worker.orders = worker.orders, {}
        for order in orders.values():
            order.deaths += 1
            order.source = worker.place
            if self._stopped:
                _settle(order, Drained())
            elif order.deaths >= _GUILTY:
                _settle(order, self._give_up(order, code))
            else:
                self._waiting.append(order)
        self._assign()

    def _give_up(self, order: _Order, code: int) -> Finished:
        message = f"the process that played it alone died {_GUILTY - _SUSPECT} times, the last time {_name_end(code)}"
        settings = self._settings.dialogue()
        finding = Finding(check="crash", message=message).model_dump()
        state: Any = {"index": order.index, "patterns": list(order.patterns), "findings": [finding]}
        return Finished.of(record_of(state, settings, self._stage))

    def _mourn(self, code: int) -> str:
        kept = "" if self._folder is None else f"; all finished dialogues are kept: --resume {self._folder.path}"
        return (
            f"workers died {self._fruitless} times without finishing a dialogue, the last time {_name_end(code)}; look "
            f"at the machine's memory, or play with fewer --workers or a lower --concurrency{kept}"
        )

    def _fail(self, exc: BaseException) -> None:
        """End the run: everyone who waits is told."""
        self._failure = self._failure or exc
        orders = [*self._waiting, *(order for worker in self._workers for order in worker.orders.values())]
        self._waiting.clear()
        for order in orders:
            _settle(order, self._failure)


def _settle(order: _Order, result: Finished | BaseException) -> None:
    if order.done.done():  # nobody waits any more
        return
    if isinstance(result, Finished):
        order.done.set_result(result)
    else:
        order.done.set_exception(result)


def _kill(worker: _Worker) -> None:
    if worker.process is not None and worker.process.returncode is None:
        with suppress(ProcessLookupError):
            worker.process.kill()


def _name_end(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
