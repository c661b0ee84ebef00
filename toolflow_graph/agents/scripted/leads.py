"""What a user says before a request, so that it follows from what was said: a situation, a reaction, a bridge."""

import random
from collections.abc import Callable, Sequence
from typing import Literal

from toolflow_graph.agents.scripted import acts
from toolflow_graph.agents.scripted.speech import bank
from toolflow_graph.agents.scripted.text import Manner
from toolflow_graph.types import JSON

__all__ = ["Turn", "lead_aside", "lead_in", "lead_on"]

Turn = Literal["opening", "shift", "far", "near", "same", "linked", "undoing"]
"""How a request stands to what went before: the first one, a change of subject that was planned, a matter of another
field, of a neighbouring field or of the same, one that goes on from an earlier result, one that undoes it."""

Fresh = Callable[[Sequence[str]], str]
"""Draws a line that has not been said yet."""

_SAYS_SO = {"shift": 1.0, "far": 0.95, "near": 0.8, "same": 0.35}
"""How often somebody says that they turn to another matter."""


def lead_in(
    turn: Turn, openers: Sequence[str], manner: Manner, rng: random.Random, fresh: Fresh, *, after_talk: bool
) -> list[JSON]:
    """Return the parts before a request; `openers` are situations of its field that were not told yet."""
    roll = rng.random()
    if turn == "opening":
        return [acts.say(fresh(openers))] if openers and roll < 0.25 + 0.5 * manner.chatty else []
    if turn == "undoing":
        return [acts.say(fresh(bank("regrets")), leads=True)]
    if turn in ("far", "near") and openers and roll < 0.1 + 0.25 * manner.chatty:
        return [acts.say(fresh(openers))]
    if after_talk and turn != "shift":
        return [acts.say(fresh(bank("resumes")), leads=True)] if roll < _RESUMES else []
    if turn in _SAYS_SO and roll < _SAYS_SO[turn]:
        return [acts.say(fresh(bank("transitions" if turn in ("shift", "far") else "additions")), leads=True)]
    return lead_on(manner, rng, fresh)


def lead_on(manner: Manner, rng: random.Random, fresh: Fresh) -> list[JSON]:
    """Return a word on what was just answered, or none."""
    return [acts.say(fresh(bank("reactions")), leads=True)] if rng.random() < 0.15 + 0.35 * manner.chatty else []


def lead_aside(rng: random.Random, fresh: Fresh) -> list[JSON]:
    """Return a word before a question that has nothing to do with the matter, or none."""
    return [acts.say(fresh(bank("asides")), leads=True)] if rng.random() < _ADMITS else []


_RESUMES, _ADMITS = 0.7, 0.9
