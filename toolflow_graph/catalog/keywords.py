"""The keywords of one schema without what is inside it: types, limits, choices, examples; what is not valid is dropped.

OpenAPI documents write types and limits in many ways: `nullable`, `exclusiveMinimum: true`, `type: file`, numbers as
choices of a string. What comes out is valid JSON Schema (Draft 2020-12).
"""

import importlib
import re
import warnings
from functools import lru_cache
from typing import Any

from toolflow_graph.catalog.texts import clean_text
from toolflow_graph.types import JSON

__all__ = ["DESCRIBED", "describe", "fits", "keep_examples", "keep_keywords", "read_types", "to_nullable"]

DESCRIBED = ("description", "title", "default", "example", "examples", "x-example")
"""Keywords that may stand beside a reference."""

_PARSER: Any = importlib.import_module("re._parser")
_LONGEST_DESCRIPTION = 400
_MOST_CHOICES = 256
_MOST_EXAMPLES = 3
_LONGEST_EXAMPLE = 200
_LONGEST_PATTERN = 400
_MOST_REPEATS = 1000
_FEW_REPEATS = 10
_TYPES: dict[str, tuple[str, str]] = {
    **{name: (name, "") for name in ("object", "array", "string", "number", "integer", "boolean")},
    **dict.fromkeys(("int", "int32", "int64", "long", "short", "byte", "biginteger"), ("integer", "")),
    **dict.fromkeys(("float", "double", "decimal", "numeric", "bigdecimal"), ("number", "")),
    **dict.fromkeys(("bool", "boolen"), ("boolean", "")),
    **dict.fromkeys(("dict", "map", "hashmap", "json", "hash"), ("object", "")),
    **dict.fromkeys(("list", "set", "tuple", "collection"), ("array", "")),
    **dict.fromkeys(("str", "text", "char", "varchar", "enum", "password", "token", "guid"), ("string", "")),
    **dict.fromkeys(("file", "binary", "stream"), ("string", "binary")),
    **dict.fromkeys(("datetime", "date-time", "timestamp"), ("string", "date-time")),
    **{name: ("string", name) for name in ("date", "time", "uuid", "uri", "email")},
    "url": ("string", "uri"),
}
_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}
_PLACEHOLDER = re.compile(r"\{.*\}|<.*>|string|(?i:your[ _-].*)|x{3,}", re.DOTALL)


def read_types(schema: JSON) -> tuple[list[str], bool]:
    """Return the JSON types that a schema allows (none: any), and whether null is among them."""
    written = schema.get("type")
    named = written if isinstance(written, list) else [written]
    types: list[str] = []
    nullable = schema.get("nullable") is True or schema.get("x-nullable") is True
    for name in named[:8]:
        lower = name.lower() if isinstance(name, str) else ""
        nullable = nullable or lower == "null"
        kind = _TYPES.get(lower, ("", ""))[0]
        if kind and kind not in types:
            types.append(kind)
    if "integer" in types and "number" in types:
        types.remove("integer")
    return types or _guess_types(schema), nullable


def _guess_types(schema: JSON) -> list[str]:
    if isinstance(schema.get("properties"), dict):
        return ["object"]
    if "items" in schema:
        return ["array"]
    if isinstance(schema.get("additionalProperties"), dict) and not any(
        k in schema for k in ("allOf", "anyOf", "oneOf")
    ):
        return ["object"]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        if all(isinstance(choice, str) or choice is None for choice in choices):
            return ["string"]
        if all(isinstance(choice, int) and not isinstance(choice, bool) for choice in choices):
            return ["integer"]
    if schema.get("format") in ("date", "date-time", "uuid", "uri", "email") or isinstance(schema.get("pattern"), str):
        return ["string"]
    return []


