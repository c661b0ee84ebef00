"""Who has used how many tokens at what cost, and the budget that nothing passes."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from toolflow_graph.errors import BudgetExceeded, SettingsError
from toolflow_graph.models.answers import Usage
from toolflow_graph.models.prices import Price, find_price
from toolflow_graph.models.settings import ModelSettings
from toolflow_graph.types import JSON, Record

__all__ = ["Account", "Budget", "Expense", "Ledger", "charge_to", "find_account", "read_usage"]

_FIRST_GUESS = 256
"""Tokens expected of an answer before the first one of a role has come."""

_REMEMBERED = 10_000
"""Dialogues whose own sums are held."""


def read_usage(body: JSON, prompt_guess: int, completion_guess: int) -> Usage:
    """Return the tokens of a response as the endpoint reports them, else the guesses, marked as estimated."""
    reported: Any = body.get("usage")
    if not isinstance(reported, dict) or not isinstance(reported.get("prompt_tokens"), int):
        return Usage(requests=1, prompt=prompt_guess, completion=completion_guess, estimated=1)
    prompt = reported["prompt_tokens"]
    completion = reported.get("completion_tokens")
    details = reported.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(
        requests=1,
        prompt=prompt,
        cached=min(prompt, cached) if isinstance(cached, int) else 0,
        completion=completion if isinstance(completion, int) else completion_guess,
        estimated=0 if isinstance(completion, int) else 1,
    )


class Expense(Record):
    """One entry of the ledger: what a request has used, or that its answer was refused."""

    role: str
    model: str
    dialogue: str = ""
    usage: Usage


class Ledger:
    """Usage by role, model and dialogue.

    `before` are the entries of earlier sessions of the same run; those that had no price get one if it is known by
    now. Every new entry is given to `keep`. Sums of single dialogues are held for the latest ten thousand, so that a
    long run takes no more memory than a short one.
    """

    def __init__(
        self,
        prices: Mapping[str, Price],
        before: Iterable[Expense] = (),
        keep: Callable[[Expense], None] | None = None,
    ) -> None:
        self.total = Usage()
        self._prices = prices
        self._keep = keep
        self._shares: dict[tuple[str, str], Usage] = {}
        self._dialogues: dict[str, Usage] = {}
        self._answers: Counter[str] = Counter()
        self._completions: Counter[str] = Counter()
        for expense in before:
            usage = self._set_price(expense.model, expense.usage) if expense.usage.unpriced else expense.usage
            self._enter(expense.model_copy(update={"usage": usage}))

    def price(self, model: str) -> Price | None:
        """Return what a model costs, None when no price list names it."""
        return find_price(self._prices, model)

    def add(self, role: str, model: str, usage: Usage, dialogue: str = "") -> Usage:
        """Enter one request; returns its usage with the cost."""
        priced = self._set_price(model, usage)
        self.write(Expense(role=role, model=model, dialogue=dialogue, usage=priced))
        return priced

    def refuse(self, role: str, model: str, dialogue: str = "") -> None:
        """Note that the answer of a request that was entered before is not taken."""
        self.write(Expense(role=role, model=model, dialogue=dialogue, usage=Usage(refused=1)))

    def _set_price(self, model: str, usage: Usage) -> Usage:
        price = self.price(model)
        if price is None:
            return usage.model_copy(update={"unpriced": usage.requests})
        cost = price.cost(usage.prompt, usage.cached, usage.completion)
        return usage.model_copy(update={"cost": cost, "unpriced": 0})

    def write(self, expense: Expense) -> None:
        """Enter what was priced already, here or in another process of the run."""
        self._enter(expense)
        if self._keep is not None:
            self._keep(expense)

    def _enter(self, expense: Expense) -> None:
        usage = expense.usage
        key = expense.role, expense.model
        self._shares[key] = self._shares.get(key, Usage()) + usage
        self._dialogues[expense.dialogue] = self._dialogues.pop(expense.dialogue, Usage()) + usage
        if len(self._dialogues) > _REMEMBERED:
            del self._dialogues[next(iter(self._dialogues))]
        self.total += usage
        self._answers[expense.role] += usage.requests
        self._completions[expense.role] += usage.completion

    def of_dialogue(self, dialogue: str) -> Usage:
        """Return what one dialogue has used, of the latest ones."""
        return self._dialogues.get(dialogue, Usage())

    def group(self, by: Literal["role", "model", "dialogue"]) -> dict[str, Usage]:
        """Return the usage per role or model, or per dialogue of the latest."""
        if by == "dialogue":
            return dict(self._dialogues)
        groups: dict[str, Usage] = {}
        for (role, model), usage in self._shares.items():
            key = role if by == "role" else model
            groups[key] = groups.get(key, Usage()) + usage
        return groups

    def expect_completion(self, role: str) -> int:
        """Return the tokens that an answer of a role mostly has."""
        return self._completions[role] // self._answers[role] if self._answers[role] else _FIRST_GUESS


class Budget:
    """Hard stops: a request that would pass them, with all that are in flight, is not made."""

    def __init__(self, settings: ModelSettings, ledger: Ledger) -> None:
        self._max_cost = settings.max_cost
        self._max_tokens = settings.max_tokens
        self._ledger = ledger
        self._reserved_cost = 0.0
        self._reserved_tokens = 0

    @contextmanager
    def reserve(self, model: str, prompt: int, completion: int) -> Iterator[None]:
        """Hold what a request is expected to take while it is in flight.

        Raises `BudgetExceeded` when it would pass a limit, and `SettingsError` when there is a limit of cost but no
        price for the model.
        """
        price = self._ledger.price(model)
        if price is None and self._max_cost is not None:
            raise SettingsError(
                f"max_cost cannot be kept: no price is known for model {model!r}; name a price list by --prices, or "
                "limit --max-tokens instead"
            )
        cost = price.cost(prompt, 0, completion) if price else 0.0
        self._refuse("cost", self._max_cost, self._ledger.total.cost, self._reserved_cost + cost, "$")
        tokens = prompt + completion
        self._refuse("tokens", self._max_tokens, self._ledger.total.tokens, self._reserved_tokens + tokens, "")
        self._reserved_cost += cost
        self._reserved_tokens += tokens
        try:
            yield
        finally:
            self._reserved_cost -= cost
            self._reserved_tokens -= tokens

    def _refuse(self, what: str, limit: float | None, spent: float, ahead: float, sign: str) -> None:
        if limit is not None and spent + ahead > limit:
            shown = f"{sign}{spent:.4f}" if sign else f"{spent:,.0f}"
            raise BudgetExceeded(
                f"the budget is used up: {shown} spent, and the next request would pass max_{what} {sign}{limit:,}; "
                f"what was made is kept; go on with a higher --max-{what}",
                f"--max-{what}",
            )


class Account:
    """Ledger and budget of one run."""

    def __init__(self, settings: ModelSettings, ledger: Ledger) -> None:
        self.ledger = ledger
        self.budget = Budget(settings, ledger)

    @asynccontextmanager
    async def reserve(self, model: str, prompt: int, completion: int) -> AsyncIterator[None]:
        """Hold what a request is expected to take, as `Budget.reserve`; the budget may be kept by another process."""
        with self.budget.reserve(model, prompt, completion):
            yield


_PAYER: ContextVar[Account | None] = ContextVar("toolflow_account", default=None)


def charge_to(account: Account | None) -> None:
    """Let all requests that are made from the current task on, and from those that it starts, go to an account.

    Runs with the same models share their client, and so connections and pace; each pays for itself.
    """
    _PAYER.set(account)


def find_account() -> Account | None:
    """Return the account to which the current task's requests go; None leaves them to the client's own."""
    return _PAYER.get()
