"""The state machine of one dialogue.

START → sampler → planner → user → assistant ─┬─ calls tools → tool_simulator → assistant
                             ▲  │             └─ spoke → user
                             └──┼───────────────────┘
                                └─ plan addressed, or turn limit → validator → END
"""

from typing import Literal

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from toolflow_graph.dialogue.nodes import assistant, planner, sampler, settings_of, tool_simulator, user, validator
from toolflow_graph.dialogue.state import DialogueInput, DialogueState
from toolflow_graph.settings import DialogueSettings

__all__ = ["build_graph", "graph", "step_limit"]


async def after_sampler(state: DialogueState) -> Literal["planner", "validator"]:
    """Plan what was drawn, unless nothing could be drawn."""
    return "validator" if state.get("ended") else "planner"


async def after_planner(state: DialogueState) -> Literal["user", "validator"]:
    """Begin the dialogue, unless it could not be planned."""
    return "validator" if state.get("ended") else "user"


async def after_user(state: DialogueState) -> Literal["assistant", "validator"]:
    """Let the assistant answer, unless the user has ended the dialogue."""
    return "validator" if state.get("ended") else "assistant"


async def after_assistant(
    state: DialogueState, runtime: Runtime[DialogueSettings]
) -> Literal["tool_simulator", "user", "validator"]:
    """Answer calls; else go on with the user until the turn limit."""
    messages = state["messages"]
    last = messages[-1]
    if isinstance(last, AIMessage) and last.tool_calls:
        return "tool_simulator"
    turns = sum(isinstance(message, HumanMessage) for message in messages)
    return "user" if turns < settings_of(runtime).max_turns else "validator"


def step_limit(settings: DialogueSettings) -> int:
    """Return LangGraph's recursion limit for a dialogue: far above what its turn limit can need."""
    return 20 + 10 * settings.max_turns


def build_graph() -> StateGraph[DialogueState, DialogueSettings, DialogueInput, DialogueState]:
    """Wire the state machine; compile it with a checkpointer to keep its states, without one for Studio."""
    builder = StateGraph(DialogueState, context_schema=DialogueSettings, input_schema=DialogueInput)
    builder.add_node("sampler", sampler)
    builder.add_node("planner", planner)
    builder.add_node("user", user)
    builder.add_node("assistant", assistant)
    builder.add_node("tool_simulator", tool_simulator)
    builder.add_node("validator", validator)
    builder.add_edge(START, "sampler")
    builder.add_conditional_edges("sampler", after_sampler)
    builder.add_conditional_edges("planner", after_planner)
    builder.add_conditional_edges("user", after_user)
    builder.add_conditional_edges("assistant", after_assistant)
    builder.add_edge("tool_simulator", "assistant")
    builder.add_edge("validator", END)
    return builder


graph = build_graph().compile(name="ToolFlow dialogue")
"""The graph as LangGraph Studio runs it."""
