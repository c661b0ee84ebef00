"""Rewording: what the check takes and refuses, and runs of the reworded cast over HTTP."""

import asyncio
import json
import re
import socket
from datetime import date

import pytest

from endpoint import Endpoint
from runs import read_rows
from toolflow_graph.agents.reworded.check import check_rewording, list_values
from toolflow_graph.agents.reworded.line import Fact, Line
from toolflow_graph.agents.reworded.meaning import find_change_of_meaning
from toolflow_graph.agents.reworded.speakers import end_alike
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import is_accepted
from toolflow_graph.errors import BudgetExceeded, SettingsError
from toolflow_graph.prompts import Prompts
from toolflow_graph.runner import Run, generate
from toolflow_graph.settings import StudioSettings, parse_settings
from toolflow_graph.types import PATTERNS

THURSDAY = date(2026, 4, 9)
TEXT = {"type": "string"}
DATE = {"type": "string", "format": "date"}
TIME = {"type": "string", "pattern": r"^\d{2}:\d{2}$", "description": "Time of day, 24 h"}
COUNT = {"type": "integer"}


def argument(name, value, schema=None):
    return Fact(name, value, schema or TEXT, argument=True)


def returned(name, value, schema=None):
    return Fact(name, value, schema or TEXT, argument=False)


TRAIN = (
    argument("origin_city", "Geneva"),
    argument("destination_city", "Antwerp"),
    argument("travel_date", "2026-04-10", DATE),
    argument("departure_time", "14:30", TIME),
    argument("passengers", 2, COUNT),
    argument("travel_class", "first_class", {"type": "string", "enum": ["first_class", "second_class"]}),
    argument("bicycle", True, {"type": "boolean"}),
)
OFFERS = (
    returned("hotel_name", "Old Post Inn"),
    returned("price_per_night", 238, {"type": "number"}),
    returned("hotel_name", "Hotel Central"),
    returned("price_per_night", 86.5, {"type": "number"}),
    returned("hotel_id", "HT-0041"),
)
CONTACT = (
    argument("reservation_code", "IFM279"),
    argument("email", "anna.kern@example.com", {"type": "string", "format": "email"}),
    argument("phone", "+31 6 1234 61 78"),
    argument("contact_name", "Anna Kern"),
    argument("mail_body", "Please go ahead without me, I'll catch up next week."),
)


def user(text, *facts, **told):
    return Line(text, "user", THURSDAY, facts, requests=told.pop("requests", True), **told)


def assistant(text, *facts, **told):
    return Line(text, "assistant", THURSDAY, facts, **told)


# What the check takes

