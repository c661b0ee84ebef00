"""Looks back at a dialogue of a run, step by step, and plays it on from any of them with something changed.

Everything happens in a copy of the dialogue's checkpoints: the run's own files are only read.
"""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.runtime import RunControl

from toolflow_graph.dataset import dialogue_id, record_of
from toolflow_graph.dialogue.graph import build_graph
from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.dialogue.state import DialogueState
from toolflow_graph.errors import RunError, SettingsError
from toolflow_graph.models.answers import Usage
from toolflow_graph.models.ledger import Account, Ledger, charge_to
from toolflow_graph.models.prices import load_prices
from toolflow_graph.runner.build import find_database, refuse_changes
from toolflow_graph.runner.checkpoints import GroupSaver, copy_thread, find_last_step, open_checkpoints
from toolflow_graph.runner.damage import find_damaged_threads
from toolflow_graph.runner.database import find_damaged_dialogues, require_postgres
from toolflow_graph.runner.folder import blame_disk, find_checkpoints
from toolflow_graph.runner.manifest import read_manifest
from toolflow_graph.runner.play import Machine, Player
from toolflow_graph.settings import RunSettings, parse_settings
from toolflow_graph.tracing import hide_keys
from toolflow_graph.types import DialogueRecord

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

__all__ = ["SETTABLE", "Replay", "Step", "open_replay"]

SETTABLE = tuple("execute execute_timeout_s execute_tools max_turns models prompts recall recall_after window".split())
"""Settings that may be changed on the way; all others decide what the dialogue was from its beginning."""

_SAID = {"user": HumanMessage, "assistant": AIMessage, "result": ToolMessage}


@dataclass(frozen=True)
class Step:
    """A state of the dialogue: the `number` of nodes that have played, the `node` that played last, who is `next`.

    At step 0 nobody has played yet.
    """

    number: int
    node: str | None
    next: str | None
    state: DialogueState
    said: tuple[AnyMessage, ...]
    config: "RunnableConfig"


@dataclass(frozen=True)
class Fork:
    """A dialogue that was played on from a step, and what models took for it; None where none play."""

    record: DialogueRecord
    spent: Usage | None


class Replay:
    """A dialogue of a run with all its steps; use `open_replay`."""

    def __init__(self, settings: RunSettings, stage: Stage, saver: GroupSaver, thread: str, steps: list[Step]) -> None:
        self.settings = settings
        self.stage = stage
        self.steps = steps
        self._saver = saver
        self._thread = thread

    @classmethod
    async def read(cls, settings: RunSettings, stage: Stage, saver: GroupSaver, thread: str) -> Self:
        """Read all steps of a thread, in order."""
        hide_keys()
        saver.admit(thread)
        machine = build_graph().compile(checkpointer=saver)
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        snapshots = [snapshot async for snapshot in machine.aget_state_history(config)]
        steps: list[Step] = []
        for snapshot in reversed(snapshots):
            if snapshot.next == ("__start__",):
                continue
            state = cast("DialogueState", snapshot.values)
            before = {message.id for message in steps[-1].state.get("messages", [])} if steps else set()
            said = tuple(message for message in state.get("messages", []) if message.id not in before)
            node = steps[-1].next if steps else None
            upcoming = snapshot.next[0] if snapshot.next else None
            steps.append(Step(len(steps), node, upcoming, state, said, snapshot.config))
        return cls(settings, stage, saver, thread, steps)

    @property
    def record(self) -> DialogueRecord:
        """The dialogue as far as it was played."""
        return record_of(self.steps[-1].state, self.settings.dialogue(), self.stage)

    def step(self, number: int) -> Step:
        """Return a step; raises `RunError` when there is none of this number."""
        if not 0 <= number < len(self.steps):
            raise RunError(f"there is no step {number}; {self._thread} has the steps 0 to {len(self.steps) - 1}")
        return self.steps[number]

    async def fork(self, number: int, changes: Mapping[str, Any]) -> Fork:
        """Play the dialogue on from a step, with changes.

        Args:
            number: The step to go on from.
            changes: `user`, `assistant` or `result` give the last message of that kind in this state another text;
                other keys are settings, of which only those in `SETTABLE` can be changed on the way.

        Raises:
            RunError: There is no such step, or no such message in it.
            SettingsError: A setting cannot be changed here, or is wrong.
        """
        step = self.step(number)
        said = {name: value for name, value in changes.items() if name in _SAID}
        settings = _change_settings(self.settings, {n: v for n, v in changes.items() if n not in _SAID})
        edited = [_edit(step, name, str(text)) for name, text in said.items()]
        stage = load_stage(settings)
        machine: Machine = build_graph().compile(checkpointer=self._saver)
        if number and step.next is None and not edited:
            raise RunError(f"step {number} is the end of the dialogue; go on from an earlier one")
        if number:
            await machine.aupdate_state(step.config, {"messages": edited} if edited else {}, as_node=step.node)
        else:
            await self._saver.forget([self._thread])
        account = None
        if stage.client is not None:
            account = Account(settings.models, Ledger(load_prices(settings.models.prices)))
        charge_to(account)
        player = Player(machine, settings.dialogue(self.settings.patterns), stage, saved=True)
        state = step.state
        record = await player.play(state.get("index", 0), state.get("patterns", []), RunControl(), resumed=number > 0)  # type: ignore[arg-type]
        return Fork(record, None if account is None else account.ledger.total)


