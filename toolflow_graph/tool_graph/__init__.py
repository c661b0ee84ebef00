"""The Tool Graph: which tools take the same values (P-P), and which return what others take (P-R)."""

from toolflow_graph.tool_graph.build import DEFAULT_TAU, EDGES, Edges, build_tool_graph
from toolflow_graph.tool_graph.graph import ToolGraph
from toolflow_graph.tool_graph.summary import GraphSummary, HubSlot

__all__ = ["DEFAULT_TAU", "EDGES", "Edges", "GraphSummary", "HubSlot", "ToolGraph", "build_tool_graph"]
