"""The two leakage tests of the paper (last paragraph), on tools and on what is said.

A tool leaks when over a tenth of its JSON's tokens are contaminated, or when its cosine with a benchmark tool exceeds
0.9. The same holds of messages: n-grams of what user and assistant say, cosines of what the user says with the
benchmark's texts. A dialogue leaks when one of its tools or messages does.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.encoder import Encoder
from toolflow_graph.overlap.benchmark import Benchmark, list_said
from toolflow_graph.overlap.embeddings import find_nearest
from toolflow_graph.overlap.ngrams import LONGEST_CLEAN, NGramIndex
from toolflow_graph.overlap.results import Match, Overlap, Test
from toolflow_graph.overlap.tokens import function_of, split_tokens, write_tool
from toolflow_graph.types import JSON, Tool

__all__ = ["LARGEST_COSINE", "LARGEST_SHARE", "find_overlap"]

LARGEST_SHARE = 0.10
LARGEST_COSINE = 0.9

_MARKED_AT_ONCE = 4096


@dataclass
class _Unit:
    """A distinct tool or message; `asked` is what the cosine test compares, "" for what it leaves out."""

    kind: Literal["tool", "message"]
    text: str
    name: str
    message: int | None = None
    asked: str = ""
    dialogues: int = 0


@dataclass
class _Pile:
    """All distinct units, and of which each dialogue consists."""

    units: list[_Unit] = field(default_factory=list)
    lines: list[tuple[str, int, frozenset[int]]] = field(default_factory=list)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def add_tool(self, tool: JSON) -> int:
        function = function_of(tool)
        name, description = str(function.get("name") or ""), str(function.get("description") or "")
        return self._add(_Unit("tool", write_tool(tool), name, asked=f"{name}: {description}"))

    def add_dialogue(self, dialogue: StoredDialogue) -> None:
        numbers = {self.add_tool(tool) for tool in dialogue.tools}
        for index, role, text in list_said(dialogue.messages):
            asked = text if role == "user" and len(split_tokens(text)) > LONGEST_CLEAN else ""
            numbers.add(self._add(_Unit("message", text, dialogue.id, index, asked)))
        for number in numbers:
            self.units[number].dialogues += 1
        self.lines.append((str(dialogue.path), dialogue.line, frozenset(numbers)))

    def _add(self, unit: _Unit) -> int:
        number = self._numbers.setdefault((unit.kind, unit.text), len(self.units))
        if number == len(self.units):
            self.units.append(unit)
        elif unit.asked:  # the assistant may have said it before the user did
            self.units[number].asked = unit.asked
        return number


def find_overlap(
    benchmark: Benchmark,
    dialogues: Iterable[StoredDialogue] = (),
    tools: Iterable[Tool] = (),
    *,
    encoder: Encoder | None,
    sources: Sequence[str] = (),
) -> Overlap:
    """Compare dialogues, and tools of a catalog, with a benchmark; without an encoder by n-grams alone.

    Texts of ten tokens or fewer are left out of the cosine test as they are out of the other one: what is so short is
    said by anybody.
    """
    pile = _Pile()
    for tool in tools:
        pile.add_tool(tool.to_openai())
    for dialogue in dialogues:
        pile.add_dialogue(dialogue)
    matches = [
        Match(kind=unit.kind, name=unit.name, message=unit.message, dialogues=unit.dialogues) for unit in pile.units
    ]
    _test_ngrams(benchmark, pile.units, matches)
    if encoder is not None:
        _test_cosines(benchmark, pile.units, matches, encoder)
    leaking = {number for number, match in enumerate(matches) if match.tests}
    lines: dict[str, list[int]] = {}
    for path, line, numbers in pile.lines:
        if not leaking.isdisjoint(numbers):
            lines.setdefault(path, []).append(line)
    return Overlap(
        sources=tuple(sources),
        benchmarks=tuple(benchmark.names),
        benchmark_tools=len(benchmark.tools),
        benchmark_texts=len(benchmark.passages),
        benchmark_skipped=benchmark.skipped,
        encoder=encoder.name if encoder is not None else None,
        tools=sum(unit.kind == "tool" for unit in pile.units),
        messages=sum(unit.kind == "message" for unit in pile.units),
        dialogues=len(pile.lines),
        leaking_dialogues=sum(len(numbers) for numbers in lines.values()),
        leaks=tuple(sorted((match for match in matches if match.tests), key=_rank)),
        closest=tuple(_find_closest([match for match in matches if not match.tests])),
        leaking_lines={path: tuple(numbers) for path, numbers in lines.items()},
    )


def _rank(match: Match) -> tuple[bool, float, str]:
    return match.kind != "tool", -max(match.contaminated, match.cosine or 0.0), match.name


def _find_closest(clean: list[Match]) -> Iterator[Match]:
    """Yield the tool and the message with the largest share, and those with the largest cosine, each once."""
    for kind in ("tool", "message"):
        own = [match for match in clean if match.kind == kind]
        shared = max(own, key=lambda match: match.contaminated, default=None)
        near = max(own, key=lambda match: match.cosine or 0.0, default=None)
        if shared is not None and shared.contaminated:
            yield shared
        if near is not None and near.cosine and not (near is shared and shared.contaminated):
            yield near


def _test_ngrams(benchmark: Benchmark, units: list[_Unit], matches: list[Match]) -> None:
    index = NGramIndex([*benchmark.tools, *(passage.text for passage in benchmark.passages)])
    labels = [*(tool.name for tool in benchmark.tools.values()), *(passage.label for passage in benchmark.passages)]
    for start in range(0, len(units), _MARKED_AT_ONCE):
        marked = index.mark([unit.text for unit in units[start : start + _MARKED_AT_ONCE]])
        for number, found in enumerate(marked, start):
            if found.mask.any():
                begin, end = found.stretch
                matches[number] = matches[number].model_copy(
                    update={
                        "contaminated": round(found.share, 4),
                        "stretch": " ".join(found.tokens[begin:end]),
                        "stretch_of": labels[found.found_in],
                        "tests": _name_tests(matches[number].tests, "ngrams", failed=found.share > LARGEST_SHARE),
                    }
                )


def _test_cosines(benchmark: Benchmark, units: list[_Unit], matches: list[Match], encoder: Encoder) -> None:
    long = [passage for passage in benchmark.passages if len(split_tokens(passage.text)) > LONGEST_CLEAN]
    tools = benchmark.tools.values()
    sides = {
        "tool": ([f"{tool.name}: {tool.description}" for tool in tools], [tool.name for tool in tools]),
        "message": ([passage.text for passage in long], [passage.label for passage in long]),
    }
    for kind, (texts, labels) in sides.items():
        numbers = [number for number, unit in enumerate(units) if unit.kind == kind and unit.asked]
        cosines, nearest = find_nearest(encoder, [units[number].asked for number in numbers], texts)
        for number, cosine, other in zip(numbers, cosines.tolist(), nearest.tolist(), strict=False):
            matches[number] = matches[number].model_copy(
                update={
                    "cosine": round(cosine, 4),
                    "nearest": labels[other],
                    "tests": _name_tests(matches[number].tests, "cosine", failed=cosine > LARGEST_COSINE),
                }
            )


def _name_tests(before: tuple[Test, ...], test: Test, *, failed: bool) -> tuple[Test, ...]:
    return (*before, test) if failed else before
