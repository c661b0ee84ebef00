"""Tokens, prices and the budget."""

import pytest

from toolflow_graph.errors import BudgetExceeded, RunError, SettingsError
from toolflow_graph.models.answers import Usage
from toolflow_graph.models.ledger import Budget, Expense, Ledger, read_usage
from toolflow_graph.models.prices import Price, find_price, load_prices
from toolflow_graph.models.settings import ModelSettings

PRICES = {"m": Price(prompt=2, cached=0.5, completion=8)}


def used(prompt=1000, completion=100, cached=0):
    return Usage(requests=1, prompt=prompt, completion=completion, cached=cached)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}},
            Usage(requests=1, prompt=9, completion=4, cached=8),
            id="reported",
        ),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": None},
            Usage(requests=1, prompt=9, completion=4),
            id="no details",
        ),
        pytest.param(None, Usage(requests=1, prompt=50, completion=20, estimated=1), id="not reported"),
        pytest.param({}, Usage(requests=1, prompt=50, completion=20, estimated=1), id="empty"),
        pytest.param({"prompt_tokens": 9}, Usage(requests=1, prompt=9, completion=20, estimated=1), id="half"),
    ],
)
def test_usage_is_reported_or_estimated_and_marked_so(usage, expected):
    assert read_usage({"usage": usage}, 50, 20) == expected


def test_ledger_counts_per_role_model_and_dialogue():
    ledger = Ledger(PRICES)
    priced = ledger.add("user", "m", used(cached=400), "d1")
    assert priced.cost == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 8) / 1e6)
    ledger.add("assistant", "m", used(), "d1")
    ledger.add("assistant", "other", used(), "d2")
    assert ledger.total.requests == 3
    assert ledger.total.unpriced == 1
    assert ledger.of_dialogue("d1").prompt == 2000
    assert ledger.of_dialogue("nobody") == Usage()
    assert {role: usage.requests for role, usage in ledger.group("role").items()} == {"user": 1, "assistant": 2}
    assert {name: usage.unpriced for name, usage in ledger.group("model").items()} == {"m": 0, "other": 1}
    assert set(ledger.group("dialogue")) == {"d1", "d2"}
    assert sum(ledger.group("model").values(), Usage()) == ledger.total


def test_a_long_run_takes_no_more_memory_than_a_short_one(monkeypatch):
    monkeypatch.setattr("toolflow_graph.models.ledger._REMEMBERED", 2)
    ledger = Ledger(PRICES)
    for dialogue in ("d1", "d2", "d1", "d3"):
        ledger.add("user", "m", used(), dialogue)
    assert set(ledger.group("dialogue")) == {"d1", "d3"}
    assert ledger.of_dialogue("d1").requests == 2
    assert ledger.group("role")["user"].requests == ledger.total.requests == 4


@pytest.mark.parametrize("name", ["gpt-4.1", "openai/gpt-4.1", "gpt-4.1-2025-04-14", "openai/gpt-4.1-2025-04-14"])
def test_bundled_prices(name):
    assert find_price(load_prices(), name) == load_prices()["gpt-4.1"]


def test_unknown_price():
    assert find_price(load_prices(), "gpt-4.1-but-other") is None


def test_own_prices_stand_before_the_bundled_ones(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text('[models."gpt-4.1"]\nprompt = 1\ncompletion = 1\n[models.mine]\nprompt = 0\ncompletion = 0\n')
    prices = load_prices(str(path))
    assert prices["gpt-4.1"].prompt == 1
    assert prices["mine"].cost(100, 50, 10) == 0
    assert "gpt-4o" in prices


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("models = ", "is not TOML"),
        ("[models.m]\nprompt = 1\n", r"models.m.completion: Field required; an entry is \[models"),
        ("[models.m]\nprompt = -1\ncompletion = 1\n", "models.m.prompt"),
    ],
    ids=["missing", "no TOML", "half", "negative"],
)
def test_bad_price_list(tmp_path, text, message):
    path = tmp_path / "prices.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_prices(str(path))


def test_budget_stops_before_it_is_passed():
    ledger = Ledger(PRICES)
    budget = Budget(ModelSettings(max_cost=0.01), ledger)
    with budget.reserve("m", 1000, 100):
        ledger.add("user", "m", used(prompt=4000))
    with pytest.raises(BudgetExceeded, match=r"\$0.0088 spent, .* max_cost \$0.01; what was made is kept") as caught:
        budget.reserve("m", 1000, 100).__enter__()
    assert isinstance(caught.value, RunError)


def test_what_is_in_flight_counts():
    budget = Budget(ModelSettings(max_tokens=1000), Ledger(PRICES))
    with budget.reserve("m", 400, 100):
        with budget.reserve("m", 400, 100), pytest.raises(BudgetExceeded, match="max_tokens 1,000"):
            budget.reserve("m", 1, 0).__enter__()
        with budget.reserve("m", 400, 100):
            pass


def test_what_an_earlier_session_spent_counts():
    before = [Expense(role="user", model="m", dialogue="d", usage=used(prompt=900, completion=90))]
    budget = Budget(ModelSettings(max_tokens=1000), Ledger(PRICES, before))
    with pytest.raises(BudgetExceeded, match="990 spent"):
        budget.reserve("m", 11, 0).__enter__()


def test_what_had_no_price_gets_one_when_it_is_known():
    kept = []
    Ledger({}, keep=kept.append).add("user", "m", used())
    assert kept[0].usage.unpriced == 1
    total = Ledger(PRICES, kept).total
    assert (total.unpriced, total.cost) == (0, pytest.approx(PRICES["m"].cost(1000, 0, 100)))


def test_a_limit_of_cost_needs_a_price():
    with pytest.raises(SettingsError, match="no price is known for model 'x'; name a price list by --prices"):
        Budget(ModelSettings(max_cost=1), Ledger(PRICES)).reserve("x", 1, 1).__enter__()
    with Budget(ModelSettings(), Ledger(PRICES)).reserve("x", 10**9, 1):
        pass


def test_expected_answers_follow_those_that_came():
    ledger = Ledger(PRICES)
    assert ledger.expect_completion("user") > 0
    for completion in (100, 300):
        ledger.add("user", "m", used(completion=completion))
    assert ledger.expect_completion("user") == 200
