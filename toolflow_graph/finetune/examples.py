"""Dialogues as token ids with labels: the loss covers the assistant's turns, and not those that are masked."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolflow_graph.chat_format import ChatFormat, render_dialogue
from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.errors import ChatFormatError
from toolflow_graph.export import Tally, make_examples, name_tool
from toolflow_graph.types import JSON

__all__ = ["IGNORED", "Encoding", "TrainingExample", "drop_examples", "encode_dialogues"]

IGNORED = -100
"""Label of a token that does not count, as PyTorch's cross entropy has it."""


@dataclass(frozen=True)
class TrainingExample:
    """A dialogue for a model: `labels` are `input_ids` where it is trained, `IGNORED` elsewhere."""

    dialogue: str
    input_ids: list[int]
    labels: list[int]


@dataclass
class Encoding:
    """Examples, and what became of the dialogues that gave none; `masked` turns, and parallel calls that were `split`.

    `left_out` counts dialogues by reason, `first` has an example of each.
    """

    examples: list[TrainingExample] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    masked: int = 0
    split: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of all examples."""
        return sum(len(example.input_ids) for example in self.examples)

    @property
    def trained(self) -> int:
        """Tokens that count in the loss."""
        return sum(label != IGNORED for example in self.examples for label in example.labels)

    def leave_out(self, reason: str, detail: str) -> None:
        """Count a dialogue that gives no example."""
        self.left_out[reason] += 1
        self.first.setdefault(reason, detail)


def encode_dialogues(
    dialogues: Iterable[StoredDialogue],
    tokenizer: Any,
    chat: ChatFormat,
    *,
    max_length: int,
    withheld: frozenset[str] = frozenset(),
    tool_examples: bool = False,
) -> Encoding:
    """Encode dialogues by a chat template; tools that are `withheld` do not stand in the lists on offer.

    Example values stay in the tools' schemas only with `tool_examples`. Turns that a check has flagged, or that were
    mended later, are in the text but not in the loss. What a template refuses, what is longer than `max_length` tokens,
    and rejected dialogues are left out.
    """
    encoding, tally = Encoding(), Tally()
    for dialogue in make_examples(dialogues, tally):
        offered = [tool for tool in dialogue.tools if name_tool(tool) not in withheld]
        tools = offered if tool_examples else [drop_examples(tool) for tool in offered]
        try:
            rendered = render_dialogue(tokenizer, chat, dialogue.messages, tools)
        except (ChatFormatError, ValueError) as exc:
            encoding.leave_out("refused by the chat template", f"{dialogue.id}: {exc}")
            continue
        spans = [(first, last) for index, first, last in rendered.spans if index not in dialogue.untrained]
        encoded = tokenizer(rendered.text, add_special_tokens=False, return_offsets_mapping=True)
        ids: list[int] = encoded["input_ids"]
        labels = _label(ids, encoded["offset_mapping"], spans)
        if len(ids) > max_length:
            encoding.leave_out(f"longer than {max_length} tokens", f"{dialogue.id}: {len(ids)} tokens")
        elif all(label == IGNORED for label in labels):
            encoding.leave_out("no turn of the assistant is left to train on", dialogue.id)
        else:
            encoding.masked += len(rendered.spans) - len(spans)
            encoding.split += rendered.split
            encoding.examples.append(TrainingExample(dialogue.id, ids, labels))
    encoding.left_out.update(tally.left_out)
    return encoding


def drop_examples(tool: JSON) -> JSON:
    """Return a tool in OpenAI's form without the example values of its parameters."""
    function = tool["function"]
    if "parameters" not in function:
        return tool
    return {**tool, "function": {**function, "parameters": _drop_examples(function["parameters"])}}


def _drop_examples(schema: Any) -> Any:
    """Walk a JSON Schema; what has names of its own (properties) or is data (enum, const, default) is no keyword."""
    if isinstance(schema, list):
        return [_drop_examples(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "$defs", "definitions") and isinstance(value, dict):
            kept[key] = {name: _drop_examples(part) for name, part in value.items()}
        elif key in ("enum", "const", "default", "required"):
            kept[key] = value
        elif key not in ("example", "examples"):
            kept[key] = _drop_examples(value)
    return kept


def _label(ids: Sequence[int], offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Label the tokens that lie wholly inside a span; both come in the order of the text."""
    labels = [IGNORED] * len(ids)
    waiting = iter(spans)
    first, last = next(waiting, (1 << 60, 1 << 60))
    for place, (start, end) in enumerate(offsets):
        while start >= last:
            first, last = next(waiting, (1 << 60, 1 << 60))
        if start >= first and end <= last and end > start:
            labels[place] = ids[place]
    return labels
