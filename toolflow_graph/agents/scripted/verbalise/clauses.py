"""First clauses of descriptions as people would say them: without what only developers and manuals say."""

import re

from toolflow_graph.agents.scripted.verbalise.morphology import base_form
from toolflow_graph.agents.scripted.verbalise.nouns import plain_phrase

__all__ = ["MARK", "speak", "strip_lead"]

_LEADS = re.compile(
    r"^(?:this (?:\w+ )?(?:function|tool|api|endpoint|method|service|class|command|operation|module|action|call)|"
    r"(?:the|an?) (?:\w+ )?(?:function|tool|api|endpoint|method|service|command|operation|class)|function|tool|api|"
    r"the user can|users? can|it|which)\b"
    r"(?:,? (?:is (?:used|designed|intended|responsible)(?: to| for)?|can be used to|can|will|that|which|to|"
    r"for|helps?(?: to| you)?|"
    r"allows (?:you|users?|the user|clients?|for)(?: to)?|lets (?:you|users?)|enables (?:you|users?|"
    r"the user)(?: to)?|"
    r"attempts to|aims to|serves to|provides functionality to|simply))*\s+",
    re.IGNORECASE,
)
_MORE_LEADS = re.compile(
    r"^(?:used to|allows (?:you|users?|the user|for) (?:to )?|enables (?:you|users?|the user) to|"
    r"helps (?:you|users? )?(?:to )?|"
    r"use this (?:\w+ )?to|attempts to|tries to|responsible for|please|to|provides functionality to)\s+",
    re.IGNORECASE,
)
_CUT = re.compile(
    r"\s*(?:[;:\"`{}\[\]|<>=]|(?<!\w)'|\s-{1,2}\s|\u2014|\.(?:\s|$)|,? ?\b(?:given|based (?:up)?on|using|"
    r"via|through|according to|depending on|"
    r"that|which|who|where|whose|when|while|in order to|so that|such as|including|as well as|along with|with support|"
    r"with (?:the |an? )?(?:options?|ability|given|specified|optional|various|specific|provided|detailed)|"
    r"by (?:its|their|the given|"
    r"providing|specifying|using|\w+ing|name|id)|for the purpose|taking into|considering|from the (?:given|"
    r"provided|list)|in the form|"
    r"in the format|in (?:a )?json|as a (?:string|json|dict|list|dictionary)|with respect to|under the|"
    r"associated with|related to|"
    r"if (?:any|it|no|the)|e\.g|i\.e|optionally|allowing|ensuring|making|or by|by the|per the|on behalf|"
    r"and (?:then |optionally |also )?(?:hands?|tells?|says?|lists?|returns?|provides?|gets?|retrieves?|"
    r"saves?|displays?|sends?|gives|outputs?|prints?|handles?|"
    r"stores?|shows?|performs?|converts?|adds?|then|its?|their|optionally|also|can|will))\b)",
    re.IGNORECASE,
)
_DEVELOPER = re.compile(
    r"\s*\b(?:(?:via|through|from|using|in|within|on|to|of|by) (?:the|an?|its|this) (?:\w+ )?(?:api|system|"
    r"database|endpoint|server|platform|backend|"
    r"service|application|dictionary|dataset|data source|storage)|in (?:json|string|dict\w*) format|"
    r"as (?:json|a string)|api|json)\b"
    r"(?=$|[,.]| (?:for|to|with|in|on|at|by|and|of|from|including|if)\b)",
    re.IGNORECASE,
)
_ADVERBS = re.compile(r"^(?:\w+ly|just|also|then)\s+(?=\w)", re.IGNORECASE)


def strip_lead(description: str) -> str:
    """Return a description from its verb on, without notes in brackets, "This function" and the like."""
    text = description.strip().replace("U.S.", "US").replace("e.g.", "e.g")
    text = re.sub(r"\s*\([^)]*\)", "", text)
    text = re.sub(r"['\u2019\u2018`\"]s\b", "'s", text)
    for _ in range(2):
        text = _MORE_LEADS.sub("", _LEADS.sub("", text))
    return _ADVERBS.sub("", text)


_MARKED = re.compile(
    r"\b(an?|the|any|each|two|all|of|for|on|in|with|from|at|to|by|within|between|about)((?: (?:an?|the))?) "
    r"(?:(?:specific|specified|given|particular|certain|provided|desired|requested|selected|chosen) )+(?=\w)",
    re.IGNORECASE,
)
MARK = "\u00a7"
"""Stands before a noun that was "specific" or "given": the phrase announces a parameter."""


def speak(text: str) -> str:
    """Return a clause as people would say it: cut where details begin, developers' words and fillers out."""
    text = _MARKED.sub(rf"\1\2 {MARK}", text)
    text = re.sub(r"^(?:specific|given) (?=\w+[^s] )", "the ", text)
    start = 8 if re.match(r"(?:if|whether|how|who|what|which|where|when) ", text) else 0
    cut = _CUT.search(text, start)
    while cut is not None and cut.start() == 0:
        text = text[cut.end() :]
        cut = _CUT.search(text)
    text = text[: cut.start()] if cut else text
    for match in re.finditer(r",? (?:and|then|to then) (?:then )?(\w+) (?:an?|the|its|their|all|any)\b", text):
        if base_form(match[1]):
            text = text[: match.start()]
            break
    text = re.sub(r" (?:and (?:determines|returns|calculates|generates)|to (?:determine|ensure|identify))$", "", text)
    text = _DEVELOPER.sub("", text)
    text = re.sub(
        r"^((?:an?|the) [\w-]+), ([\w-]+)(?= [\w-]+)", lambda m: m[0] if base_form(m[2]) else f"{m[1]} {m[2]}", text
    )
    if not re.match(r"(?:[^,]+, )+(?:[\w'-]+ ){0,3}[\w'-]+,? and \w+", text):
        text = text.split(",", maxsplit=1)[0]
    text = re.sub(
        r"\b(?:the user's|a user's|the current user's|the customer's|your)\b",
        "my",
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"\bfor the (?:current )?user$", "for me", text)
    text = re.sub(r"\b(near|around|to|for) you\b", r"\1 me", text)
    text = re.sub(r" to the user$| and \w+s (?:it|them)\b.*$", "", text)
    text = re.sub(r"\b(?:amongst|amount of time)\b", lambda m: "time" if "time" in m[0] else "among", text)
    text = re.sub(r"\bup to\b", "up_to", text)
    text = re.sub(
        rf"\b([Aa])n? {MARK}(\w)",
        lambda m: f"{m[1]}{'n' if m[2] in 'aeioAEIO' else ''} {MARK}{m[2]}",
        plain_phrase(text),
    )
    text = re.sub(r"\b(?:identifier|unique identifier)\b", "ID", text)
    text = re.sub(r"^(?:an? |the )?(?:\w+ )?(?:list|array|set|collection|series)s? of (?!the )", "", text)
    text = re.sub(
        rf"\b(?:an?|the) {MARK}?(?:type|kind|sort)s? of (?:an? )?(?=\w+(?: \w+)?$|\w+ \w+ (?:for|in|at|on)\b)",
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
        r"\s+(?:identified|specified|provided|associated|based|related|located|called|named|found|available|close)$",
        "",
        text,
    )
    text = " ".join(text.split()).strip(" ,.-")
    text = re.sub(rf"{MARK}(?= |$)", "", text)
    return text if not re.search(r"[_{}\[\]|\\/]", re.sub(r"up_to|number_of", "", text)) else ""
