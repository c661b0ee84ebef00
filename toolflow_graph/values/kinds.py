"""What a slot means: its kind, from enum, format, pattern and type first, then from its words."""

import re
from functools import lru_cache
from typing import Literal

from toolflow_graph.types import JSON
from toolflow_graph.values.naming import split_words, word_set
from toolflow_graph.values.shapes import plain_schema, plain_type

__all__ = ["Kind", "kind_of"]

Kind = Literal[
    "date",
    "time",
    "datetime",
    "money",
    "count",
    "measure",
    "percent",
    "person",
    "city",
    "country",
    "address",
    "place",
    "company",
    "email",
    "phone",
    "url",
    "id",
    "enum",
    "boolean",
    "currency",
    "text",
    "number",
    "array",
    "object",
]

_FORMATS: dict[str, Kind] = {
    "date": "date",
    "date-time": "datetime",
    "datetime": "datetime",
    "time": "time",
    "email": "email",
    "idn-email": "email",
    "uri": "url",
    "url": "url",
    "iri": "url",
    "uri-reference": "url",
    "uuid": "id",
    "phone": "phone",
}
_PEOPLE = word_set(
    "passenger customer client patient guest employee contact recipient sender author owner host attendee assignee "
    "traveler traveller organizer organiser reviewer manager doctor student teacher player artist actor director user "
    "member applicant candidate tenant driver agent person participant invitee beneficiary payee singer composer "
    "plaintiff defendant judge lawyer physician instructor tutor caller resident subscriber payer supervisor buyer "
    "adviser advisor counsellor counselor consultant "
    "seller speaker engineer approver interviewer buddy officer courier visitor editor handler colleague musician "
    "celebrity scientist politician president athlete"
)
_NAME_PARTS = word_set("full first last family middle given sur contact holder")
_COMPANIES = word_set(
    "company employer organization organisation business vendor supplier merchant firm manufacturer insurer "
    "carrier courier airline bank corporation"
)
_IDS = word_set(
    "id ids identifier code number no ref reference key token sku isbn iban uuid guid slug handle tracking plate vin "
    "zip zipcode postcode postal ticker symbol serial barcode gtin pin"
)
_PLACES = word_set(
    "location venue place airport station destination origin region state area landmark district neighborhood "
    "neighbourhood pickup dropoff hotel restaurant province county"
)
_QUARTERS = word_set("district neighborhood neighbourhood quarter area")
_CITIES = word_set("city cities town municipality")
_MONEY = word_set(
    "price cost fee salary income budget balance payment revenue rent principal deposit loan wage fare bill donation "
    "expense expenses expenditure investment premium payout refund subtotal spending spend spent savings debt "
    "charge charges tip earnings profit turnover deductible pay insured"
)
_PERCENT = word_set("percent percentage pct humidity discount probability")
_COUNTS = word_set(
    "count quantity qty nights guests adults children kids people passengers seats rooms tickets limit results pages "
    "page copies players participants employees attendees units items bedrooms bathrooms beds servings persons "
    "travelers travellers infants pets stops stars attempts retries replicas num days weeks months years bags"
)
_MEASURES = word_set(
    "temperature distance weight height width length duration minutes hours seconds speed area volume radius mass "
    "pressure latitude longitude lat lon lng depth altitude age size mileage kwh power voltage current energy force "
    "velocity acceleration calories steps carbs protein density capacity wind precipitation km meters minute hour "
    "ml kg grams angle frequency time"
)
_DATE_FORM = re.compile(r"y{2,4}[-/.]m{1,2}[-/.]d{1,2}|m{1,2}[-/.]d{1,2}[-/.]y{2,4}|d{1,2}[-/.]m{1,2}[-/.]y{2,4}")
_TIME_FORM = re.compile(r"\bh{1,2}:m{2}\b|24[- ]?h|24-hour|hh?:mm")


