"""What an agent is shown of a long dialogue: its latest messages, and the earlier facts that matter now.

Facts are put at the end of the last user message, and only for the one request: the beginning of a conversation stays
as it was, for the endpoint's prefix cache, and every chat template takes it (many refuse a system message that is not
the first, two user messages in a row, or a user message after a tool's).
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Template

from toolflow_graph.agents.llm.facts import Fact
from toolflow_graph.encoder import Encoder
from toolflow_graph.prompts import Prompts
from toolflow_graph.retriever import TextRetriever
from toolflow_graph.types import JSON

__all__ = ["Recall", "View", "add_notes", "write_facts", "write_note"]

_RECENT = 8
_TOKEN = re.compile(r"[^\s\"'(),;:]+")


@dataclass(frozen=True)
class View:
    """A conversation as an agent is shown it.

    `shown` are its latest messages, `cut` is how many earlier ones are left out, and `past` are those whose facts may
    have to be recalled.
    """

    shown: list[JSON]
    cut: int
    past: list[JSON]


@dataclass(frozen=True)
class Recall:
    """Finds facts by meaning; `facts`, `after` and `window` are the settings `recall`, `recall_after` and `window`."""

    encoder: Encoder
    facts: int = 12
    after: int = 40
    window: int = 0

    def look_back(self, conversation: Sequence[JSON]) -> View:
        """Return what an agent is shown of its conversation, which ends with a user message and has no system message.

        The part that is shown begins with a user message, so that no result is parted from its call. It begins at
        another message only once in half a window: in between, the conversation just grows.
        """
        count = len(conversation)
        cut = self._find_cut(conversation) if 0 < self.window < count else 0
        past = cut or (max(0, count - _RECENT) if count > self.after else 0)
        return View(list(conversation[cut:]), cut, list(conversation[:past] if self.facts else ()))

    def _find_cut(self, conversation: Sequence[JSON]) -> int:
        stride = max(1, self.window // 2)
        least = -(-(len(conversation) - self.window) // stride) * stride
        return next(place for place in range(least, len(conversation)) if conversation[place]["role"] == "user")

    async def find_facts(self, facts: Sequence[Fact], queries: Sequence[str]) -> list[Fact]:
        """Return the facts that matter most for what is asked, oldest first.

        One that mentions an identifier of the queries comes first, and each brings along the latest about its object.
        Words are a quarter of them when there are results enough: a question is nearest to earlier questions.
        """
        if not facts:
            return []
        ranked = await self._rank([fact.text for fact in facts], queries)
        named = {token.rstrip(".?!") for query in queries for token in _TOKEN.findall(query)}
        order = sorted(ranked, key=lambda place: not (facts[place].mentions & named))
        latest = {thing: place for place, fact in enumerate(facts) for thing in fact.mentions}
        said = [place for place in order if facts[place].kind == "said"]
        returned = [place for place in order if facts[place].kind == "returned"]
        chosen: dict[int, None] = {}
        spare = self.facts - min(len(said), self.facts // 4)
        for place in returned:
            chosen.update(dict.fromkeys((latest.get(facts[place].thing or "", place), place)))
            if len(chosen) >= spare:
                break
        places = [*list(chosen)[:spare], *said][: self.facts]
        return [facts[place] for place in sorted(places)]

    async def find_texts(self, texts: Sequence[str], queries: Sequence[str], most: int) -> list[str]:
        """Return the texts that matter most for what is asked, best first."""
        return [texts[place] for place in (await self._rank(texts, queries))[:most]]

    async def _rank(self, texts: Sequence[str], queries: Sequence[str]) -> list[int]:
        """Return the places of all texts by their greatest cosine with a query; encoding holds up no other dialogue."""
        return await asyncio.to_thread(self._rank_now, texts, queries)

    def _rank_now(self, texts: Sequence[str], queries: Sequence[str]) -> list[int]:
        retriever = TextRetriever(texts, self.encoder)
        best = dict.fromkeys(range(len(texts)), -1.0)
        for query in queries:
            for place, cosine in retriever.search(query, len(texts)):
                best[place] = max(best[place], cosine)
        return sorted(best, key=lambda place: -best[place])


def write_note(prompts: Prompts, kind: str, lines: Iterable[str] = (), **values: object) -> str:
    """Return a note of `prompts/recall.md`, which leaves its bracket open, and its lines."""
    text = Template(prompts.sections("recall")[kind]).substitute(values)
    return "\n".join((text, *lines)) + "]"


def write_facts(prompts: Prompts, kind: str, facts: Sequence[Fact]) -> str:
    """Return the note that recalls facts, empty when there are none."""
    unit = "call" if kind == "tool" else "turn"
    return write_note(prompts, kind, (f"- {unit} {fact.turn}, {fact.text}" for fact in facts)) if facts else ""


def add_notes(message: JSON, *notes: str) -> JSON:
    """Return a message with notes at its end; empty ones are left out."""
    return {**message, "content": "\n\n".join((message["content"], *filter(None, notes)))}
