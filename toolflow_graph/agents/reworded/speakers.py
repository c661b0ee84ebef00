"""User and assistant whose scripted lines a model rewords; what they do stays as it was scripted."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import replace

from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel, ConfigDict, Field

from toolflow_graph.agents.llm import Voices
from toolflow_graph.agents.llm.setting import say_day
from toolflow_graph.agents.reworded.check import check_rewording, list_values
from toolflow_graph.agents.reworded.line import Speaker, read_line
from toolflow_graph.agents.reworded.meaning import find_change_of_meaning
from toolflow_graph.agents.reworded.trial import find_new_faults
from toolflow_graph.agents.roles import Aside, Assistant, AssistantTurn, Scene, User, UserTurn, derive_rng
from toolflow_graph.errors import ModelOutputError
from toolflow_graph.models.answers import Attempt, Usage
from toolflow_graph.prompts import Prompts
from toolflow_graph.types import JSON

__all__ = ["RewordDraft", "RewordedAssistant", "RewordedUser"]


class RewordDraft(BaseModel):
    """The line in other words."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="The line in other words")


class RewordedUser:
    """A user who does what another user does, in the words of a model."""

    def __init__(self, user: User, voices: Voices) -> None:
        """Keep the user whose lines are reworded, and the models."""
        self.user = user
        self.voices = voices

    async def speak(self, scene: Scene) -> UserTurn:
        """Return the next user turn; raises when the endpoint cannot be used, not when the answers are bad."""
        turn = await self.user.speak(scene)
        if not turn.text:
            return turn
        words, aside = await reword(self.voices, scene, "user", turn.request, turn.text)
        return replace(turn, text=words, aside=aside)


class RewordedAssistant:
    """An assistant that does what another assistant does, in the words of a model."""

    def __init__(self, assistant: Assistant, voices: Voices) -> None:
        """Keep the assistant whose lines are reworded, and the models."""
        self.assistant = assistant
        self.voices = voices

    async def act(self, scene: Scene) -> AssistantTurn:
        """Return the next assistant turn; raises when the endpoint cannot be used, not when the answers are bad."""
        turn = await self.assistant.act(scene)
        if not turn.text:
            return turn
        words, aside = await reword(self.voices, scene, "assistant", scene.request, turn.text)
        return replace(turn, text=words, aside=aside)


async def reword(voices: Voices, scene: Scene, speaker: Speaker, request: int, text: str) -> tuple[str, Aside]:
    """Return a line in other words, or as it is when no answer holds, and what the asking leaves.

    Each speaker has a conversation of its own with the model, in which every line stands as it was said in the end.
    """
    line = read_line(scene, speaker, text)
    asked = {"role": "user", "content": _ask(scene, speaker, text, list_values(line))}

    async def check(draft: RewordDraft) -> str | None:
        words = end_alike(draft.text, text)
        problem = check_rewording(line, words) or find_new_faults(scene, speaker, request, text, words)
        # in a thread: the first use loads the encoder for seconds, which would hold up every request in flight
        return problem or await asyncio.to_thread(find_change_of_meaning, text, words)

    messages = [_head(voices.prompts, scene, speaker), *scene.memory.get(speaker, ()), asked]
    attempts: Sequence[Attempt]
    try:
        completion = await voices.ask("reword", scene.seed, scene.index, messages, schema=RewordDraft, check=check)
    except ModelOutputError as exc:
        words, attempts = text, exc.attempts
    else:
        words, attempts = end_alike(completion.value.text, text), completion.attempts
    said = {"role": "assistant", "content": json.dumps({"text": words}, ensure_ascii=False)}
    return words, _leave_aside(attempts, (asked, said), reworded=words != text)


def _leave_aside(attempts: Sequence[Attempt], memory: tuple[JSON, ...], *, reworded: bool) -> Aside:
    """Return what the asking leaves: `reworded` in the usage tells whether the line is the model's or the script's."""
    usage = sum((attempt.usage for attempt in attempts), Usage())
    spent = {"agent": "reword", **usage.model_dump(mode="json"), "reworded": reworded}
    refused = [attempt for attempt in attempts if attempt.problem is not None]
    return Aside(memory, (spent,), tuple({"agent": "reword", **attempt.model_dump(mode="json")} for attempt in refused))


_MARK = re.compile(r"[.?!…]+$")


def end_alike(words: str, line: str) -> str:
    """Return words with a closing mark if the line has one, and without a full stop if it has none."""
    words = words.strip()
    if not _MARK.search(line):
        return words.removesuffix(".") if line[-1:].isalnum() else words
    return words if not words[-1:].isalnum() else words + ("." if line.endswith("…") else line[-1])


def _head(prompts: Prompts, scene: Scene, speaker: Speaker) -> JSON:
    date, time = say_day(scene.now)
    text = prompts.fill(
        "reword",
        derive_rng(scene.seed, scene.index, "reword prompt", speaker),
        speaker=speaker,
        manner=prompts.sections("reword_manners")[speaker],
        persona=scene.plan.scenario.persona,
        date=date,
        time=time,
        city=scene.plan.scenario.city,
    )
    return {"role": "system", "content": text}


def _ask(scene: Scene, speaker: Speaker, text: str, values: Sequence[str]) -> str:
    """Return what is asked of one line: what the other has just said, the line, and what it must keep."""
    other = AIMessage if speaker == "user" else HumanMessage
    heard = next((m.text for m in reversed(scene.messages) if isinstance(m, other) and m.text), "")
    lines = [f"Heard: {heard}"] if heard else []
    lines.append(f"Line: {text}")
    if values:
        lines.append(f"Keep: {' | '.join(values)}")
    return "\n".join(lines)
