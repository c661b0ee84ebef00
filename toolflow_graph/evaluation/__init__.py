"""How good a data set is: the paper's measures, and what a careful data engineer looks at besides."""

from toolflow_graph.evaluation.results import Bin, Distribution, Evaluation, Example, Measure

__all__ = ["Bin", "Distribution", "Evaluation", "Example", "Measure"]