TAKEN = {
    "unchanged": (user("Move IFM279 to Monday.", *CONTACT), "Move IFM279 to Monday."),
    "other words": (user("Move IFM279 to Monday.", *CONTACT), "Could you change IFM279 to Monday?"),
    "id in lower case": (user("Move IFM279 to Monday.", *CONTACT), "please move ifm279 to monday"),
    "calendar date": (user("On Friday, please.", *TRAIN), "Please make that 10 April."),
    "month first": (user("On the 3rd of March.", requests=False), "March 3rd."),
    "numeric date": (user("On 3 March.", requests=False), "That was on 3/3."),
    "weekday beside the date": (assistant("It leaves on 10 April."), "It leaves on Friday, 10 April."),
    "tomorrow named": (assistant("It leaves tomorrow."), "Tomorrow is when it leaves."),
    "next week": (user("Next Tuesday will do.", requests=False), "Next Tuesday is fine."),
    "span of dates": (assistant("From 12 to 14 March."), "From March 12 until March 14."),
    "clock in words": (user("At 14:30, please.", *TRAIN), "Half past two in the afternoon, please."),
    "clock in digits": (user("At half past nine.", requests=False), "9:30."),
    "clock with pm": (user("At 2:30 pm, please.", *TRAIN), "14:30, please."),
    "bare hour": (user("At seven o'clock on Saturday.", requests=False), "Saturday at 7."),
    "noon": (assistant("It starts at noon."), "Noon is when it starts."),
    "spelled number": (user("A table for two.", *TRAIN), "I need a table for 2."),
    "number in digits": (user("A table for 2.", *TRAIN), "a table for two, please"),
    "one as an article": (assistant("There is 1 ticket left."), "There's a single ticket left."),
    "large number": (assistant("That's 1,380 metres."), "It's 1380 metres."),
    "half": (assistant("It takes 90 minutes."), "It takes an hour and a half."),
    "short unit": (user("Yoga, 55 min.", requests=False), "55 minutes of yoga."),
    "months as a year": (assistant("It runs for twelve months."), "It runs for 12 months."),
    "rate": (assistant("210 minutes a week."), "210 minutes every week."),
    "currency in words": (assistant("That costs €20."), "That costs 20 euros."),
    "currency as a sign": (assistant("That costs 20 dollars."), "It's $20."),
    "currency code": (assistant("It's CHF 30.50 a day."), "You pay 30.50 Swiss francs a day."),
    "range of money": (assistant("Between €40 and €55."), "Between 40 and 55 euros."),
    "percent": (assistant("The battery is at 85%."), "The battery stands at 85 percent."),
    "ordinal": (user("I'd take the second one.", requests=False), "The second, please."),
    "last": (user("The last one.", requests=False), "The last of them."),
    "roundabout request": (
        user("Which trains go from Geneva to Antwerp?", *TRAIN),
        "List the trains Geneva to Antwerp.",
    ),
    "turned round": (user("From Geneva to Antwerp, please.", *TRAIN), "To Antwerp from Geneva, please."),
    "list as it was": (
        assistant("There's Old Post Inn for €238 and Hotel Central for €86.50.", *OFFERS),
        "Old Post Inn costs €238, Hotel Central €86.50.",
    ),
    "brackets": (
        assistant("Old Post Inn (€238) or Hotel Central (€86.50).", *OFFERS),
        "You could take Old Post Inn for €238 or Hotel Central for €86.50.",
    ),
    "contractions": (assistant("I'm afraid it's full."), "I am afraid it is full."),
    "cannot": (assistant("I can't do that here."), "That's something I'm unable to do here."),
    "not available": (assistant("Trains aren't running."), "There are no trains running."),
    "failure": (assistant("The directory isn't responding."), "The directory failed to respond."),
    "choice": (user("In first class.", *TRAIN, requests=False), "First class."),
    "flag": (user("And my bicycle comes too.", *TRAIN), "I'm bringing my bicycle too."),
    "mail address": (user("Write to anna.kern@example.com.", *CONTACT), "Send it to anna.kern@example.com, please."),
    "phone number": (user("Block +31 6 1234 61 78.", *CONTACT), "+31 6 1234 61 78 should be blocked, please."),
    "quoted text": (user('Send "See you there" please.'), 'Please send "See you there".'),
    "body of a mail": (
        user("Write: Please go ahead without me, I'll catch up next week.", *CONTACT),
        "Send this: Please go ahead without me, I'll catch up next week.",
    ),
    "possessive": (assistant("It's Anna Kern's.", *CONTACT), "It belongs to Anna Kern."),
    "question as a question": (assistant("Which day?", asks=True), "What day would that be?"),
    "asked by an order": (assistant("What name?", asks=True), "And the name?"),
    "lower case": (user("show me the train to Antwerp", *TRAIN), "could i see the train to antwerp"),
    "evening": (user("Friday at 7 pm.", *TRAIN[:3]), "Friday, 7 in the evening."),
    "small talk": (user("That was painless.", requests=False), "Well, that was easy."),
    "degrees in words": (assistant("It's at 24 °C."), "It's at 24 degrees Celsius."),
    "length below a bound": (
        user("Skip everyone below one year of experience.", requests=False),
        "Leave out anyone with less than one year of experience.",
    ),
    "year as an article": (
        user("Skip everyone below one year of experience.", requests=False),
        "Leave out anyone with under a year of experience.",
    ),
    "answer to thanks": (assistant("Don't mention it."), "You're welcome."),
    "failure that was got over": (
        assistant("It was a bit unwilling, but it worked on the second go."),
        "It didn't work at first, but the second try did it.",
    ),
    "way of speaking left out": (assistant("It worked on the second go."), "It worked in the end."),
    "nobody as not": (
        assistant("The report is in. No doctor has signed it off."),
        "Yes, the report is in, but it hasn't been signed off by a doctor.",
    ),
    "opening word": (user("Write it down (the second) And send it."), "Write it down (the second) Also, send it."),
    "interjection": (user("something's come up. whatever, set it."), "ah, something has come up. ah whatever, set it."),
    "interjection with a capital": (user("Something's come up."), "Ah, something has come up!"),
    "length a day": (user("I sit ten hours a day.", requests=False), "I'm sitting ten hours a day."),
    "list counted": (
        assistant("There's Old Post Inn for €238 and Hotel Central for €86.50.", *OFFERS),
        "There are two: Old Post Inn for €238 and Hotel Central for €86.50.",
    ),
    "all for today": (user("That's all for today.", requests=False), "That's everything."),
    "hour that is none": (
        user("Definitely the one at 15:15.", argument("departure_time", "13:00", TIME), requests=False),
        "15:15 it is.",
    ),
    "word like a choice": (
        assistant("Ten weeks in a row.", argument("sport", "rowing", {"type": "string", "enum": ["rowing", "golf"]})),
        "That's ten weeks running.",
    ),
}


