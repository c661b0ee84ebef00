"""Who answers the benchmark's questions: a model on this machine, or one behind an OpenAI-compatible endpoint."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from toolflow_graph.chat_format import ChatFormat, find_chat_format, read_answer, render_prompt
from toolflow_graph.devices import computes_bf16, find_device
from toolflow_graph.errors import BenchmarkError, ContextLengthError, ModelOutputError
from toolflow_graph.event_loop import run_coroutine
from toolflow_graph.models import ChatClient
from toolflow_graph.types import JSON

__all__ = ["Answer", "Answerer", "EndpointAnswerer", "LocalAnswerer", "Question"]


@dataclass(frozen=True)
class Question:
    """A conversation whose next turn is the assistant's, and the tools on offer, in OpenAI's form."""

    messages: tuple[JSON, ...]
    tools: tuple[JSON, ...]


@dataclass(frozen=True)
class Answer:
    """What a model answered: `calls` are (name, arguments); `unread` says why its calls could not be read."""

    text: str = ""
    calls: tuple[tuple[str, JSON], ...] = ()
    unread: str = ""


class Answerer(Protocol):
    """A model that is measured."""

    name: str
    batch: int
    """Questions that it is best asked at once."""

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions, each for itself and greedily."""
        ...


class EndpointAnswerer:
    """A model behind an OpenAI-compatible endpoint, asked with native tools; nothing is mended or asked again.

    Raises `ModelError` when the endpoint cannot be used, `BudgetExceeded` at the client's limits.
    """

    def __init__(self, client: ChatClient, model: str, batch: int = 32) -> None:
        self.name = model
        self.batch = batch
        self._client = client

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask all at once."""

        async def ask_all() -> list[Answer]:
            try:
                return list(await asyncio.gather(*map(self._ask, questions)))
            finally:
                await self._client.aclose()

        return run_coroutine(ask_all())

    async def _ask(self, question: Question) -> Answer:
        try:
            completion = await self._client.complete("bfcl", self.name, question.messages, tools=question.tools)
        except ModelOutputError as exc:
            last = exc.attempts[-1] if exc.attempts else None
            return Answer(last.text if last else "", unread=str(exc))
        except ContextLengthError as exc:
            return Answer(unread=str(exc))
        bad = next((call.parse_error for call in completion.calls if call.parse_error), None)
        if bad:
            return Answer(completion.text, unread=bad)
        return Answer(completion.text, tuple((call.name, call.arguments) for call in completion.calls))


class LocalAnswerer:
    """A model in Hugging Face form, run here by transformers, on the GPU where there is one.

    `source` is a folder or an id; `template` a chat template to use instead of the model's own. Calls are read strictly
    in the format of the template. Raises `BenchmarkError` when the model cannot be loaded, `ChatFormatError` when its
    template can neither render tools nor be replaced, or when its way of writing calls is not known.
    """

    def __init__(self, source: str, *, template: str | None = None, batch: int = 8, max_new_tokens: int = 512) -> None:
        import torch  # noqa: PLC0415 - a second that an endpoint does not need
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

        dtype = torch.bfloat16 if computes_bf16() else torch.float32
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source, padding_side="left")
            model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
        except (OSError, ValueError) as exc:
            raise BenchmarkError(f"model {source!r} cannot be loaded: {' '.join(str(exc).split())}") from exc
        self.name = Path(source).name or source
        self.batch = batch
        self.format: ChatFormat = find_chat_format(self._tokenizer, template)
        self._model = model.to(find_device()).eval()
        self._max_new_tokens = max_new_tokens
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token_id = self._tokenizer.eos_token_id
        self._ends = sorted({self._tokenizer.eos_token_id, *self._find_turn_ends()})

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Generate greedily, prompts of similar length together."""
        prompts = [render_prompt(self._tokenizer, self.format, q.messages, q.tools) for q in questions]
        ids = [self._tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
        answers = [Answer()] * len(questions)
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        for start in range(0, len(order), self.batch):
            places = order[start : start + self.batch]
            fitting = [place for place in places if len(ids[place]) + self._max_new_tokens <= self._longest()]
            for place in set(places).difference(fitting):
                answers[place] = Answer(unread=f"the prompt has {len(ids[place])} tokens, more than the model can read")
            for place, text in zip(fitting, self._generate([ids[place] for place in fitting]), strict=True):
                read = read_answer(self._tokenizer, self.format, text, prompts[place])
                answers[place] = Answer(read.text, read.calls, read.unread)
        return answers

    def _generate(self, prompts: Sequence[Sequence[int]]) -> list[str]:
        import torch  # noqa: PLC0415

        if not prompts:
            return []
        padded = self._tokenizer.pad({"input_ids": list(prompts)}, padding=True, return_tensors="pt")
        padded = padded.to(self._model.device)
        with torch.inference_mode():
            generated = self._model.generate(
                **padded,
                max_new_tokens=self._max_new_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=self._ends,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        texts = []
        for row in generated[:, padded["input_ids"].shape[1] :].tolist():
            end = next((place for place, token in enumerate(row) if token in self._ends), len(row) - 1)
            texts.append(self._tokenizer.decode(row[: end + 1], skip_special_tokens=False))
        return texts

    def _longest(self) -> int:
        longest = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        return longest or 1 << 30

    def _find_turn_ends(self) -> list[int]:
        """Return the tokens that end a turn in well-known templates, as far as the vocabulary has them."""
        vocabulary = self._tokenizer.get_vocab()
        return [
            vocabulary[token]
            for token in ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>")
            if token in vocabulary
        ]
