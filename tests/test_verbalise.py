"""Phrasings made by rule for tools that carry none."""

import random
import time
from datetime import date

import pytest

from toolflow_graph.agents.scripted.arrange import askable, standalone_frames
from toolflow_graph.agents.scripted.phrasing import Wording
from toolflow_graph.agents.scripted.verbalise import read_request, with_phrasings
from toolflow_graph.agents.scripted.verbalise.morphology import base_form, gerund, is_plural, participle, singular
from toolflow_graph.catalog.infer import infer_returns
from toolflow_graph.catalog.normalise import normalise_schema
from toolflow_graph.frames import parse_frame
from toolflow_graph.types import JSON, Phrasings, Tool
from toolflow_graph.values import draw_value

TODAY = date(2026, 6, 9)


def make(name: str, description: str, properties: JSON, required: list[str], returns: JSON | None = None) -> Tool:
    parameters = normalise_schema({"type": "dict", "properties": properties, "required": required})
    returns = returns or infer_returns(name, description, parameters)
    return Tool(name=name, description=description, parameters=parameters, returns=returns)


def string(description: str, **more: object) -> JSON:
    return {"type": "string", "description": description, **more}


def number(description: str, kind: str = "float") -> JSON:
    return {"type": kind, "description": description}


DERIVATIVE = make(
    "calculus_differentiate",
    "Compute the derivative of a function at a specific value.",
    {"function": string("The function to differentiate."), "value": number("The value at which to differentiate.")},
    ["function", "value"],
)
TRIANGLE = make(
    "triangle_area",
    "This function calculates the area of a triangle, given its base and height (in centimeters).",
    {
        "base": number("The base of the triangle in centimeters.", "integer"),
        "height": number("The height of the triangle in centimeters.", "integer"),
        "unit": string("Unit of the result.", enum=["cm2", "m2"], default="cm2"),
    },
    ["base", "height"],
)
CAPITAL = make(
    "country_facts.capital".replace(".", "_"),
    "Fetches the capital city of a specified country via the API and returns it as JSON.",
    {"country": string("Name of the country.")},
    ["country"],
)
PRICING = make(
    "carRentalPricingGet",
    "",
    {
        "location": string("City of the rental, in the format of City, State"),
        "days": number("Number of days", "integer"),
    },
    ["location", "days"],
)
RELEASE = make(
    "releases_api_ReleasesApi_delete_release",
    "Deletes a specified release from the system using its unique identifier.",
    {"releaseId": string("The unique identifier of the release to be deleted.")},
    ["releaseId"],
)
CONVERT = make(
    "convert_money",
    "Converts a given amount of money from one currency to another.",
    {
        "amount": number("The amount of money."),
        "from_currency": string("Currency to convert from."),
        "to_currency": string("Currency to convert to."),
    },
    ["amount", "from_currency", "to_currency"],
)
BOOKING = make(
    "Hotels_2_Reserve",
    "Reserves a room in a hotel, allowing the user to specify dates.",
    {
        "hotel_name": string("The name of the hotel."),
        "check_in": string("The check-in date, YYYY-MM-DD."),
        "check_out": string("The check-out date, YYYY-MM-DD."),
        "number_of_guests": number("Number of guests.", "integer"),
        "guest_name": string("Full name of the guest."),
        "add_breakfast": {"type": "boolean", "description": "Whether to add breakfast to the booking."},
    },
    ["hotel_name", "check_in", "check_out", "number_of_guests", "guest_name", "add_breakfast"],
)
MEAN = make(
    "stats_mean",
    "Calculates the mean of a list of numbers.",
    {"numbers": {"type": "array", "items": {"type": "float"}, "description": "The numbers."}},
    ["numbers"],
)
GRADES = make(
    "grade_average",
    "Calculates the average grade.",
    {"grades": {"type": "dict", "description": "Grades by subject."}},
    ["grades"],
)
PARCEL = make(
    "ship.parcel".replace(".", "_"),
    "Ship a parcel.",
    {
        "address": {
            "type": "dict",
            "description": "Where to",
            "properties": {"city": string("The city."), "street_address": string("Street and number.")},
            "required": ["city"],
        },
    },
    ["address"],
)
TOOLS = [DERIVATIVE, TRIANGLE, CAPITAL, PRICING, RELEASE, CONVERT, BOOKING, MEAN, GRADES, PARCEL]
EACH = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def phrasings_of(tool: Tool) -> Phrasings:
    phrasings = with_phrasings(tool).phrasings
    assert phrasings is not None
    return phrasings


def every_frame(phrasings: Phrasings) -> list[str]:
    grouped = [frame for frames in (*phrasings.asks.values(), *phrasings.changes.values()) for frame in frames]
    errors = [frame for error in phrasings.errors for frame in (error.message, *error.told)]
    plain = [*phrasings.requests, *phrasings.answers, *phrasings.items, *phrasings.picks, *phrasings.declines]
    return [*plain, *grouped, *errors]


