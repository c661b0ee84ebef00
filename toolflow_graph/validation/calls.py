"""Checks of single calls and their results."""

import json
from collections.abc import Iterator

from toolflow_graph.types import Finding
from toolflow_graph.validation.dialogue import CheckedDialogue
from toolflow_graph.validation.schemas import schema_errors

__all__ = ["check_arguments", "check_known_tools", "check_repeated_calls", "check_results"]


def check_known_tools(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield calls of tools that were neither offered nor found by a search before."""
    for call in dialogue.calls:
        if call.name not in dialogue.tools and call.name not in dialogue.known_tools(call.message):
            told = f"{call.name!r} is not among the tools of the dialogue"
            yield Finding(check="known_tool", message=told, message_index=call.message)


def check_arguments(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield arguments that are no JSON object or break the tool's JSON Schema."""
    for call in dialogue.calls:
        if call.arguments is None:
            yield Finding(check="arguments", message=f"{call.name!r}: {call.problem}", message_index=call.message)
            continue
        tool = dialogue.tools.get(call.name) or dialogue.known_tools(call.message).get(call.name)
        parameters = (tool or {}).get("parameters")
        if not isinstance(parameters, dict):
            continue
        for path, told in schema_errors(parameters, call.arguments):
            place = f" {path}" if path else ""
            yield Finding(check="arguments", message=f"{call.name!r}{place}: {told}", message_index=call.message)
        properties = parameters.get("properties") or {}
        if parameters.get("additionalProperties") is None and not parameters.get("patternProperties"):
            for name in call.arguments:
                if properties and name not in properties:
                    told = f"{call.name!r} has no parameter {name!r}"
                    yield Finding(check="arguments", message=told, message_index=call.message)


def check_results(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield results that do not fit the tool's `returns` schema; errors are exempt."""
    for call in dialogue.calls:
        schema = dialogue.returns.get(call.name)
        if schema is None or call.answered is None or call.error is not None:
            continue
        for path, told in schema_errors(schema, call.result):
            place = f" {path}" if path else ""
            yield Finding(check="results", message=f"{call.name!r}{place}: {told}", message_index=call.answered)


def check_repeated_calls(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield calls that repeat a successful one word for word, with nothing done in between that could change it."""
    last: dict[str, int] = {}
    for position, call in enumerate(dialogue.calls):
        if call.arguments is None:
            continue
        key = f"{call.name} {json.dumps(call.arguments, sort_keys=True)}"
        earlier = last.get(key)
        if earlier is not None and not _changed_between(dialogue, earlier, position):
            told = f"{call.name!r} was already called with the same arguments, and succeeded"
            yield Finding(check="repeated_call", message=told, message_index=call.message)
        if call.succeeded:
            last[key] = position


def _changed_between(dialogue: CheckedDialogue, earlier: int, later: int) -> bool:
    name = dialogue.calls[later].name
    between = dialogue.calls[earlier + 1 : later]
    return any(call.succeeded and call.name != name and not call.name.startswith(_READERS) for call in between)


_READERS = ("search", "find", "list", "get", "check", "track", "compare", "lookup", "query", "calculate", "convert")
