"""Evaluations as text: figures as people write them, and the whole as Markdown."""

from collections.abc import Iterator, Sequence
from typing import get_args

from toolflow_graph.evaluation.comparison import Comparison, Difference
from toolflow_graph.evaluation.results import Evaluation, Family, Measure

__all__ = ["FAMILIES", "format_difference", "format_interval", "format_value", "list_keys", "render_markdown"]

FAMILIES: dict[Family, str] = {
    "structure": "Structure",
    "coherence": "Coherence",
    "diversity": "Diversity",
    "signatures": "Signatures of failure",
    "judge": "Judge",
}
"""What the families are called; all of `Family`, in their order."""

if list(FAMILIES) != list(get_args(Family)):
    raise RuntimeError("a family of measures has no name")

_EXAMPLES = 5


def format_value(value: float | None, unit: str, *, sign: bool = False) -> str:
    """Return a figure with the digits that its unit deserves, a dash where there is none."""
    if value is None:
        return "–"
    plus = "+" if sign else ""
    if unit == "share":
        return f"{100 * value:{plus}.1f} %"
    if unit == "ratio":
        return f"{value:{plus}.4f}"
    if unit == "count":
        return f"{value:{plus},.0f}"
    return f"{value:{plus},.2f}"


def format_interval(low: float | None, high: float | None, unit: str) -> str:
    """Return an interval in brackets, nothing where there is none."""
    if low is None or high is None:
        return ""
    return f"[{format_value(low, unit)}, {format_value(high, unit)}]".replace(" %,", ",")


def format_difference(difference: Difference, unit: str) -> str:
    """Return a difference; a star says that it is beyond chance, a question mark that nothing can be said."""
    if difference.value is None:
        return "–"
    mark = {True: " *", False: "", None: " ?"}[difference.beyond_chance]
    return format_value(difference.value, unit, sign=True) + mark


def list_keys(evaluations: Sequence[Evaluation], family: Family) -> list[Measure]:
    """Return the measures of a family that any of the evaluations has, each once."""
    found: dict[str, Measure] = {}
    for evaluation in evaluations:
        for measure in evaluation.measures:
            if measure.family == family:
                found.setdefault(measure.key, measure)
    return list(found.values())


def render_markdown(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison] = ()) -> str:
    """Return evaluations as a Markdown document: tables of all measures, distributions, and the worst examples."""
    return "\n".join(_render(evaluations, comparisons)) + "\n"


def _render(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison]) -> Iterator[str]:
    yield "# Evaluation"
    yield ""
    for evaluation in evaluations:
        yield f"- `{_code(evaluation.source)}`: {evaluation.dialogues:,} dialogues"
    yield ""
    yield (
        "In brackets: the 95 % interval over dialogues."
        + (
            f" A star marks a difference from `{_code(evaluations[0].source)}` beyond chance (adjusted p below 5 %), "
            "a question mark one that cannot be judged."
            if comparisons
            else ""
        )
    )
    for family, title in FAMILIES.items():
        measures = list_keys(evaluations, family)
        if measures:
            yield from ("", f"## {title}", "")
            yield from _render_family(measures, evaluations, comparisons)
    for evaluation in evaluations:
        heading = f" of `{_code(evaluation.source)}`" if len(evaluations) > 1 else ""
        yield from _render_distributions(evaluation, heading)
        yield from _render_worst(evaluation, heading)


def _render_family(
    measures: Sequence[Measure], evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison]
) -> Iterator[str]:
    headings = ["measure"]
    for place, evaluation in enumerate(evaluations):
        headings.append(_escape(evaluation.source))
        if comparisons and place:
            headings.append("difference")
    headings.append("note")
    yield _row(headings)
    yield _row(["---", *("--:" for _ in headings[1:-1]), "---"])
    for measure in measures:
        cells = [measure.label]
        for place, evaluation in enumerate(evaluations):
            own = {m.key: m for m in evaluation.measures}.get(measure.key)
            value = "–" if own is None else f"{format_value(own.value, own.unit)} "
            cells.append((value + (format_interval(own.low, own.high, own.unit) if own else "")).strip())
            if comparisons and place:
                by_key = {d.key: d for d in comparisons[place - 1].differences}
                difference = by_key.get(measure.key)
                cells.append(format_difference(difference, measure.unit) if difference else "")
        yield _row([*cells, _escape(measure.note)])


def _render_distributions(evaluation: Evaluation, heading: str) -> Iterator[str]:
    for distribution in evaluation.distributions:
        if not distribution.bins:
            continue
        expected = any(part.expected is not None for part in distribution.bins)
        yield from ("", f"### {distribution.label.capitalize()}{heading}", "")
        yield _row(["", "count", *(["due"] if expected else [])])
        yield _row(["---", "--:", *(["--:"] if expected else [])])
        for part in distribution.bins:
            due = [] if not expected else ["" if part.expected is None else f"{part.expected:,.0f}"]
            yield _row([_escape(part.label), f"{part.count:,.0f}", *due])


def _render_worst(evaluation: Evaluation, heading: str) -> Iterator[str]:
    labels = {measure.key: measure.label for measure in evaluation.measures}
    for key, examples in evaluation.worst.items():
        yield from ("", f"### Worst{heading}: {labels.get(key, key)}", "")
        for example in examples[:_EXAMPLES]:
            place = "" if example.message is None else f", message {example.message}"
            yield f"- {_escape(example.dialogue)} (line {example.line}{place}): {_escape(example.excerpt)}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    """Return a text that is nothing but text in Markdown, on one line."""
    line = " ".join(text.split())
    for sign in "\\`*_|<>[]":
        line = line.replace(sign, f"\\{sign}")
    return line


def _code(text: str) -> str:
    """Return a text for between backticks."""
    return " ".join(text.split()).replace("`", "'")
