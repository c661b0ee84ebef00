"""Putting many questions to a model at once, such that an end before its time wastes no answer that was paid for."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from toolflow_graph.errors import ToolflowError
from toolflow_graph.models import ChatClient

__all__ = ["ask_each"]

Question = TypeVar("Question")

_MOST_WAITING = 4
"""Questions held ready for each request in flight."""


async def ask_each(
    client: ChatClient, questions: Iterable[Question], ask: Callable[[Question], Awaitable[None]]
) -> None:
    """Ask all questions, as many at once as the client bears, and close its connections.

    After an error (a budget that is spent, an endpoint that is gone) no question is begun; those that were begun are
    heard out, then the first error is raised.
    """
    failures: list[ToolflowError] = []
    limit = asyncio.Semaphore(client.settings.max_in_flight * _MOST_WAITING)

    async def take(question: Question) -> None:
        async with limit:
            if failures:
                return
            try:
                await ask(question)
            except ToolflowError as exc:
                failures.append(exc)

    try:
        async with asyncio.TaskGroup() as group:
            for question in questions:
                group.create_task(take(question))
    finally:
        await client.aclose()
    if failures:
        raise failures[0]
