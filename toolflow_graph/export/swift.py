"""ms-swift, agent format: roles `tool_call` and `tool_response`; `loss` false where a turn is not trained on.

A call is a message of its own, its content a JSON string; results have no ids and stand in the order of the calls.
Where nothing is masked there is no `loss`, so that the trainer's `loss_scale` decides.
"""

from collections.abc import Iterator

from toolflow_graph.export.examples import Example, dump_json, list_calls, order_results, speak
from toolflow_graph.types import JSON

__all__ = ["swift_rows"]


def swift_rows(example: Example) -> Iterator[JSON]:
    """Yield the one row of a dialogue."""
    messages: list[JSON] = []
    for place, message in enumerate(order_results(example.messages)):
        if message["role"] == "tool":
            messages.append({"role": "tool_response", "content": speak(message)})
            continue
        mark = {"loss": False} if place in example.untrained else {}
        calls = list_calls(message)
        if speak(message) or not calls:
            messages.append({"role": message["role"], "content": speak(message), **mark})
        messages += ({"role": "tool_call", "content": dump_json(call), **mark} for call in calls)
    yield {"messages": messages, "tools": dump_json(example.tools)}
