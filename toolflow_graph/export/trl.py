"""TRL: `prompt`, `completion` and `tools`, the conversational prompt-completion type of its SFTTrainer.

Arguments are objects, as chat templates want them; `tools` is one JSON string, which Arrow leaves as it is and the
trainer parses. With `assistant_only_loss=True` the loss covers the turns of the assistant in the completion, and no
others: so a turn that is not to be trained on stands in the prompt, and a dialogue with such turns gives several rows.
"""

from collections.abc import Iterator

from toolflow_graph.export.examples import Example, dump_json, parse_arguments, speak
from toolflow_graph.types import JSON

__all__ = ["trl_message", "trl_rows"]


def trl_rows(example: Example) -> Iterator[JSON]:
    """Yield one row, and one more for each turn that is not trained on and has trained ones on both sides."""
    messages = [trl_message(message) for message in example.messages]
    tools = dump_json(example.tools)
    stretch: list[int] = []
    for place, message in enumerate(messages):
        if message["role"] != "assistant" or place == 0:  # a prompt cannot be empty
            continue
        if place not in example.untrained:
            stretch.append(place)
        elif stretch:
            yield _make_row(messages, tools, stretch)
            stretch = []
    if stretch:
        yield _make_row(messages, tools, stretch)


def _make_row(messages: list[JSON], tools: str, stretch: list[int]) -> JSON:
    first, last = stretch[0], stretch[-1]
    return {"prompt": messages[:first], "completion": messages[first : last + 1], "tools": tools}


def trl_message(message: JSON) -> JSON:
    """Return a message for a chat template: content is never null, and the tool's name stands beside its result.

    Raises `UnfitError` when the arguments of a call are no JSON object.
    """
    row = {"role": message["role"], "content": speak(message)}
    if message.get("tool_calls"):
        row["tool_calls"] = [
            {
                "id": call.get("id"),
                "type": "function",
                "function": {
                    "name": call["function"].get("name"),
                    "arguments": parse_arguments(call["function"].get("arguments")),
                },
            }
            for call in message["tool_calls"]
        ]
    return row | {key: message[key] for key in ("tool_call_id", "name") if key in message}
