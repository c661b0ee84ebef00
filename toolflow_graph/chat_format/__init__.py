"""How a base writes a dialogue down: its chat template, where the assistant's words stand in it, and its calls."""

from toolflow_graph.chat_format.format import ChatFormat, find_chat_format
from toolflow_graph.chat_format.reading import ReadAnswer, read_answer
from toolflow_graph.chat_format.rendering import RenderedDialogue, render_dialogue, render_prompt

__all__ = [
    "ChatFormat",
    "ReadAnswer",
    "RenderedDialogue",
    "find_chat_format",
    "read_answer",
    "render_dialogue",
    "render_prompt",
]
