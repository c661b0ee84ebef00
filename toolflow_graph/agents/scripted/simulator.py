"""The scripted tool simulator: results that fit the schema, echo the call, and stay true to the world so far.

The world is `{"objects": {id: fields}}`: whatever object a result has shown, under each id it carries. An id leads
back to its object, what was created turns up in later lists, what was cancelled does not.
"""

import json
import random
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage

from toolflow_graph.agents.roles import Scene, ToolCall, ToolResult
from toolflow_graph.agents.scripted.agenda import Agenda
from toolflow_graph.agents.scripted.home import home_of
from toolflow_graph.agents.scripted.sense import Action, sense, words_of
from toolflow_graph.agents.scripted.verbalise import with_phrasings
from toolflow_graph.types import JSON, Tool
from toolflow_graph.values import coherent, draw_value, is_identifier, is_reference, kind_of

__all__ = ["SEARCH_TOOLS", "ScriptedToolSimulator"]

SEARCH_TOOLS = Tool(
    name="search_tools",
    description="Search the tool library for tools that can do something, and return their documentation.",
    parameters={
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What the tool should be able to do, in plain words"}
        },
        "required": ["query"],
    },
    returns={
        "type": "object",
        "properties": {
            "tools": {
                "type": "array",
                "description": "Documentation of the tools found, best first",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "description": "Name under which the tool is called"},
                        "description": {"type": "string", "description": "What the tool does"},
                        "parameters": {"type": "object", "description": "JSON Schema of the tool's parameters"},
                    },
                    "required": ["name", "description", "parameters"],
                },
            }
        },
        "required": ["tools"],
    },
)
"""The tool by which an assistant finds other tools (API-Bank's retrieve-then-call)."""

_STATUS: dict[Action, tuple[str, ...]] = {
    "create": (
        "confirmed",
        "booked",
        "created",
        "scheduled",
        "submitted",
        "open",
        "received",
        "active",
        "sent",
        "pending",
        "placed",
        "requested",
        "registered",
        "new",
        "queued",
        "accepted",
    ),
    "update": ("updated", "changed", "rescheduled", "confirmed", "approved", "active", "modified", "paused", "resumed"),
    "end": (
        "cancelled",
        "canceled",
        "closed",
        "deleted",
        "removed",
        "revoked",
        "returned",
        "ended",
        "stopped",
        "terminated",
        "inactive",
        "withdrawn",
    ),
}
_GOOD_FLAGS = frozenset(
    [
        "success",
        "ok",
        "confirmed",
        "sent",
        "updated",
        "deleted",
        "created",
        "cancelled",
        "removed",
        "saved",
        "accepted",
        "added",
        "active",
        "enabled",
    ]
)
_COUNTS = frozenset(["count", "total", "number", "num", "results", "matches", "found"])


class ScriptedToolSimulator:
    """Plays any tool from its schemas."""

    async def run(self, scene: Scene, call: ToolCall) -> ToolResult:
        """Return the result of a call; one that the agenda lets fail returns its error."""
        agenda = Agenda(scene)
        number = agenda.call_of(call.id)
        if call.name == SEARCH_TOOLS.name:
            return ToolResult(_find_tools(scene, agenda, number), scene.world)
        if call.name not in scene.tools:
            return ToolResult({"error": f"unknown tool {call.name!r}"}, scene.world, failed=True)
        tool = with_phrasings(scene.tools[call.name])
        if number is not None and "fails" in agenda.calls[number]:
            wording = agenda.wording(number, scene.rng("error", call.id))
            frame = str(agenda.calls[number]["fails"])
            message = wording.fill(frame, call.arguments, "assistant") or frame
            return ToolResult({"error": message.strip()}, scene.world, failed=True)
        repeated = _same_reading(scene, tool, call)
        if repeated is not None:
            return ToolResult(repeated, scene.world)
        world = World(scene.world)
        content = Imagination(tool, call.arguments, world, scene).result()
        return ToolResult(content, world.after(tool, call.arguments, content))


