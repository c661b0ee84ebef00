"""Counts what the models of the LLM cast would be asked in a dialogue, from the dialogue itself.

Each role has its own conversation, which only grows, so that the prompt of a request is its head and everything said in
it before. Tokens are counted as a quarter of the characters; on 34 dialogues played by a model the sums were within a
tenth of what was sent.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from toolflow_graph.agents.llm.setting import describe_tools
from toolflow_graph.agents.llm.user import describe
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.models.answers import Usage
from toolflow_graph.prompts import BUNDLED
from toolflow_graph.types import JSON, DialoguePlan, DialogueRecord, Tool

__all__ = ["count_requests"]

_FRAME = 40
"""Characters that JSON puts around one answer, or around one message."""


def count_requests(record: DialogueRecord, tools: Mapping[str, Tool]) -> dict[str, Usage]:
    """Return what user, assistant and tool simulator would be asked and answer; nothing without a plan."""
    counted: defaultdict[str, Usage] = defaultdict(Usage)
    if record.plan is None:
        return {}
    prompts = _measure_heads(record, record.plan, tools)

    def ask(role: str, said: int, answer: int) -> None:
        """Add a request: what is said to the role before it answers, both in characters."""
        prompts[role] += said + _FRAME
        usage = Usage(requests=1, prompt=prompts[role] // 4, completion=(answer + _FRAME) // 4)
        counted[role] += usage
        prompts[role] += answer + 2 * _FRAME

    heard = seen = 0  # what the user has not heard yet, and the assistant has not seen
    calls: dict[str, JSON] = {}
    for message in record.messages:
        text = len(message.get("content") or "")
        if message["role"] == "user":
            ask("user", heard, text)
            seen += text + _FRAME
        elif message["role"] == "assistant":
            made = message.get("tool_calls", [])
            calls |= {call["id"]: call["function"] for call in made}
            ask("assistant", seen, text + len(_write(made)) * bool(made))
            heard, seen = text, 0
        elif message["role"] == "tool":
            call = calls.get(message["tool_call_id"], {"name": SEARCH_TOOLS.name})
            if call["name"] != SEARCH_TOOLS.name:
                ask("tool", len(_write(call)), text)
            seen += text + 2 * _FRAME
    ask("user", heard, 0)  # the user is asked once more, and ends
    return dict(counted)


def _measure_heads(record: DialogueRecord, plan: DialoguePlan, tools: Mapping[str, Tool]) -> dict[str, int]:
    """Return the characters with which each role's conversation begins."""
    scenario = len(plan.scenario.persona) + len(plan.scenario.situation) + len(plan.scenario.goal)
    offered = {tool["function"]["name"] for tool in record.tools}
    needed = {name for request in plan.requests for name in request.tools}
    involved = [tools[name] for name in sorted(offered | needed) if name in tools and name != SEARCH_TOOLS.name]
    return {
        "user": _measure_prompt("user") + scenario + sum(len(describe(request)) for request in plan.requests),
        "assistant": _measure_prompt("assistant") + len(_write(record.tools)),
        "tool": _measure_prompt("tool_simulator") + scenario + len(describe_tools(involved, returns=True)),
    }


def _measure_prompt(name: str) -> int:
    texts = BUNDLED.variants(name)
    return sum(len(text) for text in texts) // len(texts)


def _write(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)
