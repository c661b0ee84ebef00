"""What the models of a run have used and cost, as the manifest holds it."""

from toolflow_graph.models.answers import Usage
from toolflow_graph.models.ledger import Ledger
from toolflow_graph.types import Record

__all__ = ["Costs", "Share", "Spent", "sum_costs"]


class Spent(Record):
    """Requests, tokens and US dollars; `cost` is None where the price of a model is not known, never 0."""

    requests: int
    prompt: int
    cached: int
    completion: int
    cost: float | None

    @classmethod
    def of(cls, usage: Usage) -> "Spent":
        """Return what a usage has spent."""
        cost = None if usage.unpriced else round(usage.cost, 6)
        return cls(
            requests=usage.requests,
            prompt=usage.prompt,
            cached=usage.cached,
            completion=usage.completion,
            cost=cost,
        )


class Share(Record):
    """What one dialogue took on average: all that was spent, over a number of dialogues."""

    requests: float
    prompt: float
    cached: float
    completion: float
    cost: float | None


class Costs(Record):
    """What a run has spent in all its sessions, on dialogues that are not finished too.

    `per_accepted` carries the rejected dialogues as well. `estimated` is the share of requests for which the endpoint
    reported no tokens, so that they are estimates; `refused` counts answers that were not taken, `unpriced` the
    requests to the models in `without_price`.
    """

    total: Spent
    roles: dict[str, Spent]
    models: dict[str, Spent]
    per_dialogue: Share | None
    per_accepted: Share | None
    estimated: float
    refused: int
    unpriced: int
    without_price: tuple[str, ...]


def sum_costs(ledger: Ledger, *, done: int, accepted: int) -> Costs:
    """Return the costs of a run with so many dialogues finished and accepted."""
    total, models = ledger.total, ledger.group("model")
    return Costs(
        total=Spent.of(total),
        roles=_sort(ledger.group("role")),
        models=_sort(models),
        per_dialogue=_divide(total, done),
        per_accepted=_divide(total, accepted),
        estimated=round(total.estimated / total.requests, 4) if total.requests else 0.0,
        refused=total.refused,
        unpriced=total.unpriced,
        without_price=tuple(sorted(name for name, usage in models.items() if usage.unpriced)),
    )


_ORDER = ("planner", "user", "assistant", "tool")


def _sort(usages: dict[str, Usage]) -> dict[str, Spent]:
    def place(name: str) -> tuple[int, str]:
        return (_ORDER.index(name) if name in _ORDER else len(_ORDER)), name

    return {name: Spent.of(usages[name]) for name in sorted(usages, key=place)}


def _divide(total: Usage, number: int) -> Share | None:
    if not number:
        return None
    spent = Spent.of(total)
    return Share(
        requests=round(spent.requests / number, 2),
        prompt=round(spent.prompt / number, 1),
        cached=round(spent.cached / number, 1),
        completion=round(spent.completion / number, 1),
        cost=None if spent.cost is None else round(spent.cost / number, 6),
    )
