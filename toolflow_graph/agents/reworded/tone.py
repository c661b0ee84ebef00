"""How a line is meant: whether it asks, denies, greets or offers, and in which language."""

import re
from collections.abc import Iterator

from toolflow_graph.agents.reworded.line import Line
from toolflow_graph.values.naming import fold, phrase_list, word_set
from toolflow_graph.values.reading import STOPWORDS, read

__all__ = ["find_change_of_tone", "find_dayparts"]

_DENIES = re.compile(
    r"\b(?:no|not|never|none|nothing|nobody|nowhere|neither|nor|cannot|without|nope|nah|hardly|no-one)\b|n't\b"
)
_FAILS = re.compile(
    r"\b(?:unable|unavailable|impossible|fail(?:s|ed|ure)?|declin(?:es?|ed)|refus(?:es?|ed)|reject(?:s|ed)|denied|"
    r"missing|lacks?|lacking|unsuccessful|invalid|incorrect|sold out|beyond|outside what|afraid|sorry|unfortunately|"
    r"except|unless|empty|instead|un[a-z]+ed)\b"
)
_SOFTENS = re.compile(
    r"\b(?:wrong|outside|down|stuck|rather than|free of|avoid(?:s|ing)?|skip(?:s|ping)?|less|zero|leave out|far from|"
    r"stop(?:s|ped)?|only)\b"
)
_NO_DENIALS = re.compile(
    r"\bno (?:problem|worries|rush|hurry|trouble|doubt|matter|bother|need)\b|\bwhy (?:not|don't (?:we|you|i))\b|"
    r"\bnot (?:bad|to mention|only|at all)\b|\bdon't (?:forget|you|worry|mind)\b|\bnot sure\b|\bif not\b|\bor not\b|"
    r"\b(?:can|could|would|will|do|does|is|are|have|has)n't (?:you|we|it|there|that)\b|\bcan't wait\b|"
    r"\bwouldn't mind\b|\bno longer\b|\bnothing (?:else|more)\b|\bnot least\b|\bsooner or later\b|\bno\. ?\d+|"
    r"\bno one's\b|\bnever mind\b|\bdon't mention it\b|\bthink nothing of it\b"
)
_AT_FIRST = re.compile(
    r"(?:n't|\b(?:not|never)) [^.!?;]{0,30}?\b(?:at first|at once|straight away|right away|(?:the|on the|my) first "
    r"(?:time|go|try|attempt))\b"
)
"""A failure that was got over; a line that tells of another try may be put so."""

