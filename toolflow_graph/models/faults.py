"""What can go wrong with a request: read from exceptions and responses once, as data, with every key taken out."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from toolflow_graph.errors import ContextLengthError, ModelError, ModelOutputError, RequestError, ToolflowError
from toolflow_graph.models.access import Access

__all__ = [
    "ADDRESS",
    "PASSING",
    "Fault",
    "FaultKind",
    "blame",
    "blame_request",
    "read_body",
    "read_exception",
    "read_retry_after",
]

FaultKind = Literal[
    "busy",  # 429, 503: everybody waits
    "server",  # another 5xx, or a response that is not JSON
    "dropped",  # the connection ended before the response did
    "timeout",
    "unreachable",  # no connection at all
    "web_page",  # HTML in place of JSON
    "key",  # 401, 403
    "quota",  # the account is empty
    "model",  # 404: no such model
    "path",  # 404: nothing answers at this address
    "context",  # the request is longer than the model's context
    "filtered",  # the endpoint's content filter refused the request
    "refused",  # another 4xx: the endpoint does not understand the request
]

ADDRESS: frozenset[FaultKind] = frozenset({"unreachable", "web_page"})
"""Faults that a wrong address has too: they may pass only when the endpoint was reached before."""

PASSING: frozenset[FaultKind] = ADDRESS | {"busy", "server", "dropped", "timeout"}
"""Faults that may be gone the next time."""

_BUSY = (429, 503, 529)
_AGAIN = (408, 409, 425)
_NO_CONNECTION = {"ConnectError", "ConnectTimeout", "UnsupportedProtocol"}  # by name: openai brings httpx or httpx2
_CONTEXT = (
    "context_length_exceeded",
    "context length",
    "context size",
    "context window",
    "prompt is too long",
    "input tokens exceed",
    "maximum context",
    "exceeds the available context",
)


class Fault(Exception):  # noqa: N818 - never leaves this package: becomes another try or a `ToolflowError`
    """A request that brought no answer; `said` is one line without a key, `retry_after` seconds or None."""

    def __init__(
        self, kind: FaultKind, said: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(said)
        self.kind = kind
        self.said = said
        self.status = status
        self.retry_after = retry_after


def read_exception(exc: Exception, access: Access) -> Fault | None:
    """Return the fault that an exception of the client stands for; None when it is a bug of ours."""
    import openai  # noqa: PLC0415 - takes a second, and is there when one of its exceptions is

    if isinstance(exc, openai.APIStatusError):
        return _read_status(exc.status_code, exc.body, exc.message, access, exc.response.headers)
    if isinstance(exc, (openai.APITimeoutError, TimeoutError)):
        if _was_not_connected(exc):
            return Fault("unreachable", "no connection in time")
        return Fault("timeout", "no answer in time")
    if isinstance(exc, openai.APIConnectionError):
        cause = access.redact(str(list(_walk_causes(exc))[-1])) or "connection lost"
        return Fault("unreachable" if _was_not_connected(exc) else "dropped", cause)
    if isinstance(exc, json.JSONDecodeError):
        return Fault("server", "the response is not JSON")
    if isinstance(exc, openai.APIError):
        return Fault("server", access.redact(exc.message))
    return None


def read_body(body: Any, access: Access) -> Fault | None:
    """Return the fault that a response with status 200 carries: a web page, or an `error` in place of choices."""
    if isinstance(body, str):
        if body.lstrip().startswith("<"):
            return Fault("web_page", "a web page answers there")
        return Fault("server", "the response is not JSON")
    error = body.get("error") if isinstance(body, dict) else None
    if not error or body.get("choices"):
        return None
    code = str(error.get("code")) if isinstance(error, dict) else ""
    status = int(code) if code.isdecimal() else 500
    return _read_status(status, error, str(error), access, {})


def _read_status(status: int, body: object, message: str, access: Access, headers: Mapping[str, str]) -> Fault:
    inner = body if isinstance(body, dict) else {}
    inner = inner["error"] if isinstance(inner.get("error"), dict) else inner
    said = access.redact(f"{status}: {inner.get('message') or inner.get('detail') or message}")
    code = f"{inner.get('code') or ''} {inner.get('type') or ''}"
    kind = _classify(status, code.lower(), said.lower())
    wait = read_retry_after(headers, datetime.now(UTC)) if kind in PASSING else None
    return Fault(kind, said, status=status, retry_after=wait)


def _classify(status: int, code: str, said: str) -> FaultKind:
    if "insufficient_quota" in code or status == 402:
        return "quota"
    if status in _BUSY:
        return "busy"
    if status in (401, 403):
        return "key"
    if any(sign in said or sign in code for sign in _CONTEXT) and status in (400, 413, 422, 500):
        return "context"
    if status in (404, 405):
        return "model" if "model" in said or "model" in code else "path"
    if "content_filter" in code or "content_policy" in code:
        return "filtered"
    if status in _AGAIN or (status >= 500 and status != 501):
        return "server"
    return "refused"


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that the endpoint asks to wait, given as seconds or as a date; None when it says nothing."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        given = headers.get("retry-after")
        if not given:
            return None
        if given.strip().replace(".", "", 1).isdigit():
            return float(given)
        until = parsedate_to_datetime(given)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def _walk_causes(exc: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = exc
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _was_not_connected(exc: BaseException) -> bool:
    return any(type(cause).__name__ in _NO_CONNECTION for cause in _walk_causes(exc))


def blame(fault: Fault, access: Access, model: str, *, tries: int = 1, seconds: float = 0) -> ToolflowError:
    """Return the error that a user gets for a fault that does not pass: what, where, and the mend."""
    where, said = access.base_url, fault.said
    if fault.kind == "context":
        return ContextLengthError(
            f"a request is longer than the context of model {model!r} ({said}); take a model or a server with a "
            "longer context, or fewer tools and turns"
        )
    if fault.kind == "filtered":
        return ModelOutputError(f"model {model!r}: the endpoint's content filter refused the request ({said})")
    return ModelError(_tell(fault, access, where, model, tries, seconds))


def blame_request(fault: Fault, model: str, *, tries: int, seconds: float) -> RequestError:
    """Return the error for a request that keeps failing while the model answers another one."""
    return RequestError(
        f"one request to model {model!r} has failed for {seconds:.0f} s ({tries} tries, the last: {fault.said}), while "
        "another is answered"
    )


def _tell(fault: Fault, access: Access, where: str, model: str, tries: int, seconds: float) -> str:
    said = fault.said
    doctor = f"`toolflow doctor --base-url {where}`"
    messages: dict[FaultKind, str] = {
        "key": f"{where} refuses the key of {access.key_env!r} ({said}); export the right one, or name its variable "
        "by --key-env"
        if access.named
        else f"{where} wants a key ({said}); export {access.key_env!r}, or name another variable by --key-env",
        "quota": f"{where}: the account has no credit left ({said}); add some, or use another key",
        "model": f"{where} has no model {model!r} ({said}); {doctor} lists what it has",
        "path": f"{where} is not an OpenAI-compatible endpoint ({said}); most base URLs end in /v1",
        "refused": f"{where} refuses the request to model {model!r} ({said}); {doctor} says what the endpoint can do",
    }
    if fault.kind == "unreachable" and tries <= 1:
        return f"{where} cannot be reached ({said}); is the server running, and is the address right?"
    if fault.kind == "web_page" and tries <= 1:
        return messages["path"]
    mend = "try again later, or with a smaller --max-in-flight"
    if fault.kind == "timeout":
        mend = "try a smaller --max-in-flight, or give a slow server longer by models.timeout_s (doctor: --timeout)"
    return messages.get(fault.kind) or (
        f"{where} has failed for {seconds:.0f} s ({tries} tries of one request, the last: {said}); {mend}"
    )
