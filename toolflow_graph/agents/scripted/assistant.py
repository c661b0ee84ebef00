"""The scripted assistant: calls what the agenda holds, asks for what was left out, and says what really came back."""

from langchain_core.messages import AIMessage

from toolflow_graph.agents.roles import AssistantTurn, Scene, ToolCall
from toolflow_graph.agents.scripted.agenda import Agenda
from toolflow_graph.agents.scripted.phrasing import Wording
from toolflow_graph.agents.scripted.speech import ask_bank
from toolflow_graph.agents.scripted.text import join_sentences, tidy
from toolflow_graph.types import JSON
from toolflow_graph.values import kind_of

__all__ = ["ScriptedAssistant"]


class ScriptedAssistant:
    """Plays the assistant acts of the agenda, with the arguments that user and results have given."""

    async def act(self, scene: Scene) -> AssistantTurn:
        """Return the next assistant turn."""
        agenda = Agenda(scene)
        act = agenda.due("assistant")
        if act is None:
            return AssistantTurn("I have nothing to add to that.", position=scene.position)
        if "calls" in act:
            calls = [ToolCall(agenda.id_of(n), agenda.calls[n]["tool"], agenda.arguments(n)) for n in act["calls"]]
            return AssistantTurn(calls=tuple(calls), position=scene.position + 1)
        parts = act["parts"]
        spoken = {message.text for message in scene.messages if isinstance(message, AIMessage)}
        words = ""
        for attempt in range(_ATTEMPTS):
            voice = _Voice(scene, agenda, attempt)
            words = join_sentences([voice.say(part, more=part is not parts[-1]) for part in parts])
            if words not in spoken:
                break
        return AssistantTurn(words, position=scene.position + 1)


_ATTEMPTS = 6
"""Tries at not saying the same as before in the same words."""


class _Voice:
    """Puts one part into words."""

    def __init__(self, scene: Scene, agenda: Agenda, attempt: int) -> None:
        self.agenda = agenda
        self.rng = scene.rng("assistant", attempt)
        self.used: set[str] = set()
        self.more = False

    def say(self, part: JSON, *, more: bool) -> str:
        self.more = more
        if part["kind"] == "text":
            return str(part["text"])
        words: str = getattr(self, f"_{part['kind']}")(part, int(part["call"]))
        return words

    def _wording(self, call: int) -> Wording:
        return self.agenda.wording(call, self.rng)

    def _ask(self, part: JSON, call: int) -> str:
        name = str(part["parameter"])
        arguments = {k: v for k, v in self.agenda.arguments(call).items() if k != name}
        words = self._wording(call).about_call(part["frame"], arguments) if part["frame"] else None
        if words is None:
            schema = self.agenda.tool(call).parameters["properties"][name]
            words = tidy(ask_bank(kind_of(name, schema), self.rng).replace("{name}", name.replace("_", " ")))
        return words

    def _answer(self, part: JSON, call: int) -> str:  # noqa: ARG002 - the parts share one signature
        tool = self.agenda.tool(call)
        result = self.agenda.result(call)
        frames = [f for f in (tool.phrasings.answers if tool.phrasings is not None else ()) if f not in self.used]
        if result is None:
            return "That call brought no result."
        told = self._wording(call).answer(frames, result, self.agenda.arguments(call), self.used, more=self.more)
        return told or "That's done."

    def _error(self, part: JSON, call: int) -> str:
        return self._wording(call).about_call(part["frame"], self.agenda.arguments(call)) or str(part["frame"])

    def _decline(self, part: JSON, call: int) -> str:  # noqa: ARG002 - the parts share one signature
        return tidy(str(part["frame"]))
