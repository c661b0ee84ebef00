"""Checks of the form: who speaks when, and how calls and results are linked."""

from collections import Counter
from collections.abc import Iterator

from toolflow_graph.types import Finding
from toolflow_graph.validation.dialogue import CheckedDialogue

__all__ = ["check_links", "check_roles"]

_ROLES = ("system", "user", "assistant", "tool")


def check_roles(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield where the turns do not alternate: [system] user assistant … assistant; calls come before the answer."""
    spoken = [i for i in range(len(dialogue.messages)) if dialogue.role(i) != "tool"]
    before = ""
    for position, index in enumerate(spoken):
        role = dialogue.role(index)
        if role not in _ROLES:
            yield Finding(check="roles", message=f"unknown role {role!r}", message_index=index)
        elif role == "system" and position:
            yield Finding(check="roles", message="a system message inside the dialogue", message_index=index)
        elif role == "user" and before not in ("", "system", "assistant"):
            reason = (
                "the assistant has not answered after its calls" if before == "calls" else "two user turns in a row"
            )
            yield Finding(check="roles", message=reason, message_index=index)
        elif role == "assistant" and before not in ("user", "calls"):
            reason = "two assistant turns in a row" if before == "assistant" else "the assistant speaks first"
            yield Finding(check="roles", message=reason, message_index=index)
        before = "calls" if role == "assistant" and dialogue.messages[index].get("tool_calls") else role
    if before != "assistant":
        yield Finding(check="roles", message="the dialogue does not end with words of the assistant")


def check_links(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield calls without exactly one result before anyone speaks, results without a call, and ids used twice."""
    seen: Counter[str] = Counter()
    pending: dict[str, int] = {}
    for index, message in enumerate(dialogue.messages):
        role = dialogue.role(index)
        if role == "tool":
            identity = str(message.get("tool_call_id") or "")
            if identity not in pending:
                reason = "a second result for" if seen[identity] else "a result for an unknown call"
                yield Finding(check="links", message=f"{reason} {identity!r}", message_index=index)
            elif message.get("name") and (called := _name_of(dialogue, identity)) != message["name"]:
                told = f"the result of {identity!r} is named {message['name']!r}, the call {called!r}"
                yield Finding(check="links", message=told, message_index=index)
            pending.pop(identity, None)
            continue
        for identity, place in pending.items():
            yield Finding(check="links", message=f"the call {identity!r} has no result", message_index=place)
        pending = {}
        for call in dialogue.calls_of.get(index, ()):
            seen[call.id] += 1
            if not call.id or seen[call.id] > 1:
                reason = f"the id {call.id!r} is used twice" if call.id else "a call has no id"
                yield Finding(check="links", message=reason, message_index=index)
            pending[call.id] = index
    if pending and dialogue.role(len(dialogue.messages) - 1) == "tool":
        for identity, place in pending.items():
            yield Finding(check="links", message=f"the call {identity!r} has no result", message_index=place)


def _name_of(dialogue: CheckedDialogue, identity: str) -> str:
    return next(call.name for call in dialogue.calls if call.id == identity)
