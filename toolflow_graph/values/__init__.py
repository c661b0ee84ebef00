"""Values of slots: what they mean, drawing believable ones, putting them into words, and finding them in words."""

from toolflow_graph.values.coherence import coherent
from toolflow_graph.values.draw import draw_value
from toolflow_graph.values.grounding import supports
from toolflow_graph.values.kinds import Kind, kind_of
from toolflow_graph.values.references import is_identifier, is_reference
from toolflow_graph.values.sentence_frames import frame_of
from toolflow_graph.values.tense import fits_tense
from toolflow_graph.values.words import Style, say

__all__ = [
    "Kind",
    "Style",
    "coherent",
    "draw_value",
    "fits_tense",
    "frame_of",
    "is_identifier",
    "is_reference",
    "kind_of",
    "say",
    "supports",
]
