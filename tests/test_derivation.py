"""Derived values: what follows from words and results is founded, what only looks like it is not."""

import json
from datetime import date

import pytest

from toolflow_graph.validation import validate_dialogue
from toolflow_graph.values.read_numbers import read_numbers
from toolflow_graph.values.reading import read

NOW = "2026-06-09T09:15"
"""A Tuesday."""

TODAY = date(2026, 6, 9)
DAY = {"type": "string", "format": "date"}
CLOCK = {"type": "string", "pattern": r"^\d{2}:\d{2}$"}
MOMENT = {"type": "string", "format": "date-time"}
COUNT = {"type": "integer", "minimum": 1}
MONEY = {"type": "number", "description": "Amount in EUR"}
FLIGHT = ("search_flights", {"flights": [{"flight_no": "LX 811", "departs": "2026-07-03T14:20", "price": 118.4}]})
STAY = ("get_booking", {"check_in": "2026-07-03", "check_out": "2026-07-07", "rate": 96.5, "currency": "EUR"})
BUDGET = ("get_budget", {"limit": 450.0, "spent": 318.75, "currency": "EUR"})
TRAIN = ("search_trains", {"trains": [{"departs": "07:38", "minutes": 95}, {"departs": "10:00", "minutes": 120}]})
LUNCH = ("list_orders", {"orders": [{"id": "A-1", "price": 29.4}, {"id": "B-2", "price": 118.0}]})


