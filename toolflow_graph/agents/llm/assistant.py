"""The assistant as a chat model with tools; a call that breaks a schema or comes from nowhere is sent back."""

import json
from collections.abc import Sequence

from toolflow_graph.agents.llm.drafts import AssistantDraft
from toolflow_graph.agents.llm.facts import dialogue_facts
from toolflow_graph.agents.llm.recall import Recall, add_notes, write_facts, write_note
from toolflow_graph.agents.llm.setting import Voices, describe_tools, leave_aside
from toolflow_graph.agents.openai_format import to_openai_messages
from toolflow_graph.agents.roles import AssistantTurn, Scene, ToolCall, derive_rng
from toolflow_graph.agents.search_tools import found_tools
from toolflow_graph.types import JSON, Tool
from toolflow_graph.validation import validate_dialogue
from toolflow_graph.validation.texts import stops_short

__all__ = ["LLMAssistant", "check_calls"]

_DOCUMENTS = 4
_CALL_CHECKS = frozenset({"arguments", "known_tool", "provenance", "repeated_call"})


class LLMAssistant:
    """Answers, asks or calls; sees the dialogue, behind its instructions, and of a long one what `Recall` says."""

    def __init__(self, voices: Voices, recall: Recall) -> None:
        """Keep the models, and what finds the facts of a long dialogue."""
        self.voices = voices
        self.recall = recall

    async def act(self, scene: Scene) -> AssistantTurn:
        """Return the next assistant turn; raises `ModelOutputError` when the model cannot be brought to a valid one."""
        model = self.voices.model("assistant", scene.seed, scene.index)
        tools = [scene.tools[name] for name in scene.offered]
        tools += [scene.tools[name] for name in found_tools(scene.messages) if name not in scene.offered]
        dialogue = to_openai_messages(scene.messages)
        instructions = self.voices.prompts.fill("assistant", derive_rng(scene.seed, scene.index, "assistant prompt"))
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
            [head, *await self._look_back(scene, dialogue)],
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
            [head, *plain_turns(await self._look_back(scene, dialogue, offered))],
            schema=AssistantDraft,
            check=check,
        )
        calls = tuple(ToolCall(*call) for call in name_calls(completion.value))
        return AssistantTurn(completion.value.say.strip(), calls, scene.position, leave_aside("assistant", completion))

    async def _look_back(self, scene: Scene, dialogue: list[JSON], listed: Sequence[Tool] | None = None) -> list[JSON]:
        """Return what the model is shown of the dialogue.

        All that follows the last user message is shown, and what is recalled depends on nothing of it: so the
        conversation only grows while the user waits. Where tools are `listed` in the head, the documents of others
        that were found are recalled when their search is cut off.
        """
        last = max((place for place, message in enumerate(dialogue) if message["role"] == "user"), default=0)
        view = self.recall.look_back(dialogue[1 : last + 1])
        if not view.past and not view.cut:
            return dialogue[1:]
        queries = _find_queries(view.shown)
        facts = await self.recall.find_facts(dialogue_facts(view.past), queries)
        notes = [write_facts(self.voices.prompts, "assistant", facts)]
        if listed is not None and view.cut:
            lost = set(found_tools(scene.messages[: view.cut + 1])) - {tool.name for tool in listed}
            lost -= set(found_tools(scene.messages[view.cut + 1 :]))
            documents = [describe_tools([scene.tools[name]], returns=False) for name in sorted(lost)]
            documents = await self.recall.find_texts(documents, queries, _DOCUMENTS)
            notes.append(write_note(self.voices.prompts, "documents", documents) if documents else "")
        return [*view.shown[:-1], *(add_notes(said, *notes) for said in view.shown[-1:]), *dialogue[last + 1 :]]


def _find_queries(shown: Sequence[JSON]) -> list[str]:
    """Return what the last user message asks for; an answer is asked about with its question."""
    said = [str(message["content"]) for message in shown[-2:] if message["content"]]
    asked = len(said) == 2 and "?" in said[0]
    return [said[-1], " ".join(said)] if asked else said[-1:]


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
        if stops_short(text):
            return "the text stops in the middle of a sentence: say it again, whole and in fewer words"
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
    told = [finding.message for finding in found]
    if any(finding.check == "provenance" for finding in found):
        told.append("what you do not know, ask the person for")
    return "; ".join(told) or None
