"""Dialogues for trainers: a file per format, what each of them masks, splits by tool, and the files themselves.

`export_dialogues` yields the rows of one format; `write_export` makes the files of `toolflow export`.
"""

from toolflow_graph.export.examples import Example, Tally, make_examples
from toolflow_graph.export.formats import EXPORT_FORMATS, ExportFormat, export_dialogues
from toolflow_graph.export.job import ExportReport, write_export
from toolflow_graph.export.masks import find_untrained
from toolflow_graph.export.remote import stage_output
from toolflow_graph.export.splits import Footprint, Split, name_tool, read_footprint, split_by_tool

__all__ = [
    "EXPORT_FORMATS",
    "Example",
    "ExportFormat",
    "ExportReport",
    "Footprint",
    "Split",
    "Tally",
    "export_dialogues",
    "find_untrained",
    "make_examples",
    "name_tool",
    "read_footprint",
    "split_by_tool",
    "stage_output",
    "write_export",
]
