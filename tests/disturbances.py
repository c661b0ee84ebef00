"""Faults that a run has to survive, each injected as often as asked: few times by the tests, many by the benchmark.

A `Ground` is a run that nobody disturbed and the place for disturbed ones; a fault is a function of it that returns a
`Tally`. The run under test is that of the command where its process is hurt, and one in this process where the fault
lies around it. Whatever was injected, the run is then finished and held against the undisturbed one, byte for byte.
"""

import asyncio
import errno
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from runs import copy_catalog, read_files, read_rows, run_all
from toolflow_graph.errors import RunError
from toolflow_graph.runner import Run
from toolflow_graph.settings import RunSettings

__all__ = ["FAULTS", "Ground", "Tally"]

SEED = 11


@dataclass(frozen=True)
class Tally:
    """What came of a fault: how often it was injected, how often the run came back, dialogues lost or there twice."""

    fault: str
    injected: int
    survived: int
    lost: int
    duplicated: int
    same: bool
    noticed: int = 0
    """How often the run said that something was damaged."""

    @property
    def clean(self) -> bool:
        """Say whether nothing was lost, nothing is there twice, and the bytes are those of the undisturbed run."""
        return self.survived == self.injected and not self.lost and not self.duplicated and self.same


class Ground:
    """A small catalog, the bytes of an undisturbed run of `dialogues` dialogues, and processes that begin at once."""

    def __init__(self, place: Path, dialogues: int = 24) -> None:
        self.place = place
        self.dialogues = dialogues
        self.catalog = copy_catalog(place / "catalog")
        self.expected = run_all(place / "calm", catalog=self.catalog, dialogues=dialogues, seed=SEED)
        self._processes: Any = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(
            ["toolflow_graph.cli.app", "toolflow_graph.runner", "toolflow_graph.validation"]
        )
        self._numbers = iter(range(10**6))

    def name_folder(self) -> Path:
        """Return a folder that is not there yet."""
        return self.place / f"run-{next(self._numbers)}"

    def settings(self, **changes: Any) -> RunSettings:
        return RunSettings(catalog=self.catalog, dialogues=self.dialogues, seed=SEED, **changes)

    def begin(self, folder: Path, workers: int = 1) -> Any:
        """Start the command, or let it go on, in a process of its own."""
        given = (str(folder), self.catalog, self.dialogues, workers)
        process = self._processes.Process(target=_work, args=given)
        process.start()
        return process

    def count(self, fault: str, folders: list[Path], injected: int, survived: int, noticed: int = 0) -> Tally:
        """Hold finished runs against the undisturbed one."""
        lost = twice = 0
        same = True
        known = {json.loads(line)["id"] for line in self.expected["dialogues.jsonl"].splitlines()}
        for folder in folders:
            found = Counter(row["id"] for row in read_rows(folder / "dialogues.jsonl"))
            lost += len(known - found.keys())
            twice += found.total() - len(found)
            same = same and read_files(folder) == self.expected
        return Tally(fault, injected, survived, lost, twice, same, noticed)


def _work(folder: str, catalog: str, dialogues: int, workers: int) -> None:
    from toolflow_graph.cli.app import main  # noqa: PLC0415

    log = os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if (Path(folder) / "manifest.json").exists():
        main(["generate", "--resume", folder, "--quiet"])
    options = ["--catalog", catalog, "--dialogues", str(dialogues), "--seed", str(SEED), "--concurrency", "8"]
    main(["generate", "--out", folder, "--quiet", "--workers", str(workers), *options])


def play(run: Run, chore: Callable[[Run], Any] | None = None) -> None:
    """Play a run in this process; `chore` is a coroutine function that is run beside it."""

    async def exhaust() -> None:
        beside = asyncio.create_task(chore(run)) if chore else None
        try:
            async for _ in run.play():
                pass
        finally:
            if beside is not None:
                beside.cancel()
                await asyncio.gather(beside, return_exceptions=True)

    try:
        asyncio.run(exhaust())
    finally:
        run.close()