def trace(turns, **argument):
    """Return where the last argument of a call comes from; turns are texts of the user, or results before them."""
    messages, tools = [], []
    for place, turn in enumerate(turns):
        if isinstance(turn, str):
            role, said = ("assistant", turn[2:]) if turn.startswith("A:") else ("user", turn)
            messages.append({"role": role, "content": said})
            continue
        name, result = turn
        function = {"name": name, "arguments": "{}"}
        call = {"id": f"r{place}", "type": "function", "function": function}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"r{place}", "name": name, "content": json.dumps(result)},
            {"role": "assistant", "content": "There."},
        ]
        tools.append({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
    *others, (name, (value, _)) = argument.items()
    extra = {known: given for known, (given, _) in others}
    properties = {known: part for known, (_, part) in argument.items()}
    parameters = {"type": "object", "properties": properties}
    tools.append({"type": "function", "function": {"name": "act", "parameters": parameters}})
    function = {"name": "act", "arguments": json.dumps({**extra, name: value})}
    messages.append(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": function}],
        }
    )
    report = validate_dialogue(messages, tools, now=NOW)
    return next(p.source for p in report.provenance if p.call_id == "c" and p.path == name)


DAYS = [
    ("day_after", [STAY, "Book a taxi for the day after I check out."], "2026-07-08", True),
    ("day_after_off", [STAY, "Book a taxi for the day after I check out."], "2026-07-10", False),
    ("day_before", [FLIGHT, "I'd like a room near the airport the night before."], "2026-07-02", True),
    ("day_before_not_after", [FLIGHT, "I'd like a room near the airport the night before."], "2026-07-04", False),
    ("next_day", [FLIGHT, "And the next day I need a car."], "2026-07-04", True),
    ("following_day_off", [FLIGHT, "And the following day I need a car."], "2026-07-05", False),
    ("morning_of", [FLIGHT, "Remind me on the morning of the flight."], "2026-07-03", True),
    ("morning_before_a_time", [FLIGHT, "Anything in the morning before nine?"], "2026-07-02", False),
    ("weekday_before", [FLIGHT, "Get me an appointment the Monday before."], "2026-06-29", True),
    ("weekday_before_later_one", [FLIGHT, "Get me an appointment the Monday before."], "2026-07-06", False),
    ("weekday_after", [STAY, "And the Thursday after that, a dentist."], "2026-07-09", True),
    ("weekday_after_wrong_day", [STAY, "And the Thursday after that, a dentist."], "2026-07-10", False),
    ("that_weekday", [STAY, "On that Sunday we want a boat."], "2026-07-05", True),
    ("weekend_after", [STAY, "And the weekend after, a hike."], "2026-07-11", True),
    ("weekend_after_off", [STAY, "And the weekend after, a hike."], "2026-07-18", False),
    ("week_later", [FLIGHT, "And back a week later."], "2026-07-10", True),
    ("week_later_off", [FLIGHT, "And back a week later."], "2026-07-11", False),
    ("month_later", [FLIGHT, "The check-up should be a month later."], "2026-08-03", True),
    ("month_later_off", [FLIGHT, "The check-up should be a month later."], "2026-08-13", False),
    ("next_working_day", ["Send it on Friday, and the reminder on the next working day."], "2026-06-15", True),
    ("next_working_day_off", ["Send it on Friday, and the reminder on the next working day."], "2026-06-16", False),
    ("two_working_days", ["Due on Thursday, so remind me two working days later."], "2026-06-15", True),
    ("end_of_month", [FLIGHT, "Keep the car until the end of the month."], "2026-07-31", True),
    ("end_of_month_off", [FLIGHT, "Keep the car until the end of the month."], "2026-07-30", False),
    ("month_end_named", ["Pause it until the end of August."], "2026-08-31", True),
    ("mid_month", ["Some time around mid-July."], "2026-07-15", True),
    ("ordinal_in_month", ["I'm away in September.", "A:When?", "From the 5th to the 12th."], "2026-09-12", True),
    ("ordinal_off", ["I'm away in September.", "A:When?", "From the 5th to the 12th."], "2026-09-13", False),
    ("nights", ["From 3 July, for four nights."], "2026-07-07", True),
    ("christmas_eve", ["A table on Christmas Eve."], "2026-12-24", True),
    ("new_years_eve", ["A table on New Year’s Eve."], "2026-12-31", True),
    ("easter", ["We're at my mother's over Easter."], "2027-03-28", True),
    ("easter_monday", ["Back on Easter Monday."], "2027-03-29", True),
    ("easter_off", ["Back on Easter Monday."], "2027-04-05", False),
    ("thanksgiving", ["Everybody comes for Thanksgiving."], "2026-11-26", True),
    ("thanksgiving_off", ["Everybody comes for Thanksgiving."], "2026-11-19", False),
    ("day_after_thanksgiving", ["A flight on the day after Thanksgiving."], "2026-11-27", True),
    ("mothers_day", ["Flowers for Mother's Day."], "2026-05-10", True),
    ("valentine", ["Two seats for Valentine's Day."], "2027-02-14", True),
    ("halloween_off", ["A party for Halloween."], "2026-10-30", False),
    ("last_friday", ["Our team meets on the last Friday of the month."], "2026-06-26", True),
    ("first_monday", ["The first Monday in September, please."], "2026-09-07", True),
    ("first_monday_off", ["The first Monday in September, please."], "2026-09-14", False),
    ("quarter", ["All invoices since the start of the quarter."], "2026-04-01", True),
    ("invented", [FLIGHT, "And a hotel, please."], "2026-07-14", False),
    ("nothing_said", ["Book me a hotel in Lyon."], "2026-06-12", False),
]


@pytest.mark.parametrize(("turns", "value", "founded"), [pytest.param(*c[1:], id=c[0]) for c in DAYS])
def test_days(turns, value, founded):
    assert (trace(turns, travel_date=(value, DAY)) != "none") is founded


NUMBERS = [
    ("four_of_us", ["A table for the four of us."], "guests", 4, COUNT, True),
    ("family", ["It's me, my wife and two kids."], "guests", 4, COUNT, True),
    ("family_off", ["It's me, my wife and two kids."], "guests", 5, COUNT, False),
    ("children_only", ["It's me, my wife and two kids."], "children", 2, COUNT, True),
    ("with_brother", ["I'm going with my brother."], "tickets", 2, COUNT, True),
    ("three_friends", ["I'm coming with three friends."], "party_size", 4, COUNT, True),
    ("three_friends_off", ["I'm coming with three friends."], "party_size", 6, COUNT, False),
    ("named", ["Anna, Ben and I would like to go."], "seats", 3, COUNT, True),
    ("parents", ["A weekend for my parents."], "adults", 2, COUNT, True),
    ("couple", ["A room for a couple."], "guests", 2, COUNT, True),
    ("both", ["Tickets for both of us."], "tickets", 2, COUNT, True),
    ("alone", ["It's just me."], "guests", 1, COUNT, True),
    ("alone_off", ["It's just me."], "guests", 2, COUNT, False),
    ("adults_and_kids", ["Two adults and three kids."], "guests", 5, COUNT, True),
    ("nobody", ["A table at eight."], "guests", 3, COUNT, False),
    ("nights", ["We stay from Saturday to Monday."], "nights", 2, COUNT, True),
    ("nights_off", ["We stay from Saturday to Monday."], "nights", 3, COUNT, False),
    ("nights_of_dates", ["12 to 16 July in Rome."], "nights", 4, COUNT, True),
    ("days_inclusive", ["I'd like to take 13 to 17 July off."], "leave_days", 5, COUNT, True),
    ("working_days", ["I'd like to take 13 to 24 July off."], "leave_days", 10, COUNT, True),
    ("days_off_by", ["I'd like to take 13 to 24 July off."], "leave_days", 8, COUNT, False),
    ("minutes_between", ["From 14:00 to 15:30, please."], "duration_minutes", 90, COUNT, True),
    ("minutes_between_off", ["From 14:00 to 15:30, please."], "duration_minutes", 60, COUNT, False),
    ("nights_of_result", [STAY, "What would the car cost for those days?"], "rental_days", 4, COUNT, True),
    ("rest_of_budget", [BUDGET, "Put what's left into savings."], "amount", 131.25, MONEY, True),
    ("rest_wrong", [BUDGET, "Put what's left into savings."], "amount", 141.25, MONEY, False),
    ("rest_without_word", [BUDGET, "Thanks. Pay the gardener."], "amount", 131.25, MONEY, False),
    ("total", [LUNCH, "Add both to my expenses, as one amount."], "amount", 147.4, MONEY, True),
    ("total_wrong", [LUNCH, "Add both to my expenses, as one amount."], "amount", 148.4, MONEY, False),
    ("two_results", [FLIGHT, STAY, "Enter the total in my travel costs."], "amount", 214.9, MONEY, True),
    ("nights_times_rate", [STAY, "All four nights go on my expenses."], "amount", 386.0, MONEY, True),
    ("nights_times_wrong", [STAY, "All four nights go on my expenses."], "amount", 382.0, MONEY, False),
    ("half", [LUNCH, "Ask Tom for half of the second one."], "amount", 59.0, MONEY, True),
    ("percent_off", [LUNCH, "They took 10% off the second one. Enter that."], "amount", 106.2, MONEY, True),
    ("percent_wrong", [LUNCH, "They took 10% off the second one. Enter that."], "amount", 104.2, MONEY, False),
    ("tip", ["The bill is 80 euros, and I want to leave a 15 percent tip."], "amount", 92.0, MONEY, True),
    ("raised", ["Raise the limit of 450 by 50."], "new_limit", 500, MONEY, True),
    ("raised_wrong", ["Raise the limit of 450 by 50."], "new_limit", 550, MONEY, False),
    ("unrelated", ["I'm 34 and have 12 plants. Transfer something to Ana."], "amount", 46, MONEY, False),
    ("product_of_unrelated", ["In 3 days I'll be 41. Book a table."], "guests", 123, COUNT, False),
    ("difference_of_unrelated", ["Room 7, 3 nights."], "guests", 4, COUNT, False),
    ("rounded", [FLIGHT, "Nothing dearer than that one."], "max_price", 119, {"type": "integer"}, True),
    ("rounded_off", [FLIGHT, "Nothing dearer than that one."], "max_price", 130, {"type": "integer"}, False),
    ("told_before", [BUDGET, "A:That leaves €131.25.", "Move that over."], "amount", 131.25, MONEY, True),
    ("miles", ["Within five miles of here."], "radius_km", 8, {"type": "number"}, True),
    ("miles_exact", ["Within five miles of here."], "radius_km", 8.05, {"type": "number"}, True),
    ("miles_wrong", ["Within five miles of here."], "radius_km", 10, {"type": "number"}, False),
    ("fahrenheit", ["Set it to 70 °F."], "temperature", 21, {"type": "number", "description": "In °C"}, True),
    ("pounds", ["I weigh 180 pounds."], "weight_kg", 81.6, {"type": "number"}, True),
    ("pounds_wrong", ["I weigh 180 pounds."], "weight_kg", 90, {"type": "number"}, False),
    ("feet", ["I'm 5'11\"."], "height_cm", 180, {"type": "number"}, True),
    ("hours", ["It took two hours and a quarter."], "minutes", 135, COUNT, True),
    ("hours_wrong", ["It took an hour and a half."], "minutes", 80, COUNT, False),
]


@pytest.mark.parametrize(
    ("turns", "name", "value", "schema", "founded"), [pytest.param(*c[1:], id=c[0]) for c in NUMBERS]
)
def test_numbers(turns, name, value, schema, founded):
    assert (trace(turns, **{name: (value, schema)}) != "none") is founded


TIMES = [
    ("half_past", ["At half past seven tonight."], "19:30", True),
    ("half_past_off", ["At half past seven tonight."], "19:00", False),
    ("in_two_hours", ["Remind me in two hours."], "11:15", True),
    ("in_two_hours_off", ["Remind me in two hours."], "12:15", False),
    ("before_departure", [FLIGHT, "A taxi two hours before, please."], "12:20", True),
    ("before_departure_off", [FLIGHT, "A taxi two hours before, please."], "11:20", False),
    ("arrival", [TRAIN, "I'll take the first. Tell Ana when I get in."], "09:13", True),
    ("arrival_of_two_trains", [TRAIN, "I'll take the first. Tell Ana when I get in."], "09:38", False),
    ("noon", ["Lunch at noon."], "12:00", True),
    ("midnight", ["It runs until midnight."], "00:00", True),
    ("part_of_day", ["Tomorrow morning."], "09:00", False),
    ("lunchtime", ["Let's say lunchtime."], "12:30", False),
]


@pytest.mark.parametrize(("turns", "value", "founded"), [pytest.param(*c[1:], id=c[0]) for c in TIMES])
def test_times(turns, value, founded):
    assert (trace(turns, at=(value, CLOCK)) != "none") is founded


def test_an_end_follows_from_start_and_length():
    turns = ["A meeting with Ana on Friday at ten, an hour and a half."]
    start = ("2026-06-12T10:00", MOMENT)
    assert trace(turns, start=start, end=("2026-06-12T11:30", MOMENT)) == "user"
    assert trace(turns, start=start, end=("2026-06-12T12:00", MOMENT)) == "none"


def test_an_end_follows_from_the_length_in_the_same_call():
    turns = ["Three nights from 3 July."]
    nights = (3, COUNT)
    assert trace(turns, nights=nights, check_out=("2026-07-06", DAY)) == "user"
    assert trace(turns, nights=nights, check_out=("2026-07-08", DAY)) == "none"


def test_the_last_of_two_weeks_may_be_their_last_day():
    turns = ["I'm off for two weeks from 3 August."]
    assert [trace(turns, end_date=(f"2026-08-{day}", DAY)) for day in (16, 17, 18)] == ["user", "user", "none"]


@pytest.mark.parametrize(
    ("turns", "value", "founded"),
    [
        pytest.param(["My pay slip of May, please."], "2026-05", True, id="said"),
        pytest.param([FLIGHT, "What will the weather be like then?"], "2026-07", True, id="of a result"),
        pytest.param([FLIGHT, "What will the weather be like a month later?"], "2026-08", True, id="a month later"),
        pytest.param([FLIGHT, "What will the weather be like?"], "2026-09", False, id="invented"),
    ],
)
def test_months(turns, value, founded):
    assert (trace(turns, month=(value, {"type": "string", "pattern": r"^\d{4}-\d{2}$"})) != "none") is founded


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("on good friday", date(2026, 4, 3)),
        ("over easter", date(2026, 4, 5)),
        ("on whit monday", date(2026, 5, 25)),
        ("on black friday", date(2026, 11, 27)),
        ("on labor day", date(2026, 9, 7)),
        ("on the second tuesday of july", date(2026, 7, 14)),
        ("on st patrick's day", date(2026, 3, 17)),
        ("new years day", date(2027, 1, 1)),
        ("in the third quarter", date(2026, 9, 30)),
        ("in q3", date(2026, 7, 1)),
        ("by the end of year", date(2026, 12, 31)),
    ],
)
def test_days_of_the_calendar(text, day):
    assert day in read(text, TODAY).dates


