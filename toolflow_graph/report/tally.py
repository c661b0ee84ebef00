"""Counts over the dialogues of a run while they are read: how long they are, which tools they call, what was found."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.evaluation import Bin, Distribution
from toolflow_graph.report.packing import find_patterns, iterate_calls
from toolflow_graph.report.reach import Reach
from toolflow_graph.types import JSON, PATTERNS, Edge, Pattern

__all__ = ["EdgeKey", "Tally"]

EdgeKey = tuple[str, str, str, str, str]
"""Kind, source, target, and the slots of both."""

_REASONS_SHOWN = 12
_REASON_LENGTH = 400


@dataclass
class _Found:
    """What one check found; `examples` name the place of a dialogue in the run, and what was said of it."""

    errors: int = 0
    warnings: int = 0
    dialogues: int = 0
    rejected: int = 0
    examples: list[tuple[int, str, str]] = field(default_factory=list)


class Tally:
    """Counts of one run; distributions are over the accepted dialogues, findings and edges over all."""

    def __init__(self) -> None:
        self.accepted = self.rejected = self.messages = self.calls = self.turns = self.planned = 0
        self.kinds: dict[tuple[Pattern, ...], list[int]] = {}
        self.found: dict[str, _Found] = {}
        self.edges: dict[EdgeKey, tuple[Edge, int]] = {}
        self.tools: dict[str, JSON] = {}
        self.methods: Counter[str] = Counter()
        self.reach = Reach()
        self._spread: dict[str, Counter[int]] = {key: Counter() for key in _LENGTHS}
        self._patterns: Counter[str] = Counter()
        self._called: Counter[str] = Counter()

    def add(self, dialogue: StoredDialogue, *, accepted: bool) -> None:
        """Count one dialogue; of rejected ones no lengths are taken."""
        record, place = dialogue.record, self.accepted + self.rejected
        self.accepted += accepted
        self.rejected += not accepted
        for tool in dialogue.tools:
            function = tool.get("function")
            if isinstance(function, dict) and isinstance(function.get("name"), str):
                self.tools.setdefault(function["name"], function)
        if record is not None:
            self.planned += record.plan is not None and bool(record.plan.requests)
            self.methods[f"{record.cast}, {record.method}"] += 1
            kind = self.kinds.setdefault(tuple(sorted(record.patterns, key=PATTERNS.index)), [0, 0])
            kind[not accepted] += 1
            self._note_findings(dialogue, place, accepted=accepted)
            self.reach.add(record)
            for edge in record.edges:
                key = (edge.kind, edge.source, edge.target, edge.source_slot, edge.target_slot)
                self.edges[key] = edge, self.edges.get(key, (edge, 0))[1] + 1
        if accepted:
            self._measure(dialogue)

    def list_distributions(self) -> tuple[Distribution, ...]:
        """Return how lengths, patterns and tools are spread over the accepted dialogues."""
        found = [
            Distribution(key=key, label=label, bins=_fill_bins(self._spread[key]))
            for key, label in _LENGTHS.items()
            if self._spread[key] and self.accepted > 1
        ]
        for key, label, counts in (
            ("patterns", "Dialogues with pattern", self._patterns),
            ("tools_used", "Dialogues that call a tool", self._called),
        ):
            bins = tuple(Bin(label=name, count=count) for name, count in sorted(counts.items(), key=_by_count))
            if bins:
                found.append(Distribution(key=key, label=label, bins=bins))
        return tuple(found)

    @property
    def tools_called(self) -> int:
        """How many tools the accepted dialogues call."""
        return len(self._called)

    def _note_findings(self, dialogue: StoredDialogue, place: int, *, accepted: bool) -> None:
        findings = dialogue.record.findings if dialogue.record else ()
        for finding in findings:
            found = self.found.setdefault(finding.check, _Found())
            found.errors += finding.severity == "error"
            found.warnings += finding.severity == "warning"
            if len(found.examples) < _REASONS_SHOWN:
                found.examples.append((place, finding.severity, finding.message[:_REASON_LENGTH]))
        for check in {finding.check for finding in findings}:
            self.found[check].dialogues += 1
            self.found[check].rejected += not accepted

    def _measure(self, dialogue: StoredDialogue) -> None:
        messages = dialogue.messages
        calls = list(iterate_calls(messages))
        turns = sum(message["role"] == "user" for message in messages)
        sizes = {
            "turns": turns,
            "messages": len(messages),
            "calls": len(calls),
            "tools": len(set(calls)),
        }
        for key, size in sizes.items():
            self._spread[key][size] += 1
        self.turns, self.messages, self.calls = (
            self.turns + turns,
            self.messages + len(messages),
            self.calls + len(calls),
        )
        self._patterns.update(find_patterns(dialogue.record))
        self._called.update(set(calls))


_LENGTHS = {
    "turns": "User turns per dialogue",
    "messages": "Messages per dialogue",
    "calls": "Tool calls per dialogue",
    "tools": "Tools called per dialogue",
}


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _fill_bins(counts: Mapping[int, int]) -> tuple[Bin, ...]:
    """Return a bin per number, or where they are many, per range of numbers; none between is left out."""
    low, high = min(counts), max(counts)
    width = max(1, -(-(high - low + 1) // 24))
    bins = []
    for start in range(low, high + 1, width):
        end = min(start + width - 1, high)
        label = str(start) if start == end else f"{start}–{end}"
        bins.append(Bin(label=label, count=sum(counts.get(size, 0) for size in range(start, end + 1))))
    return tuple(bins)
