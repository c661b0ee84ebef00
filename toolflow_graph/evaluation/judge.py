"""An LLM judge: naturalness, coherence, helpfulness and accuracy of dialogues, from 1 to 5 with reasons (paper, 4).

One model judges alone; several are a committee, each asked by itself. No verdict is ever filled in: a dialogue of which
a model gave none that holds is counted as unjudged.
"""

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from toolflow_graph.dataset import StoredDialogue, replace_file
from toolflow_graph.errors import ContextLengthError, DatasetError, ModelOutputError, RequestError, SettingsError
from toolflow_graph.evaluation.asking import ask_each
from toolflow_graph.evaluation.judge_prompt import ask_judge, build_schema, draw_order
from toolflow_graph.evaluation.ratings import Dimension, Score, Verdict, encode_line, fingerprint_dialogue
from toolflow_graph.evaluation.verdict_cache import VerdictCache, key_verdict
from toolflow_graph.models import ChatClient, ModelSettings
from toolflow_graph.models.answers import Usage
from toolflow_graph.prompts import BUNDLED, Prompts
from toolflow_graph.types import JSON

__all__ = ["Judgement", "Unjudged", "draw_dialogues", "judge_dialogues", "write_verdicts"]

_SCORES = TypeAdapter(dict[Dimension, Score])


@dataclass(frozen=True)
class Unjudged:
    """A dialogue of which a model gave no verdict that holds, and why."""

    dialogue: str
    line: int
    model: str
    reason: str


@dataclass(frozen=True)
class Judgement:
    """What one or more models say of a sample.

    `drawn` dialogues of `offered` were put before each of `models`; `verdicts` are in the order of the file, then of
    the models. `asked` counts the verdicts that were asked for, the others came from the cache; `usage` is what the
    asking took.
    """

    models: tuple[str, ...]
    offered: int
    drawn: int
    seed: int
    verdicts: tuple[Verdict, ...]
    unjudged: tuple[Unjudged, ...]
    asked: int
    usage: Usage


@dataclass(frozen=True)
class _Question:
    dialogue: StoredDialogue
    fingerprint: str
    model: str
    order: tuple[Dimension, ...]
    messages: list[JSON]
    schema: JSON
    key: str


