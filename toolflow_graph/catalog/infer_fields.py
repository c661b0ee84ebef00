"""The fields that things usually have, for tools whose documents do not say what they return."""

from functools import lru_cache
from typing import Any

from toolflow_graph.types import JSON

__all__ = ["field_schema", "fields_of"]

# what a thing is told by, most telling first; `*` stands for the thing itself
_THINGS = {
    "weather forecast climate condition conditions": "weather_condition temperature humidity_percent wind_speed",
    "hours": "opening_time closing_time",
    "air": "air_quality_index main_pollutant",
    "snow": "snow_depth weather_condition temperature",
    "flight flights": "flight_number airline departure_time arrival_time price currency",
    "train trains bus buses ride rides": "departure_time arrival_time duration_minutes price currency",
    "hotel hotels accommodation resort": "hotel_name rating price_per_night currency street_address",
    "restaurant restaurants cafe bar": "restaurant_name cuisine rating street_address",
    "place places attraction attractions landmark landmarks venue venues location locations": (
        "place_name category rating street_address"
    ),
    "route directions path": "distance_km duration_minutes route_summary",
    "movie movies film films": "movie_title release_year genre rating",
    "show shows series episode": "show_title release_year rating",
    "song songs track tracks": "song_title artist_name album_title duration_seconds",
    "album albums": "album_title artist_name release_year",
    "concert concerts": "artist_name venue_name event_date ticket_price currency",
    "event events": "event_title venue_name event_date start_time",
    "book books novel": "book_title author_name publication_year rating",
    "game games": "game_title genre release_year rating",
    "product products item items": "product_name price currency in_stock rating",
    "recipe recipes meal meals dish": "recipe_name preparation_minutes servings calories",
    "nutrition calories diet": "calories protein_grams carbohydrate_grams fat_grams",
    "news article articles headlines post posts": "headline publisher_name publication_date",
    "stock stocks share shares": "company_name price currency change_percent",
    "company companies business": "company_name industry headquarters_city employee_count",
    "team teams club": "team_name wins losses points",
    "ranking rankings standings leaderboard": "rank team_name points",
    "match matches fixture fixtures": "home_team away_team match_date score",
    "player players athlete athletes": "player_name team_name position points",
    "user users profile customer customers member patient employee person": "full_name email_address joined_on",
    "account accounts": "account_id account_name balance currency",
    "order orders purchase": "order_id order_status total_price currency ordered_on",
    "shipment package parcel delivery": "tracking_number delivery_status expected_on",
    "transaction transactions payment payments": "transaction_id amount currency transaction_date",
    "invoice invoices bill bills": "invoice_number amount currency due_date",
    "project projects repository repositories": "project_name project_status updated_on",
    "task tasks todo reminder reminders": "task_title due_date task_status",
    "issue issues bug": "issue_title issue_status priority",
    "alert alerts incident incidents": "alert_title severity raised_on",
    "vulnerability vulnerabilities finding findings": "finding_title severity found_on",
    "version versions release releases": "version_number release_date",
    "host hosts server servers instance instances machine": "host_name host_status cpu_load_percent",
    "file files document documents": "file_name file_size_kb modified_on",
    "image images photo photos video videos": "title url created_on",
    "message messages email emails mail": "sender_name subject_line received_on",
    "contact contacts": "full_name email_address phone_number",
    "case cases lawsuit lawsuits": "case_title court_name filing_date case_status",
    "law laws regulation statute": "law_title jurisdiction summary",
    "lawyer lawyers attorney": "full_name specialty hourly_rate rating",
    "doctor doctors therapist dentist stylist provider providers specialist": (
        "full_name specialty rating phone_number street_address"
    ),
    "house houses home homes apartment apartments property properties": (
        "street_address bedrooms monthly_rent currency pets_allowed"
    ),
    "car cars vehicle vehicles rental rentals": "car_model price_per_day currency pickup_city",
    "museum museums gallery": "museum_name city opening_time closing_time ticket_price currency",
    "sculpture sculptures artwork artworks painting paintings art": (
        "artwork_title artist_name created_year museum_name"
    ),
    "battle battles war wars history": "event_name event_year outcome summary",
    "course courses class classes": "course_title teacher_name start_date free_places",
    "job jobs position positions": "job_title company_name city salary currency",
    "instrument guitar piano flute violin": "product_name brand_name price currency",
    "species animal animals plant plants": "species_name habitat lifespan_years",
    "gene genes mutation cell cells protein proteins": "name category summary",
    "country countries": "country_name capital_city population",
    "city cities town": "city country_name population",
    "language languages": "language_name speakers",
    "appointment appointments booking bookings reservation reservations": "appointment_id appointment_date start_time",
    "review reviews": "rating review_text",
    "statistics stats metrics performance": "total average change_percent",
    "config configuration configurations settings setting": "configuration_id configuration_name enabled updated_on",
    "coordinates coordinate": "latitude longitude",
    "color colour": "red green blue",
    "policy policies": "policy_name policy_status updated_on",
    "license licenses": "license_name license_type",
}

