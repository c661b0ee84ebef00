"""Renders dialogues as text, and says where in it each turn of the assistant stands."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from toolflow_graph.chat_format.format import ChatFormat
from toolflow_graph.errors import ChatFormatError
from toolflow_graph.types import JSON

__all__ = ["RenderedDialogue", "render_dialogue", "render_prompt"]


@dataclass(frozen=True)
class RenderedDialogue:
    """A dialogue as text; `spans` has (message, first character, character after the last) of each assistant turn.

    A span begins after what opens the turn in the prompt (such as `<|im_start|>assistant`) and ends with what closes
    it, so that a model trained on it learns to stop. `message` is the index in the dialogue that was given: where
    parallel calls were split because the template refuses them, several spans have the same. `split` counts these.
    """

    text: str
    spans: tuple[tuple[int, int, int], ...]
    split: int


def render_prompt(tokenizer: Any, chat: ChatFormat, messages: Sequence[JSON], tools: Sequence[JSON]) -> str:
    """Return the text after which the assistant's next turn begins."""
    plain = [message for _, message in _normalise(chat, messages)]
    return _render(tokenizer, chat, plain, tools, prompt=True)


def render_dialogue(
    tokenizer: Any, chat: ChatFormat, messages: Sequence[JSON], tools: Sequence[JSON]
) -> RenderedDialogue:
    """Render messages in OpenAI's form, arguments as strings or objects.

    Raises `ChatFormatError` when the template refuses them, or renders what was said before a turn otherwise once the
    turn is there: then there is no place where the turn stands.
    """
    pairs = _normalise(chat, messages)
    plain = [message for _, message in pairs]
    text = _render(tokenizer, chat, plain, tools, prompt=False)
    spans = []
    for place, (index, message) in enumerate(pairs):
        if message["role"] != "assistant":
            continue
        before = _render(tokenizer, chat, plain[:place], tools, prompt=True)
        until = _render(tokenizer, chat, plain[: place + 1], tools, prompt=False)
        if not (text.startswith(until) and until.startswith(before)):
            raise ChatFormatError(
                f"the chat template renders message {index} otherwise when more follows, so it cannot be trained on; "
                "give a template made for training by --chat-template FILE"
            )
        spans.append((index, len(before), len(until)))
    return RenderedDialogue(text, tuple(spans), len(pairs) - len(messages))


def _normalise(chat: ChatFormat, messages: Sequence[JSON]) -> list[tuple[int, JSON]]:
    """Give each message the form that templates want, with the index that it had; split calls that must go alone."""
    pairs: list[tuple[int, JSON]] = []
    results = {message.get("tool_call_id"): message for message in messages if message["role"] == "tool"}
    names = {
        call.get("id"): call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()
    }
    moved: set[str] = set()
    for index, message in enumerate(messages):
        calls = message.get("tool_calls") or ()
        if message["role"] == "tool":
            if message.get("tool_call_id") not in moved:
                pairs.append((index, _write_result(message, names)))
        elif len(calls) > 1 and not chat.parallel:
            for number, call in enumerate(calls):
                content = message.get("content") or "" if number == 0 else ""
                pairs.append((index, {"role": "assistant", "content": content, "tool_calls": [_write_call(call)]}))
                if answer := results.get(call.get("id")):
                    moved.add(call["id"])
                    pairs.append((index, _write_result(answer, names)))
        else:
            plain = {"role": message["role"], "content": message.get("content") or ""}
            if calls:
                plain["tool_calls"] = [_write_call(call) for call in calls]
            pairs.append((index, plain))
    return pairs


def _write_call(call: JSON) -> JSON:
    arguments = call["function"].get("arguments")
    read = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments or {}
    return {
        "id": call.get("id", ""),
        "type": "function",
        "function": {"name": call["function"]["name"], "arguments": read},
    }


def _write_result(message: JSON, names: dict[Any, str]) -> JSON:
    content = message.get("content") or ""
    return {
        "role": "tool",
        "name": message.get("name") or names.get(message.get("tool_call_id"), ""),
        "tool_call_id": message.get("tool_call_id", ""),
        "content": content if isinstance(content, str) else json.dumps(content, ensure_ascii=False),
    }


def _render(tokenizer: Any, chat: ChatFormat, messages: Sequence[JSON], tools: Sequence[JSON], *, prompt: bool) -> str:
    from jinja2 import TemplateError  # noqa: PLC0415 - comes with transformers

    try:
        text: str = tokenizer.apply_chat_template(
            list(messages),
            tools=list(tools) or None,
            chat_template=chat.template,
            tokenize=False,
            add_generation_prompt=prompt,
        )
    except (TemplateError, TypeError, ValueError) as exc:
        raise ChatFormatError(f"the chat template refuses this dialogue: {exc}") from exc
    return text
