"""Just enough English morphology: verbs back to their base form, participles, plurals and articles."""

import re
from functools import lru_cache

from toolflow_graph.values.naming import pluralise

__all__ = ["base_form", "gerund", "is_plural", "participle", "singular", "with_article"]

_VERBS = frozenset(
    """accept access bypass decompose invert narrow sanitize mimic emulate crawl hash scrub ingest poke rotate beautify
    activate add adjust advance aggregate alert align allocate allow analyse analyze annotate answer append apply
    approve archive arrange articulate assess assign assist associate attach authenticate authorize automate backup
    balance ban bid blend block book boost bring broadcast browse build buy calculate call cancel capture categorize
    change charge chart check choose classify clean clear clone close collect combine comment commit compare compile
    complete compose compress compute concatenate conduct configure confirm connect construct consult contact
    contribute convert cook copy correct count craft create crop curate customize cut deactivate deal debit decide
    decode decompress decrease decrypt deduct define delete deliver deploy derive describe design detect determine
    develop diagnose dim disable discover dismiss dispatch display distribute divide donate download draft draw drop
    edit email employ enable encode encrypt end enhance enlist enrol enroll ensure enter escalate establish estimate
    evaluate examine execute expand explain explore export extend extract fetch file fill filter find finish fit fix
    flag flip follow forecast format forward gather generate get give grant group guess handle help hide hire identify
    implement import improve increase inform initialise initialize initiate insert inspect install integrate interact
    interpret interview invest invite invoke isolate issue join judge keep launch lay learn leave lend link list
    listen load locate lock log look lookup lower maintain make manage map mark match measure merge message mix model
    modify monitor mount move multiply mute name navigate negotiate normalize note notify obtain offer open optimise
    optimize orchestrate order organise organize orient outline pair parse participate partition pass pause pay
    perform permit pick pin ping place plan plant play plot poll post predict prefetch preheat prepare prescribe
    present preserve preview print process produce program project promote prompt propose protect provide provision
    publish pull purchase push put query quote raise randomize rank rate read rearrange receive reclaim recognize
    recommend reconcile record recover redeem redirect reduce refresh refund register reject release reload remind
    remove rename render renew rent reorder repair repeat replace reply report request reroute reschedule research
    reserve reset resize resolve respond restart restore restrict resume retrain retrieve return reverse revert review
    revise revoke roast roll rotate round route run sample save scale scan schedule score scrape screen scroll search
    secure segment select sell send separate serve set settle share shift ship show shuffle sign simplify simulate
    skip slice solve sort split spot stack start stop store stream strip study submit subscribe substitute subtract
    suggest sum summarise summarize supply support suspend switch synchronize synthesize tag take tally teach tell
    terminate test text throw toggle trace track train transcribe transfer transform translate transmit transpose
    trigger trim tune turn undo unfollow uninstall unlock unsubscribe update upgrade upload use validate value verify
    view visit visualize void vote warn watch weigh wipe withdraw write zip zoom""".split()
)
_MISSPELT = {"retrive": "retrieve", "retrives": "retrieve", "calcualte": "calculate", "calcuate": "calculate"}
_IRREGULAR = {
    "begin": "begun",
    "bid": "bid",
    "bring": "brought",
    "build": "built",
    "buy": "bought",
    "choose": "chosen",
    "cut": "cut",
    "deal": "dealt",
    "draw": "drawn",
    "find": "found",
    "get": "found",
    "give": "given",
    "hide": "hidden",
    "keep": "kept",
    "lay": "laid",
    "leave": "left",
    "lend": "lent",
    "make": "made",
    "pay": "paid",
    "put": "put",
    "read": "read",
    "rewrite": "rewritten",
    "run": "run",
    "sell": "sold",
    "send": "sent",
    "set": "set",
    "show": "shown",
    "split": "split",
    "take": "taken",
    "teach": "taught",
    "tell": "told",
    "throw": "thrown",
    "undo": "undone",
    "withdraw": "withdrawn",
    "write": "written",
    "fit": "fitted",
    "hold": "held",
    "do": "done",
}
_DOUBLED = frozenset(
    "get set put run cut let plan stop drop log map plot ship skip spot tag trim zip flip pin ban crop submit refer "
    "cancel travel label model enrol fit transfer commit clip strip scan permit reset shut dim unzip program "
    "forget begin".split()
)
_SINGULAR_S = frozenset(
    "news status address access process progress analysis basis gas bus class boss success business pass canvas virus "
    "bonus focus campus axis radius press mathematics physics lens mass loss glass cross diagnosis synthesis thesis "
    "hypothesis dress express congress chess tennis apparatus census chaos atlas us dns css aws gps sms https pos abs "
    "ios cvss rss tls ssl eps yes".split()
)
_IRREGULAR_SINGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "criteria": "criterion",
    "vertices": "vertex",
    "indices": "index",
    "matrices": "matrix",
    "analyses": "analysis",
    "movies": "movie",
    "cookies": "cookie",
    "calories": "calorie",
    "selfies": "selfie",
    "axes": "axis",
    "lives": "life",
    "knives": "knife",
    "series": "series",
    "species": "species",
    "statuses": "status",
    "addresses": "address",
    "caches": "cache",
    "buses": "bus",
    "gases": "gas",
    "viruses": "virus",
    "bonuses": "bonus",
    "quizzes": "quiz",
    "media": "media",
    "data": "data",
    "feet": "foot",
    "shoes": "shoe",
    "dice": "dice",
    "houses": "house",
    "courses": "course",
    "expenses": "expense",
    "licenses": "license",
    "purchases": "purchase",
    "databases": "database",
    "releases": "release",
    "diseases": "disease",
    "exercises": "exercise",
    "phases": "phase",
    "phrases": "phrase",
    "responses": "response",
    "horses": "horse",
    "nurses": "nurse",
    "cases": "case",
    "warehouses": "warehouse",
    "leases": "lease",
    "verses": "verse",
    "universes": "universe",
    "sizes": "size",
    "prizes": "prize",
}
_VOWEL_SOUND = re.compile(
    r"^(?:[aeio](?!ne\b|nce\b)|u(?!n[iy]|s[aeiu]|til|k|rl|sb)|ho(?:ur|nest|nour|nor)|heir|[fhlmnrsx]\b|"
    r"[FLMNRSX](?=[A-Z0-9]|\b)|e-)"
)