@pytest.mark.parametrize(("line", "text"), TAKEN.values(), ids=TAKEN)
def test_a_good_rewording_is_taken(line, text):
    assert check_rewording(line, text) is None


# What it refuses, and why

PAIR = assistant("There's Old Post Inn for €238 and Hotel Central for €86.50.", *OFFERS)
TRIP = user("Two tickets from Geneva to Antwerp on Friday at 14:30, please.", *TRAIN)
REFUSED = {
    "empty": (TRIP, " ", "is empty"),
    "too long": (user("Yes."), "Yes, and " + "let me tell you about it " * 5, "too long"),
    "too short": (PAIR, "Ok.", "too short"),
    "two lines": (TRIP, "Two tickets from Geneva to Antwerp\non Friday at 14:30, please.", "one line"),
    "markup": (PAIR, "- Old Post Inn for €238 and Hotel Central for €86.50.", "without"),
    "id dropped": (user("Move IFM279 to Monday.", *CONTACT), "Move my booking to Monday.", "'IFM279' is gone"),
    "id changed": (user("Move IFM279 to Monday.", *CONTACT), "Move IFM297 to Monday.", "'IFM279' is gone"),
    "unknown code changed": (assistant("Take the B10."), "Take the B11.", "'b10' is gone"),
    "mail address changed": (
        user("Write to anna.kern@example.com.", *CONTACT),
        "Write to anna.kern@example.org.",
        "'anna.kern@example.com' is gone",
    ),
    "phone changed": (user("Block +31 6 1234 61 78.", *CONTACT), "Block +31 6 1234 61 87.", "is gone"),
    "price changed": (assistant("That costs €20."), "That costs €25.", "'€25' is not in the line"),
    "currency changed": (assistant("That costs €20."), "That costs $20.", "'$20' is not in the line"),
    "currency dropped": (assistant("That costs €20."), "That costs 20.", "'€20' is gone"),
    "weekday changed": (TRIP, "Two tickets from Geneva to Antwerp on Monday at 14:30, please.", "'monday'"),
    "weekday of next week": (user("On Friday.", *TRAIN), "Next Friday.", "'friday' is gone"),
    "wrong weekday beside the date": (assistant("On 10 April."), "On Monday, 10 April.", "'Monday'"),
    "day added": (
        user("Two tickets, please.", *TRAIN),
        "Two tickets for Sunday, please.",
        "'sunday' is not in the line",
    ),
    "day dropped": (TRIP, "Two tickets from Geneva to Antwerp at 14:30, please.", "'friday' is gone"),
    "month changed": (assistant("It ends on 3 March."), "It ends on 3 May.", "'3 march' is gone"),
    "year dropped": (assistant("It ends on 3 March 2027."), "It ends on 3 March.", "the year 2027 is gone"),
    "year added": (assistant("It ends on 3 May."), "It ends on 3 May 2027.", "2027"),
    "last week": (assistant("That was last Tuesday."), "That was on Tuesday.", "is gone"),
    "week exchanged": (user("Not this week but next week.", requests=False), "Not next week, this week.", "order"),
    "hour changed": (TRIP, "Two tickets from Geneva to Antwerp on Friday at 15:30, please.", "'15:30' is not"),
    "half of the day": (user("At 2:30 pm.", *TRAIN), "At 2:30 am.", "'2:30 am' is not in the line"),
    "hour added": (assistant("It leaves on Friday."), "It leaves on Friday at 8:15.", "'8:15' is not"),
    "evening for morning": (assistant("See you in the morning."), "See you in the evening.", "'morning' is gone"),
    "number changed": (TRIP, "Three tickets from Geneva to Antwerp on Friday at 14:30, please.", "'three' is not"),
    "number dropped": (TRIP, "Tickets from Geneva to Antwerp on Friday at 14:30, please.", "'two' is gone"),
    "number added": (
        assistant("Your order is on its way."),
        "Your 3 orders are on their way.",
        "'3' is not in the line",
    ),
    "days promised": (assistant("You'll hear from them."), "You'll hear from them within two days.", "'two days'"),
    "percent dropped": (assistant("The battery is at 85%."), "The battery is at 85.", "'85%' is gone"),
    "unit dropped": (assistant("You used 320 kWh."), "You used 320.", "the unit of '320 kwh' is gone"),
    "scale changed": (assistant("It's at 24 °C."), "It's at 24 °F.", "the unit of"),
    "unit changed": (assistant("It's 5 km away."), "It's 5 miles away.", "the unit of"),
    "bars": (PAIR, "Old Post Inn | €238 | Hotel Central | €86.50", "without '|'"),
    "sentences added": (assistant("It's booked."), "It's booked. I like it. So do others. Fine.", "more sentences"),
    "nights as days": (user("For three nights.", requests=False), "For three days.", "'three nights' is gone"),
    "length changed": (assistant("It takes 90 minutes."), "It takes an hour.", "'90 minutes' is gone"),
    "ordinal changed": (user("The second one.", requests=False), "The third one.", "'third' is not in the line"),
    "last for first": (user("The last one.", requests=False), "The one there.", "'last' is gone"),
    "city changed": (TRIP, "Two tickets from Geneva to Ghent on Friday at 14:30, please.", "'Antwerp' is gone"),
    "name dropped": (assistant("It belongs to Anna Kern.", *CONTACT), "It belongs to Anna.", "'Anna Kern' is gone"),
    "name added": (assistant("It's booked."), "It's booked, thanks to Marco.", "'Marco' is not in the line"),
    "somebody addressed": (assistant("It's booked."), "Sarah, it's booked.", "'Sarah' is not in the line"),
    "name of another result": (
        assistant("Hotel Central is free.", *OFFERS),
        "Old Post Inn, I mean Hotel Central, is free.",
        "Old Post Inn",
    ),
    "another name in lower case": (user("the central one.", *OFFERS), "the central one, not the inn.", "'not'"),
    "cities exchanged": (TRIP, "Two tickets from Antwerp to Geneva on Friday at 14:30, please.", "order"),
    "prices exchanged": (PAIR, "There's Old Post Inn for €86.50 and Hotel Central for €238.", "order"),
    "names exchanged": (PAIR, "There's Hotel Central for €238 and Old Post Inn for €86.50.", "order"),
    "counts exchanged": (user("2 adults and 3 children.", requests=False), "2 children and 3 adults.", "order"),
    "times exchanged": (
        assistant("It leaves at 14:30 and gets in at 20:15."),
        "It leaves at 20:15 and gets in at 14:30.",
        "order",
    ),
    "choice changed": (user("In first class.", *TRAIN, requests=False), "In second class.", "'second' is not"),
    "flag dropped": (
        user("A ticket and my bicycle.", *TRAIN),
        "A ticket for me, please.",
        "'bicycle' is not mentioned",
    ),
    "quote changed": (user('Send "See you there" please.'), 'Please send "See you soon".', "must stay as they are"),
    "quote added": (user("Send it please."), 'Please send it as "final".', "in quotes"),
    "body of a mail changed": (
        user("Write: Please go ahead without me, I'll catch up next week.", *CONTACT),
        "Write that they should go ahead without me and that I'll catch up next week.",
        "is gone",
    ),
    "said twice, then once": (assistant("A on Sunday, B on Sunday."), "A on Sunday, then B.", "2 times"),
    "question lost": (assistant("Which day?", asks=True), "I'll see which day.", "question mark"),
    "question of the user lost": (user("Why do cats knead?", requests=False), "Cats knead.", "must stay one"),
    "question added": (assistant("It's booked."), "It's booked, right?", "asks nothing"),
    "statement of the user as a question": (user("The first one.", requests=False), "The first one?", "no question"),
    "denial lost": (assistant("The slot isn't free."), "The slot is free.", "denies nothing"),
    "denial added": (assistant("The slot is free."), "The slot is not free.", "'not'"),
    "yes for no": (user("No.", requests=False), "Yes.", "'no' has become 'yes'"),
    "no for yes": (user("Yes, that one.", requests=False), "No, that one.", "denies nothing"),
    "list counted wrongly": (PAIR, "There are three: Old Post Inn for €238 and Hotel Central for €86.50.", "'three'"),
    "part of a list counted": (
        assistant("There's Old Post Inn, Hotel Central and one more.", *OFFERS),
        "There are two, Old Post Inn, Hotel Central and one more.",
        "'two' is not in the line",
    ),
    "thing counted among values": (PAIR, "Old Post Inn for €238, two of them, and Hotel Central for €86.50.", "'two'"),
    "rate changed": (assistant("210 minutes a week."), "210 minutes a day.", "'a day' is not in the line"),
    "bound changed": (user("Below one year.", requests=False), "Below a month.", "'one year' is gone"),
    "try changed": (assistant("It worked on the second go."), "It worked on the third go.", "'third'"),
    "failure that was not got over": (
        assistant("It was a bit unwilling, but it worked on the second go."),
        "It was a bit unwilling and did not work.",
        "'not'",
    ),
    "failure that was none": (assistant("It worked."), "It didn't work at first, then it did.", "denies nothing"),
    "day taken from elsewhere": (
        assistant("You have lunch with Anna."),
        "You have lunch with Anna that day.",
        "'that day' is not in the line",
    ),
    "choice of a result lost": (
        assistant("You have a full backup.", returned("kind", "full", {"type": "string", "enum": ["full", "partial"]})),
        "You have a backup.",
        "'full' is gone",
    ),
    "today for tomorrow": (user("That's all for today.", requests=False), "That's all for tomorrow.", "'tomorrow'"),
    "cheaper for dearer": (user("The cheaper one.", requests=False), "The more expensive one.", "'cheaper'"),
    "before for after": (user("Before noon.", requests=False), "After noon.", "'before' has become 'after'"),
    "off for on": (user("Downloads switched on."), "Downloads switched off.", "'on' has become 'off'"),
    "cancelled for booked": (assistant("It's booked."), "It's cancelled.", "'booked' has become 'cancelled'"),
    "tool named": (assistant("I found two."), "I ran search_trains and found two.", "nobody says 'search_trains'"),
    "parameter named": (user("On Friday, please."), "travelDate Friday, please.", "nobody says 'travelDate'"),
    "greeting": (user("Move it to Monday."), "Hi, move it to Monday.", "greets"),
    "offer": (assistant("It's booked."), "It's booked. Let me know if there's more.", "offer"),
    "promise": (assistant("It's booked."), "It's booked, and I'll remind you.", "promise"),
    "another language": (assistant("That's booked for you now."), "C'est réservé pour vous maintenant.", "language"),
    "another script": (assistant("It's booked."), "Забронировано.", "language"),
}


