"""The values of one dialogue: drawn so that they belong together, kept once they have been said."""

import random
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from toolflow_graph.agents.scripted.home import Home
from toolflow_graph.agents.scripted.sense import sense, words_of
from toolflow_graph.errors import PlanError
from toolflow_graph.types import JSON, Tool
from toolflow_graph.values import Kind, coherent, draw_value, fits_tense, kind_of
from toolflow_graph.values.moments import parse_moment
from toolflow_graph.values.people import draw_address

__all__ = ["Facts"]

_SHARED_KINDS = frozenset({"city", "country", "date"})
_OWN_NAMES = frozenset(
    "passenger guest customer patient applicant account member attendee traveller student holder".split()
)
_REUSE, _SHARE, _AT_HOME = 0.85, 0.6, 0.6
"""How often a value is meant again, shared with another slot of its kind; how often another city is one's own."""

_FRESH = 2
"""Requests for which what was said is at hand in a long dialogue."""

_LASTING = frozenset({"city", "country", "person", "email", "phone", "currency"})
_WORDY = 30
_STILL_MEANT = 0.4
"""How often something else that was said long ago is meant again."""

_IN_THE_PAST = frozenset("log record report note track rate review".split())
"""Verbs of tools that write down what has been."""

_SOON, _JUST_NOW = timedelta(minutes=20), timedelta(hours=4)
_DRAWS = 8

_TEXT: JSON = {"type": "string"}


