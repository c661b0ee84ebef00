"""The four agents of a dialogue, in casts that can stand in for one another."""

from toolflow_graph.agents.roles import (
    Aside,
    Assistant,
    AssistantTurn,
    Brief,
    Cast,
    Planner,
    Planning,
    Scene,
    ToolCall,
    ToolResult,
    ToolSimulator,
    User,
    UserTurn,
    Writer,
    Writing,
)

__all__ = [
    "Aside",
    "Assistant",
    "AssistantTurn",
    "Brief",
    "Cast",
    "Planner",
    "Planning",
    "Scene",
    "ToolCall",
    "ToolResult",
    "ToolSimulator",
    "User",
    "UserTurn",
    "Writer",
    "Writing",
]