@pytest.mark.parametrize(("line", "text", "told"), REFUSED.values(), ids=REFUSED)
def test_a_bad_rewording_is_refused_with_the_reason(line, text, told):
    assert told in (check_rewording(line, text) or "taken")


@pytest.mark.parametrize("line", [case[0] for case in (*TAKEN.values(), *REFUSED.values())])
def test_every_line_is_a_rewording_of_itself(line):
    assert check_rewording(line, line.text) is None


def test_a_value_that_two_turns_make_up_must_stay():
    meeting = argument("starts_at", "2026-04-10T14:30", {"type": "string", "format": "date-time"})
    line = Line("Half past two in the afternoon.", "user", THURSDAY, (meeting,), before=("On Friday.",))
    assert check_rewording(line, "14:30.") is None
    assert check_rewording(line, "In the afternoon.") is not None


def test_the_values_of_a_line_are_listed_as_it_says_them():
    assert list_values(TRIP) == ["Two", "Geneva", "Antwerp", "Friday", "14:30"]
    assert list_values(PAIR) == ["Old Post Inn", "€238", "Hotel Central", "€86.50"]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (user("I sit ten hours a day."), ["ten hours"]),
        (user("Leave out everyone below one year."), ["one year"]),
        (user("Block +31 6 1234 61 78.", *CONTACT), ["+31 6 1234 61 78"]),
        (user("Sunday will do, last Sunday won't."), ["Sunday", "last Sunday"]),
        (user("That's all for today."), []),
        (assistant("It runs as rst-2179 now."), ["rst-2179"]),
        (assistant("It worked on the second go."), []),
        (assistant("First class or second class?", *TRAIN), ["first class", "second"]),
        (assistant("I told Anna that it is 24 °C in the evening."), ["Anna", "24 degrees C", "evening"]),
        (assistant("I'd hear The Slow Hour.", returned("show", "The Slow Hour")), ["The Slow Hour"]),
        (assistant("One with 150 GB, two with 200 GB."), ["150 GB", "two", "200 GB"]),
        (assistant("€3.90 on Sunday, €3.90 on Monday."), ["€3.90 (2x)", "Sunday", "Monday"]),
        (assistant('Ask Marco for the March bill and "See you".'), ["Marco", "March", "See you"]),
    ],
)
def test_what_is_listed_is_what_the_check_wants(line, values):
    assert list_values(line) == values


