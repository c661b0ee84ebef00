"""Search: which slots mean about the same, and which texts (FAISS)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.encoder import Encoder, SentenceEncoder
from toolflow_graph.pair_cache import PairCache
from toolflow_graph.similarity import find_similar_pairs, rounding_margin, snap_embeddings

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SlotRetriever", "TextRetriever"]

_SNAPPED_AT_ONCE = 8192
_WORTH_KEEPING = 2000
"""Fewer strings are searched faster than a file of earlier results is read."""


class SlotRetriever:
    """Finds the slot strings that mean about the same.

    Of a large catalog the pairs are kept beside the embeddings. Then a string is encoded and searched once: a catalog
    that has grown costs what is new in it, and one that has not needs neither encoder nor search.

    Args:
        strings: Slots as `{Name}: {Description}`, each once.
        encoder: Encodes them.
    """

    def __init__(self, strings: Sequence[str], encoder: Encoder) -> None:
        self.strings = tuple(strings)
        self._encoder = encoder

    def find_pairs(self, tau: float) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]":
        """Return the pairs of different strings (i < j) with cosine > tau, ordered, and their cosines."""
        identity = self._encoder.identity if isinstance(self._encoder, SentenceEncoder) else None
        if identity is None or len(self.strings) < _WORTH_KEEPING:
            return find_similar_pairs(self._embed(np.arange(len(self.strings))), tau)
        cache = PairCache(identity, tau)
        known = cache.find(self.strings)
        rows, columns, cosines = known.rows, known.columns, known.cosines
        fresh = np.setdiff1d(np.arange(len(self.strings)), known.known)
        if len(fresh):
            order = np.concatenate((known.known, fresh))
            one, other, found = find_similar_pairs(self._embed(order), tau, start=len(known.known))
            one, other = order[one], order[other]
            rows = np.concatenate((rows, np.minimum(one, other)))
            columns = np.concatenate((columns, np.maximum(one, other)))
            cosines = np.concatenate((cosines, found))
        ordered = np.lexsort((columns, rows))
        rows, columns, cosines = rows[ordered], columns[ordered], cosines[ordered]
        if len(fresh):
            cache.write(self.strings, rows, columns, cosines)
        return rows, columns, cosines

    def _embed(self, order: "NDArray[np.int64]") -> "NDArray[np.float32]":
        """Return the snapped embeddings of the strings in an order, as float32, which holds them without loss."""
        if not len(order):
            return np.zeros((0, 1), np.float32)
        vectors = self._encoder.encode([self.strings[place] for place in order.tolist()])
        snapped = np.empty(vectors.shape, np.float32)
        for start in range(0, len(vectors), _SNAPPED_AT_ONCE):
            part = slice(start, start + _SNAPPED_AT_ONCE)
            snapped[part] = snap_embeddings(vectors[part])
        return snapped


class TextRetriever:
    """Finds the texts that are nearest in meaning to a text.

    Args:
        texts: The texts to search.
        encoder: Encodes them, and later the queries.
    """

    def __init__(self, texts: Sequence[str], encoder: Encoder) -> None:
        import faiss  # noqa: PLC0415

        self._encoder = encoder
        self._snapped = snap_embeddings(encoder.encode(texts)) if texts else np.zeros((0, 1))
        self._index = faiss.IndexFlatIP(self._snapped.shape[1])
        self._index.add(self._snapped.astype(np.float32))  # lossless: multiples of 2^-24 up to 1

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._snapped)

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """Return the positions of the k nearest texts with their cosines, best first, ties by position."""
        return self._search(snap_embeddings(self._encoder.encode([query])), k) if len(self) else []

    def nearest(self, position: int, k: int) -> list[tuple[int, float]]:
        """Return the k texts nearest to one of the texts, itself left out; encodes nothing."""
        hits = self._search(self._snapped[position : position + 1], k + 1)
        return [hit for hit in hits if hit[0] != position][:k]

    def cosine(self, one: int, other: int) -> float:
        """Return how near two of the texts are."""
        return min(float(self._snapped[one] @ self._snapped[other]), 1.0)

    def _search(self, query: "NDArray[np.float64]", k: int) -> list[tuple[int, float]]:
        narrow = query.astype(np.float32)
        scores, _ = self._index.search(narrow, min(k, len(self)))
        _, _, found = self._index.range_search(narrow, float(scores[0, -1]) - 2 * rounding_margin(query.shape[1]))
        candidates = np.sort(found)
        cosines = np.minimum(self._snapped[candidates] @ query[0], 1.0)
        order = np.lexsort((candidates, -cosines))[:k]
        return [(int(candidates[i]), float(cosines[i])) for i in order]
