"""How each parameter is mentioned: woven into the request, as an item of "with …", as a clause of its own, or tersely."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from toolflow_graph.agents.scripted.verbalise_new.flags import say_flag
from toolflow_graph.agents.scripted.verbalise_new.lexicon import TEMPLATES
from toolflow_graph.agents.scripted.verbalise_new.morphology import is_plural, plural, singular, with_article
from toolflow_graph.agents.scripted.verbalise_new.nouns import Noun, name_slot
from toolflow_graph.types import JSON

__all__ = ["Mention", "definite", "find_slots", "mention", "quoted"]


@dataclass(frozen=True)
class Mention:
    """The ways to say one parameter; empty where there is none.

    `inline` follows the verb phrase, `item` stands in a list after "with", `clause` is a sentence without its mark,
    `terse` a note; `pointing` takes the place of `inline` or `item` when the value is known, `rank` orders inlines.
    `flag` frames hold a condition and are never wrapped.
    """

    noun: Noun
    inline: str = ""
    item: str = ""
    clause: str = ""
    terse: str = ""
    pointing: str = ""
    rank: int = 5
    flag: bool = False


_OWN = frozenset("user username password token my".split())
_FROM = frozenset("from origin source departure source start starting pickup pick-up initial base begin first".split())
_TO = frozenset("to destination arrival target end ending dropoff drop-off final".split())
_FREE_TEXT = frozenset(
    "message content text body comment sentence paragraph question prompt note notes review description feedback "
    "summary input answer details reason phrase passage instructions instruction response".split()
)
_ENDPOINTS = frozenset(
    "location point city language unit units currency station airport place address stop port country".split()
)
_ASPECTS = frozenset(
    "language unit units format color colour genre type category level mode state material method cuisine platform season "
    "style size status gender scale key position role action relationship data target details order condition option".split()
)
_ABOUT = frozenset(
    "get find calculate estimate determine show list identify predict forecast evaluate check analyse scan track search "
    "monitor compare perform run book order buy reserve set make assess verify do query rent review".split()
) | {"look up", "work out"}
"""Verbs after which "for X" says what it is about."""
_TITLES = frozenset("name title label".split())
_PEOPLE = frozenset(
    "guest adult passenger person people traveler traveller child kid ticket night room seat day week month year hour minute "
    "participant attendee infant pet player".split()
)
_SPANS = frozenset("day week month year hour minute second".split())
_LIMITS = frozenset("limit results count top number max_results".split())
_WHERE = frozenset("state country region province county area neighborhood location".split())


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


def is_free_text(noun: Noun) -> bool:
    """Say whether the value is a text that somebody writes, rather than a name."""
    return noun.kind == "text" and (noun.core[-1] in _FREE_TEXT or noun.short.split()[-1] in _FREE_TEXT)


def mention(noun: Noun, schema: JSON, *, verb: str, subject: bool) -> Mention:
    """Return how a parameter is mentioned in a request with this verb; `subject` marks what the request is about."""
    if noun.kind == "boolean":
        inline, clause = say_flag(noun, str(schema.get("description") or ""))
        return Mention(noun, inline=inline, clause=clause, terse=inline, rank=9, flag=True)
    be = "are" if is_plural(noun.full) else "is"
    value = quoted(noun)
    clause = f"{definite(noun, full=True)} {be} {value}"
    if len(noun.path) == 1 and noun.kind in ("number", "measure", "count"):
        clause = f"take {noun.path} = {value}"
    if noun.kind == "count" and is_plural(noun.short):
        clause = f"the number of {noun.short} is {{{noun.path}}}"
    terse = f"{noun.short} {value}"
    inline, item, rank = _woven(noun, schema, verb, subject=subject)
    if noun.kind in ("city", "country", "date", "time", "datetime", "person", "company") and inline:
        terse = inline
    return Mention(noun, inline, item, clause, terse, _pointing(noun, inline), rank)


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


def _woven(noun: Noun, schema: JSON, verb: str, *, subject: bool) -> tuple[str, str, int]:
    """Return inline, item and rank."""
    last = noun.short.split()[-1].lower() if noun.short else ""
    words = set(noun.core) | set(noun.path.lower().replace(".", "_").split("_")) | set(noun.short.lower().split())
    kind, slot = noun.kind, noun.slot
    if kind in ("date", "time", "datetime"):
        return _moment(noun, words)
    if kind in ("city", "country", "place", "address"):
        if words & _FROM:
            return f"from {slot}", "", 2
        if words & _TO:
            return f"to {slot}", "", 3
        return (f"at {slot}" if kind in ("place", "address") and not words & _WHERE else f"in {slot}"), "", 4
    if kind == "person":
        toward = words & {"recipient", "receiver", "to", "attendee"}
        return (f"to {slot}" if toward else f"for {slot}"), "", 1
    if kind == "id":
        return _identifier(noun, words)
    if kind == "count":
        return _count(noun, words)
    if kind in ("number", "measure", "percent", "money"):
        return _number(noun, words, verb, schema)
    if kind == "currency":
        return (
            (f"from {slot}", "", 2)
            if words & _FROM
            else (f"to {slot}", "", 3)
            if words & _TO
            else (f"in {slot}", "", 7)
        )
    if kind == "email":
        return (
            (f"to {slot}", "", 2) if words & {"to", "recipient", "receiver"} else ("", f"the email address {slot}", 6)
        )
    if kind == "phone":
        return "", f"the phone number {slot}", 6
    if kind == "url":
        return f"for {slot}", "", 1
    if kind == "company" and last not in TEMPLATES:
        return f"for {slot}", "", 1
    if kind == "array":
        return _array(noun, schema, last)
    if kind == "object":
        return "", "", 9
    return _text(noun, schema, last, verb, subject=subject)


def _moment(noun: Noun, words: set[str]) -> tuple[str, str, int]:
    slot = noun.slot
    if words & {"birth", "birthdate", "birthday", "dob", "born"}:
        return "", "", 8
    if words & {"due", "deadline", "by"}:
        return f"by {slot}", "", 8
    if words & {"start", "from", "begin", "starting", "since", "check-in", "checkin", "min", "earliest"}:
        return f"from {slot}", "", 7
    if words & {"end", "until", "to", "ending", "check-out", "checkout", "return", "max", "latest"}:
        return f"until {slot}", "", 8
    return (f"on {slot}" if noun.kind == "date" else f"at {slot}" if noun.kind == "time" else f"for {slot}"), "", 7


def _identifier(noun: Noun, words: set[str]) -> tuple[str, str, int]:
    if words & {"token", "key", "password", "secret", "auth", "user", "username", "session"}:
        return "", "", 9
    thing = re.sub(r" (?:ID|code|number|identifier)$", "", noun.short)
    if thing in (
        "ID",
        "key",
        "code",
        "number",
        "ref",
        "reference",
        "",
        "symbol",
        "ticker",
        "id",
    ) or noun.short.endswith(("number", "code")):
        return f"for {noun.slot}" if words & {"symbol", "ticker"} else "", f"the {noun.short} {noun.slot}", 1
    return f"for {thing} {noun.slot}", "", 1


def _count(noun: Noun, words: set[str]) -> tuple[str, str, int]:
    one = singular(noun.short.split(" of ")[0])
    if not is_plural(noun.short):
        return "", f"{with_article(noun.short)} of {noun.slot}", 5
    if words & {"limit", "results", "maximum", "max"}:
        return f"with at most {{{noun.path}:{singular(noun.short.split()[-1])}}}", "", 9
    head = one.split()[-1]
    if " per " in one:
        first, _, per = one.partition(" per ")
        return "", f"{{{noun.path}:{singular(first)}}} per {per}", 5
    if not re.fullmatch(r"[a-z ]+", one):
        return "", f"{{{noun.path}}} {noun.short}", 5
    if head in _SPANS or head in _PEOPLE:
        return f"for {{{noun.path}:{one}}}", "", 7
    return "", f"{{{noun.path}:{one}}}", 5


def _number(noun: Noun, words: set[str], verb: str, schema: JSON) -> tuple[str, str, int]:
    slot, short = noun.slot, noun.short
    if len(noun.path) <= 1 or re.fullmatch(r"[a-z]\d", noun.path):
        return "", f"{noun.path} = {slot}", 5
    if "year" in words:
        return f"from {slot}" if words & _FROM else f"to {slot}" if words & _TO else f"in {slot}", "", 7
    if noun.unit[1:] in _SPANS and words & {"duration", "period", "time", "length", "term"} and len(short.split()) == 1:
        return f"for {slot}", "", 7
    near = {"radius", "proximity", "distance", "range"}
    if (
        verb in ("find", "get", "look up")
        and words & near
        and (noun.unit in ("km", ":mile") or "within" in str(schema.get("description")))
    ):
        return f"within {slot}", "", 6
    if noun.kind == "money" and words & {"budget", "max", "maximum"}:
        return f"for up to {slot}", "", 8
    if short == "age":
        return f"at the age of {slot}", "", 6
    if words & {"lower", "start", "from"} and "limit" not in words - {"limit"}:
        return f"from {slot}", "", 5
    if words & {"upper", "end", "to"} - {"rate"} and len(short.split()) <= 2:
        return f"to {slot}", "", 6
    if short in ("degrees", "degree"):
        return f"by {{{noun.path}:degree}}", "", 5
    if is_plural(short):
        return "", f"{short} of {slot}", 5
    return "", f"{with_article(short)} of {slot}", 5


_WITH = frozenset("ingredient amenity feature facility topping topics spec guest requirement preference extra".split())


def _array(noun: Noun, schema: JSON, last: str) -> tuple[str, str, int]:
    items = schema.get("items")
    if isinstance(items, dict) and items.get("type") in ("object", "array"):
        return "", "", 9
    if singular(last) in _WITH:
        return f"with {noun.slot}", "", 6
    if singular(last) in ("recipient", "receiver", "attendee"):
        return f"to {noun.slot}", "", 6
    return "", "", 9


def _text(noun: Noun, schema: JSON, last: str, verb: str, *, subject: bool) -> tuple[str, str, int]:
    slot = noun.slot
    if last in ("keyword", "keywords", "query", "search", "term") or set(noun.core) & {"query", "keyword"}:
        whole = verb in ("search", "perform", "do", "run", "search for")
        return f'for "{slot}"' if whole else f'matching "{slot}"', "", 9
    if last in _TITLES and verb in (
        "create",
        "add",
        "make",
        "open",
        "generate",
        "build",
        "set up",
        "register",
        "save",
        "upload",
    ):
        return f'called "{slot}"', "", 1
    if is_free_text(noun):
        return (
            (f'saying "{slot}"', "", 9)
            if last in ("message", "comment", "body") and verb in ("send", "post", "add", "write", "leave")
            else ("", "", 9)
        )
    words = set(noun.core)
    if words & _FROM and last in _ENDPOINTS:
        return f"from {slot}", "", 2
    if words & _TO and last in _ENDPOINTS:
        return f"to {slot}", "", 3
    if subject and last not in _ASPECTS and verb in _ABOUT:
        return f"for {slot}", "", 0
    if last in TEMPLATES and not (last == "model" and verb not in ("run", "train", "use")):
        return TEMPLATES[last].format(slot), "", 6
    return "", "", 9
