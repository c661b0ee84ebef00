"""Hand-written dialogues without a flaw, complete with tools, plan and labels: what no check may complain about."""

import json
from dataclasses import dataclass, field
from typing import Any

from toolflow_graph.types import DialoguePlan, PlannedRequest, Scenario, TurnLabel


@dataclass
class Good:
    """One dialogue with everything that `validate_dialogue` takes."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    returns: dict[str, Any]
    plan: DialoguePlan | None = None
    labels: list[TurnLabel] = field(default_factory=list)

    def options(self) -> dict[str, Any]:
        return {"returns": self.returns, "plan": self.plan, "labels": self.labels}


DATE = {"type": "string", "format": "date", "description": "Day, YYYY-MM-DD"}
TIME = {"type": "string", "pattern": r"^\d{2}:\d{2}$", "description": "Time of day, 24 h"}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$", "description": "Local date and time"}
MONTH = {"type": "string", "pattern": r"^\d{4}-\d{2}$", "description": "Month, YYYY-MM"}
EUROS = {"type": "string", "enum": ["EUR", "CHF"], "description": "Currency"}


def text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def number(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "number", "description": description, **more}


def obj(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


def tool(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TRAIN = text("Identifier of the train as returned by the train search", pattern="^TER[0-9]{5}$")
TRAVEL_TOOLS = [
    tool(
        "search_trains",
        "Find trains.",
        obj(
            "origin destination travel_date",
            origin=text("City of departure"),
            destination=text("City of arrival"),
            travel_date=DATE,
            depart_after=TIME,
            arrive_before=TIME,
        ),
    ),
    tool(
        "reserve_train_seat",
        "Reserve a seat.",
        obj(
            "train_id travel_date passenger_name",
            train_id=TRAIN,
            travel_date=DATE,
            passenger_name=text("Full name of the passenger"),
            seat_preference=text("Where to sit", enum=["window", "aisle", "quiet_coach"]),
        ),
    ),
    tool("get_weather_forecast", "Forecast.", obj("city forecast_date", city=text("City"), forecast_date=DATE)),
    tool(
        "create_calendar_event",
        "Add an entry.",
        obj("event_title start end", event_title=text("Title of the entry"), start=MOMENT, end=MOMENT),
    ),
    tool(
        "update_calendar_event",
        "Change an entry.",
        obj("event_id", event_id=text("Identifier of the entry"), start=MOMENT, end=MOMENT),
    ),
]
TRAVEL_RETURNS = {
    "search_trains": obj(
        "trains",
        trains={
            "type": "array",
            "items": obj(
                "train_id departure_time arrival_time price currency",
                train_id=TRAIN,
                departure_time=TIME,
                arrival_time=TIME,
                price=number("Price", multipleOf=0.1),
                currency=EUROS,
            ),
        },
    ),
    "reserve_train_seat": obj(
        "reservation_code",
        reservation_code=text("Code of the reservation"),
        coach={"type": "integer"},
        seat={"type": "integer"},
        price=number("Price"),
        currency=EUROS,
    ),
    "get_weather_forecast": obj(
        "condition", condition=text("Weather"), low={"type": "number"}, high={"type": "number"}, rain_percent=number("")
    ),
    "create_calendar_event": obj("event_id", event_id=text("Identifier of the entry")),
    "update_calendar_event": obj("event_id", event_id=text("Identifier of the entry"), start=MOMENT),
}

SYSTEM = "Today is Tuesday, 9 June 2026, 14:20. The user is in Lyon."


class Script:
    """Writes messages and labels; ids are counted."""

    def __init__(self, system: str | None = SYSTEM) -> None:
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        self.labels: list[TurnLabel] = []
        self.calls = 0

    def user(self, said: str, request: int, *patterns: Any) -> "Script":
        self.labels.append(TurnLabel(message=len(self.messages), request=request, patterns=patterns))
        self.messages.append({"role": "user", "content": said})
        return self

    def assistant(self, said: str) -> "Script":
        self.messages.append({"role": "assistant", "content": said})
        return self

    def call(self, *calls: tuple[str, dict[str, Any], Any]) -> "Script":
        entries, answers = [], []
        for name, arguments, result in calls:
            self.calls += 1
            identity = f"call_{self.calls}"
            function = {"name": name, "arguments": json.dumps(arguments)}
            entries.append({"id": identity, "type": "function", "function": function})
            answers.append({"role": "tool", "tool_call_id": identity, "name": name, "content": json.dumps(result)})
        self.messages.append({"role": "assistant", "content": "", "tool_calls": entries})
        self.messages += answers
        return self


def _plan(situation: str, *requests: tuple[str, tuple[Any, ...], tuple[str, ...]]) -> DialoguePlan:
    return DialoguePlan(
        scenario=Scenario(persona="a consultant", situation=situation, goal="", now="2026-06-09T14:20", city="Lyon"),
        requests=tuple(PlannedRequest(intent=i, patterns=p, tools=t) for i, p, t in requests),
    )


def trip() -> Good:
    """EXAMPLES.md, the first dialogue: sequential, missing parameter, tool error, chit-chat, parallel, correction."""
    trains = {
        "trains": [
            {
                "train_id": "TER96560",
                "departure_time": "06:08",
                "arrival_time": "08:11",
                "price": 29.4,
                "currency": "EUR",
            },
            {
                "train_id": "TER96562",
                "departure_time": "07:38",
                "arrival_time": "09:41",
                "price": 33.1,
                "currency": "EUR",
            },
        ]
    }
    search = {
        "origin": "Lyon",
        "destination": "Geneva",
        "travel_date": "2026-06-12",
        "depart_after": "06:00",
        "arrive_before": "10:00",
    }
    window = {
        "train_id": "TER96560",
        "travel_date": "2026-06-12",
        "passenger_name": "Clara Vogel",
        "seat_preference": "window",
    }
    aisle = {**window, "seat_preference": "aisle"}
    booked = {"reservation_code": "QX7M2P", "coach": 4, "seat": 52, "price": 29.4, "currency": "EUR"}
    meeting = {"event_title": "Meeting in Geneva", "start": "2026-06-12T10:00", "end": "2026-06-12T12:00"}
    moved = {"event_id": "ev_3381", "start": "2026-06-12T09:30"}
    first: tuple[Any, ...] = ("sequential", "missing_parameter", "tool_error")
    script = Script()
    script.user(
        "I need to be in Geneva by ten on Friday. What's the first train that gets me there from Lyon? "
        "Not before six though, please.",
        0,
        *first,
    )
    script.call(("search_trains", search, trains))
    script.assistant(
        "Two work: the 6:08 gets in at 8:11 for €29.40, and the 7:38 arrives at 9:41 for €33.10. "
        "The second leaves you less than twenty minutes of slack."
    )
    script.user("Ha, the 6:08 then. Book it, window seat if they have one.", 0, *first)
    script.assistant("Happy to. Which name should the ticket be in?")
    script.user("Clara Vogel.", 0, *first)
    script.call(("reserve_train_seat", window, {"error": "no window seats left on TER96560"}))
    script.assistant("No window seats are left on the 6:08. Shall I take an aisle seat, or look at the 7:38 instead?")
    script.user("Aisle is fine.", 0, *first)
    script.call(("reserve_train_seat", aisle, booked))
    script.assistant("Done: coach 4, seat 52, €29.40. Your reservation code is QX7M2P.")
    script.user("Great. Six in the morning, what was I thinking…", 1, "chitchat")
    script.assistant(
        "At least the coffee on the platform will taste earned. And you'll have nearly two quiet hours before your "
        "ten o'clock."
    )
    script.user(
        "True! Will I need an umbrella over there? And put the meeting in my calendar, ten to noon.", 2, "parallel"
    )
    script.call(
        (
            "get_weather_forecast",
            {"city": "Geneva", "forecast_date": "2026-06-12"},
            {"condition": "showers", "low": 14, "high": 19, "rain_percent": 70},
        ),
        ("create_calendar_event", meeting, {"event_id": "ev_3381"}),
    )
    script.assistant(
        "Yes, bring one: showers are likely, around 14 to 19 degrees. And the meeting is in your calendar, Friday ten "
        "to noon."
    )
    script.user("Sorry, it starts at half nine.", 3, "correction")
    script.call(("update_calendar_event", moved, {"event_id": "ev_3381", "start": "2026-06-12T09:30"}))
    script.assistant("Moved: it now runs from 9:30 to noon.")
    script.user("One last thing, can you upgrade that ticket to first class?", 4, "missing_function")
    script.assistant(
        "I can't change the class of a ticket with what I have here. With the code QX7M2P you should be able to do it "
        "at the operator's counter or on its site."
    )
    plan = _plan(
        "has to be in Geneva on Friday",
        ("find an early train and reserve it", first, ("search_trains", "reserve_train_seat")),
        ("early mornings", ("chitchat",), ()),
        ("weather and a calendar entry", ("parallel",), ("get_weather_forecast", "create_calendar_event")),
        ("the entry starts earlier", ("correction",), ("update_calendar_event",)),
        ("an upgrade", ("missing_function",), ()),
    )
    return Good(script.messages, TRAVEL_TOOLS, TRAVEL_RETURNS, plan, script.labels)


BUDGET = {"type": "string", "enum": ["groceries", "eating_out", "transport"], "description": "Budget category"}
BUDGET_TOOLS = [
    tool("get_budget_status", "What is left.", obj("category month", category=BUDGET, month=MONTH)),
    tool(
        "transfer_between_budgets",
        "Move money.",
        obj(
            "from_category to_category amount month",
            from_category=BUDGET,
            to_category=BUDGET,
            amount=number("Amount of money to move", minimum=1),
            month=MONTH,
        ),
    ),
]
BUDGET_RETURNS = {
    "get_budget_status": obj("limit spent", limit=number("Limit"), spent=number("Spent"), currency=EUROS),
    "transfer_between_budgets": obj("from_left to_left", from_left=number("Left"), to_left=number("Left")),
}


def budget() -> Good:
    """EXAMPLES.md, the second dialogue."""
    script = Script()
    script.user("how much is left on the groceries budget", 0, "single")
    script.call(
        (
            "get_budget_status",
            {"category": "groceries", "month": "2026-06"},
            {"limit": 450.0, "spent": 318.75, "currency": "EUR"},
        )
    )
    script.assistant("€131.25 of your €450 for June.")
    script.user("move 50 over from eating out", 1, "single")
    script.call(
        (
            "transfer_between_budgets",
            {"from_category": "eating_out", "to_category": "groceries", "amount": 50, "month": "2026-06"},
            {"from_left": 70.0, "to_left": 181.25},
        )
    )
    script.assistant("Done. Groceries now has €181.25 left, eating out €70.")
    plan = _plan(
        "watches the budget",
        ("what is left", ("single",), ("get_budget_status",)),
        ("move some", ("single",), ("transfer_between_budgets",)),
    )
    return Good(script.messages, BUDGET_TOOLS, BUDGET_RETURNS, plan, script.labels)


SEARCH_TOOL = tool("search_tools", "Find tools.", obj("query", query=text("What the tool should do")))
TABLE_TOOL = tool(
    "book_table",
    "Book a table in a restaurant.",
    obj(
        "restaurant_name dining_date dining_time guests",
        restaurant_name=text("Name of the restaurant"),
        dining_date=DATE,
        dining_time=TIME,
        guests={"type": "integer", "minimum": 1, "maximum": 12, "description": "Number of guests"},
        outdoor={"type": "boolean", "description": "Whether to sit outside", "default": False},
        minutes={"type": "integer", "enum": [90, 120], "description": "For how long the table is kept, in minutes"},
        dishes={"type": "array", "items": text("A dish ordered ahead"), "description": "Dishes ordered ahead"},
    ),
)
TABLE_RETURNS = {
    "search_tools": obj("tools", tools={"type": "array", "items": {"type": "object"}}),
    "book_table": obj("booking_id deposit currency", booking_id=text("Booking"), deposit=number(""), currency=EUROS),
}


def table() -> Good:
    """The assistant finds the tool first, offers a choice that the user accepts, and leaves an off-topic wish alone."""
    found = {"tools": [TABLE_TOOL["function"]]}
    script = Script()
    script.user(
        "Can you get us a table at Marlow's tomorrow, half past seven or so? My wife and I have an anniversary!",
        0,
        "search_tools",
    )
    script.call(("search_tools", {"query": "book a restaurant table"}, found))
    script.assistant(
        "Congratulations! They keep a table for 90 or 120 minutes. Is 120 right, and would you like to sit outside?"
    )
    script.user("Perfect, outside please. And have them keep us the lamb shoulder and a lemon tart.", 0, "search_tools")
    arguments = {
        "restaurant_name": "Marlow's",
        "dining_date": "2026-06-10",
        "dining_time": "19:30",
        "guests": 2,
        "outdoor": True,
        "minutes": 120,
        "dishes": ["lamb shoulder", "lemon tart"],
    }
    script.call(("book_table", arguments, {"booking_id": "BT-20418", "deposit": 20, "currency": "EUR"}))
    script.assistant(
        "You have a table outside at Marlow's tomorrow at 7:30 pm, lamb and tart kept for you. They ask for a deposit "
        "of €20, that's ten each; the booking is BT-20418."
    )
    script.user("lovely. who do you think wins the cup on sunday?", 1, "irrelevant")
    script.assistant("I'd only be guessing, but I hope it goes to extra time after your dessert.")
    plan = _plan(
        "wants to eat out",
        ("a table", ("search_tools",), ("search_tools", "book_table")),
        ("the cup", ("irrelevant",), ()),
    )
    return Good(script.messages, [SEARCH_TOOL], TABLE_RETURNS, plan, script.labels)


ORDER_TOOLS = [
    tool(
        "search_orders",
        "List orders of a customer.",
        obj("customer_email", customer_email=text("E-mail address of the customer", format="email")),
    ),
    tool(
        "return_item",
        "Send something back.",
        obj(
            "order_id return_reason pickup_date",
            order_id=text("Identifier of the order as returned by the order search"),
            return_reason=text("Why it goes back"),
            pickup_date=DATE,
            pickup_address=obj("street city", street=text("Street and number"), city=text("City")),
        ),
    ),
]
ORDER_RETURNS = {
    "search_orders": obj(
        "orders",
        orders={
            "type": "array",
            "items": obj("order_id item", order_id=text(""), item=text(""), price=number(""), ordered_on=DATE),
        },
    ),
    "return_item": obj("return_number refund", return_number=text(""), refund=number(""), currency=EUROS),
}


def order() -> Good:
    """Parts of one argument in different messages, a failing tool that is told, and sums over a list."""
    orders = {
        "orders": [
            {"order_id": "ORD-7719", "item": "desk lamp", "price": 39.9, "ordered_on": "2026-05-29"},
            {"order_id": "ORD-7702", "item": "office chair", "price": 180, "ordered_on": "2026-05-21"},
        ]
    }
    arguments = {
        "order_id": "ORD-7719",
        "return_reason": "the switch is broken",
        "pickup_date": "2026-06-15",
        "pickup_address": {"street": "12 Rue Pasteur", "city": "Lyon"},
    }
    script = Script()
    script.user("Hi, what did I order from you lately? I'm at m.duarte@example.org", 0, "single")
    script.call(("search_orders", {"customer_email": "m.duarte@example.org"}, orders))
    script.assistant("Two things, €219.90 in all: a desk lamp on 29 May for €39.90 and an office chair on the 21st.")
    script.user(
        "The switch on the lamp is broken, so that one goes back. You can collect it next Monday.",
        1,
        "sequential",
        "missing_parameter",
        "tool_error",
    )
    script.assistant("Sorry to hear that. Where should we pick it up?")
    script.user("12 rue Pasteur, here in Lyon", 1, "sequential", "missing_parameter", "tool_error")
    script.call(("return_item", arguments, {"error": "pickup service temporarily unavailable"}))
    script.assistant("The pickup service isn't answering at the moment, so nothing is booked yet. I'd try again later.")
    plan = _plan(
        "has a broken lamp",
        ("recent orders", ("single",), ("search_orders",)),
        ("send it back", ("sequential", "missing_parameter", "tool_error"), ("return_item",)),
    )
    return Good(script.messages, ORDER_TOOLS, ORDER_RETURNS, plan, script.labels)


def foreign() -> Good:
    """Somebody else's dialogue: no system message, no plan, no labels, no `returns`, a result in plain text."""
    tools = [
        tool(
            "get_weather",
            "Weather",
            obj(
                "location",
                location=text("City, e.g. Paris"),
                unit=text("Unit", enum=["celsius", "fahrenheit"]),
                days={"type": "integer"},
            ),
        )
    ]
    script = Script(system=None)
    script.user("What's the weather like in San Francisco for the next three days?", 0)
    script.call(("get_weather", {"location": "San Francisco, CA", "days": 3}, "Sunny, high of 21, low of 12"))
    script.assistant("It stays sunny in San Francisco, between 12 and 21 degrees.")
    script.user("and Oslo, in celsius?", 0)
    script.call(
        (
            "get_weather",
            {"location": "Oslo", "unit": "celsius", "days": 3},
            {"forecast": [{"day": "2026-06-10", "temp": 17.46}, {"day": "2026-06-11", "temp": 15.2}]},
        )
    )
    script.assistant("In Oslo it'll be 17.5 °C at first, then 15.2 °C.")
    return Good(script.messages, tools, {}, None, [])


GOOD = {"trip": trip, "budget": budget, "table": table, "order": order, "foreign": foreign}
