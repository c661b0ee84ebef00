"""Makes up the result of a call: arguments echoed, known objects recalled, the rest drawn from the schema."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from jsonschema import Draft202012Validator

from toolflow_graph.agents.roles import Scene
from toolflow_graph.agents.scripted.home import home_of
from toolflow_graph.agents.scripted.sense import Action, sense, words_of
from toolflow_graph.agents.scripted.world import World
from toolflow_graph.types import JSON, Tool
from toolflow_graph.values import coherent, draw_value, kind_of
from toolflow_graph.values.people import draw_address

__all__ = ["Imagination"]

_STATUS: dict[Action, str] = {
    "create": "confirmed booked created scheduled submitted open received active sent pending placed requested "
    "registered new queued accepted",
    "update": "updated changed rescheduled confirmed approved active modified paused resumed",
    "end": "cancelled canceled closed deleted removed revoked returned ended stopped terminated inactive withdrawn",
}
"""What a status field says after an action, the likeliest first."""

_GOOD_FLAGS = frozenset(
    "success ok confirmed sent updated deleted created cancelled removed saved accepted added active enabled".split()
)
_COUNTS = frozenset("count total number num results matches found".split())
_LOW = frozenset(("min", "minimum", "after", "earliest", "from"))
_HIGH = frozenset(("max", "maximum", "before", "latest", "until"))
_TEXT: JSON = {"type": "string"}


_DRAWS = 8

_LEFT_OUT = 0.25
"""How often an optional field of a result is missing."""


class Imagination:
    """Makes up one result: arguments are echoed, known objects recalled, the rest drawn from the schema."""

    def __init__(self, tool: Tool, arguments: JSON, world: World, scene: Scene) -> None:
        """Keep the call and what is known."""
        self.tool = tool
        self.arguments = arguments
        self.world = world
        self.today = scene.today
        home = home_of(scene.seed, scene.index)
        self.currencies = home.currencies
        self.now = home.now
        self.rng = scene.rng("result", tool.name, repr(sorted(arguments.items(), key=repr)))
        self.action = sense(tool).action
        self.siblings: set[str] = set()
        recalled = {**world.recall_alike(tool, arguments), **world.recall(arguments)}
        self.known = {**self._still_true(recalled), **arguments}
        self.city = next((str(v) for n, v in self.known.items() if kind_of(n, _TEXT) == "city" and v), home.city)

    def _still_true(self, recalled: JSON) -> JSON:
        """Leave out what the action is about to change: what is cancelled is no longer confirmed."""
        statuses = set(_STATUS.get(self.action, "").split())
        fields = self.tool.returns.get("properties", {})
        return {
            name: value
            for name, value in recalled.items()
            if not (_is_status(name) and statuses & set(fields.get(name, {}).get("enum", ())))
        }

    def result(self, returns: JSON, earlier: Sequence[JSON] = ()) -> JSON:
        """Return an object that fits the tool's return schema, or one that asks for more.

        `earlier` are items of a list that is asked for again, and still holds.
        """
        content = self._object(returns, self.known, top=True)
        listing = sense(self.tool).listing
        if listing is not None and earlier:
            content[listing] = self._renew(earlier, returns["properties"][listing]["items"])
        if listing is not None and isinstance(content.get(listing), list):
            for name, value in content.items():
                words = set(words_of(name))
                if (
                    isinstance(value, int)
                    and not isinstance(value, bool)
                    and words & _COUNTS
                    and name not in self.arguments
                ):
                    content[name] = len(content[listing])
        return content

    def _object(self, schema: JSON, known: JSON, *, top: bool = False) -> JSON:
        content: JSON = {}
        fixed: set[str] = set()
        self.siblings = {word for name in schema.get("properties", {}) for word in words_of(name)}
        for name, part in schema.get("properties", {}).items():
            if name not in schema.get("required", ()):
                unset = top and name not in known and name in self.tool.parameters.get("properties", {})
                if unset or self.rng.random() < _LEFT_OUT:  # what nobody has set is not made up
                    continue
            if name in known and _fits(part, known[name]):
                content[name] = known[name]
                fixed.add(name)
            elif part.get("type") == "array" and part.get("items", {}).get("type") == "object":
                content[name] = self._list(part)
            elif part.get("type") == "object" and part.get("properties"):
                content[name] = self._object(part, known)
            else:
                content[name] = self._scalar(name, part, top=top)
        return dict(coherent(content, schema, self.rng, fixed=fixed))

    def _scalar(self, name: str, schema: JSON, *, top: bool) -> Any:
        words = set(words_of(name))
        enum = schema.get("enum")
        if top and enum and _is_status(name):
            for status in _STATUS.get(self.action, "").split():
                if status in enum:
                    return status
        if top and schema.get("type") == "boolean" and words & _GOOD_FLAGS:
            return True
        if kind_of(name, schema) == "address" and "examples" not in schema:
            line = draw_address(self.rng, self.city)
            alone = "city" in self.siblings or words_of(name)[-1:] == ("street",)
            return line.rpartition(", ")[0] if alone else line
        if enum and "currency" in words:
            return next((code for code in self.currencies if code in enum), enum[0])
        ahead = words & _TO_COME or (top and self.action in ("create", "update") and not self._has_day())
        if ahead and kind_of(name, schema) == "time":
            return self._time_ahead(name, schema, sure=bool(words & _TO_COME))
        return draw_value(name, schema, self.rng, self.today)

    def _time_ahead(self, name: str, schema: JSON, *, sure: bool) -> Any:
        """Return a time of day later than now if one is drawn; a sure one may be after midnight."""
        value = draw_value(name, schema, self.rng, self.today)
        for _ in range(_DRAWS):
            if value > f"{self.now:%H:%M}":
                return value
            value = draw_value(name, schema, self.rng, self.today)
        quarter = self.now.replace(minute=self.now.minute // 15 * 15)
        soon = f"{quarter + timedelta(minutes=self.rng.randrange(30, 240, 15)):%H:%M}" if sure else value
        return soon if _fits(schema, soon) else value

    def _has_day(self) -> bool:
        """Say whether a day is known, so that a time of day need not be one of today that lies ahead."""
        return any(kind_of(name, _TEXT) == "date" for name in self.known)

    def _list(self, schema: JSON) -> list[JSON]:
        items = schema["items"]
        size = self.rng.choice((2, 3, 3, 3, 4))
        size = max(schema.get("minItems", 0), min(size, schema.get("maxItems", size)))
        filters = self._find_common(items.get("properties", {}))
        gone = self.world.gone()
        listed = [] if self.action != "read" else self.world.created_like(items, self.arguments)[:size]
        listed = [self._object(items, {**_just_made(items), **filters, **item}) for item in listed]
        for _ in range(size * 6):
            if len(listed) >= size:
                break
            item = self._constrain(self._object(items, filters), items)
            if not any(_same_name(item, other, filters) for other in listed) and not (
                gone & {str(v) for v in item.values() if isinstance(v, str | int)}
            ):
                listed.append(item)
        return _as_wanted(_ordered(listed, items), items, self.arguments)

    def _find_common(self, fields: JSON) -> JSON:
        """Return what all items of a list have in common: what was asked for, and what is known of whose they are.

        The id and the title of one thing that is known stay with that thing.
        """
        listing = sense(self.tool).listing
        ids = {path.rsplit(".", 1)[-1] for path in sense(self.tool).produces if path.startswith(f"{listing}.")}
        own = {name for name, part in fields.items() if name in ids or kind_of(name, part) == "text"}
        return {k: v for k, v in self.known.items() if k in fields and (k in self.arguments or k not in own)}

    def _renew(self, earlier: Sequence[JSON], schema: JSON) -> list[JSON]:
        """Return earlier items as they are now: changed where they were changed, without what is gone."""
        gone = self.world.gone()
        fields = schema.get("properties", {})
        kept = [item for item in earlier if not gone & {str(v) for v in item.values() if isinstance(v, str | int)}]
        known = [{**item, **{n: v for n, v in self.world.recall(item).items() if n in item}} for item in kept]
        made = [self._object(schema, item) for item in self.world.created_like(schema, self.arguments)]
        echoed = {name: value for name, value in self.arguments.items() if name in fields}
        return [{**item, **echoed} for item in [*(m for m in made if m not in known), *known]]

    def _constrain(self, item: JSON, schema: JSON) -> JSON:
        """Keep to filters such as `max_price`, `min_rating`, `depart_after`, `arrive_before`."""
        limits = self._limits(item)
        if all(_between(item[field], *limits[field]) for field in limits):
            return item
        fields = schema["properties"]
        moments = {f for f in limits if isinstance(item[f], str)}
        if moments:  # every moment lies in the window, so that a start and its end can be put in order afterwards
            lows, highs = ([limits[f][side] for f in moments if limits[f][side] is not None] for side in (0, 1))
            kinds = {kind_of(f, fields[f]) for f in moments}
            moments = {
                f for f, v in item.items() if isinstance(v, str) and kind_of(f, fields[f]) in kinds - {"id"}
            } - set(self.known)
            limits |= dict.fromkeys(moments, (max(lows, default=None), min(highs, default=None)))
        tried = item
        for _ in range(10):
            drawn = {f: self._within(f, fields[f], *limits[f]) for f in sorted(limits)}
            tried = dict(coherent({**item, **drawn}, schema, self.rng, fixed=set(limits) - moments))
            if all(_between(tried[field], *limits[field]) for field in limits):
                break
        return tried

    def _limits(self, item: JSON) -> dict[str, tuple[Any, Any]]:
        """Return the lowest and the highest value that the arguments allow for fields of an item."""
        limits: dict[str, tuple[Any, Any]] = {}
        for name, limit in self.arguments.items():
            low, high = bool(_LOW & set(words_of(name))), bool(_HIGH & set(words_of(name)))
            core = _stems(words_of(name)) - _LOW - _HIGH
            if low == high or not core or isinstance(limit, bool | list | dict):
                continue
            for field, value in item.items():
                alike = isinstance(value, str) == isinstance(limit, str) and not isinstance(value, bool | list | dict)
                if alike and core <= _stems(words_of(field)):
                    lowest, highest = limits.get(field, (None, None))
                    limits[field] = (limit, highest) if low else (lowest, limit)
        return limits

    def _within(self, field: str, schema: JSON, low: Any, high: Any) -> Any:
        for _ in range(60):
            value = draw_value(field, schema, self.rng, self.today)
            if _between(value, low, high):
                return value
        limit = high if low is None else low
        return limit if _fits(schema, limit) else draw_value(field, schema, self.rng, self.today)


def _just_made(schema: JSON) -> JSON:
    """Return what a listing says of the age of a thing that was made in this dialogue: as little as it can."""
    ages = {
        name: part
        for name, part in schema.get("properties", {}).items()
        if part.get("type") in ("integer", "number") and _SPANS & set(words_of(name)) and _AGES & set(words_of(name))
    }
    return {name: max(0, part.get("minimum", 0)) for name, part in ages.items()}


_TO_COME = frozenset("restored resumes reopens next".split())
"""Words of times of day that have not come yet when they are told."""

_SPANS, _AGES = (
    frozenset("minutes hours days weeks".split()),
    frozenset("open old age ago since waiting running".split()),
)


def _between(value: Any, low: Any, high: Any) -> bool:
    return bool((low is None or value >= low) and (high is None or value <= high))


def _is_status(name: str) -> bool:
    return not {"status", "state", "outcome"}.isdisjoint(words_of(name))


def _stems(words: Sequence[str]) -> set[str]:
    return {{"depart": "departure", "arrive": "arrival", "cost": "price"}.get(word, word) for word in words}


def _fits(schema: JSON, value: Any) -> bool:
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}
    kind = kinds.get(str(schema.get("type")))
    if kind is not None and not isinstance(value, kind):  # type: ignore[arg-type]
        return False
    if isinstance(value, bool) and schema.get("type") != "boolean":
        return False
    if "enum" in schema:
        return value in schema["enum"]
    if isinstance(value, dict | list):
        return _deep_fits(schema, value)
    if isinstance(value, str) and ("pattern" in schema or "format" in schema):
        return _deep_fits(schema, value)
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _deep_fits(schema: JSON, value: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def _same_name(item: JSON, other: JSON, filters: JSON) -> bool:
    """Say whether two items of a list would be told apart by nothing that a person would name."""
    texts = [k for k, v in item.items() if isinstance(v, str) and k not in filters and k in other]
    free = [
        k for k in texts if not k.endswith(("status", "currency", "type", "_class", "category", "priority", "unit"))
    ]
    return any(item[k] == other[k] for k in free[:2]) if free else item == other


def _as_wanted(items: list[JSON], schema: JSON, arguments: JSON) -> list[JSON]:
    """Sort a list the way the call asks for: cheapest, best rated or newest first."""
    wish = next(
        (set(words_of(str(v))) for n, v in arguments.items() if set(words_of(n)) & {"sort", "order", "sorted"}), None
    )
    if wish is None:
        return items
    fields = schema.get("properties", {})
    moneys = [n for n, s in fields.items() if kind_of(n, s) == "money"]
    ratings = [n for n in fields if set(words_of(n)) & {"rating", "score", "stars"}]
    days = [n for n, s in fields.items() if kind_of(n, s) in ("date", "datetime")]
    rules = (
        ({"price", "cheapest", "cost", "fare"}, moneys, bool(wish & {"desc", "descending", "highest", "expensive"})),
        ({"rating", "best", "rated", "stars"}, ratings, True),
        ({"newest", "recent", "latest", "new"}, days, True),
    )
    for words, names, descending in rules:
        if wish & words and names and all(names[0] in item for item in items):
            return sorted(items, key=lambda item, name=names[0]: item[name], reverse=descending)  # type: ignore[misc]
    return items


def _ordered(items: list[JSON], schema: JSON) -> list[JSON]:
    """Sort a list the way such lists come: by its first date or time, else as it is."""
    for name, part in schema.get("properties", {}).items():
        pattern = str(part.get("pattern", ""))
        if part.get("format") in ("date", "date-time") or pattern.startswith(("^\\d{2}:", "^\\d{4}-\\d{2}")):
            if all(isinstance(item.get(name), str) for item in items):
                return sorted(items, key=lambda item, name=name: str(item[name]))  # type: ignore[misc]
            return items
    return items