def _find_tools(scene: Scene, agenda: Agenda, number: int | None) -> JSON:
    names: Sequence[str] = agenda.calls[number].get("found", ()) if number is not None else ()
    tools = [scene.tools[name] for name in names if name in scene.tools]
    return {"tools": [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in tools]}


def _same_reading(scene: Scene, tool: Tool, call: ToolCall) -> JSON | None:
    """Return what the same reading call returned before, when nothing has changed since."""
    if sense(tool).action not in ("read", "compute"):
        return None
    results = {m.tool_call_id: m for m in scene.messages if isinstance(m, ToolMessage) and m.status != "error"}
    for message in reversed(scene.messages):
        if not isinstance(message, AIMessage):
            continue
        for earlier in message.tool_calls:
            known = results.get(str(earlier["id"]))
            if known is None:
                continue
            if earlier["name"] == call.name and earlier["args"] == call.arguments:
                return dict(json.loads(str(known.content)))
            other = scene.tools.get(earlier["name"])
            if other is not None and sense(other).action in ("create", "update", "end"):
                return None
    return None


_TEXT: JSON = {"type": "string"}


class World:
    """What is known of the objects of one dialogue."""

    def __init__(self, world: JSON) -> None:
        """Start from the world so far, which is not changed."""
        self.objects: dict[str, JSON] = {key: dict(value) for key, value in world.get("objects", {}).items()}

    def recall(self, arguments: JSON) -> JSON:
        """Return the fields of all objects that the arguments name."""
        known: JSON = {}
        for value in arguments.values():
            if isinstance(value, str | int) and not isinstance(value, bool):
                known |= self.objects.get(str(value), {})
        return {key: value for key, value in known.items() if not key.startswith("~")}

    def created_like(self, schema: JSON, arguments: JSON) -> list[JSON]:
        """Return objects made in this dialogue that belong in a list of such items, by their own id."""
        properties = schema.get("properties", {})
        own = next((name for name, part in properties.items() if _is_id(name, part)), None)
        found = []
        for fields in self.objects.values():
            made = fields.get("~made") and not fields.get("~gone") and own is not None and fields.get("~id") == own
            if made and all(fields.get(name, value) == value for name, value in arguments.items()):
                found.append({name: fields[name] for name in properties if name in fields})
        return found

    def gone(self) -> set[str]:
        """Return the ids of what was cancelled or deleted."""
        return {key for key, fields in self.objects.items() if fields.get("~gone")}

    def after(self, tool: Tool, arguments: JSON, result: JSON) -> JSON:
        """Return the world after a call."""
        action = sense(tool).action
        named = dict(_ids(arguments, tool.parameters))
        about = {name: value for name, value in _scalars(arguments).items() if name not in named}
        for key in named.values():
            changes = {**about, **_scalars(result)} if action in ("create", "update") else _scalars(result)
            self._keep(key, {**changes, "~gone": True} if action == "end" else changes)
        for name, key in _ids(result, tool.returns)[:1]:
            if key not in named.values():
                made = {"~made": True, "~id": name} if action == "create" else {"~id": name}
                self._keep(key, {**about, **_scalars(result), **made})
        self._note(result, tool.returns, about if action == "read" else {})
        return {"objects": self.objects}

    def _keep(self, key: str, fields: JSON) -> None:
        self.objects[key] = {**self.objects.get(key, {}), **fields}

    def _note(self, data: JSON, schema: JSON, about: JSON) -> None:
        """Keep every object inside a result under its own id, which comes first; what was searched for is true of it."""
        for name, value in data.items():
            part = schema.get("properties", {}).get(name)
            if not isinstance(part, dict):
                continue
            inner = part.get("items", {}) if isinstance(value, list) else part
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    for own, key in _ids(item, inner)[:1]:
                        self._keep(key, {**about, **_scalars(item), "~id": own})
                    self._note(item, inner, about)


def _is_id(name: str, schema: JSON) -> bool:
    return is_identifier(name, schema) or is_reference(name, schema)


def _ids(data: JSON, schema: JSON) -> list[tuple[str, str]]:
    """Return the ids that an object carries, with their names."""
    properties = schema.get("properties", {})
    return [
        (name, str(value))
        for name, value in data.items()
        if isinstance(value, str | int)
        and not isinstance(value, bool)
        and name in properties
        and _is_id(name, properties[name])
    ]


