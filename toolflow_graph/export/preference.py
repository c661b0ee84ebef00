"""Preference pairs for DPO and its like: `prompt`, `chosen`, `rejected` and `tools`, as TRL's DPOTrainer has them.

Where they come from: a model's answer that was refused, beside the one that was taken in its place (`attempts` of a
record), and a call that the assistant had to mend, beside the one that mended it. Messages are as in `trl`. Scripted
dialogues have no pairs.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator

from toolflow_graph.export.examples import Example, dump_json
from toolflow_graph.export.masks import find_mended
from toolflow_graph.export.trl import trl_message
from toolflow_graph.types import JSON, DialogueRecord
from toolflow_graph.validation import CheckedDialogue
from toolflow_graph.validation.dialogue import Call, read_dialogue

__all__ = ["preference_rows"]


def preference_rows(example: Example) -> Iterator[JSON]:
    """Yield one row per pair, in the order of the dialogue; no pair twice, none of two equal answers."""
    if example.record is None:
        return
    messages = [trl_message(message) for message in example.messages]
    tools = dump_json(example.tools)
    seen: set[str] = set()
    for place, chosen, rejected in sorted(_find_pairs(example, messages, example.record), key=lambda pair: pair[0]):
        one, other = ({"role": "assistant", **answer} for answer in (chosen, rejected))
        key = dump_json([place, _strip_ids(other)])
        if place == 0 or key in seen or _strip_ids(one) == _strip_ids(other):
            continue
        seen.add(key)
        yield {"prompt": messages[:place], "chosen": [one], "rejected": [other], "tools": tools}


Pair = tuple[int, JSON, JSON]
"""The place of a turn, the answer that is preferred there, and the other one."""


def _find_pairs(example: Example, messages: list[JSON], record: DialogueRecord) -> Iterator[Pair]:
    for place, attempt in _place_attempts(record):
        if place < len(messages) and place not in example.untrained and (answer := _read_attempt(attempt)):
            yield place, messages[place], answer
    dialogue = read_dialogue(example.messages, example.tools)
    for failed, mended in find_mended(dialogue, record.provenance):
        alone = len(dialogue.calls_of[failed.message]) == len(dialogue.calls_of[mended.message]) == 1
        if alone and mended.message not in example.untrained and _was_known(record, dialogue, failed, mended):
            yield failed.message, messages[mended.message], messages[failed.message]


def _was_known(record: DialogueRecord, dialogue: CheckedDialogue, failed: Call, mended: Call) -> bool:
    """Tell whether all that the mended call says was known when the other one was made."""
    sources = [p for p in record.provenance if p.call_id == mended.id]
    return dialogue.role(failed.message) == "assistant" and all(
        p.source != "none" and (p.message is None or p.message < failed.message) for p in sources
    )


def _place_attempts(record: DialogueRecord) -> Iterator[tuple[int, JSON]]:
    """Yield the refused answers that stood where a message of the assistant stands now, each with its place.

    `spent` has an entry per turn of a model, which tells how many answers were refused before; `attempts` has them all
    in the same order. What an endpoint would not answer at all is no answer: it counts as no refusal.
    """
    answers = deque(attempt for attempt in record.attempts if attempt.get("usage", {}).get("refused"))
    places = {
        "assistant": deque(_list_places(record, "assistant")),
        "reword": deque(_list_places(record, "user", "assistant", spoken=True)),
    }
    for entry in record.spent:
        agent = str(entry.get("agent"))
        refused = [answers.popleft() for _ in range(min(int(entry.get("refused", 0)), len(answers)))]
        if not places.get(agent):
            continue
        place = places[agent].popleft()
        if record.messages[place]["role"] == "assistant":
            yield from ((place, attempt) for attempt in refused if attempt.get("agent") == agent)


def _list_places(record: DialogueRecord, *roles: str, spoken: bool = False) -> Iterable[int]:
    return (i for i, m in enumerate(record.messages) if m["role"] in roles and (m.get("content") or not spoken))


def _read_attempt(attempt: JSON) -> JSON | None:
    """Return a refused answer as a chat template takes it; None when it is none, empty, or has unreadable calls."""
    text, calls = str(attempt.get("text") or ""), attempt.get("calls") or []
    if attempt.get("mode") not in ("native", "plain"):  # the answer was to be one JSON object
        try:
            draft = json.loads(text)
            text = draft["text"] if "text" in draft else draft["say"]
            calls = [
                {"name": call["name"], "arguments": json.loads(call["arguments"])} for call in draft.get("calls", ())
            ]
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
    if any(call.get("parse_error") or not isinstance(call["arguments"], dict) for call in calls):
        return None
    if not isinstance(text, str) or not (text.strip() or calls):
        return None
    answer: JSON = {"content": text.strip()}
    if calls:
        answer["tool_calls"] = [
            {
                "id": call.get("id") or f"refused_{number}",
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for number, call in enumerate(calls)
        ]
    return answer


def _strip_ids(answer: JSON) -> JSON:
    return {"said": answer.get("content"), "calls": [call["function"] for call in answer.get("tool_calls") or ()]}
