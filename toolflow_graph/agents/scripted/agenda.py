"""Reads the agenda of a scripted plan against the dialogue so far: which act is due, what a call came to."""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from langchain_core.messages import ToolMessage

from toolflow_graph.agents.roles import Scene
from toolflow_graph.agents.scripted.home import home_of
from toolflow_graph.agents.scripted.phrasing import Wording, lookup
from toolflow_graph.agents.scripted.verbalise import with_phrasings
from toolflow_graph.types import JSON, Tool

__all__ = ["Agenda", "call_id"]


@lru_cache(maxsize=4096)
def call_id(seed: int, index: int, call: int) -> str:
    """Return the id of a planned call: the same in every run of the same dialogue, different everywhere else."""
    digest = hashlib.sha256(f"{seed}/{index}/{call}".encode()).hexdigest()
    return f"call_{digest[:20]}"


class Agenda:
    """The acts and calls of a scene's plan; raises nothing when the plan has none (then nothing is due)."""

    def __init__(self, scene: Scene) -> None:
        """Read the outline of the scene's plan."""
        self.scene = scene
        self.home = home_of(scene.seed, scene.index)
        self._results: dict[int, JSON | None] = {}
        self.acts: Sequence[JSON] = scene.plan.outline.get("acts", ())
        self.calls: Sequence[JSON] = scene.plan.outline.get("calls", ())

    def due(self, role: str) -> JSON | None:
        """Return the next act if it is this role's."""
        if self.scene.position < len(self.acts) and self.acts[self.scene.position]["by"] == role:
            return self.acts[self.scene.position]
        return None

    def tool(self, call: int) -> Tool:
        """Return the tool of a call, with phrasings."""
        return with_phrasings(self.scene.tools[self.calls[call]["tool"]])

    def wording(self, call: int, rng: random.Random) -> Wording:
        """Return the words of a call's tool, as they are used in this dialogue."""
        return Wording(self.tool(call), self.scene.today, rng, month_first=self.home.month_first)

    def id_of(self, call: int) -> str:
        """Return the id of a call."""
        return call_id(self.scene.seed, self.scene.index, call)

    def call_of(self, identity: str) -> int | None:
        """Return the number of the planned call with this id."""
        for number in range(len(self.calls)):
            if self.id_of(number) == identity:
                return number
        return None

    def result(self, call: int) -> JSON | None:
        """Return what a call returned, None when it was not made, failed, or was edited into something else."""
        if call not in self._results:
            self._results[call] = self._read_result(call)
        return self._results[call]

    def _read_result(self, call: int) -> JSON | None:
        identity = self.id_of(call)
        for message in reversed(self.scene.messages):
            if isinstance(message, ToolMessage) and message.tool_call_id == identity:
                try:
                    content = json.loads(str(message.content))
                except ValueError:
                    return None
                return content if isinstance(content, dict) and message.status != "error" else None
        return None

    def arguments(self, call: int) -> JSON:
        """Return the arguments of a call, with references to earlier results resolved."""
        return {
            name: self._resolve(value["$from"]) if isinstance(value, Mapping) and "$from" in value else value
            for name, value in self.calls[call]["arguments"].items()
        }

    def picked(self, call: int, chosen: int | None = None) -> JSON | None:
        """Return the item of a list result that the user chose, or the one numbered `chosen`."""
        result = self.result(call)
        if result is None:
            return None
        for value in result.values():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                item: JSON = value[self.choice(call, len(value), chosen)]
                return item
        return None

    def choice(self, call: int, length: int, chosen: int | None = None) -> int:
        """Return the index of the chosen item of a list: the one that was chosen first, or the one given."""
        return int(self.calls[call].get("picked", 0) if chosen is None else chosen) % length

    def _resolve(self, reference: Sequence[Any]) -> Any:
        call, path = int(reference[0]), str(reference[1])
        chosen = int(reference[2]) if len(reference) > _PLAIN else None
        result = self.result(call)
        if result is None:
            return None
        head, _, rest = path.partition(".")
        value = result.get(head)
        if isinstance(value, list) and value:
            value = value[self.choice(call, len(value), chosen)]
        return lookup(value, rest) if rest else value


_PLAIN = 2
"""Parts of a reference to the item that was chosen first; a third part chooses another one."""
