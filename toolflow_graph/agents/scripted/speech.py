"""The banks of lines that belong to no tool: reactions, transitions, questions, small talk."""

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from toolflow_graph.errors import ResourceError
from toolflow_graph.values import Kind

__all__ = ["agree", "all_lines", "ask_bank", "bank", "pairs", "value_bank"]

_FILE = Path(__file__).with_name("speech.json")

_BANK_OF_KIND: dict[Kind, str] = {
    "date": "date",
    "time": "time",
    "datetime": "datetime",
    "money": "money",
    "count": "count",
    "measure": "count",
    "percent": "count",
    "number": "count",
    "person": "person",
    "city": "city",
    "country": "place",
    "address": "place",
    "place": "place",
    "email": "email",
    "phone": "phone",
    "id": "id",
    "enum": "choice",
    "currency": "choice",
}


@cache
def _speech() -> dict[str, Any]:
    try:
        loaded = json.loads(_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ResourceError(f"{_FILE}: cannot be read ({exc}); reinstall toolflow-graph") from exc
    return dict(loaded)


def bank(name: str, group: str | None = None) -> list[str]:
    """Return the lines of a bank, or of one group in it."""
    lines = _speech()[name]
    return list(lines if group is None else lines[group])


def agree(line: str, *, plural: bool) -> str:
    """Take one of the words in `{is|are}`, the second for several.

    >>> agree("There{'s| are} still the {thing}.", plural=True)
    'There are still the {thing}.'
    """
    return re.sub(r"\{([^{}|]*)\|([^{}|]*)\}", r"\2" if plural else r"\1", line)


def pairs(name: str) -> list[tuple[str, str]]:
    """Return a bank of pairs, the user's line and the assistant's."""
    return [(user, assistant) for user, assistant in _speech()[name]]


def all_lines() -> Iterator[str]:
    """Yield every line of every bank."""

    def walk(part: Any) -> Iterator[str]:
        if isinstance(part, str):
            yield part
        else:
            for inner in part.values() if isinstance(part, dict) else part:
                yield from walk(inner)

    return walk(_speech())


def ask_bank(kind: Kind, rng: random.Random) -> str:
    """Draw a general question for a value of this kind; it may name the thing with `{name}`."""
    return rng.choice(bank("asks", _BANK_OF_KIND.get(kind, "text")))


def value_bank(kind: Kind, rng: random.Random) -> str:
    """Draw a frame in which a user just gives a value, as `{value}`."""
    return rng.choice(bank("gives", _BANK_OF_KIND.get(kind, "text")))