# The process is hurt


def _kill(process: Any, _: random.Random) -> None:
    os.kill(process.pid, signal.SIGKILL)


def _terminate(process: Any, _: random.Random) -> None:
    os.kill(process.pid, signal.SIGTERM)


def _interrupt(process: Any, _: random.Random) -> None:
    os.kill(process.pid, signal.SIGINT)


def _interrupt_twice(process: Any, rng: random.Random) -> None:
    os.kill(process.pid, signal.SIGINT)
    time.sleep(rng.uniform(0.0, 0.2))
    if process.is_alive():
        os.kill(process.pid, signal.SIGINT)


def _signal_run(
    name: str, hit: Callable[[Any, random.Random], None], workers: int = 1, longest: float = 1.5
) -> Callable[[Ground, random.Random, int], Tally]:
    def inject(ground: Ground, rng: random.Random, times: int) -> Tally:
        """Hit the command at random moments and let it go on, as many runs as that takes."""
        folders: list[Path] = []
        injected = survived = 0
        while injected < times:
            folder = ground.name_folder()
            folders.append(folder)
            meant = 0
            while True:
                process = ground.begin(folder, workers)
                process.join(rng.uniform(0.05, longest) if injected < times else 600)
                if process.is_alive():
                    hit(process, rng)
                    process.join(120)
                    injected += 1
                    meant += 1
                    continue
                if process.exitcode == 0:
                    survived += meant
                    break
                raise AssertionError(f"exit code {process.exitcode}: {Path(f'{folder}.log').read_text()}")
            assert "Traceback" not in (log := Path(f"{folder}.log").read_text()), log
        return ground.count(name, folders, injected, survived)

    return inject


def kill_workers(ground: Ground, rng: random.Random, times: int) -> Tally:
    """Kill workers of two at random moments, three times a run at most: a fourth is for dialogues that kill."""
    folders = []
    injected = 0
    while injected < times:
        folder = ground.name_folder()
        folders.append(folder)
        due = min(3, times - injected)
        killed: list[int] = []

        async def hunt(run: Run, killed: list[int] = killed, due: int = due) -> None:
            while len(killed) < due:
                await asyncio.sleep(rng.uniform(0.0, 2.0))
                living = [pid for pid in run.look().processes if pid not in killed]
                if living and run.counts.done < ground.dialogues:
                    killed.append(rng.choice(living))
                    os.kill(killed[-1], signal.SIGKILL)

        play(Run.start(ground.settings(workers=2, concurrency=4), folder), hunt)
        injected += len(killed)
    return ground.count("SIGKILL of a worker, of 2", folders, injected, injected)


def starve_worker(ground: Ground, rng: random.Random, times: int) -> Tally:
    """Take a worker's memory away while it plays: it may have not a page more than it has."""
    folders = []
    injected = 0
    for _ in range(times):
        folder = ground.name_folder()
        folders.append(folder)
        starved: list[int] = []

        async def starve(run: Run, starved: list[int] = starved) -> None:
            while not run.counts.done:  # noqa: ASYNC110 - a run has no event for it
                await asyncio.sleep(0.02)
            starved.append(rng.choice(run.look().processes))
            _limit_memory(starved[0])
            # not every step takes new pages; what is out of memory for long is killed by the system
            await asyncio.sleep(1.0)
            if starved[0] in run.look().processes:
                os.kill(starved[0], signal.SIGKILL)

        play(Run.start(ground.settings(workers=2, concurrency=4), folder), starve)
        injected += len(starved)
    return ground.count("a worker out of memory", folders, injected, injected)


def _limit_memory(process: int) -> None:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[0])
    resource.prlimit(process, resource.RLIMIT_AS, (pages * resource.getpagesize(),) * 2)


# The disk is hurt


