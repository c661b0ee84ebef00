import copy
import json
import time

import pytest

from good_dialogues import GOOD, SYSTEM, Good, Script, obj, text, tool
from toolflow_graph.types import TurnLabel
from toolflow_graph.validation import CHECKS, validate_dialogue


def report(good: Good):
    return validate_dialogue(good.messages, good.tools, **good.options())


@pytest.mark.parametrize("name", GOOD)
def test_good_dialogues_have_no_finding(name):
    assert report(GOOD[name]()).findings == []


def edit_call(good, number, change):
    """Change the arguments of the call with that number (from 1)."""
    for message in good.messages:
        for call in message.get("tool_calls", ()):
            if call["id"] == f"call_{number}":
                arguments = json.loads(call["function"]["arguments"])
                call["function"]["arguments"] = json.dumps(change(arguments) or arguments)
                return


def edit_result(good, number, change):
    for message in good.messages:
        if message.get("tool_call_id") == f"call_{number}":
            result = json.loads(message["content"])
            message["content"] = json.dumps(change(result) or result)


def call_entry(good, number):
    return next(c for m in good.messages for c in m.get("tool_calls", ()) if c["id"] == f"call_{number}")


def say(index, said):
    return lambda good: good.messages[index].update(content=said)


def append(index, said):
    return lambda good: good.messages[index].update(content=good.messages[index]["content"] + said)


def insert(index, *messages):
    def change(good):
        good.messages[index:index] = [dict(m) for m in messages]
        moved = [
            label.model_copy(update={"message": label.message + len(messages) * (label.message >= index)})
            for label in good.labels
        ]
        good.labels[:] = moved

    return change


def delete(*indices):
    def change(good):
        for index in sorted(indices, reverse=True):
            del good.messages[index]
            good.labels[:] = [
                label.model_copy(update={"message": label.message - (label.message > index)})
                for label in good.labels
                if label.message != index
            ]

    return change


def arguments(number, **changes):
    return lambda good: edit_call(good, number, lambda a: {**a, **changes})


def result(number, **changes):
    return lambda good: edit_result(good, number, lambda r: {**r, **changes})


def raw_arguments(number, raw):
    return lambda good: call_entry(good, number)["function"].update(arguments=raw)


def drop_argument(number, name):
    return lambda good: edit_call(good, number, lambda a: {k: v for k, v in a.items() if k != name})


def both(*changes):
    def change(good):
        for one in changes:
            one(good)

    return change


def rename_tool(good):
    call_entry(good, 1)["function"]["name"] = "look_up_budget"
    good.messages[3]["name"] = "look_up_budget"
    good.plan = None


def duplicate_id(good):
    call_entry(good, 2)["id"] = "call_1"
    good.messages[6]["tool_call_id"] = "call_1"


def split_parallel(good):
    """Send the two calls of message 18 one after the other."""
    calls = good.messages[18]["tool_calls"]
    good.messages[18]["tool_calls"] = calls[:1]
    second = {"role": "assistant", "content": "", "tool_calls": calls[1:]}
    insert(20, second)(good)


def call_message(identity, name, given):
    function = {"name": name, "arguments": json.dumps(given)}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": identity, "type": "function", "function": function}],
    }


def answer(identity, name, given):
    return {"role": "tool", "tool_call_id": identity, "name": name, "content": json.dumps(given)}


def weather_call(good):
    """The weather of the trip is asked for once more, where nothing is due."""
    at = len(good.messages) - 1
    forecast = {"city": "Lyon", "forecast_date": "2026-06-12"}
    result_ = {"condition": "sunny", "low": 14, "high": 19, "rain_percent": 70}
    insert(
        at, call_message("call_9", "get_weather_forecast", forecast), answer("call_9", "get_weather_forecast", result_)
    )(good)


def relabel(request, *patterns):
    def change(good):
        good.labels[:] = [
            TurnLabel(message=x.message, request=x.request, patterns=patterns if x.request == request else x.patterns)
            for x in good.labels
        ]

    return change


USER = {"role": "user", "content": "And one more thing, if you don't mind."}
ASSISTANT = {"role": "assistant", "content": "Gladly, whatever it is."}


