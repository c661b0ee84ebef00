"""The user as a chat model: judges whether the current request is settled, then speaks as the persona."""

from langchain_core.messages import AIMessage

from toolflow_graph.agents.llm.drafts import UserDraft
from toolflow_graph.agents.llm.setting import Voices, leave_aside, say_day
from toolflow_graph.agents.roles import Aside, Scene, UserTurn, derive_rng
from toolflow_graph.prompts import fill_prompt
from toolflow_graph.types import JSON, PlannedRequest

__all__ = ["LLMUser"]

_START = "(The chat is open. Write your first message.)"


class LLMUser:
    """Plays the persona; its conversation holds what it wrote and what the assistant answered, never tool results."""

    def __init__(self, voices: Voices) -> None:
        """Keep the models."""
        self.voices = voices

    async def speak(self, scene: Scene) -> UserTurn:
        """Return the next user turn; raises `ModelOutputError` when the model cannot be brought to write one."""
        if scene.position > 0:  # the last word was said
            return UserTurn(None, scene.request, scene.position)
        heard: JSON = {"role": "user", "content": _last_words(scene)}
        messages = [self._head(scene), *scene.memory.get("user", ()), heard]
        completion = await self.voices.ask(
            "user",
            scene.seed,
            scene.index,
            messages,
            schema=UserDraft,
            check=lambda draft: check_turn(draft, scene),
        )
        draft: UserDraft = completion.value
        aside = leave_aside("user", completion, (heard, {"role": "assistant", "content": draft.model_dump_json()}))
        request = scene.request + (1 if draft.settled and _has_spoken(scene) else 0)
        if draft.ends or request >= len(scene.plan.requests):
            return self._leave(draft, scene, aside)
        return UserTurn(draft.text.strip(), request, aside=aside)

    def _leave(self, draft: UserDraft, scene: Scene, aside: Aside) -> UserTurn:
        """Say a last word, if there is one; the assistant answers it, and that is the end."""
        return UserTurn(draft.text.strip() or None, len(scene.plan.requests) - 1, position=1, aside=aside)

    def _head(self, scene: Scene) -> JSON:
        plan = scene.plan
        date, time = say_day(scene.now)
        text = fill_prompt(
            "user",
            derive_rng(scene.seed, scene.index, "user prompt"),
            persona=plan.scenario.persona,
            situation=plan.scenario.situation,
            goal=plan.scenario.goal,
            date=date,
            time=time,
            city=plan.scenario.city,
            requests="\n".join(f"{number}. {describe(r)}" for number, r in enumerate(plan.requests, 1)),
        )
        return {"role": "system", "content": text}


def describe(request: PlannedRequest) -> str:
    """Return a planned request as the user is told of it: without tools and pattern names."""
    parts = [request.intent]
    if request.known:
        parts.append("You know: " + "; ".join(f"{what}: {value}" for what, value in request.known.items()) + ".")
    if request.withheld:
        parts.append(f"Leave out at first, and say only when asked: {', '.join(request.withheld)}.")
    if "correction" in request.patterns:
        parts.append("After you have the result, you notice that one of your values was wrong, and correct it.")
    if "chitchat" in request.patterns or "irrelevant" in request.patterns:
        parts.append("(Only a remark or question by the way; one exchange settles it.)")
    if "missing_function" in request.patterns:
        parts.append("(If the assistant says that it cannot do this, that settles it.)")
    if "parallel" in request.patterns:
        parts.append("(Ask for all of this in one message.)")
    return " ".join(parts)


def check_turn(draft: UserDraft, scene: Scene) -> str | None:
    """Say what is wrong with a turn, None when it will do."""
    last = scene.request >= len(scene.plan.requests) - 1
    if not draft.text.strip() and not (draft.ends or (draft.settled and last)):
        return "`text` is empty, but the conversation goes on: write what the person types"
    if draft.ends and not (draft.settled and last):
        left = len(scene.plan.requests) - 1 - scene.request
        return (
            f"it is too early to end: {left} of your things have not been brought up"
            if left > 0
            else ("`ends` is true but `settled` is false: the thing you are on must be settled first")
        )
    return None


def _has_spoken(scene: Scene) -> bool:
    return bool(scene.memory.get("user"))


def _last_words(scene: Scene) -> str:
    last = scene.messages[-1] if scene.messages else None
    return last.text if isinstance(last, AIMessage) and last.text else _START
