"""The assistant as a chat model with tools; a call that breaks a schema or comes from nowhere is sent back."""

import json
from collections.abc import Sequence

from toolflow_graph.agents.llm.drafts import AssistantDraft
from toolflow_graph.agents.llm.setting import Voices, describe_tools, leave_aside
from toolflow_graph.agents.openai_format import to_openai_messages
from toolflow_graph.agents.roles import AssistantTurn, Scene, ToolCall, derive_rng
from toolflow_graph.agents.search_tools import found_tools
from toolflow_graph.prompts import fill_prompt
from toolflow_graph.types import JSON, Tool
from toolflow_graph.validation import validate_dialogue

__all__ = ["LLMAssistant", "check_calls"]

_CALL_CHECKS = frozenset({"arguments", "known_tool", "provenance", "repeated_call"})


class LLMAssistant:
    """Answers, asks or calls; sees exactly the dialogue, behind its instructions."""

    def __init__(self, voices: Voices) -> None:
        """Keep the models."""
        self.voices = voices

    async def act(self, scene: Scene) -> AssistantTurn:
        """Return the next assistant turn; raises `ModelOutputError` when the model cannot be brought to a valid one."""
        model = self.voices.model("assistant", scene.seed, scene.index)
        tools = [scene.tools[name] for name in scene.offered]
        tools += [scene.tools[name] for name in found_tools(scene.messages) if name not in scene.offered]
        dialogue = to_openai_messages(scene.messages)
        instructions = fill_prompt("assistant", derive_rng(scene.seed, scene.index, "assistant prompt"))
        if await self.voices.client.calls_natively(model):
            return await self._call_natively(scene, instructions, dialogue, tools)
        return await self._call_by_schema(scene, instructions, dialogue, tools)

    async def _call_natively(
        self, scene: Scene, instructions: str, dialogue: list[JSON], tools: Sequence[Tool]
    ) -> AssistantTurn:
        head = {"role": "system", "content": f"{instructions}\n\n{dialogue[0]['content']}"}
        documents = [tool.to_openai() for tool in tools]
        completion = await self.voices.ask(
            "assistant",
            scene.seed,
            scene.index,
            [head, *dialogue[1:]],
            tools=documents,
            check=lambda reply: check_reply(
                dialogue, documents, reply.text, [(call.id, call.name, call.arguments) for call in reply.calls]
            ),
        )
        calls = tuple(ToolCall(call.id, call.name, call.arguments) for call in completion.calls)
        return AssistantTurn(completion.text, calls, scene.position, leave_aside("assistant", completion))

    async def _call_by_schema(
        self, scene: Scene, instructions: str, dialogue: list[JSON], tools: Sequence[Tool]
    ) -> AssistantTurn:
        documents = [tool.to_openai() for tool in tools]
        offered = tools[: len(scene.offered)]  # those found since stand in the results; the head never changes
        listed = f"Your tools, one JSON object a line:\n{describe_tools(offered, returns=False)}"
        form = (
            "Answer with one JSON object: "
            '{"say": "words to the person, or empty", "calls": [{"name": …, "arguments": "{…}"}]}.'
        )
        head = {"role": "system", "content": "\n\n".join((instructions, str(dialogue[0]["content"]), listed, form))}
        number = len(scene.messages)

        def name_calls(draft: AssistantDraft) -> list[tuple[str, str, JSON]]:
            return [
                (f"call_{scene.index}_{number}_{place}", call.name, json.loads(call.arguments))
                for place, call in enumerate(draft.calls)
            ]

        def check(draft: AssistantDraft) -> str | None:
            try:
                calls = name_calls(draft)
            except ValueError as exc:
                return f"`arguments` is not JSON: {exc}"
            if any(not isinstance(arguments, dict) for _, _, arguments in calls):
                return "`arguments` must be a JSON object"
            return check_reply(dialogue, documents, draft.say, calls)

        completion = await self.voices.ask(
            "assistant",
            scene.seed,
            scene.index,
            [head, *plain_turns(dialogue[1:])],
            schema=AssistantDraft,
            check=check,
        )
        calls = tuple(ToolCall(*call) for call in name_calls(completion.value))
        return AssistantTurn(completion.value.say.strip(), calls, scene.position, leave_aside("assistant", completion))


def plain_turns(dialogue: Sequence[JSON]) -> list[JSON]:
    """Return a dialogue for an endpoint without tool calling: calls as the JSON that was answered, results as text."""
    turns: list[JSON] = []
    for message in dialogue:
        if message["role"] == "tool":
            turns.append({"role": "user", "content": f"[result of {message['name']}] {message['content']}"})
        elif message["role"] == "assistant":
            calls = [
                {"name": c["function"]["name"], "arguments": c["function"]["arguments"]}
                for c in message.get("tool_calls", ())
            ]
            said = {"say": message.get("content") or "", "calls": calls}
            turns.append({"role": "assistant", "content": json.dumps(said, ensure_ascii=False)})
        else:
            turns.append(message)
    return turns


def check_reply(
    dialogue: list[JSON], tools: list[JSON], text: str, calls: Sequence[tuple[str, str, JSON]]
) -> str | None:
    """Say what is wrong with a reply, None when it will do."""
    if not calls:
        return None if text.strip() else "the reply is empty: speak to the person, or call a tool"
    return check_calls(dialogue, tools, calls)


def check_calls(dialogue: list[JSON], tools: list[JSON], calls: Sequence[tuple[str, str, JSON]]) -> str | None:
    """Run the checks of calls on what the assistant is about to call; return what they find as one line, or None."""
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": identity,
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
            }
            for identity, name, arguments in calls
        ],
    }
    report = validate_dialogue([*dialogue, message], tools)
    place = len(dialogue)
    found = [f for f in report.errors if f.message_index == place and f.check in _CALL_CHECKS]
    return "; ".join(finding.message for finding in found) or None
