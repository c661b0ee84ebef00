"""OpenAI fine-tuning: `messages` and `tools` as the API has them; `weight` says which turns are trained on.

https://platform.openai.com/docs/api-reference/fine-tuning/chat-input: arguments are JSON strings, `weight` is 0 or 1
and stands in messages of the assistant only.
"""

from collections.abc import Iterator

from toolflow_graph.export.examples import Example
from toolflow_graph.types import JSON

__all__ = ["openai_message", "openai_rows"]


def openai_rows(example: Example) -> Iterator[JSON]:
    """Yield the one row of a dialogue."""
    messages = []
    for place, message in enumerate(example.messages):
        row = openai_message(message)
        if message["role"] == "assistant":
            row["weight"] = 0 if place in example.untrained else 1
        messages.append(row)
    yield {"messages": messages, "tools": example.tools}


def openai_message(message: JSON) -> JSON:
    """Return a message with the keys that the API knows, and no others."""
    row = {"role": message["role"], "content": message.get("content")}
    if message.get("tool_calls"):
        row["tool_calls"] = [
            {
                "id": call.get("id"),
                "type": "function",
                "function": {key: call["function"][key] for key in ("name", "arguments") if key in call["function"]},
            }
            for call in message["tool_calls"]
        ]
    if "tool_call_id" in message:
        row["tool_call_id"] = message["tool_call_id"]
    return row
