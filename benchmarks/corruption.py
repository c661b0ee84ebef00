"""How many wrong values the checks catch: accepted dialogues, each with one value made wrong.

Run: python benchmarks/corruption.py [--dialogues 300] [--seed 3] [--show 5]

Plays dialogues with the scripted cast, keeps the accepted ones, and makes one value wrong at a time: an argument of a
call (another number, day, time, code, or the same argument's value from another dialogue), or a number, day, time or
code in an answer of the assistant. A change looks like this:
    s3-000017 argument number: `nights` 3 → 4
Caught is a change with which the dialogue has an error that it did not have before. Prints the share by kind, the time
of a validation, and some of those that passed. Wrong values that are true by chance (the 4 is a price elsewhere in the
dialogue) count as passed, so 100 % cannot be reached.
"""

import argparse
import copy
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from toolflow_graph import generate, load_catalog
from toolflow_graph.types import JSON, DialogueRecord
from toolflow_graph.validation import validate_dialogue
from toolflow_graph.validation.dialogue import iterate_leaves
from toolflow_graph.values.moments import MONTHS, parse_moment

PER_KIND = 2
"""Changes of one kind in one dialogue."""

_NUMBER = re.compile(r"(?<![\w.,:/-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w:/-]|[.,]\d)")
_MONTHS = "|".join(MONTHS)
_DAY = re.compile(rf"\b\d{{1,2}}(?= (?:{_MONTHS})\b)|(?:{'|'.join(f'(?<={m} )' for m in MONTHS)})\d{{1,2}}\b")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\b")
_CODE = re.compile(r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9][A-Z0-9-]{3,}\b")


@dataclass(frozen=True)
class Change:
    """One value made wrong: the kind, what was done, and the messages with it."""

    kind: str
    told: str
    messages: list[JSON]


def change_arguments(record: DialogueRecord, pool: dict[str, list[Any]], rng: random.Random) -> Iterator[Change]:
    """Yield a change for every argument that can be made wrong."""
    for place, message in enumerate(record.messages):
        for number, call in enumerate(message.get("tool_calls", ())):
            arguments = json.loads(call["function"]["arguments"])
            for path, leaf in iterate_leaves(arguments):
                for kind, wrong in spoil_value(leaf, pool.get(f"{call['function']['name']} {path}", []), rng):
                    messages = copy.deepcopy(record.messages)
                    spoilt = replace_leaf(arguments, path, wrong)
                    messages[place]["tool_calls"][number]["function"]["arguments"] = json.dumps(spoilt)
                    yield Change(f"argument {kind}", f"`{path}` {leaf!r} → {wrong!r}", messages)


def spoil_value(leaf: Any, others: list[Any], rng: random.Random) -> Iterator[tuple[str, Any]]:
    """Yield a kind and a wrong value for a right one."""
    if isinstance(leaf, bool) or leaf is None:
        return
    if isinstance(leaf, int | float):
        yield "number", spoil_number(leaf, rng)
        return
    moment = parse_moment(leaf)
    if moment is not None and moment.day is not None and re.match(r"\d{4}-\d\d-\d\d", leaf):
        shifted = moment.day + timedelta(days=rng.choice([-9, -3, -2, -1, 1, 2, 3, 5, 8, 12]))
        yield "day", shifted.isoformat() + leaf[10:]
        if re.match(r".{11}\d\d:\d\d", leaf):
            yield "time", leaf[:11] + spoil_clock(leaf[11:16], rng) + leaf[16:]
    elif moment is not None and moment.at is not None and re.fullmatch(r"\d\d:\d\d", leaf):
        yield "time", spoil_clock(leaf, rng)
    elif _CODE.fullmatch(leaf):
        yield "code", spoil_code(leaf, rng)
    elif (elsewhere := [other for other in others if other != leaf]) and not any(c.isdigit() for c in leaf):
        yield "words", rng.choice(elsewhere)


def spoil_number(number: float, rng: random.Random) -> float:
    """Return a number near another one: one off, a digit off, a tenth off, ten times."""
    whole = isinstance(number, int) or float(number).is_integer()
    if whole:
        steps: list[float] = [number + 1, number - 1, number + 2, number * 10, number + max(round(abs(number) / 7), 3)]
    else:
        steps = [round(number * f, 2) for f in (0.9, 1.1, 1.25)] + [round(number + 1, 2), round(number - 0.1, 2)]
    wrong = rng.choice([step for step in steps if step > 0 and step != number] or [number + 1])
    return int(wrong) if isinstance(number, int) else wrong


def spoil_clock(clock: str, rng: random.Random) -> str:
    """Return another time of day, in the same form."""
    hour, minute = clock.split(":")
    moved = (int(hour) * 60 + int(minute) + rng.choice([-95, -60, -30, -15, 15, 25, 45, 60, 190])) % 1440
    return f"{moved // 60:0{len(hour)}d}:{moved % 60:02d}"