_TRIED_AGAIN = re.compile(
    r"\b(?:second|third|another|next|last) (?:go|try|attempt)\b|\b(?:second|third) time\b|\b(?:tried|try) again\b"
)
_OPPOSITES = tuple(
    (word_set(one), word_set(other))
    for one, other in (
        ("early earlier earliest sooner soonest", "late later latest"),
        ("cheap cheaper cheapest", "expensive pricier priciest dear dearer dearest costlier costliest"),
        ("before", "after"),
        ("more", "less fewer"),
        ("above over", "below under"),
        ("minimum min", "maximum max"),
        ("high higher highest", "low lower lowest"),
        ("long longer longest", "short shorter shortest"),
        ("big bigger biggest large larger largest", "small smaller smallest"),
        ("fast faster fastest quick quicker quickest", "slow slower slowest"),
        ("old older oldest", "new newer newest"),
        ("near nearer nearest close closer closest", "far farther farthest further furthest"),
        ("best better", "worst worse"),
        ("open opens opened opening", "close closes closed closing shut"),
        ("arrive arrives arrived arriving arrival", "depart departs departing departure leaves leaving"),
        ("buy buys buying bought", "sell sells selling sold"),
        ("add adds added adding", "remove removes removed removing drop dropped"),
        ("increase increases increased raise raised", "decrease decreases decreased reduce reduced"),
        ("include includes included including", "exclude excludes excluded excluding"),
        ("accept accepted approve approved", "decline declined reject rejected"),
        ("confirm confirmed", "cancel cancelled canceled"),
        ("book booked", "cancel cancelled canceled"),
        ("enable enabled", "disable disabled"),
        ("lock locked", "unlock unlocked"),
        ("start starts started starting begin begins", "stop stops stopped end ends ended"),
        ("first", "last"),
        ("all every everything", "none nothing"),
        ("north northern", "south southern"),
        ("east eastern", "west western"),
        ("inbound incoming", "outbound outgoing"),
        ("inside indoors indoor", "outside outdoors outdoor"),
        ("paid", "unpaid"),
        ("public", "private"),
        ("weekday weekdays", "weekend weekends"),
        ("always", "never"),
    )
)
_SWITCHED = re.compile(r"\b(?:switch|turn|put)(?:ed|ing|s)? (?:it |them |that )?(on|off)\b|\bswitched (on|off)\b")
_LAST = re.compile(r"\b(?:the|that|your|my) (?:very )?last (?=one|of|option|item|on)")
_GREETING = re.compile(r"^(?:hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day))\b")
_OFFER = re.compile(
    r"\blet me know if\b|\banything else\b|\bhappy to (?:help|assist)\b|\bglad to (?:help|assist)\b|\bfeel free\b|"
    r"\bhope (?:this|that|it) helps\b|\bi(?:'ll| will) (?:make sure|remind|keep|get back|follow up|send you)\b|"
    r"\bi (?:promise|guarantee)\b|\bfree of charge\b|\bmoney back\b"
)
_QUESTION = re.compile(
    r"(?:^|[.!?,:;-] ?)(?:(?:and|so|but|ok|okay|then|also|oh|now|well|right|please|say|hm+|mm+|"
    r"before i forget),? )*(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|am|do|does|did|can|could|"
    r"would|will|shall|should|has|have|had|may|might|isn't|aren't|don't|doesn't|can't|couldn't|won't|any|anything|"
    r"what's|who's|where's|how's|when's)\b"
)
_WANTS = re.compile(
    r"\b(?:please|need|needs|want|wants|like|tell|show|check|find|look|see|give|get|let me know|know|wonder|wondering|"
    r"curious|help|list|send|say|which|what|who|whom|when|where|how|whether|if|recommend|suggest|pull up|bring up|"
    r"work out|search|searching|remind|compare|read|interested|love|fancy|any chance|looking|trying|hoping|after)\b"
)
_ASKS_FOR = re.compile(
    r"\b(?:tell me|let me know|i need|i'd need|i still need|give me|say|which|what|who|where|when|how|send me|share)\b"
)
_DAYPARTS = {
    "morning": (0, 720),
    "afternoon": (720, 1080),
    "evening": (1020, 1440),
    "night": (1080, 1440),
}
_DAYPART = re.compile(r"\b(morning|afternoon|evening|tonight|(?<!last )night)\b")
_GREETED = re.compile(r"\bgood (?:morning|afternoon|evening|night)\b")
_LEAST_WORDS = 5
_LETTER = re.compile(r"[^\W\d_]")
_ENGLISH = STOPWORDS | frozenset(
    word
    for words in phrase_list(
        "yes yeah no ok okay thanks thank cheers great good fine right sure got it's that's i'm i'll i'd let's what's "
        "there's you're don't all one more now here make sound done go put want need like know see get take give best"
    )
    for word in words.split()
)


def find_change_of_tone(line: Line, text: str) -> Iterator[str]:
    """Yield what a rewording does to the meaning besides its values: asks no longer, denies, greets …."""
    old, new = _plain(line.text), _plain(text)
    yield from _find_lost_question(line, old, new)
    yield from _find_denial(old, new)
    yield from _find_opposites(old, new)
    yield from _find_daypart(line, text)
    if _GREETING.search(new) and not _GREETING.search(old):
        yield "it greets, and the line does not"
    offer = _OFFER.search(new)
    if offer and not _OFFER.search(old):
        yield f"it adds an offer or a promise: {offer[0]!r}"
    yield from _find_language(line.text, text)


def _plain(text: str) -> str:
    return " ".join(fold(text).split())


def _find_lost_question(line: Line, old: str, new: str) -> Iterator[str]:
    if line.speaker == "assistant":
        if "?" in old and "?" not in new:
            yield "the line asks, so it must have a question mark"
        elif line.asks and "?" not in new and not _ASKS_FOR.search(new):
            yield "the line asks for something, and this does not"
        elif "?" in new and "?" not in old and not line.asks:
            yield "the line asks nothing, so there must be no question"
        return
    asked = "?" in old or _QUESTION.search(old)
    if line.requests:
        if asked and "?" not in new and not (_QUESTION.search(new) or _WANTS.search(new) or _orders(new)):
            yield "the line asks for something, and this only states it"
    elif "?" in old and "?" not in new and not (_QUESTION.search(new) or _WANTS.search(new)):
        yield "the line is a question and must stay one"
    elif "?" in new and not (asked or _WANTS.search(old)):
        yield "the line is no question and must not become one"


