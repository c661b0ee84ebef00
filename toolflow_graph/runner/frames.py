"""Messages between a run and its workers: pickled, each behind its length.

Only a process and the children that it has started talk like this, through pipes that nobody else can reach; nothing of
it is ever read from a disk or a network.
"""

import asyncio
import pickle
import struct
from typing import Any

__all__ = ["make_frame", "make_portable", "read_frame"]

_LENGTH = struct.Struct(">Q")


def make_frame(message: tuple[Any, ...]) -> bytes:
    """Return a message as it goes through the pipe."""
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(content)) + content


async def read_frame(reader: asyncio.StreamReader) -> tuple[Any, ...] | None:
    """Return the next message, None when the other end is gone."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        message: tuple[Any, ...] = pickle.loads(await reader.readexactly(length))  # noqa: S301 - see above
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return message


def make_portable(exc: BaseException) -> BaseException:
    """Return an exception that survives the pipe: itself, or one that says what it said."""
    try:
        revived = pickle.loads(pickle.dumps(exc))  # noqa: S301 - see above
    except Exception:  # noqa: BLE001 - whatever an exception's own class does
        return RuntimeError(f"{type(exc).__name__}: {exc}")
    return exc if str(revived) == str(exc) else RuntimeError(f"{type(exc).__name__}: {exc}")
