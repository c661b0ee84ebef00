"""Seconds to build the Tool Graph, cold and cached, and what the search costs over its lower bound.

    .venv/bin/python benchmarks/tool_graph.py [--catalog PATH] [--strings 20000] [--repeats 5]

Cold and cached builds run in fresh processes, as a command of the user does; a cold one starts with an empty cache.
The search (FAISS candidates, exact cosines, see `find_similar_pairs`) is compared with one float32 GEMM over the upper
triangle of string pairs, in blocks, which any exact search has to do at least; both in CPU seconds of this run, on one
thread. Since
the bundled catalog is searched in milliseconds, the comparison is made again on `--strings` rows that are as close to
one another as the catalog's (its embeddings, mixed in pairs).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
BUILD = """
import json, sys, time
begin = time.perf_counter(), time.process_time()
from toolflow_graph.catalog import load_catalog
tools = load_catalog(sys.argv[1] or None).tools.values()
read = time.perf_counter()
from toolflow_graph.retriever import load_encoder
from toolflow_graph.tool_graph import build_tool_graph
graph = build_tool_graph(tools, load_encoder())
summary = graph.summary
print(json.dumps({
    "catalog": read - begin[0], "graph": time.perf_counter() - read, "cpu": time.process_time() - begin[1],
    "tools": summary.tools, "strings": summary.strings, "pp": summary.pp_edges, "pr": summary.pr_edges,
    "torch": "torch" in sys.modules,
}))
"""


def run_build(catalog: str, folder: str) -> dict[str, Any]:
    environment = {**os.environ, "TOOLFLOW_CACHE_DIR": folder}
    command = [sys.executable, "-c", BUILD, catalog]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def compare_search(snapped: "NDArray[np.float64]", tau: float, repeats: int) -> tuple[float, float, int]:
    """Return CPU seconds of our search and of the bare GEMM (the least of the repeats), and the number of pairs."""
    import numpy as np  # noqa: PLC0415

    from toolflow_graph.retriever import find_similar_pairs  # noqa: PLC0415

    narrow = np.ascontiguousarray(snapped, np.float32)
    block = 1024

    def multiply() -> None:
        for start in range(0, len(narrow), block):
            np.dot(narrow[start : start + block], narrow[start:].T)

    times: dict[str, list[float]] = {"search": [], "gemm": []}
    for _ in range(repeats):
        for name, work in (("gemm", multiply), ("search", lambda: find_similar_pairs(snapped, tau))):
            begin = time.process_time()
            work()
            times[name].append(time.process_time() - begin)
    return min(times["search"]), min(times["gemm"]), len(find_similar_pairs(snapped, tau)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", default="")
    parser.add_argument("--strings", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        builds = {"cold": run_build(options.catalog, folder)}
        cached = [run_build(options.catalog, folder) for _ in range(options.repeats)]
        builds["cached"] = min(cached, key=lambda build: build["graph"])
        first = builds["cold"]
        print(f"{first['tools']} tools, {first['strings']} strings, {first['pp']} P-P and {first['pr']} P-R edges\n")
        print(f"{'build':8}{'catalog s':>12}{'graph s':>12}{'CPU s':>12}  torch imported")
        for name, build in builds.items():
            torch = "yes" if build["torch"] else "no"
            print(f"{name:8}{build['catalog']:12.2f}{build['graph']:12.2f}{build['cpu']:12.2f}  {torch}")

        os.environ.update(ONE_THREAD, TOOLFLOW_CACHE_DIR=folder)  # before NumPy and FAISS are imported
        import numpy as np  # noqa: PLC0415

        from toolflow_graph.catalog import load_catalog  # noqa: PLC0415
        from toolflow_graph.retriever import load_encoder, snap_embeddings  # noqa: PLC0415
        from toolflow_graph.tool_graph import DEFAULT_TAU, build_tool_graph  # noqa: PLC0415

        encoder = load_encoder()
        strings = build_tool_graph(load_catalog(options.catalog or None).tools.values(), encoder).strings
        rows = encoder.encode(strings)
    rng = np.random.default_rng(0)
    one, other = rng.integers(len(rows), size=(2, options.strings))
    mixed = rows[one] + rng.uniform(0, 1, (options.strings, 1)).astype(np.float32) * rows[other]
    print(f"\n{'search of':>12}{'pairs':>10}{'search CPU s':>14}{'GEMM CPU s':>12}{'ratio':>8}")
    for vectors in (rows, mixed):
        repeats = options.repeats if len(vectors) == len(rows) else max(1, options.repeats // 2)
        search, gemm, pairs = compare_search(snap_embeddings(vectors), DEFAULT_TAU, repeats)
        print(f"{len(vectors):12,}{pairs:10,}{search:14.4f}{gemm:12.4f}{search / gemm:8.2f}")


if __name__ == "__main__":
    main()
