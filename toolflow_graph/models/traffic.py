"""Sends requests at the pace that an endpoint bears, and again when what went wrong may pass."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from toolflow_graph.models.faults import ADDRESS, PASSING, Fault

__all__ = ["Clock", "GaveUp", "InFlight", "Pace", "SystemClock", "Traffic"]

Answer = TypeVar("Answer")

_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 60.0
_FIRST_LIMIT, _FIRST_MOST = 8, 32
_BURST_S = 10.0


class Clock(Protocol):
    """Time as traffic sees it; tests bring their own."""

    def time(self) -> float:
        """Return seconds that only grow."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's time."""

    def time(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Pace:
    """A token bucket: so much a minute, ten seconds' worth of it at once; without a rate it never waits.

    What is taken may exceed the bucket, which then fills up from below zero.
    """

    def __init__(self, per_minute: float | None, clock: Clock) -> None:
        self._rate = (per_minute or 0) / 60
        self._full = max(1.0, self._rate * _BURST_S)
        self._level = self._full
        self._clock = clock
        self._seen = clock.time()

    def take(self, amount: float) -> float:
        """Take an amount and return the seconds to wait before it may be used; a negative one gives back."""
        if not self._rate:
            return 0.0
        now = self._clock.time()
        self._level = min(self._full, self._level + (now - self._seen) * self._rate)
        self._seen = now
        waiting = max(0.0, (min(amount, self._full) - self._level) / self._rate)
        self._level -= amount
        return waiting


class InFlight:
    """How many requests may run at once: grows while all goes well, halves when the endpoint is busy.

    It begins with a quarter of the maximum, but at least 8 and at most 32. Until the first trouble it grows by one with
    every success, afterwards by one with every round of them (additive increase, multiplicative decrease). Whoever
    waits is served in order.
    """

    def __init__(self, maximum: int) -> None:
        self.limit = float(min(maximum, max(_FIRST_LIMIT, min(_FIRST_MOST, maximum // 4))))
        self.running = 0
        self._maximum = maximum
        self._calm = True
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for a free place and take it."""
        if self.running < int(self.limit) and not self._waiting:
            self.running += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.release()
            else:
                self._waiting.remove(place)
            raise

    def release(self) -> None:
        """Give the place back."""
        self.running -= 1
        self._admit()

    def grow(self) -> None:
        """Note a success; a limit that was not reached does not grow."""
        if self.running >= int(self.limit):
            step = 1.0 if self._calm else 1.0 / self.limit
            self.limit = min(float(self._maximum), self.limit + step)
            self._admit()

    def shrink(self) -> None:
        """Note that the endpoint is busy."""
        self._calm = False
        self.limit = max(1.0, self.limit / 2)

    def _admit(self) -> None:
        while self._waiting and self.running < int(self.limit):
            place = self._waiting.popleft()
            if not place.done():
                self.running += 1
                place.set_result(None)


class GaveUp(Exception):  # noqa: N818 - never leaves this package: becomes a `ToolflowError`
    """A fault that does not pass, or has not passed in time; `tries` requests were made in `seconds`."""

    def __init__(self, fault: Fault, tries: int, seconds: float) -> None:
        super().__init__(fault.said)
        self.fault = fault
        self.tries = tries
        self.seconds = seconds


class Traffic:
    """All requests of one event loop to one endpoint; they share the limits and, after a 429, the cool-down."""

    def __init__(
        self,
        *,
        max_in_flight: int,
        patience_s: float,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.in_flight = InFlight(max_in_flight)
        self._requests = Pace(requests_per_minute, self.clock)
        self._tokens = Pace(tokens_per_minute, self.clock)
        self._patience = patience_s
        self._rng = rng or random.Random()  # jitter has to differ between processes, so it has no seed
        self._cool_until = float("-inf")
        self._shrunk = float("-inf")
        self._reached = False

    async def send(
        self, call: Callable[[], Awaitable[Answer]], *, tokens: int = 0, patience_s: float | None = None
    ) -> Answer:
        """Call until an answer comes; raises `GaveUp` with the last `Fault` when none will come any more.

        `tokens` is what the request is expected to take; `correct` it afterwards. What `call` raises besides `Fault`
        goes through at once.
        """
        patience = self._patience if patience_s is None else patience_s
        tries, failing_since = 0, 0.0
        while True:
            await self.in_flight.acquire()
            admitted = self.clock.time()
            try:
                await self._wait_turn(tokens)
                started = self.clock.time()
                answer = await call()
            except Fault as exc:
                fault = exc
            else:
                self._reached = True
                self.in_flight.grow()
                return answer
            finally:
                self.in_flight.release()
            tries += 1
            if tries == 1:
                failing_since = started
            delay = self._react(fault, tries, admitted)
            seconds = self.clock.time() - failing_since
            final = fault.kind not in PASSING or (fault.kind in ADDRESS and not self._reached)
            if final or seconds + delay > patience:
                raise GaveUp(fault, tries, seconds)
            self._reached = self._reached or fault.kind not in ADDRESS
            await self.clock.sleep(delay)

    def correct(self, tokens: int) -> None:
        """Note that a request took so many tokens more (or, negative, less) than was expected of it."""
        self._tokens.take(tokens)

    async def _wait_turn(self, tokens: int) -> None:
        """Wait until the cool-down is over and both limits admit the request."""
        wait = max(self._requests.take(1), self._tokens.take(tokens))
        while True:
            cooling = self._cool_until - self.clock.time()
            if cooling > 0:
                wait = max(wait, cooling + self._rng.uniform(0, min(1.0, cooling / 4)))  # not all at the same moment
            if wait <= 0:
                return
            await self.clock.sleep(wait)
            wait = 0.0

    def _react(self, fault: Fault, tries: int, admitted: float) -> float:
        """Slow down as the fault demands, and return the seconds until the request may be tried again."""
        delay = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0 ** (tries - 1)) * self._rng.uniform(0.5, 1.0)
        if (asked := fault.retry_after) is not None:  # believed as it is the first time, then only if it is longer
            asked += self._rng.uniform(0, min(1.0, asked / 4))
            delay = asked if tries == 1 else max(asked, delay)
        if fault.kind == "busy":
            now = self.clock.time()
            if admitted > self._shrunk:  # what was admitted before the last decrease says nothing about it
                self._shrunk = now
                self.in_flight.shrink()
            self._cool_until = max(self._cool_until, now + delay)
        return delay
