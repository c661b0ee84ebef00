"""An encoder in ONNX Runtime: exported once from its sentence-transformers model, checked against it, and kept.

The export lies in the cache folder. It takes token ids and returns normalised embeddings; an export whose vectors
differ from the model's is an error and is not kept.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolflow_graph.encoder.cache import find_cache_folder
from toolflow_graph.errors import EncoderError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

__all__ = ["OnnxModel", "load_onnx_model"]

_FORMAT = 1  # part of the file's name: change it when the export changes
_TOLERANCE = 1e-5
_PROBES = ("order_id: Identifier of the order", "q: ", "city: Name of the city in which the hotel that is booked lies")
_INSTALL = "pip install 'toolflow-graph[onnx]'"


class OnnxModel:
    """Encodes token ids of equal length; `tokenizer` and `max_seq_length` are those of the original."""

    def __init__(self, path: Path, tokenizer: Any, max_seq_length: int | None) -> None:
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [part.name for part in self._session.get_inputs()]
        self.tokenizer = tokenizer
        self.max_seq_length = max_seq_length

    def encode(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Return one row per text; all have the same number of tokens."""
        limit = self.max_seq_length
        tokens = self.tokenizer(list(texts), truncation=limit is not None, max_length=limit, return_tensors="np")
        rows: NDArray[np.float32] = self._session.run(None, {name: tokens[name] for name in self._inputs})[0]
        return rows


def load_onnx_model(fingerprint: str, load: Callable[[], "SentenceTransformer"]) -> OnnxModel:
    """Return the model in ONNX Runtime; exports it first where the cache folder does not hold it yet.

    Raises:
        EncoderError: A package is missing, or the model cannot be exported faithfully.
    """
    try:
        import onnxruntime  # noqa: F401, PLC0415
    except ImportError as exc:
        raise EncoderError(f"the onnx backend needs a package that is not installed ({exc}); {_INSTALL}") from exc
    model = load()
    limit = model.max_seq_length
    path = find_cache_folder() / f"onnx-{_FORMAT}" / f"{fingerprint.replace('/', '-')[:80]}.onnx"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            fresh = Path(folder) / path.name
            _export(model, fresh)
            _check(OnnxModel(fresh, model.tokenizer, limit), model)
            os.replace(fresh, path)  # noqa: PTH105
    return OnnxModel(path, model.tokenizer, limit)


def _export(model: "SentenceTransformer", path: Path) -> None:
    import torch  # noqa: PLC0415

    names = list(model.tokenizer.model_input_names)

    class Pipeline(torch.nn.Module):
        """The whole model, from token ids to normalised embeddings, with tensors for arguments."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tokens: torch.Tensor) -> torch.Tensor:
            rows = self.model(dict(zip(names, tokens, strict=True)))["sentence_embedding"]
            return torch.nn.functional.normalize(rows, dim=1)

    tokens = model.tokenizer(list(_PROBES[:1]) * 2, return_tensors="pt")
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # the exporter reports every optional package that is not there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: Any = torch.onnx.export(
                Pipeline().eval(),
                tuple(tokens[name] for name in names),
                dynamo=True,
                dynamic_shapes=(tuple(sizes for _ in names),),
                input_names=names,
                output_names=["vectors"],
                verbose=False,
            )
            program.save(str(path))
    except ImportError as exc:
        raise EncoderError(f"exporting to onnx needs a package that is not installed ({exc}); {_INSTALL}") from exc
    except Exception as exc:
        reason = str(exc).strip().split("\n", maxsplit=1)[0]
        raise EncoderError(f"the encoder cannot be exported to onnx ({reason}); use the torch backend") from exc
    finally:
        logging.disable(level)


def _check(exported: OnnxModel, model: "SentenceTransformer") -> None:
    for text in _PROBES:
        expected = model.encode([text], normalize_embeddings=True, show_progress_bar=False)
        difference = float(np.abs(exported.encode([text]) - expected).max())
        if not difference <= _TOLERANCE:
            raise EncoderError(
                f"the encoder exported to onnx differs from the original by {difference:.1e}; use the torch backend"
            )
