"""Whether a run is worth going on with, and why it has fewer dialogues than were wanted."""

from collections import Counter
from pathlib import Path

from toolflow_graph.dataset import REJECTED
from toolflow_graph.runner.manifest import Counts
from toolflow_graph.runner.slots import Slots
from toolflow_graph.types import DialogueRecord

__all__ = ["Verdict"]

_ENOUGH = 20
"""Finished dialogues before a run is judged by the share that was rejected."""


class Verdict:
    """Judges a session of a run by the dialogues that finished in it."""

    def __init__(self, max_rejected: float, max_attempts: int, folder: Path | None) -> None:
        self._max_rejected = max_rejected
        self._max_attempts = max_attempts
        self._folder = folder
        self._rejected = self._finished = 0
        self._reasons: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def note(self, record: DialogueRecord, *, accepted: bool) -> None:
        """Enter a finished dialogue and what was found in it."""
        self._finished += 1
        self._rejected += not accepted
        for finding in record.findings:
            if finding.severity == "error":
                self._reasons[finding.check] += 1
                self._examples.setdefault(finding.check, finding.message)

    @property
    def hopeless(self) -> bool:
        """Whether so many dialogues of this session were rejected that going on would waste time and money."""
        return self._finished >= _ENOUGH and self._rejected > self._max_rejected * self._finished

    def explain_end(self, counts: Counts) -> str:
        """Say why a hopeless run was ended."""
        return self._explain(f"stopped: {self._rejected} of {self._finished} dialogues were rejected", counts)

    def explain_lack(self, slots: Slots, counts: Counts) -> str:
        """Say which wanted dialogues were given up."""
        given_up = slots.list_given_up()
        kinds = "; ".join(f"{number} x {', '.join(patterns)}" for patterns, number in list(given_up.items())[:3])
        more = " …" if len(given_up) > 3 else ""
        attempts = f"{self._max_attempts} attempt{'s' if self._max_attempts > 1 else ''}"
        return self._explain(f"given up after {attempts} each: {kinds}{more}", counts)

    def _explain(self, verdict: str, counts: Counts) -> str:
        """Say why there are fewer dialogues than wanted, what was wrong with the others, and what to do."""
        most = "".join(
            f"; found most often: {check} ({number}), first {self._examples[check]!r}"
            for check, number in self._reasons.most_common(1)
        )
        kept = f"; {counts.accepted} of {counts.planned} dialogues were accepted and kept"
        where = "" if self._folder is None else f", the rejected ones with their findings in {self._folder / REJECTED}"
        return f"{verdict}{kept}{where}{most}"
