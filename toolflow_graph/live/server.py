"""An MCP server in use: started or reached when it is first asked, kept, bounded in time, and surely ended."""

import asyncio
import json
import logging
import os
import shlex
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON

try:
    import httpx2
    from mcp import Client, MCPError
    from mcp.client.streamable_http import streamable_http_client
    from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, CallToolResult
except ModuleNotFoundError as exc:
    raise CatalogError(
        f"MCP servers need a package that is not installed ({exc.name}); get it with: pip install 'toolflow-graph[mcp]'"
    ) from exc

if TYPE_CHECKING:
    from mcp.client import Transport

from toolflow_graph.live.http_address import HttpAddress, is_http, parse_http_address
from toolflow_graph.live.listing import Sieve, SievedStream
from toolflow_graph.live.outcome import Outcome, fail, succeed
from toolflow_graph.live.stdio import Trouble, open_process

__all__ = ["Listing", "Server"]

START_S = 60.0
LIST_S = 60.0
"""Seconds that a server has to answer for the first time, and for all pages of its list."""

_MOST_TOOLS = 5000
_MOST_PAGES = 1000
_LARGEST_EVENT = 16 * 2**20
_PATIENCE = httpx2.Timeout(30.0, read=300.0)  # as the SDK has it: a server may hold a stream open
_REFUSALS = {401: "401 (Unauthorized)", 403: "403 (Forbidden)"}
_MOST_CRASHES = 2
"""Calls of one tool in which the server may end before that tool is left alone."""

logging.getLogger("mcp").setLevel(logging.CRITICAL)  # what a server does wrong is told in one line of our own


@dataclass(frozen=True)
class Listing:
    """What a server offers: its name, its tools as the protocol writes them, and what was left out with the reason."""

    name: str
    tools: tuple[JSON, ...]
    left_out: tuple[tuple[str, str], ...]


