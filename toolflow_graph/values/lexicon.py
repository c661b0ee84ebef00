"""Countries, languages and currencies with their codes and words, and well-known cities."""

from functools import lru_cache

from toolflow_graph.values.naming import word_list

__all__ = ["AIRPORTS", "CITIES", "COUNTRIES", "CURRENCIES", "LANGUAGES", "STATES", "country_of"]

COUNTRIES = {
    "AR": "Argentina",
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "CL": "Chile",
    "CN": "China",
    "CO": "Colombia",
    "CZ": "Czech Republic",
    "DE": "Germany",
    "DK": "Denmark",
    "EG": "Egypt",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "GR": "Greece",
    "HR": "Croatia",
    "HU": "Hungary",
    "ID": "Indonesia",
    "IE": "Ireland",
    "IL": "Israel",
    "IN": "India",
    "IS": "Iceland",
    "IT": "Italy",
    "JP": "Japan",
    "KE": "Kenya",
    "KR": "South Korea",
    "MA": "Morocco",
    "MX": "Mexico",
    "NG": "Nigeria",
    "NL": "Netherlands",
    "NO": "Norway",
    "NZ": "New Zealand",
    "PE": "Peru",
    "PH": "Philippines",
    "PL": "Poland",
    "PT": "Portugal",
    "RO": "Romania",
    "RU": "Russia",
    "SA": "Saudi Arabia",
    "SE": "Sweden",
    "SG": "Singapore",
    "TH": "Thailand",
    "TR": "Turkey",
    "TW": "Taiwan",
    "UA": "Ukraine",
    "US": "United States",
    "VN": "Vietnam",
    "ZA": "South Africa",
}

COUNTRY_WORDS = {
    "GB": ("uk", "britain", "great britain", "england", "british", "united kingdom"),
    "US": ("usa", "us", "u.s.", "america", "the states", "american", "united states of america"),
    "CZ": ("czechia", "czech"),
    "DE": ("german",),
    "FR": ("french",),
    "ES": ("spanish",),
    "IT": ("italian",),
    "NL": ("holland", "the netherlands", "dutch"),
    "CH": ("swiss",),
    "KR": ("korea", "republic of korea"),
    "TR": ("turkiye",),
    "JP": ("japanese",),
    "CN": ("chinese",),
    "CA": ("canadian",),
    "AU": ("australian",),
    "IN": ("indian",),
}
ISO3 = {
    "USA": "US",
    "GBR": "GB",
    "FRA": "FR",
    "DEU": "DE",
    "ESP": "ES",
    "ITA": "IT",
    "NLD": "NL",
    "CHE": "CH",
    "AUT": "AT",
    "BEL": "BE",
    "CAN": "CA",
    "AUS": "AU",
    "JPN": "JP",
    "CHN": "CN",
    "IND": "IN",
    "BRA": "BR",
    "MEX": "MX",
    "PRT": "PT",
    "POL": "PL",
    "SWE": "SE",
    "NOR": "NO",
    "DNK": "DK",
    "FIN": "FI",
    "IRL": "IE",
}

LANGUAGES = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}

CURRENCIES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "EUR": ("€", "euros", ("euro",)),
    "USD": ("$", "dollars", ("dollar", "us dollars", "us dollar", "bucks")),
    "GBP": ("£", "pounds", ("pound", "sterling", "quid", "british pounds")),
    "CHF": ("", "Swiss francs", ("francs", "franc")),
    "JPY": ("¥", "yen", ("japanese yen",)),
    "INR": ("₹", "rupees", ("rupee", "indian rupees")),
    "CAD": ("", "Canadian dollars", ("c$", "canadian dollar")),
    "AUD": ("", "Australian dollars", ("a$", "australian dollar")),
    "SEK": ("", "Swedish kronor", ("kronor", "krona")),
    "NOK": ("", "Norwegian kroner", ("kroner", "krone")),
    "DKK": ("", "Danish kroner", ("kroner", "krone")),
    "PLN": ("", "zloty", ("zlotys", "zl")),
    "CZK": ("", "Czech koruna", ("koruna", "crowns")),
    "HUF": ("", "forints", ("forint",)),
    "CNY": ("", "yuan", ("renminbi", "rmb")),
    "BRL": ("", "reais", ("real",)),
    "MXN": ("", "Mexican pesos", ("pesos", "peso")),
    "KRW": ("₩", "won", ("korean won",)),
    "SGD": ("", "Singapore dollars", ("s$",)),
    "NZD": ("", "New Zealand dollars", ("nz$",)),
    "ZAR": ("", "rand", ("rands",)),
    "TRY": ("", "Turkish lira", ("lira",)),
    "BTC": ("", "Bitcoin", ("bitcoins",)),
    "ETH": ("", "Ether", ("ethereum",)),
}

