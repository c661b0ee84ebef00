"""Players: the scripted cast behind the test endpoint, in the parts of the four models of the LLM cast.

    players = Players(settings)
    with Endpoint(players) as endpoint:
        ...  # settings.models.base_url = endpoint.base_url
    assert players.strayed == []

When the planner is asked, the scripted plan over the listed tools is made and rehearsed to its end by the scripted
cast; without a planner, when the user of an unplanned dialogue or the writer of a whole one is. From then on every
request is answered with what comes at that point of the rehearsal, so that a request that is repeated gets the same
answer. `strayed` notes where a conversation is not the one that was rehearsed.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from endpoint import call
from toolflow_graph.agents.llm.setting import say_day
from toolflow_graph.agents.place import place_of
from toolflow_graph.agents.roles import Brief, Scene, ToolResult, derive_rng
from toolflow_graph.agents.scripted import scripted_cast
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.dialogue.briefs import count_improvised, draw_brief
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import PlanError
from toolflow_graph.prompts import BUNDLED
from toolflow_graph.settings import assign_patterns
from toolflow_graph.types import PATTERNS, DialoguePlan, PlannedRequest

JSON = dict[str, Any]

ROLES = {
    "planner": "planner",
    "user": "user",
    "user_improvised": "user",
    "assistant": "assistant",
    "tool_simulator": "tool",
    "writer": "writer",
}
_REPAIR = ("That answer cannot be used:", "Not carried out:")
_DRAFTS = 60
_THOUGHT = "Somebody wants something; one thing leads to the next."


def recognise_role(body: JSON) -> str:
    """Return whose prompt a request begins with."""
    head = body["messages"][0]["content"]
    return next(role for opening, role in _openings() if head.startswith(opening))


def _openings() -> list[tuple[str, str]]:
    return [(re.split(r"[$\n]", text)[0], role) for name, role in ROLES.items() for text in BUNDLED.variants(name)]


def without_repairs(messages: Sequence[JSON]) -> list[JSON]:
    """Return the messages up to the one that was answered badly, if one was."""
    for place, message in enumerate(messages):
        if str(message.get("content")).startswith(_REPAIR) and message["role"] in ("user", "tool"):
            return list(messages[: place - 1])
    return list(messages)


@dataclass(frozen=True)
class _Redraft(Brief):
    """A brief that leads to another plan with every draft."""

    draft: int = 0

    def rng(self, *key: object) -> Any:
        return derive_rng(self.seed, self.index, self.draft, *key) if self.draft else super().rng(*key)


@dataclass
class Rehearsal:
    """A dialogue as the scripted cast plays it; `turns` are the user's, `results` those of calls but for searches."""

    plan: DialoguePlan
    offered: list[str]
    messages: list[AnyMessage] = field(default_factory=list)
    turns: list[tuple[str | None, int, str]] = field(default_factory=list)
    results: list[tuple[str, JSON, ToolResult]] = field(default_factory=list)