@pytest.mark.parametrize("line", [TRIP, PAIR, *(case[0] for case in TAKEN.values())])
def test_every_listed_value_is_missed(line):
    text = " ".join(line.text.replace("°", " degrees ").split())
    for value in list_values(line):
        words = value.removesuffix(" (2x)")
        assert words in text
        assert check_rewording(line, text.replace(words, "", 1)) is not None


@pytest.mark.parametrize(
    ("words", "line", "ended"),
    [
        ("Which ones?", "which", "Which ones?"),
        ("to Monday.", "Monday", "to Monday"),
        ("On Monday", "Monday.", "On Monday."),
        (" On which day", "When?", "On which day?"),
    ],
)
def test_a_rewording_ends_as_the_line_does(words, line, ended):
    assert end_alike(words, line) == ended


@pytest.mark.slow
def test_what_says_something_else_is_no_rewording():
    assert find_change_of_meaning("Which people shall I put in?", "Who should I put in?") is None
    assert find_change_of_meaning("Not at all, it was no trouble.", "No trouble at all.") is None
    assert find_change_of_meaning("Don't mention it.", "You're welcome.") is None
    assert (
        find_change_of_meaning("Good luck with the meeting.", "You're here to help, you're here to help.") is not None
    )


# Settings


def test_rewording_keeps_the_scripted_cast():
    settings = parse_settings({"models": {"reword": "a,b"}})
    assert settings.cast == "scripted"
    assert settings.roles == ("reword",)
    assert settings.models.models == ("a", "b")
    assert StudioSettings(reword="a").models.reword == ("a",)


