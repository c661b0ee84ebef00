"""Calls the real things behind tools, by what a tool says of how it runs; servers are kept until all are done."""

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, unquote

from toolflow_graph.live.background import ask
from toolflow_graph.live.functions import find_function
from toolflow_graph.live.outcome import Outcome, fail
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    from toolflow_graph.live.server import Server

__all__ = ["LiveTools", "name_mcp_tool", "name_python_tool"]


def name_mcp_tool(address: str, name: str) -> str:
    """Return how a tool of an MCP server runs, as `Tool.runs` has it."""
    return f"mcp:{address}#{quote(name, safe='/.-')}"


def name_python_tool(module: str, name: str) -> str:
    """Return how a Python function runs, as `Tool.runs` has it."""
    return f"python:{module}:{name}"


class LiveTools:
    """Calls tools for real. Whoever uses it enters it first; when the last one leaves, all servers end.

    Servers that were asked without that live until the process ends. It may be used from several event loops.
    """

    def __init__(self, timeout_s: float) -> None:
        """Keep the limit for every call."""
        self.timeout_s = timeout_s
        self._servers: dict[str, Server] = {}
        self._functions: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._users = 0

    async def run(self, runs: str, arguments: JSON) -> Outcome:
        """Return what the tool answers; raises `CatalogError` when it cannot be reached at all."""
        return await ask(self._run(runs, arguments))

    async def __aenter__(self) -> Self:
        self._users += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._users -= 1
        if not self._users:
            await ask(self._close())

    async def _run(self, runs: str, arguments: JSON) -> Outcome:
        kind, _, address = runs.partition(":")
        if kind == "python":
            function = find_function(address)
            async with self._functions[address.partition(":")[0]]:  # few people's functions are made for threads
                return await function.call(arguments, self.timeout_s)
        if kind == "mcp":
            address, _, name = address.rpartition("#")
            return await self._find_server(address).call(unquote(name), arguments, self.timeout_s)
        return fail(f"there is no way to run {runs!r}")

    def _find_server(self, address: str) -> "Server":
        from toolflow_graph.live.server import Server  # noqa: PLC0415 - its package need not be installed

        if address not in self._servers:
            self._servers[address] = Server(address)
        return self._servers[address]

    async def _close(self) -> None:
        servers = list(self._servers.values())
        self._servers.clear()
        await asyncio.gather(*(server.close() for server in servers))
