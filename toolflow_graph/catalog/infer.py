"""Fills in what a catalog leaves out, by plain rules on names and descriptions; what is filled in is marked so.

The verb says what kind of answer there is (a figure, a yes or no, a confirmation, a thing, a list of things), its
object what the answer is about: "Calculate the area of a circle" → `area`, "Find flights" → `flights`.
"""

import re
from collections.abc import Callable
from typing import Any

from toolflow_graph.catalog.infer_fields import field_schema, fields_of
from toolflow_graph.catalog.infer_job import ATTRIBUTES, CLAUSE, Answer, Job, is_plural, read_job, singular
from toolflow_graph.types import JSON
from toolflow_graph.values.kinds import kind_of
from toolflow_graph.values.naming import pluralise, split_words, word_set

__all__ = ["infer_returns"]

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
_UNIT = re.compile(
    r"\bin ((?:square |cubic )?(?:kilo|centi|milli)?(?:met(?:er|re)s?|grams?|lit(?:er|re)s?)(?: per \w+)?(?: squared)?|"
    r"square (?:feet|miles)|kilometers?|miles(?: per hour)?|feet|inches|minutes|hours|seconds|days|years|"
    r"degrees(?: celsius| fahrenheit)?|celsius|fahrenheit|kelvin|percent(?:age)?|joules|newtons|watts|kwh|"
    r"dollars|usd|euros|pascals?|volts|hertz|moles|light years)\b",
)


def infer_returns(name: str, description: str, parameters: JSON) -> JSON:
    """Return a plausible JSON Schema of what the tool returns: an object with described fields."""
    job = read_job(name, description)
    build = _BUILDERS[job.answer]
    properties = build(job, parameters)
    return {"type": "object", "properties": properties, "required": list(properties)}


def _describe(name: str, job: Job) -> str:
    words = name.replace("_", " ").capitalize()
    unit = _UNIT.search(job.described)
    return f"{words}, in {unit[1]}" if unit else words


def _list(job: Job, _parameters: JSON) -> JSON:
    head = singular(job.noun[-1])
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
    found = (fields_of(word) or fields_of(singular(word)) for word in reversed(noun))
    return next((names for names in found if names), None)


def _code(noun: str) -> JSON:
    letters = re.sub(r"[^A-Z]", "", noun.upper())[:3] or "REF"
    return {"type": "string", "pattern": f"^{letters}-[0-9]{{5}}$", "description": f"Identifier of the {noun}"}


def _read(job: Job, parameters: JSON) -> JSON:
    field = "_".join(job.noun)
    last = job.noun[-1]
    named = len(job.noun) > 1 and last in ("city", "country", "language", "species", "color", "colour")
    known = None if named or last in _SCALARS | ATTRIBUTES else fields_of(last) or _known(job.noun)
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


_SCALARS = word_set(
    "price cost rate balance score population distance temperature humidity salary count total average percentage "
    "probability speed age weight height area volume duration capacity gdp index level ratio fee value pressure "
    "density difference amount rank ranking power energy"
)


def _figure(job: Job, parameters: JSON) -> JSON:
    if job.verb == "convert":
        return _converted(job, parameters)
    if job.noun[-1] in _WORDS:
        name = "_".join(job.noun)
        return {name: {"type": "string", "description": _describe(name, job)}}
    if job.verb == "count" or job.described.startswith(("count", "the number of")):
        name = f"{singular(job.noun[-1])}_count" if job.noun[-1] != "count" else "_".join(job.noun)
        return {name: {"type": "integer", "minimum": 1, "maximum": 120, "description": _describe(name, job)}}
    name = "_".join(job.noun)
    if is_plural(job.noun) and re.search(r"root|solution|coefficient|factors|coordinate", name):
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


_WORDS = word_set("outcome winner type name class category sentiment trend impact effect phenotype genotype")


def _range(name: str, job: Job) -> JSON:
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


def _converted(job: Job, parameters: JSON) -> JSON:
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


def _flag(job: Job, parameters: JSON) -> JSON:
    words = job.noun
    text = " ".join((*words, job.described))
    start = next((i for i, w in enumerate(words) if w in ("is", "has", "can")), None)
    clause = CLAUSE.search(job.described)
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
        name = f"{singular(words[-1])}_found" if words else "confirmed"
    told = f"Whether {name.replace('_', ' ')}" if "_" not in name else name.replace("_", " ").capitalize()
    return {**_echo(parameters, 2, {name}), name: {"type": "boolean", "description": told}}


def _create(job: Job, parameters: JSON) -> JSON:
    thing = _ID_NOUN.get(job.verb) or singular(job.noun[-1])
    status = _PAST.get(job.verb, "created")
    made = {f"{thing}_id": _code(thing), f"{thing}_status": _status(thing, status)}
    return {**made, **_echo(parameters, 3, set(made))}


def _update(job: Job, parameters: JSON) -> JSON:
    thing = singular(job.noun[-1])
    return {**_echo(parameters, 4, set()), f"{thing}_status": _status(thing, _PAST.get(job.verb, "updated"))}


def _end(job: Job, parameters: JSON) -> JSON:
    thing = singular(job.noun[-1])
    return {**_echo(parameters, 2, set()), f"{thing}_status": _status(thing, _PAST.get(job.verb, "cancelled"))}


def _status(thing: str, status: str) -> JSON:
    return {"type": "string", "enum": [status], "description": f"State of the {thing} now"}


_MADE = {"translate": "translated_text", "summarize": "summary", "summarise": "summary", "transcribe": "transcript"}


def _text(job: Job, parameters: JSON) -> JSON:
    name = _MADE.get(job.verb, "")
    if job.verb in ("sort", "filter", "merge"):
        source = next((p for p in (parameters.get("properties") or {}).values() if _type(p) == "array"), None)
        kind = "sorted_items" if job.verb == "sort" else f"{job.verb}ed_items"
        array = _copy(source) if source else {"type": "array", "items": {"type": "string"}}
        return {kind: {**array, "description": kind.replace("_", " ").capitalize()}}
    if re.search(r"image|chart|plot|graph|picture|qr|video|pdf|report", " ".join(job.noun)):
        name = f"{job.noun[-1]}_url"
        return {name: {"type": "string", "format": "uri", "description": f"Link to the {job.noun[-1]}"}}
    if not name and is_plural(job.noun):
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


_BUILDERS: dict[Answer, Callable[[Job, JSON], JSON]] = {
    "list": _list,
    "read": _read,
    "figure": _figure,
    "flag": _flag,
    "create": _create,
    "update": _update,
    "end": _end,
    "text": _text,
}