@pytest.mark.parametrize(
    "values", [{"cast": "llm", "models": {"reword": "a"}}, {"models": {"reword": "a", "model": "b"}}]
)
def test_what_models_play_is_not_reworded(values):
    with pytest.raises(SettingsError, match=r"models\.reword rewords what the scripted cast says"):
        parse_settings(values)


# Runs

MIX = [
    {"share": 1, "patterns": patterns}
    for patterns in (
        ("single",),
        ("search_tools", "sequential", "tool_error"),
        ("single", "missing_parameter", "correction"),
        ("parallel", "chitchat", "missing_parameter"),
        ("irrelevant", "missing_function"),
        ("sequential", "topic_shift"),
    )
]
"""All patterns in six dialogues."""

SYNONYMS = {
    r"\b(It|That|There|What|Where|Who|Here)'s\b": r"\1 is",
    r"\b(I)'m\b": r"\1 am",
    r"\b(I|You|We|They)'ve\b": r"\1 have",
    r"\b(I|You|We|They|It)'ll\b": r"\1 will",
    r"\bI'd like\b": "I want",
    r"\bPlease\b": "Kindly",
    r"\bCould you\b": "Would you",
    r"\bCan you\b": "Could you",
    r"\bDone\b": "All done",
    r"\bFind\b": "Search for",
    r"\bShow me\b": "Let me see",
    r"\bGive me\b": "I need",
}


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def plain(catalog):
    """The settings of twelve dialogues, and these dialogues as the scripted cast plays them."""
    values = {"catalog": catalog, "mix": MIX, "seed": 4, "dialogues": 12}
    return values, play(parse_settings(values))


def settle(plain, endpoint, *, dialogues=12, **models):
    known = {"base_url": endpoint.base_url, "reword": "test-model", "patience_s": 2, "timeout_s": 20, **models}
    return parse_settings({**plain[0], "dialogues": dialogues, "models": known})


def play(settings, **options):
    records = []
    for _ in generate(settings, on_event=lambda event: event.record and records.append(event.record), **options):
        pass
    return sorted(records, key=lambda record: record.index)


def line_of(body):
    """Return the line that is to be reworded, whatever repairs came after."""
    asked = [m["content"] for m in body["messages"] if re.search(r"^Line: ", str(m["content"]), re.MULTILINE)]
    return re.search(r"^Line: (.*)$", asked[-1], re.MULTILINE)[1]


def put_otherwise(line):
    for pattern, words in SYNONYMS.items():
        line = re.sub(pattern, words, line)
    return line


def reword(body):
    return {"value": {"text": put_otherwise(line_of(body))}}


def spoil(line):
    """Change a value of about every third line that has one."""
    if sum(map(ord, line)) % 10 < 7:
        return None
    spoilt = re.sub(r"\d", lambda match: str((int(match[0]) + 1) % 10), line)
    spoilt = spoilt.replace("Friday", "Sunday") if spoilt == line else spoilt
    spoilt = f"{line.rstrip('.?!')} for Ludovico." if spoilt == line else spoilt
    return None if spoilt == line else spoilt


def acts_of(record):
    """Return what is done in a dialogue: everything but what is said."""
    done = [
        {**message, "content": "" if message["role"] in ("user", "assistant") else message["content"]}
        for message in record.messages
    ]
    return done, record.plan, record.patterns, record.turns


def said_in(record):
    return [m["content"] for m in record.messages if m["role"] in ("user", "assistant") and m["content"]]


def kept_of(record):
    return [entry["reworded"] for entry in record.spent]


@pytest.mark.parametrize("mode", [{}, {"json_schema": "refused", "tools": "refused"}], ids=["schema", "text"])
def test_reworded_dialogues_are_accepted_and_call_what_the_script_calls(plain, mode):
    with Endpoint(reword, **mode) as endpoint:
        records = play(settle(plain, endpoint))
    assert [acts_of(record) for record in records] == [acts_of(record) for record in plain[1]]
    assert all(is_accepted(record) for record in records)
    assert {pattern for record in records for pattern in record.patterns} == set(PATTERNS)
    share = sum(sum(kept_of(record)) for record in records) / sum(len(kept_of(record)) for record in records)
    said = [(said_in(one), said_in(two)) for one, two in zip(records, plain[1], strict=True)]
    changed = sum(a != b for one, two in said for a, b in zip(one, two, strict=True))
    assert changed == sum(sum(kept_of(record)) for record in records)
    assert share > 0.2
    assert {record.cast for record in records} == {"scripted"}
    assert {tuple(record.models.items()) for record in records} == {(("reword", "test-model"),)}


