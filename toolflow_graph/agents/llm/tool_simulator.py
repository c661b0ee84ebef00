"""The tools as a chat model: results from the documentation, the call, and everything returned so far."""

import asyncio
import json
from typing import Any

from langchain_core.messages import ToolMessage

from toolflow_graph.agents.llm.facts import world_facts
from toolflow_graph.agents.llm.recall import Recall, add_notes, write_facts
from toolflow_graph.agents.llm.setting import Voices, describe_tools, leave_aside, say_day
from toolflow_graph.agents.roles import Scene, ToolCall, ToolResult, derive_rng
from toolflow_graph.agents.search_tools import SEARCH_TOOLS, document_tools
from toolflow_graph.types import JSON
from toolflow_graph.validation.schemas import schema_errors

__all__ = ["LLMToolSimulator"]

_FAILS = (
    "Note: this call fails. Answer with an error that fits the tool, the arguments and the situation; one that another "
    "value, another try or patience could get around."
)


class LLMToolSimulator:
    """Plays every tool of a dialogue in one conversation, which is the world so far."""

    def __init__(self, voices: Voices, recall: Recall) -> None:
        """Keep the models, and what finds the facts of a long dialogue."""
        self.voices = voices
        self.recall = recall

    async def run(self, scene: Scene, call: ToolCall) -> ToolResult:
        """Return the result of a call; raises `ModelOutputError` when none fits the tool's schema."""
        if call.name == SEARCH_TOOLS.name:
            query = str(call.arguments.get("query", ""))
            names = await asyncio.to_thread(scene.find_tools, query) if scene.find_tools else ()
            return ToolResult(document_tools(scene.tools[name] for name in names), scene.world)
        tool = scene.tools.get(call.name)
        if tool is None:
            return ToolResult({"error": f"unknown tool {call.name!r}"}, scene.world, failed=True)
        fails = must_fail(scene, call)
        message = write_call(call, f"\n{_FAILS}" if fails else "")
        completion = await self.voices.ask(
            "tool",
            scene.seed,
            scene.index,
            [self._head(scene), *await self._look_back(scene, message)],
            schema=answer_schema(tool.returns),
            shared_schema=_ANY_ANSWER,
            check=lambda answer: check_answer(answer, tool.returns, fails=fails),
        )
        answer: JSON = completion.value
        aside = leave_aside("tool", completion, (message, write_answer(answer)))
        if answer["failed"]:
            return ToolResult({"error": answer["error"]}, scene.world, failed=True, aside=aside)
        return ToolResult(answer["result"], scene.world, aside=aside)

    async def _look_back(self, scene: Scene, asked: JSON) -> list[JSON]:
        """Return what the model is shown of the calls and answers so far."""
        view = self.recall.look_back([*scene.memory.get("tool", ()), asked])
        facts = await self.recall.find_facts(world_facts(view.past), [asked["content"]])
        return [*view.shown[:-1], add_notes(asked, write_facts(self.voices.prompts, "tool", facts))]

    def _head(self, scene: Scene) -> JSON:
        date, time = say_day(scene.now)
        involved = {*scene.offered, *(name for request in scene.plan.requests for name in request.tools)}
        tools = [scene.tools[name] for name in sorted(involved) if name in scene.tools and name != SEARCH_TOOLS.name]
        text = self.voices.prompts.fill(
            "tool_simulator",
            derive_rng(scene.seed, scene.index, "tool prompt"),
            date=date,
            time=time,
            city=scene.plan.scenario.city,
            tools=describe_tools(tools, returns=True),
            facts=list_facts(scene),
        )
        return {"role": "system", "content": text}


def write_call(call: ToolCall, note: str = "") -> JSON:
    """Return the message with which the tools are asked for a result."""
    asked = {"call": call.name, "arguments": call.arguments}
    return {"role": "user", "content": json.dumps(asked, ensure_ascii=False) + note}


def write_answer(answer: JSON) -> JSON:
    """Return the message with which they answer."""
    return {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)}


def list_facts(scene: Scene) -> str:
    """Return what the plan says of the person and what they know, so that results do not contradict it."""
    if not scene.plan.requests:
        return "- Nothing is known beyond the calls."
    scenario = scene.plan.scenario
    known = {f"{what}: {value}" for request in scene.plan.requests for what, value in request.known.items()}
    return "\n".join((f"- {scenario.persona}", f"- {scenario.situation}", *(f"- {fact}" for fact in sorted(known))))


def must_fail(scene: Scene, call: ToolCall) -> bool:
    """Say whether the plan lets a call fail: in a request with a tool error the first one of its last tool.

    What is looked up on the way there is found.
    """
    requests = scene.plan.requests
    if not requests or "tool_error" not in requests[scene.request].patterns:
        return False
    tools = requests[scene.request].tools
    if tools and call.name != tools[-1]:
        return False
    return not any(
        isinstance(message, ToolMessage)
        and message.status == "error"
        and message.additional_kwargs.get("request") == scene.request
        for message in scene.messages
    )


def answer_schema(returns: JSON) -> JSON:
    """Return the JSON Schema of an answer: a result that fits the tool, or an error."""
    return {
        "type": "object",
        "properties": {
            "failed": {"type": "boolean"},
            "error": {"type": ["string", "null"]},
            "result": {**without_steps(returns), "type": ["object", "null"]},
        },
        "required": ["failed", "error", "result"],
        "additionalProperties": False,
    }


def without_steps(schema: Any) -> Any:
    """Return a schema without `multipleOf`, which is tested exactly later: to floats 36.4 is no multiple of 0.1."""
    if isinstance(schema, dict):
        return {key: without_steps(part) for key, part in schema.items() if key != "multipleOf"}
    return [without_steps(part) for part in schema] if isinstance(schema, list) else schema


_ANY_ANSWER = answer_schema({})
"""What the answers of all tools fit, so that calls of different tools are one conversation to a prefix cache."""


def check_answer(answer: Any, returns: JSON, *, fails: bool) -> str | None:
    """Say what is wrong with an answer, None when it will do."""
    if answer["failed"]:
        return None if answer.get("error") else "`failed` is true, so `error` must say what went wrong"
    if fails:
        return "this call fails: `failed` must be true, and `error` say what went wrong"
    result = answer.get("result")
    if not isinstance(result, dict):
        return "`failed` is false, so `result` must be the object that the tool returns"
    errors = schema_errors(returns, result)
    return "; ".join(f"`result.{path}`: {told}" if path else f"`result`: {told}" for path, told in errors) or None
