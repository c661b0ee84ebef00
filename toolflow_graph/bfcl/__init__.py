"""The Berkeley Function-Calling Leaderboard, run on a local model or an endpoint with the benchmark's own checker.

Source: Patil et al., "The Berkeley Function Calling Leaderboard", ICML 2025; the package `bfcl-eval` (Apache-2.0) holds
its cases (v4) and its checker.
"""

from toolflow_graph.bfcl.answerers import Answer, Answerer, EndpointAnswerer, LocalAnswerer, Question
from toolflow_graph.bfcl.cases import CATEGORIES, Case, load_cases
from toolflow_graph.bfcl.checker import Checker
from toolflow_graph.bfcl.play import CaseResult, play_cases
from toolflow_graph.bfcl.scores import CategoryScore, ModelScores, score_results

__all__ = [
    "CATEGORIES",
    "Answer",
    "Answerer",
    "Case",
    "CaseResult",
    "CategoryScore",
    "Checker",
    "EndpointAnswerer",
    "LocalAnswerer",
    "ModelScores",
    "Question",
    "load_cases",
    "play_cases",
    "score_results",
]
