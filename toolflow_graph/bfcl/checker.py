"""Asks the benchmark's checker, which runs in a process of its own (`sandbox.py`), within a time limit."""

import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from toolflow_graph.bfcl.cases import Case, find_benchmark
from toolflow_graph.errors import BenchmarkError
from toolflow_graph.types import JSON

__all__ = ["Checker", "Verdict"]

_SANDBOX = Path(__file__).with_name("sandbox.py")


@dataclass(frozen=True)
class Verdict:
    """Whether a case was solved; `error_type` is the checker's own word for what was wrong, or one of ours."""

    valid: bool
    error_type: str = ""
    error: str = ""


class Checker:
    """The checker's process, started when it is first asked, anew after it was killed, and ended on leaving.

    `timeout_s` is for one request; a call that takes longer, or more than 2 GiB, fails its case.
    """

    def __init__(self, timeout_s: float = 30.0) -> None:
        find_benchmark()
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; it is started again when something is asked."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._buffer = b""

    def check_calls(self, case: Case, calls: Sequence[JSON]) -> Verdict:
        """Check what was called in the only turn of a case: `[{name: arguments}, …]`.

        Where nothing is to be called, and where only something is, no checker is needed.
        """
        if case.category.endswith("irrelevance"):
            return Verdict(valid=not calls, error_type="" if not calls else "irrelevance_error:decoder_success")
        if case.category.endswith("relevance"):
            return Verdict(valid=bool(calls), error_type="" if calls else "relevance_error:decoder_failed")
        request = {"functions": case.functions, "calls": list(calls), "truth": case.truth, "category": case.category}
        return self._judge("check_calls", request)

    def run_calls(self, case: Case, calls: Sequence[str]) -> list[str]:
        """Execute calls of a multi-turn case and return their results; an error is a result, too."""
        answer = self._ask("run_calls", {"entry": case.entry, "calls": list(calls), "category": case.category})
        if "failed" in answer:
            return [f"Error during execution: {answer['failed']}"] * len(calls)
        return [str(result) for result in answer["results"]]

    def check_dialogue(self, case: Case, calls: Sequence[Sequence[Sequence[str]]]) -> Verdict:
        """Check all calls of a multi-turn case, by turn and step."""
        request = {"entry": case.entry, "calls": calls, "truth": case.truth, "category": case.category}
        return self._judge("check_dialogue", request)

    def _judge(self, action: str, request: JSON) -> Verdict:
        answer = self._ask(action, request)
        if "failed" in answer:
            return Verdict(valid=False, error_type="checker:failed", error=str(answer["failed"]))
        return Verdict(bool(answer["valid"]), str(answer["error_type"]), str(answer["error"]))

    def _ask(self, action: str, request: JSON) -> JSON:
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            process.stdin.write(json.dumps({"action": action, **request}).encode() + b"\n")
            process.stdin.flush()
            answer: JSON = json.loads(self._read_line(process))
        except TimeoutError:
            self.close()
            return {"failed": f"it took longer than {self._timeout_s:g} seconds"}
        except (OSError, EOFError):
            code = process.wait()
            self.close()
            return {"failed": f"its process ended with exit code {code}"}
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self._folder = tempfile.TemporaryDirectory(prefix="toolflow-bfcl-", ignore_cleanup_errors=True)
        environment: dict[str, str] = {"PATH": os.defpath, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-I", str(_SANDBOX)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._folder.name,
                env=environment,
            )
        except OSError as exc:
            raise BenchmarkError(f"the checker's process cannot be started: {exc.strerror or exc}") from exc
        return self._process

    def _read_line(self, process: "subprocess.Popen[bytes]") -> bytes:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(self._timeout_s):
                    raise TimeoutError
                read = os.read(process.stdout.fileno(), 1 << 16)
                if not read:
                    raise EOFError
                self._buffer += read
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line
