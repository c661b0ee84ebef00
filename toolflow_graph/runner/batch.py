"""Many dialogues at once: lanes that take slots, replacement of what is rejected, and the journal of what is done."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path

from toolflow_graph.errors import RunError
from toolflow_graph.runner.engine import Drained, Engine, Finished, Place
from toolflow_graph.runner.folder import RunFolder
from toolflow_graph.runner.slots import Slots
from toolflow_graph.types import DialogueRecord

__all__ = ["Batch", "Journal"]

_Finished = asyncio.Queue[DialogueRecord | None]

_COMMIT_EVERY = 0.5
"""Seconds between two commits of the journal: an fsync for all dialogues that have finished meanwhile."""


class Batch:
    """Plays the slots of a run on an engine; `keep` is given every dialogue that finished, before it is yielded.

    `begun` says where the checkpoints of a dialogue are that an earlier session has begun, `wanted` how many
    dialogues are lacking, `folder` where those are that are kept.
    """

    def __init__(
        self,
        engine: Engine,
        slots: Slots,
        begun: Mapping[int, Place],
        keep: Callable[[Finished], None],
        *,
        wanted: int,
        folder: Path | None,
    ) -> None:
        self._engine = engine
        self._slots = slots
        self._begun = begun
        self._keep = keep
        self._folder = folder
        self._lanes = min(engine.lanes, max(1, wanted))
        self.stopped = False
        self.failure: BaseException | None = None

    def stop(self) -> None:
        """Let every dialogue in flight finish the step that it is in, save it, and begin no other."""
        self.stopped = True
        self._engine.stop()

    async def play(self) -> AsyncGenerator[DialogueRecord, None]:
        """Yield dialogues as they finish; raises what ended the run. A consumer that is slow holds it back."""
        finished: _Finished = asyncio.Queue(maxsize=self._lanes)
        lanes = [asyncio.create_task(self._work(finished)) for _ in range(self._lanes)]
        end = asyncio.create_task(_announce_end(lanes, finished))
        try:
            while (record := await finished.get()) is not None:
                yield record
        except asyncio.CancelledError:
            for lane in lanes:
                lane.cancel()
            raise
        finally:
            if not end.done():
                self.stop()
            while not end.done():
                while not finished.empty():
                    finished.get_nowait()
                await asyncio.wait([end], timeout=0.02)
        end.result()

    async def _work(self, finished: _Finished) -> None:
        while not self.stopped and (taken := self._slots.take()) is not None:
            index, patterns = taken
            try:
                done = await self._engine.play(index, patterns, self._begun.get(index))
                self._keep(done)
            except Drained:
                return
            except OSError as exc:
                self.stop()
                if self._folder is None:
                    raise
                raise RunError(f"{exc}; finished dialogues are kept: mend it, then --resume {self._folder}") from exc
            except MemoryError as exc:
                self.stop()
                kept = "" if self._folder is None else f"; finished dialogues are kept: --resume {self._folder}"
                raise RunError(f"out of memory; play with a lower --concurrency{kept}") from exc
            except BaseException as exc:
                self.failure = self.failure or exc
                self.stop()
                raise
            await finished.put(done.record)


class Journal:
    """Lets an engine forget dialogues once they are safely written: first the fsync, then the deletion, for many."""

    def __init__(self, folder: RunFolder, engine: Engine) -> None:
        self._folder = folder
        self._engine = engine
        self._written: list[int] = []

    def note(self, index: int) -> None:
        """Note that a dialogue was added to the folder."""
        self._written.append(index)

    async def commit(self) -> None:
        """Make what was written safe, and have the rest of it forgotten."""
        written = self._written[:]
        if written:
            await asyncio.to_thread(self._folder.sync)
            await self._engine.forget(written)
            del self._written[: len(written)]  # not before: a commit that is cancelled is made again

    async def keep_committing(self) -> None:
        """Commit again and again, until cancelled; raises `RunError` when the disk refuses."""
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            await self.commit()


async def _announce_end(lanes: Sequence[asyncio.Task[None]], finished: _Finished) -> None:
    """Wait for all lanes, then end the queue; raises the first exception among them."""
    results = await asyncio.gather(*lanes, return_exceptions=True)
    await finished.put(None)
    for result in results:
        if isinstance(result, BaseException):
            raise result
