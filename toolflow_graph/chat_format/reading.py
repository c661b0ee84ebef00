"""Reads what a model has written: text, and calls in its own format, strictly."""

from dataclasses import dataclass
from typing import Any

from toolflow_graph.chat_format.format import ChatFormat
from toolflow_graph.errors import ChatFormatError
from toolflow_graph.types import JSON

__all__ = ["ReadAnswer", "read_answer"]


@dataclass(frozen=True)
class ReadAnswer:
    """An answer: `calls` are (name, arguments); `unread` says why something that was meant as a call is none."""

    text: str
    calls: tuple[tuple[str, JSON], ...] = ()
    unread: str = ""


def read_answer(tokenizer: Any, chat: ChatFormat, answer: str, prompt: str) -> ReadAnswer:
    """Read an answer to a prompt, special tokens included, in the format of its chat template.

    Nothing is mended: a call counts only when its JSON is whole, its name a string and its arguments an object, and one
    that does not spoils the answer. Raises `ChatFormatError` when it is not known how the template writes calls.
    """
    if chat.response is None:
        raise ChatFormatError(
            "it is not known how this chat template writes calls, so they cannot be read; set `response_template` of "
            "the tokenizer, as transformers documents it, and save it with the model"
        )
    try:
        read = tokenizer.parse_response(answer, chat.response, prefix=prompt)
    except (ValueError, TypeError, KeyError) as exc:
        return ReadAnswer(answer, unread=f"not to be read: {exc}")
    calls: list[tuple[str, JSON]] = []
    for call in read.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return ReadAnswer(answer, unread=f"a call without a name: {call!r}")
        arguments = function.get("arguments", {})
        if not isinstance(arguments, dict):
            return ReadAnswer(answer, unread=f"the arguments of {function['name']!r} are no object: {arguments!r}")
        calls.append((function["name"], arguments))
    text = str(read.get("content") or "")
    if chat.mark and chat.mark in text:
        return ReadAnswer(answer, unread=f"a call that is not whole: {text!r}")
    return ReadAnswer(text.strip(), tuple(calls))
