"""Slots: which dialogues a run plays so that exactly as many as wanted are accepted."""

import random

import pytest

from toolflow_graph.runner.slots import Slots

KINDS = [("single",), ("parallel",), ("single", "chitchat"), ("irrelevant",)]


def drain(slots):
    return list(iter(slots.take, None))


def test_without_rejections_the_indices_are_those_of_the_slots():
    slots = Slots(KINDS, 3)
    assert drain(slots) == list(enumerate(KINDS))
    for index in range(4):
        slots.settle(index, accepted=True)
    assert drain(slots) == []
    assert slots.list_given_up() == {}


def test_a_rejected_dialogue_is_replaced_by_one_of_the_same_patterns():
    slots = Slots(KINDS, 3)
    drain(slots)
    slots.settle(2, accepted=False)
    assert drain(slots) == [(6, KINDS[2])]
    slots.settle(6, accepted=False)
    assert drain(slots) == [(10, KINDS[2])]
    slots.settle(10, accepted=False)
    assert drain(slots) == []
    assert slots.list_given_up() == {KINDS[2]: 1}


def test_new_slots_come_before_replacements():
    slots = Slots(KINDS, 3)
    assert slots.take() == (0, KINDS[0])
    slots.settle(0, accepted=False)
    assert [index for index, _ in drain(slots)] == [1, 2, 3, 4]


def test_one_attempt_means_no_replacement():
    slots = Slots(KINDS, 1)
    drain(slots)
    slots.settle(1, accepted=False)
    assert drain(slots) == []
    assert slots.list_given_up() == {KINDS[1]: 1}


@pytest.mark.parametrize("seed", range(20))
def test_order_and_interruptions_do_not_matter(seed):
    """Whatever finishes first, and wherever a run is stopped, the same dialogues are played."""
    rng = random.Random(seed)
    wanted, attempts = rng.randint(1, 12), rng.randint(1, 6)
    kinds = [KINDS[number % 4] for number in range(wanted)]
    good = {index for index in range(wanted * attempts) if random.Random(index).random() < 0.5}
    expected = set()
    for slot in range(wanted):
        for index in range(slot, wanted * attempts, wanted):
            expected.add(index)
            if index in good:
                break
    settled = []
    while True:
        slots = Slots(kinds, attempts)
        for index in rng.sample(settled, len(settled)):
            slots.settle(index, accepted=index in good)
        flying, stop = [], rng.randint(1, 8)
        while stop and (flying or (taken := slots.take()) is not None):
            while len(flying) < 3 and (taken := slots.take() if flying else taken) is not None:
                flying.append(taken[0])
            index = flying.pop(rng.randrange(len(flying)))
            settled.append(index)
            slots.settle(index, accepted=index in good)
            stop -= 1
        if stop:
            break
    assert sorted(settled) == sorted(expected)
    unfilled = sum(all(index not in good for index in range(slot, wanted * attempts, wanted)) for slot in range(wanted))
    assert sum(slots.list_given_up().values()) == unfilled
