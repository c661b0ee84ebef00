"""Where a scripted dialogue takes place: city, money and the form of dates, the same for all who speak in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from toolflow_graph.agents.roles import derive_rng
from toolflow_graph.values import draw_value
from toolflow_graph.values.lexicon import CITIES

__all__ = ["Home", "home_of"]

_FIRST_DAY = datetime(2026, 1, 5)  # noqa: DTZ001 - dialogues happen in local time
_EURO = "FR DE ES IT PT NL BE AT IE LU"
_REGIONS = (_EURO + " GB CH", "US CA", "AU NZ")
"""Countries that people travel between without a second thought; a dialogue stays inside one region."""

_MONEY_OF = {"US": "USD", "GB": "GBP", "CH": "CHF", "CA": "CAD", "AU": "AUD", **dict.fromkeys(_EURO.split(), "EUR")}
_MONTH_FIRST = frozenset({"US", "CA"})


@dataclass(frozen=True)
class Home:
    """The user's name and surroundings.

    `currencies` stand in the order in which tools should use them, `places` are the cities that may come up.
    """

    name: str
    city: str
    now: datetime
    currencies: tuple[str, ...]
    month_first: bool
    places: tuple[str, ...]


@lru_cache(maxsize=1)
def _homes() -> tuple[str, ...]:
    return tuple(city for city, country in CITIES.items() if country in _MONEY_OF)


@lru_cache(maxsize=64)
def _places(country: str) -> tuple[str, ...]:
    region = next((r.split() for r in _REGIONS if country in r.split()), [country])
    return tuple(city for city, its in CITIES.items() if its in region)


@lru_cache(maxsize=1024)
def home_of(seed: int, index: int) -> Home:
    """Return the surroundings of a dialogue."""
    rng = derive_rng(seed, index, "home")
    now = _FIRST_DAY + timedelta(days=rng.randrange(330), minutes=15 * rng.randrange(30, 84) + rng.randrange(15))
    city = rng.choice(_homes())
    country = CITIES[city]
    name = str(draw_value("full_name", {"type": "string"}, rng, now.date()))
    currencies = tuple(dict.fromkeys((_MONEY_OF[country], "EUR", "USD", "GBP")))
    return Home(name, city, now, currencies, country in _MONTH_FIRST, _places(country))
