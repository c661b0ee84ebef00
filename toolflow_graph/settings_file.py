"""Reads a file of settings: TOML, YAML or JSON, by the ending of its name."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from toolflow_graph.errors import SettingsError

__all__ = ["load_settings"]


def load_settings(path: Path) -> dict[str, Any]:
    """Read settings as a plain mapping; raises `SettingsError` that names the file, and the line where there is one."""
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise SettingsError(f"{path}: not known as a file of settings; name it .toml, .yaml, .yml or .json")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{path}: cannot be read: {exc}") from exc
    return read(path, text)


def _read_toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise SettingsError(f"{path}: not TOML: {exc}") from exc


def _read_json(path: Path, text: str) -> dict[str, Any]:
    def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = [key for key, number in Counter(key for key, _ in pairs).items() if number > 1]
        if twice:
            raise SettingsError(f"{path}: the setting {twice[0]!r} stands twice; delete one")
        return dict(pairs)

    try:
        values = json.loads(text, object_pairs_hook=refuse_twice)
    except json.JSONDecodeError as exc:
        raise SettingsError(f"{path}, line {exc.lineno}: not JSON: {exc.msg}") from exc
    if not isinstance(values, dict):
        raise SettingsError(f'{path}, line 1: no object; settings look like {{"dialogues": 100, "seed": 7}}')
    return values


def _read_yaml(path: Path, text: str) -> dict[str, Any]:
    """Read YAML by the core schema of YAML 1.2, as JSON would be read: a date or `no` is text."""
    import yaml  # noqa: PLC0415 - most runs have no such file

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag.endswith((":null", ":int", ":float", ":bool")):
                    raise _locate(path, key.start_mark, "the name of a setting is no text")
                if key.value in seen:
                    raise _locate(path, key.start_mark, f"the setting {key.value!r} stands twice; delete one")
                seen.add(key.value)
            return dict(super().construct_mapping(node, deep))

    Loader.yaml_implicit_resolvers = {}  # not those of YAML 1.1
    for kind, pattern, first in _YAML_TYPES:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"(?:{pattern})$"), first)
    try:
        values = yaml.load(text, Loader)  # noqa: S506 - a safe loader that resolves less
    except yaml.MarkedYAMLError as exc:
        tabs = "; indent with spaces, not with tabs" if "'\\t'" in str(exc.problem) else ""
        raise _locate(path, exc.problem_mark or exc.context_mark, f"not YAML: {exc.problem}{tabs}") from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(exc).split())}") from exc
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}, line 1: no mapping; settings are lines such as `dialogues: 100`")
    return values


_YAML_TYPES = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
)


def _locate(path: Path, mark: Any, trouble: str) -> SettingsError:
    place = f", line {mark.line + 1}" if mark is not None else ""
    return SettingsError(f"{path}{place}: {trouble}")


_READERS: Mapping[str, Callable[[Path, str], dict[str, Any]]] = {
    ".toml": _read_toml,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".json": _read_json,
}
