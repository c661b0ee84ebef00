"""The scripted tool simulator: a world that stays true to itself, seen through a few tools made for it."""

import asyncio
import json
from itertools import pairwise

import pytest
from jsonschema import Draft202012Validator
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from toolflow_graph.agents.roles import Scene, ToolCall
from toolflow_graph.agents.scripted.home import home_of
from toolflow_graph.agents.scripted.promised import require_paths
from toolflow_graph.agents.scripted.simulator import ScriptedToolSimulator
from toolflow_graph.types import DialoguePlan, PlannedRequest, Scenario, Tool

SEEDS = range(12)
ROOM_ID = {"type": "string", "pattern": "^RM-[0-9]{4}$", "description": "Identifier of the room"}
BOOKING_ID = {"type": "string", "pattern": "^BK-[0-9]{5}$", "description": "Identifier of the booking"}
TRIP_ID = {"type": "string", "pattern": "^TP-[0-9]{5}$", "description": "Identifier of the trip"}
PRICE = {"type": "number", "minimum": 20, "maximum": 400, "multipleOf": 0.5, "description": "Price of a night"}
RATING = {"type": "number", "minimum": 1, "maximum": 5, "multipleOf": 0.1, "description": "Rating by guests"}
CURRENCY = {"type": "string", "enum": ["CHF", "EUR", "GBP", "USD"], "description": "Currency of the price"}
DAY = {"type": "string", "format": "date", "description": "Day, YYYY-MM-DD"}
CLOCK = {"type": "string", "pattern": "^\\d{2}:\\d{2}$", "description": "Local time, HH:MM"}
CITY = {"type": "string", "description": "City"}
HOTEL = {"type": "string", "description": "Name of the hotel", "examples": ["Aare", "Bristol", "Cosmos", "Dom", "Eden"]}
GUEST = {"type": "string", "description": "Full name of the guest"}
COUNT = {"type": "integer", "minimum": 0, "maximum": 50, "description": "How many there are"}


def an_object(properties, required=None):
    return {"type": "object", "properties": properties, "required": list(properties if required is None else required)}


def a_list(properties):
    return {"type": "array", "description": "What was found", "items": an_object(properties)}


def a_tool(name, parameters, returns, required=None):
    return Tool(
        name=name,
        description=name.replace("_", " ").capitalize() + ".",
        parameters=an_object(parameters, required),
        returns=an_object(returns),
        domain="stay",
    )


ROOM = {"room_id": ROOM_ID, "hotel_name": HOTEL, "city": CITY, "price": PRICE, "rating": RATING, "currency": CURRENCY}
STATUS = {"type": "string", "enum": ["pending", "confirmed", "cancelled"], "description": "Status of the booking"}
BOOKING = {"booking_id": BOOKING_ID, "room_id": ROOM_ID, "guest_name": GUEST, "check_in": DAY, "check_out": DAY}
TRIP = {"trip_id": TRIP_ID, "departure_time": CLOCK, "arrival_time": CLOCK, "price": PRICE, "currency": CURRENCY}
NOTE_ID = {"type": "string", "pattern": "^NT-[0-9]{5}$", "description": "Identifier of the note"}
TITLE = {
    "type": "string",
    "description": "Title",
    "examples": ["Anchors", "Bells", "Candles", "Drums", "Eels", "Flags"],
}
NOTE = {"note_id": NOTE_ID, "note_title": TITLE, "author_name": GUEST, "hours_old": COUNT}
SORT = {"type": "string", "enum": ["price", "rating"], "description": "How to sort"}

