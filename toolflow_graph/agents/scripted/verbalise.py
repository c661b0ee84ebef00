"""Phrasings for tools that carry none, from their names, descriptions and slots."""

import re
from dataclasses import dataclass

from toolflow_graph.agents.scripted.phrasing import list_slot
from toolflow_graph.agents.scripted.sense import words_of
from toolflow_graph.types import JSON, ErrorPhrasing, Phrasings, Tool
from toolflow_graph.values import Kind, kind_of

__all__ = ["with_phrasings"]

_CACHE: dict[int, tuple[Tool, Tool]] = {}


def with_phrasings(tool: Tool) -> Tool:
    """Return the tool itself when it has phrasings, else a copy with phrasings made by rule and marked inferred."""
    if tool.phrasings is not None:
        return tool
    cached = _CACHE.get(id(tool))
    if cached is None or cached[0] is not tool:
        made = tool.model_copy(update={"phrasings": _verbalise(tool), "inferred": (*tool.inferred, "phrasings")})
        cached = _CACHE[id(tool)] = (tool, made)
    return cached[1]


_CUT = re.compile(
    r"\s*(?:[.;:(]|,? (?:given|based on|using|by using|for the given|for a given|with the given|of the given|by providing|"
    r"via|according to|that match|which|where|in order to|so that|and return|and returns|as well as|with support for|from the given)\b)"
)
_LEADS = re.compile(
    r"^(?:this (?:function|tool|api|endpoint|method) (?:is used to|is designed to|allows (?:you|users?|the user) to|can be used to|"
    r"will|helps(?: to)?)?|a (?:function|tool) (?:to|that)|(?:function|tool|api) to|used to|allows (?:you|users?|the user) to|"
    r"the user can|use this to)\s+",
    re.IGNORECASE,
)
_THIRD_PERSON = {"does": "do", "has": "have", "is": "be", "goes": "go"}


def verb_phrase(tool: Tool) -> str:
    """Return what the tool does as an infinitive, "find the nearest train station"."""
    text = _LEADS.sub("", tool.description.strip())
    text = _CUT.split(text, maxsplit=1)[0].strip()
    words = text.split()
    if not 2 <= len(words) <= 14 or not words[0].isalpha() or "_" in text or any(c in text for c in "{}[]|`\"'"):
        words = list(words_of(tool.name))
    first = words[0].lower()
    if first in _THIRD_PERSON:
        words[0] = _THIRD_PERSON[first]
    elif first.endswith("ies") and len(first) > 4:
        words[0] = first[:-3] + "y"
    elif first.endswith(("sses", "shes", "ches", "xes")):
        words[0] = first[:-2]
    elif first.endswith("s") and not first.endswith(("ss", "us", "is")) and len(first) > 3:
        words[0] = first[:-1]
    else:
        words[0] = first
    words[0] = {"retrieve": "get", "fetch": "get", "obtain": "get", "return": "get", "compute": "work out"}.get(
        words[0], words[0]
    )
    return re.sub(r"\b(?:a|the) (?:specific|given|specified|certain|particular) ", "the ", " ".join(words))


@dataclass(frozen=True)
class _Mention:
    """How one parameter is mentioned, after the verb phrase and as a sentence of its own."""

    inline: str
    sentence: str


def _noun(name: str) -> str:
    words = [w for w in words_of(name) if w not in ("str", "list", "param", "input", "arg", "value", "the")]
    return " ".join(words or words_of(name))


def _mention(path: str, name: str, schema: JSON) -> _Mention:
    kind: Kind = kind_of(name, schema)
    noun, slot = _noun(name), f"{{{path}}}"
    if kind == "boolean":
        return _Mention(f"[{path}? with {noun}]", f"[{path}? I do want {noun}.| I don't need {noun}.]")
    by_kind = {
        "date": (f" on {slot}", f"It's about {slot}."),
        "time": (f" at {slot}", f"The time is {slot}."),
        "datetime": (f" for {slot}", f"It's for {slot}."),
        "city": (f" in {slot}", f"It's {slot} I mean."),
        "country": (f" for {slot}", f"The country is {slot}."),
        "person": (f" for {slot}", f"The name is {slot}."),
        "money": (f" with {slot} as the {noun}", f"The {noun} is {slot}."),
        "currency": (f" in {slot}", f"In {slot}, please."),
    }
    if kind in by_kind and (kind not in ("date", "time", "city") or len(words_of(name)) == 1):
        inline, sentence = by_kind[kind]
        return _Mention(inline, sentence)
    if kind in ("count", "number", "measure", "percent"):
        article = "an" if noun[:1] in "aeiou" else "a"
        return _Mention(f" with {article} {noun} of {slot}", f"The {noun} is {slot}.")
    return _Mention(f" with {slot} as the {noun}", f"The {noun} would be {slot}.")


