"""Exact cosines and exact search (FAISS): which rows of embeddings are similar.

A cosine is decided in one way everywhere. Embeddings are snapped to multiples of 2^-24 (an error below float32's own),
so that inner products are sums of integers under 2^53 and therefore *exact* in float64, whatever the order of
summation, BLAS or number of threads. FAISS, which computes in float32, only proposes candidates.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from toolflow_graph.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["find_similar_pairs", "rounding_margin", "snap_embeddings"]

_GRID = float(2**24)
_ROWS = 1024
_CHECKED_AT_ONCE = 4096
_FEW = 2048
"""So many rows are compared in full: turning them would take longer."""


def snap_embeddings(vectors: "NDArray[np.floating[Any]]") -> "NDArray[np.float64]":
    """Normalise rows and round them to multiples of 2^-24; inner products of such rows are exact in float64.

    Raises `EncoderError` for a row that has no direction (zero, infinite or not a number).
    """
    wide = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise EncoderError("the encoder returned a vector that is zero or not finite; use another encoder")
    snapped: NDArray[np.float64] = np.rint(wide / norms * _GRID) / _GRID
    return snapped


def rounding_margin(dimension: int) -> float:
    """Return twice the worst error of an inner product of unit vectors in float32."""
    return 2.0 * (dimension + 1) / _GRID


def find_similar_pairs(
    snapped: "NDArray[np.floating[Any]]", tau: float, *, start: int = 0
) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]":
    """Return all pairs of rows i < j whose cosine is greater than tau, ordered, and their cosines (at most 1).

    Args:
        snapped: Rows from `snap_embeddings`; as float32 they are the same, and half as large.
        tau: Cosines must be greater than this.
        start: Only pairs with j from here on; the rows before it have been compared already.
    """
    found = [_check(snapped, rows, columns, tau) for rows, columns in _propose(snapped, tau, start)]
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    rows, columns, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((columns, rows))
    return rows[order], columns[order], cosines[order]


def _propose(
    snapped: "NDArray[np.floating[Any]]", tau: float, start: int
) -> "Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]":
    """Yield pairs in blocks, among them all with a cosine above tau.

    Each block of rows is added to a FAISS index and then searched in it, so every pair is met once.
    """
    import faiss  # noqa: PLC0415

    bounds = _bound_rows(snapped)
    radius = tau - rounding_margin(snapped.shape[1])
    index: Any = faiss.IndexFlatIP(bounds.shape[1])
    index.add(bounds[:start])
    for top in range(start, len(bounds), _ROWS):
        block = bounds[top : top + _ROWS]
        index.add(block)
        usual = faiss.cvar.distance_compute_blas_threshold
        faiss.cvar.distance_compute_blas_threshold = 1  # matrix products: six times as fast as row by row
        try:
            limits, _, found = index.range_search(block, radius)
        finally:
            faiss.cvar.distance_compute_blas_threshold = usual
        columns = np.repeat(np.arange(top, top + len(block)), np.diff(limits.astype(np.int64)))
        earlier = found < columns
        yield found[earlier].astype(np.int64), columns[earlier]


def _bound_rows(snapped: "NDArray[np.floating[Any]]") -> "NDArray[np.float32]":
    """Return shorter rows whose inner products are never below those of the given ones, but for rounding.

    The rows are turned to their principal axes and the first quarter of the coordinates is kept; the length of the rest
    becomes one more coordinate, since by Cauchy and Schwarz the rest adds no more than the product of the lengths.
    """
    kept = snapped.shape[1] // 4
    if len(snapped) < _FEW or kept < 8:
        return np.ascontiguousarray(snapped, np.float32)
    sample = snapped[:: -(-len(snapped) // (4 * _FEW))].astype(np.float64)
    axes = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :kept]
    bounds = np.empty((len(snapped), kept + 1), np.float32)
    for at in range(0, len(snapped), _CHECKED_AT_ONCE):
        wide = snapped[at : at + _CHECKED_AT_ONCE].astype(np.float64)
        turned = wide @ axes
        rest = np.einsum("ij,ij->i", wide, wide) - np.einsum("ij,ij->i", turned, turned)
        bounds[at : at + len(wide), :kept] = turned
        bounds[at : at + len(wide), kept] = np.sqrt(np.maximum(rest, 0))
    return bounds


def _check(
    snapped: "NDArray[np.floating[Any]]", rows: "NDArray[np.int64]", columns: "NDArray[np.int64]", tau: float
) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]":
    """Keep the pairs whose exact cosine is above tau."""
    cosines = np.empty(len(rows))
    for at in range(0, len(rows), _CHECKED_AT_ONCE):
        part = slice(at, at + _CHECKED_AT_ONCE)
        one, other = snapped[rows[part]].astype(np.float64), snapped[columns[part]].astype(np.float64)
        cosines[part] = np.minimum(np.einsum("ij,ij->i", one, other), 1.0)
    kept = cosines > tau
    return rows[kept], columns[kept], cosines[kept]
