"""Answer frames from a result's schema: the main field first, in the words of what was asked."""

import random
import re
from collections.abc import Sequence

from toolflow_graph.agents.scripted.phrasing import list_slot
from toolflow_graph.agents.scripted.sense import words_of
from toolflow_graph.agents.scripted.verbalise.deeds import Deed, Phrase
from toolflow_graph.agents.scripted.verbalise.exchange import to_assistant
from toolflow_graph.agents.scripted.verbalise.fields import Field, iterate_fields, state, upper
from toolflow_graph.agents.scripted.verbalise.flags import say_state
from toolflow_graph.agents.scripted.verbalise.listings import tell_list
from toolflow_graph.agents.scripted.verbalise.mentions import definite
from toolflow_graph.agents.scripted.verbalise.morphology import is_plural, participle, singular, with_article
from toolflow_graph.agents.scripted.verbalise.nouns import Noun
from toolflow_graph.agents.scripted.verbalise.requests import ASKING, TELLING, Request
from toolflow_graph.types import Tool

__all__ = ["make_answers"]

_STATES = frozenset("status state outcome".split())
_GOOD = frozenset("success ok succeeded successful done completed confirmed".split())
_LONG = frozenset(
    "text content message summary description body answer response translation explanation instructions advice".split()
)


def make_answers(tool: Tool, request: Request) -> tuple[str, ...]:
    """Return at least six ways to tell a result."""
    rng = random.Random(f"{tool.name} answers")
    listing = list_slot(tool.returns)
    fields = list(iterate_fields(tool.returns, tool.parameters.get("properties", {})))
    if listing is not None:
        frames = tell_list(request, listing)
        return tuple(rng.sample(frames, min(9, len(frames))))
    news = [f for f in fields if not f.echo]
    if not news:
        return tuple(f"{line}" for line in dict.fromkeys(_done(request.deed)))
    main: Field | None = _main(news, request.deed)
    rest = [f for f in news if f is not main]
    acting = request.deed.verb not in ASKING and request.deed.verb.split()[0] not in TELLING
    if acting:
        news = [f for f in news if not set(words_of(f.noun.path)) & _STATES]
        main = _main(news, request.deed) if news else None
        rest = [f for f in news if f is not main]
    lines = (_acted(request.deed, main) if main else _done(request.deed)) if acting else _told(request, main or news[0])
    frames = []
    for number, line in enumerate(lines):
        frames.append(line + _others(rest, number))
    return tuple(rng.sample(list(dict.fromkeys(frames)), min(9, len(set(frames)))))


def _main(fields: Sequence[Field], deed: Deed) -> Field:
    """Return the field that answers the request: whose words the deed has, else the first that is no bookkeeping."""
    asked = {singular(w) for w in re.findall(r"[a-z]+", deed.thing().lower())}

    def score(field: Field) -> int:
        words = {singular(w) for w in field.noun.core} | {singular(w) for w in words_of(field.noun.path)}
        points = 3 * len(words & asked)
        points -= 4 if words & {"message", "timestamp", "code", "note"} else 0
        if words & _STATES:
            points += 1 if asked & _STATES or deed.verb in ("check", "track") else -4
        points -= 3 if field.noun.kind in ("id", "url", "datetime") and deed.verb in ASKING else 0
        return points

    return max(fields, key=score)


def _thing(deed: Deed, *, values: bool) -> str:
    """Return what was asked for with "the", its values in place where they are known."""
    parts = []
    for phrase in deed.phrases:
        lead = f"{phrase.preposition} " if phrase.preposition else ""
        if phrase.nouns and values and phrase.preposition:
            parts.append(f"[ {lead}{' and '.join(_told_value(phrase, n) for n in phrase.nouns)}]")
        elif phrase.nouns and values and phrase.owned:
            parts.append(f"{{{phrase.nouns[0].path}}}'s {phrase.owned}")
        else:
            parts.append(f" {lead}{phrase.words}" if parts else f"{lead}{phrase.words}")
    text = to_assistant("".join(parts))
    if re.match(r"(?:an?|any|all) ", text):
        text = re.sub(r"^\w+ ", "the ", text)
    return text if re.match(r"(?:the|your|\{|this) ?", text) else f"the {text}"


