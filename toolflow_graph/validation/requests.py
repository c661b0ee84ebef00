"""Checks against the plan: every request is addressed, in the way its patterns ask for. They need turn labels."""

import re
from collections.abc import Iterator

from toolflow_graph.types import Finding
from toolflow_graph.validation.dialogue import SEARCH, Call, CheckedDialogue, Segment, iterate_leaves
from toolflow_graph.values import supports
from toolflow_graph.values.naming import stem
from toolflow_graph.values.reading import content_words

__all__ = [
    "check_addressed",
    "check_clarification",
    "check_correction",
    "check_errors_told",
    "check_needless_calls",
    "check_parallel",
    "check_sequential",
]

_NO_CALL = frozenset({"missing_function", "irrelevant"})
_QUIET = frozenset({"chitchat", "topic_shift"})
_UPDATES = (
    "update change modify edit move reschedule rename set assign extend renew amend correct adjust replace switch shift"
)
_UPDATE = re.compile(rf"^(?:{'|'.join(_UPDATES.split())})", re.IGNORECASE)


def check_addressed(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield planned requests that never came up, or whose tools were not called with success nor failed and told so."""
    if dialogue.plan is None or not dialogue.labels:
        return
    segments = {segment.request: segment for segment in dialogue.segments}
    for number, request in enumerate(dialogue.plan.requests):
        segment = segments.get(number)
        if segment is None or not _is_answered(dialogue, segment):
            yield Finding(check="addressed", message=f"planned request {number} is never made or never answered")
            continue
        calls = dialogue.calls_in(segment)
        for tool in request.tools:
            mine = [call for call in calls if call.name == tool]
            done = any(call.succeeded for call in mine)
            if not done and not ("tool_error" in request.patterns and _failed_and_told(dialogue, mine)):
                told = f"planned request {number}: {tool!r} was never called with success"
                yield Finding(check="addressed", message=told, message_index=segment.messages[-1])


def _is_answered(dialogue: CheckedDialogue, segment: Segment) -> bool:
    asked = [i for i in segment.messages if dialogue.role(i) == "user"]
    return bool(asked) and any(dialogue.role(i) == "assistant" and i > asked[0] for i in segment.messages)


def _failed_and_told(dialogue: CheckedDialogue, calls: list[Call]) -> bool:
    failed = [call.answered for call in calls if call.error is not None and call.answered is not None]
    return bool(failed) and any(dialogue.texts[i] for i in dialogue.indices("assistant") if i > failed[-1])


_ASKS = re.compile(
    r"\?|\b(?:tell|let me know|needs?|give|share|say|specify|missing|send|provide|which|what|who|where|when|how)\b",
    re.IGNORECASE,
)


def check_clarification(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield `missing_parameter` requests without a question and its answer before the call."""
    for segment in dialogue.segments:
        calls = dialogue.calls_in(segment)
        if "missing_parameter" not in segment.patterns or not calls:
            continue
        asked = [i for i in segment.messages if dialogue.role(i) == "assistant" and _ASKS.search(dialogue.texts[i])]
        if not any(_is_informed(dialogue, index, call) for index in asked for call in calls if call.message > index):
            told = "a required value was missing, and the assistant called without asking for it"
            yield Finding(check="clarification", message=told, message_index=calls[0].message)


def _is_informed(dialogue: CheckedDialogue, asked: int, call: Call) -> bool:
    """Tell whether the question was answered before the call.

    A question that follows a result may be about that result (which one, another try), so that its answer must bring
    a value of the call that nobody had said before; after an error it never counts.
    """
    answer = next((i for i in dialogue.indices("user", before=call.message) if i > asked), None)
    if answer is None or dialogue.role(asked - 1) != "tool":
        return answer is not None
    if any(c.answered == asked - 1 and c.error is not None for c in dialogue.calls):
        return False
    before = [dialogue.texts[i] for i in dialogue.indices("user", before=asked)]
    properties = (dialogue.known_tools(call.message).get(call.name, {}).get("parameters") or {}).get("properties") or {}
    return any(
        supports([*before, dialogue.texts[answer]], value, dialogue.today, name, properties.get(name) or {})
        and not supports(before, value, dialogue.today, name, properties.get(name) or {})
        for name, value in (call.arguments or {}).items()
    )


def check_needless_calls(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield calls in requests that no tool fits, or that are small talk."""
    for segment in dialogue.segments:
        small_talk = "chitchat" in segment.patterns and segment.patterns <= _QUIET
        if not (segment.patterns & _NO_CALL or small_talk):
            continue
        for call in dialogue.calls_in(segment):
            if call.name != SEARCH:
                kinds = ", ".join(sorted(segment.patterns))
                told = f"{call.name!r} is called where nothing should be ({kinds})"
                yield Finding(check="needless_call", message=told, message_index=call.message)


def check_sequential(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield `sequential` requests in which no call uses a value of an earlier result."""
    for segment in dialogue.segments:
        calls = dialogue.calls_in(segment)
        if "sequential" not in segment.patterns or not calls:
            continue
        if not any(_uses_result(dialogue, call) for call in calls):
            told = "no call uses a value that an earlier call returned"
            yield Finding(check="sequential", message=told, message_index=calls[-1].message)


def _uses_result(dialogue: CheckedDialogue, call: Call) -> bool:
    earlier = [c for c in dialogue.calls if c.answered is not None and c.answered < call.message and c.succeeded]
    returned = {_plain(leaf) for c in earlier for _, leaf in iterate_leaves(c.result) if _tells(leaf)}
    return any(_plain(leaf) in returned for _, leaf in iterate_leaves(call.arguments or {}) if _tells(leaf))


def _tells(leaf: object) -> bool:
    return leaf is not None and not isinstance(leaf, bool) and leaf != ""


def _plain(leaf: object) -> str:
    return re.sub(r"[\W_]+", "", str(leaf)).lower()


def check_parallel(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield `parallel` requests whose calls do not go out together."""
    for segment in dialogue.segments:
        calls = dialogue.calls_in(segment)
        if "parallel" in segment.patterns and calls and max(len(dialogue.calls_of[c.message]) for c in calls) < 2:
            told = "independent calls do not go out together"
            yield Finding(check="parallel", message=told, message_index=calls[0].message)


def check_correction(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield `correction` requests without a second call, or an update, with a changed value."""
    for segment in dialogue.segments:
        calls = dialogue.calls_in(segment)
        if "correction" not in segment.patterns or not calls:
            continue
        if not any(_corrects(dialogue, call) for call in calls):
            told = "the user changes a value, and no call carries the new one"
            yield Finding(check="correction", message=told, message_index=calls[-1].message)


def _corrects(dialogue: CheckedDialogue, later: Call) -> bool:
    turns = dialogue.indices("user")
    for earlier in dialogue.calls:
        if earlier.message >= later.message or not any(earlier.message < i < later.message for i in turns):
            continue
        if earlier.name == later.name and earlier.arguments != later.arguments:
            return True
        if _UPDATE.match(later.name) and earlier.arguments != later.arguments:
            return True
    return False


_TROUBLE = re.compile(
    r"\b(?:no|not|none|nothing|never|without|cannot|unable|fail\w*|errors?|sorry|unfortunately|afraid|unavailable|down|"
    r"closed|full|problem|trouble|only|instead|another|already|invalid|wrong|issue|stuck|later|snag|limit|too|declin\w*|"
    r"refus\w*|reject\w*|expired|missing|except|but|however|hiccup|nope|sold|gone|taken|unknown|offline|denied|busy|"
    r"different|other|else|retry|try|again|timed|slow|short|lacks?|unclear|impossible)\b|n't\b",
    re.IGNORECASE,
)


def check_errors_told(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield errors of a tool that are neither followed by another try nor told; and `tool_error` without any error."""
    for call in dialogue.calls:
        if call.error is None or call.answered is None:
            continue
        after = next((i for i in dialogue.indices("assistant") if i > call.answered), None)
        if after is None or dialogue.calls_of.get(after):
            continue
        words = {stem(w) for w in re.findall(r"[a-z]+", dialogue.texts[after].lower())}
        told = _TROUBLE.search(dialogue.texts[after].replace("’", "'"))
        if not told and not set(content_words(call.error)) & words:
            reason = f"{call.name!r} failed ({call.error[:60]!r}), and the assistant does not say so"
            yield Finding(check="error_told", message=reason, message_index=after)
    for segment in dialogue.segments:
        if "tool_error" in segment.patterns and not any(c.error is not None for c in dialogue.calls_in(segment)):
            told_ = "a tool should have failed here, and none did"
            yield Finding(check="error_told", message=told_, message_index=segment.messages[0])
