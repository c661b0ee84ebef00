"""Draws what the models of a run have used and cost."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from toolflow_graph.runner.costs import Costs, Share, Spent

__all__ = ["draw_costs", "name_unpriced", "say_dollars", "tell_costs"]


def draw_costs(costs: Costs) -> Table:
    """Return a table of tokens and cost per role, in all, per dialogue and per accepted dialogue."""
    table = Table(title="Models", title_justify="left")
    table.add_column("")
    for name in ("requests", "prompt", "cached", "completion", "cost"):
        table.add_column(name, justify="right")
    for role, spent in costs.roles.items():
        table.add_row("endpoint tried" if role == "probe" else role, *_list_figures(spent))
    table.add_section()
    table.add_row("in all", *_list_figures(costs.total), style="bold")
    for name, share in (("per dialogue", costs.per_dialogue), ("per accepted dialogue", costs.per_accepted)):
        if share is not None:
            table.add_row(name, *_list_figures(share))
    return table


def tell_costs(costs: Costs) -> Iterator[Text]:
    """Yield what must be known to read the table."""
    if costs.without_price:
        yield Text(name_unpriced(costs.without_price), style="yellow")
    if costs.estimated:
        yield Text(
            f"tokens of {costs.estimated:.0%} of the requests are estimated: the endpoint reported none", style="yellow"
        )
    if costs.refused:
        yield Text(f"{costs.refused:,} answers were refused; they are paid for too", style="dim")


def name_unpriced(models: tuple[str, ...]) -> str:
    """Say why no cost is known."""
    named = ", ".join(repr(model) for model in models)
    return f"cost unknown: no price for model{'s' if len(models) > 1 else ''} {named}; give --prices FILE"


def say_dollars(cost: float | None) -> str:
    """Return dollars with as many digits as matter."""
    if cost is None:
        return "unknown"
    return f"${cost:,.2f}" if cost >= 1 or cost == 0 else f"${cost:.4f}"


def _list_figures(spent: Spent | Share) -> tuple[str, ...]:
    counts = (spent.requests, spent.prompt, spent.cached, spent.completion)
    figures = (f"{count:,.1f}" if count != int(count) and count < 100 else f"{count:,.0f}" for count in counts)
    return (*figures, say_dollars(spent.cost))
