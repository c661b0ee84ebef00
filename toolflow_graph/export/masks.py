"""Which turns of the assistant are not trained on: those that a check has flagged, and calls that it had to mend."""

from collections.abc import Iterator, Sequence

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.types import DialogueRecord, Finding, Provenance
from toolflow_graph.validation import CheckedDialogue, validate_dialogue
from toolflow_graph.validation.dialogue import Call, read_dialogue

__all__ = ["MENDED", "find_mended", "find_untrained"]

MENDED = "mended"
"""Why a call is not trained on that failed and that the assistant then made otherwise, of its own accord."""


def find_untrained(dialogue: DialogueRecord | StoredDialogue) -> dict[int, str]:
    """Return the indices of the assistant's messages that are not trained on, each with the reason.

    The reason is the name of the check that flagged the message, warnings included, or "mended". The findings are
    those of the record; a dialogue from elsewhere is checked here.
    """
    record = dialogue if isinstance(dialogue, DialogueRecord) else dialogue.record
    if record is not None:
        findings: Sequence[Finding] = record.findings
        provenance: Sequence[Provenance] = record.provenance
    else:
        report = validate_dialogue(dialogue.messages, dialogue.tools)
        findings, provenance = report.findings, report.provenance
    reasons: dict[int, str] = {}
    for finding in findings:
        place = finding.message_index
        if place is not None and place < len(dialogue.messages) and dialogue.messages[place]["role"] == "assistant":
            reasons.setdefault(place, finding.check)
    for failed, _ in find_mended(read_dialogue(dialogue.messages, dialogue.tools), provenance):
        reasons.setdefault(failed.message, MENDED)
    return dict(sorted(reasons.items()))


def find_mended(dialogue: CheckedDialogue, provenance: Sequence[Provenance]) -> Iterator[tuple[Call, Call]]:
    """Yield the calls that failed by the assistant's own mistake, each with the call that mended it.

    It was its own mistake when it called the same tool with other arguments before the user spoke again, or when a
    value that was changed later came from nowhere. A value that the user has taken back was no mistake, nor was a call
    that is made once more as it was.
    """
    nowhere = {(p.call_id, p.path.partition(".")[0].partition("[")[0]) for p in provenance if p.source == "none"}
    for failed in dialogue.calls:
        if failed.error is None or failed.answered is None or failed.arguments is None:
            continue
        after = (call for call in dialogue.calls if call.message > (failed.answered or 0) and call.name == failed.name)
        mended = next(after, None)
        if mended is None or mended.arguments is None or mended.arguments == failed.arguments:
            continue
        alone = not any(dialogue.role(place) == "user" for place in range(failed.answered, mended.message))
        if alone or any((failed.id, name) in nowhere for name in _list_changes(failed, mended)):
            yield failed, mended


def _list_changes(failed: Call, mended: Call) -> list[str]:
    before, after = failed.arguments or {}, mended.arguments or {}
    return [name for name, value in before.items() if name not in after or after[name] != value]