def _fill_up(name: str, limit: Callable[[Ground], Any]) -> Callable[[Ground, random.Random, int], Tally]:
    def inject(ground: Ground, rng: random.Random, times: int) -> Tally:
        """Play where there is little room; each time that the disk is full, make some more and go on."""
        folders = []
        injected = 0
        while injected < times:
            with limit(ground) as (folder, allow):
                size = 60_000
                while True:
                    allow(size if injected < times else None)
                    try:
                        begun = (folder / "manifest.json").exists()
                        play(Run.resume(folder) if begun else Run.start(ground.settings(concurrency=4), folder))
                        break
                    except RunError as exc:
                        assert any(word in str(exc) for word in ("full", "disk I/O error")), exc  # noqa: PT017
                        injected += 1
                        size += rng.randrange(40_000, 500_000)
                folders.append(_bring_home(ground, folder))
        return ground.count(name, folders, injected, injected)

    return inject


def _bring_home(ground: Ground, folder: Path) -> Path:
    if folder.parent == ground.place:
        return folder
    return shutil.copytree(folder, ground.name_folder())


@contextmanager
def _mount_small(ground: Ground) -> Iterator[tuple[Path, Callable[[int | None], None]]]:
    disk = ground.place / "disk"
    disk.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk)
    try:
        yield disk / "run", lambda size: _run("mount", "-o", f"remount,size={size or 10**9}", disk)
    finally:
        _run("umount", disk)


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


def can_mount(place: Path) -> bool:
    """Say whether this user may mount a file system."""
    try:
        _run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place)
        _run("umount", place)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@contextmanager