def _told_value(phrase: Phrase, noun: Noun) -> str:
    if noun.kind in ("number", "measure", "percent", "money") and (
        "year" in noun.core or phrase.words.endswith(("number", "integer", "value"))
    ):
        return noun.slot
    if noun.kind in ("number", "measure", "percent", "money"):
        return f"{with_article(noun.short)} of {noun.slot}" if len(noun.path) > 1 else f"{noun.path} = {noun.slot}"
    if noun.kind == "id" and "symbol" not in noun.path:
        return f"{re.sub(r'^(?:the|an?|any) ', '', phrase.words)} {noun.slot}"
    return noun.slot


def _told(request: Request, main: Field) -> list[str]:
    deed = request.deed
    if main.schema.get("type") == "boolean":
        return _judged(deed, main)
    slot = main.told
    asked = deed.verb in ASKING and not deed.phrases[0].preposition and not deed.phrases[0].nouns
    head = deed.phrases[0].words
    asked = asked and not re.match(r"(?:if|whether|how|who|what)\b", head) and (main.empty or not is_plural(head))
    overlap = main.empty or singular(main.noun.core[-1]) in {singular(w) for w in head.lower().split()}
    lines = []
    if asked and overlap:
        subject, be = _thing(deed, values=True), "are" if is_plural(head) else "is"
        lines += [
            f"{subject} {be} {slot}.",
            f"{subject}: {slot}.",
        ]
        if main.noun.kind == "money":
            lines.append(f"{subject} {'come' if be == 'are' else 'comes'} to {slot}.")
    if not main.empty:
        statement = state(main)
        lower = statement if statement.startswith("{") else statement[:1].lower() + statement[1:]
        lines += [statement, f"here it is: {lower}", f"I've got it, {lower}"]
    last = main.noun.short.split()[-1].lower()
    if main.noun.kind == "array":
        lines += [
            f"here's what I have: {slot}.",
            f"these are the ones: {slot}.",
            f"{slot}.",
            f"that would be {slot}.",
            f"I found {slot}.",
        ]
    elif main.noun.kind in ("number", "measure", "money", "percent", "count"):
        lines += [
            f"it's {slot}.",
            f"that comes to {slot}.",
            f"{slot}.",
            f"that's {slot}.",
            f"I get {slot}.",
            f"that makes {slot}.",
        ]
        if deed.verb in ("predict", "estimate", "forecast"):
            lines += [f"about {slot}, by the estimate.", f"the estimate says {slot}."]
    elif last in _LONG or main.empty:
        lines += [
            f"here's what I found: {slot}.",
            f"here it is: {slot}.",
            f"it says: {slot}.",
            f"this is what came back: {slot}.",
            f"I've got this: {slot}.",
            f"{slot}.",
        ]
    elif main.noun.kind == "enum":
        lines += [f"it's {slot}.", f"that's {slot}.", f"{slot}.", f"it's {slot}, as far as I can see."]
    else:
        lines += [
            f"it's {slot}.",
            f"that's {slot}.",
            f"{slot}.",
            f"that would be {slot}.",
            f"it's {slot}, as far as I can see.",
        ]
    return list(dict.fromkeys(upper(line) for line in lines))


