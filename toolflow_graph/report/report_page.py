"""The report on runs: one page with figures, the Tool Graph and every dialogue, for one run or several side by side."""

from collections import Counter
from collections.abc import Iterator, Sequence

from toolflow_graph.evaluation import Comparison
from toolflow_graph.report.comparison import lay_measures
from toolflow_graph.report.gathering import GatheredRun
from toolflow_graph.report.graph_page import GRAPH_ASSETS
from toolflow_graph.report.page import Assets, render_page

__all__ = ["render_report"]

_ASSETS = Assets(
    ("report/page.css", "report/figures.css", "report/browser.css", "report/dialogue.css"),
    (
        "vendor/d3.min.js",
        "vendor/plot.umd.min.js",
        *(
            f"report/{name}.js"
            for name in (
                *("elements", "store", "search", "filters", "list", "json", "provenance", "calls", "dialogue", "plan"),
                *("plots", "summary", "mix", "reach", "metrics", "findings", "graph_frame", "address", "keys", "start"),
            )
        ),
    ),
)
_PLOT_STYLE = Assets(("report/plot_inserted.css",))
_HERE = "\N{SYMBOL FOR NULL}packed\N{SYMBOL FOR NULL}"


def render_report(runs: Sequence[GatheredRun], comparisons: Sequence[Comparison] = ()) -> Iterator[bytes]:
    """Yield the page of a report piece by piece; `comparisons` are those of the other runs with the first.

    Raises `ResourceError` when the installation lacks a file of the page.
    """
    names = _tell_apart([run.told["name"] for run in runs])
    data = {
        "runs": [{**run.told, "name": name, "graph": bool(run.graph)} for run, name in zip(runs, names, strict=True)],
        "measures": lay_measures([run.evaluation for run in runs], comparisons),
    }
    title = " and ".join(names)
    page = render_page(
        "report/report.html", f"Report: {title}", _ASSETS, data, inserted=(_PLOT_STYLE, GRAPH_ASSETS), lines=_HERE
    )
    head, tail = page.rsplit(_HERE, 1)
    yield head.encode()
    for number, run in enumerate(runs):
        packs = {"index": run.packed.index, "tools": run.packed.tools, "graph": run.graph or ""}
        packs |= {str(place): chunk for place, chunk in enumerate(run.packed.chunks)}
        for name, text in packs.items():
            yield f'<script type="text/plain" id="pack-{number}-{name}">{text}</script>\n'.encode()
    yield tail.encode()


def _tell_apart(names: list[str]) -> list[str]:
    """Return the names, numbered where two runs are called the same."""
    counts, seen = Counter(names), Counter[str]()
    told = []
    for name in names:
        seen[name] += 1
        told.append(f"{name} ({seen[name]})" if counts[name] > 1 else name)
    return told
