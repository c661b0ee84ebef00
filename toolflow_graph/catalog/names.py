"""Names of tools, slots and domains: made valid, and told apart."""

import re
from functools import lru_cache

__all__ = ["Names", "make_name", "make_slug"]

_MOST = 64


@lru_cache(maxsize=65536)
def make_name(text: str) -> str:
    """Bring a name such as `math.factorial` or `filter[city]` into the form that chat models accept; "" for nothing."""
    if text.isascii() and len(text) <= _MOST and text.replace("_", "a").replace("-", "a").isalnum():
        return text
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", text[: 8 * _MOST]).strip("_-")[:_MOST].rstrip("_-")


@lru_cache(maxsize=4096)
def make_slug(text: str) -> str:
    """Return a lower-case name for a domain, such as `swagger_petstore`; it is safe as the name of a file."""
    return re.sub(r"[^a-z0-9]+", "_", text[: 8 * _MOST].lower()).strip("_")[:_MOST].rstrip("_")


class Names:
    """The names given so far; a name that is taken gets a suffix, `_2` and so on, and stays within its length."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def give(self, wanted: str, owner: str = "") -> str:
        """Return the name itself the first time; after that with its owner's name, or with a number, behind it."""
        name = wanted
        if name in self._given and owner:
            name = f"{wanted[: _MOST - len(owner) - 1]}_{owner}" if len(owner) < _MOST // 2 else wanted
        number = self._given.get(name, 1)
        plain = name
        while name in self._given:
            number += 1
            suffix = f"_{number}"
            name = plain[: _MOST - len(suffix)] + suffix
        self._given[plain] = number
        self._given.setdefault(name, 1)
        return name
