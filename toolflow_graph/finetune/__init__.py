"""Fine-tunes a base model on dialogues, by TRL: supervised, or on preference pairs."""

from toolflow_graph.finetune.base import DEFAULT_BASE, Base, load_base
from toolflow_graph.finetune.examples import Encoding, TrainingExample, encode_dialogues
from toolflow_graph.finetune.settings import FinetuneSettings, parse_finetune_settings
from toolflow_graph.finetune.train import finetune
from toolflow_graph.finetune.trainer import FinetuneReport

__all__ = [
    "DEFAULT_BASE",
    "Base",
    "Encoding",
    "FinetuneReport",
    "FinetuneSettings",
    "TrainingExample",
    "encode_dialogues",
    "finetune",
    "load_base",
    "parse_finetune_settings",
]