def test_each_line_is_asked_for_once_in_a_conversation_that_only_grows(plain):
    with Endpoint(reword) as endpoint:
        records = play(settle(plain, endpoint, dialogues=3))
    lines = sum(len(said_in(record)) for record in records)
    assert len(endpoint.log) == lines + sum(len(record.attempts) for record in records)
    assert sum(len(record.spent) for record in records) == lines
    openings = {text.split("$")[0] for text in Prompts().variants("reword")}
    conversations = {}
    for entry in endpoint.log:
        head = entry.messages[0]["content"]
        assert any(head.startswith(opening) for opening in openings)
        conversations.setdefault(head, []).append(entry.messages)
    assert len(conversations) == 6  # two speakers in three dialogues
    for messages in conversations.values():
        whole = max(messages, key=len)
        assert all(whole[: len(part) - 2] == part[:-2] for part in messages if len(part) > 2)
    asked = [m["content"] for entry in endpoint.log for m in entry.messages if m["role"] == "user"]
    assert all("Line: " in text or text.startswith("That answer cannot be used") for text in asked)


def test_the_prompt_names_persona_and_values_and_shows_no_result(plain):
    with Endpoint(reword) as endpoint:
        (record, *_) = play(settle(plain, endpoint, dialogues=1))
    told = "\n".join(message["content"] for entry in endpoint.log for message in entry.messages)
    assert record.plan.scenario.persona in told
    assert "\nKeep: " in told
    assert [m["content"] for m in record.messages if m["role"] == "tool" and m["content"] in told] == []
    assert [tool["function"]["name"] for tool in record.tools if tool["function"]["name"] in told] == []


def test_a_corrupted_value_never_gets_into_a_dialogue(plain):
    spoilt = set()

    def answer(body):
        line = line_of(body)
        bad = spoil(line)
        if bad is None:
            return reword(body)
        spoilt.add(bad)
        return {"value": {"text": bad}}

    with Endpoint(answer) as endpoint:
        records = play(settle(plain, endpoint))
    assert len(spoilt) >= 20
    assert [acts_of(record) for record in records] == [acts_of(record) for record in plain[1]]
    assert all(is_accepted(record) for record in records)
    assert {text for record in records for text in said_in(record)} & spoilt == set()
    refused = [attempt for record in records for attempt in record.attempts]
    assert {attempt["agent"] for attempt in refused} == {"reword"}
    assert {json.loads(attempt["text"])["text"] for attempt in refused} >= spoilt
    assert len(refused) == sum(entry["refused"] for record in records for entry in record.spent)


def test_a_refused_line_is_asked_for_once_more_with_the_reason(plain):
    def answer(body):
        repaired = str(body["messages"][-1]["content"]).startswith("That answer cannot be used")
        line = line_of(body)
        return reword(body) if repaired else {"value": {"text": f"{line.rstrip('.?!')} with Ludovico."}}

    with Endpoint(answer) as endpoint:
        records = play(settle(plain, endpoint, dialogues=2))
    assert any(sum(kept_of(record)) for record in records)
    for record in records:
        assert len(record.attempts) == len(kept_of(record))
        assert all("'Ludovico' is not in the line" in attempt["problem"] for attempt in record.attempts)
        assert [entry["requests"] for entry in record.spent] == [2] * len(record.spent)


@pytest.mark.parametrize("rubbish", ["I like turtles.", {"value": {"text": ""}}, {"value": {"words": "Hm."}}])
def test_a_model_that_answers_rubbish_leaves_the_script(plain, rubbish):
    with Endpoint(lambda _: rubbish) as endpoint:
        records = play(settle(plain, endpoint))
    assert [record.messages for record in records] == [record.messages for record in plain[1]]
    assert all(is_accepted(record) for record in records)
    assert not any(kept for record in records for kept in kept_of(record))
    assert all(entry["requests"] == 2 for record in records for entry in record.spent)


def test_a_stopped_run_goes_on_where_it_was(plain, tmp_path):
    with Endpoint(reword) as endpoint:
        whole = play(settle(plain, endpoint, dialogues=6))
        asked = len(endpoint.log)
        run = Run.start(settle(plain, endpoint, dialogues=6).model_copy(update={"concurrency": 3}), tmp_path / "run")
        finish(run, lambda event: event.counts.done == 2 and run.stop())
        assert run.stopped
        finish(Run.resume(tmp_path / "run"))
        assert len(endpoint.log) == 2 * asked
    rows = read_rows(tmp_path / "run" / "dialogues.jsonl")
    assert [row["messages"] for row in rows] == [record.messages for record in whole]


