"""What the graph and the plan are worth: the paper's ablation, played, measured and set beside the paper's figures."""

from toolflow_graph.ablation.arms import Arm, list_arms, open_arm
from toolflow_graph.ablation.contrasts import Ablation, Contrast, measure_arms
from toolflow_graph.ablation.rendering import render_ablation

__all__ = ["Ablation", "Arm", "Contrast", "list_arms", "measure_arms", "open_arm", "render_ablation"]
