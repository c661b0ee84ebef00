"""The embedded encoder without sentence-transformers, whose import takes five times as long as that of torch.

It computes what sentence-transformers computes with these weights, operation by operation, so its vectors are the same
to the last bit (`tests/test_retriever.py`). Architecture: all-MiniLM-L6-v2, a BERT of six layers (arXiv 1810.04805)
whose last hidden states are averaged and normalised (arXiv 1908.10084).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["MiniLM"]

_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12
_MAX_TOKENS = 256


class MiniLM:
    """Encodes texts of equal token length by the model in a folder: `model.safetensors` and `tokenizer.json`."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file  # noqa: PLC0415 - imports torch
        from tokenizers import Tokenizer  # noqa: PLC0415

        self._weights: dict[str, Tensor] = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]

    def encode(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Return one L2-normalised row per text; all have the same number of tokens."""
        import torch  # noqa: PLC0415

        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        with torch.inference_mode():
            rows: NDArray[np.float32] = self._embed(torch.tensor(ids)).numpy()
        return rows

    def _embed(self, ids: "Tensor") -> "Tensor":
        from torch.nn.functional import gelu, normalize, scaled_dot_product_attention  # noqa: PLC0415

        words, types, places = (self._weights[f"embeddings.{name}_embeddings.weight"] for name in _EMBEDDINGS)
        states = self._norm(words[ids] + types[0] + places[: ids.shape[1]], "embeddings")
        for layer in range(_LAYERS):
            name = f"encoder.layer.{layer}"
            query, key, value = (
                self._project(states, f"{name}.attention.self.{part}").view(*ids.shape, _HEADS, -1).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            seen = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
            seen = self._project(seen, f"{name}.attention.output.dense")
            states = self._norm(seen + states, f"{name}.attention.output")
            thought = gelu(self._project(states, f"{name}.intermediate.dense"))
            states = self._norm(self._project(thought, f"{name}.output.dense") + states, f"{name}.output")
        # Twice, as sentence-transformers does: once as part of the model, once when asked for normalised embeddings.
        return normalize(normalize(states.mean(1)))

    def _project(self, states: "Tensor", name: str) -> "Tensor":
        from torch.nn.functional import linear  # noqa: PLC0415

        return linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, states: "Tensor", name: str) -> "Tensor":
        from torch.nn.functional import layer_norm  # noqa: PLC0415

        scale, shift = (self._weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return layer_norm(states, scale.shape, scale, shift, _EPSILON)


_EMBEDDINGS = ("word", "token_type", "position")
