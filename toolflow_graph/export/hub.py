"""A data set as the Hugging Face Hub and `datasets` have it: Parquet files, and a card that says what is in them.

Arguments of calls and `tools` are JSON strings: every row has the same columns, and none the keys of another.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from toolflow_graph.errors import DatasetError
from toolflow_graph.export.examples import Example, dump_json, speak
from toolflow_graph.export.openai import openai_rows
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

__all__ = ["hub_features", "hub_rows", "hub_schema"]


def hub_rows(example: Example) -> Iterator[JSON]:
    """Yield the one row of a dialogue; of a dialogue from elsewhere only messages and tools are known."""
    (row,) = openai_rows(example)
    record = example.record
    yield {
        "id": example.id,
        "messages": [
            {**said, "content": speak(said) or None, "name": message.get("name")}
            for said, message in zip(row["messages"], example.messages, strict=True)
        ],
        "tools": dump_json(example.tools),
        "patterns": list(record.patterns) if record else [],
        "cast": record.cast if record else None,
        "method": record.method if record else None,
        "models": dump_json(record.models) if record else None,
    }


def hub_features() -> "datasets.Features":
    """Return the columns; raises `DatasetError` when `datasets` is not installed."""
    try:
        from datasets import Features, List, Value  # noqa: PLC0415
    except ImportError as exc:
        raise DatasetError("this format needs `datasets`: pip install 'toolflow-graph[export]'") from exc
    text = Value("string")
    call = {"id": text, "type": text, "function": {"name": text, "arguments": text}}
    message = {
        "role": text,
        "content": text,
        "tool_calls": List(call),
        "tool_call_id": text,
        "name": text,
        "weight": Value("int8"),
    }
    return Features(
        {
            "id": text,
            "messages": List(message),
            "tools": text,
            "patterns": List(text),
            "cast": text,
            "method": text,
            "models": text,
        }
    )


def hub_schema() -> "pa.Schema":
    """Return the columns as Parquet has them."""
    return hub_features().arrow_schema
