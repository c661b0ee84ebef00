"""Sentence frames: the small template language in which tools and agents carry their phrasings.

A frame is text with slots and options:

- `{date}` is a slot; its path may go into objects (`{address.city}`).
- `{nights:night}` is a number with its noun: "one night", "3 nights".
- `[ for {passenger_name}]` is an option: kept when all its slots can be filled, else dropped.
- `[in {city}|there]` has alternatives: the first one whose slots can all be filled is taken.
- `[refundable? It can be refunded.| It cannot.]` keeps the first alternative when the slot is true.

Example: `Find me a train to {destination} [on {date}|that day][, leaving after {depart_after}]`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from toolflow_graph.errors import FrameError

__all__ = ["Frame", "Option", "Slot", "parse_frame"]

_SLOT = re.compile(r"\{([\w\-.]+)(?::([^{}\[\]|]+))?\}")
_CONDITION = re.compile(r"([\w\-.]+)\?")
_MAX_DEPTH = 20


@dataclass(frozen=True)
class Slot:
    """A place for a value: the path of a parameter or return value, and the noun that a number counts."""

    path: str
    noun: str = ""


@dataclass(frozen=True)
class Option:
    """Alternatives, the first fillable of which is taken; with a condition, first if true and second if not."""

    alternatives: tuple["Frame", ...]
    condition: str = ""


@dataclass(frozen=True)
class Frame:
    """A parsed frame; `parts` are literal text, slots and options in order."""

    source: str
    parts: tuple[str | Slot | Option, ...]

    def slots(self) -> Iterator[Slot]:
        """Yield every slot, those inside options included."""
        for part in self.parts:
            if isinstance(part, Slot):
                yield part
            elif isinstance(part, Option):
                for alternative in part.alternatives:
                    yield from alternative.slots()

    def conditions(self) -> Iterator[str]:
        """Yield the paths that decide options, at any depth."""
        for part in self.parts:
            if isinstance(part, Option):
                if part.condition:
                    yield part.condition
                for alternative in part.alternatives:
                    yield from alternative.conditions()

    @cached_property
    def paths(self) -> frozenset[str]:
        """All paths that the frame can mention, conditions included."""
        return frozenset(slot.path for slot in self.slots()) | frozenset(self.conditions())

    @cached_property
    def fixed(self) -> frozenset[str]:
        """The paths that the frame mentions whatever the options do."""
        return frozenset(part.path for part in self.parts if isinstance(part, Slot))

    @cached_property
    def droppable(self) -> frozenset[str]:
        """The paths that stand in an option without a second alternative: left out, nothing is said instead."""
        return frozenset(
            slot.path
            for part in self.parts
            if isinstance(part, Option) and len(part.alternatives) == 1 and not part.condition
            for slot in part.alternatives[0].slots()
        )

    def said(self, available: set[str]) -> set[str]:
        """The paths that are mentioned when exactly `available` can be filled."""
        found: set[str] = set()
        for part in self.parts:
            if isinstance(part, Slot):
                found.add(part.path)
            elif isinstance(part, Option):
                chosen = part_choice(part, lambda path: path in available, lambda path: path in available)
                if part.condition and part.condition in available:
                    found.add(part.condition)
                if chosen is not None:
                    found |= chosen.said(available)
        return found

    def realise(self, fill: Callable[[Slot], str | None], holds: Callable[[str], bool] | None = None) -> str | None:
        """Return the sentence, or None when a slot outside every option cannot be filled.

        `fill` gives a slot's words or None; `holds` says whether a condition's value is true.
        """
        words: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                words.append(part)
            elif isinstance(part, Slot):
                value = fill(part)
                if value is None:
                    return None
                words.append(value)
            else:
                text = _realise_option(part, fill, holds)
                if text is not None:
                    words.append(text)
        return "".join(words)


def part_choice(option: Option, fillable: Callable[[str], bool], holds: Callable[[str], bool]) -> Frame | None:
    """Return the alternative that an option takes, or None when it is dropped."""
    if option.condition:
        index = 0 if holds(option.condition) else 1
        candidates = option.alternatives[index : index + 1]
    else:
        candidates = option.alternatives
    for alternative in candidates:
        if all(fillable(path) for path in alternative.fixed):
            return alternative
    return None


def _realise_option(
    option: Option, fill: Callable[[Slot], str | None], holds: Callable[[str], bool] | None
) -> str | None:
    if option.condition:
        if holds is None:
            return None
        index = 0 if holds(option.condition) else 1
        candidates = option.alternatives[index : index + 1]
    else:
        candidates = option.alternatives
    for alternative in candidates:
        text = alternative.realise(fill, holds)
        if text is not None:
            return text
    return None


@lru_cache(maxsize=65536)
def parse_frame(source: str) -> Frame:
    """Parse a frame; raises `FrameError` with the place when brackets or slots are not well-formed."""
    frame, end = _parse(source, 0, "", 0)
    if end != len(source):
        raise FrameError(f"unexpected {source[end]!r} at {end} in frame {source!r}")
    return frame


def _parse(source: str, start: int, stops: str, depth: int) -> tuple[Frame, int]:
    parts: list[str | Slot | Option] = []
    text: list[str] = []
    position = start

    def flush() -> None:
        if text:
            parts.append("".join(text))
            text.clear()

    while position < len(source):
        character = source[position]
        if character in stops:
            break
        if character == "{":
            match = _SLOT.match(source, position)
            if match is None:
                raise FrameError(f"malformed slot at {position} in frame {source!r}")
            flush()
            parts.append(Slot(match[1], match[2] or ""))
            position = match.end()
        elif character == "[":
            flush()
            option, position = _parse_option(source, position, depth + 1)
            parts.append(option)
        elif character in "}]|":
            raise FrameError(f"unexpected {character!r} at {position} in frame {source!r}")
        else:
            text.append(character)
            position += 1
    flush()
    return Frame(source[start:position], tuple(parts)), position


def _parse_option(source: str, start: int, depth: int) -> tuple[Option, int]:
    if depth > _MAX_DEPTH:
        raise FrameError(f"more than {_MAX_DEPTH} options inside one another at {start} in frame {source!r}")
    position = start + 1
    condition = ""
    match = _CONDITION.match(source, position)
    if match is not None:
        condition, position = match[1], match.end()
    alternatives: list[Frame] = []
    while True:
        frame, position = _parse(source, position, "|]", depth)
        alternatives.append(frame)
        if position >= len(source):
            raise FrameError(f"'[' at {start} is never closed in frame {source!r}")
        if source[position] == "]":
            if condition and len(alternatives) > 2:
                raise FrameError(f"condition {condition!r} at {start} has more than two outcomes in frame {source!r}")
            return Option(tuple(alternatives), condition), position + 1
        position += 1
