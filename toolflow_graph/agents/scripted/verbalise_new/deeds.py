"""What a tool does, as a verb phrase in plain English, and which of its phrases a parameter's value can replace."""

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from toolflow_graph.agents.scripted.sense import words_of
from toolflow_graph.agents.scripted.verbalise_new.lexicon import ABBREVIATIONS, PLAIN_VERBS
from toolflow_graph.agents.scripted.verbalise_new.morphology import base_form, is_plural, singular
from toolflow_graph.agents.scripted.verbalise_new.nouns import Noun, plain_phrase
from toolflow_graph.types import Tool

__all__ = ["Deed", "Phrase", "read_deed"]


@dataclass(frozen=True)
class Phrase:
    """The object (no preposition) or one prepositional phrase; `nouns` are the parameters that can replace it.

    `owned` is what belongs to the noun ("a company's | profit"), `vague` a phrase that only announces a parameter.
    """

    preposition: str
    words: str
    nouns: tuple[Noun, ...] = ()
    owned: str = ""
    vague: bool = False


@dataclass(frozen=True)
class Deed:
    """A verb in its base form with its phrases: "get | the largest city | of a country"."""

    verb: str
    phrases: tuple[Phrase, ...]
    named: bool = False

    @property
    def claimed(self) -> frozenset[str]:
        """Paths of the parameters that replace a phrase."""
        return frozenset(noun.path for phrase in self.phrases for noun in phrase.nouns)

    def plain(self) -> str:
        """Return the deed without any value, as an infinitive."""
        return " ".join(p for p in (self.verb, self.thing()) if p)

    def thing(self) -> str:
        """Return what the verb is done to, without any value."""
        kept = [p for p in self.phrases if not (p.nouns and p.preposition == "with")]
        return " ".join(f"{p.preposition} {p.words}".strip() for p in kept)


_LEADS = re.compile(
    r"^(?:this (?:\w+ )?(?:function|tool|api|endpoint|method|service|class|command|operation|module|action|call)|"
    r"(?:the|an?) (?:\w+ )?(?:function|tool|api|endpoint|method|service|command|operation|class)|function|tool|api|"
    r"the user can|users? can|it|which)\b"
    r"(?:,? (?:is (?:used|designed|intended|responsible)(?: to| for)?|can be used to|can|will|that|which|to|for|helps?(?: to| you)?|"
    r"allows (?:you|users?|the user|clients?|for)(?: to)?|lets (?:you|users?)|enables (?:you|users?|the user)(?: to)?|"
    r"attempts to|aims to|serves to|provides functionality to|simply))*\s+",
    re.IGNORECASE,
)
_MORE_LEADS = re.compile(
    r"^(?:used to|allows (?:you|users?|the user|for) (?:to )?|enables (?:you|users?|the user) to|helps (?:you|users? )?(?:to )?|"
    r"use this (?:\w+ )?to|attempts to|tries to|responsible for|please|to|provides functionality to)\s+",
    re.IGNORECASE,
)
_CUT = re.compile(
    r"\s*(?:[;:\"`{}\[\]|<>=]|(?<!\w)'|\s-{1,2}\s|\u2014|\.(?:\s|$)|,? ?\b(?:given|based (?:up)?on|using|via|through|according to|depending on|"
    r"that|which|where|whose|when|while|in order to|so that|such as|including|as well as|along with|with support|"
    r"with (?:the |an? )?(?:options?|ability|given|specified|optional|various|specific|provided|detailed)|by (?:its|their|the given|"
    r"providing|specifying|using|\w+ing|name|id)|for the purpose|taking into|considering|from the (?:given|provided|list)|in the form|"
    r"in the format|in (?:a )?json|as a (?:string|json|dict|list|dictionary)|with respect to|under the|associated with|related to|"
    r"if (?:any|it|no|the)|e\.g|i\.e|optionally|allowing|ensuring|making|or by|by the|per the|on behalf|"
    r"and (?:then |optionally |also )?(?:hands?|tells?|says?|lists?|returns?|provides?|gets?|retrieves?|saves?|displays?|sends?|gives|outputs?|prints?|handles?|"
    r"stores?|shows?|performs?|converts?|adds?|then|its?|their|optionally|also|can|will))\b)",
    re.IGNORECASE,
)
_DEVELOPER = re.compile(
    r"\s*\b(?:(?:via|through|from|using|in|within|on|to|of|by) (?:the|an?|its|this) (?:\w+ )?(?:api|system|database|endpoint|server|platform|backend|"
    r"service|application|dictionary|dataset|data source|storage)|in (?:json|string|dict\w*) format|as (?:json|a string)|api|json)\b"
    r"(?=$|[,.]| (?:for|to|with|in|on|at|by|and|of|from|including|if)\b)",
    re.IGNORECASE,
)
_PREPOSITIONS = frozenset(
    "of for in at on from to between by with about within near around under over during into against across after "
    "before since until among inside along toward towards regarding concerning up_to as like nearby".split()
)
_COUNT_WORDS = r"(?:two|both|multiple|several|any two|a pair of|the two|three)"
_DETERMINER = re.compile(
    r"^(?:the|an?|any|each|every|all|this|that|these|those|my|some|one|another|other) ", re.IGNORECASE
)
_ADVERBS = re.compile(r"^(?:\w+ly|just|also|then)\s+(?=\w)", re.IGNORECASE)


