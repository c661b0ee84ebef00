"""LangChain messages as OpenAI chat messages."""

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from toolflow_graph.types import JSON, DialoguePlan, TurnLabel

__all__ = ["label_turns", "to_openai_messages"]


def to_openai_messages(messages: Sequence[AnyMessage]) -> list[JSON]:
    """Return messages as OpenAI chat completions have them, tool-call arguments as a JSON string."""
    return [_convert(message) for message in messages]


def _convert(message: AnyMessage) -> JSON:
    if isinstance(message, SystemMessage):
        return {"role": "system", "content": message.text}
    if isinstance(message, HumanMessage):
        return {"role": "user", "content": message.text}
    if isinstance(message, ToolMessage):
        return {
            "role": "tool",
            "tool_call_id": message.tool_call_id,
            "name": message.name or "",
            "content": message.text,
        }
    assert isinstance(message, AIMessage)  # noqa: S101 - the state machine writes no other kind
    converted: JSON = {"role": "assistant", "content": message.text or None}
    if message.tool_calls:
        converted["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["args"], ensure_ascii=False)},
            }
            for call in message.tool_calls
        ]
    return converted


def label_turns(messages: Sequence[AnyMessage], plan: DialoguePlan) -> list[TurnLabel]:
    """Return which request each message belongs to, as the agents noted it in the message.

    The patterns are those of the plan, or what the writer of an unplanned dialogue noted beside the request.
    """
    labels = []
    for place, message in enumerate(messages):
        request, patterns = (message.additional_kwargs.get(key) for key in ("request", "patterns"))
        if isinstance(request, int) and 0 <= request < len(plan.requests):
            patterns = plan.requests[request].patterns
        if patterns:
            labels.append(TurnLabel(message=place, request=request, patterns=patterns))
    return labels
