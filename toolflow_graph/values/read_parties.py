"""Counting the people that somebody names: "me, my wife and two kids", "Anna, Ben and I", "my parents"."""

import re
from functools import lru_cache

from toolflow_graph.values.naming import fold, word_set
from toolflow_graph.values.read_numbers import to_number

__all__ = ["count_party"]

_ONE = (
    "wife husband partner girlfriend boyfriend friend sister brother mother father mum mom dad son daughter boss "
    "colleague neighbour neighbor grandmother grandfather grandma grandpa gran granny aunt uncle cousin niece nephew "
    "child kid baby toddler boy girl guest person adult teenager fiance fiancee mate flatmate roommate student teacher "
    "in-law mother-in-law father-in-law sister-in-law brother-in-law client"
).split()
_MANY = {"children": "child", "people": "person", "wives": "wife", "persons": "person", "babies": "baby"} | {
    f"{word}s": word for word in _ONE if word not in ("child", "person", "baby")
}
_PAIRS = {"parents": 2, "grandparents": 2, "twins": 2, "in-laws": 2, "folks": 2, "triplets": 3, "couple": 2}
_NUMBER = r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|both|a couple of)"
_WORDS = "|".join(sorted({*_ONE, *_MANY, *_PAIRS}, key=len, reverse=True))
_PERSON = re.compile(
    rf"\b(?:(?P<n>{_NUMBER}) (?:of )?(?:my |our |his |her )?|(?P<d>my |our |his |her |a |an |another |the ))"
    rf"(?:(?:little|older|younger|elder|big|small|oldest|youngest|good|best|old|new|other|teenage) )?(?P<w>{_WORDS})\b"
)
_SELF = re.compile(
    r"\b(?:me|myself|and i|with me|i and)\b|^i and\b|\b(?:i|i'm|we|we're|i'll)\b.{0,30}\bwith (?:my|a|the)\b"
)
_WITH = re.compile(rf"\bwith (?:my |a |an |our |the |{_NUMBER} )")
_ALONE = re.compile(
    r"\b(?:just|only) (?:for )?(?:me|myself|one)\b|\bby myself\b|\bmyself only\b|\b(?:on my own|alone|solo)\b"
)
_NAMED = re.compile(
    r"\b(?P<names>[A-Z][\w'-]+(?:, [A-Z][\w'-]+)*)(?:,? (?:and|&) (?P<last>[A-Z][\w'-]+|I|me|myself|my \w+)\b)"
)
_NO_NAMES = word_set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december a the can could please book find also"
)


@lru_cache(maxsize=4096)
def count_party(text: str) -> frozenset[int]:
    """Return how many people a text may name together, the speaker counted or not where the words leave it open."""
    folded = " ".join(fold(text).split())
    found = {1} if _ALONE.search(folded) else set[int]()
    people = sum(_count_mention(match) for match in _PERSON.finditer(folded))
    named = _count_names(text)
    if people:
        counted = bool(_SELF.search(folded))
        found |= {people + 1} if counted else {people, people + 1} if _WITH.search(folded) else {people}
        if named:
            found.add(people + named)
    if named:
        found.add(named)
    return frozenset(found)


def _count_mention(match: re.Match[str]) -> int:
    word = match["w"]
    if word in _PAIRS:
        return _PAIRS[word] if not match["n"] or word == "couple" else int(to_number(match["n"]) or 2) * _PAIRS[word]
    if match["n"]:
        number = 2 if match["n"] == "both" else to_number(match["n"])
        return int(number or 0)
    return 2 if word in _MANY else 1


def _count_names(text: str) -> int:
    """Return how many names stand in an enumeration ("Anna, Ben and I"), 0 without one."""
    for match in _NAMED.finditer(text):
        names = [*match["names"].split(", "), match["last"]]
        if not any(name.lower() in _NO_NAMES for name in names):
            return len(names)
    return 0
