"""How long `toolflow overlap` takes, and whether the bundled catalog is clean against BFCL by both tests.

    python benchmarks/overlap.py [--dialogues 300] [FILE…]

FILEs are dialogues to compare instead of freshly generated ones. Needs the data of BFCL (`make install` has them). The
cosine test is measured on the tools alone; encoding the benchmark's tools takes about a minute the first time.
"""

import argparse
import time
from pathlib import Path

from toolflow_graph import generate, load_catalog, load_encoder
from toolflow_graph.dataset import StoredDialogue, open_dialogues
from toolflow_graph.overlap import find_overlap, load_benchmarks
from toolflow_graph.overlap.ngrams import NGramIndex


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--dialogues", type=int, default=300)
    chosen = parser.parse_args()
    if chosen.files:
        dialogues = [dialogue for path in chosen.files for dialogue in open_dialogues(path)]
    else:
        dialogues = [
            StoredDialogue(Path("generated"), number, record.id, record.messages, record.tools)
            for number, record in enumerate(generate(dialogues=chosen.dialogues, seed=7), 1)
        ]
    began = time.process_time()
    benchmark = load_benchmarks(["bfcl"])
    read = time.process_time()
    index = NGramIndex([*benchmark.tools, *(passage.text for passage in benchmark.passages)])
    built = time.process_time()
    print(f"BFCL: {len(benchmark.tools):,} tools and {len(benchmark.passages):,} texts, {index.tokens:,} tokens")
    print(f"read in {read - began:.1f} CPU s, n-grams indexed in {built - read:.1f} CPU s")
    began = time.process_time()
    found = find_overlap(benchmark, dialogues, encoder=None)
    seconds = time.process_time() - began - (built - read)
    print(
        f"n-gram test of {found.dialogues:,} dialogues ({found.messages:,} distinct messages): {seconds:.1f} CPU s, "
        f"{1e4 * seconds / found.dialogues:.1f} per 10,000; {found.leaking_dialogues} dialogues leak"
    )
    bundled = find_overlap(benchmark, tools=load_catalog().tools.values(), encoder=load_encoder())
    print(f"bundled catalog, both tests: {len(bundled.leaks)} of {bundled.tools} tools leak; closest:")
    for match in bundled.closest:
        print(f"  {match.name}: {match.contaminated:.1%} contaminated, cosine {match.cosine} with {match.nearest}")


if __name__ == "__main__":
    main()
