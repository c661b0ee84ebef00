"""Plays one dialogue on the state machine: from the start, or on from where it was stopped."""

import errno
import re
import sqlite3
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from langgraph.errors import GraphDrained
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import RunControl

from toolflow_graph.dataset import dialogue_id, record_of
from toolflow_graph.dialogue.graph import step_limit
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.dialogue.state import DialogueInput, DialogueState
from toolflow_graph.errors import ContextLengthError, ModelOutputError, PlanError, RequestError, ToolflowError
from toolflow_graph.models.answers import Usage
from toolflow_graph.settings import DialogueSettings
from toolflow_graph.types import DialogueRecord, Finding, Pattern

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.types import StateSnapshot

__all__ = ["BROKEN_OFF", "Machine", "Player", "UnreadableState", "is_starved"]

Machine = CompiledStateGraph[DialogueState, DialogueSettings, DialogueInput, DialogueState]

_OF_THE_DIALOGUE = (ModelOutputError, PlanError, ContextLengthError, RequestError)
_OF_THE_PLACE = (GraphDrained, ToolflowError, OSError, sqlite3.Error, MemoryError)


@dataclass(frozen=True)
class Player:
    """What all dialogues of a run are played with; `saved` says whether the machine keeps checkpoints."""

    machine: Machine
    settings: DialogueSettings
    stage: Stage
    saved: bool

    async def play(
        self,
        index: int,
        patterns: Sequence[Pattern],
        control: RunControl,
        *,
        thread: str | None = None,
        resumed: bool = False,
    ) -> DialogueRecord:
        """Return the finished dialogue; what breaks inside it becomes a finding of the check "crash".

        The thread is named after the dialogue, unless another name is given.

        Raises `GraphDrained` when the control stopped it, `UnreadableState` when its checkpoints make no state, and
        whatever is the fault of the place and not of the dialogue: other `ToolflowError`s, `OSError`, `sqlite3.Error`.
        """
        config: RunnableConfig = {
            "configurable": {"thread_id": thread or dialogue_id(self.settings.seed, index)},
            "recursion_limit": step_limit(self.settings),
        }
        given: DialogueInput | None = {"index": index, "patterns": list(patterns)}
        state: DialogueState = {"index": index, "patterns": list(patterns)}
        if resumed and self.saved:
            snapshot = await self._read_state(config)
            if snapshot.created_at is not None:
                given, state = None, cast("DialogueState", {**state, **snapshot.values})
                if not snapshot.tasks:  # `next` is empty too when a step's writes were saved, but not its checkpoint
                    return record_of(state, self.settings, self.stage)
        try:
            async for values in self.machine.astream(
                given,
                config,
                context=self.settings,
                stream_mode="values",
                control=control,
                durability="async" if self.saved else None,
            ):
                state = cast("DialogueState", {**state, **values})
        except _OF_THE_DIALOGUE as exc:
            state = _break_off(state, exc)
        except _OF_THE_PLACE:
            raise
        except Exception as exc:
            if is_starved(exc):
                raise MemoryError(str(exc)) from exc
            state = _break_off(state, exc)  # a bug in an agent costs one dialogue, not the run
        return record_of(state, self.settings, self.stage)

    async def _read_state(self, config: "RunnableConfig") -> "StateSnapshot":
        try:
            return await self.machine.aget_state(config)
        except _OF_THE_PLACE:
            raise
        except Exception as exc:
            raise UnreadableState(f"{type(exc).__name__}: {exc}") from exc


class UnreadableState(Exception):  # noqa: N818 - never leaves this package: the dialogue begins anew
    """What stands in the checkpoints of a dialogue was not written by a run."""


def is_starved(exc: BaseException) -> bool:
    """Say whether an exception means that the process has no memory left, in one of the ways in which that is said."""
    if isinstance(exc, MemoryError) or (isinstance(exc, OSError) and exc.errno == errno.ENOMEM):
        return True
    return isinstance(exc, ImportError | RuntimeError) and any(words in str(exc).lower() for words in _STARVED)


_STARVED = ("failed to map segment", "cannot allocate memory", "can't start new thread", "bad_alloc", "out of memory")


def _break_off(state: DialogueState, exc: Exception) -> DialogueState:
    """Return the state at the crash, with a finding that says which agent failed, how, and in which line."""
    node = next((found[1] for note in getattr(exc, "__notes__", ()) if (found := _NODE.search(note))), None)
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    message = f"{type(exc).__name__}: {exc}".removesuffix(": ")
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    check = next((check for kind, check in _CHECKS.items() if isinstance(exc, kind)), "crash")
    finding = Finding(check=check, message=f"{node + ': ' if node else ''}{message} ({place})")
    refused = exc.attempts if isinstance(exc, ModelOutputError) else ()
    agent = {"agent": _AGENTS.get(node or "", node or "")}
    spent = sum((attempt.usage for attempt in refused), Usage())
    return {
        **state,
        "findings": [*state.get("findings", []), finding.model_dump()],
        "usage": [*state.get("usage", []), *([{**agent, **spent.model_dump(mode="json")}] if refused else [])],
        "attempts": [*state.get("attempts", []), *({**agent, **a.model_dump(mode="json")} for a in refused)],
        "verdict": "rejected",
    }


_CHECKS = {ModelOutputError: "model_output", ContextLengthError: "model_output", RequestError: "endpoint"}
BROKEN_OFF = frozenset({"crash", *_CHECKS.values()})
"""Checks whose findings say that a dialogue could not be played to its end."""

_AGENTS = {"tool_simulator": "tool"}
_NODE = re.compile(r"During task with name '(\w+)'")