def keep_keywords(schema: JSON, types: list[str]) -> JSON:
    """Return type, description, choices, limits and examples, as far as they are valid and agree with each other."""
    kept: JSON = {}
    if types:
        kept["type"] = types[0] if len(types) == 1 else types
    kept |= describe(schema)
    only = types[0] if len(types) == 1 else ""
    if only == "array":
        if choices := _keep_choices(schema.get("enum"), ""):
            kept["items"] = {"enum": choices}
        kept |= _keep_bounds(schema, "minItems", "maxItems", int, 0)
    elif only != "object":
        written = [schema["const"]] if "const" in schema else schema.get("enum")
        if choices := _keep_choices(written, only):
            kept["enum"] = choices
    if only == "string":
        kept |= _keep_text_limits(schema)
    elif only in ("integer", "number"):
        kept |= _keep_number_limits(schema, only)
    return kept | keep_examples(schema, kept)


def describe(schema: JSON) -> JSON:
    """Return the description, else the title, as an entry of a schema; nothing when there is neither."""
    text = clean_text(schema.get("description"), _LONGEST_DESCRIPTION) or clean_text(schema.get("title"), 100)
    return {"description": text} if text else {}


def to_nullable(schema: JSON) -> JSON:
    """Return a schema that allows null too, where it says what else it allows."""
    kind = schema.get("type")
    if kind is None:
        branches = schema.get("anyOf")
        return {**schema, "anyOf": [*branches, {"type": "null"}]} if branches else schema
    types = kind if isinstance(kind, list) else [kind]
    widened = {**schema, "type": [*types, *(["null"] if "null" not in types else [])]}
    if "enum" in schema and None not in schema["enum"]:
        widened["enum"] = [*schema["enum"], None]
    return widened


def _keep_choices(choices: Any, kind: str) -> list[Any]:
    if not isinstance(choices, list) or not choices or len(choices) > _MOST_CHOICES or kind == "boolean":
        return []
    fitting = (_to_type(choice, kind) for choice in choices if not isinstance(choice, dict | list))
    return list(dict.fromkeys(choice for choice in fitting if choice is not None))


def _to_type(choice: Any, kind: str) -> Any:
    if isinstance(choice, bool):
        return str(choice).lower() if kind == "string" else (choice if not kind else None)
    if kind == "string":
        choice = choice if isinstance(choice, str) else str(choice) if choice is not None else None
    elif kind in ("integer", "number") and isinstance(choice, str):
        choice = _parse_number(choice)
    if kind == "integer" and isinstance(choice, float):
        choice = int(choice) if choice.is_integer() else None
    if isinstance(choice, str) and (len(choice) > _LONGEST_EXAMPLE or not choice.isprintable()):
        return None
    return choice


def _parse_number(text: str) -> int | float | None:
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text):
        return None
    return float(text) if "." in text else int(text)


def _keep_text_limits(schema: JSON) -> JSON:
    kept = _keep_bounds(schema, "minLength", "maxLength", int, 0)
    written = schema.get("type")
    format_ = schema.get("format") or _TYPES.get(written.lower() if isinstance(written, str) else "", ("", ""))[1]
    if isinstance(format_, str) and re.fullmatch(r"[a-zA-Z][\w-]{0,30}", format_):
        kept["format"] = "date-time" if format_.lower() in ("datetime", "date-time") else format_
    if isinstance(pattern := schema.get("pattern"), str) and _is_usable(pattern):
        kept["pattern"] = pattern
    return kept


@lru_cache(maxsize=16384)
def _is_usable(pattern: str) -> bool:
    """Say whether Python can compile a pattern and, as far as its form tells, match it in reasonable time."""
    if len(pattern) > _LONGEST_PATTERN or not pattern.isprintable():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python will read in another way some day
            re.compile(pattern)
            return not _may_run_on(_PARSER.parse(pattern), repeated=False)
    except (re.error, OverflowError, RecursionError, Warning):
        return False


