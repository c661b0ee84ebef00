"""The Berkeley Function-Calling Leaderboard, out of an installed `bfcl-eval`: its data files only, no code of it runs.

An entry, shortened: {"id": "live_simple_0-0-0", "question": [[{"role": "user", "content": "Can you retrieve …"}]],
"function": [{"name": "get_user_info", "description": …, "parameters": {"type": "dict", …}}]}. Multi-turn entries have
their functions in files of their own.
"""

import importlib.util
from importlib.metadata import version
from pathlib import Path

from toolflow_graph.errors import DatasetError
from toolflow_graph.types import JSON

__all__ = ["BFCL", "INSTALL_BFCL", "find_bfcl", "trim_row"]

BFCL = "bfcl"
INSTALL_BFCL = "pip install --no-deps bfcl-eval==2026.3.23"
"""Its dependencies are several gigabytes, for the models that it runs; the data needs none of them."""

_FOLDERS = (".", "multi_turn_func_doc", "memory_prereq_conversation")
_LEFT_OUT = ("BFCL_v4_format_sensitivity.json",)
"""Only names entries of other files."""


def find_bfcl() -> tuple[str, list[Path]]:
    """Return the version of the installed `bfcl-eval` and its files of questions and functions, JSON Lines.

    Raises `DatasetError`, with the command that installs it, when it is not there.
    """
    spec = importlib.util.find_spec("bfcl_eval")
    if spec is None or not spec.submodule_search_locations:
        raise DatasetError(f"the data of BFCL come with a package that is not installed: {INSTALL_BFCL}")
    data = Path(spec.submodule_search_locations[0]) / "data"
    files = [path for folder in _FOLDERS for path in sorted((data / folder).glob("*.json"))]
    files = [path for path in files if path.name not in _LEFT_OUT]
    if not files:
        raise DatasetError(f"{data} holds no data of BFCL; install the version that is known: {INSTALL_BFCL}")
    return version("bfcl-eval"), files


def trim_row(row: JSON) -> JSON:
    """Return what a model is shown of an entry: its question and functions, not the state that multi-turn ones set."""
    return {key: row[key] for key in ("id", "question", "function") if key in row} if "question" in row else row
