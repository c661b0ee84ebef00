"""Overlap of a data set with a benchmark: the paper's two leakage tests, and the data set without what leaks."""

from toolflow_graph.overlap.benchmark import Benchmark, load_benchmarks
from toolflow_graph.overlap.leaks import find_overlap
from toolflow_graph.overlap.results import Match, Overlap

__all__ = ["Benchmark", "Match", "Overlap", "find_overlap", "load_benchmarks"]
