"""Natural language inference, by a cross-encoder or by a chat model: does the premise entail the hypothesis?"""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from toolflow_graph.encoder.sentence import one_thread, quiet_loading
from toolflow_graph.errors import ContextLengthError, EncoderError, ModelOutputError, RequestError, SettingsError
from toolflow_graph.event_loop import run_coroutine
from toolflow_graph.models.client import ChatClient
from toolflow_graph.models.settings import ModelSettings
from toolflow_graph.prompts import BUNDLED, Prompts
from toolflow_graph.types import Record

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

__all__ = ["CrossEncoderNLI", "ModelNLI", "NLIBackend", "Pair", "load_nli"]

Pair = tuple[str, str]
"""Premise and hypothesis."""

_BATCH = 8
_AT_ONCE = 64


class NLIBackend(Protocol):
    """Says of pairs whether the first text entails the second."""

    @property
    def name(self) -> str:
        """What the user called it, and of which kind it is."""

    def find_entailed(
        self, pairs: Sequence[Pair], on_progress: Callable[[int, int], None] | None = None
    ) -> list[bool | None]:
        """Return for each pair whether it is an entailment, None where no answer could be had.

        Reports how many are done and how many there are.
        """


def load_nli(name: str, models: ModelSettings | None = None, prompts: Prompts = BUNDLED) -> NLIBackend:
    """Return a backend by name: a chat model where `models` says how it is reached, else a cross-encoder.

    A cross-encoder is a sentence-transformers folder or an id of the hub, such as `cross-encoder/nli-deberta-v3-base`.
    Raises `EncoderError` when it cannot be loaded or does not say which of its labels is entailment, `ModelError` when
    the endpoint cannot be used.
    """
    return CrossEncoderNLI(name) if models is None else ModelNLI(name, models, prompts)


class CrossEncoderNLI:
    """A cross-encoder that was trained on NLI; its configuration must name the label `entailment`."""

    def __init__(self, name: str) -> None:
        self.name = f"cross-encoder {name}"
        self._model = _load_cross_encoder(name)
        labels = getattr(self._model.config, "id2label", None) or {}
        places = [int(place) for place, label in labels.items() if str(label).lower() == "entailment"]
        if len(places) != 1:
            raise EncoderError(
                f"{name!r} is no NLI model: none of its labels ({', '.join(map(str, labels.values())) or 'none'}) is "
                "'entailment'; give one like cross-encoder/nli-deberta-v3-base, or a folder with such a model"
            )
        self._entailment = places[0]

    def find_entailed(
        self, pairs: Sequence[Pair], on_progress: Callable[[int, int], None] | None = None
    ) -> list[bool | None]:
        """Return for each pair whether entailment is its likeliest label; long texts are cut by the model's limit."""
        entailed: list[bool | None] = []
        with one_thread():
            for start in range(0, len(pairs), _AT_ONCE):
                part = [(_clean(one), _clean(other)) for one, other in pairs[start : start + _AT_ONCE]]
                scores: Any = self._model.predict(part, batch_size=_BATCH, show_progress_bar=False)
                entailed += [int(row.argmax()) == self._entailment for row in scores]
                if on_progress:
                    on_progress(len(entailed), len(pairs))
        return entailed


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # tokenizers refuse lone surrogates


def _load_cross_encoder(name: str) -> "CrossEncoder":
    local = Path(name).is_dir()
    try:
        with quiet_loading(offline=local):
            from sentence_transformers import CrossEncoder  # noqa: PLC0415

            model: CrossEncoder = CrossEncoder(name, device="cpu", local_files_only=local)
            return model
    except Exception as exc:
        reason = str(exc).strip().split("\n", maxsplit=1)[0]
        raise EncoderError(
            f"the NLI model {name!r} cannot be loaded ({type(exc).__name__}: {reason}); give a folder that holds a "
            "cross-encoder or an id that can be downloaded, or --base-url URL for a chat model"
        ) from exc


class _Verdict(Record):
    label: Literal["entailment", "neutral", "contradiction"]


class ModelNLI:
    """A chat model as judge of entailment, by the prompt `nli`; one request a pair, at the pace of the endpoint."""

    def __init__(self, model: str, settings: ModelSettings, prompts: Prompts = BUNDLED) -> None:
        if "," in model:
            raise SettingsError(f"entailment is judged by one model, not by a pool: {model!r}")
        self.name = f"chat model {model} with the prompt nli"
        self._model = model
        self._client = ChatClient(settings.model_copy(update={"model": (model,)}))
        self._prompt = prompts.fill("nli", random.Random(0))

    def find_entailed(
        self, pairs: Sequence[Pair], on_progress: Callable[[int, int], None] | None = None
    ) -> list[bool | None]:
        """Return for each pair whether the model calls it an entailment; raises `ModelError` as `ChatClient` does."""
        return run_coroutine(self._judge(pairs, on_progress))

    async def _judge(self, pairs: Sequence[Pair], on_progress: Callable[[int, int], None] | None) -> list[bool | None]:
        done = 0

        async def judge(premise: str, hypothesis: str) -> bool | None:
            nonlocal done
            messages = [
                {"role": "system", "content": self._prompt},
                {"role": "user", "content": f"Premise:\n{premise}\n\nHypothesis:\n{hypothesis}"},
            ]
            try:
                answer = await self._client.complete("nli", self._model, messages, schema=_Verdict)
            except (ModelOutputError, RequestError, ContextLengthError):  # the trouble of this pair alone
                answer = None
            done += 1
            if on_progress:
                on_progress(done, len(pairs))
            return None if answer is None else answer.value.label == "entailment"

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(judge(*pair)) for pair in pairs]
        except ExceptionGroup as exc:
            raise exc.exceptions[0] from exc
        finally:
            await self._client.aclose()
        return [task.result() for task in tasks]
