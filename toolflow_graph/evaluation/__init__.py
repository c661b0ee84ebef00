"""How good a data set is: the paper's measures, and what a careful data engineer looks at besides.

Importing this loads no model; `docs/evaluation.md` says what each measure means.
"""

from toolflow_graph.evaluation.analysis import Analysis, EvaluationSettings, analyse_dialogues, evaluate_dialogues
from toolflow_graph.evaluation.comparison import Comparison, Difference, compare_analyses
from toolflow_graph.evaluation.rendering import render_markdown
from toolflow_graph.evaluation.results import Bin, Distribution, Evaluation, Example, Measure

__all__ = [
    "Analysis",
    "Bin",
    "Comparison",
    "Difference",
    "Distribution",
    "Evaluation",
    "EvaluationSettings",
    "Example",
    "Measure",
    "analyse_dialogues",
    "compare_analyses",
    "evaluate_dialogues",
    "render_markdown",
]
