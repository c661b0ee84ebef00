"""Settles which chat template is used with a tokenizer, and how its tool calls are read back."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from toolflow_graph.errors import ChatFormatError
from toolflow_graph.types import JSON

__all__ = ["ChatFormat", "find_chat_format"]

_CHATML = Path(__file__).with_name("chatml_hermes.jinja")
_NAME, _KEY, _VALUE, _RESULT = "find_a8f3e2b1", "key_b9d4f5c2", "value_d6e7a9f3", "result_c4f9a8e2"

_CLOSE = r"(?:<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|end_of_text\|>|<\|endoftext\|>|</s>)\s*"
_CALL = {"type": "function", "function": "{content}"}
_RESPONSES: dict[str, JSON] = {
    "hermes": {
        "defaults": {"role": "assistant"},
        "start_anchor": "<|im_start|>assistant\n",
        "fields": {
            "reasoning_content": {"open": "<think>", "close_pattern": r"</think>\s*", "content": "text"},
            "tool_calls": {
                "open": "<tool_call>",
                "close_pattern": r"</tool_call>\s*",
                "repeats": True,
                "content": "json",
                "transform": _CALL,
            },
            "content": {"close_pattern": _CLOSE, "content": "text"},
        },
    },
    "llama3": {
        "defaults": {"role": "assistant"},
        "start_anchor": "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "fields": {
            "tool_calls": {
                "open_pattern": r'(?:<\|python_tag\|>)?\{"name":\s*"(?P<name>[^"]+)",\s*"parameters":\s*',
                "close_pattern": r"\}\s*" + _CLOSE,
                "repeats": True,
                "content": "json",
                "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
            },
            "content": {"close_pattern": _CLOSE, "content": "text"},
        },
    },
}
"""Known ways of writing calls, as `response_template` of transformers describes them."""


@dataclass(frozen=True)
class ChatFormat:
    """How dialogues are rendered with a tokenizer, and answers read.

    `origin` says whose template it is: the base's own, one that was given, or ChatML with Hermes' tool calls where the
    base's own cannot render tools. `response` is a `response_template` of transformers, None where the template writes
    calls in a way that is not known; `mark` stands in every answer that means a call. Where `parallel` is False, the
    template takes one call a turn.
    """

    template: str
    origin: Literal["own", "given", "chatml-hermes"]
    parallel: bool
    response: JSON | None
    mark: str


def find_chat_format(tokenizer: Any, template: str | None = None) -> ChatFormat:
    """Return how dialogues with tools are written for a tokenizer of transformers.

    A template counts as able when it renders a call, its arguments and the tool's result. Raises `ChatFormatError` when
    neither the tokenizer's own (nor the given one) is, and ChatML's tokens are not in the vocabulary.
    """
    given: str | None = template or tokenizer.get_chat_template() if template or tokenizer.chat_template else None
    if given and _renders_tools(tokenizer, given):
        return _describe(tokenizer, given, "given" if template else "own")
    if template:
        raise ChatFormatError("the given chat template does not render tool calls and their results; give another one")
    vocabulary = tokenizer.get_vocab()
    if "<|im_start|>" not in vocabulary or "<|im_end|>" not in vocabulary:
        raise ChatFormatError(
            f"the chat template of {tokenizer.name_or_path!r} cannot render tools, and its vocabulary has no ChatML "
            "tokens (<|im_start|>, <|im_end|>) to do it otherwise; give its family's template by --chat-template FILE"
        )
    return _describe(tokenizer, _CHATML.read_text(encoding="utf-8"), "chatml-hermes")


def _describe(tokenizer: Any, template: str, origin: Literal["own", "given", "chatml-hermes"]) -> ChatFormat:
    answered = _render(tokenizer, template, calls=1) or ""
    own = getattr(tokenizer, "response_template", None) if origin == "own" else None
    known = [own] if own else _RESPONSES.values()
    response = next((response for response in known if _reads(tokenizer, response, answered)), None)
    if response is None:
        response = next((further for further in _list_further(template) if _reads(tokenizer, further, answered)), None)
    calls = (response or {}).get("fields", {}).get("tool_calls", {})
    return ChatFormat(
        template=template,
        origin=origin,
        parallel=_count(_render(tokenizer, template, calls=2)) == 2,
        response=response,
        mark=calls.get("mark") or calls.get("open") or "",
    )


def _list_further(template: str) -> list[JSON]:
    """Return what TRL knows of this template, where TRL is installed; it takes seconds to import."""
    try:
        from trl.chat_template_utils import add_response_schema  # noqa: PLC0415
    except ImportError:
        return []
    holder: Any = SimpleNamespace(chat_template=template)
    try:
        add_response_schema(holder)
    except ValueError:
        return []
    return [holder.response_template] if hasattr(holder, "response_template") else []


def _reads(tokenizer: Any, response: JSON, answered: str) -> bool:
    """Say whether a call that the template has written is read as that call."""
    try:
        read = tokenizer.parse_response(answered, response, prefix=response.get("start_anchor", ""))
    except (ValueError, TypeError, KeyError):
        return False
    calls = read.get("tool_calls") or [{}]
    return bool(calls[0].get("function") == {"name": _NAME, "arguments": {_KEY: _VALUE}})


def _renders_tools(tokenizer: Any, template: str) -> bool:
    text = _render(tokenizer, template, calls=1, whole=True)
    return text is not None and all(part in text for part in (_NAME, _KEY, _VALUE, _RESULT))


def _count(text: str | None) -> int:
    return 0 if text is None else text.count(_VALUE)


def _render(tokenizer: Any, template: str, *, calls: int, whole: bool = False) -> str | None:
    """Render a call (with `whole`, also its result); None where the template refuses."""
    from jinja2 import TemplateError  # noqa: PLC0415 - comes with transformers

    asked = [{"role": "user", "content": "hi"}]
    call = {"type": "function", "function": {"name": _NAME, "arguments": {_KEY: _VALUE}}}
    called = {"role": "assistant", "content": "", "tool_calls": [{"id": f"call{n:05}", **call} for n in range(calls)]}
    result = {"role": "tool", "name": _NAME, "tool_call_id": "call00000", "content": _RESULT}
    try:
        start = tokenizer.apply_chat_template(asked, chat_template=template, tokenize=False, add_generation_prompt=True)
        messages = [*asked, called, *([result] if whole else [])]
        text: str = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    except (TemplateError, TypeError, ValueError):
        return None
    return text if whole else text.removeprefix(start)