def finish(run, on_event=None):
    async def exhaust():
        return [record async for record in run.play(on_event)]

    try:
        return asyncio.run(exhaust())
    finally:
        run.close()


def test_the_budget_stops_the_run_and_a_higher_one_ends_it(plain, tmp_path):
    with Endpoint(reword) as endpoint:
        run = Run.start(settle(plain, endpoint, max_tokens=30_000), tmp_path / "run")
        with pytest.raises(BudgetExceeded, match="the budget is used up"):
            finish(run)
        again = Run.resume(tmp_path / "run", models={"max_tokens": 10_000_000})
        finish(again)
    rows = read_rows(tmp_path / "run" / "dialogues.jsonl")
    assert [row["index"] for row in rows] == list(range(12))
    assert [row["plan"]["outline"] for row in rows] == [record.plan.outline for record in plain[1]]


def test_dialogues_without_a_plan_are_reworded(plain):
    unplanned = {"catalog": plain[0]["catalog"], "method": "no-plan", "seed": 4, "dialogues": 4}
    scripted = play(parse_settings(unplanned))
    with Endpoint(reword) as endpoint:
        models = {"base_url": endpoint.base_url, "reword": "test-model"}
        records = play(parse_settings({**unplanned, "models": models}))
    assert [acts_of(record) for record in records] == [acts_of(record) for record in scripted]
    assert {record.method for record in records} == {"no-plan"}
    assert [is_accepted(record) for record in records] == [is_accepted(record) for record in scripted]
    assert any(sum(kept_of(record)) for record in records)


def test_the_encoder_does_not_hold_up_other_requests(plain, monkeypatch):
    in_loop = []

    def look(*_):
        try:
            in_loop.append(asyncio.get_running_loop())
        except RuntimeError:
            in_loop.append(None)

    monkeypatch.setattr("toolflow_graph.agents.reworded.speakers.find_change_of_meaning", look)
    with Endpoint(reword) as endpoint:
        play(settle(plain, endpoint, dialogues=1))
    assert in_loop
    assert not any(in_loop)


def test_pools_are_drawn_from_and_recorded(plain):
    with Endpoint(reword, models=("one", "two")) as endpoint:
        records = play(settle(plain, endpoint, reword="one,two"))
    assert {record.models["reword"] for record in records} == {"one", "two"}
    assert {entry.body["model"] for entry in endpoint.log} == {"one", "two"}


# The command line


@pytest.fixture
def toolflow(capsys, plain, tmp_path):
    """Run `toolflow generate`; returns exit code and standard error."""

    def run(*options):
        given = ["--catalog", plain[0]["catalog"], "--out", str(tmp_path / "run"), "--dialogues", "2", "--quiet"]
        with pytest.raises(SystemExit) as left:
            main(["generate", *given, "--set", "models.patience_s=1", *options])
        return left.value.code, capsys.readouterr().err

    return run


def test_reword_on_the_command_line(toolflow, tmp_path):
    with Endpoint(reword) as endpoint:
        code, said = toolflow("--reword", "test-model", "--base-url", endpoint.base_url)
    assert (code, said) == (0, "")
    rows = read_rows(tmp_path / "run" / "dialogues.jsonl")
    assert {row["cast"] for row in rows} == {"scripted"}
    assert {row["models"]["reword"] for row in rows} == {"test-model"}
    assert any(entry["reworded"] for row in rows for entry in row["spent"])


@pytest.mark.parametrize("options", [("--model", "x"), ("--cast", "llm"), ("--user-model", "x")])
def test_reword_and_players_exclude_each_other(toolflow, options):
    code, said = toolflow("--reword", "test-model", *options)
    assert code == 1
    assert "models.reword rewords what the scripted cast says" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("key", ["right", None], ids=["wrong key", "unknown model"])
def test_an_endpoint_that_refuses_ends_the_run(toolflow, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-0123456789")
    with Endpoint(reword, key=key) as endpoint:
        code, said = toolflow("--reword", "gpt-99", "--base-url", endpoint.base_url)
    assert code == 1
    assert ("refuses the key" if key else "has no model 'gpt-99'") in said
    assert "planted-key" not in said
    assert said.count("\n") == 1


def test_an_unreachable_endpoint_ends_the_run(toolflow):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code, said = toolflow("--reword", "x", "--base-url", f"http://127.0.0.1:{port}/v1")
    assert code == 1
    assert "cannot be reached" in said