def _may_run_on(tree: Any, *, repeated: bool) -> bool:
    """Say whether something that varies is repeated, such as `(a+)+` and `(a|ab)*`: that can take exponential time."""
    for operation, argument in tree:
        name = str(operation)
        if name.endswith("_REPEAT"):
            low, high, inside = argument
            if low > _MOST_REPEATS or (repeated and high > low):
                return True
            if _may_run_on(inside, repeated=repeated or int(high) > _FEW_REPEATS):
                return True
        elif name == "BRANCH":
            if repeated or any(_may_run_on(branch, repeated=False) for branch in argument[1]):
                return True
        elif isinstance(argument, tuple) and any(
            _may_run_on(part, repeated=repeated) for part in argument if isinstance(part, _PARSER.SubPattern)
        ):
            return True
    return False


def _keep_number_limits(schema: JSON, kind: str) -> JSON:
    kept: JSON = {}
    for inclusive, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        bound = schema.get(inclusive)
        strict = schema.get(exclusive)
        if strict is True:
            strict, bound = bound, None
        if _is_number(bound):
            kept[inclusive] = bound
        if _is_number(strict):
            kept[exclusive] = strict
    low = max((kept[key] for key in ("minimum", "exclusiveMinimum") if key in kept), default=None)
    high = min((kept[key] for key in ("maximum", "exclusiveMaximum") if key in kept), default=None)
    if low is not None and high is not None and low > high:
        kept = {}
    step: Any = schema.get("multipleOf")
    if _is_number(step) and step > 0 and (kind == "number" or float(step).is_integer()):
        kept["multipleOf"] = step
    return kept


def _keep_bounds(schema: JSON, low: str, high: str, kind: type, least: int) -> JSON:
    kept = {
        key: schema[key]
        for key in (low, high)
        if isinstance(schema.get(key), kind) and not isinstance(schema[key], bool) and least <= schema[key] < 2**31
    }
    if kept.get(low, 0) > kept.get(high, 2**31) or kept.get(low, 0) > 1000:
        return {}
    return kept


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e308


def keep_examples(schema: JSON, converted: JSON) -> JSON:
    """Return `default` and `examples` as far as they fit the schema that was converted from this one."""
    kept: JSON = {}
    if "default" in schema and fits(schema["default"], converted):
        kept["default"] = schema["default"]
    several = schema.get("examples")
    if isinstance(several, dict):
        several = [entry.get("value") for entry in list(several.values())[:8] if isinstance(entry, dict)]
    written = [schema.get("example"), schema.get("x-example"), *(several[:8] if isinstance(several, list) else ())]
    examples: list[Any] = []
    for example in written:
        if example is not None and example not in examples and fits(example, converted):
            examples.append(example)
    if examples and "enum" not in converted:
        kept["examples"] = examples[:_MOST_EXAMPLES]
    return kept


def fits(value: Any, schema: JSON) -> bool:
    """Say whether a plain value, or a short list of such, fits a converted schema; objects are not looked into."""
    if isinstance(value, dict) or value is None:
        return False
    if isinstance(value, list):
        items = schema.get("items", {})
        return (
            schema.get("type") == "array"
            and len(value) <= 8
            and all(not isinstance(part, list) and fits(part, items) for part in value)
            and schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 8)
        )
    kind = schema.get("type")
    if "enum" in schema and value not in schema["enum"]:
        return False
    kinds = kind if isinstance(kind, list) else [kind]
    if kind is not None and not any(isinstance(value, _JSON_TYPES.get(str(name), ())) for name in kinds):
        return False
    if isinstance(value, bool):
        return kind is None or "boolean" in kinds
    if isinstance(value, str):
        return _fits_text(value, schema)
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    if not low <= value <= high or abs(value) >= 1e308:
        return False
    return not any(key in schema for key in ("exclusiveMinimum", "exclusiveMaximum", "multipleOf"))


def _fits_text(value: str, schema: JSON) -> bool:
    if len(value) > _LONGEST_EXAMPLE or not value.isprintable() or not value.strip() or _PLACEHOLDER.fullmatch(value):
        return False
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", _LONGEST_EXAMPLE):
        return False
    pattern = schema.get("pattern")
    return pattern is None or re.search(pattern, value[:_LONGEST_EXAMPLE]) is not None
