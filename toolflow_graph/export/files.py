"""The files of an export: rows as JSON Lines or Parquet, written aside and put in place when all is done."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from toolflow_graph.errors import DatasetError
from toolflow_graph.export.examples import dump_json
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RowFile", "open_file", "open_folder"]

_GROUP = 1000
"""Rows of a Parquet row group, and thus of what is held in memory."""


class RowFile(Protocol):
    """A file that takes rows; it is whole when its context is left."""

    def write(self, row: JSON) -> None:
        """Add a row."""

    def __enter__(self) -> Self:
        """Return the file."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, and close."""


class _Lines:
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, row: JSON) -> None:
        self._file.write(dump_json(row).encode("utf-8") + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())


class _Parquet:
    def __init__(self, path: Path, schema: "pa.Schema") -> None:
        from pyarrow import parquet  # noqa: PLC0415

        self._writer: Any = parquet.ParquetWriter(path, schema, compression="zstd")
        self._schema = schema
        self._rows: list[JSON] = []

    def write(self, row: JSON) -> None:
        self._rows.append(row)
        if len(self._rows) == _GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415

        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._rows:
                self._flush()
        finally:
            self._writer.close()


def _open_rows(path: Path, schema: "pa.Schema | None") -> RowFile:
    return _Lines(path) if schema is None else _Parquet(path, schema)


@contextmanager
def open_file(out: Path, schema: "pa.Schema | None" = None) -> Iterator[RowFile]:
    """Open a file of rows, which takes the place of `out` when no error was raised: Parquet with a schema."""
    if out.is_dir():
        raise DatasetError(f"{out} is a folder; name a file")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.tmp")
    try:
        with _open_rows(temporary, schema) as file:
            yield file
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def open_folder(
    out: Path, names: Mapping[str, str], schema: "pa.Schema | None" = None
) -> Iterator[tuple[Path, dict[str, RowFile]]]:
    """Open a file of rows for each key of `names`; yields the folder for the time being, and the files by key.

    What is added to the folder meanwhile belongs to it. With no error the folder becomes `out`, which may be an empty
    one; else nothing is left. Raises `DatasetError` when `out` holds something.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DatasetError(f"{out} exists and is not an empty folder; name another one, or remove it first")
    temporary = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        with ExitStack() as stack:
            files = {}
            for key, name in names.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                files[key] = stack.enter_context(_open_rows(path, schema))
            yield temporary, files
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
