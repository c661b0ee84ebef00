"""How a value is woven into a request, by the kind and the words of its parameter."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from toolflow_graph.agents.scripted.verbalise.lexicon import TEMPLATES
from toolflow_graph.agents.scripted.verbalise.morphology import is_plural, singular, with_article
from toolflow_graph.agents.scripted.verbalise.nouns import Noun
from toolflow_graph.types import JSON
from toolflow_graph.values import Kind

__all__ = ["Woven", "is_free_text", "weave"]


@dataclass(frozen=True)
class Woven:
    """A phrase that follows the verb phrase, or an item of a list after "with"; neither when only a clause will do.

    `rank` orders the phrases: what it is about, from, to, where, with what, when, in which words.
    """

    inline: str = ""
    item: str = ""
    rank: int = 9


@dataclass(frozen=True)
class _Case:
    noun: Noun
    schema: JSON
    verb: str
    subject: bool
    words: frozenset[str]
    last: str

    def has(self, *words: str) -> bool:
        return not self.words.isdisjoint(words)


_FROM = "from origin source departure start starting pickup pick-up initial base begin first".split()
_TO = "to destination arrival target end ending dropoff drop-off final".split()
_FREE_TEXT = frozenset(
    "message content text body comment sentence paragraph question prompt note notes review description feedback "
    "summary input answer details reason phrase passage instructions instruction response".split()
)
_ENDPOINTS = frozenset(
    "location point city language unit units currency station airport place address stop port country".split()
)
_ASPECTS = frozenset(
    "language unit units format color colour genre type category level mode state material method cuisine platform "
    "season style size status gender scale key position role action relationship data target details order condition "
    "option".split()
)
_ABOUT = frozenset(
    "get find calculate estimate determine show list identify predict forecast evaluate check analyse scan "
    "track search "
    "monitor compare perform run book order buy reserve set make assess verify do query rent review".split()
) | {"look up", "work out"}
"""Verbs after which "for X" says what it is about."""
_MAKING = frozenset("create add make open generate build register save upload".split()) | {"set up"}
_PEOPLE = frozenset(
    "guest adult passenger person people traveler traveller child kid ticket night room seat participant attendee "
    "infant pet player".split()
)
_SPANS = frozenset("day week month year hour minute second".split())
_DURATIONS = frozenset({"duration", "period", "time", "length", "term"})
_WHERE = "state country region province county area neighborhood location".split()
_WITH = frozenset("ingredient amenity feature facility topping topics spec guest requirement preference extra".split())


def is_free_text(noun: Noun) -> bool:
    """Say whether the value is a text that somebody writes, rather than a name."""
    return noun.kind == "text" and (noun.core[-1] in _FREE_TEXT or noun.short.split()[-1] in _FREE_TEXT)


def weave(noun: Noun, schema: JSON, verb: str, *, subject: bool) -> Woven:
    """Return how a parameter's value is woven into a request; `subject` marks what the request is about."""
    words = frozenset(noun.core) | set(noun.path.lower().replace(".", "_").split("_")) | set(noun.short.lower().split())
    last = noun.short.split()[-1].lower() if noun.short else ""
    case = _Case(noun, schema, verb, subject, words, last)
    return _BY_KIND.get(noun.kind, _weave_text)(case)


def _weave_moment(case: _Case) -> Woven:
    slot = case.noun.slot
    if case.has("birth", "birthdate", "birthday", "dob", "born"):
        return Woven()
    if case.has("due", "deadline", "by"):
        return Woven(f"by {slot}", rank=8)
    if case.has("start", "from", "begin", "starting", "since", "check-in", "checkin", "min", "earliest"):
        return Woven(f"from {slot}", rank=7)
    if case.has("end", "until", "to", "ending", "check-out", "checkout", "return", "max", "latest"):
        return Woven(f"until {slot}", rank=8)
    preposition = {"date": "on", "time": "at"}.get(case.noun.kind, "for")
    return Woven(f"{preposition} {slot}", rank=7)


