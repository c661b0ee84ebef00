"""Natural language inference, by a cross-encoder or by a chat model: does the premise entail the hypothesis?"""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import TypeAdapter

from toolflow_graph.encoder.sentence import one_thread, quiet_loading
from toolflow_graph.errors import ContextLengthError, EncoderError, ModelOutputError, RequestError, SettingsError
from toolflow_graph.evaluation.asking import ask_each
from toolflow_graph.evaluation.verdict_cache import VerdictCache, key_verdict
from toolflow_graph.event_loop import run_coroutine
from toolflow_graph.models.client import ChatClient
from toolflow_graph.models.settings import ModelSettings
from toolflow_graph.prompts import BUNDLED, Prompts
from toolflow_graph.types import JSON, Record

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

__all__ = ["CrossEncoderNLI", "ModelNLI", "NLIBackend", "Pair"]

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


class CrossEncoderNLI:
    """A cross-encoder that was trained on NLI.

    Args:
        name: A sentence-transformers folder or an id of the hub, such as `cross-encoder/nli-deberta-v3-base`; its
            configuration must name the label `entailment`.

    Raises:
        EncoderError: It cannot be loaded, or does not say which of its labels is entailment.
    """

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
            "cross-encoder or an id that can be downloaded, or --nli-judge MODEL for a chat model"
        ) from exc


class _Verdict(Record):
    label: Literal["entailment", "neutral", "contradiction"]


_VERDICT = TypeAdapter(_Verdict)
_SCHEMA = _Verdict.model_json_schema()


class ModelNLI:
    """A chat model as judge of entailment, by the prompt `nli`; one request for each pair that is not known.

    Args:
        model: The one that is asked, under the name by which the endpoint knows it.
        settings: How it is reached, and what it may cost.
        prompts: Where `nli` is.
        cache: Verdicts of before, and where new ones go; none are kept without.
        open_client: Gives the client when the first verdict has to be asked for; without, one with `settings`.

    Raises:
        SettingsError: Several models are named.
    """

    def __init__(
        self,
        model: str,
        settings: ModelSettings,
        prompts: Prompts = BUNDLED,
        *,
        cache: VerdictCache | None = None,
        open_client: Callable[[], ChatClient] | None = None,
    ) -> None:
        if "," in model:
            raise SettingsError(f"entailment is judged by one model, not by a pool: {model!r}")
        self.name = f"chat model {model} with the prompt nli"
        self._model = model
        self._settings = settings.model_copy(update={"model": (model,)})
        self._prompt = prompts.fill("nli", random.Random(0))
        self._cache = cache
        self._open_client = open_client or (lambda: ChatClient(self._settings))

    def find_entailed(
        self, pairs: Sequence[Pair], on_progress: Callable[[int, int], None] | None = None
    ) -> list[bool | None]:
        """Return for each pair whether the model calls it an entailment.

        Raises:
            ModelError: The endpoint cannot be used.
            BudgetExceeded: The next request would pass a limit. The cache keeps the verdicts until then.
        """
        questions = [self._word(pair) for pair in pairs]
        keys = [key_verdict(self._model, self._settings.temperature, messages, _SCHEMA) for messages in questions]
        asked = dict(zip(keys, questions, strict=True))
        found: dict[str, _Verdict | None] = {}
        if self._cache is not None:
            known = self._cache.read(asked, _VERDICT)
            found.update(known)
        missing = {key: messages for key, messages in asked.items() if key not in found}

        def keep(key: str, verdict: _Verdict | None) -> None:
            found[key] = verdict
            if verdict is not None and self._cache is not None:
                self._cache.write(key, self._model, verdict.model_dump())
            if on_progress:
                on_progress(len(found), len(asked))

        if missing:
            run_coroutine(self._ask_all(missing, keep))
        verdicts = [found[key] for key in keys]
        return [None if verdict is None else verdict.label == "entailment" for verdict in verdicts]

    def _word(self, pair: Pair) -> list[JSON]:
        premise, hypothesis = pair
        return [
            {"role": "system", "content": self._prompt},
            {"role": "user", "content": f"Premise:\n{premise}\n\nHypothesis:\n{hypothesis}"},
        ]

    async def _ask_all(self, questions: Mapping[str, list[JSON]], keep: Callable[[str, _Verdict | None], None]) -> None:
        client = self._open_client()

        async def ask(key: str) -> None:
            try:
                answer = await client.complete("nli", self._model, questions[key], schema=_Verdict)
            except (ModelOutputError, RequestError, ContextLengthError):  # the trouble of this pair alone
                keep(key, None)
            else:
                keep(key, answer.value)

        await ask_each(client, questions, ask)
