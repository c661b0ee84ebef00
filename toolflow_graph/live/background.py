"""An event loop in a thread of its own: what lives in it outlasts the loops of those who ask for it."""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

__all__ = ["ask", "ask_and_wait"]

_Answer = TypeVar("_Answer")

_FAREWELL_S = 10.0
"""How long servers have to end when the process does."""


def ask_and_wait(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine in the background and return what it returns; an interruption waits until it has cleaned up."""
    future, ended = _submit(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        ended.wait(_FAREWELL_S)
        raise


async def ask(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine in the background and return what it returns; cancelled with the one who asks."""
    future, _ = _submit(work)
    return await asyncio.wrap_future(future)


def _submit(work: Coroutine[Any, Any, _Answer]) -> tuple[Future[_Answer], threading.Event]:
    ended = threading.Event()

    async def track() -> _Answer:
        try:
            return await work
        finally:
            ended.set()

    return asyncio.run_coroutine_threadsafe(track(), _start_loop()), ended


@cache
def _start_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="toolflow-live", daemon=True).start()
    atexit.register(_end_tasks, loop)
    return loop


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs, so that no server is left behind."""

    async def cancel() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with suppress(Exception):
        asyncio.run_coroutine_threadsafe(cancel(), loop).result(_FAREWELL_S)
