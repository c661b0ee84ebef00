import random
import re
import time
from datetime import date

import pytest
from jsonschema import Draft202012Validator

from toolflow_graph.catalog import iterate_slots, load_catalog
from toolflow_graph.errors import CatalogError
from toolflow_graph.values import coherent, draw_value, is_identifier, is_reference, kind_of, say

TODAY = date(2026, 6, 9)  # a Tuesday


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("unit", {"type": "string", "enum": ["c", "f"]}, "enum"),
        ("currency", {"type": "string", "enum": ["EUR", "USD"]}, "currency"),
        ("travel_date", {"type": "string", "format": "date"}, "date"),
        ("when", {"type": "string", "format": "date-time"}, "datetime"),
        ("start", {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$"}, "datetime"),
        ("opens", {"type": "string", "pattern": r"^\d{2}:\d{2}$"}, "time"),
        ("month", {"type": "string", "pattern": r"^\d{4}-\d{2}$"}, "date"),
        ("departureDate", {"type": "string", "description": "Departure date"}, "date"),
        ("day", {"type": "string", "description": "The day, in the format YYYY-MM-DD"}, "date"),
        ("start_time", {"type": "string", "description": "Start time, HH:MM"}, "time"),
        ("passengerName", {"type": "string"}, "person"),
        ("recipient", {"type": "string", "description": "Name of the person who gets it"}, "person"),
        ("from_city", {"type": "string"}, "city"),
        ("location", {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}, "city"),
        ("destination", {"type": "string", "description": "City of arrival"}, "city"),
        ("venue", {"type": "string"}, "place"),
        ("country", {"type": "string"}, "country"),
        ("billing_address", {"type": "string"}, "address"),
        ("ip_address", {"type": "string"}, "text"),
        ("employer", {"type": "string"}, "company"),
        ("contactEmail", {"type": "string"}, "email"),
        ("email_body", {"type": "string"}, "text"),
        ("phone_number", {"type": "string"}, "phone"),
        ("website", {"type": "string"}, "url"),
        ("order_id", {"type": "string"}, "id"),
        ("ticket", {"type": "string", "pattern": "^TK-[0-9]{5}$"}, "id"),
        ("price", {"type": "number"}, "money"),
        ("amount", {"type": "number", "description": "The amount of money"}, "money"),
        ("discount_percent", {"type": "number"}, "percent"),
        ("interest_rate", {"type": "number"}, "percent"),
        ("number_of_guests", {"type": "integer"}, "count"),
        ("nights", {"type": "integer"}, "count"),
        ("temperature", {"type": "number"}, "measure"),
        ("duration_minutes", {"type": "integer"}, "measure"),
        ("year", {"type": "integer"}, "number"),
        ("gift_wrap", {"type": "boolean"}, "boolean"),
        ("tags", {"type": "array", "items": {"type": "string"}}, "array"),
        ("filter", {"type": "object", "properties": {}}, "object"),
        ("note", {"type": ["string", "null"]}, "text"),
        ("limit", {"anyOf": [{"type": "null"}, {"type": "integer"}]}, "count"),
        ("anything", {}, "text"),
    ],
)
def test_kind_of(name, schema, kind):
    assert kind_of(name, schema) == kind


@pytest.mark.parametrize(
    ("name", "description", "expected"),
    [
        ("train_id", "Identifier of the train as returned by the train search", "identifier"),
        ("event_id", "", "identifier"),
        ("eventId", "", "identifier"),
        ("order_number", "", "reference"),
        ("tracking_number", "", "reference"),
        ("booking_reference", "", "reference"),
        ("invoice_id", "", "reference"),
        ("account_number", "", "reference"),
        ("iban", "", "reference"),
        ("policy_number", "", "reference"),
        ("zip_code", "", "reference"),
        ("flight_number", "", "reference"),
        ("license_plate", "", "reference"),
        ("passenger_name", "", "neither"),
        ("phone_number", "", "neither"),
        ("number_of_guests", "", "neither"),
    ],
)
def test_identifiers_and_references(name, description, expected):
    schema = {"type": "string", "description": description}
    if name == "number_of_guests":
        schema["type"] = "integer"
    found = "identifier" if is_identifier(name, schema) else "reference" if is_reference(name, schema) else "neither"
    assert found == expected


