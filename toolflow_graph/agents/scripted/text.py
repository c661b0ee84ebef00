"""Turns realised frames into clean sentences, and sentences into turns in one user's manner."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from toolflow_graph.agents.scripted.speech import all_lines

__all__ = ["Manner", "decapitalise", "draw_manner", "finish", "join_sentences", "lower_literals", "mend", "tidy"]

_SPACES = re.compile(r"[ \t]{2,}")
_BEFORE_MARK = re.compile(r"\s+([,.;:?!])")
_DOUBLE_MARK = re.compile(r"([,;:])\s*(?=[,.;:?!])|(?<=\w)\.(?=,)")
_DOUBLE_STOP = re.compile(r"(?<!\.)\.\s*\.(?!\.)|([?!])\.")
_RELATIVE = re.compile(
    r"\b(?:on|at|On|At) (?=(?:today|tonight|tomorrow|yesterday|this|next|last|in \w+ (?:days?|weeks?))\b)"
)
_STOP_AFTER_QUOTE = re.compile(r"([.!?][\"”])\.")
_NEXT_SENTENCE = re.compile(r"((?<!\.\w)(?<!\bSt)(?<!\bvs)[.?!] )([a-z])(?=[a-z']*[ ,.])")
_PERCENT = re.compile(r"(\d) ?(%|percent) (?:percent|per cent|%)")
_THE_THE = re.compile(r"\b(the|The|a|A|an) (?=(?:the|The) )")
_ARTICLE = re.compile(
    r"(?<!\b[tT]he )\b([aA]) (?=[aeiouAEIOU])(?!is\b|are\b|(?:one|once|uni|use|usu|eu|Eu|Uni|Use|U[A-Z]|u[ks]\b))"
)
_QUESTION = re.compile(
    r"^(?:(?:and|so|but|ok|okay|then|also|oh|hi|hey|right|now)[,]? )*"
    r"(?:what|which|who|whose|when|where|why|how|is|are|was|were|am|do|does|did|can|could|would|will|shall|should|"
    r"has|have|had|any|may|might|isn't|aren't|don't|doesn't|can't|couldn't|won't|anything|what's|who's|where's|how's|when's)\b",
    re.IGNORECASE,
)


def tidy(text: str) -> str:
    """Return a sentence or several: mended, with their capitals and closing marks."""
    text = _NEXT_SENTENCE.sub(lambda m: m[1] + m[2].upper(), mend(text))
    return finish(capitalise(text.lstrip(" ,;.")))


def mend(text: str) -> str:
    """Mend what options leave behind: double spaces, stray marks, "on tomorrow", "a aisle seat"."""
    text = _SPACES.sub(" ", text).strip()
    text = _BEFORE_MARK.sub(r"\1", text)
    text = _DOUBLE_MARK.sub("", text)
    text = _DOUBLE_STOP.sub(lambda m: m[1] or ".", text)
    text = _RELATIVE.sub("", text)
    text = _PERCENT.sub(lambda m: f"{m[1]}{m[2]}" if m[2] == "%" else f"{m[1]} percent", text)
    text = _THE_THE.sub("", text)
    text = _STOP_AFTER_QUOTE.sub(r"\1", text)
    return _ARTICLE.sub(r"\1n ", text)


def capitalise(text: str) -> str:
    """Begin with a capital, unless the first word has its own way (an e-mail address, a code, iPhone)."""
    first = text.split(" ", 1)[0]
    if (
        not first
        or "@" in first
        or any(mark in first[:-1] for mark in ".-/")
        or "_" in first
        or any(c.isupper() or c.isdigit() for c in first)
    ):
        return text
    return text[0].upper() + text[1:]


def finish(text: str) -> str:
    """End with a full stop or a question mark when there is no closing mark."""
    if not text or text[-1] in ".?!…)\"'”:":
        return text
    last = re.split(r"(?<=[.?!]) ", text)[-1]
    return text + ("?" if _QUESTION.match(last) else ".")


_OWN_CAPITAL = re.compile(r"^(?:I\b|I'|[A-Z][A-Z0-9]|[A-Z]\w*[A-Z])")
_SOFT_STARTS = frozenset(
    (
        "a an the my our your his her their this that these those what which who when where why how is are was do "
        "does did can could would will shall should has have any anything it it's that's there there's what's "
        "where's how's who's let's let we we're we've we'd you get give find show tell check look book make put "
        "send add move set please need want how's cancel change update order on in at for from to with and so but "
        "also then if while after before just actually sorry no not one two three all some another could've i'm "
        "pull see have list drop turn remind schedule pay transfer start stop create open close call ask track "
        "search run read write fix keep take try switch raise lower may might same someone something nothing "
        "everything as by since until still up out over is isn't aren't don't doesn't can't couldn't did now "
    ).split()
)


@cache
def ordinary_words() -> frozenset[str]:
    """Return the words that the banks of lines write in lower case, so that they need no capital of their own."""
    lines = " ".join(all_lines())
    return _SOFT_STARTS | frozenset(re.findall(r"(?<![.?!:\"“] )\b[a-z]+(?:'[a-z]+)?\b", lines))


def decapitalise(text: str, frame: str = "") -> str:
    """Begin in lower case, to follow on from something, where the first word is an ordinary one or the frame's own."""
    if not text or _OWN_CAPITAL.match(text):
        return text
    first = re.split(r"[ ,.?!:;…]", text, maxsplit=1)[0].lower()
    if first in ordinary_words() or first.partition("'")[0] in _SOFT_STARTS:
        return text[0].lower() + text[1:]
    return lower_literals(text[: len(first)], frame) + text[len(first) :]


_PROPER = frozenset(
    "i i'm i'd i'll i've monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december english french german spanish italian".split()
)
_SENTENCE_START = re.compile(r"(?:^|(?<=[.?!…] ))([A-Z][A-Za-z']*)(?=[ ,.?!:;…]|$)")


def lower_literals(text: str, source: str) -> str:
    """Begin sentences in lower case where their first word stands in the frame itself and is no name.

    What a slot has put there keeps its capital, and so does whatever stands inside quotes.
    """
    own = set(re.findall(r"[A-Za-z']+", source))

    def lower(match: re.Match[str]) -> str:
        word = match[1]
        literal = word in own or word.lower() in own
        quoted = text[: match.start()].count('"') % 2 == 1
        plain = word.lower() not in _PROPER and not (len(word) > 1 and word[1].isupper())
        return word[0].lower() + word[1:] if literal and plain and not quoted else word

    return _SENTENCE_START.sub(lower, text)


@dataclass(frozen=True)
class Manner:
    """How one user writes, held through the dialogue."""

    lower: bool = False
    bare_end: bool = False
    chatty: float = 0.5

    def apply(self, text: str) -> str:
        """Put a user's text in this manner."""
        if self.bare_end and text.endswith((".", "?")) and not text.endswith("..") and len(text) < 90:
            text = text[:-1]
        return text


def draw_manner(rng: random.Random) -> Manner:
    """Draw a user's manner: most write plainly, some all in lower case and without a closing mark."""
    roll = rng.random()
    if roll < 0.16:
        return Manner(lower=True, bare_end=True, chatty=0.15)
    if roll < 0.26:
        return Manner(lower=True, bare_end=False, chatty=0.35)
    if roll < 0.36:
        return Manner(lower=False, bare_end=True, chatty=0.3)
    return Manner(chatty=rng.choice((0.2, 0.45, 0.6, 0.75)))


def join_sentences(parts: Sequence[str]) -> str:
    """Join sentences into one turn."""
    return " ".join(part for part in parts if part)
