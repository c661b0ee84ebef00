"""How each parameter is mentioned: woven into the request, as an item of "with …", or as a clause of its own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from toolflow_graph.agents.scripted.verbalise.flags import say_flag
from toolflow_graph.agents.scripted.verbalise.morphology import is_plural, plural, singular
from toolflow_graph.agents.scripted.verbalise.nouns import Noun, name_slot
from toolflow_graph.agents.scripted.verbalise.weaving import is_free_text, weave
from toolflow_graph.types import JSON

__all__ = ["Mention", "definite", "find_slots", "mention", "quoted"]


@dataclass(frozen=True)
class Mention:
    """The ways to say one parameter; empty where there is none.

    `inline` follows the verb phrase, `item` stands in a list after "with", `clause` is a sentence without its mark,
    `pointing` takes the place of `inline` or `item` when the value is known, `rank` orders inlines.
    `flag` frames hold a condition and are never wrapped.
    """

    noun: Noun
    inline: str = ""
    item: str = ""
    clause: str = ""
    pointing: str = ""
    rank: int = 5
    flag: bool = False


_OWN = frozenset("user username password token my".split())


def find_slots(properties: JSON, required: list[str]) -> Iterator[tuple[Noun, JSON, bool]]:
    """Yield what is to be said: every sayable parameter, and the leaves of objects, with whether it is required."""
    for name, schema in properties.items():
        if not re.fullmatch(r"[A-Za-z0-9_\-]+", name):
            continue
        inner = schema.get("properties") if schema.get("type") == "object" else None
        if isinstance(inner, dict) and inner:
            for leaf, part in inner.items():
                if re.fullmatch(r"[A-Za-z0-9_\-]+", leaf) and isinstance(part, dict):
                    yield name_slot(f"{name}.{leaf}", leaf, part), part, name in required
        else:
            yield name_slot(name, name, schema), schema, name in required


def definite(noun: Noun, *, full: bool = False) -> str:
    """Return the noun with "the", or "my" where it is about the speaker."""
    words = noun.full if full else noun.short
    first = words.split()[0].lower()
    if first in ("my", "the", "your"):
        return words
    if first == "user" and len(words.split()) > 1 and words.split()[1] not in ("ID", "name", "group"):
        return f"my {words.split(' ', 1)[1]}"
    return f"{'my' if first in _OWN and len(words.split()) < 4 else 'the'} {words}"


def quoted(noun: Noun) -> str:
    """Return the slot, in quotes when people write free text there."""
    return f'"{noun.slot}"' if is_free_text(noun) else noun.slot


def mention(noun: Noun, schema: JSON, *, verb: str, subject: bool) -> Mention:
    """Return how a parameter is mentioned in a request with this verb; `subject` marks what the request is about."""
    if noun.kind == "boolean" and "." in noun.path:
        return Mention(noun, clause=f"as for {noun.short.removeprefix('is ')}: {noun.slot}")
    if noun.kind == "boolean":
        inline, clause = say_flag(noun, str(schema.get("description") or ""))
        return Mention(noun, inline=inline, clause=clause, rank=9, flag=True)
    if noun.kind == "array":
        noun = replace(noun, full=plural(noun.full))
    be = "are" if is_plural(noun.full) else "is"
    value = quoted(noun)
    clause = f"{definite(noun, full=True)} {be} {value}"
    if len(noun.path) == 1 and noun.kind in ("number", "measure", "count"):
        clause = f"take {noun.path} = {value}"
    if noun.kind == "count" and is_plural(noun.short):
        clause = f"the number of {noun.short} is {{{noun.path}}}"
    woven = weave(noun, schema, verb, subject=subject)
    return Mention(noun, woven.inline, woven.item, clause, _pointing(noun, woven.inline), woven.rank)


def _pointing(noun: Noun, inline: str) -> str:
    kind, words = noun.kind, inline.split(" ", 1)
    if kind in ("city", "country") and words[0] == "in":
        return "there"
    if kind in ("city", "place") and words[0] in ("from", "to"):
        return f"{words[0]} there"
    if kind == "date" and words[0] in ("on", "for"):
        return "that day"
    if kind == "time" and words[0] == "at":
        return "at the same time"
    one = singular(re.sub(r" ID$", "", noun.short))
    if one.startswith(("my ", "the ")):
        one = one.split(" ", 1)[1]
    those = f"those {plural(one)}" if noun.plural else f"that {one}"
    prepositional = words[0] in ("for", "in", "on", "from", "to", "with", "by", "at", "until", "of", "about", "over")
    return f"{words[0]} {those}" if prepositional else those if not inline else f"with {those}"
