"""The user as a chat model: judges whether the current request is settled, then speaks as the persona of the plan.

Where there is no plan, the user makes up what they want from what the drawn tools can do.
"""

from langchain_core.messages import AIMessage

from toolflow_graph.agents.llm.drafts import UserDraft
from toolflow_graph.agents.llm.facts import user_facts
from toolflow_graph.agents.llm.recall import Recall, add_notes, write_facts, write_note
from toolflow_graph.agents.llm.setting import Voices, leave_aside, say_day
from toolflow_graph.agents.roles import Aside, Scene, UserTurn, derive_rng
from toolflow_graph.types import JSON, PlannedRequest, Tool

__all__ = ["LLMUser"]

_START = "(The chat is open. Write your first message.)"


class LLMUser:
    """Plays the persona; its conversation holds what it wrote and what the assistant answered, never tool results."""

    def __init__(self, voices: Voices, recall: Recall) -> None:
        """Keep the models, and what finds the facts of a long dialogue."""
        self.voices = voices
        self.recall = recall

    async def speak(self, scene: Scene) -> UserTurn:
        """Return the next user turn; raises `ModelOutputError` when the model cannot be brought to write one."""
        if scene.position > 0:  # the last word was said
            return UserTurn(None, scene.request, scene.position)
        heard: JSON = {"role": "user", "content": _last_words(scene)}
        messages = [self._head(scene), *await self._look_back(scene, heard)]
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
        if draft.ends or request >= scene.request_count:
            return self._leave(draft, scene, aside)
        return UserTurn(draft.text.strip(), request, aside=aside)

    def _leave(self, draft: UserDraft, scene: Scene, aside: Aside) -> UserTurn:
        """Say a last word, if there is one; the assistant answers it, and that is the end."""
        return UserTurn(draft.text.strip() or None, scene.request_count - 1, position=1, aside=aside)

    async def _look_back(self, scene: Scene, heard: JSON) -> list[JSON]:
        """Return what the model is shown of the user's conversation."""
        view = self.recall.look_back([*scene.memory.get("user", ()), heard])
        due = [describe(request) for request in scene.plan.requests[scene.request : scene.request + 2]]
        facts = await self.recall.find_facts(user_facts(view.past), [heard["content"], *due])
        place = (
            write_note(self.voices.prompts, "place", number=scene.request + 1, count=scene.request_count)
            if view.cut
            else ""
        )
        return [*view.shown[:-1], add_notes(heard, place, write_facts(self.voices.prompts, "user", facts))]

    def _head(self, scene: Scene) -> JSON:
        plan = scene.plan
        date, time = say_day(scene.now)
        rng = derive_rng(scene.seed, scene.index, "user prompt")
        if not plan.requests:
            abilities = "\n".join(describe_ability(scene.tools[name]) for name in scene.drawn)
            values = {"date": date, "time": time, "city": plan.scenario.city, "count": str(scene.improvised)}
            return {
                "role": "system",
                "content": self.voices.prompts.fill("user_improvised", rng, abilities=abilities, **values),
            }
        text = self.voices.prompts.fill(
            "user",
            rng,
            persona=plan.scenario.persona,
            situation=plan.scenario.situation,
            goal=plan.scenario.goal,
            date=date,
            time=time,
            city=plan.scenario.city,
            requests="\n".join(f"{number}. {describe(r)}" for number, r in enumerate(plan.requests, 1)),
        )
        return {"role": "system", "content": text}


def describe_ability(tool: Tool) -> str:
    """Return what a tool is good for as somebody is told who knows nothing of tools: without any of its names."""
    properties = tool.parameters.get("properties", {})
    asked = [str(properties[name].get("description", "")) for name in tool.required if name in properties]
    needs = "; ".join(filter(None, asked))
    return f"- {tool.description}" + (f" ({needs})" if needs else "")


def describe(request: PlannedRequest) -> str:
    """Return a planned request as the user is told of it: without tools and pattern names."""
    parts = [request.intent]
    if request.known:
        known = "; ".join(f"{what}: {value}" for what, value in request.known.items())
        parts.append(f"You know: {known.removesuffix('.')}.")
    if request.withheld:
        parts.append(f"Leave out at first, and say only when asked: {', '.join(request.withheld)}.")
    if "correction" in request.patterns:
        parts.append(
            "Once you have the result, change one of the values you gave (you misspoke, or plans changed), and say the "
            "new one. If the assistant has put that one right by itself, take another that can still sensibly change."
        )
    if "chitchat" in request.patterns or "irrelevant" in request.patterns:
        parts.append("(Only a remark or question by the way; one exchange settles it.)")
    if "missing_function" in request.patterns:
        parts.append("(If the assistant says that it cannot do this, that settles it.)")
    if "parallel" in request.patterns:
        parts.append("(Ask for all of this in one message, in no particular order.)")
    return " ".join(parts)


def check_turn(draft: UserDraft, scene: Scene) -> str | None:
    """Say what is wrong with a turn, None when it will do."""
    last = scene.request >= scene.request_count - 1
    if not draft.text.strip() and not (draft.ends or (draft.settled and last)):
        return "`text` is empty, but the conversation goes on: write what the person types"
    if draft.ends and not (draft.settled and last):
        left = scene.request_count - 1 - scene.request
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
