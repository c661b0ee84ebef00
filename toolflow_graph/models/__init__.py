"""Everything between an agent and an OpenAI-compatible endpoint: requests, repairs, traffic, tokens and money."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolflow_graph.models.answers import Completion
    from toolflow_graph.models.client import ChatClient
    from toolflow_graph.models.settings import ModelSettings

__all__ = ["ChatClient", "Completion", "ModelSettings"]

_HOMES = {"ChatClient": "client", "Completion": "answers", "ModelSettings": "settings"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: settings need `models.settings`, but not the OpenAI client."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
