"""Fills in what a catalog leaves out, by plain rules on names and descriptions; what is filled in is marked so."""

from toolflow_graph.types import JSON

__all__ = ["infer_returns"]


def infer_returns(name: str, description: str, parameters: JSON) -> JSON:
    """Return a plausible JSON Schema of what the tool returns."""
    return {
        "type": "object",
        "properties": {"result": {"type": "string", "description": f"Result of: {description or name}"}},
        "required": ["result"],
    }
