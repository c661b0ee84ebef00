"""What all agents of the LLM cast share: the models of a dialogue, and the words for its day and tools."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from toolflow_graph.agents.roles import Aside, derive_rng
from toolflow_graph.models import ChatClient, Completion
from toolflow_graph.types import JSON, Tool

__all__ = ["Voices", "describe_tools", "leave_aside", "say_day"]


@dataclass(frozen=True)
class Voices:
    """The client and, for each role, the models of which every dialogue draws one with its seed."""

    client: ChatClient
    pools: Mapping[str, tuple[str, ...]]

    def model(self, role: str, seed: int, index: int) -> str:
        """Return the model that plays a role in one dialogue."""
        return derive_rng(seed, index, "model", role).choice(self.pools[role])


def say_day(now: datetime) -> tuple[str, str]:
    """Return the date and the time of day in words for a prompt."""
    return f"{now:%A}, {now.day} {now:%B %Y}", f"{now:%H:%M}"


def describe_tools(tools: Iterable[Tool], *, returns: bool) -> str:
    """Return the documentation of tools, one JSON object a line, with their return schemas where they are wanted."""
    lines = []
    for tool in tools:
        document: JSON = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        if returns:
            document["returns"] = tool.returns
        lines.append(json.dumps(document, ensure_ascii=False))
    return "\n".join(lines)


def leave_aside(role: str, completion: Completion, memory: Iterable[JSON] = ()) -> Aside:
    """Return what a model's turn leaves besides its words."""
    usage = {"role": role, **completion.usage.model_dump(mode="json")}
    attempts = tuple({"role": role, **attempt.model_dump(mode="json")} for attempt in completion.attempts)
    if completion.reasoning:
        usage["reasoning"] = completion.reasoning
    return Aside(tuple(memory), (usage,), attempts)