def persona_of(good):
    """Give the plan a persona that is long enough to be known again, and return it."""
    persona = "A nurse in her thirties who is short of time and writes in few words."
    scenario = good.plan.scenario.model_copy(update={"persona": persona})
    good.plan = good.plan.model_copy(update={"scenario": scenario})
    return persona


BROKEN = {
    "roles": {
        "two_users": ("trip", insert(5, USER)),
        "two_assistants": ("trip", insert(4, ASSISTANT)),
        "assistant_first": ("budget", insert(1, ASSISTANT)),
        "ends_with_user": ("budget", insert(9, USER)),
        "ends_with_result": ("foreign", delete(7)),
        "late_system": ("trip", insert(6, {"role": "system", "content": "Be brief."})),
        "unknown_role": ("budget", insert(1, {"role": "narrator", "content": "It is Tuesday."})),
        "no_answer_to_result": ("trip", delete(21)),
    },
    "links": {
        "no_result": (
            "foreign",
            both(delete(6), lambda good: good.messages[6].update(content="It'll be fresh in Oslo.")),
        ),
        "second_result": (
            "budget",
            insert(4, answer("call_1", "get_budget_status", {"limit": 450.0, "spent": 318.75})),
        ),
        "orphan_result": (
            "budget",
            insert(4, answer("call_7", "get_budget_status", {"limit": 450.0, "spent": 318.75})),
        ),
        "id_used_twice": ("foreign", duplicate_id),
        "wrong_name": ("budget", lambda good: good.messages[3].update(name="transfer_between_budgets")),
    },
    "known_tool": {
        "not_offered": ("budget", rename_tool),
        "called_before_found": (
            "table",
            both(
                lambda good: edit_result(good, 1, lambda _: {"tools": [{"name": "other"}]}),
                say(4, "Congratulations! Would you like to sit outside?"),
            ),
        ),
    },
    "arguments": {
        "wrong_enum": ("budget", arguments(2, from_category="eating out")),
        "below_minimum": ("budget", both(arguments(2, amount=0.5), say(5, "move 0.5 over from eating out"))),
        "wrong_type": ("budget", arguments(2, amount="50")),
        "missing": ("budget", drop_argument(2, "amount")),
        "pattern": ("trip", arguments(1, depart_after="6:00")),
        "unknown_parameter": ("budget", arguments(1, currency="groceries")),
        "not_json": ("budget", raw_arguments(2, '{"amount": 50,')),
        "not_an_object": ("budget", raw_arguments(2, "[50]")),
        "nested": (
            "order",
            lambda good: edit_call(good, 2, lambda a: {**a, "pickup_address": {"street": "12 Rue Pasteur"}}),
        ),
    },
    "results": {
        "missing_field": ("trip", lambda good: edit_result(good, 6, lambda r: {"start": r["start"]})),
        "wrong_type": ("trip", result(3, seat="52")),
        "not_an_object": ("trip", lambda good: good.messages[24].update(content='"updated"')),
        "not_json": ("trip", lambda good: good.messages[24].update(content="updated")),
        "inside_a_list": (
            "order",
            lambda good: edit_result(good, 1, lambda r: r["orders"][1].pop("order_id") and None),
        ),
    },
    "provenance": {
        "invented_name": (
            "trip",
            lambda good: [edit_call(good, n, lambda a: {**a, "passenger_name": "Karl Lang"}) for n in (2, 3)],
        ),
        "invented_date": ("trip", arguments(4, forecast_date="2026-06-20")),
        "invented_city": ("trip", arguments(4, city="Bern")),
        "invented_amount": ("budget", arguments(2, amount=65)),
        "invented_time": ("trip", arguments(6, start="2026-06-12T08:15")),
        "invented_list_item": ("table", arguments(2, dishes=["lamb shoulder", "onion soup"])),
        "invented_nested": ("order", arguments(2, pickup_address={"street": "12 Rue Pasteur", "city": "Nantes"})),
        "invented_email": ("order", arguments(1, customer_email="duarte@example.org")),
        "known_only_later": ("trip", say(7, "Mine, of course.")),
        "nobody_agreed": ("table", both(arguments(2, dining_time="19:45"))),
    },
    "repeated_call": {
        "at_once": (
            "budget",
            insert(
                4,
                call_message("call_9", "get_budget_status", {"category": "groceries", "month": "2026-06"}),
                answer("call_9", "get_budget_status", {"limit": 450.0, "spent": 318.75, "currency": "EUR"}),
            ),
        ),
        "in_other_order": (
            "budget",
            insert(
                4,
                call_message("call_9", "get_budget_status", {"month": "2026-06", "category": "groceries"}),
                answer("call_9", "get_budget_status", {"limit": 450.0, "spent": 318.75, "currency": "EUR"}),
            ),
        ),
    },
    "clarification": {
        "not_asked": (
            "trip",
            both(
                say(
                    1,
                    "I'm Clara Vogel. I need to be in Geneva by ten on Friday. What's the first train "
                    "that gets me there from Lyon? Not before six though, please.",
                ),
                delete(6, 7),
            ),
        ),
        "not_answered": (
            "order",
            both(
                delete(6, 7),
                say(
                    5,
                    "The switch on the lamp is broken, so that one goes back. "
                    "Collect it next Monday at 12 rue Pasteur in Lyon.",
                ),
            ),
        ),
    },
    "needless_call": {
        "missing_function": ("trip", weather_call),
        "irrelevant": ("trip", both(weather_call, relabel(4, "irrelevant"))),
        "chitchat": ("trip", both(weather_call, relabel(4, "chitchat"))),
    },
    "addressed": {
        "never_made": ("trip", delete(25, 26)),
        "never_called": ("budget", both(delete(6, 7), say(6, "Which month is that for?"))),
        "failed": ("order", lambda good: setattr(good, "plan", plan_without_error(good.plan))),
    },
    "sequential": {
        "id_said_by_user": (
            "order",
            both(
                lambda good: edit_result(good, 1, lambda r: r["orders"][0].update(order_id="ORD-1111")),
                say(
                    5,
                    "The switch on the lamp of ORD-7719 is broken, so that goes back. You can collect it next Monday.",
                ),
            ),
        ),
        "nothing_returned": (
            "order",
            both(
                say(1, "Hi, what did I order from you? I'm at m.duarte@example.org, there was ORD-7719, I think."),
                lambda good: edit_result(good, 1, lambda _: {"orders": []}),
                say(4, "I can't find anything under that address."),
            ),
        ),
    },
    "parallel": {
        "one_after_the_other": ("trip", split_parallel),
        "labelled_so": ("budget", relabel(1, "parallel")),
    },
    "correction": {
        "nothing_corrected": ("budget", relabel(0, "correction")),
        "other_tool": ("order", relabel(1, "sequential", "correction", "missing_parameter", "tool_error")),
    },
    "error_told": {
        "claims_success": ("order", say(10, "Great, that's arranged for Monday.")),
        "no_error_came": ("budget", relabel(0, "tool_error")),
    },
    "empty": {
        "user": ("trip", say(11, "  ")),
        "assistant": ("budget", say(8, "")),
        "only_dots": ("trip", say(16, "…")),
    },
    "truncated": {
        "inside_a_word": ("trip", say(14, "Done: coach 4, seat 52, €29.40. Your reserv")),
        "inside_a_sentence": ("trip", say(27, "I can't change the class of a ticket with what I")),
        "comma": ("trip", say(11, "Aisle is fine,")),
        "dangling_user": ("budget", say(5, "move 50 over from eating out and")),
        "dangling_capitals": ("budget", say(5, "MOVE 50 OVER FROM EATING OUT AND")),
        "dangling_after_quote": ("budget", say(5, 'move 50 over from eating out and "the')),
        "dangling_assistant": ("budget", say(8, "Done. Groceries now has €181.25 left and")),
        "inside_a_quotation": ("trip", say(14, 'Done: coach 4, seat 52, €29.40. The code is "')),
    },
    "repeated_text": {
        "assistant": ("trip", say(16, "Happy to. Which name should the ticket be in?")),
        "other_punctuation": ("trip", say(16, "happy to - which name should the ticket be in?!")),
        "user": ("trip", say(15, "Ha, the 6:08 then. Book it, window seat if they have one.")),
    },
    "leaks": {
        "braces": ("trip", append(27, " Thanks, {passenger_name}.")),
        "angles": ("trip", append(27, " Thanks, <name>.")),
        "brackets": ("trip", append(15, " Write to [insert address].")),
        "todo": ("budget", append(8, " TODO: more.")),
        "lorem": ("trip", append(27, " Lorem ipsum dolor.")),
        "pattern": ("trip", append(26, " That's my missing_function request.")),
        "plan_words": ("trip", append(16, " Now for the next planned request.")),
        "tool_name": ("budget", append(8, " I used transfer_between_budgets.")),
        "parameter_name": ("trip", append(5, " My seat_preference is window.")),
        "enum_value": ("budget", say(8, "Done. Groceries now has €181.25 left, eating_out €70.")),
        "json": ("budget", append(8, ' The result: {"to_left": 181.25}.')),
        "template": ("trip", append(16, " See you, $name.")),
        "null": ("budget", append(8, " The note is null.")),
    },
    "user_voice": {
        "help": ("trip", append(15, " How can I help you today?")),
        "ai": ("trip", append(15, " As an AI, I cannot say.")),
        "done": ("trip", append(15, " Let me know if you need anything else.")),
        "welcome": ("trip", append(26, " You’re welcome!")),
    },
    "other_roles": {
        "transcript": ("trip", append(15, "\nAssistant: Done, it is booked.")),
        "user": ("trip", append(16, "\n**User:** And now send me the code, please.")),
        "system": ("trip", append(15, "\nSystem: the user has been verified.")),
        "template": ("trip", append(26, " [INST] Say no more. [/INST]")),
        "heading": ("trip", append(15, "\n### Assistant:\nDone.")),
    },
    "instructions": {
        "user": (
            "trip",
            append(15, " I play a person who is chatting with an assistant. You are the person."),
        ),
        "assistant": (
            "budget",
            append(8, " Do not call for what you already know from this conversation."),
        ),
        "persona": ("trip", lambda good: append(15, f" {persona_of(good)}")(good)),
    },
    "unfounded": {
        "price": ("trip", say(14, "Done: coach 4, seat 52, €31.40. Your reservation code is QX7M2P.")),
        "code": ("trip", say(14, "Done: coach 4, seat 52, €29.40. Your reservation code is QX7M2B.")),
        "seat": ("trip", say(14, "Done: coach 4, seat 57, €29.40. Your reservation code is QX7M2P.")),
        "time": ("trip", say(25, "Moved: it now runs from 9:45 to noon.")),
        "date": ("table", say(8, "Your table at Marlow's is for the 14th of June, half past seven.")),
        "weekday": ("trip", say(21, "Yes, bring one. And the meeting is in your calendar, Thursday ten to noon.")),
        "degrees": (
            "trip",
            say(21, "Yes: showers are likely, around 11 to 23 degrees. The meeting is in your calendar."),
        ),
        "percent": (
            "trip",
            say(21, "Yes, rain is 85 percent likely. And the meeting is in your calendar, ten to noon."),
        ),
        "wrong_difference": ("budget", say(4, "€141.25 of your €450 for June.")),
        "wrong_sum": ("order", say(4, "Two things, €221.90 in all: a desk lamp for €39.90 and an office chair.")),
        "email": ("order", append(10, " You can write to help@example.org in the meantime.")),
        "phone": ("order", append(10, " Or call +33 4 72 10 30 30.")),
        "waiting_time": ("order", append(10, " Refunds take 14 days.")),
        "plain_text_result": ("foreign", say(3, "It stays sunny in San Francisco, between 9 and 26 degrees.")),
        "rounding": ("foreign", say(7, "In Oslo it'll be 17.9 °C at first, then 15.2 °C.")),
        "impossible_time": ("trip", say(25, "Moved: it now runs from 9:75 to noon.")),
    },
}