def read_deed(tool: Tool, nouns: Sequence[Noun]) -> Deed:
    """Return the deed of a tool: from its description when that yields a verb phrase, else from its name."""
    deed = _from_description(tool.description) or _from_name(tool)
    return _claim(deed, nouns, frozenset(tool.required))


def _from_description(description: str) -> Deed | None:
    text = description.strip().replace("U.S.", "US").replace("e.g.", "e.g")
    text = re.sub(r"\s*\([^)]*\)", "", text)
    text = re.sub(r"['\u2019\u2018`\"]s\b", "'s", text)
    for _ in range(2):
        text = _MORE_LEADS.sub("", _LEADS.sub("", text))
    text = _ADVERBS.sub("", text)
    words = text.split()
    if len(words) < 2:
        return None
    verb = base_form(words[0].rstrip(","))
    if verb is None:
        return None
    rest = " ".join(words[1:])
    rest = re.sub(r"^(?:and|or|and/or|,)\s+(\w+)\s+", lambda m: "" if base_form(m[1]) else m[0], rest)
    if words[0].endswith(","):
        rest = re.sub(r"^(?:\w+, )*(?:and|or) \w+ ", "", rest)
    rest = _speak(rest)
    if not rest or rest.lower() in ("the", "a", "an", "all", "data"):
        return None
    verb, rest = _particle(verb, rest)
    phrases = tuple(_split(rest))
    if phrases and verb in _WANTED and _lacks_article(phrases[0]):
        phrases = (replace(phrases[0], words=f"the {phrases[0].words}"), *phrases[1:])
    if not phrases or sum(len(p.words.split()) for p in phrases) > 16 or not re.match(r"[A-Za-z0-9]", rest):
        return None
    return Deed(PLAIN_VERBS.get(verb, verb), phrases)


_WANTED = frozenset(
    "get calculate compute determine estimate retrieve fetch predict identify obtain return provide find locate".split()
)
_MASS = frozenset(
    "information data pricing news advice content access feedback statistics guidance traffic weather text".split()
)


def _lacks_article(phrase: Phrase) -> bool:
    words = phrase.words.split()
    if phrase.preposition or phrase.vague or _DETERMINER.match(f"{words[0]} ") or "'s" in phrase.words:
        return False
    alone = not is_plural(phrase.words) and words[-1].lower() not in _MASS and " and " not in phrase.words
    return (
        alone
        and not re.match(r"(?:if|whether|how|who|what|which|when|where|that|these|two|time)$", words[0])
        and not words[0][0].isdigit()
    )


def _particle(verb: str, rest: str) -> tuple[str, str]:
    head, _, tail = rest.partition(" ")
    if verb in ("search", "look", "ask", "wait", "check", "apply", "query", "listen") and head == "for" and tail:
        return ("find", tail) if verb in ("search", "look", "query") else (f"{verb} for", tail)
    if verb in ("tell", "explain", "show", "describe") and re.match(
        r"(?:how|what|where|when|whether|who|which) ", rest
    ):
        return "find out", rest
    if head in ("up", "out", "off", "down", "back") and tail:
        return f"{verb} {head}", tail
    if verb in ("perform", "execute", "run", "conduct", "do", "make") and re.match(
        r"(?:an? )?(?:\w+ )?search(?:es)? for (?!(?:an? |the )?\u00a7?(?:\w+ )?(?:query|term|keyword))", rest
    ):
        return "find", re.sub(r"^(?:an? )?(?:\w+ )?search(?:es)? for ", "", rest)
    return verb, rest


