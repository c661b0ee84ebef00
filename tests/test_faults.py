"""After every fault a run ends as if nothing had happened; `benchmarks/faults.py` has the same faults, many times."""

import random

import pytest

from disturbances import FAULTS, Ground, can_mount

TIMES = {
    "kill": 5,
    "terminate": 2,
    "interrupt": 2,
    "interrupt twice": 3,
    "full disk": 5,
    "full files": 5,
    "refused writes": 8,
    "torn lines": 4,
    "checkpoints": 10,
    "checkpoint log": 5,
    "clock": 20,
}
SLOW = {"kill 2": 2, "kill worker": 2, "out of memory": 1}


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return Ground(tmp_path_factory.mktemp("faults"), dialogues=16)


@pytest.mark.parametrize("fault", TIMES)
def test_fault_is_survived(ground, fault):
    if fault == "full disk" and not can_mount(ground.place / "catalog"):
        pytest.skip("only root may mount a small disk; full files are tested as well")
    tally = FAULTS[fault](ground, random.Random(fault), TIMES[fault])
    assert tally.clean, tally
    assert tally.injected >= TIMES[fault]
    if fault == "checkpoints":
        assert tally.noticed >= 6, "most damage meets what is in use, and is said"


@pytest.mark.slow
@pytest.mark.parametrize("fault", SLOW)
def test_fault_of_processes_is_survived(ground, fault):
    tally = FAULTS[fault](ground, random.Random(fault), SLOW[fault])
    assert tally.clean, tally
    assert tally.injected >= SLOW[fault]


def test_every_fault_is_tested():
    assert {*TIMES, *SLOW} == FAULTS.keys()