def kind_of(name: str, schema: JSON) -> Kind:
    """Return what the slot means, for any catalog: by its schema first, then by the words of name and description."""
    schema = plain_schema(schema)
    type_ = plain_type(schema)
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if type_ == "boolean":
        return "boolean"
    if choices:
        is_currency = "currency" in split_words(name) and all(isinstance(c, str) and len(c) == 3 for c in choices)
        return "currency" if is_currency else "enum"
    if type_ in ("array", "object"):
        return "array" if type_ == "array" else "object"
    format_ = schema.get("format", "")
    if not type_:
        type_ = "number" if "minimum" in schema or "maximum" in schema else "string"
    description = schema.get("description", "")
    return _kind(name, type_, str(format_), str(schema.get("pattern", "")), str(description))


@lru_cache(maxsize=65536)
def _kind(name: str, type_: str, format_: str, pattern: str, description: str) -> Kind:
    if type_ == "null":
        return "text"
    words = split_words(name)
    lower = description.lower()
    if type_ in ("integer", "number"):
        return _number_kind(words, lower, type_)
    if format_ in _FORMATS:
        return _FORMATS[format_]
    moment = _pattern_kind(pattern) if pattern else None
    return moment or _string_kind(words, lower, bool(pattern))


def _pattern_kind(pattern: str) -> Kind | None:
    try:
        fits = re.compile(pattern).search
    except re.error:
        return None
    if fits("zq") or fits("1234"):
        return None
    if fits("2026-06-12T09:30") or fits("2026-06-12T09:30:00") or fits("2026-06-12 09:30"):
        return "datetime"
    if fits("2026-06-12") or fits("2026-06"):
        return "date"
    return "time" if fits("09:30") or fits("09:30:00") else None


def _number_kind(words: tuple[str, ...], description: str, type_: str) -> Kind:
    found = set(words)
    last = words[-1] if words else ""
    if last in ("id", "identifier", "isbn") or found & {"zip", "zipcode"}:
        return "id"
    if words[-2:] == ("party", "size"):
        return "count"
    if found & {"year", "latitude", "longitude", "lat", "lon", "lng"}:
        return "measure" if "year" not in found or len(found) > 1 else "number"
    if found & _PERCENT or ("rate" in found and _is_percent_rate(found, description)) or "percent" in description[:60]:
        return "percent"
    priced = found & _MONEY
    if priced and "per" in found and words.index("per") > min(words.index(w) for w in priced):
        return "money"
    if last in _MEASURES or (found & _MEASURES and not priced and last not in _COUNTS):
        return "measure" if type_ == "number" or last not in _COUNTS else "count"
    if type_ == "integer" and (found & _COUNTS or (len(words) > 2 and words[:2] == ("number", "of"))):
        return "count"
    if priced or _is_amount(words, description):
        return "money"
    return "count" if "number of" in description[:40] and type_ == "integer" else "number"


_MONEY_TALK = re.compile(
    r"money|currency|dollar|euro|price|payment|pay|transfer|cost|invest|spen|budget|\busd\b|amount to (?:move|send)"
)
_STUFF = re.compile(r"water|ingredient|food|substance|\bml\b")


def _is_amount(words: tuple[str, ...], description: str) -> bool:
    found = set(words)
    last = words[-1] if words else ""
    if words[:1] == ("amount",) and len(words) > 1 and "of" not in found:
        return True
    if last in ("amount", "total", "value", "sum") and _MONEY_TALK.search(description):
        return True
    if last == "value" and found & {"declared", "gift", "order", "card", "voucher", "goods", "insured", "market"}:
        return True
    return "amount" in found and not _STUFF.search(description)


def _is_percent_rate(found: set[str], description: str) -> bool:
    wanted = {"interest", "tax", "discount", "growth", "inflation", "return", "success", "commission", "mortality"}
    return bool(found & wanted) or "percent" in description or "interest rate" in description