_MARKED = re.compile(
    r"\b(an?|the|any|each|two|all|of|for|on|in|with|from|at|to|by|within|between|about)((?: (?:an?|the))?) "
    r"(?:(?:specific|specified|given|particular|certain|provided|desired|requested|selected|chosen) )+(?=\w)",
    re.IGNORECASE,
)
_MARK = "\u00a7"


def _speak(text: str) -> str:
    """Return a clause as people would say it: cut where details begin, developers' words and fillers out."""
    text = _MARKED.sub(rf"\1\2 {_MARK}", text)
    text = re.sub(r"^(?:specific|given) (?=\w+[^s] )", "the ", text)
    start = 8 if re.match(r"(?:if|whether|how|who|what|which|where|when) ", text) else 0
    cut = _CUT.search(text, start)
    while cut is not None and cut.start() == 0:
        text = text[cut.end() :]
        cut = _CUT.search(text)
    text = text[: cut.start()] if cut else text
    text = _DEVELOPER.sub("", text)
    text = re.sub(r"^((?:an?|the) [\w-]+), ([\w-]+)(?= [\w-]+)", lambda m: m[0] if base_form(m[2]) else f"{m[1]} {m[2]}", text)
    if not re.match(r"(?:[^,]+, )+(?:[\w'-]+ ){0,3}[\w'-]+,? and \w+", text):
        text = text.split(",", maxsplit=1)[0]
    text = re.sub(
        r"\b(?:the user's|a user's|the current user's|the customer's|your)\b",
        "my",
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"\bfor the (?:current )?user$", "for me", text)
    text = re.sub(r"\b(?:amongst|amount of time)\b", lambda m: "time" if "time" in m[0] else "among", text)
    text = re.sub(r"\bup to\b", "up_to", text)
    text = re.sub(
        rf"\b([Aa])n? {_MARK}(\w)",
        lambda m: f"{m[1]}{'n' if m[2] in 'aeioAEIO' else ''} {_MARK}{m[2]}",
        plain_phrase(text),
    )
    text = re.sub(r"\b(?:identifier|unique identifier)\b", "ID", text)
    text = re.sub(r"^(?:an? |the )?(?:\w+ )?(?:list|array|set|collection|series)s? of (?!the )", "", text)
    text = re.sub(
        rf"\b(?:an?|the) {_MARK}?(?:type|kind|sort)s? of (?:an? )?(?=\w+(?: \w+)?$|\w+ \w+ (?:for|in|at|on)\b)",
        "the ",
        text,
    )
    text = re.sub(r"\b(amount|sum) of money\b", r"\1", text)
    text = re.sub(r"\bnumber of\b", "number_of", text)
    text = re.sub(r"\b(?:the|a) user (profile|account|information|details)", r"my \1", text)
    text = re.sub(
        r"\b(of|for|from|to|in|on) (?:an? |the )?(?:list|array|set|series|collection) of ", r"\1 these ", text
    )
    text = re.sub(
        r"(?:\s+(?:of|for|in|at|on|from|to|between|by|with|and|or|the|an?|within|about|its|into|per|than|as|any|up_to))+$",
        "",
        text,
    )
    text = re.sub(
        r"\s+(?:identified|specified|provided|associated|based|related|located|called|named|found|available|close)$", "", text
    )
    text = " ".join(text.split()).strip(" ,.-")
    text = re.sub(rf"{_MARK}(?= |$)", "", text)
    return text if not re.search(r"[_{}\[\]|\\/]", re.sub(r"up_to|number_of", "", text)) else ""


def _split(text: str) -> Iterator[Phrase]:
    """Yield the object and the prepositional phrases; what follows "if" or "whether" stays together."""
    if re.match(r"(?:if|whether|how|who|what|which|where|when)\b", text):
        yield Phrase("", text.replace(_MARK, ""))
        return
    words: list[str] = []
    preposition = ""
    tokens = text.split()
    for word, following in zip(tokens, [*tokens[1:], ""], strict=True):
        proper = words and words[-1][0].isupper() and following[:1].isupper()
        adjective = word == "nearby" and not words
        if word.lower() in _PREPOSITIONS and not proper and not adjective:
            if words:
                yield _phrase(preposition, words)
            preposition, words = word.lower(), []
        else:
            words.append(word)
    if words:
        yield _phrase(preposition, words)


def _phrase(preposition: str, words: Sequence[str]) -> Phrase:
    text = " ".join(words)
    return Phrase(preposition.replace("_", " "), text.replace(_MARK, "").replace("_", " "), vague=_MARK in text)