def _weave_place(case: _Case) -> Woven:
    slot = case.noun.slot
    if case.has(*_FROM):
        return Woven(f"from {slot}", rank=2)
    if case.has(*_TO):
        return Woven(f"to {slot}", rank=3)
    spot = case.noun.kind in ("place", "address") and not case.has(*_WHERE)
    return Woven(f"{'at' if spot else 'in'} {slot}", rank=4)


def _weave_person(case: _Case) -> Woven:
    return Woven(f"{'to' if case.has('recipient', 'receiver', 'to', 'attendee') else 'for'} {case.noun.slot}", rank=1)


def _weave_id(case: _Case) -> Woven:
    noun = case.noun
    if case.has("token", "key", "password", "secret", "auth", "user", "username", "session"):
        return Woven()
    if case.has("symbol", "ticker"):
        return Woven(f"for {noun.slot}", rank=1)
    thing = re.sub(r" (?:ID|identifier)$", "", noun.short)
    if len(thing.split()) == 1 and thing in ("ID", "id", "code", "number", "ref", "reference"):
        return Woven(item=f"the {noun.short} {noun.slot}", rank=1)
    if thing.endswith(("number", "code")):
        return Woven(item=f"the {thing} {noun.slot}", rank=1)
    return Woven(f"for {thing} {noun.slot}", rank=1)


def _weave_count(case: _Case) -> Woven:
    noun = case.noun
    if noun.unit[1:] in _SPANS and noun.short in _DURATIONS:
        return Woven(f"for {noun.slot}", rank=7)
    if not is_plural(noun.short):
        return Woven(item=f"{with_article(noun.short)} of {noun.slot}", rank=5)
    one = singular(noun.short.split(" of ")[0])
    if case.has("limit", "results", "maximum", "max"):
        return Woven(f"with at most {{{noun.path}:{singular(noun.short.split()[-1])}}}")
    if " per " in one:
        first, _, per = one.partition(" per ")
        return Woven(item=f"{{{noun.path}:{singular(first)}}} per {per}", rank=5)
    first, _, rest = noun.short.partition(" ")
    if rest and is_plural(first) and singular(rest) == rest:
        return Woven(item=f"{{{noun.path}:{singular(first)}}} {rest}", rank=5)
    if not re.fullmatch(r"[a-z ]+", one):
        return Woven(item=f"{{{noun.path}}} {noun.short}", rank=5)
    if one.split()[-1] in _SPANS | _PEOPLE:
        return Woven(f"for {{{noun.path}:{one}}}", rank=7)
    return Woven(item=f"{{{noun.path}:{one}}}", rank=5)


def _weave_number(case: _Case) -> Woven:
    noun, slot, short = case.noun, case.noun.slot, case.noun.short
    if len(noun.path) <= 1 or re.fullmatch(r"[a-z]\d", noun.path):
        return Woven(item=f"{noun.path} = {slot}", rank=5)
    if short in _PLAIN_NUMBERS:
        return Woven(_PLAIN_NUMBERS[short].format(slot, path=noun.path), rank=1)
    if case.has("year"):
        preposition = "from" if case.has(*_FROM) else "to" if case.has(*_TO) else "in"
        return Woven(f"{preposition} {slot}", rank=7)
    if noun.unit[1:] in _SPANS and short in _DURATIONS:
        return Woven(f"for {slot}", rank=7)
    around = noun.unit in ("km", ":mile") or "within" in str(case.schema.get("description"))
    if around and case.has("radius", "proximity", "distance", "range") and case.verb in ("find", "get", "look up"):
        return Woven(f"within {slot}", rank=6)
    return _weave_bound(case)


_PLAIN_NUMBERS = {
    "number": "for {}",
    "value": "for {}",
    "integer": "for {}",
    "position": "at position {}",
    "index": "at index {}",
    "age": "at the age of {}",
    "degrees": "by {{{path}:degree}}",
}


