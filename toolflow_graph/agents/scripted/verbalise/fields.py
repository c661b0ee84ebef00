"""The fields of a result: what they are called and how one is told in a sentence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from toolflow_graph.agents.scripted.sense import words_of
from toolflow_graph.agents.scripted.verbalise.exchange import to_assistant
from toolflow_graph.agents.scripted.verbalise.mentions import definite, quoted
from toolflow_graph.agents.scripted.verbalise.morphology import is_plural, singular
from toolflow_graph.agents.scripted.verbalise.nouns import Noun, name_slot
from toolflow_graph.types import JSON

__all__ = ["EMPTY_NAMES", "Field", "iterate_fields", "state", "upper"]

EMPTY_NAMES = frozenset("result results output value response answer data content".split())
_BROKEN = re.compile(r"\b(?:is|are|was|were)\b|\b(?:and|or|to|the|a|of|for|in)$")
_BESIDE = frozenset("currency unit units timezone".split())
_SPANS = frozenset("second minute hour day week month year".split())
_TIMELY = frozenset(
    "time delay duration wait stay period age length lag journey interval term average ago left window timeout".split()
)


@dataclass(frozen=True)
class Field:
    """One field of a result; an echo repeats an argument."""

    noun: Noun
    schema: JSON
    echo: bool

    @property
    def slot(self) -> str:
        """The slot with its unit, as a frame has it."""
        return self.noun.slot

    @property
    def told(self) -> str:
        """The slot as a sentence has it: in quotes where it is a text that somebody wrote."""
        return quoted(self.noun)

    @property
    def empty(self) -> bool:
        """Whether the name says nothing of what it holds."""
        name = self.noun.path.rsplit(".", 1)[-1].lower()
        return name in EMPTY_NAMES or _BROKEN.search(self.noun.short) is not None


def iterate_fields(schema: JSON, arguments: JSON, prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """Yield the fields that can be told, those of objects included; lists of objects are told apart."""
    for name, part in schema.get("properties", {}).items():
        if not isinstance(part, dict) or not re.fullmatch(r"[A-Za-z0-9_\-]+", name):
            continue
        path = f"{prefix}{name}"
        items = part.get("items")
        if part.get("type") == "object" or "properties" in part:
            if depth < 2:
                yield from iterate_fields(part, arguments, f"{path}.", depth + 1)
        elif part.get("type") == "array" and not (
            isinstance(items, dict) and items.get("type") in ("string", "number", "integer")
        ):
            continue
        elif not set(words_of(name)) & _BESIDE and part.get("type") != "null":
            yield Field(name_slot(path, name, part), part, name in arguments)


def state(field: Field) -> str:
    """Return a sentence that tells a field."""
    noun = field.noun
    words = noun.short.split()
    if (
        len(words) > 1
        and is_plural(words[0])
        and noun.kind in ("count", "number", "measure")
        and not is_plural(words[-1])
    ):
        return f"{{{noun.path}:{singular(words[0])}}} {' '.join(words[1:])}."
    if noun.kind == "count" and is_plural(noun.short):
        return f"The number of {noun.short} is {{{noun.path}}}."
    if words[-1] in ("on", "at", "by") and len(words) > 1:
        done = words[-2].endswith("ed") or words[-2] in ("paid", "sent", "built", "made")
        before = " ".join(words[:-1])
        if done:
            return f"{upper(before)} {words[-1]} {noun.slot}."
        return f"The {before} is {words[-1]} {noun.slot}."
    the = to_assistant(definite(noun, full=True))
    if noun.kind == "percent":
        the = " ".join(w for w in the.split() if w not in ("percent", "percentage")) or the
    if noun.unit[1:] in _SPANS and the.split()[-1] not in _TIMELY and noun.path.endswith(f"{noun.unit[1:]}s"):
        the = f"{the} time"
    be = "are" if is_plural(the) else "is"
    return f"{upper(the)} {be} {field.told}."


def upper(text: str) -> str:
    """Begin with a capital, unless a slot or an option comes first."""
    return text if text.startswith(("{", "[")) else text[:1].upper() + text[1:]
