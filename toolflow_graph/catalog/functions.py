"""Tools from what is known of a function: the fields that are missing are filled in and marked."""

from typing import Any

from toolflow_graph.catalog.infer import infer_returns
from toolflow_graph.types import JSON, Tool
from toolflow_graph.values.naming import split_words

__all__ = ["describe_name", "make_tool"]


def make_tool(*, name: str, description: str, parameters: JSON, returns: JSON | None, **rest: Any) -> Tool:
    """Return the tool; a missing description or missing returns are inferred by rules.

    Both schemas must be valid: they are not checked again.
    """
    inferred = []
    if returns is None:
        returns = infer_returns(name, description, parameters)
        inferred.append("returns")
    if not description:
        description = describe_name(name)
        inferred.append("description")
    return Tool(
        name=name, description=description, parameters=parameters, returns=returns, inferred=tuple(inferred), **rest
    )


def describe_name(name: str) -> str:
    """Put a tool's name into words: `list_open-doors` → "List open doors."."""
    return " ".join(split_words(name)).capitalize() + "."
