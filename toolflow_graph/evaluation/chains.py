"""Chains of calls: which call takes an argument from the result of an earlier one."""

from collections.abc import Iterator, Sequence
from typing import Any

from toolflow_graph.types import Provenance
from toolflow_graph.validation.dialogue import CheckedDialogue, iterate_leaves

__all__ = ["find_depths", "is_telling", "key_of"]

_SHORTEST = 3
_SMALLEST = 100


def find_depths(dialogue: CheckedDialogue, provenance: Sequence[Provenance] | None) -> list[int]:
    """Return for each call the number of calls in the longest chain that ends with it; 1 when it needs no other.

    A chain goes from result to argument: by the recorded provenance where there is one, otherwise by value, where a
    value counts that an earlier result brought into the dialogue (nobody had said or passed it before).
    """
    depth_at: dict[int, int] = {}  # by message of the result
    depths = []
    origins = _recorded(dialogue, provenance) if provenance is not None else _matched(dialogue)
    for call, results in zip(dialogue.calls, origins, strict=True):
        depth = 1 + max((depth_at.get(result, 0) for result in results), default=0)
        depths.append(depth)
        if call.answered is not None:
            depth_at[call.answered] = depth
    return depths


def _recorded(dialogue: CheckedDialogue, provenance: Sequence[Provenance]) -> Iterator[set[int]]:
    """Yield for each call the results from which its arguments come, by the record.

    A record names the latest result that holds a value, which may only echo what was passed to it. So the result that
    brought the value counts, and none where it was known before.
    """
    news = _News(dialogue)
    by_call: dict[str, list[Provenance]] = {}
    for entry in provenance:
        if entry.source == "result" and entry.message is not None:
            by_call.setdefault(entry.call_id, []).append(entry)
    for call in dialogue.calls:
        leaves = dict(iterate_leaves(call.arguments or {}))
        origins = (news.trace(leaves.get(entry.path), entry.message) for entry in by_call.get(call.id, ()))
        yield {origin for origin in origins if origin is not None}


def _matched(dialogue: CheckedDialogue) -> Iterator[set[int]]:
    """Yield for each call the results from which its arguments come, by value."""
    news = _News(dialogue)
    for call in dialogue.calls:
        leaves = (leaf for _, leaf in iterate_leaves(call.arguments or {}) if is_telling(leaf))
        origins = (news.brought.get(key_of(leaf)) for leaf in leaves)
        yield {origin for origin in origins if origin is not None and origin < call.message}


class _News:
    """What each result brought into a dialogue: telling values that nobody had said and no call had passed before."""

    def __init__(self, dialogue: CheckedDialogue) -> None:
        answers = {call.answered: call for call in dialogue.calls if call.answered is not None}
        self.brought: dict[object, int] = {}
        self._passed: dict[object, int] = {}
        self._said: list[tuple[int, str]] = []
        for index in range(len(dialogue.messages)):
            if index in answers:
                for _, leaf in iterate_leaves(answers[index].result):
                    key = key_of(leaf)
                    if is_telling(leaf) and key not in self.brought and not self._is_known(leaf, index):
                        self.brought[key] = index
            elif dialogue.role(index) in ("user", "system"):
                self._said.append((index, dialogue.texts[index].casefold()))
            for call in dialogue.calls_of.get(index, ()):
                for _, leaf in iterate_leaves(call.arguments or {}):
                    self._passed.setdefault(key_of(leaf), index)

    def trace(self, value: Any, recorded: int | None) -> int | None:
        """Return the result that brought a value, the recorded one where none did by value, None for an echo."""
        brought = self.brought.get(key_of(value)) if is_telling(value) else None
        if brought is not None or recorded is None:
            return brought
        return None if self._is_known(value, recorded) else recorded

    def _is_known(self, value: Any, before: int) -> bool:
        if self._passed.get(key_of(value), before) < before:
            return True
        text = str(value).casefold()
        return is_telling(value) and any(text in said for index, said in self._said if index < before)


def is_telling(value: Any) -> bool:
    """Say whether two occurrences of a value are hardly chance: no flag, no small number, no single letter."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return abs(value) >= _SMALLEST or value != int(value) if abs(value) != float("inf") else False
    return len(str(value).strip()) >= _SHORTEST


def key_of(value: Any) -> object:
    """Return what equal values share: texts by folded case, numbers by size."""
    return value if isinstance(value, int | float) else str(value).casefold().strip()
