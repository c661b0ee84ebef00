"""The engine of several processes on this machine, which are talked to through pipes."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.live.executions import name_executions
from toolflow_graph.models.ledger import Account
from toolflow_graph.runner.database import Database
from toolflow_graph.runner.engine import Place
from toolflow_graph.runner.folder import RunFolder, name_checkpoints
from toolflow_graph.runner.frames import make_frame, read_frame
from toolflow_graph.runner.workers import Line, Worker, WorkerEngine
from toolflow_graph.settings import RunSettings

__all__ = ["ProcessEngine"]


class _Pipe:
    """The way to a process; implements `Line`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def tell(self, *message: Any) -> None:
        assert self.process.stdin is not None  # noqa: S101 - it was started with one
        with suppress(OSError, RuntimeError):
            self.process.stdin.write(make_frame(message))

    async def hear(self) -> tuple[Any, ...] | None:
        assert self.process.stdout is not None  # noqa: S101 - it was started with one
        return await read_frame(self.process.stdout)

    async def find_end(self) -> str:
        code = await self.process.wait()
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"

    def cut(self) -> None:
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()


class ProcessEngine(WorkerEngine):
    """Plays in processes beside this one, each with a file of checkpoints of its own, or all with one database."""

    def __init__(
        self,
        settings: RunSettings,
        stage: Stage,
        folder: RunFolder | None,
        account: Account | None = None,
        database: Database | None = None,
    ) -> None:
        def find_places(number: int) -> tuple[Place | None, Path | None]:
            if folder is None:
                return None, None
            kept = None if settings.keeping == "none" else folder.path / name_checkpoints(number)
            return database or kept, folder.path / name_executions(number)

        where = None if folder is None else folder.path
        super().__init__(settings, stage, account, places=find_places, where=where)
        self._folder = folder

    @property
    def processes(self) -> list[int]:
        """Ids of the processes that play."""
        return [worker.line.process.pid for worker in self._workers if isinstance(worker.line, _Pipe)]

    async def _open_line(self, worker: Worker) -> Line:
        pipe = _Pipe(await self._start())
        pipe.tell(self._brief(worker))
        return pipe

    async def _start(self) -> asyncio.subprocess.Process:
        script = f"import sys; sys.path[:] = {sys.path!r}; from toolflow_graph.runner.worker import main; main()"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            script,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is the run's to answer
            pass_fds=() if self._folder is None else (self._folder.lock,),  # as long as one lives, nobody else works
            env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
        )
