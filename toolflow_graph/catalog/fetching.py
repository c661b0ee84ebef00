"""Fetches a document over HTTP: bounded in bytes, time and redirects, and never led into a private network.

Names are resolved once, all their addresses are judged, and the connection goes to the address that was judged. No
proxy is used, nothing is sent but the request, and compressed answers, which could unfold without end, are refused.
"""

import ipaddress
import socket
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import httpcore

from toolflow_graph.errors import CatalogError

if TYPE_CHECKING:
    import ssl

__all__ = ["Host", "fetch", "name_host"]

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_HEADERS = (("Accept", "application/json, application/yaml, */*"), ("Accept-Encoding", "identity"))


class Host(NamedTuple):
    """Where a server is."""

    name: str
    port: int


def name_host(address: str) -> Host:
    """Return where an http or https address leads; raises `CatalogError` for what is none."""
    try:
        parts = urlsplit(address)
        name, port = parts.hostname, parts.port
    except ValueError as exc:
        raise CatalogError(f"not an address: {exc}") from exc
    if parts.scheme not in ("http", "https") or not name:
        raise CatalogError("only http, https and relative references to files are read")
    return Host(name, port or (443 if parts.scheme == "https" else 80))


def fetch(address: str, named: Iterable[Host], *, most_bytes: int, seconds: float) -> tuple[str, str]:
    """Return where a document is in the end, after redirects, and its text.

    Only public addresses are asked, and the hosts that were `named`, unless their address is link-local (where
    clouds keep their secrets).

    Raises `CatalogError` that says why there is no document.
    """
    try:
        network = _Network(frozenset(named), time.monotonic() + seconds)
        with httpcore.ConnectionPool(network_backend=network, max_connections=1, retries=0) as pool:
            return _follow(pool, address, most_bytes)
    except (httpcore.TimeoutException, TimeoutError) as exc:
        raise CatalogError(f"it did not come within {seconds:.3g} seconds") from exc
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as exc:
        raise CatalogError(" ".join(str(exc).split())[:200] or type(exc).__name__) from exc


def _follow(pool: httpcore.ConnectionPool, address: str, most_bytes: int) -> tuple[str, str]:
    for _ in range(_MOST_REDIRECTS + 1):
        name_host(address)
        with pool.stream("GET", quote(address, safe="%/:=&?~+!$,;'@()*[]"), headers=_HEADERS) as response:
            headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
            if response.status in _REDIRECTS and b"location" in headers:
                target = urljoin(address, headers[b"location"])
                if address.startswith("https:") and not target.startswith("https:"):
                    raise CatalogError("its server leads from https to something else")
                address = target.partition("#")[0]
                continue
            if response.status != 200:
                raise CatalogError(f"its server answers {response.status}")
            if headers.get(b"content-encoding", "identity").lower() != "identity":
                raise CatalogError("its server sends it compressed, though asked not to")
            return address, _read(response, most_bytes).decode("utf-8-sig")
    raise CatalogError(f"its server redirects more than {_MOST_REDIRECTS} times")


def _read(response: httpcore.Response, most_bytes: int) -> bytes:
    read = bytearray()
    for chunk in response.iter_stream():
        read += chunk
        if len(read) > most_bytes:
            raise CatalogError(f"it has more than the {most_bytes / 2**20:.3g} MiB that are read")
    return bytes(read)


class _Network(httpcore.NetworkBackend):
    """Connects to what may be asked, until the time is up."""

    def __init__(self, named: frozenset[Host], end: float) -> None:
        self._named = named
        self._end = end
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline holds
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _resolve(host, port)
        named = Host(host, port) in self._named
        if not all(_may_be_asked(address, named=named) for address in addresses):
            raise CatalogError(
                "its address is link-local or nobody's"
                if named
                else "its address is this machine's or a private network's, and no file here refers to that host"
            )
        failure: Exception | None = None
        for address in addresses:
            try:
                inner = self._inner.connect_tcp(address, port, _left(self._end), local_address, socket_options)
            except httpcore.ConnectError as exc:
                failure = exc
            else:
                return _Stream(inner, self._end)
        raise failure or httpcore.ConnectError(f"{host!r} has no address")


class _Stream(httpcore.NetworkStream):
    """A connection of which every step ends when the time is up, however slowly bytes come."""

    def __init__(self, inner: httpcore.NetworkStream, end: float) -> None:
        self._inner = inner
        self._end = end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline holds
        return self._inner.read(max_bytes, _left(self._end))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._inner.write(buffer, _left(self._end))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: "ssl.SSLContext",
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(self._end)), self._end)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is up")
    return left


def _may_be_asked(address: str, *, named: bool) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip.sixtofour is not None or ip in _TRANSLATED:  # they stand for an address of the old protocol
            return False
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    return named or ip.is_global
