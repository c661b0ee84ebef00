"""The tool by which an assistant finds other tools."""

import json
import re
from collections.abc import Iterable, Sequence

from langchain_core.messages import AnyMessage, ToolMessage

from toolflow_graph.types import JSON, Tool
from toolflow_graph.values.naming import split_words

__all__ = ["SEARCH_TOOLS", "document_tools", "found_tools", "phrase_queries"]

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


_RELATION = re.compile(
    r"\s(?:about|across|after|against|as|at|before|between|by|during|for|from|given|in|including|into|near|of|on|or|"
    r"over|that|to|under|using|which|with|within|without)\s"
)
_AFTERWARDS = re.compile(r" and (?:hand|list|return|send|show|start|tell)\b.*")
_ASKS = re.compile(r"\w+ (?:about|for|how|if|what|when|where|whether|which|who|why)\b")


def phrase_queries(tool: Tool) -> tuple[str, ...]:
    """Return texts that may find a tool, from the vaguest to one that says all: the same ones for a tool every time."""
    sentence = tool.description.split(". ")[0].strip().rstrip(".")
    sentence = sentence[:1].lower() + sentence[1:]
    clause = _AFTERWARDS.sub("", sentence.split(",")[0].split(":")[0].strip())
    relation = None if _ASKS.match(clause) else _RELATION.search(clause)
    vague = clause[: relation.start()] if relation and " " in clause[: relation.start()] else clause
    full = f"{' '.join(split_words(tool.name))}: {sentence}"
    return tuple(dict.fromkeys(text for text in (vague, clause, full) if text))


def document_tools(tools: Iterable[Tool]) -> JSON:
    """Return what a search that found these tools returns."""
    return {"tools": [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in tools]}


def found_tools(messages: Sequence[AnyMessage]) -> list[str]:
    """Return the names of the tools that searches have found so far, the earliest first."""
    names: list[str] = []
    for message in messages:
        if isinstance(message, ToolMessage) and message.name == SEARCH_TOOLS.name and message.status != "error":
            names += [tool["name"] for tool in json.loads(message.text)["tools"]]
    return list(dict.fromkeys(names))
