"""The runner: many dialogues at once, interrupted and resumed at will; the only place for retry and concurrency."""

from toolflow_graph.runner.interface import agenerate, generate
from toolflow_graph.runner.manifest import Counts, Manifest, read_manifest
from toolflow_graph.runner.run import Run, RunEvent

__all__ = ["Counts", "Manifest", "Run", "RunEvent", "agenerate", "generate", "read_manifest"]
