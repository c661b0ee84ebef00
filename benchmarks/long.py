"""What happens as dialogues get longer: whether they pass, what they cost, and how far back their facts reach.

    python benchmarks/long.py [--lengths 4,10,20,36] [--dialogues 20] [--seed 7] [--only played,kept,prompts,facts]

For each length, dialogues of just so many requests are played over 24 tools (12 for the shorter ones) of the bundled
catalog, by the scripted cast with the mix of docs/long.toml.

played    accepted of all played, findings of the rest; user turns and messages; CPU per dialogue and per step of the
          state machine without checkpoints, and how many of these milliseconds the validator takes
kept      bytes of checkpoints per dialogue and per step, kept for good and as a journal (at its largest), and peak
          memory of the process that played them, less what it had when the first dialogue began
prompts   the longest dialogues over HTTP, models played by the scripted cast (tests/players.py): prompt tokens of one
          request of the assistant, by user turn, with all messages shown, with facts recalled, and with a window too
facts     arguments by user turns since their value was last said (toolflow_graph/report/reach.py): how many, and how
          many in calls without an error. Then the ids among them, at the distance where they are used: a reader that
          sees one request of the LLM cast (see benchmarks/recall.py) fills the id in. It is right if it finds the same
          in all messages, in a window of 16 alone, and in such a window with recalled facts

The reader is no model: it measures whether a request holds what is needed, and says which thing is meant.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolflow_graph.agents.llm.assistant import LLMAssistant
from toolflow_graph.agents.llm.recall import Recall
from toolflow_graph.agents.llm.setting import Voices
from toolflow_graph.agents.roles import Scene
from toolflow_graph.dataset import record_of
from toolflow_graph.dialogue.graph import build_graph, step_limit
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.encoder import TransientEncoder, load_encoder
from toolflow_graph.errors import ModelOutputError
from toolflow_graph.models import ChatClient, ModelSettings
from toolflow_graph.report.reach import iterate_uses
from toolflow_graph.runner import generate
from toolflow_graph.settings import RunSettings, parse_settings
from toolflow_graph.settings_file import load_settings
from toolflow_graph.types import DialoguePlan, DialogueRecord
from toolflow_graph.values import is_identifier

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from endpoint import Endpoint, call
from players import OrderedPlayers
from prefix_cache import load_tokenizer, write_prompt
from recall import read_value

JSON = dict[str, Any]

MIX = load_settings(Path(__file__).parent.parent / "docs" / "long.toml")["mix"]
SPANS = ((0, 0), (1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 99))
WINDOW, FACTS = 16, 12


def settings_of(length: int, dialogues: int, seed: int, **more: Any) -> RunSettings:
    return parse_settings(
        {
            "dialogues": dialogues,
            "seed": seed,
            "mix": MIX,
            "tools": 24 if length >= 16 else 12,
            "min_requests": length,
            "max_requests": length,
            "max_turns": 3 * length + 10,
            "workers": 1,
            "concurrency": 1,
            **more,
        }
    )


# Played


@dataclass(frozen=True)
class Played:
    """A dialogue of the scripted cast, and the state in which it ended."""

    record: DialogueRecord
    state: JSON


def measure_played(lengths: Sequence[int], options: argparse.Namespace) -> dict[int, list[Played]]:
    print("\nplayed")
    columns = (
        "requests",
        "accepted",
        "played",
        "turns",
        "messages",
        "steps",
        "ms/dialogue",
        "ms/step",
        "planning",
        "checks",
    )
    print("".join(f"{column:>12}" for column in columns))
    found: dict[int, list[Played]] = {}
    for length in lengths:
        settings = settings_of(length, options.dialogues, options.seed)
        found[length] = asyncio.run(_play(length, settings))
    return found


async def _play(length: int, settings: RunSettings) -> list[Played]:
    stage = load_stage(settings)
    spent: Counter[str] = Counter()
    machine = build_graph().compile()
    limit = {"recursion_limit": step_limit(settings)}
    await machine.ainvoke({"index": 10_000}, context=settings, config=limit)  # loads what is loaded once
    finished, steps = [], 0
    for index in range(settings.dialogues):
        began = time.process_time()
        async for update in machine.astream({"index": index}, context=settings, config=limit, stream_mode="updates"):
            now = time.process_time()
            spent[next(iter(update))] += 1000 * (now - began)
            steps, began = steps + 1, now
        state = await machine.ainvoke({"index": index}, context=settings, config=limit)
        finished.append(Played(record_of(state, settings, stage), dict(state)))
    records = [one.record for one in finished]
    played = len(records)
    good = [record for record in records if not any(finding.severity == "error" for finding in record.findings)]
    whole = sum(spent.values())
    planning, checks = spent["sampler"] + spent["planner"], spent["validator"]
    row = [
        length,
        f"{len(good)}",
        f"{played}",
        f"{sum(r.usage['turns'] for r in records) / played:.1f}",
        f"{sum(r.usage['messages'] for r in records) / played:.1f}",
        f"{steps / played:.1f}",
        f"{whole / played:.1f}",
        f"{(whole - planning - checks) / steps:.2f}",
        f"{planning / played:.1f}",
        f"{checks / played:.1f}",
    ]
    print("".join(f"{cell:>12}" for cell in row), flush=True)
    for (check, message), count in Counter((f.check, f.message[:90]) for r in records for f in r.findings).most_common(
        4
    ):
        print(f"{'':>12}{count} × {check}: {message}")
    return finished


# Kept


def measure_kept(lengths: Sequence[int], options: argparse.Namespace) -> None:
    print("\nkept")
    columns = ("requests", "keep KB", "KB/message", "journal KB", "peak MB")
    print("".join(f"{column:>12}" for column in columns))
    for length in lengths:
        with tempfile.TemporaryDirectory() as folder:
            began = _peak_mb()
            sizes = {}
            messages = 0
            for kind in ("keep", "journal"):
                settings = settings_of(length, options.dialogues, options.seed, checkpoints=kind)
                out, largest = Path(folder, kind), 0
                for dialogue in generate(settings, out=out):
                    messages += len(dialogue.messages)
                    largest = max(largest, sum(file.stat().st_size for file in out.glob("checkpoints*")))
                at_end = sum(file.stat().st_size for file in out.glob("checkpoints*"))
                sizes[kind] = at_end if kind == "keep" else largest
        each = sizes["keep"] / options.dialogues / 1024
        row = [
            length,
            f"{each:.0f}",
            f"{each / (messages / 2 / options.dialogues):.1f}",
            f"{sizes['journal'] / 1024:.0f}",
            f"{_peak_mb() - began:.0f}",
        ]
        print("".join(f"{cell:>12}" for cell in row), flush=True)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# Prompts


def measure_prompts(length: int, options: argparse.Namespace) -> None:
    name, tokenizer = load_tokenizer()
    print(f"\nprompts: tokens ({name}) of one request of the assistant, dialogues of {length} requests")
    arms = {
        "all messages": {"recall": 0},
        f"all, {FACTS} facts": {"recall": FACTS},
        f"window {WINDOW}": {"recall": 0, "window": WINDOW},
        f"window {WINDOW}, {FACTS} facts": {"recall": FACTS, "window": WINDOW},
    }
    for arm, more in arms.items():
        tokens: dict[int, list[int]] = defaultdict(list)
        for seed in _find_seeds(length, options.prompts, options.seed, more):
            settings = settings_of(length, 1, seed, cast="llm", **more)
            players = OrderedPlayers(settings)
            players.can_play()
            with Endpoint(players) as endpoint:
                models = settings.models.model_copy(update={"base_url": endpoint.base_url, "model": ("test-model",)})
                played = list(generate(settings.model_copy(update={"models": models, "max_attempts": 1})))
            turn = 0
            for entry in endpoint.log:
                role, _ = players.recognise(entry.body)
                turn += role == "user"
                if role == "assistant":
                    tokens[turn].append(len(tokenizer(write_prompt(entry.body, schema_in_prompt=False))))
            if not played:
                print(f"{'':>4}seed {seed}: rejected")
        print(
            f"{arm:>24}" + "".join(f"{turns:>9}: {value:,.0f}" for turns, value in _average(tokens, length)), flush=True
        )


def _find_seeds(length: int, count: int, seed: int, more: JSON) -> Iterator[int]:
    """Yield seeds whose first draw of tools bears a plan: the players have no other."""
    for place in range(seed, seed + 400):
        if OrderedPlayers(settings_of(length, 1, place, cast="llm", max_attempts=1, **more)).can_play():
            yield place
            count -= 1
            if not count:
                return


def _average(tokens: dict[int, list[int]], length: int) -> Iterator[tuple[str, float]]:
    width = max(1, length // 6)
    for low in range(1, max(tokens) + 1, width):
        values = [value for turn in range(low, low + width) for value in tokens.get(turn, ())]
        if values:
            yield f"{low}-{low + width - 1}", sum(values) / len(values)


# Facts


def measure_facts(found: Mapping[int, Sequence[Played]]) -> None:
    print("\nfacts: arguments by user turns since the value was last said, and those in calls without an error")
    print(f"{'requests':>12}" + "".join(f"{_label(span):>12}" for span in SPANS))
    for length, played in found.items():
        uses = [use for one in played for use in iterate_uses(one.record)]
        inside = [[use for use in uses if low <= use.distance <= high] for low, high in SPANS]
        print(f"{length:>12}" + "".join(f"{f'{sum(u.right for u in i)}/{len(i)}':>12}" for i in inside), flush=True)


def _label(span: tuple[int, int]) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"


@dataclass(frozen=True)
class Case:
    """A request that needs an id of an earlier result; `made` is the call that answers it."""

    distance: int
    made: JSON
    argument: str
    place: int
    state: JSON


def find_cases(played: Sequence[Played]) -> Iterator[Case]:
    """Yield a case for every id that the one call of the opening turn of a request takes from an earlier result."""
    for one in played:
        messages = one.state["messages"]
        calls = {c["id"]: (place, c) for place, m in enumerate(messages) for c in getattr(m, "tool_calls", ())}
        for use in iterate_uses(one.record):
            place, made = calls[use.call_id]
            asked = messages[place - 1]
            own = asked.additional_kwargs.get("request")
            opens = asked.type == "human" and messages[place - 2].additional_kwargs.get("request") != own
            first = opens and len(messages[place].tool_calls) == 1
            if use.distance and use.source == "result" and first and is_identifier(use.path, {}):
                yield Case(use.distance, made, use.path, place, one.state)


async def measure_reading(length: int, played: Sequence[Played], options: argparse.Namespace) -> None:
    stage = load_stage(settings_of(length, options.dialogues, options.seed))
    cases = list(find_cases(played))
    recall = Recall(TransientEncoder(load_encoder()))
    arms = {
        "all messages": replace(recall, facts=0, window=0),
        f"window {WINDOW}": replace(recall, facts=0, window=WINDOW),
        f"window {WINDOW}, {FACTS} facts": replace(recall, facts=FACTS, window=WINDOW),
    }
    spans = SPANS[1:]
    print(f"\nids that a reader fills in rightly, by distance; dialogues of {length} requests, {len(cases)} cases")
    print(f"{'':>24}" + "".join(f"{_label(span):>12}" for span in spans))
    current: tuple[JSON, str] = ({}, "")

    def answer(body: JSON) -> Any:
        made, argument = current
        value = read_value(body, argument)
        return (
            "Which one?" if value is None else {"tool_calls": [call(made["name"], {**made["args"], argument: value})]}
        )

    with Endpoint(answer) as endpoint:
        models = ModelSettings(base_url=endpoint.base_url, model="test-model", max_repairs=0)
        client = ChatClient(models)
        for name, arm in arms.items():
            assistant = LLMAssistant(Voices(client, models), arm)
            right: Counter[tuple[int, int]] = Counter()
            whole: Counter[tuple[int, int]] = Counter()
            for number, case in enumerate(cases):
                made, argument, state = case.made, case.argument, case.state
                current = (made, argument)
                span = next(span for span in spans if span[0] <= case.distance <= span[1])
                whole[span] += 1
                plan = DialoguePlan.model_validate(state["plan"])
                messages = state["messages"][: case.place]
                scene = Scene(number, 0, plan, messages, stage.tools, state["offered"], stage.catalog.domains)
                try:
                    turn = await assistant.act(scene)
                except ModelOutputError:
                    continue
                found = [c.arguments.get(argument) for c in turn.calls]
                right[span] += made["args"][argument] in found
                if options.missed and made["args"][argument] not in found:
                    print(f"    {case.distance}: {messages[-1].text!r} wants {made['args'][argument]}, not {found}")
            print(f"{name:>24}" + "".join(f"{f'{right[s]}/{whole[s]}':>12}" for s in spans), flush=True)
        await client.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", default="4,10,20,36")
    parser.add_argument("--dialogues", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=2, help="dialogues of the longest length played over HTTP")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--missed", action="store_true", help="print the requests that the reader got wrong")
    parser.add_argument("--only", default="played,kept,prompts,facts")
    options = parser.parse_args()
    lengths = [int(length) for length in options.lengths.split(",")]
    wanted = set(options.only.split(","))
    print(f"{options.dialogues} dialogues of each length, seed {options.seed}")
    if wanted & {"played", "facts"}:
        found = measure_played(lengths, options)
    if "kept" in wanted:
        measure_kept(lengths, options)
    if "prompts" in wanted:
        measure_prompts(lengths[-1], options)
    if "facts" in wanted:
        measure_facts(found)
        asyncio.run(measure_reading(lengths[-1], found[lengths[-1]], options))


if __name__ == "__main__":
    main()