def _limit_files(ground: Ground) -> Iterator[tuple[Path, Callable[[int | None], None]]]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def allow(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before[1] if size is None else size, before[1]))

    try:
        yield ground.name_folder(), allow
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refuse_writes(ground: Ground, rng: random.Random, times: int) -> Tally:
    """Let the system refuse random writes of lines and random fsyncs, some of them in the middle of a line."""
    folders: list[Path] = []
    injected = 0
    write, sync = os.write, os.fsync

    def refuse(file: int) -> bool:
        nonlocal injected
        ours = Path(f"/proc/self/fd/{file}").readlink().is_relative_to(folders[-1])
        due = ours and injected < times and rng.random() < 0.2
        injected += due
        return due

    def write_some(file: int, content: bytes) -> int:
        if not refuse(file):
            return write(file, content)
        if rng.random() < 0.5:
            write(file, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync_some(file: int) -> None:
        if refuse(file):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(file)

    while injected < times:
        folders.append(ground.name_folder())
        run = Run.start(ground.settings(concurrency=4), folders[-1])
        with patch("os.write", write_some), patch("os.fsync", sync_some):
            while True:
                try:
                    play(run)
                    break
                except RunError:
                    run = _resume_at_last(folders[-1])
    return ground.count("a write or fsync refused", folders, injected, injected)


def _resume_at_last(folder: Path) -> Run:
    while True:
        try:
            return Run.resume(folder)
        except RunError:
            continue


# What lies on the disk is hurt


def _begin_and_kill(ground: Ground) -> Path:
    """Return the folder of a run that was killed in the middle, with its checkpoints as they lay."""
    folder = ground.name_folder()
    process = ground.begin(folder)
    lines = folder / "dialogues.jsonl"
    while not (lines.exists() and lines.read_bytes().count(b"\n") >= 3):
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return folder


def _overwrite(path: Path, rng: random.Random) -> None:
    with path.open("r+b") as file:
        for _ in range(rng.randrange(1, 40)):
            file.seek(rng.randrange(path.stat().st_size))
            file.write(rng.randbytes(rng.randrange(1, 60)))


def _flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _truncate(path: Path, rng: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(rng.randrange(1, path.stat().st_size))


def _replace(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.randbytes(rng.randrange(1, 9000)))


def _empty(path: Path, _: random.Random) -> None:
    path.write_bytes(b"")


HURTS: dict[str, Callable[[Path, random.Random], None]] = {
    "overwritten": _overwrite,
    "a bit": _flip,
    "truncated": _truncate,
    "no database": _replace,
    "emptied": _empty,
}
"""What happens to a file."""


def _damage(name: str, ways: tuple[str, ...], *, log: bool) -> Callable[[Ground, random.Random, int], Tally]:
    def inject(ground: Ground, rng: random.Random, times: int) -> Tally:
        """Kill a run, hurt a file of its checkpoints, and let it go on."""
        start = _begin_and_kill(ground)
        if not log:  # closing the file brings what is in the log into it
            import sqlite3  # noqa: PLC0415

            sqlite3.connect(start / "checkpoints.sqlite").execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
        folders = []
        noticed = 0
        for number in range(times):
            folder = shutil.copytree(start, ground.name_folder())
            folders.append(folder)
            HURTS[ways[number % len(ways)]](folder / f"checkpoints.sqlite{'-wal' if log else ''}", rng)
            run = Run.resume(folder)
            noticed += bool(run.damages)
            play(run)
        return ground.count(name, folders, times, times, noticed)

    return inject


def tear_lines(ground: Ground, rng: random.Random, times: int) -> Tally:
    """Cut the last line of the dialogues anywhere, and begin one in every other file."""
    start = _begin_and_kill(ground)
    folders = []
    for _ in range(times):
        folder = shutil.copytree(start, ground.name_folder())
        folders.append(folder)
        path = folder / "dialogues.jsonl"
        content = path.read_bytes()
        last = content.rstrip(b"\n").rfind(b"\n") + 1
        path.write_bytes(content[: rng.randrange(last, len(content))])
        for name in ("rejected.jsonl", "spending.jsonl", "executions.jsonl", "executions-0.jsonl"):
            with (folder / name).open("ab") as file:
                file.write(content[: rng.randrange(1, 200)])
        (folder / "status.json").write_bytes(b'{"status": "runn')
        play(Run.resume(folder))
    return ground.count("torn last lines", folders, times, times)


# The clock is hurt


def shift_clock(ground: Ground, rng: random.Random, times: int) -> Tally:
    """Set the clock of the day back and forth by up to a year, within sessions and between them."""
    folder = ground.name_folder()
    injected = 0
    shift = 0.0
    now, now_ns = time.time, time.time_ns

    async def jump(run: Run) -> None:
        nonlocal injected, shift
        while True:
            await asyncio.sleep(0.02)
            if injected < times:
                shift = rng.uniform(-3e7, 3e7)
                injected += 1
                if rng.random() < 0.2:
                    run.stop()

    with patch("time.time", lambda: now() + shift), patch("time.time_ns", lambda: now_ns() + int(shift * 1e9)):
        run = Run.start(ground.settings(concurrency=4), folder)
        while True:
            play(run, jump)
            if run.manifest.status == "complete":
                return ground.count("clock jumps", [folder], injected, injected)
            run = Run.resume(folder)


FAULTS: dict[str, Callable[[Ground, random.Random, int], Tally]] = {
    "kill": _signal_run("SIGKILL of the run, 1 worker", _kill),
    "kill 2": _signal_run("SIGKILL of the run, 2 workers", _kill, 2, longest=25.0),
    "kill worker": kill_workers,
    "out of memory": starve_worker,
    "terminate": _signal_run("SIGTERM", _terminate),
    "interrupt": _signal_run("Ctrl-C", _interrupt),
    "interrupt twice": _signal_run("Ctrl-C twice", _interrupt_twice),
    "full disk": _fill_up("disk full (a small tmpfs)", _mount_small),
    "full files": _fill_up("files may not grow (RLIMIT_FSIZE)", _limit_files),
    "refused writes": refuse_writes,
    "torn lines": tear_lines,
    "checkpoints": _damage("checkpoints damaged", tuple(HURTS), log=False),
    "checkpoint log": _damage("write-ahead log damaged", tuple(HURTS), log=True),
    "clock": shift_clock,
}
"""By name, a function of the ground, of random numbers and of how often the fault is to be injected."""
