"""From dialogues to an evaluation: one pass to read them, then one measure after the other."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.encoder import Encoder
from toolflow_graph.errors import DatasetError
from toolflow_graph.evaluation.bootstrap import (
    CONFIDENCE,
    FEWEST,
    REPLICATES,
    Estimate,
    Ratio,
    assign_groups,
    estimate_ratios,
)
from toolflow_graph.evaluation.coherence import embed_dialogues, measure_entailment, measure_similarity, measure_vendi
from toolflow_graph.evaluation.coverage import measure_coverage
from toolflow_graph.evaluation.digest import DialogueDigest, ToolDigest, digest_dialogue
from toolflow_graph.evaluation.figures import Figure, list_worst, shorten
from toolflow_graph.evaluation.nli import NLIBackend
from toolflow_graph.evaluation.phrasing import measure_phrasing
from toolflow_graph.evaluation.results import Evaluation, Example
from toolflow_graph.evaluation.signatures import measure_signatures
from toolflow_graph.evaluation.structure import (
    TOKENIZER,
    count_tokens,
    describe_structure,
    load_tokenizer,
    measure_structure,
)
from toolflow_graph.evaluation.words import Corpus, estimate_distinct, estimate_entropy
from toolflow_graph.near_duplicates import find_near_duplicates
from toolflow_graph.types import JSON, Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Analysis", "EvaluationSettings", "analyse_dialogues", "evaluate_dialogues"]

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and how much there is, if that is known."""


class EvaluationSettings(Record):
    """What the figures depend on besides the dialogues.

    `sample` is the number of dialogues, drawn at random, on which SS, EnR and the Vendi score are measured; 0 for all.
    """

    seed: int = 0
    sample: int = 200
    near_duplicates: float = 0.8


@dataclass(frozen=True)
class Analysis:
    """An evaluation with what a comparison needs besides: the estimates by key, and the words."""

    evaluation: Evaluation
    estimates: Mapping[str, Estimate]
    corpus: Corpus


_DEFAULTS = EvaluationSettings()


def evaluate_dialogues(
    source: str,
    dialogues: Iterable[StoredDialogue],
    *,
    encoder: Encoder | None = None,
    nli: NLIBackend | None = None,
    settings: EvaluationSettings = _DEFAULTS,
    quota: Mapping[str, float] | None = None,
    catalog: Collection[str] | None = None,
    on_progress: Progress | None = None,
) -> Evaluation:
    """Return all measures of a set of dialogues, but for those of a judge.

    Args:
        source: What the set is called.
        dialogues: The dialogues, as `open_dialogues` yields them; read once, and not kept.
        encoder: Sentence encoder of SS and the Vendi score; without, they are not measured.
        nli: Backend of EnR; without, it is not measured.
        settings: Seed, sample size and threshold.
        quota: Number of dialogues that were due for each pattern.
        catalog: Names of all tools that could have been drawn.
        on_progress: Told of what takes long.

    Raises:
        DatasetError: There are no dialogues, or one of them cannot be read.
    """
    return analyse_dialogues(
        source,
        dialogues,
        encoder=encoder,
        nli=nli,
        settings=settings,
        quota=quota,
        catalog=catalog,
        on_progress=on_progress,
    ).evaluation


def analyse_dialogues(
    source: str,
    dialogues: Iterable[StoredDialogue],
    *,
    encoder: Encoder | None = None,
    nli: NLIBackend | None = None,
    settings: EvaluationSettings = _DEFAULTS,
    quota: Mapping[str, float] | None = None,
    catalog: Collection[str] | None = None,
    on_progress: Progress | None = None,
) -> Analysis:
    """Return the evaluation of a set of dialogues and what comparing it takes; see `evaluate_dialogues`."""
    tell = on_progress or (lambda _what, _done, _total: None)
    digests, tokens = _read(dialogues, tell)
    if not digests:
        raise DatasetError(f"{source}: there are no dialogues in it")
    rng = np.random.default_rng([settings.seed, 1])
    groups = assign_groups(len(digests), rng)
    corpus = Corpus.read([turn.text for turn in digest.turns] for digest in digests)
    figures: list[Figure] = list(measure_structure(digests, tokens))
    worst: dict[str, tuple[Example, ...]] = {}

    def add(measured: tuple[Figure, tuple[Example, ...]]) -> None:
        figure, examples = measured
        figures.append(figure)
        if examples:
            worst[figure.key] = examples

    sample, note = _draw_sample(digests, settings)
    tell("encoding", 0, None)
    embedded = None if encoder is None else embed_dialogues(sample, encoder, note)
    add(measure_similarity(embedded))
    figures.append(measure_entailment(sample, nli, note, lambda done, total: tell("judging entailment", done, total)))
    tell("measuring", 0, None)
    figures += _measure_words(corpus, groups)
    add(_measure_repeats(digests, settings.near_duplicates))
    figures += measure_coverage(digests, groups, catalog)
    figures.append(measure_vendi(embedded, rng))
    for measured in measure_phrasing(digests):
        add(measured)
    for measured in measure_signatures(digests):
        add(measured)
    estimates = _estimate(figures, rng)
    evaluation = Evaluation(
        source=source,
        dialogues=len(digests),
        measures=tuple(figure.to_measure(estimates[figure.key]) for figure in figures),
        distributions=tuple(describe_structure(digests, tokens, quota)),
        worst=worst,
        settings=_list_settings(settings, len(sample), encoder, nli),
    )
    return Analysis(evaluation, estimates, corpus)


