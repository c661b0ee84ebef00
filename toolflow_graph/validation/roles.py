"""Checks of whether everyone stays in their role: nobody speaks for another, or tells what they were told to do.

Both are what a model does that obeys a text which it should only have read: the description of a tool, a result, or
what somebody else has typed.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from toolflow_graph.prompts import Prompts
from toolflow_graph.types import Finding
from toolflow_graph.validation.dialogue import CheckedDialogue

__all__ = ["check_instructions", "check_other_roles"]

_SPEAKERS = ("user", "assistant")

_NAME = r"(?:user|human|assistant|system|ai|tool|function|customer|agent|bot)"
_FRAME = r"[*_#\[<]*{role}[*_\]>]*\s*:[*_]*\s+"
_MARKER = re.compile(
    rf"^\s*{_FRAME.format(role='(?:human|assistant)')}\S|"
    rf"^\s*{_FRAME.format(role='(?:user|system)')}(?:\S+\s+){{3}}|"
    rf"^\s*#+\s*(?:instruction|response|{_NAME})s?\b[^\w\n]*$|\[/?INST\]|<</?SYS>>|</?s>|"
    rf"<\|?/?(?:im_start|im_end|{_NAME}|end_of_turn|start_of_turn|eot_id|endoftext)\|?>",
    re.IGNORECASE | re.MULTILINE,
)
"""A label such as `User: admin` has a word or two behind it."""


def check_other_roles(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield texts that go on as somebody else: a line that begins with the name of a role, or marks of a template."""
    for index in dialogue.indices(*_SPEAKERS):
        marker = _MARKER.search(dialogue.texts[index])
        if marker:
            told = f"the {dialogue.role(index)} speaks for another role: {marker[0].strip()!r}"
            yield Finding(check="other_roles", message=told, message_index=index)


_PROMPTS = (
    "assistant",
    "assistant_system",
    "planner",
    "planner_requests",
    "planner_scenario",
    "reword",
    "tool_simulator",
    "user",
    "user_improvised",
    "writer",
    "writer_cot",
    "writer_direct",
)
_SHARED = 9
"""Words in a row that texts have in common by chance next to never."""

_WORD = re.compile(r"\$?\w+")


def check_instructions(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield texts that repeat what a role was told: nine words in a row of its prompt, or of the plan's persona."""
    known = _list_passages(dialogue.prompts)
    persona = set() if dialogue.plan is None else set(_cut(dialogue.plan.scenario.persona))
    for index in dialogue.indices(*_SPEAKERS):
        told = next((p for p in _cut(dialogue.texts[index]) if p in known or p in persona), None)
        if told:
            message = f"the {dialogue.role(index)} repeats its instructions: {' '.join(told)!r}"
            yield Finding(check="instructions", message=message, message_index=index)


@lru_cache(maxsize=16)
def _list_passages(prompts: Prompts) -> frozenset[tuple[str, ...]]:
    texts = [text for name in _PROMPTS for text in prompts.variants(name)]
    return frozenset(passage for text in texts for passage in _cut(text) if not any("$" in word for word in passage))


def _cut(text: str) -> Iterator[tuple[str, ...]]:
    """Yield every so many words in a row of a text."""
    words = _WORD.findall(text.lower())
    for place in range(len(words) - _SHARED + 1):
        yield tuple(words[place : place + _SHARED])
