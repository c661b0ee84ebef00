"""An ablation as text: the paper's table with ours beside it, and all arms."""

from collections.abc import Iterator, Sequence

from toolflow_graph.ablation.arms import FULL
from toolflow_graph.ablation.contrasts import Ablation, Contrast
from toolflow_graph.evaluation import render_markdown
from toolflow_graph.evaluation.rendering import format_interval, format_value

__all__ = ["ARM_KEYS", "CONTRAST_HEADINGS", "list_caveats", "render_ablation", "write_arms", "write_contrasts"]

ARM_KEYS = (
    "dialogues",
    "turns_per_dialogue",
    "calls_per_dialogue",
    "h",
    "d3",
    "ss",
    "enr",
    "coh",
    "sequential_dialogues",
    "unrelated_tools",
    "tool_coverage",
)
"""Measures of the short table of arms, as far as there are such."""

CONTRAST_HEADINGS = ("measure", "part", "paper", "Δ", "here", "Δ [95 %]", "beyond chance")


def write_contrasts(ablation: Ablation) -> list[list[str]]:
    """Return the rows of the paper's table: each figure without the part → with it, there and here."""
    return [_write_contrast(contrast) for contrast in ablation.contrasts]


def write_arms(ablation: Ablation) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the short table of arms, with intervals."""
    headings = ["measure", *ablation.arms]
    rows = []
    for key in ARM_KEYS:
        found = [next((m for m in evaluation.measures if m.key == key), None) for evaluation in ablation.evaluations]
        if any(measure is not None and measure.value is not None for measure in found):
            label = next(measure.label for measure in found if measure is not None)
            cells = [
                f"{format_value(m.value, m.unit)} {format_interval(m.low, m.high, m.unit)}".strip() if m else "–"
                for m in found
            ]
            rows.append([label, *cells])
    return headings, rows


def list_caveats(contrasts: Sequence[Contrast]) -> list[str]:
    """Return what the figures cannot show and why some are missing, each once."""
    told = [f"{contrast.label}: {contrast.note}." for contrast in contrasts if contrast.full is None]
    told += [f"{contrast.label}, Δ: {contrast.note}." for contrast in contrasts if contrast.value and contrast.note]
    for part in ("graph", "plan"):
        caveats = {contrast.caveat for contrast in contrasts if contrast.part == part and contrast.caveat}
        told += [f"The {part}, played by rules: {caveat}." for caveat in sorted(caveats)]
    return told


def render_ablation(ablation: Ablation) -> str:
    """Return the ablation as a Markdown document: the contrasts, the arms, then all measures of all arms."""
    return "\n".join(_render(ablation)) + "\n"


def _render(ablation: Ablation) -> Iterator[str]:
    run = ablation.settings["generation"]
    yield from ("# Ablation", "")
    yield (
        f"{run['dialogues']:,} dialogues an arm, seed {run['seed']}, cast {run['cast']}. Figures stand as without the "
        f"part → with it; Δ is what the part adds, p adjusted for all differences between the arms (Holm)."
    )
    yield ""
    yield from _table(CONTRAST_HEADINGS, write_contrasts(ablation))
    yield ""
    for caveat in list_caveats(ablation.contrasts):
        yield f"- {caveat}"
    yield from ("", "## Arms", "", f"`{FULL}` is the whole method.", "")
    headings, rows = write_arms(ablation)
    yield from _table(headings, rows)
    yield ""
    yield "#" + render_markdown(ablation.evaluations, ablation.comparisons).rstrip("\n").replace("\n#", "\n##")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"| --- |{' --: |' * (len(headings) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _write_contrast(contrast: Contrast) -> list[str]:
    digits = 4 if contrast.key == "d3" else 2

    def show(value: float | None, *, sign: bool = False) -> str:
        return "–" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"

    paper = f"{contrast.paper_without:g} → {contrast.paper_full:g}"
    added = f"{contrast.paper_full - contrast.paper_without:+.4g}"
    if contrast.full is None:
        return [contrast.label, contrast.part, paper, added, "not measured", "–", "–"]
    bounds = "" if contrast.low is None else f" [{show(contrast.low, sign=True)}, {show(contrast.high, sign=True)}]"
    verdict = {True: "yes", False: "no", None: "cannot be said"}[contrast.beyond_chance]
    here = f"{show(contrast.without)} → {show(contrast.full)}"
    return [contrast.label, contrast.part, paper, added, here, show(contrast.value, sign=True) + bounds, verdict]
