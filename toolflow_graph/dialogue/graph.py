"""The state machine of one dialogue.

START → sampler → planner → user → assistant ─┬─ calls tools → tool_simulator → assistant
           │                 ▲  │             └─ spoke → user
           │                 └──┼───────────────────┘
           │                    └─ plan addressed, or turn limit → validator → END
           └─ written in one request → writer → validator
"""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime, get_runtime

from toolflow_graph.dialogue.nodes import (
    assistant,
    planner,
    sampler,
    settings_of,
    tool_simulator,
    user,
    validator,
    writer,
)
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.dialogue.state import DialogueInput, DialogueState
from toolflow_graph.settings import DialogueSettings, StudioSettings
from toolflow_graph.types import JSON

__all__ = ["build_graph", "graph", "step_limit"]

Builder = StateGraph[DialogueState, DialogueSettings, DialogueInput, DialogueState]


class Node(Protocol):
    """What every node is."""

    async def __call__(self, state: DialogueState, runtime: Runtime[DialogueSettings]) -> JSON:
        """Return the updates of the state."""


async def after_sampler(state: DialogueState) -> Literal["planner", "writer", "validator"]:
    """Plan what was drawn, or have it written at once, unless nothing could be drawn."""
    if state.get("ended"):
        return "validator"
    return "writer" if state.get("method") in ("direct", "cot") else "planner"


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


async def route_assistant(state: DialogueState) -> Literal["tool_simulator", "user", "validator"]:
    """Route as `after_assistant` says; by the default turn limit where a state is edited.

    LangGraph routes on `update_state` too, and has no runtime there: an edge that takes one makes the edit fail.
    """
    return await after_assistant(state, get_runtime(DialogueSettings) or Runtime())


def step_limit(settings: DialogueSettings) -> int:
    """Return LangGraph's recursion limit for a dialogue: far above what its turn limit can need."""
    return 20 + 10 * settings.max_turns


def load_aside(node: Node) -> Node:
    """Load the stage in a thread before the node plays: a server must not block, and its threads begin at any node."""

    async def play(state: DialogueState, runtime: Runtime[DialogueSettings]) -> JSON:
        await asyncio.to_thread(load_stage, settings_of(runtime))
        return await node(state, runtime)

    return play


def build_graph(
    settings: type[DialogueSettings] = DialogueSettings, prepare: Callable[[Node], Node] = lambda node: node
) -> Builder:
    """Wire the state machine, its nodes prepared; compile it with a checkpointer to keep its states."""
    builder = StateGraph(DialogueState, context_schema=settings, input_schema=DialogueInput)
    builder.add_node("sampler", prepare(sampler))
    builder.add_node("planner", prepare(planner))
    builder.add_node("writer", prepare(writer))
    builder.add_node("user", prepare(user))
    builder.add_node("assistant", prepare(assistant))
    builder.add_node("tool_simulator", prepare(tool_simulator))
    builder.add_node("validator", prepare(validator))
    builder.add_edge(START, "sampler")
    builder.add_conditional_edges("sampler", after_sampler)
    builder.add_conditional_edges("planner", after_planner)
    builder.add_conditional_edges("user", after_user)
    builder.add_conditional_edges("assistant", route_assistant)
    builder.add_edge("tool_simulator", "assistant")
    builder.add_edge("writer", "validator")
    builder.add_edge("validator", END)
    return builder


graph = build_graph(StudioSettings, load_aside).compile(name="ToolFlow dialogue")
"""The graph as LangGraph Studio runs it: with the server's checkpointer, and without holding up the server."""