def plan_without_error(plan):
    requests = [
        r.model_copy(update={"patterns": tuple(p for p in r.patterns if p != "tool_error")}) for r in plan.requests
    ]
    return plan.model_copy(update={"requests": tuple(requests)})


CASES = [
    pytest.param(check, *case, id=f"{check}-{label}") for check, many in BROKEN.items() for label, case in many.items()
]


@pytest.mark.parametrize(("check", "name", "change"), CASES)
def test_each_flaw_is_caught_by_its_check_alone(check, name, change):
    good = copy.deepcopy(GOOD[name]())
    change(good)
    errors = report(good).errors
    assert {finding.check for finding in errors} == {check}, errors


@pytest.mark.parametrize(
    "said", ["does anyone in my household have blood type A", "how do I get to Studio Or", "the team? team-a"]
)
def test_a_name_may_end_a_text(said):
    good = GOOD["budget"]()
    good.messages.append({"role": "user", "content": said})
    good.messages.append({"role": "assistant", "content": "I have nothing here that tells that."})
    assert [f for f in report(good).findings if f.check == "truncated"] == []


def test_every_check_has_broken_dialogues():
    named = {check.__name__.removeprefix("check_") for check in CHECKS} | {"provenance"}
    names = {
        "known_tools": "known_tool",
        "repeated_calls": "repeated_call",
        "needless_calls": "needless_call",
        "errors_told": "error_told",
        "statements": "unfounded",
    }
    assert {names.get(name, name) for name in named} == set(BROKEN)


