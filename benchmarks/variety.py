"""How varied the scripted cast speaks: sentence frames among the user turns, and D-3.

    python benchmarks/variety.py                      # 1,000 dialogues of the bundled catalog, seed 7
    python benchmarks/variety.py --dialogues 200 --catalog my_tools.json

A frame is what is left of a turn when the values of the dialogue are taken out. Aims: no frame in over 2 % of the user
turns, D-3 (distinct trigrams over all trigrams, lower-cased words of user and assistant turns) at least 0.30.
It measures variety only: whether dialogues are right is for the tests to say.
"""

import argparse
import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from toolflow_graph.dialogue.graph import build_graph, step_limit
from toolflow_graph.settings import DialogueSettings, assign_patterns
from toolflow_graph.values import frame_of

MOST_COMMON_FRAME = 0.02
DISTINCT_TRIGRAMS = 0.30
SENTENCE_END = re.compile(r"(?<=[.?!…]) ")
WORDS = re.compile(r"\w+(?:['’]\w+)*")
WORDS_AND_MARKS = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


async def play(settings: DialogueSettings, dialogues: int) -> list[list[AnyMessage]]:
    machine = build_graph().compile()
    patterns = assign_patterns(settings.mix, dialogues, settings.seed)
    played = []
    for index, due in enumerate(patterns):
        start = {"index": index, "patterns": list(due)}
        out = await machine.ainvoke(start, context=settings, config={"recursion_limit": step_limit(settings)})
        played.append(out.get("messages", []))
    return played


def values_of(messages: list[AnyMessage]) -> list[Any]:
    return [v for m in messages if isinstance(m, AIMessage) for call in m.tool_calls for v in call["args"].values()]


def texts_of(messages: list[AnyMessage], *kinds: type[AnyMessage]) -> Iterator[str]:
    return (message.text for message in messages if isinstance(message, kinds) and message.text)


def count_frames(played: list[list[AnyMessage]]) -> tuple[Counter[str], Counter[str], int]:
    """Return in how many user turns each frame stands, as the whole turn and as one of its sentences, and the turns."""
    turns: Counter[str] = Counter()
    sentences: Counter[str] = Counter()
    for messages in played:
        values = values_of(messages)
        for text in texts_of(messages, HumanMessage):
            turns[frame_of(text, values)] += 1
            sentences.update({frame_of(sentence, values) for sentence in SENTENCE_END.split(text)})
    return turns, sentences, turns.total()


def distinct_trigrams(played: list[list[AnyMessage]], token: re.Pattern[str]) -> tuple[float, int]:
    """Return D-3 and the number of tokens; trigrams do not run from one turn into the next."""
    trigrams: Counter[tuple[str, ...]] = Counter()
    tokens = 0
    for messages in played:
        for text in texts_of(messages, HumanMessage, AIMessage):
            words = token.findall(text.lower())
            tokens += len(words)
            trigrams.update((*two, third) for two, third in zip(pairwise(words), words[2:], strict=False))
    return len(trigrams) / max(1, trigrams.total()), tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--catalog", default=None)
    given = parser.parse_args()
    started = time.process_time()
    settings = DialogueSettings(seed=given.seed, catalog=given.catalog)
    played = asyncio.run(play(settings, given.dialogues))
    seconds = time.process_time() - started
    turns, sentences, total = count_frames(played)
    answers = sum(1 for messages in played for _ in texts_of(messages, AIMessage))
    print(f"{len(played)} dialogues, {total} user turns, {answers} assistant turns ({seconds:.1f} s of CPU)")
    for unit, frames in (("turn", turns), ("sentence", sentences)):
        share = frames.most_common(1)[0][1] / total
        verdict = "ok" if share <= MOST_COMMON_FRAME else "MISSED"
        print(f"\ncommonest frame, by {unit}: {share:.2%} of user turns (aim: at most 2 %) {verdict}")
        for frame, count in frames.most_common(10):
            print(f"  {count / total:6.2%}  {frame[:100]}")
    print()
    for what, token in (("words alone", WORDS), ("words and punctuation", WORDS_AND_MARKS)):
        share, tokens = distinct_trigrams(played, token)
        verdict = "ok" if share >= DISTINCT_TRIGRAMS else "MISSED"
        print(f"D-3, {what}: {share:.3f} over {tokens:,} tokens (aim: at least 0.30) {verdict}")


if __name__ == "__main__":
    main()