_DAY: JSON = {"type": "string", "format": "date"}
_TIME: JSON = {"type": "string", "pattern": r"^\d{2}:\d{2}$"}
_STATUS = {
    "order_status": ["processing", "shipped", "delivered"],
    "delivery_status": ["in_transit", "out_for_delivery", "delivered"],
    "project_status": ["active", "on_hold", "completed"],
    "task_status": ["open", "in_progress", "done"],
    "issue_status": ["open", "in_progress", "resolved"],
    "case_status": ["pending", "settled", "dismissed", "decided"],
    "host_status": ["running", "stopped", "degraded"],
    "policy_status": ["active", "draft", "retired"],
    "severity": ["low", "medium", "high", "critical"],
    "priority": ["low", "medium", "high"],
    "weather_condition": ["sunny", "partly_cloudy", "cloudy", "light_rain", "showers", "windy"],
    "main_pollutant": ["fine_dust", "ozone", "nitrogen_dioxide"],
    "currency": ["EUR", "USD", "GBP"],
    "license_type": ["open_source", "commercial"],
    "outcome": ["victory", "defeat", "undecided"],
}
# (low, high, step) by the last telling word of a name
_NUMBERS: dict[str, tuple[float, float, float]] = {
    "temperature": (4, 31, 1),
    "humidity_percent": (30, 90, 1),
    "wind_speed": (3, 45, 1),
    "air_quality_index": (12, 140, 1),
    "snow_depth": (5, 180, 5),
    "price": (12, 320, 0.5),
    "price_per_night": (55, 280, 5),
    "price_per_day": (28, 120, 1),
    "ticket_price": (12, 120, 0.5),
    "monthly_rent": (550, 2400, 50),
    "hourly_rate": (60, 320, 10),
    "salary": (32000, 98000, 1000),
    "total_price": (15, 420, 0.5),
    "amount": (15, 900, 0.5),
    "balance": (120, 8400, 0.5),
    "rating": (3.1, 4.9, 0.1),
    "change_percent": (-4, 6, 0.1),
    "cpu_load_percent": (4, 96, 1),
    "distance_km": (1, 480, 1),
    "duration_minutes": (15, 240, 5),
    "duration_seconds": (140, 330, 1),
    "preparation_minutes": (10, 90, 5),
    "servings": (1, 6, 1),
    "calories": (180, 850, 10),
    "protein_grams": (4, 48, 1),
    "carbohydrate_grams": (6, 90, 1),
    "fat_grams": (2, 40, 1),
    "release_year": (1975, 2025, 1),
    "publication_year": (1950, 2025, 1),
    "created_year": (1500, 1990, 1),
    "event_year": (1200, 1980, 1),
    "employee_count": (20, 9000, 10),
    "wins": (4, 28, 1),
    "losses": (2, 20, 1),
    "points": (8, 96, 1),
    "rank": (1, 20, 1),
    "bedrooms": (1, 4, 1),
    "free_places": (1, 18, 1),
    "lifespan_years": (2, 70, 1),
    "population": (40000, 9000000, 10000),
    "speakers": (200000, 90000000, 100000),
    "file_size_kb": (12, 4800, 1),
    "total": (10, 900, 1),
    "average": (2, 80, 0.5),
    "latitude": (36, 60, 0.0001),
    "longitude": (-9, 24, 0.0001),
    "red": (0, 255, 1),
    "green": (0, 255, 1),
    "blue": (0, 255, 1),
    "score_points": (1, 99, 1),
}
_TEXTS: dict[str, list[str]] = {
    "score": ["2-1", "0-0", "3-2", "1-0", "4-1", "2-2"],
    "cuisine": ["Italian", "Lebanese", "Japanese", "Mexican", "French", "Indian"],
    "category": ["family", "outdoor", "classic", "local favourite", "historic", "modern"],
    "position": ["goalkeeper", "forward", "centre", "midfielder", "guard", "captain"],
    "specialty": ["family matters", "sports injuries", "contracts", "skin care", "property", "general practice"],
    "habitat": ["rainforest", "coastal waters", "grassland", "mountain forest", "desert", "wetlands"],
    "jurisdiction": ["federal", "California", "European Union", "New York", "Ontario", "Bavaria"],
    "route_summary": ["along the river", "over the ring road", "through the old town", "by the coast road"],
    "summary": [
        "widely documented, with a few open questions",
        "short but influential",
        "known mostly from later accounts",
        "the best-studied example of its kind",
        "still debated among experts",
        "a turning point for the region",
    ],
    "review_text": ["Friendly and quick.", "Good value, a bit noisy.", "Would come again.", "Fine, nothing special."],
    "version_number": ["1.4.2", "2.0.0", "3.11.4", "0.9.5", "5.2.1"],
    "court_name": ["Superior Court", "District Court", "Court of Appeal", "High Court"],
    "case_title": ["Harlan v. Northgate", "Reyes v. Meridian Foods", "State v. Calder", "Lumen v. Kestrel"],
    "law_title": ["Data Protection Act", "Fair Housing Act", "Consumer Rights Act", "Clean Water Act"],
    "headline": [
        "City council approves new tram line",
        "Solar output reaches a record in spring",
        "Local team wins after extra time",
        "Museum reopens after two years of repairs",
        "Small bakeries return to the high street",
    ],
    "alert_title": ["Disk almost full", "Response time rising", "Login failures", "Certificate expires soon"],
    "finding_title": ["Outdated TLS library", "Open redirect", "Weak password policy", "Exposed debug endpoint"],
    "issue_title": ["Login page loads slowly", "Typo in the invoice", "Export misses a column", "Crash on start"],
    "task_title": ["Call the insurance", "Water the plants", "Send the report", "Book the dentist"],
    "subject_line": ["Minutes of Tuesday", "Your invoice", "Lunch on Friday?", "Travel plans"],
    "industry": ["logistics", "retail", "renewable energy", "software", "health care"],
}
_FLAGS = frozenset({"in_stock", "pets_allowed", "enabled"})
_DATES = ("_date", "_on")
_CODES = {
    "account_id": "^AC-[0-9]{6}$",
    "order_id": "^OR-[0-9]{6}$",
    "transaction_id": "^TX-[0-9]{7}$",
    "appointment_id": "^AP-[0-9]{5}$",
    "configuration_id": "^CF-[0-9]{5}$",
    "invoice_number": "^INV-[0-9]{5}$",
    "tracking_number": "^1Z[0-9]{9}$",
    "flight_number": "^(AF|LH|BA|KL|UA)[1-9][0-9]{2,3}$",
}