def test_provenance_is_recorded_for_every_leaf():
    good = GOOD["trip"]()
    found = {(p.call_id, p.path): (p.source, p.message) for p in report(good).provenance}
    assert found["call_1", "travel_date"] == ("user", 1)
    assert found["call_2", "train_id"] == ("result", 3)
    assert found["call_2", "passenger_name"] == ("user", 7)
    assert found["call_6", "event_id"] == ("result", 20)
    assert found["call_6", "start"] == ("user", 22)
    found = {(p.call_id, p.path): p.source for p in report(GOOD["budget"]()).provenance}
    assert found["call_1", "month"] == "system"
    found = {(p.call_id, p.path): p.source for p in report(GOOD["order"]()).provenance}
    assert {"pickup_address.street", "pickup_address.city"} <= {path for _, path in found}


def test_defaults_and_unmentioned_switches():
    good = GOOD["table"]()
    edit_call(good, 2, lambda a: {**a, "outdoor": False})
    good.messages[4]["content"] = "Congratulations! Shall I go ahead? They keep a table for 90 or 120 minutes, so 120?"
    good.messages[5]["content"] = "Perfect. And have them keep us the lamb shoulder and a lemon tart."
    found = report(good)
    assert next(p.source for p in found.provenance if p.path == "outdoor") == "default"
    edit_call(good, 2, lambda a: {**a, "outdoor": True})
    found = report(good)
    assert [(f.check, f.severity) for f in found.findings] == [("provenance", "warning")]


