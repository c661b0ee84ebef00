"""What the tests of runs share: a small catalog, a run in one line, and the bytes that it left."""

import asyncio
import json
import shutil
from pathlib import Path

from toolflow_graph.resources import find_resource
from toolflow_graph.runner import generate

FILES = ("dialogues.jsonl", "rejected.jsonl")
DOMAINS = ("calendar", "travel", "weather", "mail", "banking", "restaurants")


def copy_catalog(folder):
    """Copy some of the bundled domains; a run's catalog must not change while someone edits the bundled one."""
    folder.mkdir(parents=True, exist_ok=True)
    for domain in DOMAINS:
        shutil.copy(find_resource("tool_catalog") / f"{domain}.json", folder)
    return str(folder)


def run_all(out, **settings):
    """Generate into a folder and return its files."""
    for _ in generate(out=out, **settings):
        pass
    return read_files(out)


def play(run, on_event=None):
    """Play a run that was started or resumed to its end, close it, and return the indices in the order they came."""

    async def exhaust():
        return [record.index async for record in run.play(on_event)]

    try:
        return asyncio.run(exhaust())
    finally:
        run.close()


def read_files(folder):
    return {name: (Path(folder) / name).read_bytes() for name in FILES}


def read_rows(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def read_manifest(folder):
    return json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
