"""Reads YAML as JSON would be read, in bounded time and memory.

PyYAML's loaders construct what YAML 1.1 says (`no` is false, 2020-01-01 is a date, 12:30 is 750) and expand merge keys
without a limit. Here libyaml's events become plain JSON values by the core schema of YAML 1.2, aliases share what they
refer to, and what they would expand to is counted.
"""

import re
from typing import Any

import yaml

from toolflow_graph.errors import CatalogError

__all__ = ["parse_yaml"]

_DEEPEST = 200
_LARGEST = 5_000_000
"""Values in a document once its aliases are expanded."""

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?")
_CONSTANTS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str) -> Any:
    """Return the first document of a YAML text; keys are strings, numbers and booleans are as in YAML 1.2.

    Raises `CatalogError` when it is not YAML, nested too deeply, or a bomb of aliases.
    """
    loader = _LOADER(text)
    builder = _Builder()
    try:
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.DocumentEndEvent):
                break
            builder.take(event)
    except yaml.YAMLError as exc:
        raise CatalogError(f"not YAML: {' '.join(str(exc).split())[:300]}") from exc
    except (UnicodeError, ValueError) as exc:
        raise CatalogError(f"not YAML: {exc}") from exc
    finally:
        loader.dispose()
    return builder.root


class _Open:
    """A list or mapping whose end has not come yet; `size` counts the values in it, those behind aliases too."""

    __slots__ = ("anchor", "key", "merged", "size", "value")

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: str | None = None
        self.merged: list[Any] = []
        self.size = 1


class _Builder:
    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            value = event.value if self._expects_key() else _read_scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = (value, 1)
            self._add(value, 1)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise CatalogError(f"the alias *{event.anchor} refers to nothing, or to what it stands in")
            self._add(*self._anchors[event.anchor])
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._open) >= _DEEPEST:
                raise CatalogError(f"nested deeper than {_DEEPEST} levels")
            if event.anchor:
                self._anchors.pop(event.anchor, None)
            self._open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close(self._open.pop())

    def _close(self, done: _Open) -> None:
        for source in done.merged:
            for key, value in source.items():
                done.value.setdefault(key, value)
        if done.anchor:
            self._anchors[done.anchor] = (done.value, done.size)
        self._add(done.value, done.size)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _add(self, value: Any, size: int) -> None:
        if not self._open:
            self.root = value
            return
        within = self._open[-1]
        within.size += size
        if within.size > _LARGEST:
            raise CatalogError(f"its aliases expand to more than {_LARGEST:,} values")
        if isinstance(within.value, list):
            within.value.append(value)
        elif within.key is None:
            within.key = _read_key(value)
        else:
            if within.key == "<<" and _merges(value):
                within.merged += value if isinstance(value, list) else [value]
            else:
                within.value[within.key] = value
            within.key = None


def _merges(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    return all(isinstance(part, dict) for part in parts)


def _read_key(value: Any) -> str:
    if isinstance(value, dict | list):
        raise CatalogError("a key is a list or a mapping; keys are texts")
    return str(value)


def _read_scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # quoted, a block of text, or with a tag
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and len(text) < 40:
        number = float(text)
        return number if abs(number) < float("inf") else text
    return text