def spoil_code(code: str, rng: random.Random) -> str:
    """Return the code with one character changed."""
    place = rng.choice([i for i, c in enumerate(code) if c.isalnum()])
    choices = "0123456789" if code[place].isdigit() else "ABCDEFGHKLMNPQRSTUVWXYZ"
    return code[:place] + rng.choice([c for c in choices if c != code[place]]) + code[place + 1 :]


def replace_leaf(value: Any, path: str, wrong: Any) -> Any:
    """Return a copy of a JSON value with another leaf at a path."""
    copied = copy.deepcopy(value)
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    inner = copied
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = wrong
    return copied


def change_answers(record: DialogueRecord, rng: random.Random) -> Iterator[Change]:
    """Yield a change for every number, day, time and code in what the assistant says after a result."""
    finders: tuple[tuple[str, re.Pattern[str], Callable[[str], str]], ...] = (
        ("number", _NUMBER, lambda said: spoil_said_number(said, rng)),
        ("day", _DAY, lambda said: str((int(said) + rng.choice([1, 2, 3, 5, 9, 20]) - 1) % 28 + 1)),
        ("time", _CLOCK, lambda said: spoil_clock(said, rng)),
        ("code", _CODE, lambda said: spoil_code(said, rng)),
    )
    called = False
    for place, message in enumerate(record.messages):
        called = message["role"] == "tool" or (called and message["role"] == "assistant")
        if message["role"] != "assistant" or not called or not message["content"]:
            continue
        text = message["content"]
        days = [match.span() for match in _DAY.finditer(text)]
        for kind, pattern, spoil in finders:
            for match in pattern.finditer(text):
                if kind == "number" and match.span() in days:
                    continue
                wrong = spoil(match[0])
                messages = copy.deepcopy(record.messages)
                messages[place]["content"] = text[: match.start()] + wrong + text[match.end() :]
                yield Change(f"answer {kind}", f"{text!r}: {match[0]} → {wrong}", messages)


def spoil_said_number(said: str, rng: random.Random) -> str:
    """Return another number, written as the first is."""
    plain = said.replace(",", "")
    wrong = spoil_number(float(plain) if "." in plain else int(plain), rng)
    places = len(plain.partition(".")[2])
    return f"{wrong:,.{places}f}" if "," in said else f"{wrong:.{places}f}"


def collect_values(records: list[DialogueRecord]) -> dict[str, list[Any]]:
    """Return the values of every argument of every tool, over all dialogues."""
    found: dict[str, list[Any]] = {}
    for record in records:
        for message in record.messages:
            for call in message.get("tool_calls", ()):
                for path, leaf in iterate_leaves(json.loads(call["function"]["arguments"])):
                    if isinstance(leaf, str):
                        found.setdefault(f"{call['function']['name']} {path}", []).append(leaf)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=300)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--show", type=int, default=5, help="passed changes to print of every kind")
    options = parser.parse_args()
    tools = load_catalog().tools
    records = list(generate(dialogues=options.dialogues, seed=options.seed))
    pool = collect_values(records)
    tried: dict[str, int] = {}
    caught: dict[str, int] = {}
    passed: dict[str, list[str]] = {}
    seconds, runs = 0.0, 0

    def count_errors(record: DialogueRecord, messages: list[JSON]) -> int:
        nonlocal seconds, runs
        called = {c["function"]["name"] for m in messages for c in m.get("tool_calls", ())}
        returns = {name: tools[name].returns for name in called if name in tools}
        began = time.process_time()
        report = validate_dialogue(
            messages, record.tools, returns=returns, plan=record.plan, labels=record.turns, now=record.plan.scenario.now
        )
        seconds, runs = seconds + time.process_time() - began, runs + 1
        return len(report.errors)

    for record in records:
        rng = random.Random(f"{options.seed} {record.index}")
        before = count_errors(record, record.messages)
        changes: dict[str, list[Change]] = {}
        for change in (*change_arguments(record, pool, rng), *change_answers(record, rng)):
            changes.setdefault(change.kind, []).append(change)
        for kind, found in sorted(changes.items()):
            for change in rng.sample(found, min(PER_KIND, len(found))):
                tried[kind] = tried.get(kind, 0) + 1
                if count_errors(record, change.messages) > before:
                    caught[kind] = caught.get(kind, 0) + 1
                else:
                    passed.setdefault(kind, []).append(f"{record.id} {change.told}")
    print(f"{len(records)} accepted dialogues of {options.dialogues}, {1000 * seconds / runs:.2f} ms a validation")
    for kind, many in sorted(tried.items()):
        print(f"  {kind:<18} {caught.get(kind, 0):5} of {many:5} caught  ({caught.get(kind, 0) / many:6.1%})")
    total = sum(caught.values()) / sum(tried.values())
    print(f"  {'all':<18} {sum(caught.values()):5} of {sum(tried.values()):5} caught  ({total:6.1%})")
    for kind, told in sorted(passed.items()):
        for line in random.Random(0).sample(told, min(options.show, len(told))):
            print(f"passed, {kind}: {line[:200]}")


if __name__ == "__main__":
    main()
