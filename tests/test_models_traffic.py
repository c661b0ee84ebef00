"""Traffic: what is tried again and when, cool-down, adaptive in-flight limit, rates; all on a clock of its own."""

import asyncio
import heapq
import random
from datetime import UTC, datetime
from itertools import count

import pytest

from toolflow_graph.models.faults import Fault, read_retry_after
from toolflow_graph.models.traffic import GaveUp, InFlight, Pace, Traffic


class FakeClock:
    """Time that jumps to the next sleeper as soon as nobody has anything else to do."""

    def __init__(self):
        self.now = 0.0
        self.sleeps = []
        self._sleepers = []
        self._numbers = count()
        self._driver = None

    def time(self):
        return self.now

    async def sleep(self, seconds):
        self.sleeps.append(seconds)
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), woken))
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        await woken

    async def _drive(self):
        while self._sleepers:
            for _ in range(20):  # lets everybody run until they sleep too
                await asyncio.sleep(0)
            self.now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await asyncio.sleep(0)


@pytest.fixture
def clock():
    return FakeClock()


def make_traffic(clock, **settings):
    return Traffic(**{"max_in_flight": 64, "patience_s": 600, "clock": clock, "rng": random.Random(0), **settings})


def play(*outcomes):
    """Return a call that meets these faults in turn, and then answers."""
    left = list(outcomes)

    async def call():
        call.tries += 1
        if left:
            raise left.pop(0)
        return "answer"

    call.tries = 0
    return call


BUSY = Fault("busy", "429: slow down", status=429)


@pytest.mark.parametrize("kind", ["busy", "server", "dropped", "timeout"])
async def test_what_may_pass_is_tried_again(clock, kind):
    call = play(Fault(kind, "said"), Fault(kind, "said"))
    assert await make_traffic(clock).send(call) == "answer"
    assert call.tries == 3


@pytest.mark.parametrize("kind", ["key", "quota", "model", "path", "context", "filtered", "refused"])
async def test_what_cannot_pass_ends_at_once(clock, kind):
    call = play(Fault(kind, "said"))
    with pytest.raises(GaveUp) as caught:
        await make_traffic(clock).send(call)
    assert (caught.value.fault.kind, call.tries, clock.sleeps) == (kind, 1, [])


@pytest.mark.parametrize("kind", ["unreachable", "web_page"])
async def test_a_wrong_address_ends_at_once_but_a_known_one_is_waited_for(clock, kind):
    traffic = make_traffic(clock)
    with pytest.raises(GaveUp):
        await traffic.send(play(Fault(kind, "refused")))
    await traffic.send(play())
    assert await traffic.send(play(Fault(kind, "refused"))) == "answer"


async def test_other_errors_go_through(clock):
    traffic = make_traffic(clock)
    with pytest.raises(ZeroDivisionError):
        await traffic.send(play(ZeroDivisionError()))
    assert traffic.in_flight.running == 0


async def test_backoff_grows_with_jitter_up_to_a_minute(clock):
    await make_traffic(clock).send(play(*[Fault("server", "500")] * 9))
    assert all(0.5 * full <= s <= full for s, full in zip(clock.sleeps, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True))
    assert len({s / full for s, full in zip(clock.sleeps, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True)}) == 9


async def test_patience_is_bounded(clock):
    call = play(*[Fault("server", "500: broken")] * 100)
    with pytest.raises(GaveUp) as caught:
        await make_traffic(clock, patience_s=100).send(call)
    assert 40 < clock.now <= 100
    assert caught.value.tries == call.tries
    assert caught.value.seconds == clock.now


async def test_retry_after_is_honoured(clock):
    await make_traffic(clock).send(play(Fault("busy", "429", retry_after=20)))
    assert 20 <= clock.now <= 21


async def test_retry_after_beyond_patience_is_not_waited_for(clock):
    with pytest.raises(GaveUp):
        await make_traffic(clock).send(play(Fault("busy", "429", retry_after=3600)))
    assert clock.now == 0


async def test_retry_after_zero_does_not_spin(clock):
    await make_traffic(clock).send(play(*[Fault("busy", "429", retry_after=0)] * 4))
    assert clock.sleeps[0] == 0
    assert clock.now > 4


async def test_cool_down_is_shared(clock):
    traffic = make_traffic(clock)
    began = []

    async def late():
        await clock.sleep(1)
        await traffic.send(note)

    async def note():
        began.append(clock.now)

    first = play(Fault("busy", "429", retry_after=30))
    await asyncio.gather(traffic.send(first), *(late() for _ in range(3)))
    assert len(began) == 3
    assert all(30 <= at <= 32 for at in began)
    assert len(set(began)) == 3  # not all at the same moment