def _change_settings(settings: RunSettings, changes: Mapping[str, Any]) -> RunSettings:
    fixed = next((name for name in changes if name not in SETTABLE), None)
    if fixed is not None:
        raise SettingsError(
            f"{fixed!r} cannot be changed in a dialogue that has begun; these can: {', '.join((*_SAID, *SETTABLE))}"
        )
    given = settings.model_dump(exclude_unset=True)
    models = {**given.get("models", {}), **changes.get("models", {})}
    return parse_settings({**given, "cast": settings.cast, **changes, **({"models": models} if models else {})})


def _edit(step: Step, name: str, text: str) -> AnyMessage:
    """Return the last message of a kind in a state, with another text under the same id."""
    for message in reversed(step.state.get("messages", [])):
        if isinstance(message, _SAID[name]) and (name != "assistant" or message.content):
            return message.model_copy(update={"content": text})
    kind = {"user": "message of the user", "assistant": "words of the assistant", "result": "result of a tool"}[name]
    raise RunError(f"there is no {kind} yet at step {step.number}; go on from a later one")


@asynccontextmanager
async def open_replay(folder: Path, dialogue: str) -> AsyncIterator[Replay]:
    """Open a dialogue of a run, named by its id or its index.

    Raises `RunError` when the run has no checkpoints of it, or its catalog or prompts have changed since.
    """
    manifest = read_manifest(folder)
    settings = manifest.settings
    thread = dialogue_id(settings.seed, int(dialogue)) if dialogue.isdecimal() else dialogue
    with tempfile.TemporaryDirectory(prefix="toolflow-") as place:
        copy = Path(place) / "checkpoints.sqlite"
        async with open_checkpoints(copy) as saver:
            if (database := find_database(manifest)) is not None:
                require_postgres()
                from toolflow_graph.runner.shared_checkpoints import copy_dialogue  # noqa: PLC0415 - an extra

                _refuse_damage(database.address, thread, find_damaged_dialogues(database, [thread]))
                found = await copy_dialogue(database, thread, saver)
            else:
                with blame_disk(folder):
                    found = _copy(folder, thread, copy)
            if not found:
                raise RunError(_miss(folder, thread, settings))
            stage = load_stage(settings)
            refuse_changes(folder, manifest, stage)
            yield await Replay.read(settings, stage, saver, thread)


def _copy(folder: Path, thread: str, copy: Path) -> bool:
    """Copy a thread from the file in which it came farthest."""
    last, source = max(((find_last_step(path, thread), path) for path in find_checkpoints(folder)), default=("", None))
    if not last or source is None:
        return False
    _refuse_damage(source, thread, find_damaged_threads(source, [thread]))
    copy_thread(source, copy, thread)
    return True


def _refuse_damage(place: object, thread: str, damaged: Sequence[str]) -> None:
    if damaged:
        raise RunError(f"{place}: the checkpoints of {thread!r} are damaged; its steps cannot be shown")


def _miss(folder: Path, thread: str, settings: RunSettings) -> str:
    if settings.keeping != "keep":
        how = "forgets them when a dialogue is written" if settings.keeping == "journal" else "makes none"
        return (
            f"{folder} has no checkpoints of {thread!r}: checkpoints = {settings.checkpoints!r} {how}; generate it "
            "in a new run with --checkpoints keep, the same seed makes the same dialogue"
        )
    return f"{folder} has no checkpoints of {thread!r}; give the id or the index of one of its dialogues"