def say(tool: Tool, arguments: JSON, frame: str) -> str:
    wording = Wording(with_phrasings(tool), TODAY, random.Random(1), month_first=False)
    return wording.request(frame, arguments, set(arguments))


@pytest.mark.parametrize(
    ("tool", "deed"),
    [
        (DERIVATIVE, "calculate the derivative of a function at a value"),
        (TRIANGLE, "calculate the area of a triangle"),
        (CAPITAL, "get the capital city of a country"),
        (PRICING, "get the car rental pricing"),
        (RELEASE, "delete a release"),
        (CONVERT, "convert an amount from one currency to another"),
        (BOOKING, "reserve a room in a hotel"),
    ],
    ids=lambda value: value.name if isinstance(value, Tool) else "",
)
def test_the_deed_is_an_infinitive_in_plain_words(tool: Tool, deed: str) -> None:
    assert read_request(tool).deed.plain() == deed


@pytest.mark.parametrize(
    ("description", "deed"),
    [
        ("Retrieves a list of alarms that the user has set in the system.", "get alarms"),
        ("Cancels and deletes a specific event from the user's calendar.", "cancel an event from my calendar"),
        ("A tool to search for board games based on specific criteria.", "find board games"),
        ("Temporarily suspends the processing of jobs.", "suspend the processing of jobs"),
        (
            "Calculate a company's interest coverage ratio given its income.",
            "calculate a company's interest coverage ratio",
        ),
        ("Tells how long a flight takes.", "find out how long a flight takes"),
    ],
)
def test_what_only_developers_say_is_left_out(description: str, deed: str) -> None:
    assert read_request(make("do_it", description, {}, [])).deed.plain() == deed


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        (DERIVATIVE, {"function": "sin(x)", "value": 37}, "the derivative of sin(x) at 37"),
        (CAPITAL, {"country": "Norway"}, "the capital city of Norway"),
        (RELEASE, {"releaseId": "REL-17"}, "delete release REL-17"),
        (CONVERT, {"amount": 80, "from_currency": "CHF", "to_currency": "NOK"}, "from CHF to NOK"),
        (MEAN, {"numbers": [3, 15, 21]}, "the mean of 3, 15 and 21"),
    ],
    ids=lambda value: value.name if isinstance(value, Tool) else "",
)
def test_values_stand_where_the_description_has_their_nouns(tool: Tool, arguments: JSON, words: str) -> None:
    said = {say(tool, arguments, frame).replace("three,", "3,") for frame in phrasings_of(tool).requests}
    said = {text.replace("Swiss francs", "CHF").replace("Norwegian kroner", "NOK") for text in said}
    assert any(words in text for text in said), said


def test_units_come_from_the_description() -> None:
    assert any(
        "a base of 14 cm" in say(TRIANGLE, {"base": 14, "height": 20}, f) for f in phrasings_of(TRIANGLE).requests
    )


@EACH
def test_frames_can_be_parsed_and_hold_no_names_of_slots(tool: Tool) -> None:
    for frame in every_frame(phrasings_of(tool)):
        literal = "".join(part for part in parse_frame(frame).parts if isinstance(part, str))
        assert "_" not in literal, frame
        assert "<" not in literal, frame


@EACH
def test_there_are_a_dozen_requests_and_every_required_value_can_be_said(tool: Tool) -> None:
    assert len(phrasings_of(tool).requests) >= 12
    assert standalone_frames(with_phrasings(tool))


@EACH
def test_no_request_is_ever_empty(tool: Tool) -> None:
    rng = random.Random(3)
    properties = tool.parameters["properties"]
    for frame in phrasings_of(tool).requests:
        arguments = {name: draw_value(name, properties[name], rng, TODAY) for name in tool.required}
        assert len(say(tool, arguments, frame).split()) > 1, frame


@EACH
def test_what_can_be_asked_for_can_be_left_out_and_pointed_at(tool: Tool) -> None:
    phrasings = phrasings_of(tool)
    frames = [parse_frame(frame) for frame in phrasings.requests]
    for name in askable(with_phrasings(tool)):
        assert sum(name in frame.droppable for frame in frames) >= 2
        pointing = [f for f in frames if name in f.paths - f.fixed - f.droppable]
        assert pointing, name
        assert len(phrasings.asks[name]) >= 4
        assert len(phrasings.changes[name]) >= 4


def test_a_value_that_cannot_be_said_is_not_asked_for() -> None:
    assert not phrasings_of(GRADES).asks
    assert "grades" in parse_frame(phrasings_of(GRADES).requests[0]).conditions()


@pytest.mark.parametrize("wanted", [True, False])
def test_a_required_flag_is_said_either_way(wanted: bool) -> None:
    arguments = {
        "hotel_name": "Alder House",
        "check_in": "2026-06-12",
        "check_out": "2026-06-14",
        "number_of_guests": 2,
        "guest_name": "Clara Vogel",
        "add_breakfast": wanted,
    }
    for frame in phrasings_of(BOOKING).requests:
        assert ("with breakfast" if wanted else "without breakfast") in say(BOOKING, arguments, frame)


