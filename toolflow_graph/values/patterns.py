"""Strings that match a regular expression, generated from its parse tree."""

import importlib
import random
import re
import string
from functools import lru_cache
from typing import Any

from toolflow_graph.errors import CatalogError

__all__ = ["compile_pattern", "draw_pattern"]

_PARSER: Any = importlib.import_module("re._parser")
_REPEAT = 4
_ATTEMPTS = 200
_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits,
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": string.ascii_lowercase,
    "CATEGORY_NOT_SPACE": string.ascii_lowercase + string.digits,
    "CATEGORY_NOT_WORD": "-",
}
_PRINTABLE = string.ascii_letters + string.digits + "-_. "


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of JSON Schema (ECMA 262), as far as Python's `re` knows it; raises `CatalogError`."""
    try:
        return re.compile(pattern.replace(r"\p{L}", "a-zA-Z").replace(r"\p{N}", "0-9"))
    except re.error as exc:
        raise CatalogError(f"pattern {pattern!r} is not a regular expression that Python can read: {exc}") from exc


def draw_pattern(pattern: str, rng: random.Random, low: int = 0, high: int | None = None) -> str:
    """Return a string that the pattern finds, `low` to `high` characters long; raises `CatalogError`."""
    compiled = compile_pattern(pattern)
    tree = _parse(compiled.pattern)
    for _ in range(_ATTEMPTS):
        text = "".join(_generate(tree, rng, {}))
        if len(text) < low and not pattern.endswith("$"):
            text += "".join(rng.choice(string.ascii_lowercase) for _ in range(low - len(text)))
        if len(text) >= low and (high is None or len(text) <= high) and compiled.search(text):
            return text
    raise CatalogError(f"no value can be generated for the pattern {pattern!r}; give the slot `examples`")


@lru_cache(maxsize=4096)
def _parse(pattern: str) -> Any:
    return _PARSER.parse(pattern)


def _generate(tree: Any, rng: random.Random, groups: dict[int, str]) -> list[str]:
    parts: list[str] = []
    for operation, argument in tree:
        parts.append(_generate_one(str(operation), argument, rng, groups))
    return parts


def _generate_one(operation: str, argument: Any, rng: random.Random, groups: dict[int, str]) -> str:
    if operation in ("SUBPATTERN", "BRANCH", "ATOMIC_GROUP", "GROUPREF"):
        return _generate_group(operation, argument, rng, groups)
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, inner = argument
        times = rng.randint(low, min(int(high), low + _REPEAT))
        return "".join("".join(_generate(inner, rng, groups)) for _ in range(times))
    if operation == "LITERAL":
        return chr(argument)
    if operation == "IN":
        return rng.choice(_members(tuple((str(o), a) for o, a in argument)))
    if operation == "ANY":
        return rng.choice(string.ascii_lowercase)
    if operation == "NOT_LITERAL":
        return rng.choice([c for c in _PRINTABLE if ord(c) != argument])
    return ""  # anchors and look-arounds; the result is tested against the whole pattern


def _generate_group(operation: str, argument: Any, rng: random.Random, groups: dict[int, str]) -> str:
    if operation == "GROUPREF":
        return groups.get(argument, "")
    if operation == "SUBPATTERN":
        group, _, _, inner = argument
        text = "".join(_generate(inner, rng, groups))
        if group is not None:
            groups[group] = text
        return text
    inner = rng.choice(argument[1]) if operation == "BRANCH" else argument
    return "".join(_generate(inner, rng, groups))


@lru_cache(maxsize=4096)
def _members(items: tuple[tuple[str, Any], ...]) -> str:
    negated = bool(items) and items[0][0] == "NEGATE"
    members: list[str] = []
    for operation, argument in items:
        if operation == "LITERAL":
            members.append(chr(argument))
        elif operation == "RANGE":
            low, high = argument
            members += [chr(code) for code in range(low, min(high, low + 255) + 1)]
        elif operation == "CATEGORY":
            members += _CATEGORIES.get(str(argument), "")
    if negated:
        members = [c for c in _PRINTABLE if c not in set(members)]
    return "".join(dict.fromkeys(members)) or "a"
