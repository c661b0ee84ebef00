"""Scores per category and the leaderboard's summaries, with Wilson intervals."""

from collections.abc import Iterable, Sequence

from toolflow_graph.bfcl.cases import CATEGORIES
from toolflow_graph.bfcl.play import CaseResult
from toolflow_graph.types import Record

__all__ = ["CategoryScore", "ModelScores", "score_results"]

_NON_LIVE = ("simple_python", "multiple", "parallel", "parallel_multiple")
_LIVE = ("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple")


class CategoryScore(Record):
    """Share of solved cases with its 95 % Wilson interval; `called` and `unread` are shares of cases, too."""

    category: str
    cases: int
    solved: int
    accuracy: float
    low: float
    high: float
    called: float
    unread: float


class ModelScores(Record):
    """A model's scores.

    `non_live_ast` is the plain mean of four categories (simple in Python only, where the leaderboard also has Java and
    JavaScript), `live_ast` the share over all cases of four; each is None unless all of its categories were played.
    """

    model: str
    categories: tuple[CategoryScore, ...]
    non_live_ast: float | None = None
    live_ast: float | None = None


def score_results(model: str, results: Iterable[CaseResult]) -> ModelScores:
    """Sum up results by category, in the leaderboard's order."""
    by_category: dict[str, list[CaseResult]] = {}
    for result in results:
        by_category.setdefault(result.category, []).append(result)
    scores = {name: _score(name, by_category[name]) for name in CATEGORIES if name in by_category}
    live = [scores[name] for name in _LIVE if name in scores]
    non_live = [scores[name].accuracy for name in _NON_LIVE if name in scores]
    return ModelScores(
        model=model,
        categories=tuple(scores.values()),
        non_live_ast=sum(non_live) / len(non_live) if len(non_live) == len(_NON_LIVE) else None,
        live_ast=_share(live) if len(live) == len(_LIVE) else None,
    )


def _share(scores: Sequence[CategoryScore]) -> float:
    return sum(score.solved for score in scores) / sum(score.cases for score in scores)


def _score(category: str, results: Sequence[CaseResult]) -> CategoryScore:
    from scipy.stats import binomtest  # noqa: PLC0415

    solved, cases = sum(result.valid for result in results), len(results)
    interval = binomtest(solved, cases).proportion_ci(method="wilson")
    return CategoryScore(
        category=category,
        cases=cases,
        solved=solved,
        accuracy=solved / cases,
        low=float(interval.low),
        high=float(interval.high),
        called=sum(result.called for result in results) / cases,
        unread=sum(bool(result.unread) for result in results) / cases,
    )