def _read(dialogues: Iterable[StoredDialogue], tell: Progress) -> "tuple[list[DialogueDigest], NDArray[np.int64]]":
    tokenizer = load_tokenizer()
    tools: dict[str, ToolDigest] = {}
    digests: list[DialogueDigest] = []
    tokens: list[int] = []
    for stored in dialogues:
        digest, written = digest_dialogue(stored, tools)
        digests.append(digest)
        tokens.append(count_tokens(written, tokenizer))
        if len(digests) % 50 == 0:
            tell("reading", len(digests), None)
    return digests, np.asarray(tokens, np.int64)


def _draw_sample(digests: Sequence[DialogueDigest], settings: EvaluationSettings) -> tuple[list[DialogueDigest], str]:
    """Return the dialogues on which the slow measures work, in their order, and how the notes name them."""
    if settings.sample <= 0 or settings.sample >= len(digests):
        return list(digests), f"all {len(digests):,} dialogues"
    order = np.random.default_rng([settings.seed, 2]).permutation(len(digests))
    chosen = sorted(order[: settings.sample].tolist())
    note = f"a random sample of {settings.sample:,} of the {len(digests):,} dialogues (seed {settings.seed})"
    return [digests[place] for place in chosen], note


def _measure_words(corpus: Corpus, groups: "NDArray[np.int64]") -> list[Figure]:
    words = f"over {len(corpus.words):,} words; depends on how many there are"

    def figure(key: str, label: str, estimate: Estimate, unit: str) -> Figure:
        return Figure(key, label, "diversity", estimate, unit, "higher", words if len(corpus.words) else "")

    return [
        figure("h", "H, entropy of the words", estimate_entropy(corpus, groups), "bits"),
        *(
            figure(f"d{n}", f"D-{n}, distinct {n}-grams", estimate_distinct(corpus, n, groups), "ratio")
            for n in (1, 2, 3)
        ),
    ]


def _measure_repeats(digests: Sequence[DialogueDigest], threshold: float) -> tuple[Figure, tuple[Example, ...]]:
    repeats = dict(find_near_duplicates(digests, threshold))
    examples = [
        Example(
            dialogue=digests[place].id,
            line=digests[place].line,
            message=None,
            excerpt=f"repeats {digests[earlier].id} (line {digests[earlier].line}): "
            + shorten(" | ".join(turn.text for turn in digests[place].turns), 180),
            score=1.0,
        )
        for place, earlier in repeats.items()
    ]
    note = f"word trigrams of what is said, Jaccard index of at least {threshold:g} with an earlier dialogue"
    source = Ratio.of([place in repeats for place in range(len(digests))])
    figure = Figure("near_duplicates", "near duplicates", "diversity", source, "share", "lower", note)
    return figure, list_worst(examples)


def _estimate(figures: Sequence[Figure], rng: np.random.Generator) -> dict[str, Estimate]:
    """Return the estimate of each figure; ratios over the same number of dialogues share their resamples."""
    found: dict[str, Estimate] = {}
    ratios: dict[int, list[tuple[str, Ratio]]] = {}
    for figure in figures:
        if isinstance(figure.source, Ratio):
            ratios.setdefault(len(figure.source.numerators), []).append((figure.key, figure.source))
        elif isinstance(figure.source, Estimate):
            found[figure.key] = figure.source
        else:
            found[figure.key] = Estimate(figure.source)
    for group in ratios.values():
        estimates = estimate_ratios([ratio for _, ratio in group], rng)
        found.update(zip((key for key, _ in group), estimates, strict=True))
    return found


def _list_settings(settings: EvaluationSettings, sampled: int, encoder: Encoder | None, nli: NLIBackend | None) -> JSON:
    return {
        **settings.model_dump(),
        "sampled": sampled,
        "encoder": None if encoder is None else encoder.name,
        "nli": None if nli is None else nli.name,
        "tokenizer": TOKENIZER,
        "confidence": CONFIDENCE,
        "replicates": REPLICATES,
        "fewest": FEWEST,
    }
