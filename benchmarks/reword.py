"""How sharp the check of rewordings is: unchanged lines that it takes, and single-value corruptions that it catches.

    python benchmarks/reword.py                      # 300 scripted dialogues of the bundled catalog, seed 7
    python benchmarks/reword.py --dialogues 60 --missed 40

Every line of the scripted cast is given to the check as it stands, which must be taken, and then with one value changed
in every way that fits: another value of the same kind, left out, two exchanged, one added; or a denial turned round, a
question mark lost, the name of a tool said. Aims: every unchanged line taken, at least 98 % of the corruptions caught.
The corruptor finds values by rules of its own and knows nothing of the check's. How many honest rewordings the check
takes it does not measure: that depends on the model.
"""

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from langchain_core.messages import AnyMessage, ToolMessage, convert_to_messages

from toolflow_graph.agents.reworded.check import check_rewording
from toolflow_graph.agents.reworded.line import Line, read_line
from toolflow_graph.agents.roles import Scene
from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.runner import generate
from toolflow_graph.settings import parse_settings
from toolflow_graph.types import DialogueRecord

UNCHANGED = 1.0
CAUGHT = 0.98
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
WORDS = "two three four five six seven eight nine ten eleven twelve".split()
NTH = "first second third last".split()
SIGNS = "€$£"
ADDED = {
    "day added": " on Friday",
    "price added": " for €17",
    "time added": " at 9:45",
    "name added": " with Zebedee",
    "count added": ", 14 of them",
}
DENIALS = ((r"\b(is|are|was|can|could|will|does|do|did|has|have)n['’]t\b", r"\1"), (r"\bnot ", ""), (r"\bno ", "the "))
DENIES = re.compile(r"n['’]t\b|\b(?:not?|never|none|nothing|nobody|without|cannot|neither|nor)\b", re.IGNORECASE)
AFFIRMATIONS = ((r"\b(is|are|was|will|can|has|have) (?=\w)", r"\1 not "), (r"\bI'll ", "I won't "))


def lines_of(record: DialogueRecord, stage: Stage) -> Iterator[Line]:
    """Yield the spoken lines of a scripted dialogue as the reworded cast would see them."""
    messages: list[AnyMessage] = convert_to_messages(record.messages)
    if record.plan is None:
        return
    for place, message in enumerate(messages):
        if isinstance(message, ToolMessage) or not message.text or place == 0:
            continue
        before = messages[:place]
        scene = Scene(
            record.index,
            record.seed,
            record.plan,
            before,
            stage.tools,
            [tool["function"]["name"] for tool in record.tools],
            {},
            position=sum(not isinstance(m, ToolMessage) for m in before) - 1,
        )
        yield read_line(scene, "user" if message.type == "human" else "assistant", message.text)


def corrupt(line: Line, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield kinds of corruption, each with the line corrupted so."""
    text = line.text
    for kind, values, others in list_values(line, rng):
        yield from corrupt_values(text, kind, values, others)
    for match in re.finditer(rf"[{SIGNS}](?=\d)", text):
        yield "currency changed", text[: match.start()] + SIGNS[SIGNS.index(match[0]) - 1] + text[match.end() :]
    body, mark = (text[:-1], text[-1]) if text[-1] in ".?!" else (text, "")
    for kind, added in ADDED.items():
        if added.split()[-1] not in text:
            yield kind, body + added + mark
    yield from corrupt_denial(text)
    if line.speaker == "assistant" and "?" in text:
        yield "question lost", text.replace("?", ".")
    yield "tool named", f"{body} via {rng.choice(['search', 'get', 'book'])}_{rng.choice(['items', 'status'])}{mark}"


def corrupt_values(text: str, kind: str, values: list[str], others: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the text with each value exchanged for another, left out, and exchanged with the next."""
    spans = [m.span() for value in values for m in re.finditer(rf"(?<![\w.]){re.escape(value)}(?!\w)", text)]
    for start, end in spans:
        other = next((o for o in others if o.lower() != text[start:end].lower()), None)
        if other is not None:
            yield f"{kind} changed", text[:start] + other + text[end:]
        yield f"{kind} left out", re.sub(r"\s+", " ", text[:start] + text[end:]).strip()
    for (a, b), (c, d) in pairwise(sorted(spans)):
        if b <= c and text[a:b].lower() != text[c:d].lower():
            yield f"two {kind}s exchanged", text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]


