"""Robotic phrasing: the same sentence again and again with other values in it, and turns that all begin alike."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from toolflow_graph.evaluation.bootstrap import Ratio
from toolflow_graph.evaluation.digest import DialogueDigest, Turn
from toolflow_graph.evaluation.figures import Figure, list_worst, shorten
from toolflow_graph.evaluation.results import Example

__all__ = ["measure_phrasing"]

_OPENING = 3
_COMMON_OPENINGS = 10
_FRAMES_SHOWN = 20
_WORD = re.compile(r"_|[^\W_]+(?:['’][^\W_]+)*")


def measure_phrasing(dialogues: Sequence[DialogueDigest]) -> Iterator[tuple[Figure, tuple[Example, ...]]]:
    """Yield the figures of both speakers, each with the phrases that are repeated most."""
    roles: tuple[Literal["user", "assistant"], ...] = ("user", "assistant")
    for role in roles:
        turns = [[turn for turn in dialogue.turns if turn.role == role] for dialogue in dialogues]
        if any(turns):
            yield _measure_frames(dialogues, turns, role)
            yield _measure_openings(dialogues, turns, role)
        else:
            missing = f"not measured: the {role} says nothing"
            yield _figure(f"commonest_frame_{role}", _FRAME.format(role), None, missing), ()
            yield _figure(f"common_openings_{role}", _OPENINGS.format(role), None, missing), ()


_FRAME = "{} turns with the commonest sentence frame"
_OPENINGS = "{} turns with one of the ten commonest openings"


def _measure_frames(
    dialogues: Sequence[DialogueDigest], turns: Sequence[Sequence[Turn]], role: str
) -> tuple[Figure, tuple[Example, ...]]:
    counts = Counter(frame for said in turns for turn in said for frame in set(turn.frames) if _has_words(frame))
    label = _FRAME.format(role)
    if not counts:
        return _figure(f"commonest_frame_{role}", label, None, "not measured: no sentence has two words"), ()
    total = sum(len(said) for said in turns)
    frame, _ = counts.most_common(1)[0]
    having = Ratio.of([sum(frame in turn.frames for turn in said) for said in turns], [len(said) for said in turns])
    shares = {frame: count / total for frame, count in counts.most_common(_FRAMES_SHOWN) if count > 1}
    examples = _find_first(dialogues, turns, shares, lambda turn: turn.frames)
    return _figure(f"commonest_frame_{role}", label, having, f"“{shorten(frame, 60)}”"), examples


def _measure_openings(
    dialogues: Sequence[DialogueDigest], turns: Sequence[Sequence[Turn]], role: str
) -> tuple[Figure, tuple[Example, ...]]:
    counts = Counter(opening for said in turns for turn in said if (opening := _open(turn)))
    label = _OPENINGS.format(role)
    if not counts:
        return _figure(f"common_openings_{role}", label, None, "not measured: no turn has three words"), ()
    common = dict(counts.most_common(_COMMON_OPENINGS))
    having = Ratio.of(
        [sum(_open(turn) in common for turn in said) for said in turns],
        [sum(bool(_open(turn)) for turn in said) for said in turns],
    )
    shares = {opening: count / counts.total() for opening, count in common.items() if count > 1}
    examples = _find_first(dialogues, turns, shares, lambda turn: (_open(turn),))
    note = f"their first three words; most often “{next(iter(common))}”"
    return _figure(f"common_openings_{role}", label, having, note), examples


def _find_first(
    dialogues: Sequence[DialogueDigest],
    turns: Sequence[Sequence[Turn]],
    shares: dict[str, float],
    phrases: Callable[[Turn], Iterable[str]],
) -> tuple[Example, ...]:
    """Return for each phrase the first turn that has it; its score is the phrase's share of the turns."""
    left = dict(shares)
    found = []
    for dialogue, said in zip(dialogues, turns, strict=True):
        for turn in said if left else ():
            for phrase in phrases(turn):
                if phrase in left:
                    excerpt = f"“{shorten(phrase, 80)}” in {left[phrase]:.1%}: {shorten(turn.text, 150)}"
                    score = left.pop(phrase)
                    found.append(
                        Example(
                            dialogue=dialogue.id, line=dialogue.line, message=turn.message, excerpt=excerpt, score=score
                        )
                    )
    return list_worst(found)


def _has_words(frame: str) -> bool:
    """Say whether a frame has two words of its own: "_." and "right." are nobody's template."""
    return len([word for word in _WORD.findall(frame) if word != "_"]) > 1


def _open(turn: Turn) -> str:
    words = _WORD.findall(" ".join(turn.frames[:2]))
    return " ".join(words[:_OPENING]) if len(words) >= _OPENING else ""


def _figure(key: str, label: str, source: Ratio | None, note: str) -> Figure:
    return Figure(key, label, "signatures", source, "share", "lower", note)
