"""Reads from a tool's name and description what kind of answer it gives, and about what."""

import re
from dataclasses import dataclass
from typing import Literal

from toolflow_graph.values.naming import split_words, word_set

__all__ = ["ATTRIBUTES", "CLAUSE", "Answer", "Job", "is_plural", "read_job", "singular"]

Answer = Literal["list", "read", "figure", "flag", "create", "update", "end", "text"]

_VERBS: dict[Answer, str] = {
    "list": "search find list browse recommend suggest lookup locate discover look",
    "read": "get fetch retrieve read show view describe track load return provide display check access pull obtain",
    "figure": "calculate calc compute convert count sum average estimate predict evaluate measure solve quantify",
    "flag": "is has validate verify can does exists",
    "create": (
        "book reserve create add send schedule register submit order buy purchase post upload open start request apply "
        "invite rent hire make insert publish share transfer pay initiate launch subscribe enroll file log record save "
        "write play call place initialize dispatch"
    ),
    "update": (
        "update change modify set move rename edit assign adjust enable disable turn activate deactivate pause resume "
        "reschedule replace configure toggle control switch extend renew approve manage reset restore"
    ),
    "end": "cancel delete remove close stop revoke terminate unsubscribe clear drop archive discard del",
    "text": (
        "translate summarize summarise generate format encrypt decrypt encode decode extract parse compose draw render "
        "transcribe rewrite paraphrase sort filter compare analyze analyse classify identify determine reverse merge"
    ),
}
_ANSWER_OF: dict[str, Answer] = {verb: answer for answer, verbs in _VERBS.items() for verb in verbs.split()}
_AMBIGUOUS = word_set(
    "book order play list count set look record file log place share call post open start time show view rent "
    "track average sum filter measure control schedule transfer"
)
_VAGUE = word_set("make start set initiate log record")
_ENDS = re.compile(
    r"\b(?:of|for|given|using|based|from|in|by|with|at|to|when|that|which|between|on|about|within|after|before|during|"
    r"through|over|under|against|if|whether|associated|achieved|required|taken|provided|according|available|and|or|"
    r"according|as|per|via|into|across|located|including|near|around|up|regarding|without|where|who|involving|needed)\b|[,.;:(]"
)
_LEADS = re.compile(
    r"^(?:(?:a|an|the|all|any|some|specific|specified|given|current|latest|detailed|new|existing|list|lists|array|set|"
    r"collection|information|info|details|detail|data|number|result|results|of|about|on|for|its|their|one|"
    r"available|nearby|more|most|various|relevant|particular|comprehensive|complete|certain|user's|user|multiple|paginated|full)\s+)+"
)
CLAUSE = re.compile(
    r"\b(?:if|whether)\b\s+(?:(?:the|a|an|any|this|given|specified|\w+)\s+){0,5}?"
    r"(?P<verb>is|are|has|have|can|contains?|exists?)\b(?:\s+(?:a|an|the|any|prior|in|of)\b)*\s*(?P<word>[a-z]+)?"
)
_IRREGULAR = {
    "indices": "index",
    "analyses": "analysis",
    "criteria": "criterion",
    "people": "person",
    "children": "child",
}
_SINGULAR_ENDING = ("ss", "us", "is", "news", "series", "species", "mathematics", "physics", "statistics", "details")


ATTRIBUTES = frozenset("type kind name date time price status capital author color colour".split())


@dataclass(frozen=True)
class Job:
    """What a tool does: the kind of answer, the verb, the words of what it is about, and the first sentence on it."""

    answer: Answer
    verb: str
    noun: tuple[str, ...]
    described: str


