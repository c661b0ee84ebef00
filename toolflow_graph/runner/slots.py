"""Exactly as many accepted dialogues as wanted: every wanted dialogue is a slot, played until one is accepted for it.

Attempt `a` at slot `s` of `n` is the dialogue with the index `s + a * n`. Which dialogues a run consists of therefore
depends on its settings alone, never on the order in which they finish.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence

from toolflow_graph.types import Pattern

__all__ = ["Slots"]


class Slots:
    """The wanted dialogues of a run, each with its patterns; a rejected dialogue is replaced by the next attempt."""

    def __init__(self, patterns: Sequence[tuple[Pattern, ...]], max_attempts: int) -> None:
        self._patterns = patterns
        self._max_attempts = max_attempts
        self._filled = bytearray(len(patterns))
        self._rejected: defaultdict[int, set[int]] = defaultdict(set)
        self._fresh = 0
        self._again: deque[int] = deque()

    def take(self) -> tuple[int, tuple[Pattern, ...]] | None:
        """Return index and patterns of the next dialogue to play, None when there is none at present."""
        while self._fresh < len(self._patterns):
            slot = self._fresh
            self._fresh += 1
            if not self._filled[slot] and self._attempts_left(slot):
                return self._next_index(slot), self._patterns[slot]
        if self._again:
            slot = self._again.popleft()
            return self._next_index(slot), self._patterns[slot]
        return None

    def settle(self, index: int, *, accepted: bool) -> None:
        """Enter a finished dialogue; before anything is taken, those of the run's earlier sessions."""
        slot = index % len(self._patterns)
        if accepted:
            self._filled[slot] = 1
            return
        self._rejected[slot].add(index)
        if slot < self._fresh and self._attempts_left(slot):
            self._again.append(slot)

    def list_given_up(self) -> dict[tuple[Pattern, ...], int]:
        """Return the patterns of the slots that have no attempt left, each with the number of such slots."""
        slots = [slot for slot in self._rejected if not self._filled[slot] and not self._attempts_left(slot)]
        return dict(Counter(self._patterns[slot] for slot in slots).most_common())

    def _attempts_left(self, slot: int) -> int:
        return max(0, self._max_attempts - len(self._rejected.get(slot, ())))

    def _next_index(self, slot: int) -> int:
        """Return the slot's first index that is not rejected yet: also one whose line somebody has deleted."""
        index = slot
        while index in self._rejected.get(slot, ()):
            index += len(self._patterns)
        return index