def corrupt_denial(text: str) -> Iterator[tuple[str, str]]:
    """Yield the text without its only denial, or with one if it has none."""
    denials = DENIES.findall(text)
    undone = [re.sub(pattern, words, text) for pattern, words in DENIALS if re.search(pattern, text)]
    if len(denials) == len(undone) == 1:
        yield "denial lost", undone[0]
    affirmed = next((re.sub(p, r, text, count=1) for p, r in AFFIRMATIONS if re.search(p, text)), None)
    if affirmed and not denials:
        yield "denial added", affirmed


def list_values(line: Line, rng: random.Random) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield the values in a line by kind, with others to put in their place."""
    text = line.text
    strings = {f.value for f in line.facts if isinstance(f.value, str) and " " not in f.value.strip(" .")}
    codes = sorted(
        {s for s in strings if re.search(r"\d", s) and re.search(r"[A-Za-z]", s) and s in text and ":" not in s}
    )
    yield "id", codes, [re.sub(r"\d", lambda m: str((int(m[0]) + 3) % 10), c) for c in codes]
    names = sorted(
        {
            f.value
            for f in line.facts
            if isinstance(f.value, str)
            and re.fullmatch(r"[A-Z][\w’']+(?: [A-Z]?[\w’']+){0,4}", f.value)
            and f.value in text
        }
    )
    known = [
        f.value for f in line.facts if isinstance(f.value, str) and re.fullmatch(r"[A-Z]\w+(?: [A-Z]\w+)*", f.value)
    ]
    yield "name", names, [*rng.sample(known, len(known)), "Oldrich Vesely"]
    yield "weekday", [d for d in DAYS if d in text], rng.sample(DAYS, 7)
    yield "month", [m for m in MONTHS if re.search(rf"\d {m}|{m} \d", text)], rng.sample(MONTHS, 12)
    clocks = re.findall(r"(?<![\d:])\d{1,2}:\d\d(?!\d)", text)
    yield "time", sorted(set(clocks)), ["10:20", "16:40"]
    inside = " ".join([*codes, *clocks, *names])
    figures = [n for n in re.findall(r"(?<![\w.:,/-])\d+(?:[.,]\d+)*(?![\w:/-])", text) if n not in inside]
    yield "figure", sorted(set(figures)), [str(rng.randint(31, 99)), str(rng.randint(13, 30))]
    yield "number word", [w for w in WORDS if re.search(rf"\b{w}\b", text)], rng.sample(WORDS, len(WORDS))
    yield "ordinal", [w for w in NTH if re.search(rf"\bthe {w} (?:one|of)\b", text)], rng.sample(NTH, len(NTH))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--catalog", default=None)
    parser.add_argument("--missed", type=int, default=0, help="corruptions that were not caught, to be printed")
    given = parser.parse_args()
    settings = parse_settings({"dialogues": given.dialogues, "seed": given.seed, "catalog": given.catalog})
    stage = load_stage(settings)
    lines = [line for record in generate(settings) for line in lines_of(record, stage)]
    rng = random.Random(given.seed)
    started = time.process_time()
    refused = [(line, told) for line in lines if (told := check_rewording(line, line.text)) is not None]
    seconds = time.process_time() - started
    made: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    missed = []
    for line in lines:
        for kind, text in corrupt(line, rng):
            made[kind] += 1
            if check_rewording(line, text) is None:
                missed.append((kind, line.text, text))
            else:
                caught[kind] += 1
    share = 1 - len(refused) / len(lines)
    print(f"{len(lines)} lines of {given.dialogues} dialogues; a check takes {1000 * seconds / len(lines):.1f} ms")
    print(f"unchanged lines taken: {share:.2%} (aim: all) {'ok' if share >= UNCHANGED else 'MISSED'}")
    for line, told in refused[: given.missed]:
        print(f"  {told}\n    {line.text}")
    for kind, number in sorted(made.items()):
        print(f"  {kind:<24}{caught[kind]:>6} of {number:<6}{caught[kind] / number:7.1%}")
    share = caught.total() / made.total()
    verdict = "ok" if share >= CAUGHT else "MISSED"
    print(f"corruptions caught: {caught.total()} of {made.total()}, {share:.2%} (aim: at least 98 %) {verdict}")
    for kind, original, text in rng.sample(missed, min(given.missed, len(missed))):
        print(f"  {kind}\n    {original}\n    {text}")


if __name__ == "__main__":
    main()