class Server:
    """A server at an address, `COMMAND ARGS…` or `http://… --header 'Name: value'…`.

    In a command or a header, `$NAME` stands for a variable of the environment, of which a command is given little
    else: what is secret need not be written down. What went into headers is taken out of all that the server answers.
    All methods must be called in the same event loop.
    """

    def __init__(self, address: str) -> None:
        """Keep the address; nothing is started yet."""
        self.address = address
        self._http: HttpAddress | None = None
        self._refusal = 0
        self._trouble = Trouble()
        self._sieve = Sieve(_MOST_TOOLS)
        self._client: Client | None = None
        self._holder: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._opening = asyncio.Lock()
        self._crashes: Counter[str] = Counter()

    async def list_tools(self) -> Listing:
        """Return the tools of all pages; raises `CatalogError` when there is no list in time."""
        client = await self._open()
        tools: list[JSON] = []
        try:
            async with asyncio.timeout(LIST_S):
                cursor: str | None = None
                pages = set[str | None]()
                while cursor not in pages and len(pages) < _MOST_PAGES and len(tools) <= _MOST_TOOLS:
                    pages.add(cursor)
                    page = await client.list_tools(cursor=cursor, cache_mode="bypass")
                    tools += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
                    cursor = page.next_cursor
                    if cursor is None:
                        break
        except TimeoutError as exc:
            raise self._blame(f"did not list its tools within {LIST_S:g} seconds") from exc
        except Exception as exc:
            raise self._blame(f"could not list its tools: {_reason(exc)}") from exc
        left_out = list(self._sieve.dropped.items())
        if self._sieve.cut or len(tools) > _MOST_TOOLS:
            left_out.append(("", f"it lists more than {_MOST_TOOLS:,} tools; the others were left out"))
        elif cursor is not None:
            left_out.append(("", f"its list has no end; what came after {len(pages):,} pages was left out"))
        info = client.server_info
        name, shown = self._hide((info.name if info else "", tools[:_MOST_TOOLS]))
        return Listing(name, tuple(shown), tuple((self._hide(name), self._hide(why)) for name, why in left_out))

    async def call(self, name: str, arguments: JSON, timeout_s: float) -> Outcome:
        """Return what a tool answers; what it does wrong, the end of the server included, is a failed outcome.

        A server that has ended is started again. Raises `CatalogError` when that cannot be done, or a server no longer
        takes the credentials, with which every later call would fail as well.
        """
        if self._crashes[name] >= _MOST_CRASHES:
            return fail(f"the tool is out of order: its server has ended in {_MOST_CRASHES} calls of it")
        client = await self._open()
        outcome = await self._ask(client, name, arguments, timeout_s)
        if outcome.failed and self._refusal == 401:
            await self.close()
            raise self._blame("")
        return Outcome(self._hide(outcome.content), outcome.failed)

    async def _ask(self, client: Client, name: str, arguments: JSON, timeout_s: float) -> Outcome:
        self._refusal = 0
        try:
            async with asyncio.timeout(timeout_s):
                return _read_result(await client.call_tool(name, arguments))
        except TimeoutError:
            return fail(f"the tool did not answer within {timeout_s:g} seconds")
        except MCPError as exc:
            if exc.code == CONNECTION_CLOSED:
                self._crashes[name] += 1
                await self.close()
                return fail("the tool's server ended unexpectedly")
            if exc.code == REQUEST_TIMEOUT:
                return fail("the tool did not answer in time")
            if self._refusal:
                return fail(f"the server answers {_REFUSALS[self._refusal]}")
            return fail(exc.message)
        except Exception as exc:  # noqa: BLE001 - an answer that breaks the protocol
            return fail(_reason(exc))

    async def close(self) -> None:
        """End the connection, and the process if there is one; the next call opens it again."""
        holder, self._holder, self._client = self._holder, None, None
        if holder is not None:
            self._leave.set()
            await asyncio.wait([holder])

    async def _open(self) -> Client:
        async with self._opening:
            if self._client is not None and self._holder is not None and not self._holder.done():
                return self._client
            await self.close()
            self._leave, self._trouble, self._sieve = asyncio.Event(), Trouble(), Sieve(_MOST_TOOLS)
            self._http, self._refusal = parse_http_address(self.address) if is_http(self.address) else None, 0
            opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
            self._holder = asyncio.create_task(self._hold(opened))
            try:
                async with asyncio.timeout(START_S):
                    self._client = await opened
            except BaseException as exc:
                self._holder.cancel()
                await asyncio.wait([self._holder])
                self._holder = None
                if isinstance(exc, TimeoutError):
                    raise self._blame(f"did not answer within {START_S:g} seconds") from exc
                if isinstance(exc, Exception):
                    raise self._blame(_say_start(exc)) from exc
                raise
            return self._client

    async def _hold(self, opened: "asyncio.Future[Client]") -> None:
        """Keep the connection until it is to be left: it has to be entered and left in the same task."""
        try:
            async with Client(self._connect()) as client:
                opened.set_result(client)
                await self._leave.wait()
        except Exception as exc:  # noqa: BLE001 - told to whoever waits for the connection
            if not opened.done():
                opened.set_exception(exc)
        finally:
            if not opened.done():
                opened.cancel()

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[Any, None]:
        async with AsyncExitStack() as stack:
            transport: Transport
            if self._http is not None:
                hooks = {"response": [self._note_refusal]}
                client = httpx2.AsyncClient(headers=self._http.headers, timeout=_PATIENCE, event_hooks=hooks)
                await stack.enter_async_context(client)
                transport = streamable_http_client(
                    self._http.url, http_client=client, max_sse_event_size=_LARGEST_EVENT
                )
            else:
                transport = open_process(_split_command(self.address), self._trouble)
            incoming, outgoing = await stack.enter_async_context(transport)
            yield SievedStream(incoming, self._sieve), outgoing

    async def _note_refusal(self, response: httpx2.Response) -> None:
        if response.status_code in _REFUSALS:
            self._refusal = response.status_code

    def _hide(self, value: Any) -> Any:
        return value if self._http is None else self._http.hide_in(value)

    def _blame(self, what: str) -> CatalogError:
        trouble = str(self._trouble)
        if self._http is not None and self._refusal:
            names = " and ".join(dict.fromkeys(name for _, name in self._http.secrets))
            mend = (
                f"look at the value of {names}"
                if names
                else "give it a header behind the address: --header 'Authorization: Bearer $NAME'"
            )
            return CatalogError(f"mcp:{self.address}: the server answers {_REFUSALS[self._refusal]}; {mend}")
        what = what if self._http is None else self._http.hide(what)
        return CatalogError(f"mcp:{self.address}: the server {what}{'; ' + trouble if trouble else ''}")


def _split_command(address: str) -> list[str]:
    try:
        words = [os.path.expandvars(word) for word in shlex.split(address)]
    except ValueError as exc:
        raise CatalogError(f"mcp:{address}: not a command: {exc}") from exc
    if not words:
        raise CatalogError("mcp: names no server; write mcp:COMMAND ARGS… or mcp:http://…")
    return words


def _say_start(exc: Exception) -> str:
    first = _first_of(exc)
    if isinstance(first, OSError) and not isinstance(first, ConnectionError):
        return f"cannot be started: {first.strerror or first}"
    if isinstance(first, MCPError) and first.code == CONNECTION_CLOSED:
        return "ended before it answered"
    return f"cannot be used: {_reason(first)}"


def _first_of(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc


def _reason(exc: BaseException) -> str:
    first = _first_of(exc)
    told = " ".join(str(first).split())[:300]
    return told or type(first).__name__


def _read_result(result: CallToolResult) -> Outcome:
    """Return the structured content; without, the text: a JSON value if it is one."""
    texts = [_read_block(block) for block in result.content]
    text = "\n".join(texts)
    if result.is_error:
        return fail(text)
    if result.structured_content is not None:
        return succeed(result.structured_content)
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict | list):
            return succeed(value)
    return succeed({"text": text})


def _read_block(block: Any) -> str:
    if block.type == "text":
        return str(block.text)
    if block.type == "resource" and hasattr(block.resource, "text"):
        return str(block.resource.text)
    named = getattr(block, "uri", None) or getattr(block, "mime_type", None) or ""
    return f"[{block.type}{' ' if named else ''}{named}]"
