"""The four agents of a dialogue (planner, user, assistant, tool simulator), each in casts that can stand in for another."""

from toolflow_graph.agents.roles import (
    Assistant,
    AssistantTurn,
    Brief,
    Cast,
    Planner,
    Scene,
    ToolCall,
    ToolResult,
    ToolSimulator,
    User,
    UserTurn,
)

__all__ = [
    "Assistant",
    "AssistantTurn",
    "Brief",
    "Cast",
    "Planner",
    "Scene",
    "ToolCall",
    "ToolResult",
    "ToolSimulator",
    "User",
    "UserTurn",
]
