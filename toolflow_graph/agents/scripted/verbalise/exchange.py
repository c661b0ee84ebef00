"""What is said around a call: questions for missing values, corrections, errors and declines."""

import random
from collections.abc import Sequence

from toolflow_graph.agents.scripted.verbalise.deeds import Deed
from toolflow_graph.agents.scripted.verbalise.mentions import Mention, definite, quoted
from toolflow_graph.agents.scripted.verbalise.morphology import gerund, is_plural, participle, plural, singular
from toolflow_graph.agents.scripted.verbalise.nouns import Noun
from toolflow_graph.agents.scripted.verbalise.requests import ASKING, Request
from toolflow_graph.agents.scripted.verbalise.weaving import is_free_text
from toolflow_graph.types import ErrorPhrasing, Tool

__all__ = ["make_asks", "make_changes", "make_declines", "make_errors", "to_assistant"]


def to_assistant(text: str) -> str:
    """Turn the user's "my" into the assistant's "your"."""
    swaps = {"my": "your", "me": "you", "I": "you", "mine": "yours", "myself": "yourself"}
    return " ".join(swaps.get(word, word) for word in text.split(" "))


def _draw(tool: Tool, salt: str, lines: Sequence[str], count: int) -> tuple[str, ...]:
    rng = random.Random(f"{tool.name} {salt}")
    lines = list(dict.fromkeys(lines))
    return tuple(rng.sample(lines, min(count, len(lines))))


def make_asks(tool: Tool, mention: Mention) -> tuple[str, ...]:
    """Return questions for a parameter that was left out."""
    noun = mention.noun
    the = to_assistant(definite(noun, full=True))
    short = noun.short.removeprefix("my ")
    many = is_plural(noun.full)
    what = f"what are {the}?" if many else f"what's {the}?"
    general = [
        what,
        f"and {the}?",
        f"could you tell me {the}?",
        f"I still need {the}.",
        f"happy to. What {'are' if many else 'is'} {the}?",
        f"sure, what {'are' if many else 'is'} {the}?",
        f"can you give me {the} as well?",
        f"one thing I still need: {the}.",
        f"what should {the} be?" if noun.kind != "id" else what,
    ]
    return _draw(tool, noun.path, [_upper(q) for q in [*_asks_by_kind(noun, mention, short), *general]], 6)


def _asks_by_kind(noun: Noun, mention: Mention, short: str) -> list[str]:
    place = mention.inline.split(" ", 1)[0]
    if noun.kind in ("city", "country") and place in ("in", "at"):
        what = "country" if noun.kind == "country" else "city"
        return [f"which {what}?", f"for which {what}?", f"which {what} is it about?", f"in which {what}?"]
    if noun.kind in ("city", "country", "place") and place in ("from", "to"):
        return [f"where {place}?", f"{place} where?", f"and {place} where exactly?"]
    if noun.kind == "date":
        ask = {"from": "from when?", "until": "until when?", "by": "by when?"}.get(place, "for which day?")
        return [ask, f"and {ask}", f"what date should I take for {'the start' if place == 'from' else 'it'}?"]
    if noun.kind == "time":
        return ["at what time?", "what time?", "and at what time exactly?"]
    if noun.kind == "person":
        return ["whose name is it?", f"who is the {short}?", "could you give me the name?"]
    if noun.kind == "count" and noun.plural:
        unit = singular(noun.short)
        return [
            f"how many {plural(unit)}?",
            f"for how many {plural(unit)}?" if place == "for" else f"how many {plural(unit)} should it be?",
        ]
    if noun.kind == "money":
        return ["how much?", f"how much is {to_assistant(definite(noun))}?"]
    if noun.kind in ("text", "enum", "company", "currency", "array") and not is_free_text(noun) and " of " not in short:
        return [
            f"which {short}?",
            f"which {short} do you have in mind?",
            f"which {short} should I take?",
            f"for which {short}?",
        ]
    if is_free_text(noun):
        return [
            f"what should {to_assistant(definite(noun))} say?"
            if noun.core[-1] in ("message", "comment", "note")
            else f"what's {to_assistant(definite(noun))}?"
        ]
    return []


