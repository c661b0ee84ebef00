"""`toolflow doctor`: what a model's endpoint can do, and how it will be used."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolflow_graph.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolflow_graph.models.client import ChatClient
    from toolflow_graph.models.probe import Capabilities

__all__ = ["doctor"]

_PATIENCE_S = 10.0
_MOST_NAMES = 8


def doctor(
    *,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model to try; not needed where only one is served.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible endpoint.", show_default="the OpenAI API")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the key.", show_default="OPENAI_API_KEY")
    ] = None,
    prices: Annotated[Path | None, typer.Option(help="TOML file with prices of further models.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that one request may take.")] = 60.0,
) -> None:
    """Try a model's endpoint with a few short requests, and say how it will be used and why."""
    import asyncio  # noqa: PLC0415

    from toolflow_graph.models.client import ChatClient  # noqa: PLC0415
    from toolflow_graph.models.settings import model_options, parse_models  # noqa: PLC0415

    options = model_options(
        base_url=base_url,
        key_env=key_env,
        prices=None if prices is None else str(prices),
        timeout=timeout,
        patience_s=_PATIENCE_S,
    )
    asyncio.run(_examine(ChatClient(parse_models(options)), model))


async def _examine(client: "ChatClient", model: str | None) -> None:
    try:
        await _examine_open(client, model)
    finally:
        await client.aclose()


async def _examine_open(client: "ChatClient", model: str | None) -> None:
    access = client.access
    key = f"key from {access.key_env}" if access.named else "no key, as it is local"
    _tell("endpoint", f"{access.base_url} ({key})")
    served = await client.list_models()
    _tell("reachable", "yes")
    model = model or _choose(served, access.base_url)
    if model in served:
        _tell("model", f"{model}, one of {len(served)} served")
    elif served:
        _tell("model", f"{model} is not among the {len(served)} served: {_shorten(served)}")
    else:
        _tell("model", f"{model} (the endpoint has no list of models)")
    able = await client.capabilities(model)
    for name, text in _describe(able):
        _tell(name, text)
    price = client.ledger.price(model)
    known = (
        f"${price.prompt:g} in, ${price.completion:g} out, per million tokens"
        if price
        else "not known: give --prices FILE"
    )
    _tell("price", known)


def _choose(served: list[str], base_url: str) -> str:
    if len(served) == 1:
        return served[0]
    found = f"served are: {_shorten(served)}" if served else "the endpoint has no list of models"
    raise ModelError(f"{base_url}: which model? Give --model NAME; {found}")


def _shorten(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _describe(able: "Capabilities") -> "Iterator[tuple[str, str]]":
    """Yield what was found out, line by line."""
    counted = ", and counted as part of the prompt" if able.schema_in_prompt else ""
    yield "json_schema", f"honoured{counted}" if able.json_schema else "not honoured"
    yield "tools", "called natively" if able.tools else "not called by the model itself"
    yield "usage", "reported" if able.usage else "not reported: tokens and cost will be estimates"
    yield "latency", f"{able.latency_s:.2f} s for a short answer"
    for note in able.notes:
        yield "seen", note
    mode = able.structured_modes()[0]
    structured = {
        "json_schema": "by json_schema, which the endpoint obeys",
        "tool": "by a forced tool call, since json_schema is not honoured",
        "text": "as JSON in text, since neither json_schema nor tool calls work; expect more repairs",
    }
    yield "structured answers", structured[mode]
    yield (
        "assistant",
        "calls tools natively" if able.tools else "says by a structured answer whether it speaks, asks or calls",
    )


def _tell(name: str, text: str) -> None:
    typer.echo(f"{name + ':':<20}{text}")
