"""Comparing the names and codes of a line and of its rewording, those too that no fact has."""

import re
from collections.abc import Iterator
from functools import lru_cache

from toolflow_graph.agents.reworded.line import Line
from toolflow_graph.agents.scripted.text import ordinary_words
from toolflow_graph.values.lexicon import CITIES, COUNTRIES, CURRENCIES
from toolflow_graph.values.moments import MONTHS, WEEKDAYS
from toolflow_graph.values.naming import fold, stem, word_set
from toolflow_graph.values.reading import Reading, read

__all__ = ["compare_codes", "compare_names", "find_codes", "find_names", "find_names_in_code"]

_NAME_IN_CODE = re.compile(r"(?<![\w@./:-])(?:[A-Za-z]\w*_\w+|[a-z]+[A-Z]\w+)(?![\w@/])")
_CODE = re.compile(r"(?<![\w|])(?=[\w./-]*\d)(?=[\w./-]*[a-z])[\w./-]*\w")
_NO_CODE = re.compile(
    r"\d+(?:[.,:]\d+)?-?(?:st|nd|rd|th|am|pm|a\.m|p\.m|[a-z]{1,4}|minutes?|hours?|nights?|metres?|meters?|percent|"
    r"months?|weeks?|people|person|euros?|dollars?|pounds?)?|\d+h\d+(?:m|min)?|\d+-[a-z]+(?:-[a-z]+)?"
)


def find_names_in_code(old: str, new: str) -> Iterator[str]:
    """Yield names of tools and parameters: nobody says `search_trains`, or `departureDate`."""
    yield from (f"nobody says {name!r}" for name in _NAME_IN_CODE.findall(new) if name not in old)


def compare_codes(old: str, new: str) -> Iterator[str]:
    """Yield codes that are gone or were added, of folded texts: letters and digits that are no figure."""
    mine, theirs = ({match[0] for match in find_codes(text)} for text in (old, new))
    yield from (f"{code!r} is gone" for code in sorted(mine - theirs))
    yield from (f"{code!r} is not in the line" for code in sorted(theirs - mine))


def find_codes(folded: str) -> Iterator[re.Match[str]]:
    """Yield the codes in a folded text."""
    return (match for match in _CODE.finditer(folded) if not _NO_CODE.fullmatch(match[0].rstrip(".")))


_WORD = re.compile(r"(?<![^\W_])(?<!°)[^\W\d_][\w’'-]*")
_SENTENCE = re.compile(r"(?:^|[.?!…:;]|[\"“(])\s*$")
_NO_NAMES = (
    word_set("i ok okay tv id url pdf usb wifi i'm i'd i'll i've pm am asap btw fyi eta celsius fahrenheit")
    | {name.lower() for name in (*MONTHS, *WEEKDAYS)}
    | {word for code, (_, words, _) in CURRENCIES.items() for word in f"{code} {words}".lower().split()}
)
"""Words with a capital that name nobody; days and money are compared as figures."""


def compare_names(line: Line, text: str) -> Iterator[str]:
    """Yield names that are gone or were added, those of the dialogue and any others."""
    old, new = read(line.text, None), read(text, None)
    known = _list_names(line)
    mine, theirs = ([match[0] for match in find_names(said)] for said in (line.text, text))
    yield from (f"{name!r} is gone" for name in mine if not _has_word(new, name))
    for name in dict.fromkeys((*theirs, *_first_names_in(text, known))):
        if not _has_word(old, name):
            yield f"{name!r} is not in the line"
    added = {w for w in new.words - old.words if w in known and stem(w) not in old.stems}
    yield from (f"{word!r} is not in the line" for word in sorted(added))


def _has_word(reading: Reading, name: str) -> bool:
    plain = fold(name).replace("’", "'").removesuffix("'s").rstrip("'-")
    parts = [part for part in re.split(r"[^a-z0-9]+", plain) if part]
    return all(part in reading.words for part in parts) or f" {' '.join(parts)} " in reading.plain


def find_names(text: str) -> Iterator[re.Match[str]]:
    """Yield the words with a capital with which no sentence begins, nor could."""
    for match in _WORD.finditer(text):
        word = match[0]
        opens = word.lower() in _OPENERS and word.lower() not in _cities()
        named = word[0].isupper() and not opens and word.lower() not in _NO_NAMES and not any(map(str.isdigit, word))
        if named and not _SENTENCE.search(text[: match.start()]):
            yield match


def _first_names_in(text: str, known: frozenset[str]) -> Iterator[str]:
    """Yield the names with which a sentence begins: places, names of the dialogue, and who is spoken to."""
    for match in _WORD.finditer(text):
        word, lower = match[0], fold(match[0]).removesuffix("'s")
        if not word[0].isupper() or not _SENTENCE.search(text[: match.start()]) or lower in _NO_NAMES:
            continue
        called = text[match.end() : match.end() + 1] == "," and not lower.endswith("ly")
        if lower in known or lower in _cities() or (called and lower not in ordinary_words() | _OPENERS):
            yield word


_OPENERS = word_set(
    "yes yeah yep no nope nah hi hello hey well okay ok oh ooh ah aha uh um er oops whoa yay ugh phew right great good "
    "fine perfect lovely nice sure thanks cheers hm hmm mm so and but also then now next first finally still anyway "
    "please alright brilliant excellent super cool wonderful agreed understood done noted got sorry afterwards today "
    "tomorrow tonight yesterday instead besides otherwise however therefore plus again once meanwhile similarly true "
    "interesting funny indeed absolutely gosh wow morning afternoon evening ideally say for in on at by from with "
    "after before"
)


@lru_cache(maxsize=1)
def _cities() -> frozenset[str]:
    return frozenset(fold(name) for name in (*CITIES, *COUNTRIES.values()))


def _list_names(line: Line) -> frozenset[str]:
    """Return the words in the facts that are written with a capital and are no ordinary words."""
    words = (w for fact in line.facts if isinstance(fact.value, str) for w in _WORD.findall(fact.value))
    return frozenset(fold(w) for w in words if w[0].isupper() and len(w) > 1) - ordinary_words()
