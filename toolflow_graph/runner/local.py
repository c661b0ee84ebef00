"""The engine of one process: dialogues in one event loop, with checkpoints in one place."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from toolflow_graph.dataset import dialogue_id
from toolflow_graph.dialogue.graph import build_graph
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.live.executions import Executions, note_executions_in, open_executions
from toolflow_graph.models.ledger import Account, charge_to
from toolflow_graph.runner.checkpoints import GroupSaver, open_checkpoints
from toolflow_graph.runner.database import Database
from toolflow_graph.runner.engine import Drained, Finished, Place, Source, Steps
from toolflow_graph.runner.play import Player, UnreadableState
from toolflow_graph.runner.relayed_checkpoints import Relay, RelayedSaver, open_relayed_checkpoints
from toolflow_graph.settings import RunSettings
from toolflow_graph.tracing import hide_keys
from toolflow_graph.types import Pattern

if TYPE_CHECKING:
    from toolflow_graph.runner.shared_checkpoints import SharedSaver

__all__ = ["LocalEngine"]

_log = logging.getLogger(__name__)


class LocalEngine:
    """Plays in this process; checkpoints go to `place` or through a relay, what models take is charged to `account`.

    What is called for real is noted in `note`.
    """

    def __init__(
        self,
        settings: RunSettings,
        stage: Stage,
        *,
        place: Place | Relay | None = None,
        note: Path | None = None,
        account: Account | None = None,
    ) -> None:
        self._settings = settings
        self._stage = stage
        self._place = place
        self._note = None if stage.live is None else note
        self._executions: Executions | None = None
        self._account = account
        self._saver: GroupSaver | SharedSaver | None = None
        self._player: Player | None = None
        self._open = AsyncExitStack()
        self._controls: set[RunControl] = set()
        self._stopped = False

    @property
    def lanes(self) -> int:
        """Dialogues in flight at once, as the settings have it."""
        return self._settings.lanes

    async def __aenter__(self) -> Self:
        hide_keys()
        async with AsyncExitStack() as stack:
            if self._stage.live is not None:
                await stack.enter_async_context(self._stage.live)
            self._executions = stack.enter_context(open_executions(self._note))
            if self._place is not None:
                self._saver = await stack.enter_async_context(_open_saver(self._place))
            machine = build_graph().compile(checkpointer=self._saver)
            settings = self._settings.dialogue(self._settings.patterns)
            self._player = Player(machine, settings, self._stage, saved=self._saver is not None)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, exc, trace)

    async def play(self, index: int, patterns: Sequence[Pattern], source: Source | None = None) -> Finished:
        """Play one dialogue, on from its last checkpoint where it has one."""
        assert self._player is not None  # noqa: S101 - whoever plays has entered
        charge_to(self._account)
        note_executions_in(self._executions)
        if self._executions is not None and source != self._place:
            self._executions.look_beside()
        thread = self._name_thread(index)
        control = RunControl()
        self._controls.add(control)
        try:
            if self._stopped:
                raise Drained
            if self._saver is not None and source is not None:
                await self._take_up(self._saver, thread, source)
            try:
                record = await self._player.play(index, patterns, control, thread=thread, resumed=source is not None)
            except UnreadableState as exc:
                _log.warning("toolflow: the checkpoints of %s cannot be read (%s); it begins anew", thread, exc)
                await self.forget([index])
                record = await self._player.play(index, patterns, control, thread=thread)
            return Finished.of(record)
        except GraphDrained as exc:
            raise Drained from exc
        finally:
            self._controls.discard(control)
            if self._saver is not None:
                self._saver.leave(thread)

    async def _take_up(self, saver: "GroupSaver | SharedSaver", thread: str, source: Source) -> None:
        """See to it that the saver finds what was saved of a dialogue."""
        if isinstance(source, Steps):
            assert isinstance(saver, RelayedSaver)  # noqa: S101 - only who can reach no place is sent steps
            await saver.receive(thread, source)
        elif isinstance(saver, GroupSaver) and isinstance(source, Path) and source != self._place:
            await saver.adopt(thread, source)
        else:
            saver.admit(thread)

    def stop(self) -> None:
        """Let every dialogue in flight finish its step and save it."""
        self._stopped = True
        for control in self._controls:
            control.request_drain()

    async def forget(self, indices: Iterable[int]) -> None:
        """Delete the threads of these dialogues."""
        if self._saver is not None:
            await self._saver.forget(self._name_thread(index) for index in indices)

    def _name_thread(self, index: int) -> str:
        dialogue = dialogue_id(self._settings.seed, index)
        return self._place.name_thread(dialogue) if isinstance(self._place, Database) else dialogue


def _open_saver(place: Place | Relay) -> "AbstractAsyncContextManager[GroupSaver | SharedSaver]":
    if isinstance(place, Path):
        return open_checkpoints(place)
    if isinstance(place, Relay):
        return open_relayed_checkpoints(place)
    from toolflow_graph.runner.shared_checkpoints import open_shared_checkpoints  # noqa: PLC0415 - an extra

    return open_shared_checkpoints(place)
