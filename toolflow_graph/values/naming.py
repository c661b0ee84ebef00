"""Words of slot names and of nouns: splitting, stems, plurals."""

import re
import unicodedata
from functools import lru_cache

__all__ = ["fold", "phrase_list", "pluralise", "split_words", "stem", "word_list", "word_set"]

_BOUNDARY = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PLURALS = {
    "person": "people",
    "child": "children",
    "man": "men",
    "woman": "women",
    "foot": "feet",
    "tooth": "teeth",
    "mouse": "mice",
    "half": "halves",
    "shelf": "shelves",
    "knife": "knives",
    "loaf": "loaves",
    "life": "lives",
    "leaf": "leaves",
    "medium": "media",
    "criterion": "criteria",
    "analysis": "analyses",
    "series": "series",
    "species": "species",
    "people": "people",
    "sheep": "sheep",
    "staff": "staff",
    "luggage": "luggage",
    "equipment": "equipment",
    "degree Celsius": "degrees Celsius",
}
_SUFFIXES = ("ations", "ation", "ments", "ment", "ings", "ing", "edly", "ers", "ies", "ed", "es", "er", "ly", "s", "e")


def word_list(words: str) -> list[str]:
    """Return the words of a text, in order: a readable way to write a long list."""
    return words.split()


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())


def phrase_list(phrases: str) -> list[str]:
    """Return the phrases of a text, which commas part."""
    return phrases.split(",")


@lru_cache(maxsize=65536)
def split_words(name: str) -> tuple[str, ...]:
    """Return the lower-case words of a slot name, snake_case, kebab-case or camelCase."""
    return tuple(part.lower() for part in _BOUNDARY.split(name) if part)


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Return the text lower-cased, without accents, with plain quotes and dashes."""
    if text.isascii():
        return text.lower()
    plain = text.translate(_PLAIN)
    decomposed = unicodedata.normalize("NFKD", plain)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold().replace("\u0131", "i")


_PLAIN = str.maketrans(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u2011": "-",
        "\u00a0": " ",
        "\u202f": " ",
        "\u00f8": "o",
        "\u00d8": "O",
        "\u0142": "l",
        "\u0141": "L",
        "\u00e6": "ae",
        "\u00b0": " degrees ",
    }
)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return a crude stem of a lower-case word, so that "booking", "booked" and "books" meet."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


def pluralise(noun: str) -> str:
    """Return the plural of an English noun phrase ("bag of flour" → "bags of flour")."""
    if noun in _PLURALS:
        return _PLURALS[noun]
    head, preposition, tail = noun.partition(" of ")
    if preposition:
        return f"{pluralise(head)} of {tail}"
    before, space, last = noun.rpartition(" ")
    if last in _PLURALS:
        plural = _PLURALS[last]
    elif re.search(r"[^aeiou]y$", last):
        plural = last[:-1] + "ies"
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        plural = last if last.endswith("s") and not last.endswith("ss") and len(last) > 4 else last + "es"
    else:
        plural = last + "s"
    return f"{before}{space}{plural}"
