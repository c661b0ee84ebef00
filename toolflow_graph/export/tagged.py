"""Formats in which everything is text: tools, calls and results stand between tags, as Hermes models have them.

`hermes`
    `conversations` of `system`, `human`, `gpt` and `tool`, and `tools` as a JSON string, after the data set
    NousResearch/hermes-function-calling-v1. A result carries the name of its tool.
`verl`
    `messages` of `role` and `content` alone, for verl's MultiTurnSFTDataset. That reads Parquet, where tools and
    arguments as objects would be padded with the keys of all others, and renders message by message: so the results of
    a turn are one message of the user, which Qwen's chat templates make of them too.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from toolflow_graph.errors import DatasetError
from toolflow_graph.export.examples import Example, dump_json, list_calls, order_results, read_result, speak
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["hermes_rows", "verl_rows", "verl_schema"]

_TOOLS = """\
# Tools

These functions can be called; each line is the signature of one:
<tools>
{tools}
</tools>

A call is a JSON object with the name of a function and its arguments, between tags of its own:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>
What it returns stands in <tool_response></tool_response>."""

_HERMES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


def hermes_rows(example: Example) -> Iterator[JSON]:
    """Yield the one row of a dialogue."""
    turns = [{"from": _HERMES[role], "value": text} for role, text in _write_messages(example, named=True)]
    yield {"id": example.id, "conversations": turns, "tools": dump_json(example.tools)}


def verl_rows(example: Example) -> Iterator[JSON]:
    """Yield the one row of a dialogue."""
    messages = [
        {"role": "user" if role == "tool" else role, "content": text}
        for role, text in _write_messages(example, named=False)
    ]
    yield {"messages": messages}


def verl_schema() -> "pa.Schema":
    """Return the columns as Parquet has them; raises `DatasetError` when `pyarrow` is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415
    except ImportError as exc:
        raise DatasetError("this format needs `pyarrow`: pip install 'toolflow-graph[export]'") from exc
    return pa.schema({"messages": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))})


def _write_messages(example: Example, *, named: bool) -> Iterator[tuple[str, str]]:
    """Yield role and text of every message; the first tells of the tools."""
    told = "\n\n".join(speak(message) for message in example.messages if message["role"] == "system")
    if example.tools:
        tools = "\n".join(map(dump_json, example.tools))
        told = "\n\n".join(filter(None, (told, _TOOLS.format(tools=tools))))
    if told:
        yield "system", told
    names = {
        call.get("id"): call["function"].get("name") for m in example.messages for call in m.get("tool_calls") or ()
    }
    spoken = (message for message in order_results(example.messages) if message["role"] != "system")
    for is_result, group in groupby(spoken, key=lambda message: message["role"] == "tool"):
        if is_result:
            yield "tool", "\n".join(_write_result(message, names, named=named) for message in group)
            continue
        for message in group:
            calls = [f"<tool_call>\n{dump_json(call)}\n</tool_call>" for call in list_calls(message)]
            yield message["role"], "\n".join(filter(None, (speak(message), *calls)))


def _write_result(message: JSON, names: dict[object, object], *, named: bool) -> str:
    text = speak(message)
    if named:
        name = message.get("name") or names.get(message.get("tool_call_id"))
        text = dump_json({"name": name, "content": read_result(text)})
    return f"<tool_response>\n{text}\n</tool_response>"