CITIES: dict[str, str] = dict(
    pair.split("/")
    for pair in word_list(
        "Lyon/FR Paris/FR Marseille/FR Nantes/FR Bordeaux/FR Toulouse/FR Lille/FR Strasbourg/FR Nice/FR Grenoble/FR "
        "Geneva/CH Zurich/CH Basel/CH Lausanne/CH Bern/CH Berlin/DE Hamburg/DE Munich/DE Cologne/DE Leipzig/DE "
        "Dresden/DE Frankfurt/DE Stuttgart/DE Freiburg/DE Vienna/AT Graz/AT Salzburg/AT Innsbruck/AT London/GB "
        "Manchester/GB Bristol/GB Leeds/GB Edinburgh/GB Glasgow/GB Cardiff/GB Brighton/GB York/GB Dublin/IE Cork/IE "
        "Galway/IE Amsterdam/NL Utrecht/NL Rotterdam/NL Brussels/BE Ghent/BE Antwerp/BE Milan/IT Rome/IT Turin/IT "
        "Florence/IT Bologna/IT Naples/IT Venice/IT Verona/IT Madrid/ES Barcelona/ES Valencia/ES Seville/ES Bilbao/ES "
        "Porto/PT Lisbon/PT Coimbra/PT Copenhagen/DK Aarhus/DK Oslo/NO Bergen/NO Stockholm/SE Gothenburg/SE Malmö/SE "
        "Helsinki/FI Tampere/FI Prague/CZ Brno/CZ Warsaw/PL Krakow/PL Gdansk/PL Budapest/HU Athens/GR Zagreb/HR "
        "Bucharest/RO Istanbul/TR Toronto/CA Montreal/CA Vancouver/CA Boston/US Chicago/US Seattle/US Denver/US "
        "Austin/US Portland/US Philadelphia/US Atlanta/US Houston/US Miami/US Sydney/AU Melbourne/AU Brisbane/AU "
        "Auckland/NZ Wellington/NZ Tokyo/JP Osaka/JP Kyoto/JP Seoul/KR Singapore/SG Mumbai/IN Bangalore/IN Delhi/IN"
    )
)

STATES = {
    "AZ": "Arizona",
    "CA": "California",
    "CO": "Colorado",
    "CT": "Connecticut",
    "FL": "Florida",
    "GA": "Georgia",
    "IL": "Illinois",
    "MA": "Massachusetts",
    "MD": "Maryland",
    "MI": "Michigan",
    "MN": "Minnesota",
    "MO": "Missouri",
    "NC": "North Carolina",
    "NJ": "New Jersey",
    "NV": "Nevada",
    "NY": "New York",
    "OH": "Ohio",
    "OR": "Oregon",
    "PA": "Pennsylvania",
    "TN": "Tennessee",
    "TX": "Texas",
    "UT": "Utah",
    "VA": "Virginia",
    "WA": "Washington",
}

AIRPORTS = {
    "ams": "amsterdam",
    "atl": "atlanta",
    "bcn": "barcelona",
    "ber": "berlin",
    "bos": "boston",
    "bru": "brussels",
    "cdg": "paris",
    "cph": "copenhagen",
    "den": "denver",
    "dfw": "dallas",
    "dub": "dublin",
    "dxb": "dubai",
    "fco": "rome",
    "fra": "frankfurt",
    "gva": "geneva",
    "ham": "hamburg",
    "hnd": "tokyo",
    "iah": "houston",
    "ist": "istanbul",
    "jfk": "new york",
    "las": "las vegas",
    "lax": "los angeles",
    "lhr": "london",
    "lis": "lisbon",
    "lys": "lyon",
    "mad": "madrid",
    "mia": "miami",
    "muc": "munich",
    "mxp": "milan",
    "nce": "nice",
    "nrt": "tokyo",
    "nyc": "new york",
    "ord": "chicago",
    "osl": "oslo",
    "phx": "phoenix",
    "prg": "prague",
    "sea": "seattle",
    "sfo": "san francisco",
    "sin": "singapore",
    "syd": "sydney",
    "vie": "vienna",
    "yyz": "toronto",
    "zrh": "zurich",
}
CITY_ALIASES = {
    "new york city": ("nyc", "new york"),
    "new york": ("nyc", "new york city", "manhattan"),
    "los angeles": ("la",),
    "san francisco": ("sf", "san fran"),
    "washington": ("dc", "washington dc"),
    "bengaluru": ("bangalore",),
    "cologne": ("koln",),
    "munich": ("munchen",),
    "vienna": ("wien",),
    "geneva": ("geneve", "genf"),
    "saint petersburg": ("st petersburg",),
}


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    return {name.lower(): code for code, name in COUNTRIES.items()}


def country_of(text: str) -> str | None:
    """Return the ISO 3166 code of a country given by code or name, or None."""
    upper = text.strip().upper()
    if upper in COUNTRIES:
        return upper
    return ISO3.get(upper) or _codes().get(text.strip().lower())
