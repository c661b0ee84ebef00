"""What is said word for word: names, ids, titles, addresses, and whatever stands in quotes."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolflow_graph.agents.reworded.line import Fact, Line
from toolflow_graph.agents.reworded.order import CHOICE, Placed
from toolflow_graph.values import kind_of
from toolflow_graph.values.moments import parse_moment
from toolflow_graph.values.naming import fold
from toolflow_graph.values.words import enum_words

__all__ = [
    "Masked",
    "Phrase",
    "compare_phrases",
    "compare_quotes",
    "count_listed",
    "find_article",
    "find_phrases",
    "find_quotes",
    "fold_line",
    "mask",
    "mask_both",
    "phrase_of",
]

_PLACES = frozenset({"city", "country", "address", "place"})
_ARTICLE = re.compile(r"^(?:the|an?) ")
_CHUNK = re.compile(r"[^\W_]+")
_EXACT = re.compile(r"@|://|\w\.\w|/")
_SHORT = 6
_SHORTEST = 2


@dataclass(frozen=True)
class Phrase:
    """Words that are said as they are: a name, an id, a title, an address; `kind` parts what may be mixed up.

    One that is not `fixed` (the word for a choice, a long text) may be put otherwise, if it can still be recognised.
    """

    words: str
    kind: str
    fixed: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds the phrase in a folded text, whatever stands between its letters and digits."""
        words = _ARTICLE.sub("", fold(self.words).strip())
        parts = (r"[\W_]*".join(_CHUNK.findall(part)) for part in words.split(", "))
        inner = re.escape(words) if _EXACT.search(words) else r"[\W_]*(?:in )?".join(parts)
        return re.compile(rf"(?<![^\W_]){inner}(?![^\W_])")


def find_phrases(facts: Sequence[Fact]) -> list[Phrase]:
    """Return the phrases among the facts, the longest first."""
    found: dict[str, Phrase] = {}
    for fact in facts:
        phrase = phrase_of(fact)
        if phrase and len(_CHUNK.findall(phrase.words)) and len(phrase.words) >= _SHORTEST:
            known = found.get(fold(phrase.words))
            if known is None or (phrase.fixed and not known.fixed):
                found[fold(phrase.words)] = phrase
    return sorted(found.values(), key=lambda phrase: -len(phrase.words))


def phrase_of(fact: Fact) -> Phrase | None:
    """Return what is said of a fact word for word, None where it is put in many ways: a number, a date, a flag."""
    value, kind = fact.value, kind_of(fact.name, fact.schema)
    if not isinstance(value, str) or (kind not in ("id", "phone") and parse_moment(value) is not None):
        return None
    if kind in ("enum", "currency", "boolean"):
        return Phrase(enum_words(value), CHOICE, fixed=False)
    if re.fullmatch(r"-?[\d.,]+", value) and kind != "id":
        return None
    words = " ".join(value.split())
    fixed = fact.argument or len(words.split()) <= _SHORT
    return Phrase(words, "place" if kind in _PLACES else kind, fixed)


@dataclass(frozen=True)
class Masked:
    """A folded text in which the phrases are blotted out, since what stands inside them counts for nothing else."""

    text: str
    placed: tuple[Placed, ...]

    @property
    def found(self) -> frozenset[int]:
        """The numbers of the phrases that it has."""
        return frozenset(placed.value for placed in self.placed)


def mask_both(line: Line, text: str) -> tuple[Masked, Masked, list[Phrase]]:
    """Return line and rewording without the phrases; a long text that was put otherwise stays, to be read."""
    phrases = find_phrases(line.facts)
    old, new = fold_line(line.text), fold_line(text)
    kept = [p for p in phrases if p.fixed or (p.pattern.search(old) and p.pattern.search(new))]
    return mask(old, kept), mask(new, kept), kept


def fold_line(text: str) -> str:
    """Return a text folded, with single spaces."""
    return " ".join(fold(text).split())


def mask(folded: str, phrases: Sequence[Phrase]) -> Masked:
    """Blot the phrases out of a folded text, the first before the others."""
    placed: list[Placed] = []
    for number, phrase in enumerate(phrases):
        for match in phrase.pattern.finditer(folded):
            placed.append(Placed(phrase.kind, number, *match.span(), phrase.words))
            if phrase.kind != CHOICE:  # such a word may also be part of a date or a time
                folded = folded[: match.start()] + "|" * (match.end() - match.start()) + folded[match.end() :]
    return Masked(folded, tuple(placed))


def find_article(folded: str, placed: Placed) -> int:
    """Return where a phrase begins with the article of its own that may stand before it: "The Slow Hour"."""
    article = _ARTICLE.match(fold(placed.words))
    return placed.start - len(article[0]) if article and folded[: placed.start].endswith(article[0]) else placed.start


def compare_phrases(old: Masked, new: Masked, phrases: Sequence[Phrase]) -> Iterator[str]:
    """Yield phrases that are gone, and names or codes that were added."""
    for number, phrase in enumerate(phrases):
        if phrase.fixed and number in old.found - new.found:
            yield f"{phrase.words!r} is gone; keep it as it is"
        elif number in new.found - old.found and _NAMELIKE.search(phrase.words):
            yield f"{phrase.words!r} is not in the line"


def count_listed(line: Line) -> int:
    """Return how many things a line lists: how often it has a value of the slot of results that it has most often."""
    folded = fold_line(line.text)
    phrases = {(fact.name, phrase_of(fact)) for fact in line.facts if not fact.argument}
    counts: Counter[str] = Counter()
    for name, phrase in phrases:
        if phrase is not None and len(phrase.words) >= _SHORTEST:
            counts[name] += len(phrase.pattern.findall(folded))
    return max(counts.values(), default=0)


_NAMELIKE = re.compile(r"[A-Z\d]")
_QUOTED = re.compile(r'(?<![\w"])"([^"]{2,})"(?![\w"])')


def compare_quotes(old: str, new: str) -> Iterator[str]:
    """Yield what stands in quotes in one text, and not at all in the other."""
    mine, theirs = fold_line(old), fold_line(new)
    for match in find_quotes(mine):
        if match[1].strip(" .,!?") not in theirs:
            yield f"the quoted words {match[1]!r} must stay as they are"
    for match in find_quotes(theirs):
        if (quote := match[1]).strip(" .,!?") not in mine:
            yield f"{quote!r} stands in quotes, and the line does not have it"


def find_quotes(text: str) -> Iterator[re.Match[str]]:
    """Yield what stands in quotes in a folded text; group 1 is without them."""
    return _QUOTED.finditer(text)
