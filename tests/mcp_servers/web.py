"""An MCP server over streamable HTTP, made with the SDK, at the port that is its argument."""

import sys

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel

server = MCPServer("Web shop")


class Stock(BaseModel):
    """What there is of an article."""

    article: str
    pieces: int


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def count_stock(article: str) -> Stock:
    """Count how many pieces of an article are in stock."""
    return Stock(article=article, pieces=len(article))


@server.tool(annotations=ToolAnnotations(destructiveHint=True))
def clear_stock(article: str, reason: str | None = None) -> str:
    """Throw all pieces of an article away."""
    raise ToolError(f"{article} is under lock and key{', whatever the reason' if reason else ''}")


server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