@lru_cache(maxsize=1)
def _by_noun() -> dict[str, list[str]]:
    return {noun: names.split() for nouns, names in _THINGS.items() for noun in nouns.split()}


def fields_of(noun: str) -> list[str] | None:
    """Return the names of the fields that a thing (a lower-case noun, singular or plural) is told by, or None."""
    return _by_noun().get(noun)


def field_schema(name: str) -> JSON:
    """Return the JSON Schema of a well-known field."""
    described: dict[str, Any] = {"description": name.replace("_", " ").capitalize()}
    if name in _STATUS:
        return {"type": "string", "enum": _STATUS[name], **described}
    if name in _NUMBERS:
        low, high, step = _NUMBERS[name]
        whole = all(float(part).is_integer() for part in (low, high, step))
        limits = {"minimum": low, "maximum": high, "multipleOf": step}
        return {"type": "integer" if whole else "number", **described, **limits}
    if name in _CODES:
        return {"type": "string", "pattern": _CODES[name], **described}
    if name in _TEXTS:
        return {"type": "string", "examples": _TEXTS[name], **described}
    if name in _FLAGS:
        return {"type": "boolean", **described}
    if name.endswith(_DATES):
        return {**_DAY, **described}
    return {**_TIME, **described} if name.endswith("_time") else {"type": "string", **described}
