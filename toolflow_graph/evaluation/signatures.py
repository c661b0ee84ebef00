"""Signatures of failed synthesis: tools without a common matter, plans run through, trivial and overlong dialogues."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from toolflow_graph.evaluation.bootstrap import Ratio
from toolflow_graph.evaluation.chains import is_telling, key_of
from toolflow_graph.evaluation.digest import CallDigest, DialogueDigest
from toolflow_graph.evaluation.figures import Figure, list_worst, shorten
from toolflow_graph.evaluation.results import Example
from toolflow_graph.validation.dialogue import SEARCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_stray_tools", "is_rigid", "is_trivial", "measure_signatures", "rate_excess"]

Signature = tuple[Figure, tuple[Example, ...]]

_WORD = re.compile(r"[^\W_]{4,}")
_PHATIC = 3
_GENERIC = frozenset("id name query q text type limit page offset sort order lang language format key value".split())
_FAR_OUT = 3.0


def measure_signatures(dialogues: Sequence[DialogueDigest]) -> Iterator[Signature]:
    """Yield each signature with the dialogues that show it most."""
    yield from _measure_context(dialogues)
    yield _measure_rigidity(dialogues)
    yield _measure_trivial(dialogues)
    yield _measure_excess(dialogues)


def _measure_context(dialogues: Sequence[DialogueDigest]) -> Iterator[Signature]:
    names = [{call.name for call in d.calls} - {SEARCH} for d in dialogues]
    several = [len(called) > 1 for called in names]
    stray = [find_stray_tools(d) if many else [] for d, many in zip(dialogues, several, strict=True)]
    used = [len(called) if many else 0 for called, many in zip(names, several, strict=True)]
    apart = [
        many and len(found) == len(called) and not _share_parameter(d, called)
        for d, called, many, found in zip(dialogues, names, several, stray, strict=True)
    ]
    missing = "" if any(several) else "not measured: no dialogue calls two different tools"

    def tell(dialogue: DialogueDigest, alone: Sequence[str]) -> str:
        return f"alone: {', '.join(alone)}; calls: {_tell_calls(dialogue)}"

    examples = [
        _example(d, tell(d, found), len(found) / number)
        for d, found, number in zip(dialogues, stray, used, strict=True)
        if found
    ]
    label = "called tools that share no value with another"
    note = missing or "in dialogues that call two or more tools"
    source = Ratio.of([len(found) for found in stray], used) if any(several) else None
    yield _figure("stray_tools", label, source, note), list_worst(examples)
    label = "dialogues in which no two tools share a value or a parameter"
    whole = [_example(d, _tell_calls(d), len(d.calls)) for d, alone in zip(dialogues, apart, strict=True) if alone]
    source = Ratio.of(apart, several) if any(several) else None
    yield _figure("unrelated_tools", label, source, missing or "of those that call two or more"), list_worst(whole)


def find_stray_tools(dialogue: DialogueDigest) -> list[str]:
    """Return the called tools that nothing joins with another one, in order.

    Two tools are joined when a call of the one has an argument value, or a word of four letters in one, that a call of
    the other has too, or that an earlier result of the other returned. Flags and numbers under 100 join nothing.
    The search for tools is no tool here.
    """
    joined: set[str] = set()
    calls = [call for call in dialogue.calls if call.name != SEARCH]
    traits = [(call, _list_passed(call), _list_returned(call)) for call in calls]
    for (one, passed, returned), (other, taken, _) in combinations(traits, 2):  # the one is earlier
        if one.name != other.name and (passed & taken or (one.message < other.message and returned & taken)):
            joined.update((one.name, other.name))
    return [name for name in dict.fromkeys(call.name for call in calls) if name not in joined]


def _share_parameter(dialogue: DialogueDigest, names: Collection[str]) -> bool:
    """Say whether two of these tools have a parameter of one name, unless any tool might have it."""
    listed = [set(tool.parameters) - _GENERIC for tool in dialogue.tools if tool.name in names]
    return any(one & other for one, other in combinations(listed, 2))


def _list_passed(call: CallDigest) -> set[object]:
    return {trait for _, value in call.arguments for trait in _list_traits(value)}


def _list_returned(call: CallDigest) -> set[object]:
    return {key_of(value) for value in call.returned if is_telling(value)}


def _list_traits(value: Any) -> Iterator[object]:
    if is_telling(value):
        yield key_of(value)
        if isinstance(value, str):
            yield from _WORD.findall(value.casefold())


def _measure_rigidity(dialogues: Sequence[DialogueDigest]) -> Signature:
    several = [len(d.rounds) > 1 and bool(d.calls) for d in dialogues]
    rigid = [many and is_rigid(d) for d, many in zip(dialogues, several, strict=True)]
    label = "dialogues in which every turn is a request, done at once"
    if not any(several):
        return _figure("rigid_plans", label, None, "not measured: no dialogue with calls has two user turns"), ()
    examples = [
        _example(d, " | ".join(shorten(part.request, 70) for part in d.rounds), len(d.rounds))
        for d, stiff in zip(dialogues, rigid, strict=True)
        if stiff
    ]
    note = "no question, no chat, no change, no follow-up, no failure; of dialogues with two or more user turns"
    return _figure("rigid_plans", label, Ratio.of(rigid, several), note), list_worst(examples)


def is_rigid(dialogue: DialogueDigest) -> bool:
    """Say whether a plan was merely run through: every user turn is answered by calls at once and by none again.

    What breaks the rhythm is a user turn without a call (the assistant asks or declines, somebody chats, the user asks
    about a result), a tool that is called in a second turn (a change, a follow-up), or a call that fails.
    """
    seen: set[str] = set()
    for part in dialogue.rounds:
        names = {call.name for call in part.calls}
        if not names or names & seen or any(call.failed for call in part.calls):
            return False
        seen |= names
    return True


def _measure_trivial(dialogues: Sequence[DialogueDigest]) -> Signature:
    trivial = [is_trivial(d) for d in dialogues]
    examples = [
        _example(d, " | ".join(shorten(turn.text, 110) for turn in d.turns), 1 / (1 + len(d.turns)))
        for d, plain in zip(dialogues, trivial, strict=True)
        if plain
    ]
    note = "at most one call, and no more than one user turn that says something"
    return _figure("trivial", "trivial dialogues", Ratio.of(trivial), note), list_worst(examples)


def is_trivial(dialogue: DialogueDigest) -> bool:
    """Say whether a dialogue is one request with at most one call; a word of thanks makes it no richer."""
    said = [part for part in dialogue.rounds if part.calls or len(part.request.split()) > _PHATIC]
    return len(dialogue.calls) <= 1 and len(said) <= 1


def _measure_excess(dialogues: Sequence[DialogueDigest]) -> Signature:
    excess = rate_excess(dialogues)
    label = "dialogues far longer or deeper than the others"
    examples = [
        _example(
            d,
            f"{len(d.rounds)} user turns, {len(d.calls)} calls, longest chain {d.depth}: {_tell_calls(d)}",
            round(float(far), 2),
        )
        for d, far in zip(dialogues, excess, strict=True)
        if far > _FAR_OUT
    ]
    note = "user turns, calls or chain over three quartile ranges above the third quartile of this set"
    return _figure("too_complex", label, Ratio.of(excess > _FAR_OUT), note), list_worst(examples)


def rate_excess(dialogues: Sequence[DialogueDigest]) -> "NDArray[np.float64]":
    """Return by how many quartile ranges each dialogue lies above the third quartile, in what it exceeds most.

    A quartile range counts as at least 1, so that in a set of equal dialogues one more call is no outlier.
    """
    sizes: Sequence[Callable[[DialogueDigest], int]] = (
        lambda d: len(d.rounds),
        lambda d: len(d.calls),
        lambda d: d.depth,
    )
    rates = []
    for size in sizes:
        numbers = np.asarray([size(d) for d in dialogues], np.float64)
        low, high = np.quantile(numbers, [0.25, 0.75]) if len(numbers) else (0.0, 0.0)
        rates.append((numbers - high) / max(high - low, 1.0))
    excess: NDArray[np.float64] = np.max(rates, axis=0)
    return excess


def _tell_calls(dialogue: DialogueDigest) -> str:
    calls = (f"{c.name}({', '.join(shorten(str(value), 30) for _, value in c.arguments)})" for c in dialogue.calls)
    return shorten("; ".join(calls), 200)


def _example(dialogue: DialogueDigest, excerpt: str, score: float) -> Example:
    return Example(dialogue=dialogue.id, line=dialogue.line, message=None, excerpt=excerpt, score=score)


def _figure(key: str, label: str, source: Ratio | None, note: str) -> Figure:
    return Figure(key, label, "signatures", source, "share", "lower", note)