async def test_a_server_error_makes_only_its_own_request_wait(clock):
    traffic = make_traffic(clock)
    began = []

    async def note():
        began.append(clock.now)

    await asyncio.gather(traffic.send(play(Fault("server", "500", retry_after=30))), traffic.send(note))
    assert began == [0]


async def test_in_flight_is_never_above_its_limit(clock):
    traffic = make_traffic(clock, max_in_flight=5)
    running, most = 0, 0

    async def work():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await clock.sleep(1)
        running -= 1

    await asyncio.gather(*(traffic.send(work) for _ in range(40)))
    assert most == 5
    assert clock.now == 8


async def test_in_flight_adapts_to_what_the_endpoint_bears(clock):
    """An endpoint that bears ten requests at once: the limit settles there, whatever is allowed."""
    traffic = make_traffic(clock, max_in_flight=200, patience_s=10_000)
    running, limits = 0, []

    async def work():
        nonlocal running
        if running >= 10:
            raise Fault("busy", "503", status=503, retry_after=0.1)
        running += 1
        await clock.sleep(1)
        running -= 1
        limits.append(traffic.in_flight.limit)

    await asyncio.gather(*(traffic.send(work) for _ in range(400)))
    settled = limits[200:-20]
    assert len(limits) == 400
    assert min(settled) >= 4
    assert max(settled) <= 12


def test_limit_halves_on_trouble_and_then_grows_by_one_a_round():
    in_flight = InFlight(maximum=100)
    in_flight.limit, in_flight.running = 32.0, 32
    in_flight.shrink()
    assert in_flight.limit == 16
    in_flight.running = 16
    for _ in range(16):
        in_flight.grow()
    assert in_flight.limit == pytest.approx(17, abs=0.05)
    for _ in range(20):
        in_flight.shrink()
    assert in_flight.limit == 1


def test_an_unused_limit_does_not_grow():
    in_flight = InFlight(maximum=100)
    in_flight.running = 1
    in_flight.grow()
    assert in_flight.limit == 25


@pytest.mark.parametrize(("maximum", "first"), [(3, 3), (20, 8), (64, 16), (4096, 32)])
def test_it_begins_with_a_part_of_what_is_allowed(maximum, first):
    assert InFlight(maximum).limit == first


async def test_one_wave_of_429_shrinks_once(clock):
    traffic = make_traffic(clock)

    async def refuse_at_first():
        if clock.now < 1:
            await asyncio.sleep(0)
            raise BUSY

    await asyncio.gather(*(traffic.send(refuse_at_first) for _ in range(8)))
    assert 4 <= traffic.in_flight.limit <= 6


async def test_who_waits_and_leaves_takes_no_place():
    in_flight = InFlight(maximum=1)
    await in_flight.acquire()
    waiting = [asyncio.create_task(in_flight.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    in_flight.release()
    waiting[1].cancel()  # it has been given the place, and leaves before it knows
    await asyncio.wait(waiting[:2])
    await waiting[2]
    assert in_flight.running == 1
    in_flight.release()
    assert in_flight.running == 0


async def test_requests_per_minute(clock):
    traffic = make_traffic(clock, requests_per_minute=60)
    for _ in range(70):
        await traffic.send(play())
    assert clock.now == pytest.approx(60, abs=0.5)  # ten at once, then one a second


async def test_tokens_per_minute_with_requests_larger_than_the_bucket(clock):
    traffic = make_traffic(clock, tokens_per_minute=6000)
    for _ in range(5):
        await traffic.send(play(), tokens=3000)
    assert clock.now == pytest.approx(120, abs=1)


async def test_tokens_are_corrected_by_what_was_used(clock):
    traffic = make_traffic(clock, tokens_per_minute=6000)
    for _ in range(5):
        await traffic.send(play(), tokens=3000)
        traffic.correct(-2900)
    assert clock.now < 15


def test_pace_without_a_rate_never_waits(clock):
    assert Pace(None, clock).take(10**9) == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after": "7"}, 7, id="seconds"),
        pytest.param({"retry-after": "0.5"}, 0.5, id="fraction"),
        pytest.param({"retry-after": "Wed, 04 Nov 2026 10:01:30 GMT"}, 90, id="date"),
        pytest.param({"retry-after": "Wed, 04 Nov 2026 09:00:00 GMT"}, 0, id="past date"),
        pytest.param({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after": "soon"}, None, id="words"),
        pytest.param({"retry-after": "-3"}, None, id="negative"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_retry_after_is_read(headers, seconds):
    assert read_retry_after(headers, datetime(2026, 11, 4, 10, 0, 0, tzinfo=UTC)) == seconds
