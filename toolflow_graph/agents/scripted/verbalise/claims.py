"""Which phrases of a deed the values of parameters can replace."""

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from toolflow_graph.agents.scripted.verbalise.deeds import DETERMINER, Deed, Phrase, parse_deed
from toolflow_graph.agents.scripted.verbalise.morphology import is_plural, singular
from toolflow_graph.agents.scripted.verbalise.nouns import Noun
from toolflow_graph.types import Tool

__all__ = ["read_deed"]

_COUNT_WORDS = r"(?:two|both|multiple|several|any two|a pair of|the two|three)"


def read_deed(tool: Tool, nouns: Sequence[Noun]) -> Deed:
    """Return the deed of a tool, its phrases claimed by the parameters whose values can stand in their place."""
    return _claim(parse_deed(tool), nouns, frozenset(tool.required))


def _content(words: str) -> list[str]:
    text = words
    for _ in range(2):
        text = DETERMINER.sub("", text)
    text = re.sub(rf"^{_COUNT_WORDS} ", "", text)
    return [w for w in re.findall(r"[a-z0-9']+", text.lower()) if w not in ("names", "name", "given", "specific")]


_NUMBER = ("number", "integer", "value")
_OPERAND = ("of", "from", "to", "than", "for")
_SITES = frozenset({"location", "city", "place", "area", "region", "town", "address", "destination", "state"})
_SKIPPED_KINDS = frozenset({"boolean", "object"})
_UNSAYABLE_HEADS = frozenset(
    "type types mode format category method option options level criteria details information parameters user users "
    "system data results features attributes conditions settings preferences".split()
)
_NAMES = frozenset({"text", "person", "company", "city", "place", "country"})
_NUMERIC = frozenset({"number", "measure", "money", "percent"})


def _claim(deed: Deed, nouns: Sequence[Noun], required: Container[str]) -> Deed:
    """Let every phrase be replaced by the parameter whose name its head word is, or by a pair of them."""
    free = [n for n in nouns if n.kind not in _SKIPPED_KINDS]
    known = {singular(w) for n in nouns for w in n.core}
    kept: list[Phrase] = []
    dropped = False
    given = list(_from_one_to_another(deed.phrases, free))
    for phrase, following in zip(given, [*given[1:], Phrase("", "")], strict=True):
        free = [n for n in free if n not in phrase.nouns]
        if phrase.nouns:
            kept.append(phrase)
            continue
        if dropped and phrase.preposition == "of":
            continue
        owner = _owner(phrase, free)
        taken: tuple[Noun, ...] = ()
        if following.preposition != "of":
            taken = owner.nouns if owner else _takers(phrase, free, first=not kept, required=required)
        dropped = bool(kept) and not taken and _only_announces(phrase, known)
        if taken:
            kept.append(owner or replace(phrase, nouns=taken))
        elif not dropped:
            kept.append(phrase)
        free = [n for n in free if n not in taken]
    last = kept[-1]
    if len(kept) < len(given) and not last.nouns and re.search(r"\w+ \w+ed$", last.words):
        kept[-1] = replace(last, words=last.words.rsplit(" ", 1)[0])
    verb = deed.verb
    if verb == "search" and any(p.preposition == "of" and p.nouns for p in kept):
        verb = "look up"
    return replace(deed, verb=verb, phrases=tuple(kept))


def _only_announces(phrase: Phrase, known: Container[str]) -> bool:
    """Say whether a phrase holds nothing but names of parameters, which are told elsewhere."""
    heads = [singular(part.split()[-1]) for part in re.split(r",? and |, | or ", phrase.words.lower()) if part.split()]
    listed = bool(heads) and all(head in known for head in heads)
    if phrase.preposition == "of":
        return listed and (phrase.vague or len(heads) > 1)
    return (
        phrase.vague
        or (listed and phrase.preposition not in ("on", "about"))
        or heads[-1:] in (["duration"], ["timeframe"], ["criterion"], ["range"], ["condition"])
    )


def _owner(phrase: Phrase, free: Sequence[Noun]) -> Phrase | None:
    """Read "a company's profit" where there is a parameter for the company."""
    match = re.match(r"(?:an?|the) ([\w ]+)'s (.+)", phrase.words)
    if match is None:
        return None
    head = singular(match[1].split()[-1].lower())
    noun = next((n for n in free if n.kind in _NAMES and singular(n.core[-1]) == head), None)
    return replace(phrase, nouns=(noun,), owned=match[2]) if noun is not None else None