def _from_name(tool: Tool) -> Deed:
    words = list(words_of(tool.name))
    while len(words) > 2 and (words[0] in ("api", "service", "services", "my") or words[0].isdigit()):
        words = words[1:]
    words = [w for i, w in enumerate(words) if w != "api" and not w.isdigit() and w not in words[:i]] or words
    place = next((i for i, w in enumerate(words) if base_form(w) and (i in (0, len(words) - 1))), None)
    if place is None:
        place = next((i for i, w in enumerate(words) if base_form(w) and i > 0), None)
    verb = base_form(words[place]) if place is not None else None
    if verb is None or place is None:
        verb, rest = "get", words
    else:
        rest = words[place + 1 :] or words[:place]
    thing = " ".join(ABBREVIATIONS.get(w, w) for w in rest)
    if not thing:
        return Deed(PLAIN_VERBS.get(verb, verb), (Phrase("", "this"),), named=True)
    phrases = list(_split(thing))
    head = phrases[0]
    if not head.preposition and not is_plural(head.words):
        phrases[0] = replace(head, words=f"the {head.words}")
    if verb in ("search", "query"):
        verb = "find" if is_plural(thing) else "search"
    return Deed(PLAIN_VERBS.get(verb, verb), tuple(phrases), named=True)


# Values in place of phrases


def _content(words: str) -> list[str]:
    text = words
    for _ in range(2):
        text = _DETERMINER.sub("", text)
    text = re.sub(rf"^{_COUNT_WORDS} ", "", text)
    return [w for w in re.findall(r"[a-z0-9']+", text.lower()) if w not in ("names", "name", "given", "specific")]


_SITES = frozenset({"location", "city", "place", "area", "region", "town", "address", "destination", "state"})
_SKIPPED_KINDS = frozenset({"boolean", "object"})
_UNSAYABLE_HEADS = frozenset(
    "type types mode format category method option options level criteria details information parameters user users "
    "system data results features attributes conditions settings preferences".split()
)
_NAMES = frozenset({"text", "person", "company", "city", "place", "country"})
_NUMERIC = frozenset({"number", "measure", "money", "percent"})


def _claim(deed: Deed, nouns: Sequence[Noun], required: Container[str]) -> Deed:
    """Let every phrase be replaced by the parameter whose name its head word is, or by a pair of them."""
    free = [n for n in nouns if n.kind not in _SKIPPED_KINDS]
    known = {singular(w) for n in nouns for w in n.core}
    kept: list[Phrase] = []
    dropped = False
    given = list(_from_one_to_another(deed.phrases, free))
    for phrase, following in zip(given, [*given[1:], Phrase("", "")], strict=True):
        free = [n for n in free if n not in phrase.nouns]
        if phrase.nouns:
            kept.append(phrase)
            continue
        if dropped and phrase.preposition == "of":
            continue
        owner = _owner(phrase, free)
        taken: tuple[Noun, ...] = ()
        if following.preposition != "of":
            taken = owner.nouns if owner else _takers(phrase, free, first=not kept, required=required)
        dropped = bool(kept) and not taken and _only_announces(phrase, known)
        if taken:
            kept.append(owner or replace(phrase, nouns=taken))
        elif not dropped:
            kept.append(phrase)
        free = [n for n in free if n not in taken]
    last = kept[-1]
    if len(kept) < len(given) and not last.nouns and re.search(r"\w+ \w+ed$", last.words):
        kept[-1] = replace(last, words=last.words.rsplit(" ", 1)[0])
    verb = deed.verb
    if verb == "search" and any(p.preposition == "of" and p.nouns for p in kept):
        verb = "look up"
    return replace(deed, verb=verb, phrases=tuple(kept))


def _only_announces(phrase: Phrase, known: Container[str]) -> bool:
    """Say whether a phrase holds nothing but names of parameters, which are told elsewhere."""
    heads = [singular(part.split()[-1]) for part in re.split(r",? and |, | or ", phrase.words.lower()) if part.split()]
    listed = bool(heads) and all(head in known for head in heads)
    if phrase.preposition == "of":
        return listed and (phrase.vague or len(heads) > 1)
    return (
        phrase.vague
        or (listed and phrase.preposition not in ("on", "about"))
        or heads[-1:] in (["duration"], ["timeframe"], ["criterion"], ["range"], ["condition"])
    )


