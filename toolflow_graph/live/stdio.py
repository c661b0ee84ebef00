"""Talks to an MCP server that is a process of its own, by its standard input and output.

Unlike the SDK's transport, what the server sends is bounded: an endless line, or a flood of what is no message, ends
the connection, and of the standard error only the end is kept.
"""

import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, ObjectReceiveStream, ObjectSendStream, Process
from mcp.client import Transport
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

__all__ = ["Trouble", "open_process"]

_LONGEST_LINE = 16 * 2**20
_MOST_NOISE = 2**20
"""Bytes that are no message, such as log lines on the wrong stream, before the server is given up."""

_KEPT_OF_STDERR = 4096
_GRACE_S = 2.0
"""How long a process has to end after its input has been closed, and again after SIGTERM."""

_Incoming = SessionMessage | Exception
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


@dataclass
class Trouble:
    """Why a connection ended, as far as it is known: what was wrong with the output, and the last line of stderr."""

    found: str = ""
    errors: bytes = b""

    def __str__(self) -> str:
        lines = self.errors.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        said = f"its last words: {''.join(c for c in last if c.isprintable())[:300]!r}" if last else ""
        return "; ".join(part for part in (self.found, said) if part)


def open_process(command: Sequence[str], trouble: Trouble) -> Transport:
    """Return the connection to a server, which is started when it is entered and surely ended when it is left.

    Entering raises `OSError` when the command cannot be started.
    """
    return _open(command, trouble)


@asynccontextmanager
async def _open(
    command: Sequence[str], trouble: Trouble
) -> AsyncGenerator[tuple[ObjectReceiveStream[_Incoming], ObjectSendStream[SessionMessage]], None]:
    process = await anyio.open_process(command, env=get_default_environment(), start_new_session=True)
    assert process.stdin is not None  # noqa: S101 - all three are pipes
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    deliver, incoming = anyio.create_memory_object_stream[_Incoming](0)
    outgoing, collect = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, process.stdout, deliver, trouble)
        tasks.start_soon(_write, process.stdin, collect, deliver)
        tasks.start_soon(_keep_errors, process.stderr, trouble)
        try:
            yield incoming, outgoing
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)
                for stream in (deliver, incoming, outgoing, collect):
                    await stream.aclose()
            tasks.cancel_scope.cancel()


async def _read(stdout: ByteReceiveStream, deliver: ObjectSendStream[_Incoming], trouble: Trouble) -> None:
    buffer = bytearray()
    noise = 0
    async with deliver:
        with suppress(*_BROKEN):
            while True:
                chunk = await stdout.receive()
                begins = len(buffer)
                buffer += chunk
                if b"\n" not in chunk:
                    if begins > _LONGEST_LINE:
                        trouble.found = f"it sent a line of more than {_LONGEST_LINE >> 20} MiB"
                        return
                    continue
                *lines, rest = bytes(buffer).split(b"\n")
                buffer = bytearray(rest)
                for line in lines:
                    try:
                        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    except ValueError:
                        noise += len(line) + 1
                        if noise > _MOST_NOISE:
                            trouble.found = "it floods its standard output with what is no message"
                            return
                    else:
                        await deliver.send(SessionMessage(message))


async def _write(
    stdin: ByteSendStream, collect: ObjectReceiveStream[SessionMessage], deliver: ObjectSendStream[_Incoming]
) -> None:
    try:
        async with collect:
            async for message in collect:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                await stdin.send(text.encode("utf-8", "replace") + b"\n")
    except _BROKEN:
        await deliver.aclose()  # a request must not wait for an answer that cannot come


async def _keep_errors(stderr: ByteReceiveStream, trouble: Trouble) -> None:
    with suppress(*_BROKEN):
        while True:
            trouble.errors = (trouble.errors + await stderr.receive())[-_KEPT_OF_STDERR:]


async def _end(process: Process) -> None:
    """Close the input, as the protocol wants it, and end whatever is left of the process and its children."""
    assert process.stdin is not None  # noqa: S101 - a pipe
    with suppress(*_BROKEN):
        await process.stdin.aclose()
    await _await_end(process)
    for number in (signal.SIGTERM, signal.SIGKILL) if sys.platform != "win32" else (signal.SIGTERM,):
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, number)  # its children too: it leads its own group
            if process.returncode is None:
                await _await_end(process)
    await process.aclose()


async def _await_end(process: Process) -> None:
    # process.wait() would wait until children have closed the pipes, too
    with anyio.move_on_after(_GRACE_S):
        while process.returncode is None:  # noqa: ASYNC110 - there is no other sign
            await anyio.sleep(0.01)
