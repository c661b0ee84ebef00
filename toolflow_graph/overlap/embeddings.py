"""The cosine test: which text of the benchmark is nearest in meaning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.encoder import Encoder
from toolflow_graph.similarity import snap_embeddings

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_nearest"]

_ROWS = 1024


def find_nearest(
    encoder: Encoder, texts: Sequence[str], others: Sequence[str]
) -> "tuple[NDArray[np.float64], NDArray[np.int64]]":
    """Return for each text its largest cosine with one of the others, and the number of that one.

    Texts longer than the encoder reads are cut by it. Raises `EncoderError` when it cannot be loaded.
    """
    if not texts or not others:
        return np.zeros(0), np.zeros(0, np.int64)
    ours, theirs = snap_embeddings(encoder.encode(texts)), snap_embeddings(encoder.encode(others))
    narrow = np.asarray(theirs, np.float32).T
    nearest = np.concatenate(
        [
            (np.asarray(ours[start : start + _ROWS], np.float32) @ narrow).argmax(axis=1)
            for start in range(0, len(ours), _ROWS)
        ]
    )
    cosines = np.minimum(np.einsum("ij,ij->i", ours, theirs[nearest]), 1.0)
    return cosines, nearest
