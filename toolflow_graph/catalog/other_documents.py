"""The documents that documents refer to, where that is allowed: read once each, in bounded number, size and time.

What refers decides where it may lead. A file may refer to files below the folders that are read, and to any server. A
document from a server may refer to public servers, and to those that a file refers to as well; neither it nor a
redirect leads to files, or to anything else on this machine or in its network.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

from toolflow_graph.catalog.documents import parse_document, read_document
from toolflow_graph.catalog.fetching import Host, fetch, name_host
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON

__all__ = ["OtherDocuments"]

MOST_DOCUMENTS = 200
LARGEST = 16 * 2**20
LARGEST_TOGETHER = 64 * 2**20
"""Bytes of one document, and of all."""
SLOWEST_S = 20.0
SLOWEST_TOGETHER_S = 120.0
"""Seconds that one document may take to come, and all of them."""


class OtherDocuments:
    """Finds documents by their address; `failed` says why some could not be read.

    Args:
        folders: Where the files that refer to others are: files outside are not read.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.failed: dict[str, str] = {}
        self._folders = tuple(folder.resolve() for folder in folders)
        self._documents: dict[str, Any] = {}
        self._named: set[Host] = set()
        self._bytes = LARGEST_TOGETHER
        self._seconds = SLOWEST_TOGETHER_S

    def __len__(self) -> int:
        """Return how many documents have been read."""
        return len(self._documents)

    @property
    def files(self) -> frozenset[str]:
        """The paths of those that are files."""
        return frozenset(_to_path(address) for address in self._documents if address.startswith("file:"))

    def trust(self, document: Any, base: str) -> None:
        """Take it that the servers to which a file refers may be asked, wherever they are."""
        for node in _iterate_references(document):
            self._name(_join(base, node["$ref"]))

    def find(self, address: str) -> Any:
        """Return a document in which references are whole addresses; raises `CatalogError` when it cannot be read."""
        if address in self.failed:
            raise CatalogError(self.failed[address])
        if address not in self._documents:
            try:
                self._documents[address] = self._read(address)
            except (CatalogError, RecursionError) as exc:
                self.failed[address] = "nested too deeply" if isinstance(exc, RecursionError) else str(exc)
                raise CatalogError(self.failed[address]) from exc
        return self._documents[address]

    def _read(self, address: str) -> Any:
        if len(self._documents) + len(self.failed) >= MOST_DOCUMENTS:
            raise CatalogError(f"more than {MOST_DOCUMENTS} other documents are referred to")
        if address.startswith("file:"):
            document = self._read_file(address)
            for node in _iterate_references(document):
                node["$ref"] = _join(address, node["$ref"])
                self._name(node["$ref"])
            return document
        began = time.monotonic()
        name_host(address)
        try:
            if self._seconds <= 0:
                raise CatalogError(f"other documents have taken more than {SLOWEST_TOGETHER_S:g} seconds to come")
            base, text = fetch(
                address,
                self._named,
                most_bytes=min(LARGEST, self._bytes),
                seconds=min(SLOWEST_S, self._seconds),
            )
        finally:
            self._seconds -= time.monotonic() - began
        self._bytes -= len(text.encode())
        document = parse_document(base, Path(urlsplit(base).path).suffix, text)
        for node in _iterate_references(document):
            target = _join(base, node["$ref"])
            node["$ref"] = target if target.startswith(("http:", "https:")) else f"not-from-a-server:{target}"
        return document

    def _read_file(self, address: str) -> Any:
        path = Path(_to_path(address)).resolve()
        if urlsplit(address).netloc or not any(path.is_relative_to(folder) for folder in self._folders):
            raise CatalogError("it lies outside the folder of the document that refers to it")
        if not path.is_file():
            raise CatalogError("there is no such file")
        size = path.stat().st_size
        if size > min(LARGEST, self._bytes):
            raise CatalogError(f"it has more than the {min(LARGEST, self._bytes) / 2**20:.3g} MiB that are read")
        self._bytes -= size
        try:
            return read_document(path)
        except CatalogError as exc:
            raise CatalogError(str(exc).removeprefix(f"{path}: ")) from exc

    def _name(self, address: str) -> None:
        if address.startswith(("http:", "https:")):
            try:
                self._named.add(name_host(address))
            except CatalogError:
                return  # told when it is asked for


def _to_path(address: str) -> str:
    return url2pathname(urlsplit(address).path)


def _join(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:
        return f"not-an-address:{reference}"


def _iterate_references(document: Any) -> Iterator[JSON]:
    """Yield every object with a reference, once; aliases of YAML make a document a net."""
    seen: set[int] = set()
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict | list) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node
            waiting.extend(node.values())
        else:
            waiting.extend(node)
