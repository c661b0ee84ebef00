"""What a run would take, before it is begun: tokens, money, hours and disk.

Some dialogues of the same kinds are rehearsed by the scripted cast, which costs nothing: how many requests a dialogue
takes and how its prompts grow hardly depends on who speaks. Where models play, every pattern is planned once by them,
and one dialogue played to its end; that shows how the endpoint counts tokens, how long the models' answers are and how
fast they come. Nothing is left on the disk.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from pydantic import Field

from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.errors import RunError
from toolflow_graph.models import ModelSettings
from toolflow_graph.models.answers import Usage
from toolflow_graph.models.ledger import Account, Ledger
from toolflow_graph.models.prices import Price, find_price, load_prices
from toolflow_graph.models.settings import ROLES
from toolflow_graph.runner.build import assign_kinds
from toolflow_graph.runner.costs import Spent
from toolflow_graph.runner.play import BROKEN_OFF
from toolflow_graph.runner.rehearsal import Rehearsal, Trial, rehearse, try_models
from toolflow_graph.runner.requests import count_requests
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import JSON, DialogueRecord, Pattern, Record, Tool

__all__ = ["Estimate", "RoleEstimate", "Span", "TrialCost", "estimate_run"]

_COUNTED = ("requests", "prompt", "completion")
_NEEDED = {"user": (1.12, 1.36, 1.58), "assistant": (1.10, 1.06, 1.31), "tool": (1.08, 1.05, 0.88)}
"""Requests, prompt and completion of a strong model over those of the rules: measured on 34 dialogues of each."""

_DISK = 1.2
"""Bytes of a dialogue played by models over one played by rules, on the same dialogues."""

_ACCEPTED = (1.0, 0.85, 0.65)
"""Share of dialogues that pass the checks: all; 29 of the 34; 22 of them, as it was before checks were mended."""

_FEWEST = 0.1
_SPREAD = (0.8, 1.0, 1.3)
"""How far the mean of a run lies from one dialogue and a rehearsal."""

_BOUNDS = ("low", "likely", "high")


class Span(Record):
    """A figure as it is at the least, most likely, and at the most."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> "Span":
        """Return the span of so many."""
        return Span(low=self.low * factor, likely=self.likely * factor, high=self.high * factor)


class RoleEstimate(Record):
    """What a role is likely to take for one dialogue that is played; `cost` is None where a price is not known."""

    requests: float
    prompt: float
    cached: float
    completion: float
    cost: float | None


class TrialCost(Record):
    """What the estimate itself has taken: dialogues that models began, and how many of them they played to the end.

    `broke_off` says why one that was to be played could not be, which makes the estimate a rough one.
    """

    begun: int
    ended: int
    broke_off: str | None = None
    spent: Spent


class Estimate(Record):
    """What a run would take.

    `patterns` counts wanted dialogues by pattern, `played` is how many have to be played until so many are accepted.
    The figures of models are None where none play, `cost` also where the models in `without_price` have none.
    `stops_after` is the number of accepted dialogues after which a limit, `max_cost` or `max_tokens`, ends the run.
    """

    dialogues: int
    patterns: dict[str, int]
    played: Span
    seconds: Span
    disk: float
    requests: Span | None = None
    prompt: Span | None = None
    completion: Span | None = None
    cost: Span | None = None
    roles: dict[str, RoleEstimate] = Field(default={})
    without_price: tuple[str, ...] = ()
    stops_after: int | None = None
    stopped_by: str | None = None
    trial: TrialCost | None = None


async def estimate_run(settings: RunSettings) -> Estimate:
    """Estimate a run; raises what the run itself would raise at its beginning, and `RunError` if nothing can be said.

    What models are asked counts towards the limits of the settings.
    """
    stage = await asyncio.to_thread(load_stage, settings)
    rehearsal = await rehearse(settings)
    kinds = assign_kinds(settings)
    patterns = Counter(pattern for kind in kinds for pattern in set(kind))
    known: JSON = {
        "dialogues": settings.dialogues,
        "patterns": dict(patterns.most_common()),
    }
    if stage.client is None:
        if not rehearsal.accepted:
            raise RunError("none of the dialogues that were tried was accepted; generate a few and read rejected.jsonl")
        played = settings.dialogues / rehearsal.accepted
        return Estimate(
            **known,
            played=Span(low=settings.dialogues, likely=played, high=played * 1.2),
            seconds=Span(low=0.7, likely=1, high=2).times(rehearsal.seconds * played),
            disk=rehearsal.disk * played,
        )
    return await _estimate_models(settings, stage, rehearsal, kinds, known)


