"""Pages to look at: each one file that opens in a browser and asks the network for nothing."""

from toolflow_graph.report.graph_page import GraphPage, render_graph_page

__all__ = ["GraphPage", "render_graph_page"]