def test_many_values_are_spread_over_sentences() -> None:
    frames = [f for f in phrasings_of(BOOKING).requests if ". " in f or "? " in f]
    assert len(frames) >= 10


@EACH
def test_answers_state_fields_and_arguments_only(tool: Tool) -> None:
    phrasings = phrasings_of(tool)
    known = set(tool.parameters["properties"]) | {"list", "count"} | _paths(tool.returns)
    assert len(phrasings.answers) >= 6
    for frame in phrasings.answers:
        assert parse_frame(frame).paths <= known, frame


def _paths(schema: JSON, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        found |= {f"{prefix}{name}"} | _paths(part, f"{prefix}{name}.")
    return found


def test_a_flag_in_a_result_is_told_as_a_clause() -> None:
    flag = {"type": "boolean", "description": "Whether the table is free"}
    tool = make("check_table", "Check a table.", {}, [], {"type": "object", "properties": {"is_free": flag}})
    answer = Wording(with_phrasings(tool), TODAY, random.Random(1)).answer
    told = {answer([frame], {"is_free": False}, {}, set()) for frame in phrasings_of(tool).answers}
    assert "No, the table is not free." in told


def test_errors_are_two_passing_ones_and_one_that_another_value_mends() -> None:
    errors = phrasings_of(BOOKING).errors
    assert [error.about for error in errors] == [None, None, "hotel_name"]


@EACH
def test_declines_hold_no_slot_and_speak_to_the_user(tool: Tool) -> None:
    for frame in phrasings_of(tool).declines:
        assert not parse_frame(frame).paths
        assert " my " not in frame.replace("of my tools", "").replace("among my tools", "")


def test_items_of_a_list_are_told_and_pointed_at_without_ids() -> None:
    item = {
        "type": "object",
        "properties": {
            "hotel_id": string("Identifier of the hotel", pattern="^HT-[0-9]{3}$"),
            "hotel_name": string("Name of the hotel"),
            "price": number("Price of a night", "number"),
        },
    }
    returns = {"type": "object", "properties": {"hotels": {"type": "array", "items": item}}}
    phrasings = phrasings_of(make("find_hotels", "Find hotels.", {}, [], returns))
    assert phrasings.items[0] == "{hotel_name}[ for {price}]"
    assert not any("hotel_id" in frame for frame in (*phrasings.items, *phrasings.picks))
    assert any("{count:hotel}" in frame for frame in phrasings.answers)


def test_phrasings_are_kept_where_there_are_any_and_marked_where_made() -> None:
    made = with_phrasings(CAPITAL)
    assert "phrasings" in made.inferred
    assert with_phrasings(made) is made
    assert with_phrasings(CAPITAL) is made


def test_phrasings_depend_on_the_tool_alone() -> None:
    assert phrasings_of(TRIANGLE.model_copy()) == phrasings_of(TRIANGLE.model_copy())


def test_different_tools_ask_differently() -> None:
    alike = [CAPITAL.model_copy(update={"name": f"capital_{letter}"}) for letter in "abcdef"]
    frames = [set(phrasings_of(tool).requests) for tool in alike]
    assert len(set.union(*frames)) > 2 * len(frames[0])


def test_it_is_quick() -> None:
    tools = [CONVERT.model_copy(update={"name": f"convert_{i}"}) for i in range(50)]
    began = time.process_time()
    for tool in tools:
        with_phrasings(tool)
    assert (time.process_time() - began) / len(tools) < 0.01


@pytest.mark.parametrize(
    ("word", "base"),
    [
        ("retrieves", "retrieve"),
        ("searches", "search"),
        ("Identifies", "identify"),
        ("table", None),
        ("passes", "pass"),
    ],
)
def test_base_form(word: str, base: str | None) -> None:
    assert base_form(word) == base


@pytest.mark.parametrize(
    ("verb", "ing", "done"),
    [
        ("get", "getting", "found"),
        ("make", "making", "made"),
        ("cancel", "cancelling", "cancelled"),
        ("apply", "applying", "applied"),
    ],
)
def test_verb_forms(verb: str, ing: str, done: str) -> None:
    assert (gerund(verb), participle(verb)) == (ing, done)


@pytest.mark.parametrize(
    ("noun", "plural", "one"),
    [
        ("movies", True, "movie"),
        ("status", False, "status"),
        ("details of the car", True, "detail of the car"),
        ("cards per player", True, "cards per player"),
        ("weather information", False, "weather information"),
        ("cities", True, "city"),
    ],
)
def test_nouns(noun: str, plural: bool, one: str) -> None:
    assert is_plural(noun) is plural
    assert singular(noun) == one
