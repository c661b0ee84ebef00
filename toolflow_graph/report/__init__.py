"""Pages to look at: each one file that opens in a browser and asks the network for nothing."""

from toolflow_graph.report.gathering import GatheredRun, gather_run
from toolflow_graph.report.graph_page import GraphPage, render_graph_page
from toolflow_graph.report.report_page import render_report

__all__ = ["GatheredRun", "GraphPage", "gather_run", "render_graph_page", "render_report"]
