"""Exports into object stores: written here first, then put in place."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from toolflow_graph.shards import ShardFolder, is_url

__all__ = ["stage_output"]

_CHUNK = 1 << 20


@contextmanager
def stage_output(out: str) -> Iterator[Path]:
    """Yield a path to write to, a file or a folder; when all went well it is what `out` names, a path or a URL.

    Each file gets its name when it is complete, `README.md` last; raises `DatasetError` when the store refuses.
    """
    if not is_url(out):
        yield Path(out)
        return
    scheme, _, rest = out.rstrip("/").partition("://")
    above, _, name = rest.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="toolflow-") as place:
        staged = Path(place) / (name or "export")
        yield staged
        files = [staged] if staged.is_file() else sorted(path for path in staged.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path.name == "README.md"):
            inside = PurePosixPath(path.relative_to(staged.parent))
            folder = f"{scheme}://{above}/{inside.parent}" if str(inside.parent) != "." else f"{scheme}://{above}"
            with path.open("rb") as file:
                ShardFolder(folder).write(path.name, iter(lambda file=file: file.read(_CHUNK), b""))  # type: ignore[misc]
