"""Made-up people, companies, addresses and the like, from Faker's provider lists and lists of our own."""

import importlib
import random
from functools import lru_cache

from toolflow_graph.values.lexicon import CITIES
from toolflow_graph.values.naming import fold, phrase_list, word_list

__all__ = ["draw_address", "draw_city", "draw_company", "draw_email", "draw_person", "draw_phone", "draw_url"]

_LOCALES = ("en_US", "en_US", "en_US", "en_GB", "en_GB", "fr_FR", "nl_NL", "en_IN", "pt_PT", "da_DK")
_TRADES = word_list(
    "Logistics Analytics Foods Studios Robotics Consulting Partners Energy Textiles Media Systems Instruments "
    "Furniture Interiors Biotech Publishing Architects Labs Coffee Cycles Marine Optics Travel Insurance"
)
_NAMES = word_list(
    "Meridian Northgate Halden Bluepine Kestrel Larkfield Solano Verity Ostrava Brightwater Cobalt Tamarind Juniper "
    "Wexford Calder Novalis Pinecrest Sandoval Arbor Quillon Redmoor Lumen Orchard Fairhaven Granite Silverbrook"
)
_STREETS = {
    "en": phrase_list(
        "Maple Street,Church Lane,Victoria Road,Station Road,Mill Lane,King Street,Park Avenue,High Street,Elm Grove,"
        "Bridge Street,Chestnut Avenue,Harbour Road,Orchard Close,Queen's Road,Willow Drive,Market Street,Abbey Road"
    ),
    "fr": phrase_list(
        "Rue de la République,Avenue Jean Jaurès,Rue Victor Hugo,Rue des Lilas,Boulevard Voltaire,Rue Pasteur,"
        "Quai des Brumes,Rue du Moulin,Avenue de la Gare,Rue Saint-Michel,Rue des Acacias"
    ),
    "de": phrase_list(
        "Lindenstraße,Gartenweg,Schillerstraße,Bahnhofstraße,Goethestraße,Kirchgasse,Mozartstraße,Rosenweg,"
        "Hauptstraße,Bergstraße,Mühlenweg"
    ),
    "it": phrase_list("Via Garibaldi,Via Roma,Corso Italia,Via Mazzini,Via dei Mille,Via San Marco,Via Dante"),
    "es": phrase_list("Calle Mayor,Calle del Sol,Avenida de la Paz,Calle San Juan,Calle Cervantes,Calle de la Luna"),
}
_STYLES = {"FR": "fr", "CH": "de", "DE": "de", "AT": "de", "IT": "it", "ES": "es"}
_DIAL = (
    "+44 20 7946 0",
    "+33 6 39 98 ",
    "+49 151 5550 ",
    "+1 202 555 0",
    "+41 78 555 0",
    "+31 6 1234 ",
    "+39 320 555 ",
)
_MAIL = ("example.com", "example.org", "example.net")
_PLACES = phrase_list(
    "Central Station,the city library,Riverside Park,the old town hall,Hall 4 of the trade fair,Terminal 2,"
    "the Botanical Garden,the university campus,Harbour Square,the community centre,the north entrance,"
    "Saint Mary's Hospital,the railway museum,the sports hall,Café Luna,the conference centre"
)


@lru_cache(maxsize=1)
def _names() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    pools = []
    for locale in _LOCALES:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        first = [*list(provider.first_names_female)[:150], *list(provider.first_names_male)[:150]]
        pools.append((_plain(first), _plain(list(provider.last_names)[:300])))
    return tuple(pools)


def _plain(names: list[str]) -> tuple[str, ...]:
    return tuple(n for n in names if n.isalpha() and n.istitle() and 3 <= len(n) <= 12)


def draw_person(rng: random.Random, part: str = "full") -> str:
    """Return a full name, or its "first" or "last" part."""
    first, last = rng.choice(_names())
    if part == "first":
        return rng.choice(first)
    if part == "last":
        return rng.choice(last)
    return f"{rng.choice(first)} {rng.choice(last)}"


def draw_email(rng: random.Random, person: str | None = None) -> str:
    """Return an e-mail address at a reserved domain, of that person if one is given."""
    words = fold(person or draw_person(rng)).replace("'", "").split()
    form = rng.randrange(3)
    local = ".".join((words[0], words[-1])) if form < 2 else words[0][0] + words[-1]
    return f"{local}@{rng.choice(_MAIL)}"


def draw_phone(rng: random.Random) -> str:
    """Return a phone number with its country code, in ranges kept for fiction where there are any."""
    dial = rng.choice(_DIAL)
    return dial + (
        f"{rng.randrange(100):02d} {rng.randrange(100):02d}" if dial[-1] == " " else f"{rng.randrange(1000):03d}"
    )


def draw_company(rng: random.Random) -> str:
    """Return the name of a company."""
    form = rng.randrange(4)
    if form == 0:
        return f"{draw_person(rng, 'last')} & {draw_person(rng, 'last')}"
    if form == 1:
        return f"{draw_person(rng, 'last')} {rng.choice(_TRADES)}"
    return f"{rng.choice(_NAMES)} {rng.choice(_TRADES)}"


def draw_city(rng: random.Random) -> str:
    """Return a well-known city."""
    return rng.choice(_city_list())


@lru_cache(maxsize=1)
def _city_list() -> tuple[str, ...]:
    return tuple(CITIES)


def draw_address(rng: random.Random, city: str | None = None) -> str:
    """Return a street address, with its city unless that is given apart as "" ."""
    town = draw_city(rng) if city is None else city
    style = _STYLES.get(CITIES.get(town, ""), "en")
    street = rng.choice(_STREETS[style])
    number = rng.randint(1, 140)
    line = f"{number} {street}" if style in ("en", "fr") else f"{street} {number}"
    return f"{line}, {town}" if town else line


def draw_place(rng: random.Random) -> str:
    """Return a place that people meet at."""
    return rng.choice(_PLACES)


def draw_url(rng: random.Random) -> str:
    """Return a link at a reserved domain."""
    word = rng.choice(_NAMES).lower()
    page = rng.choice(
        ("news", "guide", "pricing", "report-2026", "events", "help/returns", "blog/launch", "docs/setup")
    )
    return f"https://www.{word}.example.com/{page}"