class Facts:
    """Draws arguments; what was said before is likely to be meant again (the same city, day, customer)."""

    def __init__(self, home: Home, rng: random.Random, *, long: bool = False) -> None:
        """Start with nothing said; in a long dialogue what was said long ago is not always meant again."""
        self.home = home
        self.rng = rng
        self.long = long
        self.said: JSON = {}
        self.request = 0
        self._when: dict[str, int] = {}
        self._moved = 0

    def copy(self) -> "Facts":
        """Return facts that go on by themselves, drawing from the same generator."""
        other = Facts(self.home, self.rng, long=self.long)
        other.said, other.request = dict(self.said), self.request
        other._when, other._moved = dict(self._when), self._moved
        return other

    def note(self, values: JSON) -> None:
        """Keep values that were said, the latest last."""
        for name, value in values.items():
            if self.said.pop(name, value) != value and _is_city(name):
                self._moved = self.request
            self.said[name] = value
            self._when[name] = self.request

    def drop(self, names: Iterable[str]) -> None:
        """Forget what was said under these names."""
        for name in names:
            self.said.pop(name, None)

    def at_hand(self) -> JSON:
        """Return what was said lately: in a long dialogue "there" and "that day" mean nothing older."""
        if not self.long:
            return self.said
        return {name: value for name, value in self.said.items() if self._is_fresh(name)}

    def _is_fresh(self, name: str) -> bool:
        return self.request - self._when[name] <= _FRESH

    def draw(self, tool: Tool, fed: Collection[str], must: Collection[str]) -> JSON:
        """Return a value for every parameter that somebody could say; `fed` ones come from earlier results."""
        properties = tool.parameters.get("properties", {})
        known_to_systems = sense(tool).ids
        values: JSON = {}
        for name, schema in properties.items():
            if name not in fed and (name in tool.required or name in must or name not in known_to_systems):
                values[name] = self._value(tool, name, schema, values, linked=bool(fed))
        for name in values:
            if (other := opposite(name, values)) and values[name] == values[other]:
                values[other] = self._unlike(other, properties[other], values)
        values = dict(coherent(values, tool.parameters, self.rng))
        if sense(tool).action in ("create", "update") and not _IN_THE_PAST & set(words_of(tool.name)):
            values = self._put_ahead(values, tool.parameters)
            if fed and sense(tool).action == "create":
                values = self._put_after(values, tool.parameters)
        if any(kind_of(name, properties[name]) == "city" for name in values):
            return {n: street_only(v) if kind_of(n, properties[n]) == "address" else v for n, v in values.items()}
        return values

    def _put_ahead(self, values: JSON, schema: JSON) -> JSON:
        """Return the values with times of day that are not just over: what is to be done lies ahead."""
        properties = schema["properties"]
        days = [value for name, value in values.items() if kind_of(name, properties[name]) == "date"]
        if days and str(self.home.now.date()) not in days:
            return values
        for name in values:
            for _ in range(_DRAWS if kind_of(name, properties[name]) == "time" else 0):
                if not self._is_over(values[name], today=bool(days)):
                    break
                values = dict(coherent({**values, name: self._fresh(name, properties[name], values)}, schema, self.rng))
        return values

    def _put_after(self, values: JSON, schema: JSON) -> JSON:
        """Return the values with new days not before those of what they build on: no first day before the interview."""
        properties = schema["properties"]
        latest = max((v for n, v in self.at_hand().items() if kind_of(n, _TEXT) == "date"), default="")
        for name in [n for n in values if kind_of(n, properties[n]) == "date" and values[n] != self.said.get(n)]:
            for _ in range(_DRAWS if str(values[name]) < str(latest) else 0):
                later = {**values, name: self._fresh(name, properties[name], values)}
                if str(later[name]) >= str(latest):
                    return dict(coherent(later, schema, self.rng))
        return values

    def _is_over(self, value: Any, *, today: bool) -> bool:
        """Say whether a time of day has passed; without a day, one of long ago means tomorrow."""
        moment = parse_moment(value) if isinstance(value, str) else None
        if moment is None or moment.at is None or moment.day is not None:
            return False
        ahead = datetime.combine(self.home.now.date(), moment.at) - self.home.now
        return ahead < _SOON and (today or ahead > -_JUST_NOW)

    def other(self, tool: Tool, name: str, arguments: JSON) -> Any:
        """Return another value for one argument, at peace with the rest; raises `PlanError` when there is none."""
        schema = tool.parameters["properties"][name]
        for _ in range(25):
            value = self._fresh(name, schema, arguments)
            changed = {**arguments, name: value}
            if value != arguments.get(name) and coherent(changed, tool.parameters, random.Random(0)) == changed:
                return value
        raise PlanError(f"{tool.name!r} admits only one value for {name!r}")

    def _value(self, tool: Tool, name: str, schema: JSON, beside: JSON, *, linked: bool) -> Any:
        """Return what was said before where it is likely to be meant again, else something new."""
        kind = kind_of(name, schema)
        action = sense(tool).action
        if action == "update":
            return self._unlike(name, schema, beside)
        makes_it = action == "create" and set(words_of(tool.name)[1:]) & set(words_of(name))
        said = self.said.get(name)
        again = said is not None and not makes_it and self._fits(name, schema, kind, said)
        again = again and (linked or self.rng.random() < _REUSE)
        if again and (not self.long or self._is_still_meant(name, kind, said, beside)):
            return said
        if kind == "person" and _OWN_NAMES & set(words_of(name)):
            return self.home.name
        if kind == "currency":
            own = next((code for code in self.home.currencies if fits(schema, code)), None)
            return own or self._fresh(name, schema, beside)
        if kind in _SHARED_KINDS and self.rng.random() < _SHARE:
            for earlier, value in reversed(self.said.items()):
                alike = value not in beside.values() and kind_of(earlier, _TEXT) == kind
                if alike and not self._is_elsewhere(earlier, kind) and self._fits(name, schema, kind, value):
                    return value
        return self._fresh(name, schema, beside)

    def _fits(self, name: str, schema: JSON, kind: Kind, value: Any) -> bool:
        """Say whether what was said can be meant here: the day of a trip is none on which money was spent."""
        free = kind not in ("date", "datetime") or {"enum", "examples", "default"} & set(schema)
        return fits(schema, value) and (bool(free) or fits_tense(name, schema, value, self.home.now.date()))

    def _is_still_meant(self, name: str, kind: str, said: Any, beside: JSON) -> bool:
        """Say whether a value said before is meant in a long dialogue: a street in its city, a text only once."""
        if self._is_elsewhere(name, kind):
            return False
        if kind == "address":
            cities = [value for values in (beside, self.said) for n, value in values.items() if _is_city(n)]
            return len(set(cities)) <= 1 or self._when[name] >= max(self._when[n] for n in self.said if _is_city(n))
        if kind == "text" and isinstance(said, str) and len(said) > _WORDY:
            return False
        return self._is_fresh(name) or kind in _LASTING or self.rng.random() < _STILL_MEANT

    def _is_elsewhere(self, name: str, kind: str) -> bool:
        """Say whether a day or a street was said of another city than the one that is spoken of now."""
        return self.long and kind in ("date", "datetime", "address") and self._when[name] < self._moved

    def _unlike(self, name: str, schema: JSON, beside: JSON) -> Any:
        """Return something else than what was said before: a change changes something."""
        value = self._fresh(name, schema, beside)
        for _ in range(8):
            if value not in self.said.values():
                break
            value = self._fresh(name, schema, beside)
        return value

    def _fresh(self, name: str, schema: JSON, beside: JSON) -> Any:
        """Return a new value; cities and addresses lie where the dialogue takes place."""
        kind = kind_of(name, schema)
        given = "enum" in schema or "examples" in schema or "pattern" in schema
        if kind == "city" and not given:
            places = [city for city in self.home.places if city not in beside.values()]
            at_home = self.home.city in places and self.rng.random() < _AT_HOME
            return self.home.city if at_home or not places else self.rng.choice(places)
        if kind == "address" and not given:
            town = next((v for n, v in beside.items() if kind_of(n, _TEXT) == "city"), None)
            said = next((v for n, v in reversed(self.said.items()) if kind_of(n, _TEXT) == "city"), None)
            line = draw_address(self.rng, str(town or said or self.home.city))
            return street_only(line) if town else line
        return draw_value(name, schema, self.rng, self.home.now.date())


def _is_city(name: str) -> bool:
    return kind_of(name, _TEXT) == "city"


_OPPOSITES = (("from", "to"), ("base", "target"), ("source", "target"), ("origin", "destination"), ("old", "new"))


def opposite(name: str, beside: Collection[str]) -> str | None:
    """Return the parameter at the other end: of `from_city` that is `to_city`, if there is one."""
    words = words_of(name)
    for one, other in _OPPOSITES:
        if one in words:
            turned = tuple(other if word == one else word for word in words)
            found = next((n for n in beside if words_of(n) == turned), None)
            if found:
                return found
    return None


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
