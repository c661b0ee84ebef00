"""The results of a model on disk, a case a line, so that an interrupted run goes on where it was.

Example, shortened; the first line says what was measured:
    {"model": "out/merged", "benchmark": "2026.3.23", "settings": {"max_new_tokens": 512}}
    {"id": "simple_python_0", "category": "simple_python", "valid": true, "calls": [[[{"area": {…}}]]], …}
"""

import json
import os
import re
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from toolflow_graph.bfcl.play import CaseResult
from toolflow_graph.errors import BenchmarkError
from toolflow_graph.types import JSON

__all__ = ["ResultFile"]


class ResultFile:
    """Results of one model, appended as cases are done; `results` are those that the file holds, by id of case."""

    def __init__(self, path: Path, results: dict[str, CaseResult]) -> None:
        self.path = path
        self.results = results

    @classmethod
    def open(cls, folder: Path, model: str, about: JSON) -> Self:
        """Open a model's file in a folder of results, making it when it is not there; a torn last line is cut off.

        Raises `BenchmarkError` when the file was made of something else, is damaged, or cannot be written.
        """
        path = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', model).strip('._') or 'model'}.jsonl"
        header = {"model": model, **about}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            whole = path.read_bytes() if path.exists() else b""
            kept = whole[: whole.rfind(b"\n") + 1]
            if kept != whole:
                os.truncate(path, len(kept))
            if not kept:
                path.write_text(json.dumps(header, ensure_ascii=False) + "\n", encoding="utf-8")
                return cls(path, {})
        except OSError as exc:
            raise BenchmarkError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
        first, *lines = kept.decode("utf-8", "replace").splitlines()
        _refuse_other(path, first, header)
        try:
            results = [CaseResult.model_validate_json(line) for line in lines]
        except ValidationError as exc:
            raise BenchmarkError(f"{path}: a line is no result; delete the file, or name another folder") from exc
        return cls(path, {result.id: result for result in results})

    def add(self, result: CaseResult) -> None:
        """Append a result and wait until it is on the disk."""
        try:
            with self.path.open("ab") as file:
                file.write(result.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise BenchmarkError(
                f"{self.path}: cannot be written: {exc.strerror or exc}; results so far are kept"
            ) from exc
        self.results[result.id] = result


def _refuse_other(path: Path, first: str, header: JSON) -> None:
    try:
        found = json.loads(first)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BenchmarkError(f"{path}: not a file of results; name another folder")
    for key, value in header.items():
        if found.get(key) != value:
            raise BenchmarkError(
                f"{path}: its results were made with {key} {found.get(key)!r}, not {value!r}; name another folder"
            )
