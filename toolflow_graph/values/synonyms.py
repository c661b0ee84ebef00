"""Words that stand for codes and for enum values of other wording."""

from functools import lru_cache

from toolflow_graph.values.lexicon import (
    AIRPORTS,
    CITY_ALIASES,
    COUNTRIES,
    COUNTRY_WORDS,
    CURRENCIES,
    LANGUAGES,
    STATES,
    country_of,
)

__all__ = ["words_of_code"]

_TICKERS = {
    "aapl": "apple",
    "amzn": "amazon",
    "goog": "google",
    "googl": "google",
    "meta": "meta",
    "msft": "microsoft",
    "nflx": "netflix",
    "nvda": "nvidia",
    "tsla": "tesla",
}
_WORDS = {
    "celsius": ("degrees c", "c", "centigrade"),
    "fahrenheit": ("degrees f", "f"),
    "metric": ("celsius", "kilometers", "kilometres", "km", "degrees c"),
    "imperial": ("fahrenheit", "miles", "degrees f"),
    "round trip": ("return", "both ways", "there and back", "roundtrip"),
    "return": ("round trip", "both ways", "there and back"),
    "one way": ("single", "oneway"),
    "ascending": ("lowest first", "cheapest first", "oldest first", "increasing"),
    "asc": ("ascending", "lowest first", "cheapest first", "oldest first"),
    "descending": ("highest first", "newest first", "decreasing"),
    "desc": ("descending", "highest first", "newest first", "latest"),
    "female": ("woman", "women", "girl", "she", "lady"),
    "male": ("man", "men", "boy", "he", "guy"),
    "weekly": ("every week", "each week", "a week"),
    "daily": ("every day", "each day", "a day"),
    "monthly": ("every month", "each month", "a month"),
    "yearly": ("every year", "each year", "annually", "annual", "a year"),
    "annual": ("every year", "yearly", "a year"),
    "car": ("drive", "driving", "by car"),
    "driving": ("drive", "car", "by car"),
    "walking": ("walk", "on foot"),
    "walk": ("on foot", "walking"),
    "cycling": ("bike", "bicycle", "cycle"),
    "bicycling": ("bike", "bicycle", "cycle"),
    "transit": ("public transport", "bus", "train", "subway"),
    "vegetarian": ("veggie", "no meat"),
    "urgent": ("asap", "right away", "as soon as possible"),
    "high": ("urgent", "important", "asap"),
    "kg": ("kilos", "kilograms", "kilo", "kilogram"),
    "km": ("kilometers", "kilometres", "kilometer"),
    "mi": ("miles", "mile"),
    "lb": ("pounds", "lbs"),
    "cm": ("centimeters", "centimetres"),
    "m": ("meters", "metres", "meter"),
    "f": ("fahrenheit", "degrees f"),
    "c": ("celsius", "degrees c"),
}


@lru_cache(maxsize=16384)
def words_of_code(code: str, kind: str, name: str) -> tuple[str, ...]:
    """Return the folded words that stand for a code or short value: of a country, currency, language, airport …."""
    lower = code.strip().lower()
    upper = code.strip().upper()
    words: list[str] = list(_WORDS.get(lower.replace("_", " ").replace("-", " "), ()))
    if kind in ("currency", "enum", "text", "id") and upper in CURRENCIES:
        symbol, plural, others = CURRENCIES[upper]
        words += [w for w in (symbol, plural.lower(), *others) if w]
    lower_name = name.lower()
    if kind in ("country", "place", "text", "enum") and (len(code) > 3 or "countr" in lower_name or kind == "country"):
        iso = country_of(code)
        if iso:
            words += [iso.lower(), COUNTRIES[iso].lower(), *COUNTRY_WORDS.get(iso, ())]
    if "lang" in lower_name or "locale" in lower_name:
        words += _language_words(lower)
    if kind in ("place", "city", "text", "id") and lower in AIRPORTS:
        words.append(AIRPORTS[lower])
    if upper in STATES and kind in ("place", "text", "id", "enum") and "state" in lower_name:
        words.append(STATES[upper].lower())
    words += CITY_ALIASES.get(lower, ())
    words += [city for city, aliases in CITY_ALIASES.items() if lower in aliases]
    if lower in _TICKERS:
        words.append(_TICKERS[lower])
    return tuple(dict.fromkeys(words))


def _language_words(lower: str) -> list[str]:
    base = lower.replace("_", "-").split("-")[0]
    if base in LANGUAGES:
        return [LANGUAGES[base].lower()]
    return [code for code, language in LANGUAGES.items() if language.lower() == lower]
