"""What people call a parameter or a result field: nouns from its name and description, and its unit."""

import re
from dataclasses import dataclass
from functools import lru_cache

from toolflow_graph.agents.scripted.sense import words_of
from toolflow_graph.agents.scripted.verbalise.lexicon import ABBREVIATIONS, UNITS
from toolflow_graph.agents.scripted.verbalise.morphology import base_form, is_plural, singular
from toolflow_graph.types import JSON
from toolflow_graph.values import Kind, kind_of

__all__ = ["SUFFIXES", "Noun", "describe_unit", "is_opaque", "name_slot", "plain_phrase", "spoken"]

SUFFIXES = frozenset(
    "name title id identifier uuid guid symbol ticker code number no string str input value text param query list "
    "array".split()
)
"""Words at the end of a name that say how the thing is given, not what it is."""

_OPAQUE = frozenset(
    "data input inputs value values val param to from _from arg name title type key text number num size id "
    "uuid date "
    "time amount count limit code list content object index state level status period format range target args item "
    "option property method mode start end min max base order query filter unit total rate".split()
)
_GENERIC = re.compile(
    r"\b(?:specific|specified|given|particular|certain|provided|desired|requested|required|exact|unique|respective|"
    r"corresponding|preferred|optional|chosen|supplied|designated|relevant|associated|intended|actual|selected|"
    r"user-defined|user-specified|user-provided)\s+",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?:\bin|\(in|\(|measured in|unit is|expressed in|,)\s*(?:the unit of )?("
    + "|".join(re.escape(u) for u in sorted(UNITS, key=len, reverse=True))
    + r")(?=\W|$)",
    re.IGNORECASE,
)
_NAME_UNITS = {
    "kg",
    "cm",
    "km",
    "mm",
    "mph",
    "kwh",
    "miles",
    "minutes",
    "hours",
    "days",
    "seconds",
    "meters",
    "celsius",
    "fahrenheit",
    "usd",
    "eur",
    "mb",
    "kb",
    "ms",
    "gb",
    "hz",
    "nm",
    "feet",
    "pounds",
    "kelvin",
    "ml",
    "weeks",
    "months",
    "years",
    "grams",
    "liters",
}
_ENDS = re.compile(
    r"\s*(?:[.,;:(]|\b(?:to|for|where|that|which|in|whose|when|at|on|from|with|such|as|if|used|using|being|"
    r"by|e\.g|is|are|"
    r"or|will|associated|about|you|should|must|can|between|within|after|before|during|we|the user|it|and|per|based|"
    r"given|represented|expressed|measured|containing|under|against|into|against|over|through)\b)",
    re.IGNORECASE,
)
_OWNED = re.compile(
    r"^(?:the )?(?:unique |full |complete |exact )*(?:name|title|identifier|id|id number|code|symbol|value|"
    r"text|number|string|"
    r"type|amount|list|array|date|time|length|size|query|label|key|uuid|abbreviation|ticker symbol|ticker)s?"
    r"(?: \(\w+\))? (?:of|for|associated with) "
)


_DIRECTIONS = {"from": ("source", "departure"), "to": ("target", "destination")}
_ADJECTIVES = frozenset(
    "extra yearly monthly daily weekly annual average total maximum minimum next current new old initial final".split()
)
_HANDLES = SUFFIXES | {"ID", "data", "target", "object", "link"}
_ORDINALS = {"1": "first", "2": "second", "3": "third", "a": "first", "b": "second", "c": "third"}


@dataclass(frozen=True)
class Noun:
    """What a slot is called: `short` fits into "a … of 5", `full` after "the"; `core` are the words of the thing.

    `unit` stands after its number; with a leading colon it is a noun that the number counts, "$" and "€" stand before.
    """

    path: str
    kind: Kind
    short: str
    full: str
    core: tuple[str, ...]
    unit: str = ""
    plural: bool = False

    @property
    def slot(self) -> str:
        """The slot with its unit, as a frame has it."""
        if self.unit.startswith(":"):
            return f"{{{self.path}:{self.unit[1:]}}}"
        if self.unit in ("$", "€"):
            return f"{self.unit}{{{self.path}}}"
        return f"{{{self.path}}}{'' if self.unit[:1] in ('', '°') else ' '}{self.unit}"


def plain_phrase(text: str) -> str:
    """Return a phrase without the words that only specify that something is specified, articles mended."""
    text = re.sub(r"\s*\([^)]*\)", "", text)
    text = re.sub(
        rf"\b([Aa])n? ({_GENERIC.pattern})+(\w)",
        lambda m: f"{m[1]}{'n' if m[m.lastindex or 0] in 'aeioAEIO' else ''} {m[m.lastindex or 0]}",
        text,
        flags=re.IGNORECASE,
    )
    return " ".join(_GENERIC.sub("", text).split())


@lru_cache(maxsize=16384)
def spoken(name: str) -> tuple[str, ...]:
    """Return the words of a name, abbreviations written out."""
    words: list[str] = []
    for word in words_of(name):
        match = re.fullmatch(r"([a-z]{2,})([1-3])", word)
        if match:
            words = [_ORDINALS[match[2]], *words, ABBREVIATIONS.get(match[1], match[1])]
        elif (len(word) == 1 and words and word in _ORDINALS) or (word in ("1", "2", "3") and words):
            words = [_ORDINALS[word], *words]
        elif word in ("in", "out", "off", "up") and words[-1:] and words[-1] in ("check", "pick", "drop"):
            words[-1] = f"{words[-1]}-{word}"
        else:
            words.append(ABBREVIATIONS.get(word, word))
    if words[0] in _DIRECTIONS and len(words) > 1:
        words[0] = _DIRECTIONS[words[0]][words[-1] in ("city", "place", "date", "time", "airport", "station", "stop")]
    if words[0] in ("number", "n") and len(words) > 1 and words[1] != "of" and is_plural(words[-1]):
        words = ["number", "of", *words[1:]]
    return tuple(words)


def is_opaque(name: str) -> bool:
    """Say whether a name alone tells nobody what the parameter is."""
    words = words_of(name)
    return len(words) == 1 and (len(words[0]) <= 2 or words[0] in _OPAQUE)


def describe_unit(name: str, description: str) -> str:
    """Return how the unit is written after the number, "" when the description names none."""
    last = words_of(name)[-1:] or ("",)
    if last[0] in _NAME_UNITS:
        return UNITS.get(last[0], "")
    match = _UNIT.search(description.lower())
    return UNITS[match[1].lower()] if match else ""


def _described(description: str, *, owner: bool) -> str:
    """Return the noun phrase with which a description begins, without article; "" when there is none."""
    text = re.split(r"(?<!\b[A-Z])\.(?:\s|$)|\(|;|:", description.strip().replace("U.S.", "US"), maxsplit=1)[0]
    text = plain_phrase(text)
    text = re.sub(r"\b(?:the user's|a user's|user's|the customer's|your)\b", "my", text, flags=re.IGNORECASE)
    text = re.sub(r"^(?:optional|required)\b[,:]?\s*", "", text, flags=re.IGNORECASE)
    if owner:
        text = _OWNED.sub("", text[:1].lower() + text[1:])
    text = re.sub(r"^(?:the|an?|this|any|your|some|list of|array of|my)\s+", "", text, flags=re.IGNORECASE)
    text = re.sub(r"^(?:list|array|set) of\s+(?:the\s+)?", "", text, flags=re.IGNORECASE)
    head, of, tail = text.partition(" of ")
    head = _ENDS.split(f"{head} ", maxsplit=1)[0].strip()
    if of and head == text.partition(" of ")[0].strip():
        tail = _ENDS.split(f"{tail} ", maxsplit=1)[0].strip()
        head = f"{head} of {tail}" if 1 <= len(tail.split()) <= 3 else head
    words = head.split()
    if not 1 <= len(words) <= 6 or not all(re.fullmatch(r"[A-Za-z][A-Za-z'\-]*", w) for w in words):
        return ""
    if words[-1].lower() in ("of", "the", "a", "an", "and", "specific", "to", "not", "whether", "user", "true"):
        return ""
    if words[0].lower() in (
        "whether",
        "if",
        "how",
        "true",
        "when",
        "indicates",
        "set",
        "flag",
        "specifies",
        "determines",
    ):
        return ""
    return " ".join(_acronym(w) for w in [_lower(words[0]), *words[1:]])


_IDENTIFIES = re.compile(
    r"\b(?:identifier|id|uuid|key|code|number)s?\b(?: \(\w+\))? (?:of|for|assigned to|associated with) "
    r"(?:the |an? )?(.*)",
    re.IGNORECASE,
)


def _identified(told: str, description: str) -> str:
    """Return "release ID" for "The unique identifier of the release to be deleted"."""
    match = _IDENTIFIES.search(plain_phrase(description))
    owner = _described(match[1], owner=False) if match else ""
    if owner and len(owner.split()) <= 3:
        return f"{singular(owner)} ID"
    if re.search(r"\b(?:id|identifier|key|number|token|code)$", told, re.IGNORECASE):
        return told
    return "ID" if told == "ID" else f"{singular(told)} ID"


def _acronym(word: str) -> str:
    written = ABBREVIATIONS.get(word, word)
    return written if written.isupper() else word


def _lower(word: str) -> str:
    return word if len(word) > 1 and any(c.isupper() for c in word[1:]) else word.lower()


def name_slot(path: str, name: str, schema: JSON) -> Noun:
    """Return what a parameter or field is called."""
    kind = kind_of(name, schema)
    description = str(schema.get("description") or "")
    words = list(spoken(name)) or [name]
    unit = describe_unit(name, description) if kind in ("number", "measure", "money", "count") else ""
    if unit in ("$", "\u20ac") and kind != "money":
        unit = ""
    if len(words) > 1 and words[-1] in _NAME_UNITS and unit and "light" not in words:
        words = words[:-2] if words[-2] == "in" and len(words) > 2 else words[:-1]
    told = _described(description, owner=words[-1] in _HANDLES or kind in ("person", "city", "company"))
    short, full, core = _name(name, words, kind, told, description)
    core = [w for w in core if w not in ("number", "of", "total")] or core
    if short in _ADJECTIVES:
        short = full = told if told and len(told.split()) <= 4 else f"{short} amount"
    short = re.sub(r"^(?:number|count|total number) of ", "", re.sub(r"\bidentifier\b", "ID", short))
    full = re.sub(r"\bidentifier\b", "ID", full)
    if kind == "text" and " " not in short and base_form(short) and told and len(told.split()) <= 4:
        short = full = told
    many = is_plural(short) and kind in ("array", "count", "text", "number", "measure")
    return Noun(path, kind, short, full, tuple(w.lower() for w in core), unit, many)


def _name(name: str, words: list[str], kind: Kind, told: str, description: str) -> tuple[str, str, list[str]]:
    """Return the short and the full noun and the words of the thing, from the name or what the description tells."""
    head = words[: words.index("of")] if "of" in words[1:-1] and words[0] != "number" else words
    core = [w for w in head if w.lower() not in SUFFIXES and w != "ID"]
    core = head if set(core) <= _MODIFIERS else core
    whole = len(words) == 1 or words[-1] != "name" or words[0] in ("first", "last", "full", "user", "file", "given")
    short = full = " ".join(words if whole else words[:-1])
    size = len(told.split())
    if told and is_opaque(name):
        if kind == "id":
            short = full = _identified(told, description)
        elif len(words[0]) == 1 and kind in ("number", "measure", "count"):
            full = told if size <= 4 else short
        else:
            short = full = told if size <= 4 else words[-1]
            if kind in ("number", "measure", "percent", "money"):
                thing, _, owner = short.partition(" of ")
                short = owner if thing == "amount" and owner else thing
        core = [w.lower() for w in told.split(" of ", maxsplit=1)[0].split()] if len(told) < 40 else core
    elif (
        told
        and kind != "id"
        and size <= 6
        and told.split(" of ", maxsplit=1)[0].lower().split()[-1] == short.split()[-1].lower()
    ):
        full = told
    return short, short if set(full.split()) < set(short.split()) else full, core


_MODIFIERS = frozenset("first second third source target new old initial final".split())
