"""References (`$ref`) within one document, and to others where these may be read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    from toolflow_graph.catalog.other_documents import OtherDocuments

__all__ = ["References"]

_LONGEST_CHAIN = 32


class References:
    """Finds what the references of a document mean.

    Args:
        document: The document in which references stand.
        path: Its file, against which relative references are read.
        others: What other documents are found by; None when these are not to be read.
    """

    def __init__(self, document: JSON, path: str = "", others: "OtherDocuments | None" = None) -> None:
        self._document = document
        self._base = Path(path).resolve().as_uri()
        self._others = others
        self._found: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}
        if others is not None:
            others.trust(document, self._base)

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
            raise CatalogError(self.explain(str(node["$ref"])))
        return found

    def explain(self, reference: str) -> str:
        """Say why a reference leads nowhere."""
        for _ in range(_LONGEST_CHAIN):  # the last one of a chain is to blame
            found = self._found.get(reference)
            if not isinstance(found, dict) or not isinstance(found.get("$ref"), str):
                break
            reference = found["$ref"]
        if reference in self._reasons:
            return f"refers to {reference[:200]!r}: {self._reasons[reference]}"
        if reference.startswith("#") or self._others is not None:
            return f"refers to {reference[:200]!r}, which is not defined or refers to itself"
        return (
            f"refers to another document, {reference[:120]!r}, which is not read; `toolflow catalog import "
            "--allow-remote-refs` reads it"
        )

    def _look_up(self, reference: str) -> Any:
        if reference.startswith("#"):
            return _descend(self._document, reference[1:]) if reference.startswith("#/") else None
        if self._others is None:
            return None
        try:
            address, fragment = urldefrag(urljoin(self._base, reference))
            document = self._document if address == self._base else self._others.find(address)
        except (CatalogError, ValueError) as exc:
            self._reasons[reference] = str(exc)
            return None
        return _descend(document, fragment)


def _descend(document: Any, pointer: str) -> Any:
    """Return what a JSON Pointer means in a document; None for nothing."""
    if pointer and not pointer.startswith("/"):
        return None
    found = document
    for step in pointer[1:].split("/") if pointer else ():
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name, found.get(step))
        elif isinstance(found, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(found):
            found = found[int(name[:9])]
        else:
            return None
    return found
