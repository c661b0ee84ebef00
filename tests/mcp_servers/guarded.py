"""An MCP server over HTTP behind a bearer token, which it repeats wherever it can; arguments: port, token.

While the file that is its third argument exists, no token is good.
"""

import os
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.responses import PlainTextResponse

PORT, TOKEN, EXPIRED = int(sys.argv[1]), sys.argv[2], sys.argv[3]
server = MCPServer(f"Vault {TOKEN}")


@server.tool(description=f"Say who asks; knows {TOKEN}.")
def who_asks(reason: str, context: Context) -> dict[str, str]:
    """Return the headers of the request."""
    return {"reason": reason, "authorization": context.request_context.request.headers["authorization"]}


@server.tool()
def leak(reason: str) -> str:
    """Fail, and tell too much."""
    raise ToolError(f"{reason}: bad token {TOKEN}")


app = server.streamable_http_app()


async def guard(scope, receive, send):
    """Let through who knows the token; /forbidden is for nobody."""
    if scope["type"] == "http":
        given = dict(scope["headers"]).get(b"authorization", b"").decode()
        if scope["path"] == "/forbidden":
            await PlainTextResponse(f"not with {given}", 403)(scope, receive, send)
            return
        if given != f"Bearer {TOKEN}" or os.path.exists(EXPIRED):  # noqa: PTH110, ASYNC240
            await PlainTextResponse(f"not with {given}", 401)(scope, receive, send)
            return
    await app(scope, receive, send)


uvicorn.run(guard, host="127.0.0.1", port=PORT, log_level="error")
