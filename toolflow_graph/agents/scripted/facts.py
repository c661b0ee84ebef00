"""The values of one dialogue: drawn so that they belong together, kept once they have been said."""

import random
from collections.abc import Collection
from typing import Any

from toolflow_graph.agents.scripted.home import Home
from toolflow_graph.agents.scripted.sense import sense, words_of
from toolflow_graph.errors import PlanError
from toolflow_graph.types import JSON, Tool
from toolflow_graph.values import coherent, draw_value, kind_of

__all__ = ["Facts"]

_SHARED_KINDS = frozenset({"city", "country", "date"})
_OWN_NAMES = frozenset(
    "passenger guest customer patient applicant account member attendee traveller student holder".split()
)
_REUSE, _SHARE, _AT_HOME, _SAME_TOWN = 0.85, 0.6, 0.4, 0.85


class Facts:
    """Draws arguments; what was said before is likely to be meant again (the same city, day, customer)."""

    def __init__(self, home: Home, rng: random.Random) -> None:
        """Start with nothing said."""
        self.home = home
        self.rng = rng
        self.said: JSON = {}

    def note(self, values: JSON) -> None:
        """Keep values that were said, the latest last."""
        for name, value in values.items():
            self.said.pop(name, None)
            self.said[name] = value

    def draw(self, tool: Tool, fed: Collection[str], must: Collection[str]) -> JSON:
        """Return a value for every parameter that somebody could say; `fed` ones come from earlier results."""
        properties = tool.parameters.get("properties", {})
        known_to_systems = sense(tool).ids
        values: JSON = {
            name: self._value(tool, name, schema)
            for name, schema in properties.items()
            if name not in fed and (name in tool.required or name in must or name not in known_to_systems)
        }
        values = dict(coherent(values, tool.parameters, self.rng))
        if any(kind_of(name, properties[name]) == "city" for name in values):
            return {n: street_only(v) if kind_of(n, properties[n]) == "address" else v for n, v in values.items()}
        return values

    def other(self, tool: Tool, name: str, arguments: JSON) -> Any:
        """Return another value for one argument, at peace with the rest; raises `PlanError` when there is none."""
        schema = tool.parameters["properties"][name]
        for _ in range(25):
            value = draw_value(name, schema, self.rng, self.home.now.date())
            changed = {**arguments, name: value}
            if value != arguments.get(name) and coherent(changed, tool.parameters, random.Random(0)) == changed:
                return value
        raise PlanError(f"{tool.name!r} admits only one value for {name!r}")

    def _value(self, tool: Tool, name: str, schema: JSON) -> Any:
        kind = kind_of(name, schema)
        changes = sense(tool).action == "update"
        today = self.home.now.date()
        if name in self.said and not changes and self.rng.random() < _REUSE and fits(schema, self.said[name]):
            return self.said[name]
        if kind == "person" and _OWN_NAMES & set(words_of(name)):
            return self.home.name
        if kind == "currency":
            own = next((code for code in self.home.currencies if fits(schema, code)), None)
            return own or draw_value(name, schema, self.rng, today)
        if kind in _SHARED_KINDS and not changes and self.rng.random() < _SHARE:
            for earlier, value in reversed(self.said.items()):
                if kind_of(earlier, {"type": "string"}) == kind and fits(schema, value):
                    return value
        if kind == "city" and not self.said and self.rng.random() < _AT_HOME and fits(schema, self.home.city):
            return self.home.city
        value = draw_value(name, schema, self.rng, today)
        for _ in range(8 if changes else 0):  # a change is to something else than what was said before
            if value not in self.said.values():
                break
            value = draw_value(name, schema, self.rng, today)
        if kind == "address" and isinstance(value, str) and ", " in value and self.rng.random() < _SAME_TOWN:
            return f"{value.rpartition(', ')[0]}, {self.home.city}"
        return value


def street_only(address: Any) -> Any:
    """Leave the city out of an address that stands beside a city."""
    return address.rpartition(", ")[0] or address if isinstance(address, str) else address


def fits(schema: JSON, value: Any) -> bool:
    """Say whether a value may be reused under another schema of the same kind."""
    if "enum" in schema:
        return value in schema["enum"]
    if isinstance(value, bool):
        return schema.get("type") == "boolean"
    if isinstance(value, str):
        return schema.get("type") in (None, "string") and "pattern" not in schema
    if isinstance(value, int | float):
        kind = schema.get("type")
        inside = schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return inside and (kind == "number" or (kind == "integer" and isinstance(value, int)))
    return False
