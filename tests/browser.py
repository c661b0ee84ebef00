"""Headless Chromium, driven over its own pipe: pytest, the standard library, and one browser for all pages.

Where TOOLFLOW_REQUIRE_BROWSER is set, as in CI, tests that need a browser fail without one instead of being skipped.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

__all__ = ["BROWSER", "Page", "close_browser", "needs_browser"]

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
_PATIENCE = 180.0

if BROWSER is None and os.environ.get("TOOLFLOW_REQUIRE_BROWSER"):
    raise RuntimeError("TOOLFLOW_REQUIRE_BROWSER is set and no Chromium is on PATH: install `chromium`")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium found; install `chromium` to run this")


class NavigatedError(Exception):
    """The page was left, or loaded anew, before it could answer."""


class Page:
    """One page of a browser, from a file or an http address, in a profile of its own.

    `problems` are its errors, warnings and refused requests, `requests` what it asked for.
    """

    def __init__(self, path, *, width=1400, height=900, dark=False, fragment=""):
        self._browser = _find_browser()
        self._session = None
        self.problems, self.requests = [], []
        self._context = self._call("Target.createBrowserContext")["browserContextId"]
        target = self._call("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)  # keys are for this page
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        address = str(path) if str(path).startswith("http://") else Path(path).resolve().as_uri()
        self._call("Page.navigate", url=address + (f"#{fragment}" if fragment else ""))
        self.wait("document.readyState === 'complete'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._session = None
        self._call("Target.disposeBrowserContext", browserContextId=self._context)

    def run(self, script):
        """Return what an expression yields in the page, as JSON."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script):
        """Wait until an expression is true."""
        end = time.monotonic() + _PATIENCE
        while not self._is_true(script):
            assert time.monotonic() < end, f"never came true: {script}"
            time.sleep(0.05)

    def _is_true(self, script):
        try:
            return self.run(script)
        except NavigatedError:  # the page was left while it was being asked
            return False

    def click(self, x, y):
        """Click with the mouse, moving there first."""
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text):
        """Write into what has the focus."""
        self._call("Input.insertText", text=text)

    def press(self, key):
        """Press a key that stands for itself."""
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key)

    def photograph(self, path):
        """Write what is seen as PNG."""
        Path(path).write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _call(self, method, **parameters):
        number = self._browser.send(method, parameters, self._session)
        while True:
            answer = self._browser.receive()
            if answer.get("id") == number:
                if "navigated" in answer.get("error", {}).get("message", ""):
                    raise NavigatedError
                assert "error" not in answer, answer
                return answer["result"]
            if self._session and answer.get("sessionId") == self._session:
                self._note(answer)

    def _note(self, event):
        told = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif event.get("method") == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.problems.append(str(told["args"]))
        elif event.get("method") == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.problems.append(told["entry"]["text"])
        elif event.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])


class _Browser:
    """A process that reads requests from one pipe and writes answers and events to another."""

    def __init__(self):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        flags = (
            "--headless --no-sandbox --no-first-run --disable-dev-shm-usage --hide-scrollbars --use-angle=swiftshader "
            "--enable-unsafe-swiftshader --disable-background-networking --remote-debugging-pipe"
        )
        command = [BROWSER, *flags.split(), f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process, self._write, self._read = _start(command)
        self._buffer, self._number = b"", 0

    def lives(self):
        return os.waitpid(self._process, os.WNOHANG) == (0, 0)

    def close(self):
        os.kill(self._process, signal.SIGTERM)
        os.waitpid(self._process, 0)
        self.forget()

    def forget(self):
        os.close(self._read)
        os.close(self._write)
        self._profile.cleanup()

    def send(self, method, parameters, session):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._number

    def receive(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], _PATIENCE)
            assert ready, "the browser does not answer"
            read = os.read(self._read, 1 << 20)
            assert read, "the browser has ended"
            self._buffer += read
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)


_browsers = []  # the one that all pages share, once there is one


def _find_browser():
    if _browsers and not _browsers[0].lives():
        _browsers.pop().forget()
    if not _browsers:
        _browsers.append(_Browser())
    return _browsers[0]


def close_browser():
    """End the browser that pages were opened in, if there is one."""
    if _browsers:
        _browsers.pop().close()


def _start(command):
    """Start a browser that reads from descriptor 3 and writes to 4; return its process and our ends of the two."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out)]
    actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    actions += [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(theirs, 3)]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    for end in (theirs_in, theirs_out, *theirs):
        os.close(end)
    return process, ours_out, ours_in
