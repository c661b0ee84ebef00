"""Coherence of consecutive rounds, by embeddings (SS) and by entailment (EnR), and variety by embeddings (Vendi).

The paper's pairs: the premise is the previous round's request and response, the hypothesis the current round's request.
Encoding and inference take long, so they work on a random sample of the dialogues, which every note names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.encoder import Encoder
from toolflow_graph.evaluation.bootstrap import Estimate, Ratio, assign_groups, estimate_by_jackknife
from toolflow_graph.evaluation.digest import DialogueDigest
from toolflow_graph.evaluation.figures import Figure, list_worst, shorten
from toolflow_graph.evaluation.nli import NLIBackend, Pair
from toolflow_graph.evaluation.results import Example

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Embedded", "embed_dialogues", "list_pairs", "measure_entailment", "measure_similarity", "measure_vendi"]

_NO_ENCODER = "not measured: no sentence encoder was given"
_NO_BACKEND = "not measured: no NLI backend; give --nli-model with a cross-encoder, or --nli-judge with a chat model"
_NO_PAIRS = "not measured: no dialogue has two rounds"


@dataclass(frozen=True)
class Embedded:
    """Sampled dialogues with their vectors, by text."""

    dialogues: Sequence[DialogueDigest]
    vectors: "dict[str, NDArray[np.float32]]"
    encoder: str
    note: str


def list_pairs(dialogue: DialogueDigest) -> list[tuple[int, Pair]]:
    """Return premise and hypothesis of each round but the first, with the message of the hypothesis.

    Rounds in which one of the two is empty are left out.
    """
    pairs = []
    for before, current in zip(dialogue.rounds, dialogue.rounds[1:], strict=False):
        premise = f"{before.request} {before.response}".strip()
        if premise and current.request:
            pairs.append((current.message, (premise, current.request)))
    return pairs


def embed_dialogues(dialogues: Sequence[DialogueDigest], encoder: Encoder, note: str) -> Embedded:
    """Encode what SS and the Vendi score need of some dialogues: premises and requests, equal ones once."""
    texts: dict[str, None] = {}
    for dialogue in dialogues:
        texts.update((text, None) for _, pair in list_pairs(dialogue) for text in pair)
        texts.update((part.request, None) for part in dialogue.rounds if part.request)
    listed = list(texts)
    return Embedded(dialogues, dict(zip(listed, encoder.encode(listed), strict=True)), encoder.name, note)


def measure_similarity(embedded: Embedded | None) -> tuple[Figure, tuple[Example, ...]]:
    """Return SS, the mean cosine of premise and hypothesis times 100, and the pairs that are least alike."""
    if embedded is None:
        return _figure("ss", "SS, semantic similarity", None, "points", _NO_ENCODER), ()
    sums, counts = [], []
    worst: list[Example] = []
    for dialogue in embedded.dialogues:
        total, number = 0.0, 0
        for message, (premise, hypothesis) in list_pairs(dialogue):
            cosine = float(embedded.vectors[premise] @ embedded.vectors[hypothesis])
            total, number = total + cosine, number + 1
            excerpt = shorten(f"{premise} ⇒ {hypothesis}")
            worst.append(
                Example(dialogue=dialogue.id, line=dialogue.line, message=message, excerpt=excerpt, score=1 - cosine)
            )
        sums.append(100 * total)
        counts.append(number)
    note = f"of 100; cosines by {embedded.encoder}; {embedded.note}" if worst else _NO_PAIRS
    return _figure("ss", "SS, semantic similarity", Ratio.of(sums, counts), "points", note), list_worst(worst)


def measure_entailment(
    dialogues: Sequence[DialogueDigest],
    nli: NLIBackend | None,
    note: str,
    on_progress: Callable[[int, int], None] | None = None,
) -> Figure:
    """Return EnR, the share of the pairs whose premise entails the hypothesis."""
    label = "EnR, entailment ratio"
    if nli is None:
        return _figure("enr", label, None, "share", _NO_BACKEND)
    pairs = [list_pairs(dialogue) for dialogue in dialogues]
    answers = iter(nli.find_entailed([pair for found in pairs for _, pair in found], on_progress))
    entailed, judged, unjudged = [], [], 0
    for found in pairs:
        verdicts = [next(answers) for _ in found]
        unjudged += verdicts.count(None)
        entailed.append(verdicts.count(True))
        judged.append(len(verdicts) - verdicts.count(None))
    if not sum(judged) and not unjudged:
        return _figure("enr", label, None, "share", _NO_PAIRS)
    left = f"; {unjudged} of {unjudged + sum(judged)} pairs got no usable answer" if unjudged else ""
    return _figure("enr", label, Ratio.of(entailed, judged), "share", f"by {nli.name}; {note}{left}")


def measure_vendi(embedded: Embedded | None, rng: np.random.Generator) -> Figure:
    """Return the Vendi score of the sampled dialogues: how many different ones they are worth.

    It is the exponential of the entropy of the eigenvalues of their similarity matrix divided by its size (Friedman and
    Dieng 2023), with cosines for similarities. A dialogue's vector is the mean of those of its requests.
    """
    label = "Vendi score"
    if embedded is None:
        return Figure("vendi", label, "diversity", None, "", "higher", _NO_ENCODER)
    means = [
        np.mean([embedded.vectors[part.request] for part in d.rounds if part.request], axis=0, dtype=np.float64)
        for d in embedded.dialogues
        if any(part.request for part in d.rounds)
    ]
    rows = np.asarray([mean / norm for mean in means if (norm := np.linalg.norm(mean)) > 0])
    if not len(rows):
        return Figure("vendi", label, "diversity", None, "", "higher", "not measured: no dialogue has a request")
    groups = assign_groups(len(rows), rng)
    without = [_vendi(rows[groups != group]) for group in range(int(groups.max()) + 1)] if len(rows) > 1 else []
    estimate: Estimate = estimate_by_jackknife(_vendi(rows), without, least=1.0, most=float(len(rows)))
    note = f"between 1 and {len(rows):,}, grows with the sample; cosines by {embedded.encoder}; {embedded.note}"
    return Figure("vendi", label, "diversity", estimate, "", "higher", note)


def _vendi(rows: "NDArray[np.float64]") -> float:
    few = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows  # both have the same eigenvalues but for zeros
    shares = np.linalg.eigvalsh(few / len(rows))
    positive = shares[shares > 1e-12]
    return float(np.exp(-(positive * np.log(positive)).sum()))


def _figure(key: str, label: str, source: Ratio | None, unit: str, note: str) -> Figure:
    return Figure(key, label, "coherence", source, unit, "higher", note)
