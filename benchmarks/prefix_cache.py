"""How much of what the LLM cast sends an endpoint has read before: the share that a prefix cache serves.

    python benchmarks/prefix_cache.py [--dialogues 3] [--seed 0] [--recall 8] [--roles]

Dialogues of 12 user turns are played over HTTP on the loopback, the models by the scripted cast (tests/players.py).
Every request is written out as an endpoint sees it: the schema of an answer where it counts as prompt, the tools, the
messages. An endpoint stands for a kind of server:

native         calls tools, honours json_schema; schemas are only decoded by (vLLM, llama.cpp)
OpenAI         the same, but a schema stands in the prompt before the system message (the OpenAI API)
json_schema    honours json_schema, does not call tools
forced tool    calls tools, and gives structured answers as a call that the request names
text           neither: schemas are words in the prompt

Per dialogue (means):

calls, prompt, answers   requests, tokens of their prompts, tokens of what was answered
cached      share of the prompt tokens that are a prefix of an earlier request of the same role and dialogue (aim: 85 %)
run         the same with any earlier request of the run, as servers share their cache
vLLM        of that, in whole blocks of 16 tokens
OpenAI      of that, in steps of 128 tokens and from 1,024 on

Facts that are recalled in long dialogues (`--recall 0` leaves them out) stand at the end of a request and are gone in
the next one: they cost the cast about one point.

The naive player makes the same requests, but each is one message that holds everything: instructions, tools, the
conversation so far, and the step it is at. "step first" begins with the step, as templates tend to that were written
without thinking of a cache; "step last" is the kindest form, with the step behind instructions and tools.

    endpoint     player              calls   prompt  answers  cached     run    vLLM  OpenAI
    native       cast                   47  217,190    2,759   88.3%   88.5%   88.3%   87.1%
    native       naive, step first      47  220,061    2,759    0.2%    0.8%    0.7%    0.0%

Tokens are those of o200k_base if bpe-openai is installed (pip install bpe-openai), else four characters each. It
measures prompts only: what an endpoint really keeps, and for how long, is its own business.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolflow_graph.runner import generate
from toolflow_graph.settings import RunSettings, parse_settings

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from endpoint import Endpoint
from players import Players

JSON = dict[str, Any]
Tokens = NDArray[np.int64]
Tokenizer = Callable[[str], Tokens]

ENDPOINTS: dict[str, JSON] = {
    "native": {},
    "OpenAI": {"schema_in_prompt": True},
    "json_schema": {"tools": "ignored"},
    "forced tool": {"json_schema": "refused"},
    "text": {"json_schema": "refused", "tools": "refused"},
}
AIM = 0.85
USER_TURNS = 12
PATTERNS = ("sequential", "single", "missing_parameter", "correction", "chitchat")
_SEEDS = 200


@dataclass(frozen=True)
class Asked:
    """One request: who asked, what was sent, and what was answered."""

    role: str
    body: JSON
    answer: JSON


@dataclass(frozen=True)
class Measures:
    """Tokens of some requests; `cached` and the following are those of the prompts that were there before."""

    requests: int = 0
    prompt: int = 0
    answers: int = 0
    cached: int = 0
    run: int = 0
    vllm: int = 0
    openai: int = 0

    def __add__(self, other: "Measures") -> "Measures":
        return Measures(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def share(self) -> float:
        """Share of the prompt tokens that an earlier request of the same role and dialogue began with."""
        return self.cached / self.prompt


def find_dialogues(count: int, seed: int = 0, **settings: Any) -> Iterator[RunSettings]:
    """Yield settings of runs of one dialogue each that has just as many user turns as are wanted."""
    for place in range(seed, seed + _SEEDS):
        given = parse_settings(
            {
                **settings,
                "cast": "llm",
                "mix": [{"share": 1, "patterns": PATTERNS}],
                "dialogues": 1,
                "seed": place,
                "tools": 12,
                "min_requests": 9,
                "max_requests": 9,
            }
        )
        players = Players(given)
        if not players.can_play() or count_turns(players) != USER_TURNS:
            continue
        yield given
        count -= 1
        if not count:
            return
    raise SystemExit(f"no {count} more dialogues of {USER_TURNS} user turns among {_SEEDS} seeds")


def count_turns(players: Players) -> int:
    return sum(text is not None for text, _, _ in players.rehearsals[0].turns)


def record_dialogue(settings: RunSettings, endpoint_kind: str) -> list[Asked]:
    """Play one dialogue over HTTP and return its requests in order."""
    players = Players(settings)
    with Endpoint(players, **ENDPOINTS[endpoint_kind]) as endpoint:
        models = settings.models.model_copy(update={"base_url": endpoint.base_url, "model": ("test-model",)})
        (dialogue,) = generate(settings.model_copy(update={"models": models}))
    assert players.strayed == []  # noqa: S101
    turns = sum(message["role"] == "user" for message in dialogue.messages)
    assert turns == USER_TURNS  # noqa: S101
    return [Asked(players.recognise(e.body)[0], e.body, e.answer or {}) for e in endpoint.log]


def write_prompt(body: JSON, *, schema_in_prompt: bool) -> str:
    """Return a request as text, in the order in which an endpoint reads it."""
    parts = []
    if schema_in_prompt and "response_format" in body:
        parts.append(json.dumps(body["response_format"]["json_schema"]))
    parts += [json.dumps(tool) for tool in body.get("tools", ())]
    parts += [f"<|{message['role']}|>{write_message(message)}<|end|>" for message in body["messages"]]
    return "\n".join(parts)


def write_message(message: JSON) -> str:
    calls = [json.dumps(call["function"]) for call in message.get("tool_calls") or ()]
    return "\n".join(part for part in (message.get("content"), *calls) if part)


def write_naive_prompt(body: JSON, *, step_first: bool) -> str:
    """Return a request as one message in which everything is told anew."""
    head, *messages = body["messages"]
    step = f"This is step {len(messages)}. What you have to answer now: {write_message(messages[-1])}"
    form = body.get("response_format") or [tool["function"] for tool in body.get("tools", ())]
    fixed = f"{head['content']}\n\n{json.dumps(form)}"
    told = "\n".join(f"{message['role']}: {write_message(message)}" for message in messages)
    ordered = (step, fixed, told) if step_first else (fixed, step, told)
    return "<|user|>" + "\n\n".join(ordered) + "<|end|>"


def measure(dialogues: Sequence[Sequence[tuple[str, str, str]]], tokenizer: Tokenizer) -> dict[str, Measures]:
    """Return the measures of a run by role; a dialogue is its requests as (role, prompt, answer)."""
    measures: dict[str, Measures] = defaultdict(Measures)
    before: list[Tokens] = []
    for dialogue in dialogues:
        own: dict[str, list[Tokens]] = defaultdict(list)
        for role, prompt, answer in dialogue:
            tokens = tokenizer(prompt)
            cached = max((count_shared(tokens, other) for other in own[role]), default=0)
            anywhere = max((count_shared(tokens, other) for other in before), default=0)
            measures[role] += Measures(
                requests=1,
                prompt=len(tokens),
                answers=len(tokenizer(answer)),
                cached=cached,
                run=anywhere,
                vllm=anywhere - anywhere % 16,
                openai=anywhere - anywhere % 128 if anywhere >= 1024 else 0,
            )
            own[role].append(tokens)
            before.append(tokens)
    return measures


def count_shared(one: Tokens, other: Tokens) -> int:
    """Return the length of the longest common prefix."""
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length


def split_quarters(text: str) -> Tokens:
    """Return tokens of four characters, equal where the characters are."""
    data = text.encode("utf-32-le") + b"\0" * (-len(text) % 4 * 4)
    return np.array([hash(part) for part in np.frombuffer(data, dtype="V16").tolist()], dtype=np.int64)


def load_tokenizer() -> tuple[str, Tokenizer]:
    if find_spec("bpe_openai") is None:
        return "four characters each", split_quarters
    import bpe_openai  # noqa: PLC0415

    encoding = bpe_openai.get_encoding("o200k_base")
    return "o200k_base", lambda text: np.array(encoding.encode(text), dtype=np.int64)


def measure_players(recorded: Sequence[Sequence[Asked]], kind: str, tokenizer: Tokenizer) -> dict[str, JSON]:
    """Return the measures by role of the cast and of the naive player, over the same requests."""
    in_prompt = kind == "OpenAI"
    writers: dict[str, Callable[[JSON], str]] = {
        "cast": lambda body: write_prompt(body, schema_in_prompt=in_prompt),
        "naive, step first": lambda body: write_naive_prompt(body, step_first=True),
        "naive, step last": lambda body: write_naive_prompt(body, step_first=False),
    }
    return {
        player: measure(
            [
                [(asked.role, write(asked.body), write_message(asked.answer)) for asked in requests]
                for requests in recorded
            ],
            tokenizer,
        )
        for player, write in writers.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="where the search for dialogues of 12 user turns begins")
    parser.add_argument("--recall", type=int, default=RunSettings().recall, help="facts recalled in long dialogues")
    parser.add_argument("--roles", action="store_true", help="print the cast's shares of each role, too")
    options = parser.parse_args()
    name, tokenizer = load_tokenizer()
    found = list(find_dialogues(options.dialogues, options.seed, recall=options.recall))
    print(f"{options.dialogues} dialogues of {USER_TURNS} user turns; tokens: {name}\n")
    print(f"{'endpoint':<13}{'player':<19}{'calls':>6}{'prompt':>9}{'answers':>9}", end="")
    print("".join(f"{column:>8}" for column in ("cached", "run", "vLLM", "OpenAI")))
    good = True
    for kind in ENDPOINTS:
        recorded = [record_dialogue(settings, kind) for settings in found]
        players = measure_players(recorded, kind, tokenizer)
        for player, roles in players.items():
            print(f"{kind:<13}{player:<19}{describe(sum(roles.values(), Measures()), options.dialogues)}", flush=True)
        if options.roles:
            for role, measures in players["cast"].items():
                print(f"{'':<13}{'  ' + role:<19}{describe(measures, options.dialogues)}")
        good = good and sum(players["cast"].values(), Measures()).share >= AIM
    return 0 if good else 1


def describe(all_: Measures, dialogues: int) -> str:
    counts = f"{all_.requests / dialogues:>6.0f}{all_.prompt / dialogues:>9,.0f}{all_.answers / dialogues:>9,.0f}"
    return counts + "".join(f"{n / all_.prompt:>8.1%}" for n in (all_.cached, all_.run, all_.vllm, all_.openai))


if __name__ == "__main__":
    sys.exit(main())
