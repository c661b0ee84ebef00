"""The agenda of a dialogue as it is written: calls and acts so far, and what is remembered on the way."""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from toolflow_graph.agents.roles import Brief
from toolflow_graph.agents.scripted.arrange import LONG
from toolflow_graph.agents.scripted.facts import Facts
from toolflow_graph.agents.scripted.home import Home
from toolflow_graph.agents.scripted.text import Manner, draw_manner
from toolflow_graph.agents.scripted.trail import Trail
from toolflow_graph.types import JSON, Tool

if TYPE_CHECKING:
    from toolflow_graph.agents.scripted.leads import Turn

__all__ = ["Draft"]

_AT_HAND = 1
"""Requests for which a thing stays at hand in a long dialogue: then something else was spoken of in between."""


class Draft:
    """Calls and acts of one dialogue; values and lines that were said, and things that were spoken of."""

    def __init__(self, brief: Brief, home: Home, rng: random.Random) -> None:
        """Keep what the plan is made from, and draw the user's manner."""
        self.brief = brief
        self.home = home
        self.rng = rng
        self.manner: Manner = draw_manner(brief.rng("manner"))
        self.calls: list[JSON] = []
        self.acts: list[JSON] = []
        self.long = brief.requests[1] > LONG
        self.facts = Facts(home, rng, long=self.long)
        self.made: dict[str, int] = {}
        self.request = -1
        self.domain = ""
        self.spoken: set[str] = set()
        self.trail = Trail(_AT_HAND if self.long else LONG)
        self.chosen: dict[int, int] = {}
        self.turn: Turn = "opening"
        self.after_talk = False
        self._pending: Sequence[JSON] = ()

    def keep(self) -> JSON:
        """Return everything as it is, to go back to with `restore`."""
        return {
            **vars(self),
            "calls": [dict(call) for call in self.calls],
            "acts": list(self.acts),
            "facts": self.facts.copy(),
            "made": dict(self.made),
            "spoken": set(self.spoken),
            "trail": self.trail.copy(),
            "chosen": dict(self.chosen),
        }

    def restore(self, kept: JSON) -> None:
        """Make everything as it was."""
        vars(self).update(kept)

    def outline(self) -> JSON:
        """Return the agenda."""
        return {"calls": self.calls, "acts": self.acts}

    def _user(self, parts: Sequence[JSON]) -> None:
        self.acts.append({"by": "user", "request": self.request, "parts": list(parts)})

    def _assistant(self, parts: Sequence[JSON]) -> None:
        self.acts.append({"by": "assistant", "request": self.request, "parts": list(parts)})

    def _call(self, calls: Sequence[int]) -> None:
        self.acts.append({"by": "assistant", "request": self.request, "calls": list(calls)})

    def _new_call(self, tool: Tool | None, arguments: JSON, *, counted: bool = True) -> int:
        call: JSON = {
            "tool": tool.name if tool is not None else "search_tools",
            "arguments": arguments,
            "request": self.request,
        }
        if not counted:
            call["never"] = True
        self.calls.append(call)
        return len(self.calls) - 1

    def _request_of(self, call: int) -> int:
        return int(self.calls[call]["request"])

    def _fresh(self, lines: Sequence[tuple[str, str]]) -> tuple[str, str]:
        left = [line for line in lines if line[0] not in self.spoken] or list(lines)
        line = self.rng.choice(left)
        self.spoken.add(line[0])
        return line

    def _fresh_line(self, lines: Sequence[str]) -> str:
        return self._fresh([(line, "") for line in lines])[0]
