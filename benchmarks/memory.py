"""Whether memory and disk grow with the length of a run.

    python benchmarks/memory.py [--dialogues 2000] [--checkpoints journal] [--records 100000] [--clear]

First dialogues are really played by rules in one process, into a folder; then, to see what the process that collects
them keeps of each, so many finished records are handed to a run by an engine that has them ready. Resident memory and
the number of Python's objects are read now and then, after a collection; the growth is the slope of a straight line
through the later half. Agents and checks have caches of bounded size, which a run takes some thousands of dialogues to
fill: --clear empties them before each reading, so that only what is really kept shows. At the end stands what the
largest of them hold, and would hold if they were full of such entries.
"""

import argparse
import asyncio
import functools
import gc
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest.mock import patch

import numpy as np

from toolflow_graph.dataset import dialogue_id
from toolflow_graph.runner import Run, run
from toolflow_graph.runner.engine import Finished
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import DialogueRecord, Pattern

CACHE = type(functools.lru_cache(len))


class ReadyEngine:
    """Has a record ready for whatever is asked; only its index changes."""

    lanes = 16

    def __init__(self, record: DialogueRecord) -> None:
        self._record = record

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def play(self, index: int, patterns: Sequence[Pattern], source: Path | None = None) -> Finished:
        """Return the record under another index."""
        del source
        await asyncio.sleep(0)
        name = dialogue_id(self._record.seed, index)
        changes = {"index": index, "id": name, "patterns": tuple(patterns)}
        return Finished(self._record.model_copy(update=changes), f'{{"index": {index}}}\n'.encode(), accepted=True)

    def stop(self) -> None:
        """Nothing is in flight."""

    async def forget(self, indices: Iterable[int]) -> None:
        """Nothing is kept."""


def clear_caches() -> None:
    for found in gc.get_objects():
        if isinstance(found, CACHE) and found.__module__.startswith("toolflow_graph."):
            maximum = found.cache_parameters()["maxsize"]
            if maximum is not None and maximum >= 512:  # the small ones hold what is loaded once
                found.cache_clear()


def weigh_caches(largest: int) -> None:
    """Print what the largest caches hold; what several of them share is counted in each."""
    rows = []
    for found in gc.get_objects():
        if isinstance(found, CACHE) and str(found.__module__).startswith("toolflow_graph."):
            info = found.cache_info()
            if info.currsize and info.maxsize:
                held = gc.get_referents(found)
                size = sum(map(weigh, {id(one): one for one in held if isinstance(one, HELD)}.values())) / 2**20
                full = size * info.maxsize / info.currsize
                rows.append((size, full, info, f"{found.__module__.removeprefix('toolflow_graph.')}.{found.__name__}"))
    print(f"  {'cache':44} {'entries':>8} {'at most':>8} {'MiB':>6} {'full':>6} {'hits':>5}")
    for size, full, info, name in sorted(rows, reverse=True)[:largest]:
        hits = 100 * info.hits / (info.hits + info.misses)
        print(f"  {name:44} {info.currsize:8,} {info.maxsize:8,} {size:6.1f} {full:6.1f} {hits:4.0f}%")
    print(f"  {'all':62} {sum(row[0] for row in rows):6.1f} {sum(row[1] for row in rows):6.1f}")


HELD = (str, tuple, list, frozenset, set, int, float)
"""Keys and results of caches whose size is counted."""


def weigh(value: object) -> int:
    """Return the bytes of a value and of what it holds, as far as that is plain."""
    inner = value if isinstance(value, tuple | list | frozenset | set) else ()
    return sys.getsizeof(value) + sum(weigh(part) for part in inner if isinstance(part, HELD))


def read_resident() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(settings: RunSettings, out: Path, marks: int, *, clear: bool) -> DialogueRecord:
    """Play a run and print memory and disk at so many moments; returns its last record."""
    seen: list[tuple[int, float, int]] = []
    records: list[DialogueRecord] = []

    def note(done: int) -> None:
        if clear:
            clear_caches()
        gc.collect()
        resident, objects = read_resident(), len(gc.get_objects())
        seen.append((done, resident, objects))
        kept = sum(path.stat().st_size for path in out.glob("checkpoints*")) / 2**20
        print(
            f"  {done:>8,} dialogues  {resident:7.1f} MiB  {objects:>9,} objects  checkpoints {kept:6.1f} MiB",
            flush=True,
        )

    async def play() -> None:
        played = Run.start(settings, out)
        try:
            async for record in played.play():
                records[:] = [record]
                done = played.counts.done
                if done // max(1, settings.dialogues // marks) > len(seen):
                    note(done)
        finally:
            played.close()

    asyncio.run(play())
    half = np.array(seen[len(seen) // 2 :])
    slope, objects = (float(np.polyfit(half[:, 0], half[:, column], 1)[0]) for column in (1, 2))
    print(f"  growth a dialogue: {1024 * slope:.3f} KiB, {objects:.2f} objects")
    return records[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=2000)
    parser.add_argument("--checkpoints", choices=["keep", "journal", "none"], default="journal")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--marks", type=int, default=20)
    parser.add_argument("--clear", action="store_true", help="empty the caches before each reading")
    chosen = parser.parse_args()
    settings = RunSettings(dialogues=chosen.dialogues, seed=1, checkpoints=chosen.checkpoints)
    with tempfile.TemporaryDirectory() as folder:
        print(f"played by rules, checkpoints = {chosen.checkpoints}")
        record = measure(settings, Path(folder) / "played", chosen.marks, clear=chosen.clear)
        weigh_caches(12)
        if not chosen.records:
            return
        print("collected")
        many = settings.model_copy(update={"dialogues": chosen.records, "checkpoints": "none"})
        with patch.object(run, "build_engine", lambda _: ReadyEngine(record)):
            measure(many, Path(folder) / "collected", chosen.marks, clear=chosen.clear)


if __name__ == "__main__":
    main()
