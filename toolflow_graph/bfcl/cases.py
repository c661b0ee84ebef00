"""The cases of the benchmark, out of an installed `bfcl-eval`; nothing of that package is imported.

Example of a case, shortened:
    {"id": "simple_python_0", "question": [[{"role": "user", "content": "Find the area of a triangle …"}]],
     "function": [{"name": "calculate_triangle_area", "parameters": {"type": "dict", "properties": {…}}}]}
and of what is right for it:
    {"id": "simple_python_0", "ground_truth": [{"calculate_triangle_area": {"base": [10], "height": [5]}}]}
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from toolflow_graph.catalog.normalise import normalise_schema
from toolflow_graph.errors import BenchmarkError
from toolflow_graph.types import JSON

__all__ = ["CATEGORIES", "INSTALL", "MULTI_TURN", "Case", "find_benchmark", "load_cases", "name_version"]

INSTALL = "pip install --no-deps bfcl-eval==2026.3.23 mpmath"
"""The light install: cases and checker; the rest of that package would bring 6 GB."""

CATEGORIES = (
    "simple_python",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
    "multi_turn_base",
    "multi_turn_miss_func",
    "multi_turn_miss_param",
    "multi_turn_long_context",
)
"""Categories that are played, in the order of the leaderboard; those in Java and JavaScript, agents' memory and the
search of the web are left out."""

MULTI_TURN = frozenset(name for name in CATEGORIES if name.startswith("multi_turn"))

_WITHOUT_ANSWERS = frozenset({"irrelevance", "live_irrelevance", "live_relevance"})
_HINT = " Note that the provided function is in Python 3 syntax."
"""What the benchmark adds to the description of every function."""

_DOCUMENTS = {
    "GorillaFileSystem": "gorilla_file_system.json",
    "MathAPI": "math_api.json",
    "MessageAPI": "message_api.json",
    "TwitterAPI": "posting_api.json",
    "TicketAPI": "ticket_api.json",
    "TradingBot": "trading_bot.json",
    "TravelAPI": "travel_booking.json",
    "VehicleControlAPI": "vehicle_control.json",
}


@dataclass(frozen=True)
class Case:
    """One case: `turns` of messages (one, but for multi-turn), the functions on offer, and what is right.

    `functions` are the benchmark's own documents, for its checker; `added` are those that only come with a later turn.
    `truth` is what the checker compares with, None where only whether something is called counts. `entry` is the
    benchmark's own record of a multi-turn case.
    """

    id: str
    category: str
    turns: tuple[tuple[JSON, ...], ...]
    functions: tuple[JSON, ...]
    truth: Any = None
    added: dict[int, tuple[JSON, ...]] = field(default_factory=dict)
    entry: JSON = field(default_factory=dict)

    def tools(self, turn: int = 0) -> list[JSON]:
        """Return the tools that are on offer in a turn, as OpenAI has them; dots in names become underscores."""
        known = [*self.functions]
        for place, functions in self.added.items():
            known += functions if place <= turn else ()
        return [_to_openai(function) for function in known]


def find_benchmark() -> Path:
    """Return the folder of the installed benchmark; raises `BenchmarkError` with the command that installs it."""
    spec = find_spec("bfcl_eval")
    if spec is None or spec.origin is None:
        raise BenchmarkError(f"the Berkeley Function-Calling Leaderboard is not installed: {INSTALL}")
    return Path(spec.origin).parent


def name_version() -> str:
    """Return the version of the installed benchmark, for results."""
    try:
        return version("bfcl-eval")
    except PackageNotFoundError:
        return "unknown"


def load_cases(categories: Sequence[str] = CATEGORIES, *, limit: int | None = None, seed: int = 0) -> list[Case]:
    """Return the cases of categories; with a limit, so many of each, drawn by the seed and in the benchmark's order.

    Raises `BenchmarkError` when the benchmark is not installed, is damaged, or has no such category.
    """
    folder = find_benchmark()
    cases: list[Case] = []
    for category in categories:
        if category not in CATEGORIES:
            raise BenchmarkError(f"unknown category {category!r}; there are: {', '.join(CATEGORIES)}")
        found = list(_read_category(folder, category))
        if limit is not None and limit < len(found):
            drawn = random.Random(repr((seed, category))).sample(range(len(found)), limit)
            found = [found[place] for place in sorted(drawn)]
        cases += found
    return cases


def _read_category(folder: Path, category: str) -> Iterator[Case]:
    data = folder / "data"
    name = f"BFCL_v4_{category}.json"
    entries = _read_lines(data / name)
    answers: dict[str, Any] = {}
    if category not in _WITHOUT_ANSWERS:
        answers = {row["id"]: row["ground_truth"] for row in _read_lines(data / "possible_answer" / name)}
    for entry in entries:
        turns = tuple(tuple(turn) for turn in entry["question"])
        if category in MULTI_TURN:
            yield _make_multi_turn(data / "multi_turn_func_doc", category, entry, turns, answers[entry["id"]])
        else:
            functions = tuple(entry["function"])
            yield Case(entry["id"], category, turns, functions, answers.get(entry["id"]))


def _make_multi_turn(folder: Path, category: str, entry: JSON, turns: tuple[tuple[JSON, ...], ...], truth: Any) -> Case:
    documents = [function for name in entry["involved_classes"] for function in _read_lines(folder / _DOCUMENTS[name])]
    missed = {int(turn): names for turn, names in entry.get("missed_function", {}).items()}
    added = {turn: tuple(doc for doc in documents if doc["name"] in names) for turn, names in missed.items()}
    hidden = {name for names in missed.values() for name in names}
    functions = tuple(doc for doc in documents if doc["name"] not in hidden)
    kept = {key: entry[key] for key in ("id", "initial_config", "involved_classes")}
    return Case(entry["id"], category, turns, functions, truth, added, kept)


def _read_lines(path: Path) -> list[JSON]:
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError) as exc:
        raise BenchmarkError(
            f"{path}: cannot be read as a file of the benchmark: {exc}; install it anew: {INSTALL}"
        ) from exc


def _to_openai(function: JSON) -> JSON:
    parameters = normalise_schema(function.get("parameters") or {})
    return {
        "type": "function",
        "function": {
            "name": re.sub(r"\.", "_", function["name"]),
            "description": function.get("description", "") + _HINT,
            "parameters": {"type": "object", "properties": {}, **parameters},
        },
    }
