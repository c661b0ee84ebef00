"""A run: many dialogues at once, each on its own thread, written down as they finish."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from toolflow_graph.catalog.sources import is_live
from toolflow_graph.dataset import REJECTED, is_accepted
from toolflow_graph.dialogue.graph import build_graph
from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.errors import ModelError, RunError, SettingsError
from toolflow_graph.live.executions import Executions, note_executions_in, open_executions
from toolflow_graph.models import ChatClient
from toolflow_graph.models.ledger import Account, charge_to
from toolflow_graph.models.settings import ModelSettings, change_models
from toolflow_graph.runner.checkpoints import open_checkpoints
from toolflow_graph.runner.costs import Costs, sum_costs
from toolflow_graph.runner.folder import CHECKPOINTS, RunFolder, blame_disk
from toolflow_graph.runner.manifest import (
    Counts,
    Manifest,
    fingerprint_catalog,
    fingerprint_settings,
    now,
    read_manifest,
)
from toolflow_graph.runner.play import Player
from toolflow_graph.runner.slots import Slots
from toolflow_graph.runner.spending import Spending
from toolflow_graph.settings import RunSettings, assign_patterns
from toolflow_graph.types import DialogueRecord, Pattern

__all__ = ["Run", "RunEvent", "assign_kinds", "settle_paths"]


@dataclass(frozen=True)
class RunEvent:
    """Something happened: the run was opened (`record` is None), or a dialogue finished."""

    counts: Counts
    record: DialogueRecord | None = None


class Run:
    """A run that is about to be played: `start` or `resume` one, iterate `play`, and `close` it."""

    def __init__(
        self,
        settings: RunSettings,
        stage: Stage,
        folder: RunFolder | None,
        manifest: Manifest,
        spending: Spending | None = None,
    ) -> None:
        self.settings = settings
        self.stage = stage
        self.folder = folder
        self.manifest = manifest
        self.counts = manifest.counts
        self.stopped = False
        self._slots = Slots(assign_kinds(settings), settings.max_attempts)
        self._rejected = self._finished = 0
        self._reasons: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._spending = spending
        self._executions: Executions | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._resumed = False
        self._tell: Callable[[RunEvent], None] = _tell_nobody
        self._controls: set[RunControl] = set()
        self._began = time.monotonic()

    @classmethod
    def start(cls, settings: RunSettings, out: Path | None = None) -> Self:
        """Begin a new run in a folder, or in memory; raises `RunError` when the folder holds one or is not writable."""
        if out is None:
            stage = load_stage(settings)
            spending = _open_spending(stage, None)
            return cls(settings, stage, None, Manifest.begin(settings, stage), spending)
        settings = settle_paths(settings)
        folder = RunFolder.create(out)
        try:
            stage = load_stage(settings)
            manifest = Manifest.begin(settings, stage)
            with blame_disk(out):
                manifest.write(out)
                spending = _open_spending(stage, out)
        except BaseException:
            folder.discard()
            raise
        return cls(settings, stage, folder, manifest, spending)

    @classmethod
    def resume(cls, out: Path, *, concurrency: int | None = None, models: Mapping[str, Any] | None = None) -> Self:
        """Open a run that was started before; finished dialogues are kept, the settings come from its manifest.

        `models` are changes of settings of models on which no dialogue depends, such as `max_cost` or `base_url`; they
        hold from now on. Raises `SettingsError` for other ones, and `RunError` when the folder is no run, its catalog
        or settings were changed, or it is in use.
        """
        read_manifest(out)
        folder = RunFolder.reopen(out)
        try:
            manifest = read_manifest(out)
            settings = _change_models(manifest.settings, models or {})
            manifest = manifest.model_copy(update={"settings": settings})
            stage = load_stage(settings)
            _refuse_changes(out, manifest, stage)
            if concurrency is not None:
                settings = settings.model_copy(update={"concurrency": concurrency})
            with blame_disk(out):
                counts = folder.recover(settings.dialogues)
                spending = _open_spending(stage, out)
                if models:
                    manifest.write(out)
        except BaseException:
            folder.close()
            raise
        run = cls(settings, stage, folder, manifest.model_copy(update={"counts": counts}), spending)
        for file, accepted in ((folder.rejected, False), (folder.accepted, True)):
            for index in file:
                run._slots.settle(index, accepted=accepted)
        run._resumed = True
        return run

    def stop(self) -> None:
        """Let every dialogue in flight finish the step that it is in, save it, and end the run there."""
        self.stopped = True
        if self._greeting is not None:
            self._greeting.cancel()
        for control in self._controls:
            control.request_drain()

    def close(self) -> None:
        """Write down how far the run came, and let go of its folder."""
        if self.folder is None:
            return
        if self._spending is not None:
            self._spending.close()
        if self._has_never_begun():
            self.folder.discard()
        else:
            if self.manifest.status != "complete":
                with suppress(RunError):
                    self._note("interrupted")
            self.folder.close()
        self.folder = None

    def _has_never_begun(self) -> bool:
        """Say whether a new run failed by its models before any of them had played: there is nothing to go on with."""
        if self._resumed or self._spending is None or not isinstance(self._failure, ModelError | SettingsError):
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
        finished: asyncio.Queue[DialogueRecord | None] = asyncio.Queue(maxsize=self.settings.concurrency)
        async with self.stage.live or nullcontext(), self._open_player() as player:
            lanes = min(self.settings.concurrency, max(1, self.counts.planned - self.counts.accepted))
            workers = [asyncio.create_task(self._work(player, finished)) for _ in range(lanes)]
            end = asyncio.create_task(_announce_end(workers, finished))
            try:
                while (record := await finished.get()) is not None:
                    yield record
            except asyncio.CancelledError:
                for worker in workers:
                    worker.cancel()
                raise
            finally:
                if not end.done():
                    self.stop()
                while not end.done():
                    while not finished.empty():
                        finished.get_nowait()
                    await asyncio.wait([end], timeout=0.02)
            end.result()
        if self._is_hopeless():
            raise RunError(self._explain(f"stopped: {self._rejected} of {self._finished} dialogues were rejected"))
        if not self.stopped:
            self._complete()
            if self.counts.accepted < self.counts.planned:
                raise RunError(self._explain(_name_given_up(self._slots, self.settings.max_attempts)))

    @asynccontextmanager
    async def _open_player(self) -> AsyncIterator[Player]:
        await self._await_models()
        settings = self.settings.dialogue(self.settings.patterns)
        if self.folder is None:
            yield Player(build_graph().compile(), settings, self.stage, saved=False)
            return
        noted = self.folder.path if self.stage.live is not None else None
        with blame_disk(self.folder.path), open_executions(noted) as self._executions:
            if self.settings.checkpoints == "none":
                yield Player(build_graph().compile(), settings, self.stage, saved=False)
                return
            async with open_checkpoints(self.folder.path / CHECKPOINTS) as saver:
                yield Player(build_graph().compile(checkpointer=saver), settings, self.stage, saved=True)

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

    async def _work(self, player: Player, finished: "asyncio.Queue[DialogueRecord | None]") -> None:
        charge_to(self.account)
        note_executions_in(self._executions)
        while (taken := self._slots.take()) is not None:
            if self.stopped:
                return
            index, patterns = taken
            control = RunControl()
            self._controls.add(control)
            try:
                record = await player.play(index, patterns, control, resumed=self._resumed)
                self._keep(record)
            except GraphDrained:
                return
            except OSError as exc:
                self.stop()
                if self.folder is None:
                    raise
                raise RunError(
                    f"{exc}; finished dialogues are kept: mend it, then --resume {self.folder.path}"
                ) from exc
            except BaseException as exc:
                self._failure = exc
                self.stop()
                raise
            finally:
                self._controls.discard(control)
            await finished.put(record)

    @property
    def account(self) -> Account | None:
        """What the run has spent on models, None where none play."""
        return None if self._spending is None else self._spending.account

    def _sum_costs(self) -> Costs | None:
        account, counts = self.account, self.counts
        return None if account is None else sum_costs(account.ledger, done=counts.done, accepted=counts.accepted)

    def _keep(self, record: DialogueRecord) -> None:
        accepted = is_accepted(record)
        if self.folder is not None:
            self.folder.add(record)
        self._slots.settle(record.index, accepted=accepted)
        self._finished += 1
        self._rejected += not accepted
        for finding in record.findings:
            if finding.severity == "error":
                self._reasons[finding.check] += 1
                self._examples.setdefault(finding.check, finding.message)
        self.counts = self.counts.add(record.patterns, record.usage, accepted=accepted)
        self._tell(RunEvent(self.counts, record))
        if self._is_hopeless():
            self.stop()

    def _is_hopeless(self) -> bool:
        """Say whether so many dialogues of this session were rejected that going on would waste time and money."""
        return self._finished >= _ENOUGH and self._rejected > self.settings.max_rejected * self._finished

    def _explain(self, verdict: str) -> str:
        """Say why there are fewer dialogues than wanted, what was wrong with the others, and what to do."""
        counts = self.counts
        most = "".join(
            f"; found most often: {check} ({number}), first {self._examples[check]!r}"
            for check, number in self._reasons.most_common(1)
        )
        kept = f"; {counts.accepted} of {counts.planned} dialogues were accepted and kept"
        where = (
            "" if self.folder is None else f", the rejected ones with their findings in {self.folder.path / REJECTED}"
        )
        return f"{verdict}{kept}{where}{most}"

    def _complete(self) -> None:
        if self.folder is not None:
            self.folder.sort()
            self._note("complete")

    def _note(self, status: Literal["interrupted", "complete"]) -> None:
        assert self.folder is not None  # noqa: S101 - both callers have looked
        seconds = round(self.manifest.seconds + time.monotonic() - self._began, 3)
        news = {"status": status, "counts": self.counts, "costs": self._sum_costs(), "seconds": seconds}
        self.manifest = self.manifest.model_copy(update={**news, "finished": now() if status == "complete" else None})
        with blame_disk(self.folder.path):
            self.manifest.write(self.folder.path)


_ENOUGH = 20
"""Finished dialogues before a run is judged by the share that was rejected."""


def assign_kinds(settings: RunSettings) -> list[tuple[Pattern, ...]]:
    """Return the patterns of every wanted dialogue of a run."""
    if settings.patterns:
        return [settings.patterns] * settings.dialogues
    return assign_patterns(settings.mix, settings.dialogues, settings.seed)


def _name_given_up(slots: Slots, attempts: int) -> str:
    given_up = slots.list_given_up()
    kinds = "; ".join(f"{number} x {', '.join(patterns)}" for patterns, number in list(given_up.items())[:3])
    more = " …" if len(given_up) > 3 else ""
    return f"given up after {attempts} attempt{'s' if attempts > 1 else ''} each: {kinds}{more}"


def _open_spending(stage: Stage, out: Path | None) -> Spending | None:
    return None if stage.client is None else Spending.open(stage.client.settings, out)


def _change_models(settings: RunSettings, changes: Mapping[str, Any]) -> RunSettings:
    if not changes:
        return settings
    if not settings.roles:
        raise SettingsError(f"setting {next(iter(changes))!r} is for models, and this run is played by rules")
    return settings.model_copy(update={"models": _settle_prices(change_models(settings.models, changes))})


def _tell_nobody(_: RunEvent) -> None:
    pass


def _refuse_changes(out: Path, manifest: Manifest, stage: Stage) -> None:
    settings = manifest.settings
    if fingerprint_settings(settings) != manifest.settings_sha256:
        raise RunError(f"{out}: the settings in its manifest were changed; start a new run in another folder")
    if stage.prompts.fingerprint() != manifest.prompts_sha256:
        raise RunError(
            f"{out}: the prompts have changed since the run was started; restore them, or start a new run in another "
            "folder"
        )
    if fingerprint_catalog(stage.catalog) != manifest.catalog.sha256:
        source = repr(settings.catalog) if settings.catalog else "the bundled one"
        raise RunError(
            f"{out}: its catalog ({source}) has changed since the run was started; "
            "restore it, or start a new run in another folder"
        )


async def _announce_end(
    workers: Sequence[asyncio.Task[None]], finished: "asyncio.Queue[DialogueRecord | None]"
) -> None:
    """Wait for all workers, then end the queue; raises the first exception among them."""
    results = await asyncio.gather(*workers, return_exceptions=True)
    await finished.put(None)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def settle_paths(settings: RunSettings) -> RunSettings:
    """Return settings that mean the same from any working directory."""
    update: dict[str, Any] = {"models": _settle_prices(settings.models)}
    if settings.catalog is not None and not is_live(settings.catalog):
        update["catalog"] = str(Path(settings.catalog).absolute())
    if settings.prompts is not None:
        update["prompts"] = str(Path(settings.prompts).absolute())
    if Path(settings.encoder).is_dir():
        update["encoder"] = str(Path(settings.encoder).absolute())
    return settings.model_copy(update=update)


def _settle_prices(models: ModelSettings) -> ModelSettings:
    if models.prices is None:
        return models
    return models.model_copy(update={"prices": str(Path(models.prices).absolute())})