def _orders(text: str) -> bool:
    """Tell whether a sentence begins like an order: with neither a subject nor an article."""
    firsts = re.findall(r"(?:^|[.!?,:;-] )(?:(?:and|so|but|ok|okay|then|also|great|well|right|fine),? )*([a-z]+)", text)
    return any(word not in _SUBJECTS for word in firsts)


_SUBJECTS = word_set(
    "i it that this the a an there he she they we you my your our his her their its these those one all both each some "
    "no nothing nobody in on at for from with to of by after before until"
)


def _find_denial(old: str, new: str) -> Iterator[str]:
    """Yield a denial that came or went; one may be put as a failure ("unable") that the other text does not have."""
    again = _TRIED_AGAIN.search(old) and (_TRIED_AGAIN.search(new) or _AT_FIRST.search(new))
    old, new = (_NO_DENIALS.sub(" ", _AT_FIRST.sub(" ", text) if again else text) for text in (old, new))
    denied, denies = _DENIES.search(old), _DENIES.search(new)
    failed, fails = (set(_FAILS.findall(text)) for text in (old, new))
    softens = set(_SOFTENS.findall(new)) - set(_SOFTENS.findall(old))
    if denied and not (denies or fails - failed or softens):
        yield f"the line says {denied[0]!r}, and this denies nothing"
    elif denies and not (denied or failed - fails):
        yield f"it says {denies[0]!r}, and the line denies nothing"


def _find_opposites(old: str, new: str) -> Iterator[str]:
    had, has = read(old, None).words, read(new, None).words
    for one, other in _OPPOSITES:
        for mine, theirs in ((one, other), (other, one)):
            if had & mine and not had & theirs and has & theirs and not has & mine:
                yield f"{min(had & mine)!r} has become {min(has & theirs)!r}"
    was, now = _find_answers(old), _find_answers(new)
    if was and now and not was & now:
        yield f"{min(was)!r} has become {min(now)!r}"
    if _LAST.search(old) and not {"last", "final", "bottom"} & has:
        yield "'last' is gone"
    was, now = _switches(old), _switches(new)
    if was and now and not was & now:
        yield f"{min(was)!r} has become {min(now)!r}"


def _find_answers(text: str) -> set[str]:
    """Return "yes" or "no" where a sentence answers so; the "no" of "no doctor" denies, and answers nothing."""
    return {"yes" if match[1] in _YES else "no" for match in _ANSWER.finditer(text)}


_YES = word_set("yes yeah yep")
_ANSWER = re.compile(r"(?:^|[.!?;:,] )(yes|yeah|yep|no|nope|nah)(?=[.,!;:…]|$)")


def _switches(text: str) -> set[str]:
    return {match[1] or match[2] for match in _SWITCHED.finditer(text)}


def _find_daypart(line: Line, text: str) -> Iterator[str]:
    old, new = read(line.text, line.today), read(text, line.today)
    was, now = _dayparts(old.folded), _dayparts(new.folded)
    for part in was - now:
        if not _lies_in(part, new.times) and not _near(part, now):
            yield f"{part!r} is gone"
    for part in now - was:
        if not _lies_in(part, old.times) and not _near(part, was):
            yield f"the line does not say {part!r}"


def _dayparts(folded: str) -> set[str]:
    found = (match[1] for match in find_dayparts(folded))
    return {"evening" if part == "tonight" else part for part in found}


def find_dayparts(folded: str) -> Iterator[re.Match[str]]:
    """Yield the parts of the day that a folded text names, those of greetings aside."""
    greeted = [match.span() for match in _GREETED.finditer(folded)]
    return (m for m in _DAYPART.finditer(folded) if not any(start <= m.start() < end for start, end in greeted))


def _near(part: str, others: set[str]) -> bool:
    late = {"evening", "night"}
    return part in late and bool(others & late)


def _lies_in(part: str, times: frozenset[int]) -> bool:
    first, last = _DAYPARTS[part]
    return any(first <= time < last for time in times)


def _find_language(old: str, new: str) -> Iterator[str]:
    known = {_script(letter) for letter in _LETTER.findall(old)} | {"latin"}
    strange = next((letter for letter in _LETTER.findall(new) if _script(letter) not in known), None)
    words = read(new, None).tokens
    if strange is not None:
        yield f"it must be written in the language of the line ({strange!r} is not)"
    elif len(words) >= _LEAST_WORDS and not set(words) & (_ENGLISH | read(old, None).words):
        yield "it must be written in the language of the line"


def _script(letter: str) -> str:
    return "latin" if ord(letter) < _LATIN_END else f"{ord(letter) >> 8:x}"


_LATIN_END = 0x250
