"""Shards as Parquet: every dialogue's line as it is, and beside it columns for trainers and queries.

Example of a row, shortened:
    id: s7-000012, index: 12, patterns: [sequential, chitchat], turns: 4, calls: 2,
    messages: [{"role": "user", "content": "…"}, …], tools: [{"type": "function", …}, …], record: {"id": "s7-000012", …}

Readers of ours take `record`, so nothing is lost and nothing padded. `messages` is of Arrow's JSON type, which
`datasets` 5 or newer loads as objects that have their own keys only; `tools` is a string of JSON, as trainers parse it.
"""

import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from toolflow_graph.errors import DatasetError
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["decode_lines", "encode_rows", "require_parquet"]

_GROUP = 500
"""Rows of a row group, and thus of what is held in memory while a shard is written or read."""

_CHUNK = 1 << 20


def require_parquet() -> None:
    """Raise `DatasetError` when the package for it is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415
    except ImportError as exc:
        raise DatasetError("Parquet needs `pyarrow`: pip install 'toolflow-graph[export]'") from exc


def encode_rows(rows: Iterable[JSON]) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file that holds the rows; `messages`, `tools` and `record` are JSON."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    schema = _make_schema()
    remaining = iter(rows)
    with tempfile.TemporaryFile(prefix="toolflow-") as file:
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            while group := list(islice(remaining, _GROUP)):
                columns = [_make_column([row[field.name] for row in group], field.type) for field in schema]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        file.seek(0)
        yield from iter(partial(file.read, _CHUNK), b"")


def decode_lines(content: bytes) -> Iterator[bytes]:
    """Yield the lines that a file was made of; raises `ValueError` when it is no such file."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    with parquet.ParquetFile(pa.BufferReader(content)) as file:
        if "record" not in file.schema_arrow.names:
            raise ValueError("there is no column 'record' in it")
        for batch in file.iter_batches(batch_size=_GROUP, columns=["record"]):
            for record in batch.column(0):
                yield record.as_py().encode() + b"\n"


def _make_schema() -> "pa.Schema":
    import pyarrow as pa  # noqa: PLC0415

    fields: dict[str, Any] = {
        "id": pa.string(),
        "index": pa.int64(),
        "seed": pa.int64(),
        "patterns": pa.list_(pa.string()),
        "turns": pa.int32(),
        "calls": pa.int32(),
        "cast": pa.string(),
        "method": pa.string(),
        "messages": pa.json_(),
        "tools": pa.string(),
        "record": pa.string(),
    }
    return pa.schema(list(fields.items()))


def _make_column(values: list[Any], kind: Any) -> "pa.Array":
    import pyarrow as pa  # noqa: PLC0415

    if isinstance(kind, pa.JsonType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, pa.string()))
    return pa.array(values, kind)