_REQUESTS = (
    "Can you {verb}{inline}",
    "I need to {verb}{inline}",
    "Could you {verb} for me{inline}",
    "Please {verb}{inline}",
    "I'd like you to {verb}{inline}",
    "Help me {verb}{inline}",
    "I'm trying to {verb}{inline}. Can you do that",
    "Would you {verb}{inline}",
    "I want to {verb}{inline}",
    "It would help me if you could {verb}{inline}",
    "I have to {verb}.{sentences}",
    "Can you {verb}?{sentences}",
    "Let's {verb}.{sentences}",
    "Next I'd like to {verb}.{sentences}",
    "Time to {verb}.{sentences}",
    "There's something to work out here: I have to {verb}.{sentences}",
)
_ASKS = (
    "What should the {noun} be?",
    "Which {noun} should I use?",
    "For that I still need the {noun}.",
    "And the {noun}?",
    "Could you give me the {noun} as well?",
    "One thing is missing: the {noun}.",
)
_CHANGES = (
    "The {noun} should be {slot}.",
    "Make the {noun} {slot} instead.",
    "I meant {slot} for the {noun}.",
    "It's {slot}, the {noun}, I mean.",
    "Use {slot} as the {noun} instead.",
    "The {noun} is {slot}, not what I said before.",
)
_ERRORS = (
    (
        "service temporarily unavailable",
        "The service behind this isn't available at the moment, so I have no result yet.",
    ),
    ("request timed out", "The request ran into a time-out, so there's no result yet."),
    ("internal server error", "There was an internal error on the other side and I got no result."),
    ("upstream connection reset", "The connection broke off before anything came back."),
)
_DECLINES = (
    "I have nothing here that could {verb}, so I'd have to leave that to you.",
    "That's beyond what I can do here: none of my tools can {verb}.",
    "I can't {verb} with what I have at hand.",
    "Sorry, I have no way to {verb} from here.",
)


def _verbalise(tool: Tool) -> Phrasings:
    verb = verb_phrase(tool)
    properties: JSON = tool.parameters.get("properties", {})
    required = [n for n in tool.required if n in properties]
    optional = [n for n in properties if n not in required][:4]
    mentions = {n: _mention(n, n, properties[n]) for n in (*required, *optional) if _sayable(n)}
    inline = "".join(_join(n, mentions[n].inline, n in required, len(required)) for n in mentions)
    sentences = "".join(f" {mentions[n].sentence}" if n in required else f"[ {mentions[n].sentence}]" for n in mentions)
    few = len(required) <= 3
    requests = [
        frame.replace("{verb}", verb).replace("{inline}", inline).replace("{sentences}", sentences)
        for frame in _REQUESTS
        if few or "{sentences}" in frame
    ]
    droppable = [n for n in required if n in mentions and kind_of(n, properties[n]) != "boolean"]
    if few:
        for name in droppable:
            requests += [
                f.replace("{verb}", verb).replace(
                    "{inline}", inline.replace(mentions[name].inline, f"[{mentions[name].inline}]")
                )
                for f in _REQUESTS[:4]
            ]
    for name in droppable:
        own = f" {mentions[name].sentence}"
        requests += [
            f.replace("{verb}", verb).replace("{sentences}", sentences.replace(own, f"[{own}]"))
            for f in _REQUESTS[10:13]
        ]
    offset = sum(map(ord, tool.name))
    return Phrasings(
        requests=tuple(requests),
        answers=_answers(tool.returns),
        items=_items(tool.returns),
        asks={n: tuple(a.replace("{noun}", _noun(n)) for a in _ASKS) for n in droppable},
        changes={
            n: tuple(c.replace("{noun}", _noun(n)).replace("{slot}", f"{{{n}}}") for c in _CHANGES) for n in droppable
        },
        errors=tuple(ErrorPhrasing(message=m, told=(t,)) for m, t in _ERRORS[offset % 3 : offset % 3 + 2]),
        declines=tuple(d.replace("{verb}", verb) for d in _DECLINES),
    )


def _sayable(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_\-]+", name) is not None


def _join(name: str, inline: str, required: bool, count: int) -> str:
    if required:
        return inline
    return inline if inline.startswith("[") else f"[{',' if count > 1 else ''}{inline}]"


def _answers(returns: JSON) -> tuple[str, ...]:
    listing = list_slot(returns)
    if listing is not None:
        noun = _singular(_noun(listing))
        return (
            f"I found {{count:{noun}}}: {{list}}.",
            f"{{count:{noun}}} came back: {{list}}.",
            "Here's what there is: {list}.",
            "These came up: {list}.",
            f"The search gave {{count:{noun}}}, namely {{list}}.",
        )
    told = []
    for name, schema in returns.get("properties", {}).items():
        if not _sayable(name):
            continue
        noun = _noun(name)
        if schema.get("type") == "boolean":
            told.append(f"[{name}? Yes: {noun}.| No: not {noun}.]")
        elif schema.get("type") != "object":
            told.append(f" The {noun} is {{{name}}}.")
        if len(told) == 4:
            break
    if not told:
        return ("That's done.", "Done, there is nothing else to report.", "It went through.")
    body = "".join(f"[{part}]" if part.startswith(" The") else part for part in told)
    first = told[0]
    return (
        body,
        f"Here you go.{body}",
        f"I have it.{body}",
        f"Worked out:{_lower_the(body)}",
        f"That gives the following.{body}",
        first.strip() if "?" not in first else first,
    )


def _lower_the(body: str) -> str:
    return body.replace("[ The", "[ the", 1) if body.startswith("[ The") else body


def _items(returns: JSON) -> tuple[str, ...]:
    listing = list_slot(returns)
    if listing is None:
        return ()
    names = [
        n
        for n, s in returns["properties"][listing]["items"].get("properties", {}).items()
        if s.get("type") in ("string", "number", "integer") and _sayable(n)
    ]
    plain = [n for n in names if not n.lower().endswith("id")] or names
    if not plain:
        return ()
    frames = [f"{{{plain[0]}}}" + "".join(f"[, {{{n}}}]" for n in plain[1:3])]
    if len(plain) > 1:
        frames.append(f"{{{plain[0]}}} ({{{plain[1]}}})")
    return tuple(frames)


def _singular(noun: str) -> str:
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    if noun.endswith("s") and not noun.endswith("ss"):
        return noun[:-1]
    return noun
