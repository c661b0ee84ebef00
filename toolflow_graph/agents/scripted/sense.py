"""What a tool does, read off its name and schemas: its action, the ids it needs, and those it hands out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from toolflow_graph.agents.scripted.phrasing import list_slot
from toolflow_graph.by_identity import remember_by_identity
from toolflow_graph.catalog.slots import iterate_slots, schema_at
from toolflow_graph.types import Edge, Tool
from toolflow_graph.values import is_identifier, is_reference, kind_of

__all__ = ["Action", "Link", "Sense", "find_links", "sense", "words_of"]

Action = Literal["read", "create", "update", "end", "compute"]

_VERBS: dict[Action, str] = {
    "read": "search list find get check track compare read view fetch show lookup look browse query retrieve download "
    "scan inspect preview suggest recommend",
    "create": "create book reserve order add send schedule register submit open start request upload invite apply "
    "enroll enrol buy purchase post place make generate log record report file issue hire join subscribe save share "
    "comment upvote donate transfer pay trigger run deploy play",
    "update": "update change move reschedule rename set assign extend renew approve pause resume edit modify adjust "
    "reassign restart scale rotate mark redeem turn lock unlock activate switch raise rate review restore",
    "end": "cancel delete remove close stop return revoke revert undo roll unsubscribe end terminate reject block void "
    "dismiss withdraw merge",
}
_ACTIONS: dict[str, Action] = {verb: action for action, verbs in _VERBS.items() for verb in verbs.split()}


@lru_cache(maxsize=8192)
def words_of(name: str) -> tuple[str, ...]:
    """Return the lower-case words of an identifier, snake, kebab, dotted or camel case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(word.lower() for word in re.split(r"[^A-Za-z0-9]+", spaced) if word)


@dataclass(frozen=True)
class Link:
    """A parameter of one tool that takes a return value of another: the Tool Graph's P-R evidence, put to use."""

    producer: str
    path: str
    parameter: str


@dataclass(frozen=True)
class Sense:
    """What the planner and the simulator need to know of a tool.

    `needs` are required parameters that only a system hands out, `ids` all parameters that name an object,
    `produces` the result paths with ids that are not mere echoes, `listing` the field with a list of objects.
    """

    action: Action
    needs: tuple[str, ...]
    ids: tuple[str, ...]
    produces: tuple[str, ...]
    listing: str | None

    def through_list(self, path: str) -> bool:
        """Say whether a result path leads through the list, so that somebody must choose an item."""
        return self.listing is not None and path.startswith(f"{self.listing}.")


@remember_by_identity()
def sense(tool: Tool) -> Sense:
    """Return what the tool does."""
    properties = tool.parameters.get("properties", {})
    ids = tuple(n for n, s in properties.items() if is_identifier(n, s) or is_reference(n, s))
    needs = tuple(n for n in tool.required if n in properties and is_identifier(n, properties[n]))
    produces = tuple(
        slot.path
        for slot in iterate_slots(tool.returns)
        if slot.name not in properties
        and (is_identifier(slot.name, slot.schema) or is_reference(slot.name, slot.schema))
    )
    return Sense(action_of(tool.name), needs, ids, produces, list_slot(tool.returns))


def action_of(name: str) -> Action:
    """Return what a tool does to the world, by the first verb in its name."""
    words = words_of(name)
    for word in words[:1] + words[-1:] + words[1:-1]:
        if word in _ACTIONS:
            return _ACTIONS[word]
    return "compute"


def find_links(consumer: Tool, producer: Tool, edges: Iterable[Edge] = ()) -> list[Link]:
    """Return the links from a producer's result to a consumer's parameters: same name and type, or P-R evidence."""
    if consumer.name == producer.name:
        return []
    made, wanted = sense(producer), sense(consumer)
    properties = consumer.parameters.get("properties", {})
    links = []
    for parameter in wanted.ids:
        for path in made.produces:
            if path.rsplit(".", 1)[-1] == parameter and _same_type(producer, path, properties[parameter]):
                links.append(Link(producer.name, path, parameter))
                break
    linked = {link.parameter for link in links}
    for edge in edges:
        if edge.kind != "P-R" or edge.source != producer.name or edge.target != consumer.name:
            continue
        parameter = edge.target_slot
        of_ids = parameter in wanted.ids and edge.source_slot in made.produces
        if parameter not in properties or parameter in linked or not (of_ids or "phrasings" in consumer.inferred):
            continue
        if edge.source_slot.rsplit(".", 1)[-1] in producer.parameters.get("properties", {}):
            continue  # an echo of the producer's own argument is no news
        if _same_type(producer, edge.source_slot, properties[parameter]):
            links.append(Link(producer.name, edge.source_slot, parameter))
            linked.add(parameter)
    return links


def _same_type(producer: Tool, path: str, schema: dict[str, object]) -> bool:
    made = schema_at(producer.returns, path) or {}
    name = path.rsplit(".", 1)[-1]
    kinds = {kind_of(name, made), kind_of(name, schema)}
    if kinds & {"boolean", "enum", "object", "array"}:
        return False
    return made.get("type") == schema.get("type") and made.get("pattern") == schema.get("pattern")
