"""Whether values have changed places: "from Paris to Rome" is not "from Rome to Paris"."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import get_args

from toolflow_graph.agents.reworded.said import SaidKind
from toolflow_graph.values.naming import stem, word_set
from toolflow_graph.values.reading import STOPWORDS

__all__ = ["CHOICE", "Placed", "find_swaps"]

_SOURCE = word_set("from leaving leave leaves departing depart departs since starting between after out old")
_TARGET = word_set("to until till into towards toward arriving arrive arrives reaching through before by new onto")
_PREPOSITIONS = word_set("at in on with for by of under about as near through via")
_WORD = re.compile(r"[a-z0-9']+|[,.;!?]")
_LEFT, _RIGHT = 3, 2
_MANY, _PAIR = 4, 2
"""From how many names on just two that have changed places are taken for a mistake."""

CHOICE = "choice"
"""The group of the words for a choice of a closed list."""

_FREE = frozenset((CHOICE, *get_args(SaidKind)))
"""Groups whose values go where they like among those of others: "for two on Friday", "on Friday for two"."""


@dataclass(frozen=True)
class Placed:
    """A value at a place of a folded text; values of the same `group` can be mixed up, `value` tells them apart."""

    group: str
    value: int
    start: int
    end: int
    words: str


@dataclass(frozen=True)
class _Role:
    """What the words around a value make of it: where it leads, and of what it is."""

    direction: str
    preposition: str
    nouns: frozenset[str]

    def agrees(self, other: "_Role") -> bool:
        """Tell whether both say the same of their values."""
        same = (self.direction, other.direction), (self.preposition, other.preposition)
        return any(mine and mine == theirs for mine, theirs in same) or bool(self.nouns & other.nouns)


def find_swaps(
    before: str, original: Sequence[Placed], after: str, reworded: Sequence[Placed]
) -> Iterator[tuple[Placed, Placed]]:
    """Yield pairs of values that stand for one another in the other text, or may do so.

    Values of one group keep their order, unless the words beside each ("from", "to", a noun) show that it means what it
    meant before; values of different groups may go where they like, but not into each other's place.
    """
    yield from _find_strangers(before, original, after, reworded)
    for group in dict.fromkeys(placed.group for placed in original):
        mine = _sequence([p for p in original if p.group == group], reworded)
        theirs = _sequence([p for p in reworded if p.group == group], original)
        if Counter(p.value for p in mine) != Counter(p.value for p in theirs):
            mine, theirs = _firsts(mine), _firsts(theirs)
        elif [p.value for p in mine] != [p.value for p in theirs] and len({p.value for p in mine}) < len(mine):
            changed = [p for p, q in zip(mine, theirs, strict=True) if p.value != q.value]
            yield changed[0], next((p for p in changed if p.value != changed[0].value), changed[0])
            continue
        places = {p.value: p for p in _firsts(theirs)}
        rank = {value: number for number, value in enumerate(places)}
        for one, other in combinations(_firsts(mine), 2):
            if one.value not in rank or other.value not in rank:
                continue
            was = _role(before, one), _role(before, other)
            now = _role(after, places[one.value]), _role(after, places[other.value])
            own = [a.agrees(b) for a, b in zip(was, now, strict=True)]
            crossed = [was[0].agrees(now[1]), was[1].agrees(now[0])]
            kept = rank[one.value] < rank[other.value]
            if (kept and all(crossed) and not any(own)) or (not kept and not (any(own) and not any(crossed))):
                yield one, other


def _find_strangers(
    before: str, original: Sequence[Placed], after: str, reworded: Sequence[Placed]
) -> Iterator[tuple[Placed, Placed]]:
    mine, theirs = (
        sorted((p for p in placed if p.group not in _FREE), key=lambda p: p.start) for placed in (original, reworded)
    )
    apart = [p for p, q in zip(mine, theirs, strict=False) if (p.group, p.value) != (q.group, q.value)]
    if len(mine) == len(theirs) >= _MANY and len(apart) == _PAIR and apart[0].group != apart[1].group:
        yield apart[0], apart[1]
    places = {(p.group, p.value): p for p in _firsts(reworded)}
    for one, other in combinations(_firsts(original), 2):
        if one.group == other.group or not {(p.group, p.value) for p in (one, other)} <= places.keys():
            continue
        was = _beside(before, one), _beside(before, other)
        now = _beside(after, places[one.group, one.value]), _beside(after, places[other.group, other.value])
        if was[0] != was[1] and was == now[::-1]:
            yield one, other


def _sequence(placed: Sequence[Placed], others: Sequence[Placed]) -> list[Placed]:
    shared = {(p.group, p.value) for p in others}
    return sorted((p for p in placed if (p.group, p.value) in shared), key=lambda p: p.start)


def _firsts(placed: Sequence[Placed]) -> list[Placed]:
    found: dict[tuple[str, int], Placed] = {}
    for one in sorted(placed, key=lambda p: p.start):
        found.setdefault((one.group, one.value), one)
    return list(found.values())


def _role(text: str, placed: Placed) -> _Role:
    left = _WORD.findall(text[: placed.start])[-_LEFT:]
    right = _WORD.findall(text[placed.end :])[:_RIGHT]
    direction = next((way for word in reversed(left) if (way := _direction(word))), "")
    preposition = left[-1] if left and left[-1] in _PREPOSITIONS else ""
    nouns = {stem(right[0])} if right and _tells(right[0]) else set()
    if left and _tells(left[-1]):
        nouns.add(stem(left[-1]))
    return _Role(direction, preposition, frozenset(nouns))


def _beside(text: str, placed: Placed) -> tuple[str, str]:
    """Return the words right before and after a value."""
    left, right = _WORD.findall(text[: placed.start]), _WORD.findall(text[placed.end :])
    return left[-1] if left else "", right[0] if right else ""


def _direction(word: str) -> str:
    return "source" if word in _SOURCE else "target" if word in _TARGET else ""


def _tells(word: str) -> bool:
    return word[0].isalpha() and word not in STOPWORDS
