"""Finds the files that belong to the package: prompts and the bundled tool catalog.

An editable install reads them from the checkout, a wheel carries them as package data.
"""

from pathlib import Path
from typing import Literal

from toolflow_graph.errors import ResourceError

__all__ = ["find_resource"]

_PACKAGE = Path(__file__).resolve().parent


def find_resource(folder: Literal["prompts", "tool_catalog"]) -> Path:
    """Return the folder of bundled prompts or tools; raises `ResourceError` when the installation lacks it."""
    for candidate in (_PACKAGE / "_data" / folder, _PACKAGE.parent / folder):
        if candidate.is_dir():
            return candidate
    raise ResourceError(f"the installed package has no folder {folder!r}; reinstall toolflow-graph")