SCHEMAS = {
    "const": {"const": "fixed"},
    "examples": {"type": "string", "examples": ["a", "b"]},
    "pattern": {"type": "string", "pattern": "^(TER|ICE)-[0-9]{4,5}[A-Z]?$"},
    "pattern_classes": {"type": "string", "pattern": r"^\w{3}\d+[^a-z]\.(pdf|txt)$"},
    "backreference": {"type": "string", "pattern": r"^(a|b)x\1$"},
    "unanchored": {"type": "string", "pattern": "[0-9]{3}", "minLength": 6},
    "length": {"type": "string", "minLength": 40, "maxLength": 60},
    "short": {"type": "string", "maxLength": 3},
    "uuid": {"type": "string", "format": "uuid"},
    "email": {"type": "string", "format": "email"},
    "date": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "cents": {"type": "number", "minimum": 0.1, "maximum": 99.9, "multipleOf": 0.01},
    "tenths": {"type": "number", "minimum": 9, "maximum": 140, "multipleOf": 0.1},
    "exclusive": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "exclusive_int": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    "big_step": {"type": "integer", "minimum": 7, "maximum": 60, "multipleOf": 25},
    "negative": {"type": "integer", "maximum": -3},
    "huge": {"type": "integer", "minimum": 10**9},
    "nullable": {"type": ["string", "null"], "minLength": 1},
    "any_of": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 5}]},
    "all_of": {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 4}]},
    "array": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 5, "uniqueItems": True},
    "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
    "prefix": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
    "object": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "deep": {"type": "object", "properties": {"x": {"type": "integer"}}},
        },
        "required": ["deep"],
    },
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "bad_default": {"type": "boolean", "default": "no"},
}


@pytest.mark.parametrize("label", SCHEMAS)
def test_drawn_values_validate(label):
    validator = Draft202012Validator(SCHEMAS[label], format_checker=Draft202012Validator.FORMAT_CHECKER)
    for seed in range(60):
        value = draw_value(label, SCHEMAS[label], random.Random(seed), TODAY)
        assert validator.is_valid(value), value
        assert value == draw_value(label, SCHEMAS[label], random.Random(seed), TODAY)


def test_every_bundled_tool_can_be_drawn():
    rng = random.Random(1)
    for tool in load_catalog().tools.values():
        for schema in (tool.parameters, tool.returns):
            value = draw_value(tool.name, schema, rng, TODAY)
            assert not list(Draft202012Validator(schema).iter_errors(value)), tool.name


def test_a_pattern_that_nothing_matches_is_an_error():
    with pytest.raises(CatalogError, match="no value can be generated"):
        draw_value("x", {"type": "string", "pattern": "^a(?=b)c$"}, random.Random(0), TODAY)


def test_numbers_are_exact_decimals():
    rng = random.Random(2)
    drawn = [draw_value("price", SCHEMAS["tenths"], rng, TODAY) for _ in range(300)]
    assert all(len(str(value).partition(".")[2]) <= 1 for value in drawn)


def test_dates_lie_where_they_should():
    rng = random.Random(3)

    def days(name, description=""):
        schema = {"type": "string", "format": "date", "description": description}
        drawn = [date.fromisoformat(draw_value(name, schema, rng, TODAY)) for _ in range(80)]
        return [(day - TODAY).days for day in drawn]

    assert all(0 < ahead <= 31 for ahead in days("travel_date"))
    assert all(ahead < -18 * 365 for ahead in days("date_of_birth"))
    assert all(ahead < 0 for ahead in days("purchase_date"))
    assert all(ahead < 0 for ahead in days("start_date", "Start of the report"))
    assert all(ahead > 25 for ahead in days("expiry_date"))


