"""Checks of dialogues in OpenAI format, ours or anyone's: each check is a function that yields findings.

To add a check, write `check_…(dialogue: CheckedDialogue) -> Iterator[Finding]` in the module of its family, enter it in
`CHECKS`, and give tests/test_validation.py broken dialogues that it alone must catch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from toolflow_graph.prompts import BUNDLED, Prompts
from toolflow_graph.types import JSON, DialoguePlan, Finding, Provenance, Record, TurnLabel
from toolflow_graph.validation.calls import check_arguments, check_known_tools, check_repeated_calls, check_results
from toolflow_graph.validation.dialogue import CheckedDialogue, read_dialogue
from toolflow_graph.validation.provenance import check_provenance, trace_arguments
from toolflow_graph.validation.requests import (
    check_addressed,
    check_clarification,
    check_correction,
    check_errors_told,
    check_needless_calls,
    check_parallel,
    check_sequential,
)
from toolflow_graph.validation.roles import check_instructions, check_other_roles
from toolflow_graph.validation.statements import check_statements
from toolflow_graph.validation.structure import check_links, check_roles
from toolflow_graph.validation.texts import (
    check_empty,
    check_leaks,
    check_repeated_text,
    check_truncated,
    check_user_voice,
)

__all__ = ["CHECKS", "CheckedDialogue", "ValidationReport", "validate_dialogue"]

CHECKS: tuple[Callable[[CheckedDialogue], Iterator[Finding]], ...] = (
    check_roles,
    check_links,
    check_known_tools,
    check_arguments,
    check_results,
    check_repeated_calls,
    check_addressed,
    check_clarification,
    check_needless_calls,
    check_sequential,
    check_parallel,
    check_correction,
    check_errors_told,
    check_empty,
    check_truncated,
    check_repeated_text,
    check_leaks,
    check_user_voice,
    check_other_roles,
    check_instructions,
    check_statements,
)


class ValidationReport(Record):
    """What all checks say of a dialogue, in the order of its messages, and where its arguments came from."""

    findings: list[Finding]
    provenance: list[Provenance]

    @property
    def errors(self) -> list[Finding]:
        """The findings that make a dialogue unfit; the others are warnings."""
        return [finding for finding in self.findings if finding.severity == "error"]


def validate_dialogue(
    messages: list[JSON],
    tools: list[JSON],
    *,
    returns: Mapping[str, JSON] | None = None,
    plan: DialoguePlan | None = None,
    labels: Sequence[TurnLabel] = (),
    now: str | None = None,
    prompts: Prompts = BUNDLED,
) -> ValidationReport:
    """Run every check on a dialogue.

    `tools` are entries of an OpenAI `tools` list, `returns` JSON Schemas of results by tool name. The checks of
    patterns need `labels` (and `plan`, to know whether every request is addressed). The day on which relative dates
    are based is `now` (ISO 8601), else the plan's, else what the system message says. `prompts` are those that the
    roles may have been given, and must not repeat.
    """
    dialogue = read_dialogue(messages, tools, returns=returns, plan=plan, labels=labels, now=now, prompts=prompts)
    findings = [finding for check in CHECKS for finding in check(dialogue)]
    traced = list(trace_arguments(dialogue))
    findings += check_provenance(traced)
    end = len(messages)
    findings.sort(key=lambda f: end if f.message_index is None else f.message_index)
    return ValidationReport(findings=findings, provenance=[provenance for provenance, _, _ in traced])
