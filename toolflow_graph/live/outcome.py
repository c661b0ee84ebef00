"""What a real tool answers: a JSON object of bounded size, or an error."""

import json
from dataclasses import dataclass
from typing import Any

from toolflow_graph.types import JSON

__all__ = ["Outcome", "fail", "succeed"]

_LONGEST_ERROR = 2000
_LONGEST_RESULT = 32_000
"""Characters; a result is read by models again and again."""


@dataclass(frozen=True)
class Outcome:
    """The result of a call, or what went wrong in it."""

    content: JSON
    failed: bool = False


def fail(message: str) -> Outcome:
    """Return the outcome of a call that went wrong."""
    told = " ".join(_mend(message).split()) or "the tool failed and did not say why"
    return Outcome({"error": told if len(told) <= _LONGEST_ERROR else told[: _LONGEST_ERROR - 1] + "…"}, failed=True)


def succeed(value: Any, *, wrap: bool = False) -> Outcome:
    """Return the outcome of a call that returned a value of plain JSON; one that is no object becomes `result`."""
    content = value if isinstance(value, dict) and not wrap else {"result": value}
    try:
        text = _mend(json.dumps(content, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as exc:
        return fail(f"the result is no JSON: {exc}")
    if len(text) > _LONGEST_RESULT:
        return fail(f"the result is too long: {len(text):,} characters, and {_LONGEST_RESULT:,} are read")
    return Outcome(json.loads(text))


def _mend(text: str) -> str:
    """Return the text without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