def _string_kind(words: tuple[str, ...], description: str, has_pattern: bool) -> Kind:
    kind = (
        _moment_kind(words, description)
        or _contact_kind(words, description)
        or _code_kind(words, description, has_pattern)
    )
    return kind or _name_kind(words, description) or ("id" if has_pattern else "text")


def _moment_kind(words: tuple[str, ...], description: str) -> Kind | None:
    found = set(words)
    last = words[-1] if words else ""
    dated = _DATE_FORM.search(description)
    if found & {"datetime", "timestamp"} or (dated and _TIME_FORM.search(description)):
        return "datetime"
    if dated or (found & {"date", "birthday", "dob", "deadline"} and not found & {"format", "range", "id", "type"}):
        return "date"
    if last in ("day", "month") and re.search(r"\b\d{4}-\d{2}|\biso\b", description):
        return "date"
    if last in ("checkin", "checkout") or words[-2:] in (("check", "in"), ("check", "out")):
        return "date"
    if last == "time" and not re.search(r"minutes|seconds|duration|period|range|how long|\bhours\b", description):
        return "time"
    return "time" if last in ("start", "end", "begin") and _TIME_FORM.search(description) else None


def _contact_kind(words: tuple[str, ...], description: str) -> Kind | None:
    found = set(words)
    last = words[-1] if words else ""
    if last in ("email", "emails") or ("email" in found and last in ("address", "id", "recipient")):
        return "email"
    if "email address" in description[:60] and last in ("to", "cc", "bcc", "recipient", "sender", "from", "attendee"):
        return "email"
    if last in ("phone", "telephone", "mobile", "fax") or (
        found & {"phone", "telephone", "mobile", "fax"} and last == "number"
    ):
        return "phone"
    return "url" if found & {"url", "uri", "website", "webpage", "homepage", "link"} else None


def _code_kind(words: tuple[str, ...], description: str, has_pattern: bool) -> Kind | None:
    found = set(words)
    last = words[-1] if words else ""
    if "currency" in found or "currencies" in found:
        return "currency"
    if last in ("country", "nationality") or (found & {"country", "nationality"} and last in ("code", "name")):
        return "country"
    if last in ("account", "acct") and re.search(r"number|\bid\b|identif", description):
        return "id"
    if (last in _IDS and (has_pattern or last != "number" or len(words) > 1)) or "tracking" in found:
        return "id"
    return None


def _is_person(words: tuple[str, ...], description: str) -> bool:
    found = set(words)
    last = words[-1] if words else ""
    if last == "name":
        named = found & (_PEOPLE | _NAME_PARTS) and not found & {"file", "user"} - _NAME_PARTS
        return bool(named) or _PERSON_NAME.search(description) is not None
    human = re.search(r"\bname\b|\bperson\b|\bwho\b|\bfull name", description)
    return last in _PEOPLE and not found & {"dns", "ip", "server", "db"} and human is not None


_PERSON_NAME = re.compile(r"name of (?:the |a |an )?(?:\w+ )?(?:person|patient|guest|customer)")


def _name_kind(words: tuple[str, ...], description: str) -> Kind | None:
    found = set(words)
    last = words[-1] if words else ""
    if last in _CITIES or (found & _CITIES and last == "name"):
        return "city"
    if (last == "address" and not found & {"ip", "mac", "web", "wallet"}) or "street" in found:
        return "address"
    if _is_person(words, description):
        return "person"
    if found & _COMPANIES and (last in _COMPANIES or last == "name"):
        return "company"
    if last in _QUARTERS:
        return "place"
    if last in _PLACES or (found & _PLACES and last == "name"):
        if found & {"state", "region", "area", "province", "county"} and "origin" not in found:
            return "place"
        return "city" if re.search(r"\bcity\b|\btown\b", description) else "place"
    if found & {"departure", "arrival", "from", "to", "source"} and re.search(r"\bcity\b", description):
        return "city"
    return None