@pytest.mark.parametrize(
    "system", [SYSTEM, "Current date: 2026-06-09.", "You help. Today's date is June 9, 2026.", None]
)
def test_the_day_is_read_from_the_system_message(system):
    parameters = obj("day", day=text("Day", format="date"))
    script = Script(system).user("Anything on Friday?", 0)
    script.call(("list_events", {"day": "2026-06-12"}, {"events": []})).assistant("Nothing on Friday.")
    found = validate_dialogue(script.messages, [tool("list_events", "Events.", parameters)])
    assert [f.check for f in found.errors] == ([] if system else ["provenance"])
    assert not validate_dialogue(script.messages, [tool("list_events", "", parameters)], now="2026-06-09").errors


def test_general_knowledge_of_foreign_dialogues_is_only_a_warning():
    script = Script(None).user("How far is the moon?", 0).assistant("About 384,400 kilometres away.")
    assert [(f.check, f.severity) for f in validate_dialogue(script.messages, []).findings] == [
        ("unfounded", "warning")
    ]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{}],
        ["text"],
        [{"role": "user"}],
        [{"role": "assistant", "tool_calls": [{}]}],
        [{"role": "assistant", "tool_calls": ["x"]}],
        [{"role": "assistant", "tool_calls": [{"id": "1", "function": None}]}],
        [{"role": "tool", "content": "x"}],
        [{"role": "user", "content": [{"type": "text", "text": "hi there"}]}],
    ],
    ids=str,
)
def test_malformed_messages_are_findings_not_errors(messages):
    assert validate_dialogue(messages, [{"function": {"name": "x"}}, {}]).findings


def test_arguments_may_be_dicts_as_trl_has_them():
    good = GOOD["budget"]()
    for message in good.messages:
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    assert report(good).findings == []


def test_checking_is_cheap():
    good = GOOD["trip"]()
    report(good)
    start = time.process_time()
    for _ in range(20):
        report(good)
    assert (time.process_time() - start) / 20 < 0.02
