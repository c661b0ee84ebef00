"""The LLM cast: each role is a chat model behind an OpenAI-compatible endpoint, with a prompt file of its own."""

from toolflow_graph.agents.llm.assistant import LLMAssistant
from toolflow_graph.agents.llm.executed_tools import ExecutedTools
from toolflow_graph.agents.llm.planner import LLMPlanner
from toolflow_graph.agents.llm.recall import Recall
from toolflow_graph.agents.llm.setting import Voices
from toolflow_graph.agents.llm.tool_simulator import LLMToolSimulator
from toolflow_graph.agents.llm.user import LLMUser
from toolflow_graph.agents.llm.writer import LLMWriter
from toolflow_graph.agents.roles import Cast

__all__ = ["ExecutedTools", "Recall", "Voices", "llm_cast"]


def llm_cast(voices: Voices, recall: Recall) -> Cast:
    """Return the cast in which models play all roles."""
    return Cast(
        "llm",
        LLMPlanner(voices),
        LLMUser(voices, recall),
        LLMAssistant(voices, recall),
        LLMToolSimulator(voices, recall),
        LLMWriter(voices),
    )