async def judge_dialogues(
    dialogues: Iterable[StoredDialogue],
    settings: ModelSettings,
    *,
    sample: int | None = None,
    seed: int = 0,
    cache: VerdictCache | None = None,
    prompts: Prompts = BUNDLED,
    open_client: Callable[[], ChatClient] | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> Judgement:
    """Have models judge dialogues; what the cache holds is not asked for again.

    Args:
        dialogues: As `open_dialogues` yields them; read once.
        settings: Endpoint, limits, and in `model` the judges: one, or a committee.
        sample: Dialogues to draw, all of them without; see `draw_dialogues`.
        seed: Of the sample, of the order of dimensions in each request, and of the order of requests.
        cache: Verdicts of before, and where new ones go; none are kept without.
        prompts: Where `judge` and `judge_dimensions` are.
        open_client: Gives the client when the first verdict has to be asked for; it is left open for others but for
            the connections of this event loop.
        on_done: Told how many verdicts of how many are there.

    Raises:
        ModelError: The endpoint cannot be used.
        BudgetExceeded: The next request would pass a limit. The cache keeps the verdicts until then.
        SettingsError: No model is named.
    """
    models = tuple(dict.fromkeys(settings.model))
    if not models:
        raise SettingsError("no model is named that judges; give --judge MODEL, or MODEL,MODEL for a committee")
    offered, drawn = draw_dialogues(dialogues, sample, seed)
    questions = [_ask(dialogue, model, seed, settings, prompts) for dialogue in drawn for model in models]
    found: dict[str, dict[Dimension, Score]] = {}
    if cache is not None:
        found.update(cache.read({question.key for question in questions}, _SCORES))
    missing = [question for question in questions if question.key not in found]
    missing = list({question.key: question for question in missing}.values())
    random.Random(f"judge:{seed}").shuffle(missing)
    tell = on_done or (lambda _done, _of: None)
    done = sum(question.key in found for question in questions)
    tell(done, len(questions))
    times = Counter(question.key for question in questions)
    failures: dict[str, str] = {}
    usage = Usage()
    if missing:
        client = open_client() if open_client else ChatClient(settings)
        before = client.ledger.total

        def keep(question: _Question, answer: dict[Dimension, Score] | str) -> None:
            nonlocal done
            if isinstance(answer, str):
                failures[question.key] = answer
            else:
                found[question.key] = answer
                if cache is not None:
                    cache.write(question.key, question.model, _SCORES.dump_python(answer, mode="json"))
            done += times[question.key]
            tell(done, len(questions))

        async def answer(question: _Question) -> None:
            try:
                scores = await _answer(question, client)
            except (ModelOutputError, ContextLengthError, RequestError) as exc:
                keep(question, str(exc))
            else:
                keep(question, scores)

        await ask_each(client, missing, answer)
        usage = _subtract(client.ledger.total, before)
    return Judgement(
        models=models,
        offered=offered,
        drawn=len(drawn),
        seed=seed,
        verdicts=tuple(_make_verdict(question, found[question.key]) for question in questions if question.key in found),
        unjudged=tuple(
            Unjudged(question.dialogue.id, question.dialogue.line, question.model, failures[question.key])
            for question in questions
            if question.key in failures
        ),
        asked=len(missing),
        usage=usage,
    )


def _subtract(usage: Usage, before: Usage) -> Usage:
    return Usage(**{name: getattr(usage, name) - getattr(before, name) for name in Usage.model_fields})


def draw_dialogues(
    dialogues: Iterable[StoredDialogue], sample: int | None, seed: int
) -> tuple[int, list[StoredDialogue]]:
    """Return how many there are, and those drawn, in their order.

    Dialogues are ranked by a hash of seed and content and the first `sample` are taken: a larger sample holds the
    smaller one, and other dialogues that come or go move none but those they replace.
    """
    offered = 0

    def count() -> Iterable[StoredDialogue]:
        nonlocal offered
        for dialogue in dialogues:
            offered += 1
            yield dialogue

    if sample is None:
        drawn = list(count())
    else:
        ranked = heapq.nsmallest(
            sample, ((_rank(dialogue, seed), place, dialogue) for place, dialogue in enumerate(count()))
        )
        drawn = [dialogue for _, _, dialogue in sorted(ranked, key=lambda entry: entry[1])]
    return offered, drawn


def _rank(dialogue: StoredDialogue, seed: int) -> bytes:
    return hashlib.sha256(f"sample:{seed}:{fingerprint_dialogue(dialogue)}".encode()).digest()


def _ask(dialogue: StoredDialogue, model: str, seed: int, settings: ModelSettings, prompts: Prompts) -> _Question:
    fingerprint = fingerprint_dialogue(dialogue)
    order = draw_order(seed, fingerprint, model)
    messages, schema = ask_judge(dialogue, order, prompts), build_schema(order)
    key = key_verdict(model, settings.temperature, messages, schema)
    return _Question(dialogue, fingerprint, model, order, messages, schema, key)


async def _answer(question: _Question, client: ChatClient) -> dict[Dimension, Score]:
    last = len(question.dialogue.messages) - 1

    def find_fault(answer: JSON) -> str | None:
        for dimension, given in answer.items():
            if not given["reason"].strip():
                return f"{dimension}: the reason is empty"
            if given["message"] is not None and not 0 <= given["message"] <= last:
                return f"{dimension}: there is no message {given['message']}; they are numbered from 0 to {last}"
        return None

    completion = await client.complete(
        "judge",
        question.model,
        question.messages,
        schema=question.schema,
        check=find_fault,
        dialogue=question.dialogue.id,
    )
    return {dimension: _read_score(completion.value[dimension]) for dimension in question.order}


def _read_score(given: Mapping[str, Any]) -> Score:
    """Return a score whose numbers are integers: JSON Schema lets 4.0 pass for one."""
    message = given["message"]
    return Score(
        reason=" ".join(given["reason"].split()),
        message=None if message is None else int(message),
        score=int(given["score"]),
    )


def _make_verdict(question: _Question, scores: Mapping[Dimension, Score]) -> Verdict:
    dialogue = question.dialogue
    return Verdict(
        dialogue=dialogue.id,
        line=dialogue.line,
        fingerprint=question.fingerprint,
        model=question.model,
        order=question.order,
        scores=dict(scores),
    )


def write_verdicts(path: Path, *judgements: Judgement) -> None:
    """Write the verdicts of one or more judgements as JSON Lines, in place of what is there; raises `DatasetError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, (encode_line(verdict) for judgement in judgements for verdict in judgement.verdicts))
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
