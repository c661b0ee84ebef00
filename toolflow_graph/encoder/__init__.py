"""Sentence encoders: strings become L2-normalised vectors, kept by content in the user's cache folder.

Heavy libraries (torch, sentence-transformers, ONNX Runtime) are imported when a string is not in the cache.
"""

from toolflow_graph.encoder.cache import CACHE_VARIABLE, EmbeddingCache, find_cache_folder
from toolflow_graph.encoder.loading import load_encoder
from toolflow_graph.encoder.sentence import BACKENDS, DEFAULT_ENCODER, Backend, Encoder, SentenceEncoder
from toolflow_graph.encoder.transient import TransientEncoder

__all__ = [
    "BACKENDS",
    "CACHE_VARIABLE",
    "DEFAULT_ENCODER",
    "Backend",
    "EmbeddingCache",
    "Encoder",
    "SentenceEncoder",
    "TransientEncoder",
    "find_cache_folder",
    "load_encoder",
]