def test_dates_follow_the_format_of_the_description():
    schema = {"type": "string", "description": "Date in MM/DD/YYYY format"}
    assert re.fullmatch(r"\d{2}/\d{2}/\d{4}", draw_value("date", schema, random.Random(1), TODAY))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("latitude", -90, 90), ("age", 1, 110), ("temperature", -30, 45), ("year", 1900, 2030), ("percentage", 0, 100)],
)
def test_numbers_without_bounds_are_plausible(name, low, high):
    rng = random.Random(4)
    assert all(low <= draw_value(name, {"type": "number"}, rng, TODAY) <= high for _ in range(100))


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"type": "number", "minimum": 5, "maximum": 30, "examples": [20.5, 21, 22]}, {20.5, 21, 21.5, 22}),
        ({"type": "integer", "minimum": 0, "maximum": 900, "examples": [30, 45, 90]}, {30, 45, 60, 75, 90}),
        ({"type": "number", "minimum": 0, "maximum": 9, "multipleOf": 0.5, "examples": [1, 2]}, {1, 2}),
        ({"type": "number", "minimum": 0, "maximum": 3, "multipleOf": 1, "examples": [0.5, 2]}, {1, 2}),
        ({"type": "integer", "minimum": 4, "maximum": 6, "examples": [4]}, {4, 5, 6}),
        ({"type": "integer", "minimum": 4, "maximum": 6, "examples": [1, 9]}, {4, 5, 6}),
        ({"type": "integer", "examples": [3, 8]}, {3, 8}),
    ],
    ids=["halves", "quarters", "steps", "own step", "one", "beyond the bounds", "no bounds"],
)
def test_numbers_lie_between_their_examples(schema, values):
    rng = random.Random(2)
    assert {draw_value("x", schema, rng, TODAY) for _ in range(200)} == values


def test_a_list_that_may_be_empty_is_not_drawn_empty():
    rng = random.Random(2)
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 0, "maxItems": 2}
    assert {len(draw_value("tags", schema, rng, TODAY)) for _ in range(50)} == {1, 2}
    assert draw_value("tags", {**schema, "maxItems": 0}, rng, TODAY) == []


def test_net_pay_is_what_deductions_leave():
    number = {"type": "number", "minimum": 0}
    taken = {"type": "object", "properties": {"income_tax": number, "social_security": number}}
    schema = {"type": "object", "properties": {"gross_pay": number, "net_pay": number, "deductions": taken}}
    slip = {"gross_pay": 4490, "net_pay": 2355.54, "deductions": {"income_tax": 700.5, "social_security": 240}}
    assert coherent(slip, schema, random.Random(1))["net_pay"] == 3549.5
    without = {"gross_pay": 4490, "net_pay": 2355.54}
    assert coherent(without, schema, random.Random(1)) == without


def test_examples_in_a_description_are_used():
    schema = {"type": "string", "description": "The platform, e.g. 'Xbox', 'PC'"}
    assert draw_value("platform", schema, random.Random(1), TODAY) in ("Xbox", "PC")


def test_coherent_orders_and_adds_up():
    day = {"type": "string", "format": "date"}
    properties = {
        "min_price": {"type": "number"},
        "max_price": {"type": "number"},
        "check_in": day,
        "check_out": day,
        "unit_price": {"type": "number"},
        "quantity": {"type": "integer"},
        "total_price": {"type": "number"},
        "guest_name": {"type": "string"},
        "guest_email": {"type": "string", "format": "email"},
        "city": {"type": "string"},
        "country": {"type": "string"},
    }
    given = {
        "min_price": 90,
        "max_price": 20,
        "check_in": "2026-06-12",
        "check_out": "2026-06-12",
        "unit_price": 3.1,
        "quantity": 3,
        "total_price": 1,
        "guest_name": "Clara Vogel",
        "guest_email": "someone@example.com",
        "city": "Lyon",
        "country": "Japan",
    }
    made = coherent(given, {"type": "object", "properties": properties}, random.Random(1))
    assert (made["min_price"], made["max_price"]) == (20, 90)
    assert made["check_in"] < made["check_out"]
    assert made["total_price"] == 9.3
    assert "vogel" in made["guest_email"]
    assert made["country"] == "France"
    assert given["total_price"] == 1