def make_changes(tool: Tool, mention: Mention) -> tuple[str, ...]:
    """Return ways in which a user corrects a value."""
    noun = mention.noun
    the, value = definite(noun), quoted(noun)
    be = "are" if is_plural(noun.short) else "is"
    general = [
        f"{the} should be {value}.",
        f"{the} {be} {value}, I mean.",
        f"make {the} {value} instead.",
        f"change {the} to {value}, please.",
        f"could you use {value} for {the} instead?",
        f"wait, {the} {be} actually {value}.",
        f"I got {the} wrong, it should be {value}.",
        f"the {noun.short.removeprefix('my ')} I gave you {'were' if be == 'are' else 'was'} wrong, {value} is right.",
        f"same again, but with {value} as {the}.",
    ]
    if noun.kind in ("city", "country", "place", "company", "person", "date", "time", "datetime", "currency") or (
        noun.kind in ("text", "enum") and len(noun.short.split()) == 1 and not is_free_text(noun)
    ):
        general += [
            f"I meant {value}.",
            f"make that {value} instead.",
            f"{value} instead, please.",
            f"could you try {value} instead?",
            f"no, I meant {value}.",
        ]
        if mention.inline:
            general += [f"can you do it {mention.inline} instead?", f"it should be {mention.inline}, I meant."]
    if "{" + noun.path + ":" in mention.inline:
        general += [f"make it {mention.inline} instead.", f"it should be {mention.inline}."]
    return _draw(tool, noun.path, [_upper(c) for c in general], 7)


_PASSING = (
    (
        "service temporarily unavailable",
        "the service behind this isn't available at the moment, so there's nothing to show yet.",
    ),
    ("request timed out", "that took too long and was cut off before anything came back."),
    ("internal server error", "something went wrong on the other side, so I have nothing to show yet."),
    ("upstream connection reset", "the connection broke off before anything came back."),
    (
        "too many requests, try again shortly",
        "there are too many requests over there right now, so mine was turned away.",
    ),
    ("temporarily overloaded", "the other side is overloaded just now and sent nothing back."),
)


def make_errors(tool: Tool, request: Request) -> tuple[ErrorPhrasing, ...]:
    """Return two passing troubles and, where a value can be unavailable, one that another value mends."""
    deed = to_assistant(request.deed.plain())
    rng = random.Random(f"{tool.name} errors")
    errors = []
    for message, told in rng.sample(_PASSING, 2):
        lines = (_upper(told), _upper(f"I couldn't {deed}: {told}"), _upper(f"no luck so far, {told}"))
        errors.append(ErrorPhrasing(message=message, told=tuple(rng.sample(lines, 2))))
    about = next((m for m in request.needed if _can_lack(m, request)), None)
    if about is not None:
        noun = about.noun
        short = noun.short.removeprefix("my ")
        missing = (
            f"There's nothing for {noun.slot}, I'm afraid. Which other {short} should I try?",
            f"I couldn't find anything under {noun.slot}. Would another {short} do?",
            f"{noun.slot} isn't available. Do you have another {short} in mind?",
        )
        errors.append(ErrorPhrasing(message=f"{short} {noun.slot} not available", told=missing, about=noun.path))
    return tuple(errors)


def _can_lack(mention: Mention, request: Request) -> bool:
    noun = mention.noun
    if mention.flag or noun.path not in request.sayable() or is_free_text(noun) or is_plural(noun.short):
        return False
    if noun.kind == "enum":
        return noun.short.split()[-1] not in ("unit", "order", "level", "gender")
    return noun.kind in ("city", "company", "place") or (noun.kind == "text" and len(noun.short.split()) <= 2)


def make_declines(tool: Tool, deed: Deed) -> tuple[str, ...]:
    """Return how the assistant says that it lacks this tool."""
    what = to_assistant(deed.plain())
    thing = to_assistant(deed.thing())
    lines = [
        f"I can't {what} with what I have here.",
        f"I'm afraid I have nothing here that could {what}.",
        f"Sorry, I have no way to {what} from here.",
        f"{_upper(gerund(what))} is beyond what I can do here, so I'd have to leave that to you.",
        f"None of my tools can {what}, sorry.",
        f"That's one I have to pass on: I'm not able to {what}.",
        f"I'd help if I could, but {gerund(what)} isn't something I can do here.",
        f"There's nothing among my tools to {what}. You'd have to look elsewhere for that.",
        f"Unfortunately I can't {what}; another service would have to do that.",
    ]
    if deed.verb in ASKING and not deed.phrases[0].preposition:
        lines.append(f"I have no access to anything that would give me {thing}.")
        lines.append(f"I have no source here for {thing}, so I'd rather not guess.")
    elif not deed.phrases[0].preposition:
        lines.append(
            f"I'd have to leave that undone: I can't get {thing} {participle(deed.verb.split()[0])} from here."
        )
    return _draw(tool, "declines", lines, 6)


def _upper(text: str) -> str:
    return text if text.startswith("{") else text[:1].upper() + text[1:]