def _owner(phrase: Phrase, free: Sequence[Noun]) -> Phrase | None:
    """Read "a company's profit" where there is a parameter for the company."""
    match = re.match(r"(?:an?|the) ([\w ]+)'s (.+)", phrase.words)
    if match is None:
        return None
    head = singular(match[1].split()[-1].lower())
    noun = next((n for n in free if n.kind in _NAMES and singular(n.core[-1]) == head), None)
    return replace(phrase, nouns=(noun,), owned=match[2]) if noun is not None else None


def _from_one_to_another(phrases: Sequence[Phrase], free: Sequence[Noun]) -> Iterator[Phrase]:
    pair: tuple[Noun, ...] = ()
    for phrase in phrases:
        match = re.match(r"one (\w+)$", phrase.words)
        if match and phrase.preposition == "from":
            pair = _pair_of(singular(match[1]), free)
            yield replace(phrase, nouns=pair[:1])
        elif pair and phrase.preposition == "to" and phrase.words.startswith("another"):
            yield replace(phrase, nouns=pair[1:])
        else:
            yield phrase


def _takers(phrase: Phrase, free: Sequence[Noun], *, first: bool, required: Container[str]) -> tuple[Noun, ...]:
    if re.match(r"(?:if|whether|how|my)\b", phrase.words) or " and " in phrase.words:
        return ()
    content = _content(phrase.words)
    if not content or len(content) > 4:
        return ()
    head = singular(content[-1])
    if content[-1] in _UNSAYABLE_HEADS:
        return ()
    if first and phrase.preposition == "" and len(content) > 2:
        return tuple(n for n in free if n.kind == "id" and list(n.core) == content)[:1]
    multiple = re.search(rf"^(?:the )?{_COUNT_WORDS}\b", phrase.words) or (
        is_plural(content[-1]) and phrase.preposition in ("between", "of", "from")
    )
    if multiple:
        pair = _pair_of(head, free)
        if pair:
            return pair
    for noun in free:
        if noun.path not in required and (first or [singular(w) for w in noun.core] != [singular(w) for w in content]):
            continue
        if _answers_to(noun, content, head, phrase, first=first):
            return (noun,)
    return ()


def _pair_of(head: str, free: Sequence[Noun]) -> tuple[Noun, ...]:
    alike = [n for n in free if n.kind != "array" and n.core and singular(n.core[-1]) == head and not n.plural]
    if len(alike) == 2:
        return tuple(alike)
    letters = [n for n in free if n.kind in ("number", "measure", "count") and len(n.path) == 1]
    if head in ("number", "integer", "value"):
        numbers = [
            n for n in free if n.kind in ("number", "measure", "count") and n.core[-1] in ("number", "integer", "value")
        ]
        return tuple(letters) if len(letters) == 2 else tuple(numbers) if len(numbers) == 2 else ()
    places = [n for n in free if n.kind in ("city", "place")]
    if head in ("city", "location", "place", "point", "address", "town") and len(places) == 2:
        return tuple(places)
    return ()


def _answers_to(noun: Noun, content: Sequence[str], head: str, phrase: Phrase, *, first: bool) -> bool:
    core = [singular(w) for w in noun.core]
    own = [singular(w) for w in content]
    if noun.kind == "array":
        if re.match(_COUNT_WORDS, phrase.words):
            return False
        return (
            is_plural(content[-1])
            and not phrase.words.startswith(("all ", "the "))
            and (core[-1] == head or (core[-1] in ("data", "value", "number", "item") and head == "number"))
        )
    if noun.kind == "count" or "number of" in phrase.words:
        return (
            "number of" in phrase.words
            and core[-1] == head
            and phrase.preposition in ("for", "over", "in", "within", "after")
        )
    if is_plural(content[-1]) and noun.kind != "enum":
        return False
    if noun.kind in ("city", "place") and head in _SITES and not first:
        return core[-1] in _SITES
    if (
        noun.kind in ("date", "time")
        and head == noun.kind
        and phrase.preposition in ("for", "on", "at", "of", "in", "from")
    ):
        return True
    if noun.kind in _NUMERIC:
        if first:
            return core == own and not phrase.preposition
        if (
            head in ("number", "integer", "value")
            and core[-1] == head
            and phrase.preposition in ("of", "from", "to", "than", "for")
        ):
            return len(content) == 1
        return core == own and phrase.preposition in ("at", "with", "for", "after") and head != "time"
    if core == own or core[-len(own) :] == own:
        return True
    return core[-1] == head and len(core) == 1