def _scalars(data: JSON) -> JSON:
    return {name: value for name, value in data.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    """Say whether a value is a scalar or a list of scalars."""
    if isinstance(value, list):
        return all(isinstance(item, str | int | float | bool) for item in value)
    return isinstance(value, str | int | float | bool)


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
        self.rng: random.Random = scene.rng("result", tool.name, repr(sorted(arguments.items(), key=repr)))
        self.action = sense(tool).action
        self.siblings: set[str] = set()
        self.known = {**world.recall(arguments), **arguments}
        self.city = next((str(v) for n, v in self.known.items() if kind_of(n, _TEXT) == "city" and v), home.city)

    def result(self) -> JSON:
        """Return the result object."""
        content = self._object(self.tool.returns, self.known, top=True)
        listing = sense(self.tool).listing
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
            if name not in schema.get("required", ()) and self.rng.random() < 0.25:
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
        if top and enum and words & {"status", "state", "outcome"}:
            for status in _STATUS.get(self.action, ()):
                if status in enum:
                    return status
        if top and schema.get("type") == "boolean" and words & _GOOD_FLAGS:
            return True
        if kind_of(name, schema) == "address" and "examples" not in schema:
            street = str(draw_value(name, schema, self.rng, self.today)).rpartition(", ")[0]
            alone = "city" in self.siblings or words_of(name)[-1:] == ("street",)
            return (street if alone else f"{street}, {self.city}") if street else self.city
        if enum and "currency" in words:
            return next((code for code in self.currencies if code in enum), enum[0])
        return draw_value(name, schema, self.rng, self.today)

    def _list(self, schema: JSON) -> list[JSON]:
        items = schema["items"]
        size = self.rng.choice((2, 3, 3, 3, 4))
        size = max(schema.get("minItems", 0), min(size, schema.get("maxItems", size)))
        filters = {k: v for k, v in self.known.items() if k in items.get("properties", {})}
        gone = self.world.gone()
        listed = [] if self.action != "read" else self.world.created_like(items, self.arguments)[:size]
        listed = [self._object(items, {**filters, **item}) for item in listed]
        for _ in range(size * 6):
            if len(listed) >= size:
                break
            item = self._constrain(self._object(items, filters), items)
            if not any(_same_name(item, other, filters) for other in listed) and not (
                gone & {str(v) for v in item.values() if isinstance(v, str | int)}
            ):
                listed.append(item)
        return _as_wanted(_ordered(listed, items), items, self.arguments)

    def _constrain(self, item: JSON, schema: JSON) -> JSON:
        """Keep to filters such as `max_price`, `min_rating`, `depart_after`, `arrive_before`."""
        for name, limit in self.arguments.items():
            words = words_of(name)
            for field, value in item.items():
                about = set(words_of(field))
                if type(value) is not type(limit) and not (
                    isinstance(value, int | float) and isinstance(limit, int | float)
                ):
                    continue
                if isinstance(limit, bool | list | dict) or not isinstance(value, str | int | float):
                    continue
                core = _stems(words) - {"max", "min", "maximum", "minimum", "after", "before", "earliest", "latest"}
                if not core or not core <= _stems(tuple(about)):
                    continue
                low = bool({"min", "minimum", "after", "earliest"} & set(words))
                high = bool({"max", "maximum", "before", "latest"} & set(words))
                part = schema["properties"][field]
                if (low and value < limit) or (high and value > limit):  # type: ignore[operator]
                    item[field] = self._within(field, part, limit, low=low)
        return item

    def _within(self, field: str, schema: JSON, limit: Any, *, low: bool) -> Any:
        for _ in range(30):
            value = draw_value(field, schema, self.rng, self.today)
            if (low and value >= limit) or (not low and value <= limit):
                return value
        return limit if _fits(schema, limit) else draw_value(field, schema, self.rng, self.today)


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
    return True


def _deep_fits(schema: JSON, value: Any) -> bool:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - costly to import, seldom needed

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
