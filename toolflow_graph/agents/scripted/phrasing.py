"""Puts requests, results and choices of one tool into words, by its frames."""

import random
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from toolflow_graph.agents.scripted.acts import is_reference
from toolflow_graph.agents.scripted.text import mend, tidy
from toolflow_graph.catalog.slots import schema_at
from toolflow_graph.frames import Slot, parse_frame
from toolflow_graph.types import JSON, Tool
from toolflow_graph.values import Style, say

__all__ = ["Wording", "find_currency", "list_slot", "lookup"]

_MAX_TOLD = 5
_TOLD_OF_MANY = 3
"""Items of a list that are told one by one: all of a short list, the first of a long one."""


def lookup(data: Any, path: str) -> Any:
    """Return the value at a dotted path, through the first element of lists; None when there is none."""
    for name in path.split("."):
        if isinstance(data, list):
            data = data[0] if data else None
        if not isinstance(data, dict) or name not in data:
            return None
        data = data[name]
    return data


def list_slot(returns: JSON) -> str | None:
    """Return the name of the result field that holds a list of objects, if there is one."""
    for name, schema in returns.get("properties", {}).items():
        items = schema.get("items") if schema.get("type") == "array" else None
        if isinstance(items, dict) and items.get("type") == "object":
            return str(name)
    return None


def find_currency(*places: Any) -> str | None:
    """Return the currency that stands beside an amount: in its own object, else in one around it."""
    for place in places:
        if isinstance(place, dict):
            for name, value in place.items():
                if isinstance(value, str) and len(value) == 3 and "currency" in name.lower():
                    return value
    return None


class Wording:
    """The words of one tool: every method draws a frame and fills it.

    Values are said in the user's or the assistant's style, dates relative to `today`.
    """

    def __init__(self, tool: Tool, today: date, rng: random.Random, *, month_first: bool | None = None) -> None:
        """Keep the tool, the day on which is spoken, the generator that draws the frames, and the form of dates."""
        self.tool = tool
        self.today = today
        self.rng = rng
        self.month_first = month_first

    def request(self, frame: str, arguments: JSON, said: set[str]) -> str:
        """Return what a user says, mentioning exactly the arguments in `said` that the frame has a place for."""

        def fill(slot: Slot) -> str | None:
            if slot.path.split(".")[0] not in said:
                return None
            return self._say(slot, lookup(arguments, slot.path), self._parameter(slot.path), "user", (arguments,))

        def holds(path: str) -> bool:
            known = arguments.get(path.split(".", maxsplit=1)[0])
            return is_reference(known) or (path.split(".", maxsplit=1)[0] in said and bool(lookup(arguments, path)))

        text = parse_frame(frame).realise(fill, holds)
        return tidy(text or "")

    def about_call(self, frame: str, arguments: JSON, style: Style = "assistant") -> str | None:
        """Fill a frame whose slots are parameters (a question, an error, a correction)."""
        text = self.fill(frame, arguments, style)
        return None if text is None else tidy(text)

    def fill(self, frame: str, arguments: JSON, style: Style) -> str | None:
        """Fill a frame whose slots are parameters, and leave it as it is otherwise."""
        return parse_frame(frame).realise(
            lambda slot: self._say(slot, lookup(arguments, slot.path), self._parameter(slot.path), style, (arguments,)),
            lambda path: bool(lookup(arguments, path)),
        )

    def answer(
        self, frames: Sequence[str], result: JSON, arguments: JSON, used: set[str], *, more: bool = False
    ) -> str | None:
        """Return what an assistant says of a result, by the first frame in random order that can be filled.

        The frame is added to `used`, so that two answers in one turn are not built alike; with `more` to come
        after it, one that ends in a question is the last choice.
        """
        items = self._list(result)
        listing = self._tell_items(items, result, arguments) if items is not None else None

        def fill(slot: Slot) -> str | None:
            if slot.path == "list":
                return listing
            if slot.path == "count" and items is not None:
                return self._say(slot, len(items), {"type": "integer"}, "assistant", ())
            found = lookup(result, slot.path)
            if found is not None:
                schema = schema_at(self.tool.returns, slot.path) or {}
                return self._say(slot, found, schema, "assistant", (self._around(result, slot.path), result, arguments))
            value = lookup(arguments, slot.path)
            return self._say(slot, value, self._parameter(slot.path), "assistant", (arguments, result))

        def holds(path: str) -> bool:
            value = lookup(result, path)
            return bool(lookup(arguments, path) if value is None else value)

        shuffled = self.rng.sample(list(frames), len(frames))
        for frame in sorted(shuffled, key=lambda frame: more and frame.rstrip("] ").endswith("?")):
            text = parse_frame(frame).realise(fill, holds)
            if text is not None:
                used.add(frame)
                return tidy(text)
        return None

    def item(self, frames: Sequence[str], item: JSON, result: JSON, arguments: JSON, style: Style) -> str | None:
        """Return one item of a list result as a noun phrase, by the first frame in random order that can be filled."""
        prefix = list_slot(self.tool.returns) or ""

        def fill(slot: Slot) -> str | None:
            value = lookup(item, slot.path)
            if value is not None:
                schema = schema_at(self.tool.returns, f"{prefix}.{slot.path}") or {}
                return self._say(slot, value, schema, style, (item, result, arguments))
            return self._say(slot, lookup(arguments, slot.path), self._parameter(slot.path), style, (arguments,))

        for frame in self.rng.sample(list(frames), len(frames)):
            text = parse_frame(frame).realise(fill, lambda path: bool(lookup(item, path)))
            if text is not None:
                return mend(text).rstrip(".?") if style == "user" else text
        return None

    def _list(self, result: JSON) -> list[JSON] | None:
        name = list_slot(self.tool.returns)
        value = result.get(name) if name else None
        return value if isinstance(value, list) else None

    def _tell_items(self, items: Sequence[JSON], result: JSON, arguments: JSON) -> str | None:
        phrasings = self.tool.phrasings
        if phrasings is None or not phrasings.items or not items:
            return None
        frame = [self.rng.choice(phrasings.items)]
        told = items if len(items) <= _MAX_TOLD else items[:_TOLD_OF_MANY]
        texts = [self.item(frame, item, result, arguments, "assistant") for item in told]
        words = [tidy_phrase(text) for text in texts if text]
        if not words:
            return None
        rest = len(items) - len(words)
        if rest:
            words.append(f"{_count(rest)} more")
        mark = "; " if any(", " in text for text in words) else ", "
        if len(words) == 1:
            return words[0]
        return mark.join(words[:-1]) + (f"{mark}and " if len(words) > 2 or mark == "; " else " and ") + words[-1]

    def _around(self, result: JSON, path: str) -> Any:
        return lookup(result, path.rpartition(".")[0]) if "." in path else result

    def _parameter(self, path: str) -> JSON:
        return schema_at(self.tool.parameters, path) or {}

    def _say(self, slot: Slot, value: Any, schema: JSON, style: Style, around: Sequence[Any]) -> str | None:
        if value is None or value in ([], {}, ""):
            return None
        name = slot.path.rsplit(".", 1)[-1]
        currency = find_currency(*around)
        return say(
            value,
            name,
            schema,
            self.rng,
            self.today,
            currency=currency,
            noun=slot.noun,
            style=style,
            month_first=self.month_first,
        )


@lru_cache(maxsize=64)
def _count(number: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[number] if number < len(words) else str(number)


def tidy_phrase(text: str) -> str:
    """Tidy a noun phrase: as a sentence, but without its capital and closing mark."""
    return mend(text.strip()).rstrip(".")
