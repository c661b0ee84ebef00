"""Where a scripted dialogue takes place: city, money and the form of dates, the same for all who speak in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from toolflow_graph.agents.roles import derive_rng
from toolflow_graph.values import draw_value
from toolflow_graph.values.lexicon import CITIES

__all__ = ["Home", "home_of"]

_FIRST_DAY = datetime(2026, 1, 5)  # noqa: DTZ001 - dialogues happen in local time
_MONEY_OF = {
    "US": "USD",
    "GB": "GBP",
    "CH": "CHF",
    "JP": "JPY",
    "IN": "INR",
    "CA": "CAD",
    "AU": "AUD",
    "SE": "SEK",
    "NO": "NOK",
    "DK": "DKK",
    "PL": "PLN",
}
_MONTH_FIRST = frozenset({"US", "CA"})


@dataclass(frozen=True)
class Home:
    """The user's name and surroundings; `currencies` in the order in which tools should use them."""

    name: str
    city: str
    now: datetime
    currencies: tuple[str, ...]
    month_first: bool


@lru_cache(maxsize=1024)
def home_of(seed: int, index: int) -> Home:
    """Return the surroundings of a dialogue."""
    rng = derive_rng(seed, index, "home")
    now = _FIRST_DAY + timedelta(days=rng.randrange(330), minutes=15 * rng.randrange(30, 84) + rng.randrange(15))
    city = str(draw_value("city", {"type": "string"}, rng, now.date()))
    name = str(draw_value("full_name", {"type": "string"}, rng, now.date()))
    country = CITIES.get(city, "")
    own = _MONEY_OF.get(country, "EUR")
    currencies = tuple(dict.fromkeys((own, *rng.sample(("EUR", "USD", "GBP"), 3))))
    return Home(name, city, now, currencies, country in _MONTH_FIRST)
