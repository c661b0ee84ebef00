"""Reads the tools of an MCP server: of a command that is started for it (stdio), or at an address (streamable HTTP)."""

from pathlib import PurePath
from urllib.parse import urlsplit

from toolflow_graph.catalog.live import add_live_tool, name_domain
from toolflow_graph.catalog.names import Names
from toolflow_graph.catalog.reading import Reading
from toolflow_graph.live.background import ask_and_wait
from toolflow_graph.live.calling import name_mcp_tool

__all__ = ["read_tools"]


def read_tools(address: str) -> Reading:
    """Return the tools at `COMMAND ARGS…` or `http://…`; those that are not valid are skipped with the reason.

    Raises `CatalogError` when the server cannot be started or reached, ends early, or does not answer in time.
    """
    from toolflow_graph.live.server import Listing, Server  # noqa: PLC0415 - its package need not be installed

    async def list_tools() -> Listing:
        server = Server(address)
        try:
            return await server.list_tools()
        finally:
            await server.close()

    listing = ask_and_wait(list_tools())
    source, reading, names = f"mcp:{address}", Reading(), Names()
    domain = name_domain(listing.name, _name_place(address))
    seen: set[str] = set()
    for tool in listing.tools:
        name = str(tool.get("name", ""))
        if name in seen:
            reading.skip(source, _print(name), "the server lists it twice")
            continue
        seen.add(name)
        entry = {**tool, "provider": listing.name[:100], "runs": name_mcp_tool(address, name)}
        add_live_tool(reading, names, source, domain, entry)
    for name, reason in listing.left_out:
        reading.skip(source, _print(name), reason)
    return reading


def _print(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[:100]


def _name_place(address: str) -> str:
    if address.startswith(("http://", "https://")):
        return urlsplit(address).hostname or ""
    return PurePath(address.rpartition(" ")[2]).name
