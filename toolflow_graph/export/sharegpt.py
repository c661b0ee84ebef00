"""LLaMA-Factory, formatting `sharegpt`: `conversations` that strictly take turns, `system` and `tools` beside them.

Its converter skips a conversation in which human or observation and gpt or function_call do not alternate, and merges
nothing itself: the calls of a turn are one JSON list, and so are their results.
"""

from collections.abc import Iterator
from itertools import groupby

from toolflow_graph.export.examples import Example, UnfitError, dump_json, list_calls, order_results, read_result, speak
from toolflow_graph.types import JSON

__all__ = ["DATASET_INFO", "count_lost_words", "sharegpt_rows"]

DATASET_INFO: JSON = {
    "formatting": "sharegpt",
    "columns": {"messages": "conversations", "system": "system", "tools": "tools"},
}
"""What `dataset_info.json` of LLaMA-Factory says of such a file, beside its name."""


def sharegpt_rows(example: Example) -> Iterator[JSON]:
    """Yield the one row of a dialogue; raises `UnfitError` when it does not take turns."""
    messages = order_results(example.messages)
    system = "\n\n".join(speak(message) for message in messages if message["role"] == "system")
    turns: list[JSON] = []
    for role, group in groupby((m for m in messages if m["role"] != "system"), key=lambda message: message["role"]):
        said = list(group)
        if role == "user":
            turns.append({"from": "human", "value": "\n\n".join(map(speak, said))})
        elif role == "tool":
            turns.append({"from": "observation", "value": _join_results(list(map(speak, said)))})
        else:
            turns += (_write_turn(message) for message in said)
    if any((turn["from"] in ("human", "observation")) == place % 2 for place, turn in enumerate(turns)):
        raise UnfitError("user and assistant do not take turns")
    yield {"conversations": turns, "system": system, "tools": dump_json(example.tools)}


def _write_turn(message: JSON) -> JSON:
    """Return a turn of the assistant; what it says beside a call has no place in the format."""
    calls = list_calls(message)
    if not calls:
        return {"from": "gpt", "value": speak(message)}
    return {"from": "function_call", "value": dump_json(calls if len(calls) > 1 else calls[0])}


def _join_results(results: list[str]) -> str:
    return results[0] if len(results) == 1 else dump_json([read_result(result) for result in results])


def count_lost_words(example: Example) -> int:
    """Return how many turns lose what they say beside a call."""
    return sum(bool(message.get("tool_calls") and speak(message)) for message in example.messages)
