"""Whether a line in its place gives the checks of dialogues anything to complain about."""

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.messages.tool import tool_call

from toolflow_graph.agents.openai_format import label_turns, to_openai_messages
from toolflow_graph.agents.reworded.line import Speaker
from toolflow_graph.agents.roles import Scene
from toolflow_graph.agents.scripted.agenda import Agenda
from toolflow_graph.validation import validate_dialogue

__all__ = ["find_new_faults"]


def find_new_faults(scene: Scene, speaker: Speaker, request: int, line: str, text: str) -> str | None:
    """Say what the checks find in a rewording and not in the line, None when there is nothing.

    After a user's line all planned calls are tried whose values are known, since they may have theirs from it.
    """
    if text == line:
        return None
    new = _find_faults(scene, speaker, request, text)
    return "; ".join(sorted(new - _find_faults(scene, speaker, request, line))) or None if new else None


def _find_faults(scene: Scene, speaker: Speaker, request: int, text: str) -> set[str]:
    place = len(scene.messages)
    said: AnyMessage = HumanMessage(text) if speaker == "user" else AIMessage(text)
    said.additional_kwargs["request"] = request
    messages = [*scene.messages, said]
    if speaker == "user":
        messages.append(_call_ahead(scene))
    report = validate_dialogue(
        to_openai_messages(messages),
        [scene.tools[name].to_openai() for name in scene.offered],
        labels=label_turns(messages, scene.plan),
        now=scene.plan.scenario.now,
    )
    return {f.message for f in report.errors if f.message_index is not None and f.message_index >= place}


def _call_ahead(scene: Scene) -> AIMessage:
    """Return the planned calls that were not made yet, with the arguments that are known by now."""
    agenda = Agenda(scene)
    made = {call["id"] for message in scene.messages if isinstance(message, AIMessage) for call in message.tool_calls}
    calls = []
    for number, planned in enumerate(agenda.calls):
        known = {name: value for name, value in agenda.arguments(number).items() if value is not None}
        if agenda.id_of(number) not in made:
            calls.append(tool_call(id=agenda.id_of(number), name=str(planned["tool"]), args=known))
    return AIMessage("", tool_calls=calls)
