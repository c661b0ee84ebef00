"""Keeps one broken tool in a server's list from spoiling the others, and the list from having no end."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse, Tool
from pydantic import ValidationError

__all__ = ["Sieve", "SievedStream"]


@dataclass
class Sieve:
    """Takes tools that break the protocol out of lists, and those beyond the `most` of one page.

    `dropped` has the reasons by the name, `cut` says whether a page was too long.
    """

    most: int
    cut: bool = False
    dropped: dict[str, str] = field(default_factory=dict)

    def sift(self, item: SessionMessage | Exception) -> SessionMessage | Exception:
        """Return an incoming message, its list of tools sifted where it has one."""
        message = item.message if isinstance(item, SessionMessage) else None
        if isinstance(message, JSONRPCResponse) and isinstance(message.result.get("tools"), list):
            listed = message.result["tools"]
            self.cut = self.cut or len(listed) > self.most
            message.result["tools"] = [tool for tool in listed[: self.most] if self._passes(tool)]
        return item

    def _passes(self, tool: Any) -> bool:
        reason = _find_fault(tool)
        if reason:
            name = tool.get("name") if isinstance(tool, dict) else None
            self.dropped[str(name or "a tool without a name")] = reason
        return not reason


def _find_fault(tool: Any) -> str:
    if not isinstance(tool, dict):
        return "not an object"
    for key in ("inputSchema", "outputSchema"):
        schema = tool.get(key, {} if key == "outputSchema" else None)
        if not isinstance(schema, dict) or schema.get("type", "object") != "object":
            return f"{key!r} is not the JSON Schema of an object"
    try:
        Tool.model_validate(tool, by_name=False)
    except ValidationError as exc:
        first = exc.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return ""


class SievedStream:
    """A stream of incoming messages that go through a sieve."""

    def __init__(self, inner: Any, sieve: Sieve) -> None:
        self._inner = inner
        self._sieve = sieve

    @property
    def last_context(self) -> Any:
        """The context in which the latest message was sent, if the stream knows it."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message."""
        return self._sieve.sift(await self._inner.receive())

    async def aclose(self) -> None:
        """Close the stream."""
        await self._inner.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return self._sieve.sift(await self._inner.__anext__())

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        left: bool | None = await self._inner.__aexit__(kind, exc, trace)
        return left
