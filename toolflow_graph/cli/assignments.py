"""The option `--set KEY=VALUE`, wherever it is taken."""

import tomllib
from collections.abc import Iterable
from typing import Any

import typer

__all__ = ["assign_values"]


def assign_values(values: dict[str, Any], assignments: Iterable[str]) -> None:
    """Enter assignments into nested settings; a dot in a key leads into a table."""
    for assignment in assignments:
        key, sign, text = assignment.partition("=")
        if not sign:
            raise typer.BadParameter(f"--set {assignment!r}: write KEY=VALUE, for example --set max_turns=12")
        *tables, last = key.strip().split(".")
        place = values
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = _parse_value(text.strip())


def _parse_value(text: str) -> Any:
    """Read a value as TOML does; what is not TOML is a string without its quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