TOOLS = {
    tool.name: tool
    for tool in (
        a_tool(
            "search_rooms",
            {"city": CITY, "max_price": PRICE, "min_rating": RATING, "sort_by": SORT},
            {"count": COUNT, "rooms": a_list(ROOM)},
            ["city"],
        ),
        a_tool("get_room", {"room_id": ROOM_ID}, {**ROOM, "beds": COUNT}),
        a_tool(
            "create_booking",
            {"room_id": ROOM_ID, "guest_name": GUEST, "check_in": DAY, "check_out": DAY},
            {**BOOKING, "status": STATUS, "confirmed": {"type": "boolean", "description": "Whether it is confirmed"}},
        ),
        a_tool("list_bookings", {}, {"bookings": a_list({**BOOKING, "status": STATUS}), "total_count": COUNT}),
        a_tool("get_booking", {"booking_id": BOOKING_ID}, {**BOOKING, "status": STATUS}),
        a_tool("update_booking", {"booking_id": BOOKING_ID, "guest_name": GUEST}, {**BOOKING, "status": STATUS}),
        a_tool("get_receipt", {"booking_id": BOOKING_ID}, {"booking_id": BOOKING_ID, "hotel_name": HOTEL}),
        a_tool("cancel_booking", {"booking_id": BOOKING_ID}, {"booking_id": BOOKING_ID, "status": STATUS}),
        a_tool(
            "search_trips",
            {"city": CITY, "depart_after": CLOCK, "arrive_before": CLOCK},
            {"trips": a_list(TRIP)},
            ["city"],
        ),
        a_tool("get_trip", {"trip_id": TRIP_ID}, TRIP),
        a_tool("list_outages", {"city": CITY}, {"outages": a_list({"street": TITLE, "restored_by": CLOCK})}),
        a_tool("create_note", {"note_title": TITLE, "folder": TITLE}, {"note_id": NOTE_ID, "note_title": TITLE}),
        a_tool("list_notes", {"folder": TITLE, "author_name": GUEST}, {"notes": a_list(NOTE)}, ["folder"]),
    )
}
STAY = {"guest_name": "Clara Vogel", "check_in": "2026-06-12", "check_out": "2026-06-14"}


class Counter:
    """Calls the tools one after the other, and keeps messages and world as the state machine does."""

    def __init__(self, seed):
        self.seed = seed
        self.world = {}
        self.messages = [HumanMessage("Hello.")]
        self.last = None

    def scene(self):
        scenario = Scenario(persona="guest", situation="a trip", goal="a room", now="2026-06-09T10:00", city="Lyon")
        plan = DialoguePlan(scenario=scenario, requests=(PlannedRequest(intent="a room", patterns=("single",)),))
        return Scene(0, self.seed, plan, tuple(self.messages), TOOLS, tuple(TOOLS), {}, world=self.world)

    def call(self, name, **arguments):
        identity = f"call_{len(self.messages)}"
        self.messages.append(AIMessage("", tool_calls=[{"id": identity, "name": name, "args": arguments}]))
        self.last = asyncio.run(ScriptedToolSimulator().run(self.scene(), ToolCall(identity, name, arguments)))
        self.world = self.last.world
        status = "error" if self.last.failed else "success"
        self.messages.append(ToolMessage(json.dumps(self.last.content), tool_call_id=identity, status=status))
        return self.last.content


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed{seed}")
def counter(request):
    return Counter(request.param)


def test_id_leads_back_to_its_object(counter):
    for room in counter.call("search_rooms", city="Zurich")["rooms"]:
        details = counter.call("get_room", room_id=room["room_id"])
        assert {name: details[name] for name in room} == room


def test_object_leads_on_to_another_one(counter):
    room = counter.call("search_rooms", city="Zurich")["rooms"][0]
    booking = counter.call("create_booking", room_id=room["room_id"], **STAY)
    receipt = counter.call("get_receipt", booking_id=booking["booking_id"])
    assert receipt == {"booking_id": booking["booking_id"], "hotel_name": room["hotel_name"]}


def test_details_stay_what_they_were_after_changes(counter):
    room = counter.call("search_rooms", city="Zurich")["rooms"][-1]
    before = counter.call("get_room", room_id=room["room_id"])
    booking = counter.call("create_booking", room_id=room["room_id"], **STAY)
    counter.call("update_booking", booking_id=booking["booking_id"], guest_name="Alan Moss")
    assert counter.call("get_room", room_id=room["room_id"]) == before


def test_what_was_created_is_listed_and_found(counter):
    booking = counter.call("create_booking", room_id="RM-1234", **STAY)
    listed = [b for b in counter.call("list_bookings")["bookings"] if b["booking_id"] == booking["booking_id"]]
    assert [{name: item[name] for name in BOOKING} for item in listed] == [{n: booking[n] for n in BOOKING}]
    details = counter.call("get_booking", booking_id=booking["booking_id"])
    assert {name: details[name] for name in BOOKING} == {name: booking[name] for name in BOOKING}


def test_what_is_still_out_is_back_later_than_now(counter):
    now = home_of(counter.seed, 0).now
    outages = counter.call("list_outages", city="Lyon")["outages"]
    assert outages
    for outage in outages:
        hour, minute = map(int, outage["restored_by"].split(":"))
        ahead = (now.replace(hour=hour, minute=minute) - now).total_seconds() / 3600
        assert ahead > 0 or (now.hour >= 20 and ahead % 24 <= 4)  # after midnight


