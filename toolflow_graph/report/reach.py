"""How far back the facts of a dialogue reach: for every argument, how many user turns ago its value was last said.

A fact is a value that a call takes from an earlier result or from the user's words. Its distance is the number of user
turns since it last stood anywhere: a value that the person repeats when asking has distance 0, an id that only an old
result holds has the age of that result. It is used rightly if no check found an error in the call.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import accumulate
from typing import Any, Literal

from toolflow_graph.types import JSON, DialogueRecord, Provenance
from toolflow_graph.values import supports

__all__ = ["Reach", "Use", "count_prompt_tokens", "iterate_uses"]

_SPANS = ((0, 0), (1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, None))
"""Distances that make one bar: each about twice as far as the one before."""

_MOST_BARS = 24


@dataclass(frozen=True)
class Use:
    """A fact that an argument uses, `distance` user turns after it was last said."""

    call_id: str
    path: str
    source: Literal["user", "result"]
    distance: int
    right: bool


def iterate_uses(record: DialogueRecord) -> Iterator[Use]:
    """Yield the facts that the calls of a dialogue use; booleans, defaults and what the system says are none."""
    messages = record.messages
    turns = list(accumulate(int(message["role"] == "user") for message in messages))
    schemas = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in record.tools}
    today = datetime.fromisoformat(record.plan.scenario.now).date() if record.plan else None
    wrong = {finding.message_index for finding in record.findings if finding.severity == "error"}
    calls = {
        str(call.get("id")): (place, call["function"])
        for place, message in enumerate(messages)
        for call in message.get("tool_calls") or ()
    }
    for entry in record.provenance:
        if entry.source not in ("user", "result") or entry.message is None or entry.call_id not in calls:
            continue
        place, function = calls[entry.call_id]
        value = _find_value(function, entry)
        if value is None or isinstance(value, bool):
            continue
        name = entry.path.rsplit(".", 1)[-1].partition("[")[0]
        schema = schemas.get(str(function.get("name")), {}).get("properties", {}).get(name, {})
        said = _find_last(messages, range(entry.message + 1, place), value, today, name, schema)
        latest = entry.message if said is None else said
        yield Use(entry.call_id, entry.path, entry.source, turns[place] - turns[latest], place not in wrong)


def _find_value(function: JSON, entry: Provenance) -> Any:
    try:
        value: Any = json.loads(function.get("arguments") or "{}")
        for part in entry.path.replace("[", ".[").split("."):
            value = value[int(part[1:-1])] if part.startswith("[") else value[part]
    except (ValueError, KeyError, IndexError, TypeError):  # what a model has written, or a name with a dot in it
        return None
    return value


def _find_last(
    messages: Sequence[JSON], places: range, value: Any, today: date | None, name: str, schema: JSON
) -> int | None:
    """Return the last of the user's turns at these places that says the value, None when none does."""
    for place in reversed(places):
        text = messages[place].get("content")
        spoken = messages[place]["role"] == "user" and isinstance(text, str)
        if spoken and supports(str(text), value, today, name, schema):
            return place
    return None


def count_prompt_tokens(record: DialogueRecord) -> list[int]:
    """Return the prompt tokens of all requests to models in each user turn; empty where no model played."""
    turns: list[int] = []
    for entry in record.spent:
        if entry.get("agent") == "user":
            turns.append(0)
        if turns:
            turns[-1] += int(entry.get("prompt", 0))
    return turns if any(turns) else []


@dataclass
class Reach:
    """Counts of a run: facts by distance, and prompt tokens by user turn."""

    uses: Counter[tuple[int, bool]] = field(default_factory=Counter)
    tokens: Counter[int] = field(default_factory=Counter)
    turns: Counter[int] = field(default_factory=Counter)

    def add(self, record: DialogueRecord) -> None:
        """Count one dialogue."""
        self.uses.update((use.distance, use.right) for use in iterate_uses(record))
        for number, tokens in enumerate(count_prompt_tokens(record), start=1):
            self.tokens[number] += tokens
            self.turns[number] += 1

    def tell(self) -> JSON | None:
        """Return bars: `facts` with label, count, wrong, and `prompts` with label, mean tokens; None without any."""
        far = any(distance for distance, _ in self.uses)
        facts = [self._count_span(low, high) for low, high in _SPANS] if far else []
        while facts and not facts[-1]["count"]:
            facts.pop()
        prompts = self._average_turns()
        return {"facts": facts, "prompts": prompts} if facts or prompts else None

    def _count_span(self, low: int, high: int | None) -> JSON:
        inside = {use: count for use, count in self.uses.items() if low <= use[0] and (high is None or use[0] <= high)}
        label = str(low) if low == high else f"{low}+" if high is None else f"{low}–{high}"
        wrong = sum(count for (_, right), count in inside.items() if not right)
        return {"label": label, "count": sum(inside.values()), "wrong": wrong}

    def _average_turns(self) -> list[JSON]:
        most = max(self.turns, default=0)
        width = max(1, -(-most // _MOST_BARS))
        bars = []
        for low in range(1, most + 1, width):
            numbers = range(low, min(low + width, most + 1))
            label = str(low) if len(numbers) == 1 else f"{low}–{numbers[-1]}"
            mean = sum(self.tokens[n] for n in numbers) / sum(self.turns[n] for n in numbers)
            bars.append({"label": label, "tokens": round(mean)})
        return bars
