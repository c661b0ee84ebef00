"""Fills in what a catalog leaves out, by plain rules on names and descriptions; what is filled in is marked so.

The verb says what kind of answer there is (a figure, a yes or no, a confirmation, a thing, a list of things), its
object what the answer is about: "Calculate the area of a circle" → `area`, "Find flights" → `flights`.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from toolflow_graph.catalog.infer_fields import field_schema, fields_of
from toolflow_graph.types import JSON
from toolflow_graph.values.kinds import kind_of
from toolflow_graph.values.naming import pluralise, split_words

__all__ = ["infer_returns"]

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
_AMBIGUOUS = frozenset(
    ["book", "order", "play", "list", "count", "set", "look", "record", "file", "log", "place", "share", "call", "post", "open", "start", "time", "show", "view", "rent", "track", "average", "sum", "filter", "measure", "control", "schedule", "transfer"]
)
_VAGUE = frozenset(["make", "start", "set", "initiate", "log", "record"])
_PAST: dict[str, str] = {
    "cancel": "cancelled",
    "delete": "deleted",
    "del": "deleted",
    "remove": "removed",
    "close": "closed",
    "stop": "stopped",
    "revoke": "revoked",
    "send": "sent",
    "book": "confirmed",
    "reserve": "confirmed",
    "order": "placed",
    "buy": "placed",
    "purchase": "placed",
    "schedule": "scheduled",
    "submit": "submitted",
    "pay": "paid",
    "transfer": "sent",
    "start": "started",
    "pause": "paused",
    "resume": "resumed",
    "set": "set",
    "play": "playing",
}
_ID_NOUN = {
    "book": "booking",
    "reserve": "reservation",
    "send": "message",
    "order": "order",
    "buy": "order",
    "purchase": "order",
    "pay": "payment",
    "transfer": "transfer",
    "apply": "application",
    "rent": "rental",
    "request": "request",
    "submit": "submission",
    "register": "registration",
    "enroll": "enrollment",
    "subscribe": "subscription",
    "schedule": "appointment",
}
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
_UNIT = re.compile(
    r"\bin ((?:square |cubic )?(?:kilo|centi|milli)?(?:meters?|metres?|grams?|liters?|litres?)(?: per \w+(?: squared)?)?|"
    r"square (?:feet|miles)|kilometers?|miles(?: per hour)?|feet|inches|minutes|hours|seconds|days|years|degrees"
    r"(?: celsius| fahrenheit)?|celsius|fahrenheit|kelvin|percent(?:age)?|joules|newtons|watts|kwh|dollars|usd|euros|"
    r"pascals?|volts|hertz|moles|light years)\b",
)
_CLAUSE = re.compile(
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


@dataclass(frozen=True)
class _Job:
    """What a tool does, as its name and description have it."""

    answer: Answer
    verb: str
    noun: tuple[str, ...]
    described: str


def infer_returns(name: str, description: str, parameters: JSON) -> JSON:
    """Return a plausible JSON Schema of what the tool returns: an object with described fields."""
    job = _read_job(name, description)
    build = _BUILDERS[job.answer]
    properties = build(job, parameters)
    return {"type": "object", "properties": properties, "required": list(properties)}


def _read_job(name: str, description: str) -> _Job:
    words = split_words(name)
    lower = description.lower().strip().replace("this function ", "")
    sentence = re.split(r"\.\s|\n", lower)[0]
    told = re.match(r"(?:\w+ly )?([a-z]+)\b", sentence)
    spoken = _verb(told[1]) if told else ""
    named = [w for w in words if w in _ANSWER_OF]
    sure = [w for w in named if w not in _AMBIGUOUS or w == words[0]]
    verb = _choose_verb(words, named, sure, spoken)
    answer: Answer = _ANSWER_OF.get(verb, "read")
    if verb in ("is", "has", "can") or (_CLAUSE.search(sentence) and _tests(verb, spoken)):
        return _Job("flag", verb, words, sentence)
    noun = _noun(words, verb, sentence, spoken)
    if spoken and _ANSWER_OF[spoken] == "figure" and answer in ("read", "text", "list"):
        answer, verb = "figure", spoken
    elif answer == "list" and noun[-1] in _ATTRIBUTES:
        answer = "read"
    elif answer == "read" and (_is_plural(noun) or re.search(r"\blist of\b|\ball\b", sentence[:60])):
        answer = "list" if _is_plural(noun) else answer
    elif answer == "flag" or (verb == "check" and re.search(r"availab|valid|exist", f"{name} {sentence}".lower())):
        answer = "flag"
    return _Job(answer, verb, noun, sentence)


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
_EMPTY = frozenset(["data", "information", "info", "details", "detail", "report", "reports", "record"])


def _is_plural(noun: tuple[str, ...]) -> bool:
    last = noun[-1] if noun else ""
    return last in _IRREGULAR or (last.endswith("s") and len(last) > 3 and not last.endswith(_SINGULAR_ENDING))


def _singular(word: str) -> str:
    if word in _IRREGULAR or not _is_plural((word,)):
        return _IRREGULAR.get(word, word)
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]


def _describe(name: str, job: _Job) -> str:
    words = name.replace("_", " ").capitalize()
    unit = _UNIT.search(job.described)
    return f"{words}, in {unit[1]}" if unit else words


def _list(job: _Job, parameters: JSON) -> JSON:
    head = _singular(job.noun[-1])
    plural = "_".join((*job.noun[:-1], pluralise(head)))
    known = _known(job.noun)
    names = known or [f"{head}_name", "summary"]
    items = {name: field_schema(name) for name in names}
    identity = f"{head}_id"
    if not known and f"{head}_id" not in items:
        items = {identity: _code(head), **items}
    item = {"type": "object", "properties": items, "required": list(items)}
    described = f"{' '.join((*job.noun[:-1], pluralise(head))).capitalize()} that were found"
    return {plural: {"type": "array", "description": described, "items": item, "minItems": 1, "maxItems": 4}}


def _known(noun: tuple[str, ...]) -> list[str] | None:
    found = (fields_of(word) or fields_of(_singular(word)) for word in reversed(noun))
    return next((names for names in found if names), None)


def _code(noun: str) -> JSON:
    letters = re.sub(r"[^A-Z]", "", noun.upper())[:3] or "REF"
    return {"type": "string", "pattern": f"^{letters}-[0-9]{{5}}$", "description": f"Identifier of the {noun}"}


def _read(job: _Job, parameters: JSON) -> JSON:
    field = "_".join(job.noun)
    last = job.noun[-1]
    named = len(job.noun) > 1 and last in ("city", "country", "language", "species", "color", "colour")
    known = None if named or last in _SCALARS | _ATTRIBUTES else fields_of(last) or _known(job.noun)
    if known:
        return {**_echo(parameters, 1, set(known)), **{name: field_schema(name) for name in known}}
    if last in ("time", "date"):
        return {
            field: {
                **field_schema("start_time" if last == "time" else "due_date"),
                "description": _describe(field, job),
            }
        }
    schema: JSON = {"type": "number" if last in _SCALARS else "string", "description": _describe(field, job)}
    if last == "status":
        schema["enum"] = ["active", "pending", "completed"]
    if schema["type"] == "number":
        return {**_echo(parameters, 1, {field}), **_figure(job, parameters)}
    return {**_echo(parameters, 2, {field}), field: schema}


_ATTRIBUTES = frozenset(["type", "kind", "name", "date", "time", "price", "status", "status", "capital", "author", "color", "colour"])
_SCALARS = frozenset(
    ["price", "cost", "rate", "balance", "score", "population", "distance", "temperature", "humidity", "salary", "count", "total", "average", "percentage", "probability", "speed", "age", "weight", "height", "area", "volume", "duration", "capacity", "gdp", "index", "level", "ratio", "fee", "value", "pressure", "density", "difference", "amount", "rank", "ranking", "power", "energy"]
)


def _figure(job: _Job, parameters: JSON) -> JSON:
    if job.verb == "convert":
        return _converted(job, parameters)
    if job.noun[-1] in _WORDS:
        name = "_".join(job.noun)
        return {name: {"type": "string", "description": _describe(name, job)}}
    if job.verb == "count" or job.described.startswith(("count", "the number of")):
        name = f"{_singular(job.noun[-1])}_count" if job.noun[-1] != "count" else "_".join(job.noun)
        return {name: {"type": "integer", "minimum": 1, "maximum": 120, "description": _describe(name, job)}}
    name = "_".join(job.noun)
    if _is_plural(job.noun) and re.search(r"root|solution|coefficient|factors|coordinate", name):
        items = {"type": "number", "minimum": -20, "maximum": 20, "multipleOf": 0.5}
        return {
            name: {"type": "array", "items": items, "minItems": 1, "maxItems": 3, "description": _describe(name, job)}
        }
    schema: JSON = {"type": "number", "description": _describe(name, job), **_range(name, job)}
    figure = {name: schema}
    properties = parameters.get("properties") or {}
    for unit in ("unit", "units", "currency"):
        if isinstance(properties.get(unit), dict):
            figure[unit] = _copy(properties[unit])
    if kind_of(name, {"type": "number"}) == "money" and "currency" not in figure:
        figure["currency"] = field_schema("currency")
    return figure


_WORDS = frozenset(["outcome", "winner", "type", "name", "class", "category", "sentiment", "trend", "impact", "effect", "phenotype", "genotype"])


def _range(name: str, job: _Job) -> JSON:
    if "probability" in name or "likelihood" in name:
        return {"minimum": 0.01, "maximum": 0.99, "multipleOf": 0.01}
    kind = kind_of(name, {"type": "number", "description": job.described})
    if kind == "percent":
        return {"minimum": 1, "maximum": 95, "multipleOf": 0.5}
    if kind == "money":
        return {"minimum": 20, "maximum": 48000, "multipleOf": 0.5}
    if "year" in name.split("_"):
        return {"minimum": 1900, "maximum": 2030, "multipleOf": 1}
    if "population" in name:
        return {"minimum": 4000, "maximum": 9000000, "multipleOf": 1000}
    return {"minimum": 1, "maximum": 480, "multipleOf": 0.5}


def _converted(job: _Job, parameters: JSON) -> JSON:
    properties = parameters.get("properties") or {}
    if not any(_type(p) in ("number", "integer", "array") for p in properties.values()):
        media = next((m for m in ("audio", "image", "video", "pdf") if m in f"{job.described}"), None)
        made = f"{media}_url" if media else "converted_text"
        return {
            made: {"type": "string", "description": made.replace("_", " ").capitalize()}
            | ({"format": "uri"} if media else {})
        }
    money = "currency" in f"{job.described} {' '.join(properties)} {' '.join(job.noun)}"
    name = "converted_amount" if money else "converted_value"
    result: JSON = {name: {"type": "number", "minimum": 1, "maximum": 2400, "multipleOf": 0.01}}
    result[name]["description"] = "Amount in the target currency" if money else "Value in the target unit"
    target = next((n for n in properties if {"to", "target"} & set(split_words(n))), None)
    if target is not None:
        result[target] = _copy(properties[target])
    return result


def _flag(job: _Job, parameters: JSON) -> JSON:
    words = job.noun
    text = " ".join((*words, job.described))
    start = next((i for i, w in enumerate(words) if w in ("is", "has", "can")), None)
    clause = _CLAUSE.search(job.described)
    if start is not None and len(words) > start + 1:
        name = "_".join(words[start:])
    elif "availab" in text:
        name = "available"
    elif "valid" in text:
        name = "valid"
    elif clause and clause["word"]:
        verb = {"are": "is", "have": "has", "exist": "exists", "contain": "contains"}.get(
            clause["verb"], clause["verb"]
        )
        name = f"{verb}_{clause['word']}"
    else:
        name = f"{_singular(words[-1])}_found" if words else "confirmed"
    told = f"Whether {name.replace('_', ' ')}" if "_" not in name else name.replace("_", " ").capitalize()
    return {**_echo(parameters, 2, {name}), name: {"type": "boolean", "description": told}}


def _create(job: _Job, parameters: JSON) -> JSON:
    thing = _ID_NOUN.get(job.verb) or _singular(job.noun[-1])
    status = _PAST.get(job.verb, "created")
    made = {f"{thing}_id": _code(thing), f"{thing}_status": _status(thing, status)}
    return {**made, **_echo(parameters, 3, set(made))}


def _update(job: _Job, parameters: JSON) -> JSON:
    thing = _singular(job.noun[-1])
    return {**_echo(parameters, 4, set()), f"{thing}_status": _status(thing, _PAST.get(job.verb, "updated"))}


def _end(job: _Job, parameters: JSON) -> JSON:
    thing = _singular(job.noun[-1])
    return {**_echo(parameters, 2, set()), f"{thing}_status": _status(thing, _PAST.get(job.verb, "cancelled"))}


def _status(thing: str, status: str) -> JSON:
    return {"type": "string", "enum": [status], "description": f"State of the {thing} now"}


_MADE = {"translate": "translated_text", "summarize": "summary", "summarise": "summary", "transcribe": "transcript"}


def _text(job: _Job, parameters: JSON) -> JSON:
    name = _MADE.get(job.verb, "")
    if job.verb in ("sort", "filter", "merge"):
        source = next((p for p in (parameters.get("properties") or {}).values() if _type(p) == "array"), None)
        kind = "sorted_items" if job.verb == "sort" else f"{job.verb}ed_items"
        array = _copy(source) if source else {"type": "array", "items": {"type": "string"}}
        return {kind: {**array, "description": kind.replace("_", " ").capitalize()}}
    if re.search(r"image|chart|plot|graph|picture|qr|video|pdf|report", " ".join(job.noun)):
        name = f"{job.noun[-1]}_url"
        return {name: {"type": "string", "format": "uri", "description": f"Link to the {job.noun[-1]}"}}
    if not name and _is_plural(job.noun):
        return _list(job, parameters)
    known = None if name else fields_of(job.noun[-1])
    if known and job.verb not in ("generate", "compose"):
        return {field: field_schema(field) for field in known}
    field = name or "_".join(job.noun)
    return {field: {"type": "string", "description": field.replace("_", " ").capitalize()}}


def _echo(parameters: JSON, most: int, taken: set[str]) -> JSON:
    """Return the schemas of the identifying arguments, which the result repeats: required scalars, ids first."""
    properties = parameters.get("properties") or {}
    required = [n for n in parameters.get("required", ()) if isinstance(properties.get(n), dict)]
    plain = [n for n in required if _type(properties[n]) in ("string", "integer", "number") and n not in taken]
    plain = [n for n in plain if split_words(n)[-1:] not in (("password",), ("token",), ("key",))]
    ordered = sorted(plain, key=lambda n: split_words(n)[-1:] != ("id",))
    return {name: _copy(properties[name]) for name in ordered[:most]}


def _copy(schema: JSON) -> JSON:
    return {key: value for key, value in schema.items() if key not in ("default", "optional")}


def _type(schema: Any) -> str:
    return str(schema.get("type", "")) if isinstance(schema, dict) else ""


_BUILDERS = {
    "list": _list,
    "read": _read,
    "figure": _figure,
    "flag": _flag,
    "create": _create,
    "update": _update,
    "end": _end,
    "text": _text,
}
