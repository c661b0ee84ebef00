"""An encoder for texts that are not worth keeping on disk."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.encoder.sentence import SentenceEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TransientEncoder"]


class TransientEncoder:
    """An encoder for texts that belong to one dialogue: it keeps the latest in memory, and writes none to disk.

    Args:
        encoder: Encodes what is not remembered.
        most: Texts that are remembered.
    """

    def __init__(self, encoder: SentenceEncoder, most: int = 16384) -> None:
        self._encoder = encoder
        self._most = most
        self._known: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What the user called it."""
        return self._encoder.name

    @property
    def dimension(self) -> int:
        """Length of its vectors."""
        return self._encoder.dimension

    def encode(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Return one L2-normalised row per text; raises `EncoderError` when the model cannot load."""
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        found.update(zip(missing, self._encoder.encode(missing, keep=False), strict=True))
        with self._lock:
            for text in texts:
                self._known[text] = found[text]
                self._known.move_to_end(text)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return np.stack([found[text] for text in texts]) if texts else np.zeros((0, self.dimension), np.float32)
