"""One request over HTTP, through LangChain's ChatOpenAI, with nothing of question or response lost on the way."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import openai
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI

from toolflow_graph.models.access import Access
from toolflow_graph.models.answers import read_reply
from toolflow_graph.models.faults import Fault, read_body, read_exception
from toolflow_graph.models.settings import ModelSettings
from toolflow_graph.tracing import hide_keys
from toolflow_graph.types import JSON

__all__ = ["Wire", "WireModel"]

_CONNECT_S = 15.0
_LOGGER = logging.getLogger(__name__)
_HIDDEN = "nostream"  # LangGraph's tag: what agents are told is not shown as chat in Studio


class WireModel(ChatOpenAI):
    """ChatOpenAI that sends the messages as they are and keeps the response as it is.

    ChatOpenAI itself writes arguments of earlier calls anew, drops `reasoning_content`, and fails on a response
    without choices.
    """

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        exact = kwargs.pop("exact_messages")
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        payload["messages"] = exact
        return payload

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        body = response.model_dump(warnings=False) if isinstance(response, openai.BaseModel) else response
        message = AIMessage("", response_metadata={"body": body, "model_name": self.model_name})
        if isinstance(body, dict):
            reply = read_reply(body)
            message.content = reply.text
            message.tool_calls = [
                {"id": call.id, "name": call.name, "args": call.arguments, "type": "tool_call"} for call in reply.calls
            ]
            message.usage_metadata = _read_usage(body.get("usage"))
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=generation_info)])


def _read_usage(usage: Any) -> UsageMetadata | None:
    if not isinstance(usage, dict) or not isinstance(usage.get("prompt_tokens"), int):
        return None
    prompt, completion = usage["prompt_tokens"], usage.get("completion_tokens") or 0
    return UsageMetadata(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)


class Wire:
    """The connections of one event loop to one endpoint."""

    def __init__(self, settings: ModelSettings, access: Access) -> None:
        hide_keys()
        self._settings = settings
        self._access = access
        self._models: dict[str, WireModel] = {}
        # One client for all models: ChatOpenAI's own is shared between event loops, and breaks in the second one.
        # What is on this machine is never reached through a proxy.
        self._timeout = openai.Timeout(settings.timeout_s, connect=min(_CONNECT_S, settings.timeout_s))
        self._http = openai.DefaultAsyncHttpxClient(timeout=self._timeout, trust_env=not access.local)

    def _find_model(self, name: str) -> WireModel:
        if name not in self._models:
            self._models[name] = WireModel(
                model=name,
                base_url=self._access.base_url,
                api_key=self._access.key,
                max_retries=0,
                timeout=self._timeout,
                temperature=self._settings.temperature,
                max_completion_tokens=self._settings.max_answer_tokens,
                http_async_client=self._http,
                openai_proxy=None,
                use_responses_api=False,
                disable_streaming=True,
                cache=False,
            )
        return self._models[name]

    async def post(self, model: str, messages: Sequence[JSON], *, role: str = "", **request: Any) -> JSON:
        """Send one chat completion and return the response's JSON; raises `Fault`, and never with a key in it.

        `request` holds further fields of the request; `response_format` too goes through as it is.
        """
        extra = {name: request.pop(name) for name in ("response_format",) if name in request}
        fault: Fault | None = None
        body: Any = None
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                message = await self._find_model(model).ainvoke(
                    list(messages),
                    config=RunnableConfig(run_name=role or "model", tags=[_HIDDEN]),
                    exact_messages=list(messages),
                    extra_body=extra or None,
                    **request,
                )
            body = message.response_metadata["body"]
        except Exception as exc:
            fault = read_exception(exc, self._access)
            if fault is None:
                raise
        # Raised out here so that the client's exception, which may quote a key, is not its context.
        fault = fault or read_body(body, self._access)
        if fault is not None:
            _LOGGER.debug("%s, model %r: %s: %s", self._access.base_url, model, fault.kind, fault.said)
            raise fault
        return dict(body)

    async def list_models(self) -> list[str]:
        """Return the names of the models that the endpoint offers; raises `Fault`."""
        fault: Fault | None = None
        names: list[str] = []
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                page = await self._find_model("").root_async_client.models.list()
                names = [model.id for model in page.data or []]
        except Exception as exc:
            fault = read_exception(exc, self._access)
            if fault is None:
                raise
        if fault is not None:
            raise fault
        return names

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