def test_coherent_leaves_what_would_break_a_schema():
    schema = {"properties": {"min_n": {"type": "integer", "maximum": 5}, "max_n": {"type": "integer", "minimum": 1}}}
    assert coherent({"min_n": 4, "max_n": 2}, schema, random.Random(1)) == {"min_n": 2, "max_n": 4}
    schema["properties"]["min_n"]["minimum"] = 3
    assert coherent({"min_n": 4, "max_n": 2}, schema, random.Random(1)) == {"min_n": 4, "max_n": 2}


def said(value, name="x", style="user", **schema):
    keys = {k: schema.pop(k) for k in ("currency", "noun") if k in schema}
    return {say(value, name, schema, random.Random(seed), TODAY, style=style, **keys) for seed in range(250)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-06-10", {"tomorrow"}),
        ("2026-06-08", {"yesterday"}),
        ("2026-06-12", {"Friday", "this Friday", "12 June", "June 12", "the 12th"}),
        ("2026-06-16", {"next Tuesday", "16 June", "the 16th"}),
        ("2026-09-01", {"1 September", "September 1"}),
        ("2027-12-24", {"24 December 2027", "December 24, 2027"}),
    ],
)
def test_dates_in_words(value, expected):
    words = said(value, "travel_date")
    assert expected <= words
    assert not any(re.search(r"\d{4}-\d", w) for w in words)


def test_times_and_moments_in_words():
    assert said("09:30") == {"half past nine in the morning", "9:30 am"}  # in the evening "half past nine" is another
    assert said("09:30", style="assistant") == {"9:30"}
    assert "quarter to six in the evening" in said("17:45")
    assert said("12:00") == {"noon"}
    assert "Friday at half past nine" in said("2026-06-12T09:30")
    assert "12 June at 14:30" in said("2026-06-12T14:30", style="assistant")
    assert {"June", "this month"} == said("2026-06")


def test_amounts_in_words():
    assert {"€29.40", "29.40 euros"} == said(29.4, "price", type="number", currency="EUR")
    assert "CHF 40" in said(40, "price", type="number", currency="CHF")
    assert said(1250, "price", type="number", currency="USD", style="assistant") == {"$1,250"}
    assert {"2", "two"} == said(2, "guests", type="integer")
    assert said(1, "nights", type="integer", noun="night") == {"one night"}
    assert said(3, "nights", type="integer", noun="night") == {"three nights"}
    assert said(14, "x", type="integer", noun="bag of flour") == {"14 bags of flour"}
    assert "half an hour" in said(30, "minutes", type="integer", noun="minute")
    assert {"70%", "70 percent"} == said(70, "humidity_percent", type="number")
    assert said(2026, "year", type="integer") == {"2026"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("eating_out", "eating out"),
        ("IN_PROGRESS", "in progress"),
        ("USB", "USB"),
        ("one-way", "one-way"),
        ("GitHub", "GitHub"),
        ("inProgress", "in progress"),
    ],
)
def test_enum_values_in_words(value, words):
    assert said(value, "x", enum=[value]) == {words}


def test_other_values_in_words():
    assert said(True) == {"yes"}
    assert said(["a", "b", "c"]) == {"a, b and c"}
    assert said("ev_3381", "event_id", type="string") == {"ev_3381"}
    assert said({"street": "12 Rue Pasteur", "city": "Lyon"}) == {"12 Rue Pasteur, Lyon"}
    assert said("FR", "country", type="string") == {"France"}
    assert said("es", "language", type="string") == {"Spanish"}


def test_words_never_look_like_code():
    rng = random.Random(5)
    for tool in load_catalog().tools.values():
        for slot in iterate_slots(tool.parameters):
            value = draw_value(slot.name, slot.schema, rng, TODAY)
            words = say(value, slot.name, slot.schema, rng, TODAY, currency="EUR")
            assert not re.search(r"[\[\]{}<>]|\bNone\b|\d{4}-\d{2}-\d", words), words
            if kind_of(slot.name, slot.schema) not in ("id", "email", "url", "text", "array", "object"):
                assert "_" not in words


def test_drawing_is_fast():
    rng = random.Random(6)
    schema = {"type": "string"}
    draw_value("passenger_name", schema, rng, TODAY)
    start = time.process_time()
    for _ in range(2000):
        draw_value("passenger_name", schema, rng, TODAY)
    assert (time.process_time() - start) / 2000 < 60e-6
