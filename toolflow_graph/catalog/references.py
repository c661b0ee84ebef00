"""References (`$ref`) within one document; a reference to another document leads nowhere."""

from typing import Any
from urllib.parse import unquote

from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON

__all__ = ["References"]

_LONGEST_CHAIN = 32


class References:
    """Finds what the references of a document mean."""

    def __init__(self, document: JSON) -> None:
        self._document = document
        self._found: dict[str, Any] = {}

    def find(self, reference: Any) -> Any:
        """Return what a reference means in the end, through references to references; None when that is nothing."""
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(reference, str):
                return None
            if reference not in self._found:
                self._found[reference] = self._look_up(reference)
            found = self._found[reference]
            if not isinstance(found, dict) or "$ref" not in found:
                return found
            reference = found["$ref"]
        return None

    def follow(self, node: Any) -> JSON:
        """Return an object of the document, or the one that it refers to; {} for what is no object.

        Raises `CatalogError` when it refers to nothing.
        """
        if not isinstance(node, dict):
            return {}
        if "$ref" not in node:
            return node
        found = self.find(node["$ref"])
        if not isinstance(found, dict):
            raise CatalogError(explain(str(node["$ref"])))
        return found

    def _look_up(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return None
        found: Any = self._document
        for step in reference[2:].split("/"):
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = found.get(name, found.get(step))
            elif isinstance(found, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(found):
                found = found[int(name[:9])]
            else:
                return None
        return found


def explain(reference: str) -> str:
    """Say why a reference leads nowhere."""
    if reference.startswith("#"):
        return f"refers to {reference[:120]!r}, which is not defined or refers to itself"
    return f"refers to another document, {reference[:120]!r}, which is not read; bundle the two into one"
