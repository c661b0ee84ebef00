"""A run: what was wanted, played by an engine, written down as it finishes."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from toolflow_graph.errors import ModelError, RunError, SettingsError
from toolflow_graph.models import ChatClient
from toolflow_graph.models.ledger import Account, charge_to
from toolflow_graph.runner.batch import Batch, Journal
from toolflow_graph.runner.build import Parts, begin_run, build_engine, reopen_run
from toolflow_graph.runner.costs import Costs, sum_costs
from toolflow_graph.runner.database import drop_run
from toolflow_graph.runner.engine import Engine, Finished
from toolflow_graph.runner.folder import RunFolder, blame_disk
from toolflow_graph.runner.manifest import Counts, now
from toolflow_graph.runner.processes import ProcessEngine
from toolflow_graph.runner.progress import Pace, Progress, Status, write_status
from toolflow_graph.runner.verdict import Verdict
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import DialogueRecord

__all__ = ["Run", "RunEvent"]

_STATUS_EVERY = 1.0


@dataclass(frozen=True)
class RunEvent:
    """Something happened: the run was opened (`record` is None), or a dialogue finished."""

    counts: Counts
    record: DialogueRecord | None = None


class Run:
    """A run that is about to be played: `start` or `resume` one, iterate `play`, and `close` it.

    `damages` tells, a line each, what was found damaged when it was resumed, and is made anew.
    """

    def __init__(self, parts: Parts) -> None:
        self.settings = parts.settings
        self.stage = parts.stage
        self.folder: RunFolder | None = parts.folder
        self.manifest = parts.manifest
        self.counts = parts.manifest.counts
        self.damages = parts.damages
        self.stopped = False
        self._parts = parts
        self._spending = parts.spending
        where = None if parts.folder is None else parts.folder.path
        self._verdict = Verdict(parts.settings.max_rejected, parts.settings.max_attempts, where)
        self._pace = Pace(self.counts)
        self._engine: Engine | None = None
        self._batch: Batch | None = None
        self._journal: Journal | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._tell: Callable[[RunEvent], None] = _tell_nobody
        self._began = time.monotonic()
        self._ended = False

    @classmethod
    def start(cls, settings: RunSettings, out: Path | None = None) -> Self:
        """Begin a new run in a folder, or in memory; raises `RunError` when the folder holds one or is not writable."""
        return cls(begin_run(settings, out))

    @classmethod
    def resume(
        cls,
        out: Path,
        *,
        concurrency: int | None = None,
        workers: int | None = None,
        engine: Literal["local", "ray"] | None = None,
        ray_address: str | None = None,
        models: Mapping[str, Any] | None = None,
    ) -> Self:
        """Open a run that was started before; finished dialogues are kept, the settings come from its manifest.

        `models` are changes of settings of models on which no dialogue depends, such as `max_cost` or `base_url`; they
        hold from now on. Raises `SettingsError` for other ones, and `RunError` when the folder is no run, its catalog
        or settings were changed, or it is in use.
        """
        return cls(
            reopen_run(
                out,
                concurrency=concurrency,
                workers=workers,
                engine=engine,
                ray_address=ray_address,
                models=models,
            )
        )

    @property
    def account(self) -> Account | None:
        """What the run has spent on models, None where none play."""
        return None if self._spending is None else self._spending.account

    def look(self) -> Progress:
        """Return how far the run is."""
        status: Status = "running"
        if self._ended:
            status = "interrupted" if self.stopped else "complete"
        elif self.stopped:
            status = "stopping"
        spent = None if self.account is None else self.account.ledger.total
        processes = tuple(self._engine.processes) if isinstance(self._engine, ProcessEngine) else ()
        return self._pace.look(status, self.counts, spent, processes)

    def stop(self) -> None:
        """Let every dialogue in flight finish the step that it is in, save it, and end the run there."""
        self.stopped = True
        if self._greeting is not None:
            self._greeting.cancel()
        if self._batch is not None:
            self._batch.stop()

    def close(self) -> None:
        """Write down how far the run came, and let go of its folder."""
        if self.folder is None:
            return
        if self._spending is not None:
            self._spending.close()
        if self._has_never_begun():
            if self._parts.database is not None:
                with suppress(RunError):
                    drop_run(self._parts.database)
            self.folder.discard()
        else:
            if self.manifest.status != "complete":
                with suppress(RunError):
                    self._note("interrupted")
            self.folder.close()
        self.folder = None

    def _has_never_begun(self) -> bool:
        """Say whether a new run failed by its models before any of them had played: there is nothing to go on with."""
        if self._parts.resumed or self._spending is None or not isinstance(self._failure, ModelError | SettingsError):
            return False
        return not self.counts.done and not self._spending.has_played()

    async def play(self, on_event: Callable[[RunEvent], None] | None = None) -> AsyncGenerator[DialogueRecord, None]:
        """Yield dialogues as they finish, rejected ones too; when all are there, bring the files into order.

        A rejected dialogue is replaced, so that as many are accepted as were wanted. Raises `RunError` when that cannot
        be: too large a share is rejected, a dialogue was given up, or the folder cannot be written any more; what was
        written is kept.
        """
        self._tell = on_event or _tell_nobody
        self._tell(RunEvent(self.counts))
        self._began = time.monotonic()
        self._pace = Pace(self.counts)
        async with self._open_batch() as batch, aclosing(batch.play()) as records:
            async for record in records:
                yield record
        if self._verdict.hopeless:
            raise RunError(self._verdict.explain_end(self.counts))
        if not self.stopped:
            self._complete()
            if self.counts.accepted < self.counts.planned:
                raise RunError(self._verdict.explain_lack(self._parts.slots, self.counts))

    @asynccontextmanager
    async def _open_batch(self) -> AsyncIterator[Batch]:
        """Open the engine and what watches over it; what goes wrong with the disk becomes one `RunError`."""
        await self._await_models()
        folder = self.folder
        with nullcontext() if folder is None else blame_disk(folder.path):
            async with build_engine(self._parts) as engine:
                wanted = self.counts.planned - self.counts.accepted
                path = None if folder is None else folder.path
                batch = Batch(engine, self._parts.slots, self._parts.begun, self._keep, wanted=wanted, folder=path)
                self._engine, self._batch = engine, batch
                if self.stopped:
                    batch.stop()
                if folder is not None and self.settings.keeping == "journal":
                    self._journal = Journal(folder, engine)
                try:
                    async with self._watch(batch):
                        yield batch
                finally:
                    self._failure = batch.failure
                    self.stopped = self.stopped or batch.stopped
                    self._ended = True
                if self._journal is not None:
                    await self._journal.commit()

    @asynccontextmanager
    async def _watch(self, batch: Batch) -> AsyncIterator[None]:
        """Keep the status file and the journal while dialogues are played; a journal that cannot be kept ends them."""
        tasks = [asyncio.create_task(work) for work in self._list_chores()]

        def end(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                batch.stop()

        for task in tasks:
            task.add_done_callback(end)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result

    def _list_chores(self) -> list[Any]:
        chores = []
        if self.folder is not None:
            chores.append(self._keep_status(self.folder))
        if self._journal is not None:
            chores.append(self._journal.keep_committing())
        return chores

    async def _keep_status(self, folder: RunFolder) -> None:
        while True:
            with blame_disk(folder.path):
                write_status(folder.path, self.look())
            await asyncio.sleep(_STATUS_EVERY)

    async def _await_models(self) -> None:
        """Let every model answer once before the first dialogue, unless the run is stopped meanwhile."""
        if self.stage.client is None or self.counts.accepted >= self.counts.planned:
            return
        self._greeting = asyncio.create_task(self._greet_models(self.stage.client))
        try:
            await self._greeting
        except asyncio.CancelledError:
            if not self.stopped:
                raise
        except BaseException as exc:
            self._failure = exc
            raise

    async def _greet_models(self, client: ChatClient) -> None:
        charge_to(self.account)
        await client.greet()

    def _keep(self, finished: Finished) -> None:
        record, accepted = finished.record, finished.accepted
        if self.folder is not None:
            self.folder.add(record.index, finished.line, accepted=accepted)
        if self._journal is not None:
            self._journal.note(record.index)
        self._parts.slots.settle(record.index, accepted=accepted)
        self._verdict.note(record, accepted=accepted)
        self.counts = self.counts.add(record.patterns, record.usage, accepted=accepted)
        self._tell(RunEvent(self.counts, record))
        if self._verdict.hopeless:
            self.stop()

    def _sum_costs(self) -> Costs | None:
        account, counts = self.account, self.counts
        return None if account is None else sum_costs(account.ledger, done=counts.done, accepted=counts.accepted)

    def _complete(self) -> None:
        if self.folder is not None:
            with blame_disk(self.folder.path):
                self.folder.sort()
            self._note("complete")
            if self.settings.keeping == "journal":
                self.folder.drop_checkpoints()
                if self._parts.database is not None:
                    drop_run(self._parts.database)

    def _note(self, status: Literal["interrupted", "complete"]) -> None:
        assert self.folder is not None  # noqa: S101 - both callers have looked
        seconds = round(self.manifest.seconds + time.monotonic() - self._began, 3)
        news = {"status": status, "counts": self.counts, "costs": self._sum_costs(), "seconds": seconds}
        self.manifest = self.manifest.model_copy(update={**news, "finished": now() if status == "complete" else None})
        with blame_disk(self.folder.path):
            self.manifest.write(self.folder.path)
            spent = None if self.account is None else self.account.ledger.total
            write_status(self.folder.path, self._pace.look(status, self.counts, spent))


def _tell_nobody(_: RunEvent) -> None:
    pass
