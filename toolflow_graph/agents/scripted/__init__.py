"""The scripted cast: rules and a grammar, no model; correct by construction and the embedded default."""

from toolflow_graph.agents.roles import Cast
from toolflow_graph.agents.scripted.assistant import ScriptedAssistant
from toolflow_graph.agents.scripted.planner import ScriptedPlanner
from toolflow_graph.agents.scripted.simulator import ScriptedToolSimulator
from toolflow_graph.agents.scripted.user import ScriptedUser

__all__ = ["scripted_cast"]


def scripted_cast() -> Cast:
    """Return the cast that plays by rules alone."""
    return Cast("scripted", ScriptedPlanner(), ScriptedUser(), ScriptedAssistant(), ScriptedToolSimulator())
