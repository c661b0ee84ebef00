"""What each part of the method is worth, measure by measure, beside what the paper found."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from toolflow_graph.ablation.arms import FULL, Arm
from toolflow_graph.catalog import load_catalog
from toolflow_graph.catalog.sources import is_live
from toolflow_graph.dataset import StoredDialogue, open_dialogues
from toolflow_graph.encoder import Encoder
from toolflow_graph.evaluation import (
    Analysis,
    Comparison,
    Evaluation,
    EvaluationSettings,
    Measure,
    analyse_dialogues,
    compare_analyses,
)
from toolflow_graph.evaluation.analysis import Progress
from toolflow_graph.evaluation.nli import NLIBackend
from toolflow_graph.evaluation.structure import count_quota
from toolflow_graph.types import JSON, Method, Record

__all__ = ["Ablation", "Contrast", "Judge", "Part", "measure_arms"]

Part = Literal["graph", "plan"]

Judge = Callable[[Evaluation, Iterable[StoredDialogue]], Evaluation]
"""Adds to an evaluation what a judge says of the same dialogues."""


class Contrast(Record):
    """What one part of the method is worth by one measure, here and in the paper (its table of ablations).

    `full` is the measure of the whole method, `without` that of the arm that lacks the part. `value` is the difference,
    `low` and `high` its 95 % interval, `beyond_chance` None where nothing can be said. `caveat` says what the figure
    cannot show.
    """

    key: str
    label: str
    part: Part
    paper_without: float
    paper_full: float
    without: float | None
    full: float | None
    unit: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    beyond_chance: bool | None = None
    note: str = ""
    caveat: str = ""


class Ablation(Record):
    """All arms, measured, what each differs in from the whole method, and the paper's contrasts."""

    settings: JSON
    arms: dict[str, str]
    contrasts: tuple[Contrast, ...]
    evaluations: tuple[Evaluation, ...]
    comparisons: tuple[Comparison, ...] = Field(default=())


@dataclass(frozen=True)
class _PaperRow:
    key: str
    label: str
    part: Part
    without: float
    full: float
    scale: float = 1.0


_PAPER = (
    _PaperRow("h", "H, entropy of the words", "graph", 9.82, 10.36),
    _PaperRow("d3", "D-3, distinct trigrams", "graph", 0.3393, 0.4865),
    _PaperRow("ss", "SS, semantic similarity", "plan", 58.65, 63.36),
    _PaperRow("enr", "EnR, entailment ratio", "plan", 35.4, 47.3, 100),
    _PaperRow("coh", "COH, coherence by a judge", "plan", 3.66, 3.91),
)
"""The paper's figures; `scale` brings ours, which are shares, to its percents."""

_SCRIPTED: Mapping[Part, str] = {
    "graph": "all words are the grammar's, so this shows which tools come together, not how people talk of them",
    "plan": "without a plan the scripted user's requests are drawn apart from one another, over the same tools. A plan "
    "links them by values (see dialogues with a chain), which embeddings are not made to see",
}


def measure_arms(
    arms: Sequence[Arm],
    *,
    encoder: Encoder | None,
    nli: NLIBackend | None = None,
    judge: Judge | None = None,
    settings: EvaluationSettings,
    on_progress: Progress | None = None,
) -> Ablation:
    """Measure the dialogues of complete arms, the whole method first, and compare each with that one."""
    analyses = [_analyse(arm, encoder, nli, settings, on_progress) for arm in arms]
    if judge is not None:
        analyses = [
            replace(analysis, evaluation=judge(analysis.evaluation, open_dialogues(arm.folder)))
            for arm, analysis in zip(arms, analyses, strict=True)
        ]
    comparisons = compare_analyses(analyses, settings.seed)
    evaluations = {arm.method: analysis.evaluation for arm, analysis in zip(arms, analyses, strict=True)}
    by_method = dict(zip((arm.method for arm in arms[1:]), comparisons, strict=True))
    scripted = arms[0].settings.cast == "scripted"
    return Ablation(
        settings={"generation": arms[0].settings.model_dump(mode="json", exclude={"method"}), **settings.model_dump()},
        arms={arm.method: str(arm.folder) for arm in arms},
        contrasts=tuple(_contrast(row, evaluations, by_method, scripted=scripted) for row in _PAPER),
        evaluations=tuple(evaluations.values()),
        comparisons=tuple(comparisons),
    )


def _analyse(
    arm: Arm, encoder: Encoder | None, nli: NLIBackend | None, settings: EvaluationSettings, tell: Progress | None
) -> Analysis:
    source = arm.settings.catalog
    tools = None if source and is_live(source) else frozenset(load_catalog(source).tools)
    return analyse_dialogues(
        arm.method,
        open_dialogues(arm.folder),
        encoder=encoder,
        nli=nli,
        settings=settings,
        quota=count_quota(arm.settings),
        catalog=tools,
        on_progress=tell,
    )


def _contrast(
    row: _PaperRow,
    evaluations: Mapping[Method, Evaluation],
    comparisons: Mapping[Method, Comparison],
    *,
    scripted: bool,
) -> Contrast:
    ablated: Method = "no-graph" if row.part == "graph" else "no-plan"
    full, without = (_find_measure(evaluations[method], row.key) for method in (FULL, ablated))
    contrast = Contrast(
        key=row.key,
        label=row.label,
        part=row.part,
        paper_without=row.without,
        paper_full=row.full,
        without=_scale(without.value if without else None, row.scale),
        full=_scale(full.value if full else None, row.scale),
        caveat=_SCRIPTED[row.part] if scripted else "",
    )
    if full is None or full.value is None:
        return contrast.model_copy(update={"note": (full.note if full else "") or _UNMEASURED, "caveat": ""})
    found = next((one for one in comparisons[ablated].differences if one.key == row.key), None)
    if found is None:
        return contrast
    # the comparison takes the whole method from the arm; what a part is worth is the opposite
    return contrast.model_copy(
        update={
            "value": _scale(found.value, -row.scale),
            "low": _scale(found.high, -row.scale),
            "high": _scale(found.low, -row.scale),
            "p": found.p,
            "beyond_chance": found.beyond_chance,
            "note": found.note,
        }
    )


_UNMEASURED = "not measured: takes a judge (--judge)"


def _find_measure(evaluation: Evaluation, key: str) -> Measure | None:
    return next((one for one in evaluation.measures if one.key == key), None)


def _scale(value: float | None, by: float) -> float | None:
    return None if value is None else value * by