def test_what_was_just_made_is_listed_once_and_new(counter):
    note = counter.call("create_note", note_title="Bells", folder="Flags")
    listed = counter.call("list_notes", folder="Flags")["notes"]
    assert [(item["note_title"], item["hours_old"]) for item in listed if item["note_id"] == note["note_id"]] == [
        ("Bells", 0)
    ]
    assert len({item["note_id"] for item in listed}) == len({item["note_title"] for item in listed}) == len(listed)


def test_what_was_made_is_nobody_elses(counter):
    note = counter.call("create_note", note_title="Bells", folder="Flags")
    listed = counter.call("list_notes", folder="Flags", author_name="Alan Moss")["notes"]
    assert listed
    assert {item["author_name"] for item in listed} == {"Alan Moss"}
    assert note["note_id"] not in {item["note_id"] for item in listed}


def test_what_was_changed_shows_the_change(counter):
    booking = counter.call("create_booking", room_id="RM-1234", **STAY)
    changed = counter.call("update_booking", booking_id=booking["booking_id"], guest_name="Alan Moss")
    assert changed["guest_name"] == "Alan Moss"
    assert {changed[name] == booking[name] for name in BOOKING if name != "guest_name"} == {True}
    names = {b["booking_id"]: b["guest_name"] for b in counter.call("list_bookings")["bookings"]}
    assert names[booking["booking_id"]] == "Alan Moss"
    assert counter.call("get_booking", booking_id=booking["booking_id"])["guest_name"] == "Alan Moss"


def test_what_was_cancelled_is_not_listed(counter):
    kept = counter.call("create_booking", room_id="RM-1234", **STAY)["booking_id"]
    gone = counter.call("create_booking", room_id="RM-5678", **STAY)["booking_id"]
    assert counter.call("cancel_booking", booking_id=gone) == {"booking_id": gone, "status": "cancelled"}
    listed = {booking["booking_id"] for booking in counter.call("list_bookings")["bookings"]}
    assert kept in listed
    assert gone not in listed
    assert counter.call("get_booking", booking_id=gone)["status"] == "cancelled"


def test_listed_item_that_was_cancelled_is_gone(counter):
    before = counter.call("list_bookings")["bookings"]
    counter.call("cancel_booking", booking_id=before[0]["booking_id"])
    after = counter.call("list_bookings")
    assert before[0]["booking_id"] not in {booking["booking_id"] for booking in after["bookings"]}
    assert after["total_count"] == len(after["bookings"])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search_rooms", {"city": "Zurich", "max_price": 120}),
        ("list_bookings", {}),
        ("get_trip", {"trip_id": "TP-12345"}),
    ],
    ids=["search", "list", "get"],
)
def test_same_reading_call_gives_the_same(counter, name, arguments):
    first = counter.call(name, **arguments)
    counter.call("search_trips", city="Bern")
    assert counter.call(name, **arguments) == first


def test_another_search_finds_something_else(counter):
    zurich, bern = (counter.call("search_rooms", city=city)["rooms"] for city in ("Zurich", "Bern"))
    assert {room["city"] for room in zurich} == {"Zurich"}
    assert {room["city"] for room in bern} == {"Bern"}
    assert not {room["room_id"] for room in zurich} & {room["room_id"] for room in bern}


def test_arguments_are_echoed(counter):
    booking = counter.call("create_booking", room_id="RM-1234", **STAY)
    assert {name: booking[name] for name in STAY} == STAY
    assert booking["room_id"] == "RM-1234"
    assert booking["confirmed"] is True
    assert booking["status"] != "cancelled"


@pytest.mark.parametrize("limit", [35, 90, 250])
def test_max_price_is_obeyed(counter, limit):
    rooms = counter.call("search_rooms", city="Zurich", max_price=limit)["rooms"]
    assert rooms
    assert max(room["price"] for room in rooms) <= limit


@pytest.mark.parametrize("limit", [2.5, 4.5])
def test_min_rating_is_obeyed(counter, limit):
    rooms = counter.call("search_rooms", city="Zurich", min_rating=limit)["rooms"]
    assert rooms
    assert min(room["rating"] for room in rooms) >= limit


@pytest.mark.parametrize(("by", "sign"), [("price", 1), ("rating", -1)], ids=["cheapest", "best"])
def test_sort_is_obeyed(counter, by, sign):
    rooms = counter.call("search_rooms", city="Zurich", sort_by=by)["rooms"]
    assert [room[by] for room in rooms] == sorted((room[by] for room in rooms), key=lambda value: sign * value)


