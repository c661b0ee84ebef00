"""Where and when a dialogue takes place, whatever cast plays it and whether it is planned or not."""

from datetime import datetime, timedelta
from functools import lru_cache

from toolflow_graph.agents.roles import derive_rng
from toolflow_graph.types import JSON, DialoguePlan, Scenario
from toolflow_graph.values.lexicon import CITIES

__all__ = ["REGIONS", "place_of", "plan_nothing"]

_EURO = "FR DE ES IT PT NL BE AT IE LU"
REGIONS = (_EURO + " GB CH", "US CA", "AU NZ")
"""Countries that people travel between without a second thought; a dialogue stays inside one region."""

_FIRST_DAY = datetime(2026, 1, 5)  # noqa: DTZ001 - dialogues happen in local time


@lru_cache(maxsize=1)
def _cities() -> tuple[str, ...]:
    countries = {country for region in REGIONS for country in region.split()}
    return tuple(city for city, country in CITIES.items() if country in countries)


@lru_cache(maxsize=1024)
def place_of(seed: int, index: int) -> tuple[str, datetime]:
    """Return the city and the local time of a dialogue."""
    rng = derive_rng(seed, index, "place")
    now = _FIRST_DAY + timedelta(days=rng.randrange(330), minutes=15 * rng.randrange(30, 84) + rng.randrange(15))
    return rng.choice(_cities()), now


def plan_nothing(seed: int, index: int, outline: JSON | None = None) -> DialoguePlan:
    """Return what stands in a plan's place where none is written: the day and the city, and no requests."""
    city, now = place_of(seed, index)
    scenario = Scenario(persona="", situation="", goal="", now=now.isoformat(timespec="minutes"), city=city)
    return DialoguePlan(scenario=scenario, requests=(), outline=outline or {})
