"""The runner: many dialogues at once, interrupted and resumed at will; the only place for retry and concurrency."""

from toolflow_graph.runner.costs import Costs
from toolflow_graph.runner.estimate import Estimate, estimate_run
from toolflow_graph.runner.interface import agenerate, generate
from toolflow_graph.runner.manifest import Counts, Manifest, read_manifest
from toolflow_graph.runner.run import Run, RunEvent

__all__ = [
    "Costs",
    "Counts",
    "Estimate",
    "Manifest",
    "Run",
    "RunEvent",
    "agenerate",
    "estimate_run",
    "generate",
    "read_manifest",
]
