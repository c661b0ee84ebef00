"""Whether a fact of turn 2 reaches the assistant at turn 20, and is used there.

    python benchmarks/recall.py [--dialogues 40] [--cases 120] [--seed 5] [--unnamed]

A case is a dialogue of 20 user turns put together from dialogues of the scripted cast: one turn by the way, then the
request whose result holds an id, then turns of other dialogues (none calls the tools in question), then the request
that needs the id. Nobody says the id, and the person's words are those of the scripted user. One looks like this:

turn 2    → create_standing_order(recipient_name="Kiaan Date", …) ← {"standing_order_id": "SO-18797", …}
turn 20   "please update what goes out under that standing order. it's 20 now"
          → change_standing_order(standing_order_id=?, standing_amount=20)

Only such cases are taken in which the last words share a word with the call or its result ("standing order"): with
"cancel it, please" nobody could tell what is meant 18 turns later. `--unnamed` takes those too.

found     share of the cases in which a line with the id is among the k facts that the assistant is reminded of, against
          the k latest facts and k random ones
used      the same over HTTP: behind the endpoint a reader sees one request, with a window of 16 messages, and fills in
          the id from the tool results and the note in it; it takes the candidate whose line or object has most words
          of the person's last message, the later of two. "all messages" is how well it reads when it sees everything.
tools     as found, for the tools' own conversation: of the call with the id, is the object that it names recalled
time      milliseconds of CPU per turn: facts read, ranked, and new ones encoded

A reader is not a model: it measures what stands in the request, not how well a model makes use of it.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from toolflow_graph.agents.llm.assistant import LLMAssistant
from toolflow_graph.agents.llm.facts import Fact, dialogue_facts, world_facts
from toolflow_graph.agents.llm.recall import Recall
from toolflow_graph.agents.llm.setting import Voices
from toolflow_graph.agents.openai_format import to_openai_messages
from toolflow_graph.agents.roles import Scene
from toolflow_graph.dialogue.graph import build_graph, step_limit
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.encoder import TransientEncoder, load_encoder
from toolflow_graph.errors import ModelOutputError
from toolflow_graph.models import ChatClient, ModelSettings
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.types import DialoguePlan
from toolflow_graph.values import is_identifier
from toolflow_graph.values.reading import content_words

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from endpoint import Endpoint, call

JSON = dict[str, Any]

TURNS = 20
COUNTS = (4, 8, 12)
WINDOW = 16
LONG = DialogueSettings(tools=40, min_requests=20, max_requests=24, max_turns=60, patterns=("sequential", "single"))


@dataclass(frozen=True)
class Case:
    """A dialogue up to the words that need the fact; `wanted` is the call that the assistant should make then."""

    messages: list[AnyMessage]
    plan: DialoguePlan
    wanted: JSON
    argument: str

    @property
    def value(self) -> str:
        """The id."""
        return str(self.wanted["args"][self.argument])

    @property
    def last_words(self) -> str:
        """What the person says at last."""
        return next(m.text for m in reversed(self.messages) if isinstance(m, HumanMessage))


async def play(settings: DialogueSettings, dialogues: int) -> list[JSON]:
    machine = build_graph().compile()
    limit = {"recursion_limit": step_limit(settings)}
    played = [await machine.ainvoke({"index": i}, context=settings, config=limit) for i in range(dialogues)]
    return [state for state in played if state.get("ended") and state.get("messages")]


def split_requests(state: JSON) -> dict[int, list[AnyMessage]]:
    requests: dict[int, list[AnyMessage]] = {}
    for message in state["messages"][1:]:
        requests.setdefault(message.additional_kwargs["request"], []).append(message)
    return requests


def calls_of(messages: Sequence[AnyMessage]) -> list[JSON]:
    return [made for message in messages if isinstance(message, AIMessage) for made in message.tool_calls]


def count_turns(messages: Sequence[AnyMessage]) -> int:
    return sum(isinstance(message, HumanMessage) for message in messages)


def make_cases(played: Sequence[JSON], rng: random.Random, *, unnamed: bool) -> Iterator[Case]:
    """Yield a case for every id that one request hands to a later one."""
    short = [part for state in played for part in split_requests(state).values() if count_turns(part) == 1]
    for state in played:
        requests, messages = split_requests(state), state["messages"]
        for entry in state["provenance"]:
            if entry["source"] != "result":
                continue
            caller = next(m for m in messages if any(c["id"] == entry["call_id"] for c in calls_of([m])))
            wanted = next(made for made in calls_of([caller]) if made["id"] == entry["call_id"])
            result: ToolMessage = messages[entry["message"]]
            first = requests[result.additional_kwargs["request"]]
            last = requests[caller.additional_kwargs["request"]]
            opening = last[: last.index(caller)]
            if first is last or count_turns(first) != 1 or len(opening) != 1 or not is_identifier(entry["path"], {}):
                continue
            value, said = str(wanted["args"][entry["path"]]), opening[0].text
            made = next(c for c in calls_of(first) if c["id"] == result.tool_call_id)
            told = f"{made['name']} {json.dumps(made['args'])} {result.text}".replace("_", " ")
            named = set(content_words(said)) & set(content_words(told))
            if value in said or not (named or unnamed):
                continue
            ours = {made["name"] for made in calls_of([*first, *last])}
            fitting = [p for p in short if not ours & {c["name"] for c in calls_of(p)} and value not in str(p)]
            before, *between = rng.sample(fitting, TURNS - 2)
            parts = [*before, *first, *(message for part in between for message in part), *opening]
            yield Case([messages[0], *parts], DialoguePlan.model_validate(state["plan"]), wanted, entry["path"])


def has_value(text: str, value: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", text) is not None


# Found


def share_found(cases: Sequence[Case], chosen: Sequence[Sequence[Fact]]) -> float:
    hits = [any(has_value(f.text, case.value) for f in facts) for case, facts in zip(cases, chosen, strict=True)]
    return sum(hits) / len(hits)


async def measure_found(cases: Sequence[Case], recall: Recall) -> None:
    views = [recall.look_back(to_openai_messages(case.messages)[1:]) for case in cases]
    began = time.process_time()
    facts = [dialogue_facts(view.past) for view in views]
    reading = 1000 * (time.process_time() - began) / len(cases)
    every = sum(map(len, facts)) / len(cases)
    print(f"\nfound: {len(cases)} cases, {every:.0f} facts each; in all of them {share_found(cases, facts):.1%}")
    began = time.process_time()
    for case, each in zip(cases, facts, strict=True):
        await recall.find_facts(each, [case.last_words])
    fresh = 1000 * (time.process_time() - began)
    rng = random.Random(0)
    print(f"{'k':>4}{'recalled':>10}{'latest':>10}{'random':>10}")
    for k in COUNTS:
        began = time.process_time()
        by_meaning = [
            await replace(recall, facts=k).find_facts(each, [case.last_words])
            for case, each in zip(cases, facts, strict=True)
        ]
        ranking = 1000 * (time.process_time() - began) / len(cases)
        latest = [each[-k:] for each in facts]
        drawn = [rng.sample(each, min(k, len(each))) for each in facts]
        shares = "".join(f"{share_found(cases, chosen):>10.1%}" for chosen in (by_meaning, latest, drawn))
        print(f"{k:>4}{shares}")
    texts = {fact.text for each in facts for fact in each}
    print(
        f"time: reading {reading:.1f} ms and ranking {ranking:.1f} ms a turn; encoding {fresh / len(texts):.1f} ms for "
        f"a new fact"
    )


# Used


def read_value(body: JSON, argument: str) -> str | None:
    """Return what a reader takes for an argument who sees nothing but the request."""
    turns = [str(m["content"] or "") for m in body["messages"] if m["role"] == "user"]
    said, _, note = turns[-1].partition("\n\n[")
    wanted = set(content_words(said))
    candidates: list[tuple[str, str]] = []
    for line in note.splitlines():
        candidates += [(value, line) for value in re.findall(rf"\b{argument}(?:: |=)\"?([\w-]+)", line)]
    calls = {c["id"]: c["function"] for m in body["messages"] for c in m.get("tool_calls") or ()}
    for message in body["messages"]:
        if message["role"] == "tool":
            made = calls[message["tool_call_id"]]
            context = f"{made['name']} {made['arguments']}"
            candidates += [(v, f"{context} {o}") for v, o in find_values(json.loads(message["content"]), argument)]
    best = max(
        reversed(candidates), key=lambda c: len(wanted & set(content_words(c[1].replace("_", " ")))), default=None
    )
    return best[0] if best else None


def find_values(value: Any, argument: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if argument in value:
            yield str(value[argument]), json.dumps({k: v for k, v in value.items() if not isinstance(v, list | dict)})
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from find_values(part, argument)


async def measure_used(cases: Sequence[Case], recall: Recall) -> None:
    stage = load_stage(LONG)
    current = cases[0]

    def answer(body: JSON) -> Any:
        value = read_value(body, current.argument)
        if value is None:
            return "Which one do you mean?"
        return {"tool_calls": [call(current.wanted["name"], {**current.wanted["args"], current.argument: value})]}

    arms = {
        "all messages": replace(recall, facts=0, window=0),
        f"window {WINDOW}": replace(recall, facts=0, window=WINDOW),
        **{f"window {WINDOW}, {k} facts": replace(recall, facts=k, window=WINDOW) for k in COUNTS},
    }
    print("\nused: the right id in the call")
    with Endpoint(answer) as endpoint:
        models = ModelSettings(base_url=endpoint.base_url, model="test-model", max_repairs=0)
        client = ChatClient(models)
        for name, arm in arms.items():
            assistant = LLMAssistant(Voices(client, models), arm)
            right = tokens = 0
            for number, case in enumerate(cases):
                current = case
                offered = sorted({made["name"] for made in [*calls_of(case.messages), case.wanted]})
                scene = Scene(number, 0, case.plan, case.messages, stage.tools, offered, stage.catalog.domains)
                try:
                    turn = await assistant.act(scene)
                except ModelOutputError:  # the value is of the wrong kind
                    continue
                right += any(str(made.arguments.get(case.argument)) == case.value for made in turn.calls)
                tokens += len(json.dumps(endpoint.log[-1].messages)) // 4
            print(f"  {name:<22}{right / len(cases):>7.1%}   {tokens / len(cases):>7,.0f} tokens of messages")
        await client.aclose()


# Tools


async def measure_world(cases: Sequence[Case], recall: Recall) -> None:
    """Print for how many calls the tools are reminded of the object whose id they are given."""
    chosen = []
    for case in cases:
        results = {m.tool_call_id: m.text for m in case.messages if isinstance(m, ToolMessage)}
        memory: list[JSON] = []
        for made in calls_of(case.messages):
            failed = results[made["id"]].startswith('{"error"')
            result = json.loads(results[made["id"]])
            answer = {"failed": failed, "error": result.get("error"), "result": None if failed else result}
            memory.append({"role": "user", "content": json.dumps({"call": made["name"], "arguments": made["args"]})})
            memory.append({"role": "assistant", "content": json.dumps(answer)})
        asked = json.dumps({"call": case.wanted["name"], "arguments": case.wanted["args"]})
        chosen.append(await recall.find_facts(world_facts(memory), [asked]))
    print(f"\ntools: {recall.facts} facts, {share_found(cases, chosen):.1%}")


async def measure(options: argparse.Namespace) -> None:
    played = await play(LONG.model_copy(update={"seed": options.seed}), options.dialogues)
    rng = random.Random(options.seed)
    found = list(make_cases(played, rng, unnamed=options.unnamed))
    cases = rng.sample(found, min(options.cases, len(found)))
    kinds = len({case.argument for case in cases})
    print(f"{len(played)} dialogues played, {len(found)} cases made, {len(cases)} taken, with {kinds} kinds of id")
    recall = Recall(TransientEncoder(load_encoder()))
    recall.encoder.encode(["Loads the weights."])
    await measure_found(cases, recall)
    await measure_used(cases, recall)
    await measure_world(cases, recall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=40)
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--unnamed", action="store_true", help="take the cases too that nobody could tell")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