def states(turns, text):
    """Return what an answer says that is not founded."""
    messages, tools = [], []
    for place, turn in enumerate(turns):
        if isinstance(turn, str):
            messages.append({"role": "user", "content": turn})
            continue
        name, result = turn
        call = {"id": f"r{place}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"r{place}", "name": name, "content": json.dumps(result)},
        ]
        tools.append({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
    report = validate_dialogue([*messages, {"role": "assistant", "content": text}], tools, now=NOW)
    return [f.message for f in report.errors if f.check == "unfounded"]


HOTEL = ("search_hotels", {"hotels": [{"name": "Bellevue", "rate": 96.5, "city_tax": 7.2, "distance_km": 3.2}]})


@pytest.mark.parametrize(
    ("turns", "text", "founded"),
    [
        pytest.param(
            ["My flight?", FLIGHT], "It leaves on 3 July; be there the day before, 2 July.", True, id="before"
        ),
        pytest.param(["My flight?", FLIGHT], "It leaves on 3 July, so not on 5 July.", False, id="other day"),
        pytest.param(["My flight?", FLIGHT], "The Monday after is 6 July.", True, id="Monday after"),
        pytest.param(["My flight?", FLIGHT], "The Monday after is 7 July.", False, id="wrong Monday"),
        pytest.param(["My stay?", STAY], "That's four nights, €386 in all.", True, id="nights times rate"),
        pytest.param(["My stay?", STAY], "That's four nights, €376 in all.", False, id="wrong product"),
        pytest.param(["Three nights?", HOTEL], "€296.70 in all, city tax included.", True, id="product and tax"),
        pytest.param(["Three nights?", HOTEL], "€299.70 in all, city tax included.", False, id="wrong total"),
        pytest.param(["How far is it?", HOTEL], "It's 3.2 km, about two miles.", True, id="miles"),
        pytest.param(["How far is it?", HOTEL], "It's 3.2 km, about five miles.", False, id="wrong miles"),
        pytest.param(["Over Easter?", HOTEL], "For Easter, so 28 March 2027, I find Bellevue.", True, id="Easter"),
        pytest.param(["In all?", FLIGHT, STAY, LUNCH], "With the lunch at €29.40, €244.30 in all.", True, id="three"),
        pytest.param(["In all?", FLIGHT, STAY, LUNCH], "With the lunch at €29.40, €247.30 in all.", False, id="not"),
    ],
)
def test_statements(turns, text, founded):
    assert (states(turns, text) == []) is founded


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("roughly 318 million rows", [318_000_000]),
        ("2.5 million and 7 more", [2_500_000, 7]),
        ("a million", [1_000_000]),
        ("5 hundred", [500]),
    ],
)
def test_a_scale_belongs_to_its_number(said, found):
    assert [mention.values[0] for mention in read_numbers(said)] == found
