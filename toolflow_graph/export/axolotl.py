"""Axolotl, dataset type `chat_template`: `messages` and `tools`; `train` says which turns are trained on.

`message_field_training: train` in the configuration makes it heed the mark. Arguments and tools are JSON strings, which
Axolotl parses before it renders the chat template.
"""

from collections.abc import Iterator

from toolflow_graph.export.examples import Example, dump_json, speak
from toolflow_graph.export.openai import openai_message
from toolflow_graph.types import JSON

__all__ = ["axolotl_rows"]


def axolotl_rows(example: Example) -> Iterator[JSON]:
    """Yield the one row of a dialogue."""
    messages = []
    for place, message in enumerate(example.messages):
        row = openai_message(message) | {"content": speak(message)}
        if message["role"] == "tool" and message.get("name"):
            row["name"] = message["name"]
        if message["role"] == "assistant":
            row["train"] = place not in example.untrained
        messages.append(row)
    yield {"messages": messages, "tools": dump_json(example.tools)}
