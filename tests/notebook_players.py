"""The models of the notebooks: players for one run after another, as a notebook makes them, and for its exam.

    answer = NotebookPlayers([lambda: {"seed": 6, ...}, lambda: {"seed": 7, ...}])
    with Endpoint(answer) as endpoint: ...

The settings of a run are given by functions, called when its first request comes: then the notebook has written its
catalog. Runs are told apart by time and place of their dialogues, so each needs a seed of its own.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage, convert_to_messages

from endpoint import call
from players import Players, Rehearsal, finish, recognise_role
from toolflow_graph.agents.roles import Scene
from toolflow_graph.errors import PlanError
from toolflow_graph.settings import parse_settings

JSON = dict[str, Any]


class NotebookPlayers:
    """Answers the requests of runs that come one after another; `strayed` gathers those of all runs."""

    def __init__(self, runs: Sequence[Callable[[], JSON]]) -> None:
        self._waiting = list(runs)
        self._players: Players | None = None
        self._lock = threading.Lock()
        self.played: list[Players] = []

    @property
    def left(self) -> int:
        """Runs that nobody has asked for."""
        return len(self._waiting)

    def __call__(self, body: JSON) -> Any:
        """Answer as the players of the run that is under way."""
        with self._lock:
            players = self._find_players(body)
        try:
            return players(body)
        except PlanError:  # this model has no idea what to say; the dialogue is rejected, and another takes its place
            speechless = {"settled": False, "ends": True, "text": ""}
            return {"value": speechless if recognise_role(body) == "user" else {"requests": []}}

    def _find_players(self, body: JSON) -> Players:
        if self._players is None or not self._players.knows(body["messages"][0]["content"]):
            self._players = self._begin()
        return self._players

    def _begin(self) -> Players:
        given = self._waiting.pop(0)()
        kind = ExecutingPlayers if given.get("execute") else Players
        self.played.append(kind(parse_settings({"cast": "llm", **given})))
        return self.played[-1]


class ExecutingPlayers(Players):
    """Players whose tools are real: user and assistant go by what really came back, not by the rehearsal."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self._seen: dict[int, list[AnyMessage]] = {}

    def _act(self, rehearsal: Rehearsal, messages: list[JSON], index: int, *, native: bool) -> JSON:
        assert native, "written for endpoints that call tools"
        seen = [_mark(message) for message in convert_to_messages(messages)]
        turn = finish(self.cast.assistant.act(self._scene(rehearsal, seen, index)))
        calls = [{"id": c.id, "name": c.name, "args": c.arguments, "type": "tool_call"} for c in turn.calls]
        self._seen[index] = [*seen, AIMessage(turn.text, tool_calls=calls)]
        made = [call(c["name"], c["args"], c["id"]) for c in calls]
        return {"content": turn.text or None, **({"tool_calls": made} if made else {})}

    def _speak(self, rehearsal: Rehearsal, messages: list[JSON], index: int) -> JSON:
        said = super()._speak(rehearsal, messages, index)
        if said["text"] and index in self._seen:
            said["text"] = finish(self.cast.user.speak(self._scene(rehearsal, self._seen[index], index))).text or ""
        return said

    def _scene(self, rehearsal: Rehearsal, messages: list[AnyMessage], index: int) -> Scene:
        position = sum(isinstance(message, HumanMessage | AIMessage) for message in messages)
        acts = rehearsal.plan.outline["acts"]
        return Scene(
            index=index,
            seed=self.settings.seed,
            plan=rehearsal.plan,
            messages=messages,
            tools=self.stage.tools,
            offered=rehearsal.offered,
            domains=self.stage.catalog.domains,
            request=acts[min(position, len(acts) - 1)]["request"],
            position=position,
        )


def _mark(message: AnyMessage) -> AnyMessage:
    """Mark a result that tells of an error as one: in OpenAI's form nothing else says so."""
    failed = isinstance(message, ToolMessage) and message.text.startswith('{"error"')
    return message.model_copy(update={"status": "error"}) if failed else message