@lru_cache(maxsize=4096)
def base_form(word: str) -> str | None:
    """Return the base form of a known verb in its base or third-person form; None for any other word."""
    word = word.lower()
    if word in _VERBS:
        return word
    if word in _MISSPELT:
        return _MISSPELT[word]
    if not word.endswith("s"):
        return None
    for candidate in (word[:-1], word[:-2], word[:-3] + "y"):
        if candidate in _VERBS:
            return candidate
    return None


def gerund(verb: str) -> str:
    """Return "getting", "making", "adding"; of a phrase, that of its first word."""
    head, space, rest = verb.partition(" ")
    if head in _DOUBLED:
        form = f"{head}{head[-1]}ing"
    elif head.endswith("ie"):
        form = f"{head[:-2]}ying"
    elif head.endswith("e") and not head.endswith(("ee", "oe", "ye")) and head != "be":
        form = f"{head[:-1]}ing"
    else:
        form = f"{head}ing"
    return f"{form}{space}{rest}"


def participle(verb: str) -> str:
    """Return "deleted", "sent", "planned"."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ed"
    if verb.endswith("e"):
        return f"{verb}d"
    if re.search(r"[^aeiou]y$", verb):
        return f"{verb[:-1]}ied"
    return f"{verb}ed"


@lru_cache(maxsize=4096)
def is_plural(noun: str) -> bool:
    """Say whether a noun phrase takes a plural verb, by the last word before any "of", "for", "in" ….

    >>> is_plural("details of the car"), is_plural("status"), is_plural("price and distance")
    (True, False, True)
    """
    head = re.split(
        r" (?:of|for|in|at|on|from|to|between|by|with|about|near|within|under|per|detailing|containing|including)\b",
        noun,
        maxsplit=1,
    )[0]
    head = re.sub(r"(?<=\w) \w+ed$", "", head.strip())
    if re.search(r"\w,? and \w", head):
        return True
    word = re.split(r"[ -]", head.strip())[-1].lower()
    if word in _SINGULAR_S or word in ("information", "data", "media"):
        return False
    if word in _IRREGULAR_SINGULAR:
        return word not in ("series", "species")
    return word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2


@lru_cache(maxsize=4096)
def singular(noun: str) -> str:
    """Return the singular of a noun phrase whose last word (before "of") may be plural."""
    head, preposition, tail = noun.partition(" of ")
    if preposition:
        return f"{singular(head)} of {tail}"
    before, space, last = noun.rpartition(" ")
    lower = last.lower()
    if lower in _IRREGULAR_SINGULAR:
        last = _IRREGULAR_SINGULAR[lower]
    elif lower in _SINGULAR_S or not lower.endswith("s") or lower.endswith("ss") or len(lower) < 4:
        pass
    elif lower.endswith("ies") and len(lower) > 4:
        last = last[:-3] + "y"
    elif lower.endswith(("ches", "shes", "xes", "sses", "zes")):
        last = last[:-2]
    else:
        last = last[:-1]
    return f"{before}{space}{last}"


def with_article(noun: str) -> str:
    """Return a noun phrase with "a" or "an"; a plural, or one that has a determiner, as it is."""
    first = noun.split(" ", 1)[0].lower()
    if first in ("the", "a", "an", "my", "your", "our", "its", "this", "that", "these", "all") or is_plural(noun):
        return noun
    if noun.split(" of ", maxsplit=1)[0].rsplit(" ", maxsplit=1)[-1] in (
        "information",
        "data",
        "advice",
        "weather",
        "traffic",
        "news",
        "music",
    ):
        return noun
    return f"{'an' if _VOWEL_SOUND.match(noun) else 'a'} {noun}"


def plural(noun: str) -> str:
    """Return the plural; a noun that is plural already stays as it is."""
    return noun if is_plural(noun) else pluralise(noun)
