"""Where a scripted dialogue takes place: city, money and the form of dates, the same for all who speak in it."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from toolflow_graph.agents.place import REGIONS, place_of
from toolflow_graph.agents.roles import derive_rng
from toolflow_graph.values import draw_value
from toolflow_graph.values.lexicon import CITIES

__all__ = ["Home", "home_of"]

_MONEY_OF = {"GB": "GBP", "CH": "CHF", "US": "USD", "CA": "CAD", "AU": "AUD", "NZ": "NZD"}
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


@lru_cache(maxsize=64)
def _places(country: str) -> tuple[str, ...]:
    region = next(region.split() for region in REGIONS if country in region.split())
    return tuple(city for city, its in CITIES.items() if its in region)


@lru_cache(maxsize=1024)
def home_of(seed: int, index: int) -> Home:
    """Return the surroundings of a dialogue."""
    city, now = place_of(seed, index)
    country = CITIES[city]
    name = str(draw_value("full_name", {"type": "string"}, derive_rng(seed, index, "home"), now.date()))
    currencies = tuple(dict.fromkeys((_MONEY_OF.get(country, "EUR"), "EUR", "USD", "GBP")))
    return Home(name, city, now, currencies, country in _MONTH_FIRST, _places(country))
