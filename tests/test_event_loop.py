"""Asynchronous work from code that is not: with and without a loop that runs already."""

import asyncio

import pytest

from toolflow_graph.event_loop import run_coroutine


async def work(value):
    await asyncio.sleep(0)
    if value is None:
        raise LookupError("nothing")
    return value


def test_without_a_loop():
    assert run_coroutine(work(3)) == 3
    with pytest.raises(LookupError):
        run_coroutine(work(None))


async def test_where_a_loop_runs_as_in_a_notebook():
    assert run_coroutine(work(3)) == 3
    with pytest.raises(LookupError):
        run_coroutine(work(None))