def _from_one_to_another(phrases: Sequence[Phrase], free: Sequence[Noun]) -> Iterator[Phrase]:
    pair: tuple[Noun, ...] = ()
    for phrase in phrases:
        match = re.match(r"one (\w+)$", phrase.words)
        if match and phrase.preposition == "from":
            pair = _pair_of(singular(match[1]), free)
            yield replace(phrase, nouns=pair[:1])
        elif pair and phrase.preposition == "to" and phrase.words.startswith("another"):
            yield replace(phrase, nouns=pair[1:])
        else:
            yield phrase


def _takers(phrase: Phrase, free: Sequence[Noun], *, first: bool, required: Container[str]) -> tuple[Noun, ...]:
    if re.match(r"(?:if|whether|how|my)\b", phrase.words) or " and " in phrase.words:
        return ()
    content = _content(phrase.words)
    if not content or len(content) > 4:
        return ()
    head = singular(content[-1])
    if content[-1] in _UNSAYABLE_HEADS:
        return ()
    if first and phrase.preposition == "" and len(content) > 2:
        return tuple(n for n in free if n.kind == "id" and list(n.core) == content)[:1]
    multiple = re.search(rf"^(?:the )?{_COUNT_WORDS}\b", phrase.words) or (
        is_plural(content[-1]) and phrase.preposition in ("between", "of", "from")
    )
    if multiple:
        pair = _pair_of(head, free)
        if pair:
            return pair
    for noun in free:
        if noun.path not in required and (first or [singular(w) for w in noun.core] != [singular(w) for w in content]):
            continue
        if _answers_to(noun, content, head, phrase, first=first):
            return (noun,)
    return ()


def _pair_of(head: str, free: Sequence[Noun]) -> tuple[Noun, ...]:
    alike = [n for n in free if n.kind != "array" and n.core and singular(n.core[-1]) == head and not n.plural]
    if len(alike) == 2:
        return tuple(alike)
    letters = [n for n in free if n.kind in ("number", "measure", "count") and len(n.path) == 1]
    if head in ("number", "integer", "value"):
        numbers = [
            n for n in free if n.kind in ("number", "measure", "count") and n.core[-1] in ("number", "integer", "value")
        ]
        return tuple(letters) if len(letters) == 2 else tuple(numbers) if len(numbers) == 2 else ()
    places = [n for n in free if n.kind in ("city", "place")]
    if head in ("city", "location", "place", "point", "address", "town") and len(places) == 2:
        return tuple(places)
    return ()


def _is_number_for(core: Sequence[str], own: Sequence[str], phrase: Phrase, *, first: bool) -> bool:
    if first:
        return core == own and not phrase.preposition
    if own[-1] in _NUMBER and core[-1] in _NUMBER and phrase.preposition in _OPERAND:
        return len(own) == 1
    return core == own and phrase.preposition in ("at", "with", "for", "after") and own[-1] != "time"


def _answers_to(noun: Noun, content: Sequence[str], head: str, phrase: Phrase, *, first: bool) -> bool:
    core = [singular(w) for w in noun.core]
    own = [singular(w) for w in content]
    if noun.kind == "array":
        several = is_plural(content[-1]) and not re.match(rf"all |the |{_COUNT_WORDS}", phrase.words)
        return several and (core[-1] == head or (core[-1] in ("data", "value", "number", "item") and head == "number"))
    if noun.kind == "count" or "number of" in phrase.words:
        return (
            "number of" in phrase.words
            and core[-1] == head
            and phrase.preposition in ("for", "over", "in", "within", "after")
        )
    if is_plural(content[-1]) and noun.kind != "enum":
        return False
    if noun.kind in ("city", "place") and head in _SITES and not first:
        return core[-1] in _SITES
    if noun.kind in ("date", "time") and head == noun.kind:
        return phrase.preposition in ("for", "on", "at", "of", "in", "from")
    if noun.kind in _NUMERIC:
        return _is_number_for(core, own, phrase, first=first)
    if core == own or core[-len(own) :] == own or (noun.kind == "id" and len(core) > 1 and own[-len(core) :] == core):
        return True
    return core[-1] == head and len(core) == 1
