"""The four agents of a dialogue, in casts that can stand in for one another."""

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