def _weave_bound(case: _Case) -> Woven:
    slot, short = case.noun.slot, case.noun.short
    if case.noun.kind == "money" and case.has("budget", "max", "maximum"):
        return Woven(f"for up to {slot}", rank=8)
    if case.has("lower", "start", "from"):
        return Woven(f"from {slot}", rank=5)
    if case.has("upper", "end", "to") and len(short.split()) <= 2:
        return Woven(f"up to {slot}", rank=6)
    return Woven(item=f"{short if is_plural(short) else with_article(short)} of {slot}", rank=5)


def _weave_currency(case: _Case) -> Woven:
    if case.has(*_FROM):
        return Woven(f"from {case.noun.slot}", rank=2)
    return Woven(f"to {case.noun.slot}", rank=3) if case.has(*_TO) else Woven(f"in {case.noun.slot}", rank=7)


def _weave_email(case: _Case) -> Woven:
    if case.has("to", "recipient", "receiver"):
        return Woven(f"to {case.noun.slot}", rank=2)
    return Woven(item=f"the email address {case.noun.slot}", rank=6)


def _weave_phone(case: _Case) -> Woven:
    return Woven(item=f"the phone number {case.noun.slot}", rank=6)


def _weave_url(case: _Case) -> Woven:
    return Woven(f"for {case.noun.slot}", rank=1)


def _weave_company(case: _Case) -> Woven:
    return _weave_text(case) if case.last in TEMPLATES else Woven(f"for {case.noun.slot}", rank=1)


def _weave_array(case: _Case) -> Woven:
    items = case.schema.get("items")
    if isinstance(items, dict) and items.get("type") in ("object", "array"):
        return Woven()
    if singular(case.last) in _WITH:
        return Woven(f"with {case.noun.slot}", rank=6)
    if singular(case.last) in ("recipient", "receiver", "attendee"):
        return Woven(f"to {case.noun.slot}", rank=6)
    return Woven()


def _weave_nothing(_: _Case) -> Woven:
    return Woven()


def _weave_text(case: _Case) -> Woven:
    noun, slot, last, verb = case.noun, case.noun.slot, case.last, case.verb
    if last in ("keyword", "keywords", "query", "search", "term") or {"query", "keyword"} & set(noun.core):
        whole = verb in ("search", "perform", "do", "run", "search for")
        return Woven(f'for "{slot}"' if whole else f'matching "{slot}"')
    if last in ("name", "title", "label") and verb in _MAKING:
        return Woven(f'called "{slot}"', rank=1)
    if is_free_text(noun):
        told = last in ("message", "comment", "body") and verb in ("send", "post", "add", "write", "leave")
        return Woven(f'saying "{slot}"') if told else Woven()
    if last in _ENDPOINTS and case.has(*_FROM, *_TO):
        return Woven(f"from {slot}", rank=2) if case.has(*_FROM) else Woven(f"to {slot}", rank=3)
    if case.subject and last not in _ASPECTS and verb in _ABOUT:
        return Woven(f"for {slot}", rank=0)
    if last in TEMPLATES and not (last == "model" and verb not in ("run", "train", "use")):
        return Woven(TEMPLATES[last].format(slot), rank=6)
    return Woven()


_BY_KIND: dict[Kind, Callable[[_Case], Woven]] = {
    "date": _weave_moment,
    "time": _weave_moment,
    "datetime": _weave_moment,
    "city": _weave_place,
    "country": _weave_place,
    "place": _weave_place,
    "address": _weave_place,
    "person": _weave_person,
    "id": _weave_id,
    "count": _weave_count,
    "number": _weave_number,
    "measure": _weave_number,
    "percent": _weave_number,
    "money": _weave_number,
    "currency": _weave_currency,
    "email": _weave_email,
    "phone": _weave_phone,
    "url": _weave_url,
    "company": _weave_company,
    "array": _weave_array,
    "object": _weave_nothing,
}
