"""How a dialogue is put before a judge: the tools, the messages with their numbers, and an order of dimensions."""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.evaluation.ratings import DIMENSIONS, Dimension
from toolflow_graph.prompts import Prompts
from toolflow_graph.types import JSON

__all__ = ["ORDERS", "ask_judge", "build_schema", "draw_order", "write_dialogue"]

ORDERS: tuple[tuple[Dimension, ...], ...] = tuple(
    tuple(DIMENSIONS[place] for place in row) for row in ((0, 1, 3, 2), (1, 2, 0, 3), (2, 3, 1, 0), (3, 0, 2, 1))
)
"""A Latin square balanced for what comes before (Williams 1949): each dimension once in each place, and once right
after each other. Four heads of a prompt instead of 24 let an endpoint's prefix cache serve most of them."""


def draw_order(seed: int, fingerprint: str, model: str) -> tuple[Dimension, ...]:
    """Return the order in which a model is asked about a dialogue; it does not depend on what else is judged."""
    return random.Random(f"judge:{seed}:{model}:{fingerprint}").choice(ORDERS)


def ask_judge(dialogue: StoredDialogue, order: Sequence[Dimension], prompts: Prompts) -> list[JSON]:
    """Return the conversation that asks for a verdict."""
    described = prompts.sections("judge_dimensions")
    head = prompts.fill(
        "judge",
        random.Random(0),
        dimensions="\n\n".join(f"{dimension}: {described[dimension]}" for dimension in order),
        order=", ".join(order),
    )
    return [{"role": "system", "content": head}, {"role": "user", "content": write_dialogue(dialogue)}]


def build_schema(order: Sequence[Dimension]) -> JSON:
    """Return the schema of a verdict; reasons stand before scores, so that a score follows from its reason."""
    part = {
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "message": {"type": ["integer", "null"]},
            "score": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        },
        "required": ["reason", "message", "score"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "title": "verdict",
        "properties": dict.fromkeys(order, part),
        "required": list(order),
        "additionalProperties": False,
    }


def write_dialogue(dialogue: StoredDialogue) -> str:
    """Return tools and messages as a judge reads them; texts are quoted, so that none can pass for another message.

    Of tools that are not called, only name and description are told.
    """
    called = {call["function"].get("name") for message in dialogue.messages for call in _list_calls(message)}
    tools = "\n".join(_write_tool(tool, called) for tool in dialogue.tools) or "none"
    lines = (line for number, message in enumerate(dialogue.messages) for line in _write_message(number, message))
    return f"Tools on offer:\n{tools}\n\nDialogue:\n" + "\n".join(lines)


def _write_tool(tool: JSON, called: set[Any]) -> str:
    function = tool.get("function")
    function = function if isinstance(function, dict) else tool
    kept = {key: function[key] for key in ("name", "description") if key in function}
    if function.get("name") in called and "parameters" in function:
        kept["parameters"] = function["parameters"]
    return f"- {_quote(kept)}"


def _write_message(number: int, message: JSON) -> Iterator[str]:
    role, content = message["role"], message.get("content")
    if role == "tool":
        # results are mostly JSON in a string; unwrapped they read better, and are still one quoted value on one line
        yield f"[{number}] tool result for {_quote(_name_call(message))}: {_quote(_unwrap(content))}"
        return
    calls = _list_calls(message)
    if content or not calls:
        yield f"[{number}] {_quote_role(role)}: {_quote(content)}"
    for call in calls:
        function = call["function"]
        name, arguments = _quote(function.get("name")), _quote(_unwrap(function.get("arguments")))
        yield f"[{number}] {_quote_role(role)} calls {name} ({_quote(call.get('id'))}) with {arguments}"


def _name_call(message: JSON) -> Any:
    return message.get("tool_call_id") or message.get("name")


def _list_calls(message: JSON) -> list[JSON]:
    return message.get("tool_calls") or []


def _quote_role(role: str) -> str:
    return role if role in ("system", "user", "assistant", "developer") else _quote(role)


def _unwrap(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _quote(value: Any) -> str:
    # a lone surrogate, which a file may hold as an escape, becomes that escape again: it cannot be sent
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")
