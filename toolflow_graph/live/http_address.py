"""The address of an MCP server over HTTP, with the headers it is asked with, whose secrets are never written down."""

import json
import os
import re
import shlex
from dataclasses import dataclass
from typing import Any

from toolflow_graph.errors import CatalogError

__all__ = ["HttpAddress", "is_http", "parse_http_address"]

_FORM = "write mcp:http://… --header 'Authorization: Bearer $NAME'"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_SECRET = re.compile(r"auth|cookie|key|pass|secret|session|signature|token", re.IGNORECASE)


@dataclass(frozen=True)
class HttpAddress:
    """Where a server is, and what it is told in headers.

    `secrets` has the values that came out of the environment, with the `$NAME` that stands for each.
    """

    url: str
    headers: dict[str, str]
    secrets: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        """Show no value of a header: this may stand in a traceback."""
        return f"HttpAddress({self.url!r}, {list(self.headers)})"

    def hide(self, text: str) -> str:
        """Return a text with the names of the variables in place of their values."""
        for value, name in self.secrets:
            text = text.replace(value, name)
        return text

    def hide_in(self, value: Any) -> Any:
        """Return a JSON value with the names of the variables in place of their values, in keys too."""
        if not self.secrets:
            return value
        text = json.dumps(value)
        for secret, name in self.secrets:
            text = text.replace(json.dumps(secret)[1:-1], name)
        return json.loads(text)


def is_http(address: str) -> bool:
    """Say whether an address is one of HTTP, and not a command."""
    return address.startswith(("http://", "https://"))


def parse_http_address(address: str) -> HttpAddress:
    """Read `http://… --header 'Name: value'…`; `$NAME` in a value is read from the environment.

    Raises `CatalogError` when it is written otherwise, a variable is missing, or a secret is written out: the address
    goes into catalogs and manifests as it stands.
    """
    try:
        url, *words = shlex.split(address)
    except ValueError as exc:
        raise CatalogError(f"mcp:{address.split(maxsplit=1)[0]}: {exc}; {_FORM}") from exc
    where = f"mcp:{url}"
    if len(words) % 2 or any(word != "--header" for word in words[::2]):
        raise CatalogError(f"{where}: only --header may follow the address; {_FORM}")
    headers: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for written in words[1::2]:
        name, colon, value = (part.strip() for part in written.partition(":"))
        if not colon or not _NAME.fullmatch(name):
            raise CatalogError(f"{where}: a header has the form 'Name: value'; {_FORM}")
        if _SECRET.search(name) and not _VARIABLE.search(value):
            raise CatalogError(
                f"{where}: the header {name!r} is written out, and the address is kept in catalogs and manifests; put "
                f"its value into the environment and write $NAME: --header '{name}: $NAME'"
            )
        headers[name] = _fill(where, name, value, secrets)
    longest_first = sorted(secrets.items(), key=lambda item: (-len(item[0]), item))
    return HttpAddress(url, headers, tuple(longest_first))


def _fill(where: str, header: str, written: str, secrets: dict[str, str]) -> str:
    def read(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        value = os.environ.get(name, "").strip()
        if not value:
            raise CatalogError(f"{where}: the environment has no {name}, which the header {header!r} needs")
        if not (value.isascii() and value.isprintable()):
            raise CatalogError(f"{where}: the value of {name} has characters that the header {header!r} cannot hold")
        secrets[value] = f"${name}"
        return value

    return _VARIABLE.sub(read, written)
