"""What all agents of the LLM cast share: the models of a dialogue, and the words for its day and tools."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from toolflow_graph.agents.roles import Aside, derive_rng
from toolflow_graph.models import ChatClient, Completion, ModelSettings
from toolflow_graph.models.settings import Role, draw_models
from toolflow_graph.prompts import BUNDLED, Prompts
from toolflow_graph.types import JSON, Tool

__all__ = ["Voices", "describe_tools", "leave_aside", "say_day"]


@dataclass(frozen=True)
class Voices:
    """The client, the models of which every dialogue draws its own with its seed, and the prompts."""

    client: ChatClient
    settings: ModelSettings
    prompts: Prompts = BUNDLED

    def model(self, role: Role, seed: int, index: int) -> str:
        """Return the model that plays a role in one dialogue."""
        return draw_models(self.settings, derive_rng(seed, index, "models"), (role,))[role]

    async def ask(self, role: Role, seed: int, index: int, messages: Sequence[JSON], **wanted: Any) -> Completion:
        """Ask the model of a role; `wanted` is what `ChatClient.complete` takes besides."""
        model = self.model(role, seed, index)
        return await self.client.complete(role, model, messages, dialogue=f"{seed}-{index}", **wanted)


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
    usage = {"agent": role, **completion.usage.model_dump(mode="json")}
    if completion.reasoning:
        usage["reasoning"] = completion.reasoning
    *refused, _ = completion.attempts
    attempts = tuple({"agent": role, **attempt.model_dump(mode="json")} for attempt in refused)
    return Aside(tuple(memory), (usage,), attempts)
