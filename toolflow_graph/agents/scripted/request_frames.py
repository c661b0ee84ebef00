"""Which sentence frame carries a request: one that can say what must be said, and nothing that must not."""

import random
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from toolflow_graph.by_identity import remember_by_identity
from toolflow_graph.errors import PlanError
from toolflow_graph.frames import Frame, parse_frame
from toolflow_graph.types import JSON, Tool

__all__ = ["Needs", "askable", "changeable", "choose_frame", "standalone_frames"]

_POINTS_FIRST = re.compile(r"\[[^|\]]*\|(?:That|This|It|Those|These|that|this|it)\b")
"""A frame that opens by pointing at something, which a choice just before has already done."""


@dataclass(frozen=True)
class Needs:
    """What a request has to do with its parameters.

    `bound` ones are known from an earlier result and not said, `missing` ones are left out on purpose, `must` ones
    have to be said although they are optional; `picked` says that an item was pointed at just before.
    """

    bound: Collection[str] = ()
    missing: Collection[str] = ()
    must: Collection[str] = field(default=())
    picked: bool = False


def choose_frame(
    tool: Tool, values: JSON, needs: Needs, said_before: JSON, rng: random.Random, spent: Collection[str] = ()
) -> tuple[str, set[str]]:
    """Draw a request frame, sooner one that is not `spent`; return it with the parameters that it will mention.

    Required values that were said before may be pointed back at ("there", "that day"), optional ones be left out.
    Raises `PlanError` when no frame of the tool fits.
    """
    frames = tool.phrasings.requests if tool.phrasings is not None else ()
    required = set(tool.required)
    for source in sorted(rng.sample(list(frames), len(frames)), key=spent.__contains__):
        if needs.picked and _POINTS_FIRST.match(source):
            continue
        frame = parse_frame(source)
        optional = [n for n in values if n not in required and n not in needs.must and n not in frame.fixed]
        left_out = {n for n in optional if rng.random() < 0.5 or _is_false(tool, n, values[n])}
        # In the order of the tool, not of a set, which another process would go through in another order.
        known = [n for n in tool.required if n in values and n not in needs.must and said_before.get(n) == values[n]]
        pointed = {n for n in known if _can_point(frame, n) and rng.random() < 0.6}
        said = (set(values) - set(needs.missing) - left_out - pointed) & _places(frame)
        mentioned = _mentions(frame, said, needs)
        if mentioned is None:
            continue
        unsaid = required - set(needs.bound) - set(needs.missing) - pointed - mentioned
        if not unsaid and set(needs.must) <= mentioned:
            return source, mentioned
    raise PlanError(f"no request frame of {tool.name!r} can say what is needed")


def _mentions(frame: Frame, said: set[str], needs: Needs) -> set[str] | None:
    """Return the parameters that a frame mentions when `said` can be said; None when it does not suit the needs."""
    if not _roots(frame.fixed) <= said or not set(needs.missing) <= frame.droppable:
        return None
    mentioned = _roots(frame.said({path for path in frame.paths if path.split(".")[0] in said}))
    return None if mentioned & {*needs.bound, *needs.missing} else mentioned


def _roots(paths: Collection[str]) -> set[str]:
    return {path.split(".")[0] for path in paths}


def _places(frame: Frame) -> set[str]:
    return _roots(frame.paths)


def _can_point(frame: Frame, name: str) -> bool:
    return name not in frame.fixed and name not in frame.droppable and name in frame.paths


def _is_false(tool: Tool, name: str, value: object) -> bool:
    return tool.parameters["properties"][name].get("type") == "boolean" and not value


@remember_by_identity()
def standalone_frames(tool: Tool) -> list[str]:
    """Return the request frames in which every required parameter can be said."""
    frames = tool.phrasings.requests if tool.phrasings is not None else ()
    return [frame for frame in frames if set(tool.required) <= _places(parse_frame(frame))]


def askable(tool: Tool) -> list[str]:
    """Return the required parameters that a user may forget, and that some frame can leave out."""
    if tool.phrasings is None:
        return []
    droppable = {name for frame in tool.phrasings.requests for name in parse_frame(frame).droppable}
    return [name for name in tool.phrasings.asks if name in tool.required and name in droppable]


def changeable(tool: Tool) -> list[str]:
    """Return the parameters that a user may correct."""
    return list(tool.phrasings.changes) if tool.phrasings is not None else []