class Players:
    """Answers the requests of a run of the LLM cast with these settings (their endpoint does not matter)."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.stage = load_stage(settings.model_copy(update={"cast": "scripted"}))
        self.cast = scripted_cast()
        self.rehearsals: dict[int, Rehearsal] = {}
        self.strayed: list[str] = []
        self._lock = threading.Lock()
        self._places = [self._describe_place(index) for index in range(settings.dialogues * settings.max_attempts)]
        assert len(set(self._places)) == len(self._places), "two dialogues take place at the same time and place"

    def _describe_place(self, index: int) -> tuple[str, str, str]:
        city, now = place_of(self.settings.seed, index)
        return (*say_day(now), city)

    def recognise(self, body: JSON) -> tuple[str, int]:
        """Return the role and the dialogue of a request."""
        return recognise_role(body), next(self._find_dialogues(body["messages"][0]["content"]))

    def knows(self, head: str) -> bool:
        """Say whether a prompt begins a conversation of one of these dialogues."""
        return any(True for _ in self._find_dialogues(head))

    def _find_dialogues(self, head: str) -> Iterator[int]:
        return (i for i, place in enumerate(self._places) if all(part in head for part in place))

    def __call__(self, body: JSON) -> Any:
        role, index = self.recognise(body)
        messages = without_repairs(body["messages"])
        with self._lock:
            if role == "planner":
                return {"value": self._plan(index, messages)}
            if role == "writer":
                return {"value": self._write(index, messages)}
            if index not in self.rehearsals:
                self.rehearsals[index] = self._rehearse(self._brief_unplanned(index))
            rehearsal = self.rehearsals[index]
            if role == "user":
                return {"value": self._speak(rehearsal, messages, index)}
            if role == "tool":
                return {"value": self._return(rehearsal, messages, index)}
            return self._act(rehearsal, messages, index, native="tool_choice" not in body and "tools" in body)

    def can_play(self) -> bool:
        """Rehearse all dialogues of the run; False when one cannot be planned (the endpoint would answer errors)."""
        settings = self.settings
        assigned = assign_patterns(settings.mix, settings.dialogues, settings.seed)
        try:
            for index, patterns in enumerate(assigned):
                if settings.with_plan:
                    brief = draw_brief(settings, self.stage, index, list(patterns), 0)
                else:
                    brief = self._brief_unplanned(index)
                self.rehearsals[index] = self._rehearse(brief)
        except PlanError:
            return False
        return True

    # The planner

    def _plan(self, index: int, messages: list[JSON]) -> JSON:
        listed = [json.loads(line)["name"] for line in messages[0]["content"].splitlines() if line.startswith("{")]
        due = [pattern for pattern in PATTERNS if f"- {pattern}:" in messages[1]["content"]]
        brief = draw_brief(self.settings, self.stage, index, due, 0)
        if list(brief.tools) != listed:
            self.strayed.append(f"{index}: the planner is shown {listed}, not {list(brief.tools)}")
        if index not in self.rehearsals:
            try:
                self.rehearsals[index] = self._rehearse(brief)
            except PlanError:  # this model cannot do it; the dialogue is rejected, and another one takes its place
                return {"kept": [], "left_out": [], "persona": "", "situation": "", "goal": ""}
        plan = self.rehearsals[index].plan
        used = [name for name in listed if any(name in request.tools for request in plan.requests)]
        kept = used or listed[:1]
        if len(messages) > 2:
            return {"requests": [draft_request(plan, number) for number in range(len(plan.requests))]}
        left_out = [{"tool": name, "why": "not needed"} for name in listed if name not in kept]
        scenario = plan.scenario
        told = {"persona": scenario.persona, "situation": scenario.situation, "goal": scenario.goal}
        return {"kept": kept, "left_out": left_out, **told}

    def _rehearse(self, brief: Brief) -> Rehearsal:
        plan = self._find_plan(brief)
        rehearsal = Rehearsal(plan, [*brief.tools, *brief.distractors], [SystemMessage("")])
        scene = Scene(
            index=brief.index,
            seed=brief.seed,
            plan=plan,
            messages=rehearsal.messages,
            tools=self.stage.tools,
            offered=rehearsal.offered,
            domains=brief.domains,
            find_tools=self.stage.find_tools,
        )
        while (spoken := self._rehearse_user(rehearsal, scene)) is not None:
            scene = self._rehearse_answer(rehearsal, spoken)
        return rehearsal

    def _find_plan(self, brief: Brief) -> DialoguePlan:
        for draft in range(_DRAFTS):
            try:
                planning = finish(self.cast.planner.plan(_Redraft(**vars(brief), draft=draft)))
            except PlanError as exc:
                trouble = exc
                continue
            return planning.plan
        raise PlanError(f"dialogue {brief.index}: {sorted(brief.patterns)} over {list(brief.tools)}: {trouble}")

    def _rehearse_user(self, rehearsal: Rehearsal, scene: Scene) -> Scene | None:
        heard = rehearsal.messages[-1].text
        turn = finish(self.cast.user.speak(scene))
        rehearsal.turns.append((turn.text, turn.request, heard))
        if turn.text is None:
            return None
        rehearsal.messages.append(HumanMessage(turn.text))
        return replace(scene, request=turn.request, position=turn.position)

    def _rehearse_answer(self, rehearsal: Rehearsal, scene: Scene) -> Scene:
        """Let the assistant call and speak, until it has only spoken."""
        while True:
            turn = finish(self.cast.assistant.act(scene))
            calls = [{"id": c.id, "name": c.name, "args": c.arguments, "type": "tool_call"} for c in turn.calls]
            rehearsal.messages.append(AIMessage(turn.text, tool_calls=calls))
            scene = replace(scene, position=turn.position)
            before = list(rehearsal.messages)
            for made in turn.calls:
                result = finish(self.cast.tool_simulator.run(replace(scene, messages=before), made))
                scene = replace(scene, world=result.world)
                status = "error" if result.failed else "success"
                content = json.dumps(result.content, ensure_ascii=False)
                message = ToolMessage(content, tool_call_id=made.id, name=made.name, status=status)
                rehearsal.messages.append(message)
                if made.name != SEARCH_TOOLS.name:
                    rehearsal.results.append((made.name, made.arguments, result))
            if not turn.calls:
                return scene

    # Without a plan

    def _brief_unplanned(self, index: int) -> Brief:
        count = count_improvised(self.settings, index)
        return replace(draw_brief(self.settings, self.stage, index, [], 0), requests=(count, count))

    def _write(self, index: int, messages: list[JSON]) -> JSON:
        listed = [json.loads(line)["name"] for line in messages[0]["content"].splitlines() if line.startswith('{"name')]
        due = [pattern for pattern in PATTERNS if f"- {pattern}:" in messages[1]["content"]]
        brief = draw_brief(self.settings, self.stage, index, due, 0)
        search = [SEARCH_TOOLS.name] if "search_tools" in due else []
        if listed != [*brief.tools, *search, *brief.distractors]:
            self.strayed.append(f"{index}: the writer is shown {listed}")
        if index not in self.rehearsals:
            self.rehearsals[index] = self._rehearse(brief)
        drafted = {"requests": draft_requests(self.rehearsals[index])}
        return {"reasoning": _THOUGHT, **drafted} if '"reasoning"' in messages[1]["content"] else drafted

    # The others

    def _speak(self, rehearsal: Rehearsal, messages: list[JSON], index: int) -> JSON:
        number = sum(message["role"] == "assistant" for message in messages)
        if number >= len(rehearsal.turns):
            self.strayed.append(f"{index}: the user is asked for turn {number} of {len(rehearsal.turns)}")
            return {"settled": True, "ends": True, "text": ""}
        text, request, heard = rehearsal.turns[number]
        if number and not str(messages[-1]["content"]).startswith(heard):
            self.strayed.append(f"{index}: the user hears {messages[-1]['content']!r}, not {heard!r}")
        before = rehearsal.turns[number - 1][1] if number else 0
        last = rehearsal.plan.outline["acts"][-1]["request"]
        at_end = number == len(rehearsal.turns) - 2 and request == before == last and number > 0
        ends = text is None or (at_end and self._closes(rehearsal, number))
        return {"settled": number > 0 and (ends or request > before), "ends": ends, "text": text or ""}

    @staticmethod
    def _closes(rehearsal: Rehearsal, number: int) -> bool:
        """Say whether a turn of the user is the word of thanks at the end: it asks for nothing, nothing is done."""
        acts = rehearsal.plan.outline["acts"]
        place = [place for place, act in enumerate(acts) if act["by"] == "user"][number]
        return place == len(acts) - 2 and all(part["kind"] == "text" for act in acts[place:] for part in act["parts"])

    def _return(self, rehearsal: Rehearsal, messages: list[JSON], index: int) -> JSON:
        number = sum(message["role"] == "assistant" for message in messages)
        asked, _ = json.JSONDecoder().raw_decode(messages[-1]["content"])
        name, arguments, result = rehearsal.results[number]
        if asked != {"call": name, "arguments": arguments}:
            self.strayed.append(f"{index}: the tools are asked for {asked}, not {name} {arguments}")
        if result.failed:
            return {"failed": True, "error": result.content["error"], "result": None}
        return {"failed": False, "error": None, "result": result.content}

    def _act(self, rehearsal: Rehearsal, messages: list[JSON], index: int, *, native: bool) -> JSON:
        place = len(messages)
        reply = rehearsal.messages[place] if place < len(rehearsal.messages) else AIMessage("All right.")
        if not isinstance(reply, AIMessage):
            self.strayed.append(f"{index}: the assistant is asked for message {place}, a {reply.type} message")
            return {"content": "Sorry, I have lost the thread."}
        if native:
            calls = [call(c["name"], c["args"], c["id"]) for c in reply.tool_calls]
            return {"content": reply.text or None, **({"tool_calls": calls} if calls else {})}
        calls = [{"name": c["name"], "arguments": json.dumps(c["args"], ensure_ascii=False)} for c in reply.tool_calls]
        return {"value": {"say": reply.text, "calls": calls}}


class OrderedPlayers(Players):
    """Players that go by the order of the requests of each role, so that they need not be shown the whole conversation.

    Nothing may be asked twice; every request still has to end with what was said last in the rehearsal.
    """

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.counts: Counter[tuple[str, int]] = Counter()

    def __call__(self, body: JSON) -> Any:
        role, index = self.recognise(body)
        if role == "planner":
            return super().__call__(body)
        with self._lock:
            number = self.counts[role, index]
            self.counts[role, index] += 1
            rehearsal = self.rehearsals[index]
            latest = body["messages"][-1]
            before: list[JSON] = [{"role": "assistant"}] * number
            if role == "user":
                return {"value": self._speak(rehearsal, [*before, latest], index)}
            if role == "tool":
                return {"value": self._return(rehearsal, [*before, latest], index)}
            places = [place for place, m in enumerate(rehearsal.messages) if isinstance(m, AIMessage)]
            heard = rehearsal.messages[places[number] - 1].text
            if not str(latest["content"]).startswith(heard):
                self.strayed.append(f"{index}: the assistant hears {latest['content']!r}, not {heard!r}")
            return self._act(rehearsal, [{}] * places[number], index, native="tools" in body)


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine that waits for nothing returns; the endpoint's loop is running already."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the scripted cast waits for something")


def draft_request(plan: DialoguePlan, number: int) -> JSON:
    """Return a planned request as a model would have drafted it."""
    request = plan.requests[number]
    tools = list(request.tools)
    if "parallel" in request.patterns and len(tools) == 1:
        tools *= 2
    return {
        "intent": request.intent,
        "patterns": list(request.patterns),
        "tools": tools,
        "depends_on": list(request.depends_on),
        "known": [{"what": say_name(name), "value": str(value)} for name, value in known_values(request)],
        "withheld": [say_name(name) for name in asked_for(plan, number)],
    }


def draft_requests(rehearsal: Rehearsal) -> list[JSON]:
    """Return a rehearsed dialogue as a model would have written it."""
    drafts: list[JSON] = [{"patterns": list(r.patterns), "messages": []} for r in rehearsal.plan.requests]
    requests = iter([request for _, request, _ in rehearsal.turns])
    for message in rehearsal.messages[1:]:
        if isinstance(message, HumanMessage):
            lines = drafts[next(requests)]["messages"]
            lines.append({"role": "user", "text": message.text})
        elif isinstance(message, ToolMessage):
            lines.append({"role": "tool", "call": message.tool_call_id, "result": json.loads(message.text)})
        else:
            calls = [{"id": c["id"], "name": c["name"], "arguments": c["args"]} for c in message.tool_calls]
            lines.append({"role": "assistant", "text": message.text, "calls": calls})
    return drafts


def say_name(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")


def known_values(request: PlannedRequest) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in request.known.items() if value is not None]


def asked_for(plan: DialoguePlan, number: int) -> list[str]:
    """Return the parameters for which the assistant has to ask in a request."""
    acts = [act for act in plan.outline["acts"] if act["request"] == number and act["by"] == "assistant"]
    return [part["parameter"] for act in acts for part in act.get("parts", ()) if part["kind"] == "ask"]
