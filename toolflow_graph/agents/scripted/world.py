"""What is known in one dialogue, as plain JSON: objects by id, and facts about what has a name but no id.

An id leads back to its object, what was created turns up in later lists, what was cancelled does not. Marks begin
with `~`: `~id` names the field that holds the object's own id, `~made` and `~gone` what happened to it.
"""

from typing import Any

from toolflow_graph.agents.scripted.sense import sense, words_of
from toolflow_graph.types import JSON, Tool
from toolflow_graph.values import is_identifier, is_reference, kind_of

__all__ = ["World"]


_KEPT = 128
"""Facts about things without an id that are kept; more than any dialogue yields, a long one too."""


class World:
    """What is known of the objects of one dialogue."""

    def __init__(self, world: JSON) -> None:
        """Start from the world so far, which is not changed."""
        self.objects: dict[str, JSON] = {key: dict(value) for key, value in world.get("objects", {}).items()}
        self.facts: list[JSON] = list(world.get("facts", ()))

    def recall(self, arguments: JSON) -> JSON:
        """Return the fields of all objects that the arguments name, and of those that these name: a booking's hotel."""
        known: JSON = {}
        for value in arguments.values():
            known |= self._find(value)
        for value in list(known.values()):
            known = {**self._find(value), **known}
        return {key: value for key, value in known.items() if not key.startswith("~")}

    def _find(self, value: Any) -> JSON:
        plain = isinstance(value, str | int) and not isinstance(value, bool)
        return self.objects.get(str(value), {}) if plain else {}

    def recall_alike(self, tool: Tool, arguments: JSON) -> JSON:
        """Return what an earlier call told of the same thing by its name or category: the budget for food, a contact.

        Two calls speak of the same thing when their tools share a noun, and all words that both were given agree.
        """
        action = sense(tool).action
        if action in ("create", "compute"):
            return {}
        nouns = set(words_of(tool.name)[1:])
        for fact in reversed(self.facts):
            about = fact["about"]
            # A change may bring another number for the same thing; a reading asks for just this one.
            common = [n for n in about if n in arguments and (action == "read" or isinstance(about[n], str))]
            named = any(isinstance(about[name], str) for name in common)
            if named and nouns & set(fact["nouns"]) and all(about[name] == arguments[name] for name in common):
                return dict(fact["fields"])
        return {}

    def created_like(self, schema: JSON, arguments: JSON) -> list[JSON]:
        """Return objects made in this dialogue that belong in a list of such items, by their own id."""
        properties = schema.get("properties", {})
        own = next((name for name, part in properties.items() if _is_id(name, part)), None)
        found = []
        for fields in self.objects.values():
            made = fields.get("~made") and not fields.get("~gone") and own is not None and fields.get("~id") == own
            if made and all(_agrees(fields, name, value) for name, value in arguments.items()):
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
        if about and sense(tool).listing is None:
            fields = {**about, **_scalars(result)}
            self.facts = [*self.facts, {"nouns": list(words_of(tool.name)[1:]), "about": about, "fields": fields}][
                -_KEPT:
            ]
        return {"objects": self.objects, "facts": self.facts}

    def _keep(self, key: str, fields: JSON) -> None:
        self.objects[key] = {**self.objects.get(key, {}), **fields}

    def _note(self, data: JSON, schema: JSON, about: JSON) -> None:
        """Keep every object inside a result under its own id, which comes first; what was searched for holds for it."""
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


def _agrees(fields: JSON, name: str, value: Any) -> bool:
    """Say whether an object may be one that was asked for; whose it is has to be known."""
    return bool(fields[name] == value) if name in fields else kind_of(name, {"type": "string"}) != "person"


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
