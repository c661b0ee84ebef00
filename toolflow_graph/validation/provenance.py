"""Value provenance: every argument comes from the user, a result, the system message or a default."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal

from toolflow_graph.types import JSON, Finding, Provenance
from toolflow_graph.validation.derivation import Grounds
from toolflow_graph.validation.dialogue import SEARCH, Call, CheckedDialogue, iterate_leaves
from toolflow_graph.values import kind_of, supports
from toolflow_graph.values.moments import parse_moment
from toolflow_graph.values.naming import fold, word_set
from toolflow_graph.values.reading import Reading, content_words
from toolflow_graph.values.shapes import plain_schema

__all__ = ["Ledger", "check_provenance", "trace_arguments"]

Source = Literal["user", "result", "system", "default", "none"]

_COMPOSED = 8
_COMPOSED_OVERLAP = 0.34
_AGREES = word_set(
    "yes yeah yep sure ok okay fine please good great perfect works do that sounds right correct exactly go"
)
_REFERS = word_set(
    "that it this those these rest remaining remainder difference total all both same one ones first second third last "
    "latter former earlier later cheaper cheapest sooner then whole left half"
)


class Ledger:
    """Where values were seen before a message: in results, word for word."""

    def __init__(self, dialogue: CheckedDialogue) -> None:
        self.dialogue = dialogue
        self._seen: dict[object, list[int]] = {}
        self._texts: dict[int, str] = {}
        for call in dialogue.calls:
            if call.answered is not None:
                for _, leaf in iterate_leaves(call.result):
                    self._seen.setdefault(_key(leaf), []).append(call.answered)

    def find(self, value: Any, before: int) -> int | None:
        """The latest result before a message that has this very value, or None."""
        return max((place for place in self._seen.get(_key(value), ()) if place < before), default=None)

    def result_text(self, index: int) -> str:
        """All leaves of the result at a message, as one text."""
        if index not in self._texts:
            call = next(c for c in self.dialogue.calls if c.answered == index)
            leaves = [str(leaf) for _, leaf in iterate_leaves(call.result) if leaf is not None]
            self._texts[index] = " ; ".join(leaves)
        return self._texts[index]

    def results(self, before: int) -> list[int]:
        """The indices of the results before a message, latest first."""
        return sorted({c.answered for c in self.dialogue.calls if c.answered is not None and c.answered < before})[::-1]


def _key(value: Any) -> object:
    if isinstance(value, bool) or value is None:
        return ("literal", value)
    if isinstance(value, int | float):
        return Decimal(str(value))
    return fold(str(value)).strip()


def trace_arguments(dialogue: CheckedDialogue) -> Iterator[tuple[Provenance, Call, JSON]]:
    """Yield the provenance of every leaf of every argument, with its call and schema."""
    ledger = Ledger(dialogue)
    for call in dialogue.calls:
        tool = dialogue.tools.get(call.name) or dialogue.known_tools(call.message).get(call.name)
        if tool is None or call.arguments is None:
            continue
        properties = plain_schema(tool.get("parameters") or {}).get("properties") or {}
        for name, value in call.arguments.items():
            for path, leaf, schema in _leaves(name, value, properties.get(name) or {}):
                source, message = _trace(dialogue, ledger, call, path, leaf, schema)
                yield Provenance(call_id=call.id, path=path, source=source, message=message), call, schema


def _leaves(path: str, value: Any, schema: JSON) -> Iterator[tuple[str, Any, JSON]]:
    schema = plain_schema(schema)
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        for key, part in value.items():
            yield from _leaves(f"{path}.{key}", part, properties.get(key) or {})
    elif isinstance(value, list):
        items = schema.get("items")
        for index, part in enumerate(value):
            yield from _leaves(f"{path}[{index}]", part, items if isinstance(items, dict) else {})
    else:
        yield path, value, schema


def _trace(
    dialogue: CheckedDialogue, ledger: Ledger, call: Call, path: str, value: Any, schema: JSON
) -> tuple[Source, int | None]:
    if value is None or value == "":
        return "default", None
    name = _slot_name(path)
    seen = None if isinstance(value, bool) else ledger.find(value, call.message)
    if seen is not None and (kind_of(name, schema) == "id" or len(str(value)) > 3):
        return "result", seen
    users = dialogue.indices("user", before=call.message)
    said = _said_by_user(dialogue, call, users, value, name, schema)
    if said is not None:
        return "user", said
    if seen is not None:
        return "result", seen
    if value == schema.get("default") or value == schema.get("const", object()):
        return "default", None
    if len(users) > 1 and supports([dialogue.texts[i] for i in users], value, dialogue.today, name, schema):
        return "user", users[-1]
    if _is_system_fact(dialogue, value, name, schema):
        return "system", next(iter(dialogue.indices("system")), None)
    for index in () if isinstance(value, bool) else ledger.results(call.message):
        if supports(ledger.result_text(index), value, dialogue.today, name, schema):
            return "result", index
    return _trace_derived(dialogue, ledger, call, path, value, schema)


def _said_by_user(
    dialogue: CheckedDialogue, call: Call, users: Sequence[int], value: Any, name: str, schema: JSON
) -> int | None:
    if call.name == SEARCH and users:
        return users[-1]  # a query for tools puts the request in other words
    found = (i for i in reversed(users) if supports(dialogue.texts[i], value, dialogue.today, name, schema))
    return next(found, None)


def _slot_name(path: str) -> str:
    head, bracket, _ = path.partition("[")
    name = (path.rsplit(".", 1)[-1] if "." in path else head).partition("[")[0]
    return name[:-1] if bracket and name.endswith("s") and not name.endswith("ss") else name


def _is_system_fact(dialogue: CheckedDialogue, value: Any, name: str, schema: JSON) -> bool:
    """Tell whether the value is the present day, month, year or time, or stands in the system message."""
    if isinstance(value, bool):
        return False
    now = dialogue.now
    moment = parse_moment(value) if isinstance(value, str) else None
    if now is not None and moment is not None:
        if moment.month:
            return moment.month == (now.year, now.month)
        return moment.day in (None, now.date()) and moment.at in (None, now.time())
    if now is not None and isinstance(value, int):
        parts = {"year": now.year, "month": now.month, "day": now.day}
        if any(part in name.lower() and number == value for part, number in parts.items()):
            return True
    return any(supports(dialogue.texts[i], value, dialogue.today, name, schema) for i in dialogue.indices("system"))


def _trace_derived(
    dialogue: CheckedDialogue, ledger: Ledger, call: Call, path: str, value: Any, schema: JSON
) -> tuple[Source, int | None]:
    """Return the source of a value that is put together: agreed to, reckoned, or composed in other words."""
    name = _slot_name(path)
    agreed = _agreed(dialogue, call, name, value, schema)
    if agreed is not None:
        return "user", agreed
    users = dialogue.indices("user", before=call.message)
    last = users[-1] if users else None
    grounds = Grounds(dialogue, call, path)
    if isinstance(value, str):
        moment = parse_moment(value)
        if moment is not None and grounds.has_moment(moment, name):
            return ("user", last) if users else ("system", None)
        if kind_of(name, schema) == "text" and _is_composed(dialogue, ledger, call, value, grounds.turns):
            return "user", last
    elif not isinstance(value, bool) and grounds.has_number(Decimal(str(value)), name, schema):
        return "user", last
    return "none", None


def _is_composed(
    dialogue: CheckedDialogue, ledger: Ledger, call: Call, value: str, readings: Sequence[Reading]
) -> bool:
    """Tell whether a longer text is made from what was said and returned; a message to someone is worded freely."""
    wanted = content_words(value)
    results = [dialogue.reading(i) for i in ledger.results(call.message)]
    stems = frozenset[str]().union(*(reading.stems for reading in (*readings, *results)))
    return len(wanted) >= _COMPOSED and sum(word in stems for word in wanted) / len(wanted) >= _COMPOSED_OVERLAP


def _agreed(dialogue: CheckedDialogue, call: Call, name: str, value: Any, schema: JSON) -> int | None:
    """The user's turn that says yes to a value which the assistant proposed just before, if there is one.

    What the assistant worked out ("that leaves €131.25") need only be referred to ("move that over").
    """
    for index in reversed(dialogue.indices("user", before=call.message)):
        said = index - 1
        if said < 0 or dialogue.role(said) != "assistant" or not dialogue.texts[said]:
            continue
        words = dialogue.reading(index).words
        reckoned = parse_moment(value) is not None if isinstance(value, str) else not isinstance(value, bool)
        yes = bool(words & _AGREES) or (reckoned and bool(words & _REFERS))
        if yes and supports(dialogue.texts[said], value, dialogue.today, name, schema):
            return index
    return None


def check_provenance(traced: Sequence[tuple[Provenance, Call, JSON]]) -> Iterator[Finding]:
    """Yield arguments that nobody said and nothing returned; unmentioned booleans and enums are only warnings."""
    for provenance, call, schema in traced:
        if provenance.source != "none":
            continue
        value = _value_at(call.arguments or {}, provenance.path)
        kind = kind_of(_slot_name(provenance.path), schema)
        composed = kind == "text" and len(content_words(str(value))) >= _COMPOSED
        soft = isinstance(value, bool) or kind == "enum" or composed
        told = f"{call.name!r} {provenance.path}: nobody said {value!r} and no result has it"
        yield Finding(
            check="provenance", message=told, message_index=call.message, severity="warning" if soft else "error"
        )


def _value_at(arguments: JSON, path: str) -> Any:
    return next((leaf for at, leaf in iterate_leaves(arguments) if at == path), None)
