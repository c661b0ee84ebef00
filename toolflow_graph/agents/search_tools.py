"""The tool by which an assistant finds other tools."""

from toolflow_graph.types import Tool

__all__ = ["SEARCH_TOOLS"]

SEARCH_TOOLS = Tool(
    name="search_tools",
    description="Search the tool library for tools that can do something, and return their documentation.",
    parameters={
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What the tool should be able to do, in plain words"}
        },
        "required": ["query"],
    },
    returns={
        "type": "object",
        "properties": {
            "tools": {
                "type": "array",
                "description": "Documentation of the tools found, best first",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "description": "Name under which the tool is called"},
                        "description": {"type": "string", "description": "What the tool does"},
                        "parameters": {"type": "object", "description": "JSON Schema of the tool's parameters"},
                    },
                    "required": ["name", "description", "parameters"],
                },
            }
        },
        "required": ["tools"],
    },
)
"""The tool by which an assistant finds other tools (API-Bank's retrieve-then-call)."""
