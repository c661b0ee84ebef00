"""Lists in answers: how many came, how an item is told and how a user points at one."""

import re

from toolflow_graph.agents.scripted.phrasing import list_slot
from toolflow_graph.agents.scripted.sense import words_of
from toolflow_graph.agents.scripted.verbalise.fields import EMPTY_NAMES, Field, iterate_fields, upper
from toolflow_graph.agents.scripted.verbalise.morphology import base_form, is_plural, singular
from toolflow_graph.agents.scripted.verbalise.nouns import spoken
from toolflow_graph.agents.scripted.verbalise.requests import Request
from toolflow_graph.types import Tool

__all__ = ["make_items", "make_picks", "tell_list"]


def _list_noun(request: Request, listing: str) -> str:
    noun = singular(" ".join(spoken(listing)))
    if base_form(noun.split()[-1]) == noun.split()[-1] and len(noun.split()) == 1:
        noun = "result"
    if noun.split()[-1] not in EMPTY_NAMES | {"item", "list", "entry", "match", "record", "row", "found"}:
        return re.sub(r"^(?:found|matching|available) ", "", noun)
    phrase = request.deed.phrases[0]
    thing = re.sub(r"^(?:the|all|any|an?) ", "", phrase.words)
    if not phrase.preposition and is_plural(thing) and re.fullmatch(r"[\w -]+", thing):
        return singular(re.sub(r"^(?:nearby|available|upcoming|latest|recent|relevant) ", "", thing))
    return noun if noun.split()[-1] != "list" else "entry"


def tell_list(request: Request, listing: str) -> list[str]:
    """Return ways to tell a list, or that it is empty."""
    noun = _list_noun(request, listing)
    count = f"{{count:{noun}}}"
    city = next((n.path for p in request.deed.phrases for n in p.nouns if n.kind == "city"), None)
    city = city or next((m.noun.path for m in request.needed if m.noun.kind == "city"), None)
    where = f"[ in {{{city}}}]" if city else ""
    lines = [
        f"I found {count}{where}: {{list}}.",
        f"{count} came up{where}: {{list}}.",
        "here's what there is: {list}.",
        "these came up: {list}.",
        f"I have {count} for you: {{list}}.",
        f"{count}{where}: {{list}}.",
        "this is what I found: {list}.",
        f"I came across {count}: {{list}}.",
        f"the search turned up {count}{where}: {{list}}.",
        "so far I see {list}.",
        "you could look at {list}.",
    ]
    if request.deed.verb not in ("find", "search", "list", "look up"):
        lines = [line for line in lines if "search" not in line and "look at" not in line]
    return [f"[{upper(line)}|I found nothing that fits.]" for line in lines]


def make_items(tool: Tool) -> tuple[str, ...]:
    """Return how one item of a list is told."""
    fields = _item_fields(tool)
    if not fields:
        return ()
    first, *rest = fields
    frames = [f"{first.slot}{''.join(f'[{_aside(f)}]' for f in rest[:2])}"]
    if rest:
        bracketed = rest[0].noun.kind in ("text", "company", "money", "date", "person", "city", "enum")
        frames.append(f"{first.slot}[ ({rest[0].slot})]" if bracketed else first.slot)
        frames.append(f"{first.slot}[{_aside(rest[-1])}]")
    return tuple(dict.fromkeys(frames))


def make_picks(tool: Tool) -> tuple[str, ...]:
    """Return how a user points at one item of a list; never by its id."""
    fields = [f for f in _item_fields(tool) if f.noun.kind != "id"]
    if not fields:
        return ()
    picks = [fields[0].slot] if fields[0].noun.kind in ("text", "person", "company", "city", "place") else []
    for field in fields:
        aside = _aside(field)
        if aside.startswith((" on ", " at ", " for ", " in ", " from ")):
            picks.append(f"the one{aside}")
        elif field.noun.kind in ("text", "enum", "company"):
            picks.append(
                f"the {field.slot} one"
                if field.noun.kind == "enum"
                else f"the one with {field.slot}"
                if field is not fields[0]
                else f"{field.slot}"
            )
    return tuple(dict.fromkeys(picks))


def _item_fields(tool: Tool) -> list[Field]:
    listing = list_slot(tool.returns)
    if listing is None:
        return []
    fields = list(iterate_fields(tool.returns["properties"][listing].get("items", {}), {}, depth=2))
    plain = [f for f in fields if f.noun.kind not in ("id", "url", "boolean", "array")] or fields
    order = ("text", "company", "place", "address", "person")
    named = sorted((f for f in plain if f.noun.kind in order), key=lambda f: order.index(f.noun.kind) == 4)
    first = next(
        (f for f in named if set(words_of(f.noun.path)) & {"name", "title"} and f.noun.kind != "person"),
        named[0] if named else plain[0] if plain else None,
    )
    return [] if first is None else [first, *[f for f in plain if f is not first]][:4]


def _aside(field: Field) -> str:
    noun, slot = field.noun, field.slot
    if noun.kind == "money":
        return f" for {slot}"
    if noun.kind == "date":
        return f" on {slot}"
    if noun.kind == "time":
        return f" at {slot}"
    if noun.kind == "city":
        return f" in {slot}"
    if noun.kind == "person":
        return f" by {slot}" if set(noun.core) & {"author", "artist", "director"} else f", {slot}"
    if noun.kind == "count" and is_plural(noun.short):
        return f", {{{noun.path}:{singular(noun.short)}}}"
    if noun.kind in ("number", "measure", "percent", "count"):
        return f", {noun.short} {slot}" if not noun.unit else f", {slot}"
    return f", {slot}"
