"""Search for tools: the top k for a text or for another tool, as a LangChain retriever too."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import PrivateAttr

from toolflow_graph.encoder import Encoder
from toolflow_graph.errors import CatalogError, SettingsError
from toolflow_graph.frames import parse_frame
from toolflow_graph.retriever import TextRetriever
from toolflow_graph.types import Tool

if TYPE_CHECKING:
    from langchain_core.callbacks.manager import CallbackManagerForRetrieverRun

__all__ = ["ToolRetriever", "describe_tool"]


class ToolRetriever(BaseRetriever):
    """Finds tools by what they are for, against a text or against another tool.

    A tool is compared by its name, its description and, where it has phrasings, by how people ask for it. With the
    descriptions of its parameters it would be found less often (see benchmarks/retrieval.py).

    As a LangChain retriever (`invoke`, `ainvoke`, `batch`, in a chain) it returns `k` documents, best first: the text
    is name and description, the metadata is the tool as JSON, which `Tool.model_validate` reads back.

    Args:
        tools: The tools to search.
        encoder: Encodes them, and later the queries.
        k: Number of documents that are returned.

    Example:
        >>> from toolflow_graph import ToolRetriever, load_catalog, load_encoder
        >>> retriever = ToolRetriever(load_catalog().tools.values(), load_encoder(), k=2)
        >>> [document.metadata["name"] for document in retriever.invoke("will it pour on Saturday?")]
        ['check_rain_chance', 'get_weather_forecast']
    """

    k: int
    _tools: tuple[Tool, ...] = PrivateAttr()
    _positions: dict[str, int] = PrivateAttr()
    _texts: TextRetriever = PrivateAttr()

    def __init__(self, tools: Iterable[Tool], encoder: Encoder, k: int = 4) -> None:
        super().__init__(k=_check_count(k))
        self._tools = tuple(tools)
        self._positions = {tool.name: position for position, tool in enumerate(self._tools)}
        self._texts = TextRetriever([describe_tool(tool) for tool in self._tools], encoder)

    def search(self, query: str, k: int) -> list[tuple[str, float]]:
        """Return the k tools nearest to a text with their cosines, best first, ties in the order of the tools."""
        return self._name(self._texts.search(query, _check_count(k)))

    def nearest(self, name: str, k: int) -> list[tuple[str, float]]:
        """Return the k tools nearest to one of the tools, itself left out; encodes nothing."""
        return self._name(self._texts.nearest(self._position(name), _check_count(k)))

    def cosine(self, one: str, other: str) -> float:
        """Return how near two of the tools are."""
        return self._texts.cosine(self._position(one), self._position(other))

    def _get_relevant_documents(self, query: str, *, run_manager: "CallbackManagerForRetrieverRun") -> list[Document]:  # noqa: ARG002 - LangChain's signature
        return [_to_document(self._tools[position]) for position, _ in self._texts.search(query, self.k)]

    def _name(self, hits: Iterable[tuple[int, float]]) -> list[tuple[str, float]]:
        return [(self._tools[position].name, cosine) for position, cosine in hits]

    def _position(self, name: str) -> int:
        try:
            return self._positions[name]
        except KeyError:
            raise CatalogError(f"no tool {name!r} among the {len(self._tools)} tools that are searched") from None


def describe_tool(tool: Tool) -> str:
    """Return the text by which a tool is found."""
    requests = tool.phrasings.requests if tool.phrasings else ()
    return " ".join([_introduce(tool), *(_say_plainly(request) for request in requests)])


def _introduce(tool: Tool) -> str:
    return f"{tool.name.replace('_', ' ')}: {tool.description}"


def _say_plainly(request: str) -> str:
    """Return a request without its options, a slot outside them by the words of its name."""
    frame = parse_frame(request)
    said = frame.realise(lambda slot: _last_words(slot.path) if slot.path in frame.fixed else None)
    assert said is not None  # noqa: S101 - all slots outside options are filled
    return said


def _last_words(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ")


def _to_document(tool: Tool) -> Document:
    return Document(id=tool.name, page_content=_introduce(tool), metadata=tool.model_dump(mode="json"))


def _check_count(k: int) -> int:
    if k < 1:
        raise SettingsError(f"{k} tools wanted from a search; ask for at least 1")
    return k
