"""What a tool does, as a verb phrase in plain English, read from its description or its name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from toolflow_graph.agents.scripted.sense import words_of
from toolflow_graph.agents.scripted.verbalise.clauses import MARK, speak, strip_lead
from toolflow_graph.agents.scripted.verbalise.lexicon import ABBREVIATIONS, PLAIN_VERBS
from toolflow_graph.agents.scripted.verbalise.morphology import base_form, is_plural
from toolflow_graph.agents.scripted.verbalise.nouns import Noun
from toolflow_graph.types import Tool

__all__ = ["DETERMINER", "Deed", "Phrase", "parse_deed"]


@dataclass(frozen=True)
class Phrase:
    """The object (no preposition) or one prepositional phrase; `nouns` are the parameters that can replace it.

    `owned` is what belongs to the noun ("a company's | profit"), `vague` a phrase that only announces a parameter.
    """

    preposition: str
    words: str
    nouns: tuple[Noun, ...] = ()
    owned: str = ""
    vague: bool = False


@dataclass(frozen=True)
class Deed:
    """A verb in its base form with its phrases: "get | the largest city | of a country"."""

    verb: str
    phrases: tuple[Phrase, ...]
    named: bool = False

    @property
    def claimed(self) -> frozenset[str]:
        """Paths of the parameters that replace a phrase."""
        return frozenset(noun.path for phrase in self.phrases for noun in phrase.nouns)

    def plain(self) -> str:
        """Return the deed without any value, as an infinitive."""
        return " ".join(p for p in (self.verb, self.thing()) if p)

    def thing(self) -> str:
        """Return what the verb is done to, without any value."""
        kept = [p for p in self.phrases if not (p.nouns and p.preposition == "with")]
        return " ".join(f"{p.preposition} {p.words}".strip() for p in kept)


_PREPOSITIONS = frozenset(
    "of for in at on from to between by with about within near around under over during into against across after "
    "before since until among inside along toward towards regarding concerning up_to as like nearby".split()
)
DETERMINER = re.compile(
    r"^(?:the|an?|any|each|every|all|this|that|these|those|my|some|one|another|other) ", re.IGNORECASE
)


def parse_deed(tool: Tool) -> Deed:
    """Return the deed of a tool: from its description when that yields a verb phrase, else from its name."""
    return _from_description(tool.description) or _from_name(tool)


def _from_description(description: str) -> Deed | None:
    words = strip_lead(description).split()
    if len(words) < 2:
        return None
    verb = base_form(words[0].rstrip(","))
    if verb is None:
        return None
    rest = " ".join(words[1:])
    rest = re.sub(r"^(?:and|or|and/or|,)\s+(\w+)\s+", lambda m: "" if base_form(m[1]) else m[0], rest)
    if words[0].endswith(","):
        rest = re.sub(r"^(?:\w+, )*(?:and|or) \w+ ", "", rest)
    rest = speak(rest)
    if not rest or rest.lower() in ("the", "a", "an", "all", "data"):
        return None
    verb, rest = _particle(verb, rest)
    phrases = tuple(_split(rest))
    if phrases and verb in _WANTED and _lacks_article(phrases[0]):
        phrases = (replace(phrases[0], words=f"the {phrases[0].words}"), *phrases[1:])
    if not phrases or sum(len(p.words.split()) for p in phrases) > 16 or not re.match(r"[A-Za-z0-9]", rest):
        return None
    return Deed(PLAIN_VERBS.get(verb, verb), phrases)


_WANTED = frozenset(
    "get calculate compute determine estimate retrieve fetch predict identify obtain return provide find locate".split()
)
_MASS = frozenset(
    "information data pricing news advice content access feedback statistics guidance traffic weather text".split()
)


def _lacks_article(phrase: Phrase) -> bool:
    words = phrase.words.split()
    if phrase.preposition or phrase.vague or DETERMINER.match(f"{words[0]} ") or "'s" in phrase.words:
        return False
    alone = not is_plural(phrase.words) and words[-1].lower() not in _MASS and " and " not in phrase.words
    return (
        alone
        and not re.match(r"(?:if|whether|how|who|what|which|when|where|that|these|two|time)$", words[0])
        and not words[0][0].isdigit()
    )


def _particle(verb: str, rest: str) -> tuple[str, str]:
    head, _, tail = rest.partition(" ")
    if verb in ("search", "look", "ask", "wait", "check", "apply", "query", "listen") and head == "for" and tail:
        return ("find", tail) if verb in ("search", "look", "query") else (f"{verb} for", tail)
    if verb in ("tell", "explain", "show", "describe") and re.match(
        r"(?:how|what|where|when|whether|who|which) ", rest
    ):
        return "find out", rest
    if head in ("up", "out", "off", "down", "back") and tail:
        return f"{verb} {head}", tail
    if verb in ("perform", "execute", "run", "conduct", "do", "make") and re.match(
        r"(?:an? )?(?:\w+ )?search(?:es)? for (?!(?:an? |the )?\u00a7?(?:\w+ )?(?:query|term|keyword))", rest
    ):
        return "find", re.sub(r"^(?:an? )?(?:\w+ )?search(?:es)? for ", "", rest)
    return verb, rest


def _split(text: str) -> Iterator[Phrase]:
    """Yield the object and the prepositional phrases; what follows "if" or "whether" stays together."""
    if re.match(r"(?:if|whether|how|who|what|which|where|when)\b", text):
        yield Phrase("", text.replace(MARK, ""))
        return
    words: list[str] = []
    preposition = ""
    tokens = text.split()
    for word, following in zip(tokens, [*tokens[1:], ""], strict=True):
        proper = words and words[-1][0].isupper() and following[:1].isupper()
        adjective = word == "nearby" and not words
        if word.lower() in _PREPOSITIONS and not proper and not adjective:
            if words:
                yield _phrase(preposition, words)
            preposition, words = word.lower(), []
        else:
            words.append(word)
    if words:
        yield _phrase(preposition, words)


def _phrase(preposition: str, words: Sequence[str]) -> Phrase:
    text = " ".join(words)
    return Phrase(preposition.replace("_", " "), text.replace(MARK, "").replace("_", " "), vague=MARK in text)


def _from_name(tool: Tool) -> Deed:
    words = list(words_of(tool.name))
    while len(words) > 2 and (words[0] in ("api", "service", "services", "my") or words[0].isdigit()):
        words = words[1:]
    words = [w for i, w in enumerate(words) if w != "api" and not w.isdigit() and w not in words[:i]] or words
    place = next((i for i, w in enumerate(words) if base_form(w) and (i in (0, len(words) - 1))), None)
    if place is None:
        place = next((i for i, w in enumerate(words) if base_form(w) and i > 0), None)
    verb = base_form(words[place]) if place is not None else None
    if verb is None or place is None:
        verb, rest = "get", words
    else:
        rest = words[place + 1 :] or words[:place]
    rest = [w.rstrip("0123456789") or w for w in rest]
    thing = " ".join(ABBREVIATIONS.get(w, w) for w in rest)
    if not thing:
        return Deed(PLAIN_VERBS.get(verb, verb), (Phrase("", "this"),), named=True)
    phrases = list(_split(thing))
    head = phrases[0]
    if not head.preposition and not is_plural(head.words):
        phrases[0] = replace(head, words=f"the {head.words}")
    if verb in ("search", "query"):
        verb = "find" if is_plural(thing) else "search"
    return Deed(PLAIN_VERBS.get(verb, verb), tuple(phrases), named=True)
