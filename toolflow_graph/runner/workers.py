"""What engines of several workers share: dialogues go to the least busy one, and to another when it dies."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from toolflow_graph.dataset import record_of
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.errors import RunError
from toolflow_graph.models.ledger import Account
from toolflow_graph.runner.engine import Drained, Finished, Place, Source
from toolflow_graph.runner.manifest import fingerprint_catalog
from toolflow_graph.runner.worker import Assignment
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import Finding, Pattern

__all__ = ["Line", "Worker", "WorkerEngine", "share_settings"]

_DEATHS = 5
"""Times that a worker may die without having finished a dialogue before it is not started again; when all together
have died so often for each of them, the machine is at fault and no dialogue."""

_SUSPECT, _GUILTY = 2, 4
"""Deaths that a dialogue was in flight at: from so many on it is played alone, after so many it is given up."""

_END_S = 20.0


class Line(Protocol):
    """The way to a worker, whatever it is and wherever."""

    def tell(self, *message: Any) -> None:
        """Send a message; a worker that has died is noticed elsewhere."""
        ...

    async def hear(self) -> tuple[Any, ...] | None:
        """Return the next message, None when the worker is gone."""
        ...

    async def find_end(self) -> str:
        """Say how a worker that is gone has ended."""
        ...

    def cut(self) -> None:
        """End the worker at once, if it lives."""
        ...


@dataclass(eq=False)
class _Order:
    """A dialogue that somebody waits for."""

    index: int
    patterns: tuple[Pattern, ...]
    source: Source | None
    done: "asyncio.Future[Finished]"
    deaths: int = 0


@dataclass(eq=False)
class Worker:
    """A worker and what it has to do; `deaths` counts those since it finished a dialogue, `alone` plays a suspect."""

    number: int
    settings: RunSettings
    place: Place | None
    note: Path | None
    lanes: int
    line: Line | None = None
    orders: dict[int, _Order] = field(default_factory=dict)
    reserved: dict[int, ExitStack] = field(default_factory=dict)
    ready: bool = False
    alone: bool = False
    deaths: int = 0

    def tell(self, *message: Any) -> None:
        """Send a message, if there is anybody."""
        if self.line is not None:
            self.line.tell(*message)

    def kill(self) -> None:
        """End it at once, if it lives."""
        if self.line is not None:
            self.line.cut()


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


class WorkerEngine:
    """Plays with as many workers as the settings have; what a worker is, the subclass decides.

    Where one dies, what it had in flight goes to another one, which goes on from the last checkpoint. A dialogue that
    was in flight twice when one died is played alone in a worker, and is rejected when that dies too, twice.
    """

    def __init__(
        self,
        settings: RunSettings,
        stage: Stage,
        account: Account | None = None,
        *,
        places: Callable[[int], tuple[Place | None, Path | None]],
        where: Path | None = None,
    ) -> None:
        self._settings = settings
        self._stage = stage
        self._account = account
        self._folder_path = where
        self._catalog_sha256 = fingerprint_catalog(stage.catalog)
        self._workers = [
            Worker(number, share, *places(number), share.lanes)
            for number, share in enumerate(share_settings(settings, settings.workers))
        ]
        self._waiting: deque[_Order] = deque()
        self._where: dict[int, Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._stopped = self._ending = False
        self._fruitless = 0
        self._relays = False
        """Whether workers send their checkpoints here."""

    @property
    def lanes(self) -> int:
        """Dialogues in flight over all workers."""
        return sum(worker.lanes for worker in self._workers)

    async def __aenter__(self) -> Self:
        for worker in self._workers:
            self._begin(worker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        for worker in self._workers:
            if exc is None and worker.ready:
                worker.tell("end")
            else:
                worker.kill()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_END_S)
        for worker in self._workers:
            worker.kill()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def play(self, index: int, patterns: Sequence[Pattern], source: Source | None = None) -> Finished:
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
            worker.tell("stop")

    async def forget(self, indices: Iterable[int]) -> None:
        """Have the checkpoints of these dialogues deleted by the workers that hold them."""
        by_worker: dict[Worker, list[int]] = {}
        for index in indices:
            worker = self._where.get(index)
            if worker is not None:
                by_worker.setdefault(worker, []).append(index)
        for worker, mine in by_worker.items():
            worker.tell("forget", mine)
            for index in mine:
                del self._where[index]

    def _begin(self, worker: Worker) -> None:
        task = asyncio.create_task(self._tend(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tend(self, worker: Worker) -> None:
        """Keep a worker alive for as long as that makes sense."""
        while not self._ending and not self._stopped and self._failure is None:
            try:
                end = await self._attend(worker)
                if self._ending:
                    return
                await self._bury(worker, end)
            except BaseException as exc:  # noqa: BLE001 - the disk under the spending, a worker that cannot start
                self._fail(exc)
                worker.kill()
                return
            if self._fruitless >= _DEATHS * self._settings.workers:
                self._fail(RunError(self._mourn(end)))
                return
            if worker.deaths >= _DEATHS and len(self._workers) > 1:
                self._workers.remove(worker)
                return
        for order in [*worker.orders.values()]:
            _settle(order, Drained())

    async def _attend(self, worker: Worker) -> str:
        """Start a worker and hear it until it is gone; returns how it ended."""
        try:
            worker.line = await self._open_line(worker)
            if self._ending:
                worker.kill()
            await self._listen(worker, worker.line)
            return await worker.line.find_end()
        finally:
            worker.ready = False

    async def _open_line(self, worker: Worker) -> Line:
        """Start a worker and give it its assignment; it says itself when it is ready."""
        raise NotImplementedError

    def _brief(self, worker: Worker) -> Assignment:
        client = self._stage.client
        return Assignment(
            settings=worker.settings,
            place=worker.place,
            relayed=self._relays,
            note=worker.note,
            catalog_sha256=self._catalog_sha256,
            prompts_sha256=self._stage.prompts.fingerprint(),
            known={} if client is None else client.known,
        )

    async def _listen(self, worker: Worker, line: Line) -> None:
        """Take what a worker says until it is gone."""
        while (message := await line.hear()) is not None:
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

    def _close(self, worker: Worker, index: int, result: Finished | BaseException) -> None:
        order = worker.orders.pop(index)
        worker.alone = False
        if isinstance(result, Finished) and worker.place is not None and self._settings.keeping == "journal":
            self._where[index] = worker
        _settle(order, result)
        self._assign()

    def _account_for(self, worker: Worker, message: tuple[Any, ...]) -> None:
        """Keep what the run keeps for a worker: budget and account."""
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

    def _choose(self, order: _Order) -> Worker | None:
        lanes = 1 if order.deaths >= _SUSPECT else None  # there is always an idle worker by the end of the run
        free = [w for w in self._workers if w.ready and not w.alone and len(w.orders) < (lanes or w.lanes)]
        return min(free, key=lambda worker: len(worker.orders), default=None)

    async def _find_source(self, worker: Worker, index: int) -> Source | None:  # noqa: ARG002 - a subclass asks
        """Return where a dialogue that a worker had in hand goes on from."""
        return worker.place

    async def _bury(self, worker: Worker, end: str) -> None:
        """Pass on what a worker that has died had in hand."""
        self._fruitless += 1
        worker.deaths += not worker.alone
        worker.alone = False
        for held in worker.reserved.values():
            held.close()
        worker.reserved.clear()
        for index in [*worker.orders]:
            source = await self._find_source(worker, index)
            order = worker.orders.pop(index)
            order.deaths += 1
            order.source = source
            if self._stopped:
                _settle(order, Drained())
            elif order.deaths >= _GUILTY:
                _settle(order, self._give_up(order, end))
            else:
                self._waiting.append(order)
        self._assign()

    def _give_up(self, order: _Order, end: str) -> Finished:
        message = f"the process that played it alone died {_GUILTY - _SUSPECT} times, the last time {end}"
        settings = self._settings.dialogue()
        finding = Finding(check="crash", message=message).model_dump()
        state: Any = {"index": order.index, "patterns": list(order.patterns), "findings": [finding]}
        return Finished.of(record_of(state, settings, self._stage))

    def _mourn(self, end: str) -> str:
        kept = "" if self._folder_path is None else f"; all finished dialogues are kept: --resume {self._folder_path}"
        return (
            f"workers died {self._fruitless} times without finishing a dialogue, the last time {end}; look "
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