def _judged(deed: Deed, main: Field) -> list[str]:
    path, noun = main.noun.path, main.noun
    yes, no = say_state(str(main.schema.get("description") or ""))
    match = re.match(r"(?:if|whether) (.+?) (is|are|has|can) (.+)", deed.phrases[0].words)
    if not yes and match:
        yes, no = f"{match[1]} {match[2]} {match[3]}", f"{match[1]} {match[2]} not {match[3]}"
    if set(words_of(path)) & _GOOD and deed.verb not in ASKING:
        return _acted(deed, main)
    if yes:
        yes, no = to_assistant(yes), to_assistant(no)
        return [
            f"[{path}?Yes, {yes}.|No, {no}.]",
            f"[{path}?Yes: {yes}.|I'm afraid {no}.]",
            f"[{path}?It looks like {yes}.|It looks like {no}.]",
            f"[{path}?Indeed, {yes}.|It turns out that {no}.]",
            f"[{path}?{upper(yes)}.|{upper(no)}.]",
            f"[{path}?I checked: {yes}.|I checked: {no}.]",
        ]
    words = re.sub(r"^(?:is|has|are) ", "", noun.short)
    thing = _thing(deed, values=True)
    if len(words.split()) == 1 and deed.verb in ("check", "verify", "validate", *ASKING):
        return [
            f"[{path}?Yes, it's {words}.|No, it's not {words}.]",
            f"[{path}?It is {words}, yes.|It isn't {words}.]",
            f"[{path}?Yes, {words}.|No, not {words}.]",
            f"[{path}?I checked, and it's {words}.|I checked, and it's not {words}.]",
            f"[{path}?As for {thing}: yes, {words}.|As for {thing}: no, not {words}.]",
            f"[{path}?It looks {words} to me.|It doesn't look {words}.]",
        ]
    return [
        f"[{path}?Yes on {words}.|No on {words}.]",
        f"[{path}?As for {words}: yes.|As for {words}: no.]",
        f"[{path}?The answer is yes.|The answer is no.]",
        f"[{path}?Yes, that's right.|No, that's not so.]",
        f"[{path}?It's a yes.|It's a no.]",
        f"[{path}?Yes.|No.]",
    ]


def _done(deed: Deed) -> list[str]:
    """Return ways to say that a deed is done."""
    first = deed.phrases[0]
    if first.preposition or re.match(r"(?:if|whether|how|who|what)\b", first.words):
        return ["That's done.", "Done.", "All done.", "It went through.", "Taken care of.", "OK, that's done."]
    head = re.sub(r"^(?:an?|any|new|a new) (?:new )?", "the ", first.words)
    head = to_assistant(head if re.match(r"(?:the|my|all|this) ", head) else f"the {head}")
    if first.words in ("everything", "all"):
        head = "everything"
    noun = first.nouns[0] if first.nouns and not first.owned else None
    if noun is not None and noun.kind in ("id", "person", "company"):
        told = _told_value(first, noun)
        head = f"[{told}|{head}]"
    be = "are" if is_plural(first.words) else "is"
    verb, _, particle = deed.verb.partition(" ")
    done = f"{participle(verb)} {particle}".strip()
    return [
        f"Done, {head} {be} {done}.",
        f"{upper(head)} {be} {done}.",
        f"That's done: {head} {be} now {done}.",
        f"{upper(head)} {'have' if be == 'are' else 'has'} been {done}.",
        f"All done, {head} {'have' if be == 'are' else 'has'} been {done}.",
        f"OK, {head} {be} {done}.",
        f"Good, {head} {be} {done} now.",
    ]


def _acted(deed: Deed, main: Field) -> list[str]:
    lines = _done(deed)
    path = main.noun.path
    if main.schema.get("type") == "boolean":
        return [f"[{path}?{line}|That didn't go through, I'm afraid.]" for line in lines]
    the = to_assistant(definite(main.noun))
    if main.noun.kind == "id" and main.noun.short.endswith(("ID", "code", "number", "reference")):
        own = the.replace("the ", "your ", 1) if main.noun.short.endswith(("code", "number", "reference")) else the
        tails = (f" {upper(own)} is {main.slot}.", f" It's under {main.slot}.", f" {upper(own)}: {main.slot}.")
        return [line + tails[number % 3] for number, line in enumerate(lines)]
    return [f"{line}[ {state(main)}]" for line in lines]


def _others(rest: Sequence[Field], number: int) -> str:
    """Return what else is worth telling, in one or two sentences that fall away where a field is missing."""
    scalar = [f for f in rest if not f.empty and not (f.noun.kind in ("url", "datetime") and len(rest) > 3)]
    if number % 4 == 3 or not scalar:
        return ""
    text = ""
    for field in scalar[: 3 if number % 2 else 2]:
        if field.schema.get("type") == "boolean":
            yes, no = say_state(str(field.schema.get("description") or ""))
            text += f"[{field.noun.path}? {upper(to_assistant(yes))}.| {upper(to_assistant(no))}.]" if yes else ""
        else:
            text += f"[ {state(field)}]"
    return text
