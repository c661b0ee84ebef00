"""Dialogues from a script: `generate` for plain code and notebooks, `agenerate` inside an event loop."""

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from toolflow_graph.dataset import is_accepted
from toolflow_graph.runner.run import Run, RunEvent
from toolflow_graph.settings import RunSettings, parse_settings
from toolflow_graph.types import DialogueRecord

__all__ = ["agenerate", "generate"]

_Finished = queue.Queue[DialogueRecord | BaseException | None]


async def agenerate(
    settings: RunSettings | None = None,
    *,
    out: Path | str | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    **overrides: Any,
) -> AsyncGenerator[DialogueRecord, None]:
    """Yield accepted dialogues as they finish.

    Args:
        settings: What to generate; single settings may be given by name instead, or in addition.
        out: Folder of a new run with checkpoints and files as `toolflow generate` leaves them; None writes nothing.
        on_event: Called when the run opens and for every finished dialogue, rejected ones included.
        overrides: Settings by name, for example `dialogues=100, seed=7, catalog="tools.json"`.

    Raises:
        ToolflowError: A setting, the catalog or the folder is not right; the message says how to mend it.
    """
    chosen = _merge(settings, overrides)
    run = await asyncio.to_thread(Run.start, chosen, None if out is None else Path(out))
    try:
        async with aclosing(run.play(on_event)) as records:
            async for record in records:
                if is_accepted(record):
                    yield record
    finally:
        run.close()


def generate(
    settings: RunSettings | None = None,
    *,
    out: Path | str | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    **overrides: Any,
) -> Iterator[DialogueRecord]:
    """Yield accepted dialogues as they finish; see `agenerate`.

    The work is done in a thread with its own event loop, so this runs in notebooks too. Leaving the loop early ends
    the run in good order.
    """
    chosen = _merge(settings, overrides)
    return _generate(chosen, out, on_event)


def _generate(
    settings: RunSettings, out: Path | str | None, on_event: Callable[[RunEvent], None] | None
) -> Iterator[DialogueRecord]:
    finished: _Finished = queue.Queue(maxsize=settings.lanes)
    left = threading.Event()
    records = agenerate(settings, out=out, on_event=on_event)
    thread = threading.Thread(target=_fill, args=(records, finished, left), name="toolflow-generate", daemon=True)
    thread.start()
    try:
        while (item := finished.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        while thread.is_alive():
            while not finished.empty():
                finished.get_nowait()
            thread.join(0.02)


def _fill(records: AsyncGenerator[DialogueRecord, None], finished: _Finished, left: threading.Event) -> None:
    """Run the dialogues in this thread; the end of the queue is None, or what went wrong."""

    async def work() -> None:
        async with aclosing(records):
            async for record in records:
                await asyncio.to_thread(finished.put, record)
                if left.is_set():
                    return

    try:
        asyncio.run(work())
    except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
        finished.put(exc)
    else:
        finished.put(None)


def _merge(settings: RunSettings | None, overrides: dict[str, Any]) -> RunSettings:
    if settings is not None and not overrides:
        return settings
    base = settings.model_dump(exclude_unset=True) if settings is not None else {}
    return parse_settings({**base, **overrides})
