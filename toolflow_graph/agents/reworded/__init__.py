"""The scripted cast with its lines reworded by a model: the same calls, the same acts, other words."""

from toolflow_graph.agents.llm import Voices
from toolflow_graph.agents.reworded.speakers import RewordedAssistant, RewordedUser
from toolflow_graph.agents.roles import Cast

__all__ = ["reword_cast"]


def reword_cast(cast: Cast, voices: Voices) -> Cast:
    """Return a scripted cast whose user and assistant speak in the words of a model."""
    user, assistant = RewordedUser(cast.user, voices), RewordedAssistant(cast.assistant, voices)
    return Cast(cast.name, cast.planner, user, assistant, cast.tool_simulator)
