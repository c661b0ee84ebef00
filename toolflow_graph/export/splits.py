"""Train, validation and test by tool: what is called in a held-out part is neither called nor shown in the others.

A dialogue calls several tools, so tools cannot be dealt out blindly: most dialogues would then call tools of two parts
and belong to none. A held-out part is grown instead. From a tool drawn by the seed on, the tool joins next whose
dialogues have most in common with those that the part touches already, until enough dialogues lie wholly inside. What
is cut by the border is dropped, unless no tool of it is needed in a held-out part after all. Tools that are merely on
offer do not bind a dialogue: held-out ones are withheld from its list.
"""

import heapq
import json
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.errors import DatasetError
from toolflow_graph.types import JSON

__all__ = ["SPLITS", "Footprint", "Split", "name_tool", "read_footprint", "split_by_tool"]

SPLITS = ("train", "validation", "test")

CROSSES = "calls tools of two splits"
SHOWS = "a search in it shows tools of another split"
BARE = "no tool would be left on offer"


@dataclass(frozen=True)
class Footprint:
    """The tools of a dialogue: those called, those that a search in it has shown, and those on offer.

    The search itself, `search_tools`, is no tool of a split: it stands in all of them.
    """

    called: frozenset[str]
    shown: frozenset[str]
    offered: frozenset[str]


@dataclass(frozen=True)
class Split:
    """Where each dialogue goes, None for those that are dropped, and why; `held` has the tools of held-out parts."""

    places: list[str | None]
    dropped: Counter[str]
    held: Mapping[str, frozenset[str]]

    def withheld(self, place: str) -> frozenset[str]:
        """Return the tools that may not be on offer in a part: those of the parts held out from it."""
        later = SPLITS[SPLITS.index(place) + 1 :]
        return _unite(self.held.get(other, frozenset()) for other in later)


def name_tool(tool: JSON) -> str:
    """Return the name of an entry of a `tools` list."""
    function = tool.get("function")
    return str((function if isinstance(function, dict) else tool).get("name"))


def read_footprint(messages: Sequence[JSON], tools: Iterable[JSON]) -> Footprint:
    """Return the tools of a dialogue."""
    names: dict[object, str] = {}
    shown: set[str] = set()
    for message in messages:
        for call in message.get("tool_calls") or ():
            names[call.get("id")] = str(call["function"].get("name"))
        if message["role"] == "tool" and names.get(message.get("tool_call_id")) == SEARCH_TOOLS.name:
            shown.update(_list_found(message.get("content")))
    meta = {SEARCH_TOOLS.name}
    called = {str(call["function"].get("name")) for message in messages for call in message.get("tool_calls") or ()}
    return Footprint(frozenset(called - meta), frozenset(shown - meta), frozenset({*map(name_tool, tools)} - meta))


def _list_found(content: object) -> list[str]:
    try:
        return [str(tool["name"]) for tool in json.loads(str(content))["tools"]]
    except (ValueError, TypeError, KeyError):
        return []


def split_by_tool(footprints: Sequence[Footprint], shares: Mapping[str, float], rng: random.Random) -> Split:
    """Return the part of each dialogue.

    `shares` are fractions of the dialogues that are kept, by split; a part overshoots its share by a tool at most.
    Dialogues that call nothing are dealt out by their shares. Raises `DatasetError` when a part comes out empty.
    """
    rest = [place for place, footprint in enumerate(footprints) if footprint.called]
    inside: dict[str, list[int]] = {}
    for name in (split for split in reversed(SPLITS[1:]) if split in shares):
        grown = _grow_part(rest, footprints, shares[name] / (1 - sum(shares[n] for n in inside)), rng)
        inside[name] = [place for place in rest if footprints[place].called <= grown]
        rest = [place for place in rest if not footprints[place].called & grown]
    held = {name: _unite(footprints[place].called for place in places) for name, places in inside.items()}
    out = _unite(held.values())
    split = Split([None] * len(footprints), Counter(), held)
    for name, places in inside.items():
        for place in places:
            split.places[place] = name
    for place, footprint in enumerate(footprints):
        if split.places[place] is None and not footprint.called & out:
            split.places[place] = SPLITS[0] if footprint.called else _deal(shares, rng)
    for place, footprint in enumerate(footprints):
        _drop_unfit(split, place, footprint)
    empty = [name for name in shares if name not in split.places]
    if empty:
        raise DatasetError(
            f"no dialogue is left for {empty[0]!r}: the {len(footprints)} dialogues call "
            f"{len(_unite(f.called for f in footprints))} tools, too much entwined for these shares; "
            "take more dialogues, or name fewer splits"
        )
    return split


def _drop_unfit(split: Split, place: int, footprint: Footprint) -> None:
    name = split.places[place]
    if name is None:
        split.dropped[CROSSES] += 1
        return
    withheld = split.withheld(name)
    if footprint.shown & withheld:
        split.places[place] = None
        split.dropped[SHOWS] += 1
    elif footprint.offered and footprint.offered <= withheld:
        split.places[place] = None
        split.dropped[BARE] += 1


def _grow_part(
    places: Sequence[int], footprints: Sequence[Footprint], share: float, rng: random.Random
) -> frozenset[str]:
    """Return tools such that a share of the dialogues that are not cut by their border lies inside."""
    using: dict[str, list[int]] = defaultdict(list)
    for place in places:
        for tool in footprints[place].called:
            using[tool].append(place)
    strangers = sorted(using)
    rng.shuffle(strangers)
    part: set[str] = set()
    missing = {place: len(footprints[place].called) for place in places}
    common: Counter[str] = Counter()  # of the dialogues that use a tool, those that the part touches
    border: list[tuple[float, float, str]] = []
    touched = inside = 0
    while inside < share * (len(places) - touched + inside):
        if not border and not strangers:
            break
        tool = heapq.heappop(border)[-1] if border else strangers.pop()
        if tool in part:
            continue
        part.add(tool)
        for place in using[tool]:
            if missing[place] == len(footprints[place].called):
                touched += 1
                for other in sorted(footprints[place].called - part):
                    common[other] += 1
                    heapq.heappush(border, (-common[other] / len(using[other]), rng.random(), other))
            missing[place] -= 1
            inside += not missing[place]
    return frozenset(part)


def _deal(shares: Mapping[str, float], rng: random.Random) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]


def _unite(sets: Iterable[Collection[str]]) -> frozenset[str]:
    return frozenset(name for names in sets for name in names)