async def _estimate_models(
    settings: RunSettings, stage: Stage, rehearsal: Rehearsal, kinds: Sequence[tuple[Pattern, ...]], known: JSON
) -> Estimate:
    models, prices = settings.models, load_prices(settings.models.prices)
    account = Account(models, Ledger(prices))
    tried = await asyncio.create_task(try_models(settings, stage, account, kinds))
    expected = _NEEDED if settings.cast == "llm" and not settings.written else {}
    shares = _extrapolate(tried, rehearsal.records, stage.tools, expected)
    pools = {role: _name_pool(models, role) for role in shares}
    priced = {role: [find_price(prices, model) for model in pool] for role, pool in pools.items()}
    unpriced = {m for role, pool in pools.items() for m, price in zip(pool, priced[role], strict=True) if price is None}
    wanted = settings.dialogues
    accepted = _ACCEPTED if settings.cast == "llm" else (1.0, rehearsal.accepted, 0.8 * rehearsal.accepted)
    played = Span(**{name: wanted / max(share, _FEWEST) for name, share in zip(_BOUNDS, accepted, strict=True)})

    def spread(amount: float) -> Span:
        return Span(**{n: getattr(played, n) * amount * f for n, f in zip(_BOUNDS, _SPREAD, strict=True)})

    costs = {role: _price(share, priced[role]) for role, share in shares.items()}
    cost = None
    if not unpriced:
        uncached = sum(_price(replace(share, cached=0), priced[role]) for role, share in shares.items())
        likely = spread(sum(costs.values()))
        cost = likely.model_copy(update={"high": spread(uncached).high})
    requests, prompt, completion = (sum(getattr(s, name) for s in shares.values()) for name in _COUNTED)
    tokens = spread(prompt + completion)
    stops = {
        "max_cost": models.max_cost / cost.likely if models.max_cost and cost and cost.likely else 1.0,
        "max_tokens": models.max_tokens / tokens.likely if models.max_tokens else 1.0,
    }
    stopped_by = min(stops, key=lambda name: stops[name])
    stopped = stops[stopped_by] < 1
    return Estimate(
        **known,
        played=played,
        seconds=_estimate_seconds(settings, tried, requests, played, prompt + completion),
        disk=rehearsal.disk * _DISK * played.likely,
        requests=spread(requests),
        prompt=spread(prompt),
        completion=spread(completion),
        cost=cost,
        roles={
            role: RoleEstimate(**vars(share), cost=None if unpriced & set(pools[role]) else costs[role])
            for role, share in shares.items()
        },
        without_price=tuple(sorted(unpriced)),
        stops_after=int(stops[stopped_by] * wanted) if stopped else None,
        stopped_by=stopped_by if stopped else None,
        trial=TrialCost(
            begun=len(tried.records),
            ended=tried.ended,
            broke_off=next((f.message for f in tried.whole.findings if f.check in BROKEN_OFF), None),
            spent=Spent.of(account.ledger.total),
        ),
    )


@dataclass(frozen=True)
class _PerDialogue:
    """What a role takes for one dialogue."""

    requests: float = 0
    prompt: float = 0
    cached: float = 0
    completion: float = 0


def _extrapolate(
    tried: Trial, rehearsed: Sequence[DialogueRecord], tools: Mapping[str, Tool], expected: Collection[str]
) -> dict[str, _PerDialogue]:
    """Return what each role takes: the expected ones as rehearsed, by the models' measure; others as measured."""
    measured = [_sum_roles(record) for record in tried.records]
    counted = count_requests(tried.whole, tools)
    rehearsal = [found for record in rehearsed if (found := count_requests(record, tools))]
    shares: dict[str, _PerDialogue] = {}
    for role in dict.fromkeys((*(role for found in measured for role in found), *expected)):
        own = [found[role] for found in measured if role in found]
        total = sum(own, Usage())
        cached = total.cached / total.prompt if total.prompt else 0.0
        if role in expected and rehearsal:
            mean = sum((found.get(role, Usage()) for found in rehearsal), Usage())
            base = counted.get(role, Usage()) if own else Usage()
            requests, prompt, completion = (
                getattr(mean, name) / len(rehearsal) * factor * _compare(getattr(total, name), getattr(base, name))
                for name, factor in zip(_COUNTED, _NEEDED[role], strict=True)
            )
            shares[role] = _PerDialogue(requests, prompt, prompt * cached, completion)
        elif own:
            names = (field.name for field in fields(_PerDialogue))
            shares[role] = _PerDialogue(*(getattr(total, name) / len(own) for name in names))
    return shares


def _compare(measured: int, counted: int) -> float:
    """Return how much more was measured than counted; 1 where there is nothing to compare."""
    return measured / counted if measured and counted else 1.0


def _sum_roles(record: DialogueRecord) -> dict[str, Usage]:
    roles: defaultdict[str, Usage] = defaultdict(Usage)
    for entry in record.spent:
        roles[entry["agent"]] += Usage(**{name: entry.get(name, 0) for name in Usage.model_fields})
    return dict(roles)


def _name_pool(models: ModelSettings, role: str) -> tuple[str, ...]:
    """Return the models that may play a role; one that is none of the four is played by any of all models."""
    return next((models.pool(known) for known in ROLES if known == role), models.models)


def _price(share: _PerDialogue, prices: Sequence[Price | None]) -> float:
    """Return the dollars that a role takes, as the mean over its models; those without a price count nothing."""
    known = [price for price in prices if price is not None]
    counts = round(share.prompt), round(share.cached), round(share.completion)
    return sum(price.cost(*counts) for price in known) / max(1, len(known))


def _estimate_seconds(settings: RunSettings, tried: Trial, requests: float, played: Span, tokens: float) -> Span:
    """Return the time of a run, from that of the dialogue that was played and the limits of the settings."""
    models = settings.models
    made = sum(usage.requests for usage in _sum_roles(tried.whole).values())
    one = tried.seconds / max(1, made) * requests
    lanes = min(settings.workers * settings.lanes, settings.dialogues, models.max_in_flight)
    rated = max(
        requests / models.requests_per_minute * 60 if models.requests_per_minute else 0.0,
        tokens / models.tokens_per_minute * 60 if models.tokens_per_minute else 0.0,
    )
    each = max(one / lanes, rated)
    return Span(low=0.7 * each * played.low, likely=each * played.likely, high=2 * each * played.high)