@pytest.mark.parametrize(
    "limits",
    [{}, {"depart_after": "17:30"}, {"arrive_before": "11:00"}, {"depart_after": "08:00", "arrive_before": "12:00"}],
    ids=["none", "after", "before", "both"],
)
def test_times_are_obeyed_and_in_order(counter, limits):
    trips = counter.call("search_trips", city="Bern", **limits)["trips"]
    assert trips
    assert min(trip["departure_time"] for trip in trips) >= limits.get("depart_after", "")
    assert max(trip["arrival_time"] for trip in trips) <= limits.get("arrive_before", "99:99")
    assert all(trip["departure_time"] < trip["arrival_time"] for trip in trips)
    assert all(one["departure_time"] <= other["departure_time"] for one, other in pairwise(trips))


def test_stays_start_before_they_end(counter):
    bookings = counter.call("list_bookings")["bookings"]
    assert bookings
    assert all(booking["check_in"] < booking["check_out"] for booking in bookings)


def test_one_currency_in_a_dialogue(counter):
    rooms = counter.call("search_rooms", city="Zurich")["rooms"]
    trips = counter.call("search_trips", city="Bern")["trips"]
    assert len({item["currency"] for item in (*rooms, *trips)}) == 1


def test_currencies_differ_between_dialogues():
    found = {Counter(seed).call("search_rooms", city="Zurich")["rooms"][0]["currency"] for seed in range(60)}
    assert len(found) > 1


@pytest.mark.parametrize(
    ("name", "arguments", "listing", "count"),
    [("search_rooms", {"city": "Zurich"}, "rooms", "count"), ("list_bookings", {}, "bookings", "total_count")],
    ids=["before", "after"],
)
def test_count_is_the_length_of_the_list(counter, name, arguments, listing, count):
    result = counter.call(name, **arguments)
    assert result[count] == len(result[listing]) > 1


def test_items_of_a_list_can_be_told_apart(counter):
    for name, listing, key in (("search_rooms", "rooms", "room_id"), ("search_trips", "trips", "trip_id")):
        items = counter.call(name, city="Bern")[listing]
        assert len({item[key] for item in items}) == len(items)


def test_results_fit_and_world_is_plain_json(counter):
    room = counter.call("search_rooms", city="Zurich", max_price=120, sort_by="rating")["rooms"][0]
    booking = counter.call("create_booking", room_id=room["room_id"], **STAY)["booking_id"]
    calls = [
        ("update_booking", {"booking_id": booking, "guest_name": "Alan Moss"}),
        ("list_bookings", {}),
        ("search_trips", {"city": "Bern", "depart_after": "22:30"}),
        ("cancel_booking", {"booking_id": booking}),
        ("get_booking", {"booking_id": booking}),
    ]
    for name, arguments in calls:
        result = counter.call(name, **arguments)
        Draft202012Validator(TOOLS[name].returns).validate(result)
        assert json.loads(json.dumps(counter.world)) == counter.world


def test_call_leaves_the_world_before_it_as_it_was(counter):
    counter.call("create_booking", room_id="RM-1234", **STAY)
    world, copied = counter.world, json.loads(json.dumps(counter.world))
    counter.call("cancel_booking", booking_id=next(iter(copied["objects"])))
    assert world == copied
    assert counter.world != copied


def test_result_depends_on_the_scene_alone(counter):
    again = Counter(counter.seed)
    assert counter.call("search_rooms", city="Zurich") == again.call("search_rooms", city="Zurich")
    assert counter.call("list_bookings") == again.call("list_bookings")


def test_seeds_give_different_results():
    results = {json.dumps(Counter(seed).call("search_rooms", city="Zurich")) for seed in SEEDS}
    assert len(results) == len(SEEDS)


def test_unknown_tool_fails(counter):
    counter.call("fly_to_the_moon")
    assert counter.last.failed
    assert "fly_to_the_moon" in counter.last.content["error"]


def test_what_a_later_call_takes_from_a_result_is_in_it():
    left_open = {
        "type": "object",
        "properties": {
            "room": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"room_id": ROOM_ID}}]},
            "trips": {"type": "array", "items": {"type": ["object", "null"], "properties": {"trip_id": TRIP_ID}}},
            "hotel_name": HOTEL,
        },
    }
    required = require_paths(left_open, ["room.room_id", "trips.trip_id", "no.such.path"])
    assert required["required"] == ["room", "trips"]
    assert required["properties"]["room"]["required"] == ["room_id"]
    assert required["properties"]["trips"]["items"]["required"] == ["trip_id"]
    assert required["properties"]["hotel_name"] == HOTEL
    assert require_paths(required, ["room.room_id"]) == required
