"""Serves the rating page to this machine, to whoever knows its token, and to no page but its own.

The address holds a random token; the `Host` must be that of the loopback, so that no other name can be pointed here;
and whatever changes something must come from the page itself (`Origin`).
"""

import contextlib
import csv
import hmac
import io
import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from toolflow_graph.errors import ToolflowError
from toolflow_graph.evaluation.ratings import DIMENSIONS, LABELS, Dimension
from toolflow_graph.report.page import Assets, embed_json, render_page
from toolflow_graph.report.rating.session import Session
from toolflow_graph.report.rating.view import show_dialogue
from toolflow_graph.types import JSON

__all__ = ["RatingServer"]

_MOST_BYTES = 4096
_PATIENCE_S = 30
_LOOPBACK = "127.0.0.1"

_HINTS: dict[Dimension, str] = {
    "NAT": "Would it pass for a real chat?",
    "COH": "Does each message follow from the last?",
    "HELP": "Does the user get what they came for?",
    "ACC": "Are all calls and statements right?",
}


class RatingServer:
    """The server of one session; `url` is where the page is. Raises `ToolflowError` when the port is taken."""

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session = session
        self._token = secrets.token_urlsafe(24)
        try:
            self._http = _Http((_LOOPBACK, port), _Handler)
        except OSError as exc:
            raise ToolflowError(f"port {port} cannot be used: {exc.strerror or exc}; give another --port") from exc
        self._http.session, self._http.token = session, self._token
        self._hosts = {f"{name}:{self._http.server_address[1]}" for name in (_LOOPBACK, "localhost")}
        self._http.hosts = self._hosts
        self._thread = threading.Thread(target=self._http.serve_forever, name="rating", daemon=True)
        self.url = f"http://{_LOOPBACK}:{self._http.server_address[1]}/{self._token}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Serve until the process is interrupted."""
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    session: Session
    token: str
    hosts: set[str]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a browser hangs up."""


class _Refusal(Exception):  # noqa: N818 - it carries a status to the browser
    def __init__(self, status: HTTPStatus, said: str) -> None:
        super().__init__(said)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "toolflow", ""
    timeout = _PATIENCE_S
    server: _Http

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, *_: Any) -> None:
        """Keep the terminal quiet."""

    def _answer(self, work: Any) -> None:
        try:
            kind, body = work(self._enter())
        except _Refusal as exc:
            self.close_connection = True  # what was sent with it has not been read
            self._send(exc.status, "text/plain; charset=utf-8", f"{exc}\n".encode())
        else:
            self._send(HTTPStatus.OK, kind, body)

    def _enter(self) -> str:
        """Return the path inside the token's; refuses other hosts, and whoever does not know the token."""
        if self.headers.get("Host") not in self.server.hosts:
            raise _Refusal(HTTPStatus.MISDIRECTED_REQUEST, "This page is served to this machine only.")
        _, token, *rest = f"{urlsplit(self.path).path}/".split("/", 2)
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refusal(HTTPStatus.NOT_FOUND, "Open the address that the command has printed.")
        return rest[0].rstrip("/") if rest else ""

    def _get(self, path: str) -> tuple[str, bytes]:
        session = self.server.session
        if path == "":
            return "text/html; charset=utf-8", _render(session).encode("utf-8", "replace")
        if path.startswith("item/"):
            return _encode(_show_item(session, self._find_place(path.removeprefix("item/"))))
        if path == "export.json":
            return "application/json", json.dumps(session.export(), indent=1).encode()
        if path == "export.csv":
            return "text/csv; charset=utf-8", write_csv(session.export()).encode("utf-8", "replace")
        raise _Refusal(HTTPStatus.NOT_FOUND, "There is nothing here.")

    def _post(self, path: str) -> tuple[str, bytes]:
        if self.headers.get("Origin") not in {f"http://{host}" for host in self.server.hosts}:
            raise _Refusal(HTTPStatus.FORBIDDEN, "Only the page itself may rate.")
        given = self._read_body()
        session = self.server.session
        try:
            if path == "undo":
                return _encode({"place": session.undo(), "done": session.done})
            if path == "rate":
                session.rate(self._find_place(given.get("place")), given.get("dimension"), given.get("value"))  # type: ignore[arg-type] # checked there
                return _encode({"done": session.done})
        except (ValueError, TypeError) as exc:
            raise _Refusal(HTTPStatus.BAD_REQUEST, str(exc)) from None
        except OSError as exc:
            said = f"{session.out}: {exc.strerror or exc}"
            raise _Refusal(HTTPStatus.INSUFFICIENT_STORAGE, said) from None
        raise _Refusal(HTTPStatus.NOT_FOUND, "There is nothing here.")

    def _find_place(self, given: Any) -> int:
        try:
            place = int(given)
        except (TypeError, ValueError):
            place = -1
        if not 0 <= place < len(self.server.session.items):
            raise _Refusal(HTTPStatus.NOT_FOUND, "There is no such dialogue.")
        return place

    def _read_body(self) -> JSON:
        size = self.headers.get("Content-Length", "")
        body = None
        if size.isascii() and size.isdigit() and int(size) <= _MOST_BYTES:
            with contextlib.suppress(ValueError, RecursionError):
                body = json.loads(self.rfile.read(int(size)))
        if not isinstance(body, dict):
            raise _Refusal(HTTPStatus.BAD_REQUEST, "That is no rating.")
        return body

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "frame-ancestors 'none'"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _render(session: Session) -> str:
    options = (
        [["left", "Left"], ["same", "Same"], ["right", "Right"]]
        if session.compares
        else [[n, str(n)] for n in range(1, 6)]
    )
    data = {
        "rater": session.rater,
        "compares": session.compares,
        "options": options,
        "dimensions": [{"key": d, "label": LABELS[d].capitalize(), "hint": _HINTS[d]} for d in DIMENSIONS],
        "done": [session.is_done(place) for place in range(len(session.items))],
    }
    return render_page("rating.html", "Rate dialogues", Assets(("rating.css",), ("rating.js",)), data)


def _show_item(session: Session, place: int) -> JSON:
    item = session.items[place]
    shown = [show_dialogue(dialogue) for dialogue in item.dialogues]
    name = "" if session.compares else item.dialogues[0].id  # ids may give away which run it is
    return {"place": place, "name": name, "dialogues": shown, "values": session.values(place)}


def _encode(data: Any) -> tuple[str, bytes]:
    return "application/json", embed_json(data).encode()


def write_csv(rows: list[JSON]) -> str:
    """Return exported rows as CSV with a head; a text that a spreadsheet would take for a formula is quoted by `'`."""
    text = io.StringIO()
    writer = csv.writer(text)
    heads = list(rows[0]) if rows else []
    writer.writerow(heads)
    for row in rows:
        writer.writerow([f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t\r" and v else v for v in row.values()])
    return text.getvalue()