def read_job(name: str, description: str) -> Job:
    """Return what the tool does, by the verbs and nouns of its name and of the first sentence of its description."""
    words = split_words(name)
    lower = description.lower().strip().replace("this function ", "")
    sentence = re.split(r"\.\s|\n", lower)[0]
    told = re.match(r"(?:\w+ly )?([a-z]+)\b", sentence)
    spoken = _verb(told[1]) if told else ""
    named = [w for w in words if w in _ANSWER_OF]
    sure = [w for w in named if w not in _AMBIGUOUS or w == words[0]]
    verb = _choose_verb(words, named, sure, spoken)
    answer: Answer = _ANSWER_OF.get(verb, "read")
    if verb in ("is", "has", "can") or (CLAUSE.search(sentence) and _tests(verb, spoken)):
        return Job("flag", verb, words, sentence)
    noun = _noun(words, verb, sentence, spoken)
    if spoken and _ANSWER_OF[spoken] == "figure" and answer in ("read", "text", "list"):
        answer, verb = "figure", spoken
    elif answer == "list" and noun[-1] in ATTRIBUTES:
        answer = "read"
    elif answer == "read" and (is_plural(noun) or re.search(r"\blist of\b|\ball\b", sentence[:60])):
        answer = "list" if is_plural(noun) else answer
    elif answer == "flag" or (verb == "check" and re.search(r"availab|valid|exist", f"{name} {sentence}".lower())):
        answer = "flag"
    return Job(answer, verb, noun, sentence)


def _choose_verb(words: tuple[str, ...], named: list[str], sure: list[str], spoken: str) -> str:
    acts = spoken and _ANSWER_OF[spoken] in ("create", "update", "end") and spoken not in _VAGUE
    if spoken and (spoken in named or not sure or acts):
        return spoken
    if sure:
        return words[-1] if words[-1] in sure and words[0] not in sure else sure[0]
    return named[0] if named else ""


def _tests(verb: str, spoken: str) -> bool:
    return verb in ("check", "validate", "verify", "determine", "") or spoken in (
        "check",
        "validate",
        "verify",
        "determine",
    )


def _verb(word: str) -> str:
    """Return the base form of the verb that a description begins with ("Retrieves" → "retrieve"), or ""."""
    for form in (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"):
        if form in _ANSWER_OF:
            return form
    return ""


def _noun(words: tuple[str, ...], verb: str, sentence: str, spoken: str) -> tuple[str, ...]:
    """Return the words of what the tool is about, from the description when that begins with a verb, else the name."""
    phrase = ""
    if spoken:
        rest = re.sub(r"^(?:\w+ly )?[a-z]+\b(?: and [a-z]+\b)?(?: (?:for|up))?\s*", "", sentence)
        rest = re.sub(
            r"^(?:the |a |an )?(?:information|info|details|data|list|set) (?:of|about|on|for|regarding) ", "", rest
        )
        rest = _LEADS.sub("", rest + " ").strip()
        stop = _ENDS.search(rest)
        phrase = rest[: stop.start()] if stop else rest
        kind = re.match(r"(?P<x>.*\b)?(?P<k>type|kind|name)s?\b of (?:(?:the|a|an|its) )?(?P<y>[a-z ]+)", rest)
        if kind and stop and stop.group() == "of":
            thing = _LEADS.sub("", kind["y"])
            end = _ENDS.search(thing)
            phrase = (thing[: end.start()] if end else thing) + (
                f" {kind['k']}" if _ANSWER_OF[spoken] in _ASKING else ""
            )
    told_words = [w for w in re.findall(r"[a-z0-9]+", phrase.replace("'s", "")) if w not in ("the", "a", "an")]
    while len(told_words) > 1 and told_words[-1] in _EMPTY:
        told_words.pop()
    told = tuple(told_words)[-3:]
    if told and _ANSWER_OF.get(verb) != "figure":
        return told
    after = words[words.index(verb) + 1 :] if verb in words else words
    stop_at = next(
        (i for i, w in enumerate(after) if i and w in ("by", "for", "from", "with", "of", "in", "to", "on")), None
    )
    named = tuple(
        w for w in after[:stop_at] if w not in ("v2", "api", "info", "information", "details", "detail", "data")
    )
    named = named or tuple(w for w in words if w != verb)
    return told or named[-3:] or ("result",)


_ASKING = ("read", "list", "figure", "flag")
_EMPTY = word_set("data information info details detail report reports record")


def is_plural(noun: tuple[str, ...]) -> bool:
    """Tell whether the last word of a noun is a plural."""
    last = noun[-1] if noun else ""
    return last in _IRREGULAR or (last.endswith("s") and len(last) > 3 and not last.endswith(_SINGULAR_ENDING))


def singular(word: str) -> str:
    """Return the singular of a noun."""
    if word in _IRREGULAR or not is_plural((word,)):
        return _IRREGULAR.get(word, word)
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]
