"""Long dialogues: as many requests as wanted, all checks passed, nothing said twice, and things of long ago named."""

import asyncio
import json
import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from toolflow_graph.agents.scripted.arrange import Step
from toolflow_graph.agents.scripted.compose import Composer
from toolflow_graph.agents.scripted.facts import Facts
from toolflow_graph.agents.scripted.home import home_of
from toolflow_graph.agents.scripted.speech import agree, bank
from toolflow_graph.agents.scripted.trail import LIST, Trail, name_thing
from toolflow_graph.agents.scripted.verbalise import with_phrasings
from toolflow_graph.dataset import record_of
from toolflow_graph.dialogue.briefs import draw_brief, find_brief
from toolflow_graph.dialogue.graph import build_graph, step_limit
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.dialogue.state import change_world, find_additions
from toolflow_graph.report.reach import Reach, Use, count_prompt_tokens, iterate_uses
from toolflow_graph.settings import DEFAULT_MIX, parse_settings
from toolflow_graph.settings_file import load_settings
from toolflow_graph.types import DialogueRecord, Finding, Provenance, Tool
from toolflow_graph.values import fits_tense

LONG = parse_settings({**load_settings(Path(__file__).parent.parent / "docs" / "long.toml"), "seed": 3})


@pytest.fixture(scope="module")
def stage():
    return load_stage(LONG)


@pytest.fixture(scope="module")
def played(stage):
    """A dialogue of each kind of the documented mix."""

    async def play():
        machine = build_graph().compile()
        records = []
        for index, entry in enumerate(LONG.mix):
            given = {"index": index, "patterns": list(entry.patterns)}
            state = await machine.ainvoke(given, context=LONG, config={"recursion_limit": step_limit(LONG)})
            records.append(record_of(state, LONG, stage))
        return records

    return asyncio.run(play())


def test_documented_setting_makes_long_dialogues_that_pass(played):
    for record in played:
        assert record.findings == ()
        assert 30 <= len(record.plan.requests) <= 36
        assert set(record.patterns) <= {pattern for turn in record.turns for pattern in turn.patterns}
        assert len({call["function"]["name"] for m in record.messages for call in m.get("tool_calls", ())}) >= 12


def test_nothing_is_said_twice(played):
    for record in played:
        for role in ("user", "assistant"):
            said = [
                m["content"] for m in record.messages if m["role"] == role and len((m["content"] or "").split()) > 3
            ]
            assert len(said) == len(set(said))


def test_complications_come_all_along(played):
    for record in played:
        for pattern in set(record.patterns) & {"missing_parameter", "correction", "chitchat", "irrelevant"}:
            places = [number for number, request in enumerate(record.plan.requests) if pattern in request.patterns]
            assert len(places) >= 2
            assert places[-1] - places[0] > 8


def test_facts_of_long_ago_are_used_and_named(played):
    uses = [(record, use) for record in played for use in iterate_uses(record)]
    assert all(use.right for _, use in uses)
    old = [(record, use) for record, use in uses if use.distance > 8 and use.path.endswith("_id")]
    assert len(old) >= 3
    for record, use in old:
        place = next(place for place, m in enumerate(record.messages) if use.call_id in str(m.get("tool_calls")))
        number = next(turn.request for turn in record.turns if turn.message == place)
        asked = [turn.message for turn in record.turns if turn.request in (number - 1, number)]
        words = " ".join(record.messages[i]["content"] for i in asked if record.messages[i]["role"] == "user").lower()
        (arguments,) = {c["function"]["arguments"] for c in record.messages[place]["tool_calls"]}
        thing = name_thing(use.path).split()[-1]
        assert thing in words or json.loads(arguments)[use.path].lower() in words, words


@pytest.mark.parametrize(
    "entry",
    [e for e in DEFAULT_MIX if not {"sequential", "search_tools"} & set(e.patterns)],
    ids=lambda entry: "-".join(entry.patterns),
)
def test_every_kind_of_dialogue_can_be_long(stage, entry):
    found = find_brief(LONG, stage, 0, list(entry.patterns), 60)
    assert found is not None
    plan = asyncio.run(stage.cast.planner.plan(found[0])).plan
    assert 30 <= len(plan.requests) <= 36
    assert set(entry.patterns) <= {pattern for request in plan.requests for pattern in request.patterns}


def test_what_cannot_be_said_leaves_no_trace(stage):
    brief = draw_brief(LONG, stage, 1, ["single"], 0)
    composer = Composer(brief, home_of(LONG.seed, 1), random.Random(1))
    tool = with_phrasings(next(iter(brief.tools.values())))
    before = {name: repr(value) for name, value in vars(composer).items() if name not in ("rng", "facts", "trail")}
    said, things = dict(composer.facts.said), vars(composer.trail.copy())
    assert composer.attempt(Step(["sequential"], [tool], other=True)) is None
    after = {name: repr(value) for name, value in vars(composer).items() if name not in ("rng", "facts", "trail")}
    assert (after, composer.facts.said, vars(composer.trail)) == (before, said, things)


@pytest.mark.parametrize(("kind", "thanked"), [("answer", True), ("decline", False), ("error", False)])
def test_nobody_is_delighted_at_having_been_told_no(stage, kind, thanked):
    brief = draw_brief(LONG, stage, 1, ["single"], 0)
    lengths = set()
    for seed in range(30):
        composer = Composer(brief, home_of(LONG.seed, 1), random.Random(seed))
        composer.acts.append({"by": "assistant", "request": 0, "parts": [{"kind": kind, "call": 0}]})
        composer.close()
        lengths.add(len(composer.acts))
    assert lengths == ({1, 3} if thanked else {1})


def test_a_thing_is_at_hand_until_something_else_was_spoken_of():
    trail = Trail(1)
    trail.hear(0, 2)
    assert not trail.is_far(0, LIST, 3)
    assert trail.is_far(0, LIST, 4)
    trail.touch(0, 1, 4)
    assert not trail.is_far(0, 1, 5)
    assert trail.is_far(0, LIST, 5)
    trail.meet("bill_id", 0, 1)
    assert not trail.is_one_of_many("bill_id", 0, 1)
    trail.meet("bill_id", 0, None)
    assert trail.is_one_of_many("bill_id", 0, 1)


@pytest.mark.parametrize(
    ("name", "thing"),
    [("hotel_booking_id", "hotel booking"), ("tracking_number", "tracking"), ("id", ""), ("billId", "bill")],
)
def test_things_have_the_name_of_their_identifier(name, thing):
    assert name_thing(name) == thing


# What was said, and when it is meant again

TODAY = date(2026, 6, 9)


@pytest.mark.parametrize(
    ("name", "description", "fitting"),
    [
        ("expense_date", "Day on which the receipt was issued", {"2026-06-01", "2026-06-09"}),
        ("travel_date", "Day of travel, YYYY-MM-DD", {"2026-06-09", "2026-06-14"}),
        ("date_of_birth", "", {"1954-10-09"}),
        ("valid_until", "", {"2026-06-09", "2026-06-14"}),
        ("remark_date", "Day on which it happened", {"2026-06-01", "2026-06-09"}),
    ],
)
def test_a_day_is_meant_on_its_side_of_today(name, description, fitting):
    days = ("1954-10-09", "2026-06-01", "2026-06-09", "2026-06-14")
    assert {day for day in days if fits_tense(name, {"description": description}, day, TODAY)} == fitting


def test_what_is_no_day_fits_in_any_time():
    assert fits_tense("expense_date", {}, "next week", TODAY)
    assert not fits_tense("expense_date", {}, "2026-06-14T09:30", TODAY)


def make_tool(name, **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(name=name, description=name, parameters=schema, returns=schema, domain="x", source="test")


DAY = {"type": "string", "format": "date"}
SPENT = make_tool("submit_expense", expense_date={**DAY, "description": "Day on which the receipt was issued"})


@pytest.mark.parametrize("long", [True, False])
def test_nobody_spends_money_on_the_day_of_an_interview_to_come(long):
    home = home_of(3, 1)
    for number in range(40):
        facts = Facts(home, random.Random(number), long=long)
        facts.note({"interview_date": (home.now.date() + timedelta(days=5)).isoformat()})
        facts.request = 1
        drawn = date.fromisoformat(facts.draw(SPENT, (), ())["expense_date"])
        assert drawn <= home.now.date()


def test_what_follows_from_an_interview_does_not_begin_before_it():
    home = home_of(3, 1)
    interview = home.now.date() + timedelta(days=5)
    start = make_tool("start_onboarding", candidate_id={"type": "string"}, first_day=DAY)
    first_days = {True: [], False: []}
    for linked, days in first_days.items():
        for number in range(60):
            facts = Facts(home, random.Random(number))
            facts.note({"interview_date": interview.isoformat()} if linked else {})
            drawn = facts.draw(start, ("candidate_id",), ())
            days.append(date.fromisoformat(drawn["first_day"]))
    assert min(first_days[True]) >= interview
    assert min(first_days[False]) < interview  # a day of its own may well be earlier


def test_days_and_streets_stay_in_the_city_they_were_said_of():
    home = home_of(3, 1)
    deliver = make_tool("find_delivery", delivery_address={"type": "string"}, event_date=DAY)
    day = (home.now.date() + timedelta(days=5)).isoformat()
    said = {"city": "Paris", "delivery_address": "40 Rue de la République", "event_date": day}
    again = dict.fromkeys(("Paris", "Lyon"), 0)
    for city in again:
        for number in range(40):
            facts = Facts(home, random.Random(number), long=True)
            facts.note(said)
            facts.request = 1
            facts.note({"city": city})
            again[city] += said["delivery_address"] in facts.draw(deliver, (), ()).values()
    assert again["Lyon"] == 0
    assert again["Paris"] > 20


def test_several_things_are_spoken_of_as_several():
    assert agree("The {thing} from before {is|are} still on my mind.", plural=True).split()[4] == "are"
    assert not [line for line in bank("returns") if "|" in agree(line, plural=False)]


# The world in checkpoints


@pytest.mark.parametrize(
    ("before", "after", "write"),
    [
        ({}, {"objects": {"a": {"x": 1}}, "facts": [1]}, {"~added": {"objects": {"a": {"x": 1}}, "facts": [1]}}),
        (
            {"objects": {"a": {"x": 1}, "b": {}}, "facts": [1]},
            {"objects": {"a": {"x": 2}, "b": {}}, "facts": [1, 2]},
            {"~added": {"objects": {"a": {"x": 2}}, "facts": [2]}},
        ),
        ({"facts": [1]}, {"facts": [1]}, {"~added": {}}),
        ({"facts": [1, 2]}, {"facts": [2, 3]}, {"facts": [2, 3]}),
        ({"objects": {"a": 1}}, {"objects": {"b": 1}}, {"objects": {"b": 1}}),
        ({"objects": {}}, {"facts": [1]}, {"facts": [1]}),
    ],
    ids=["first", "more", "same", "list-moved-on", "object-gone", "part-gone"],
)
def test_world_is_written_as_what_is_new(before, after, write):
    assert find_additions(before, after) == write
    assert change_world(before, [write]) == after


def test_world_that_a_person_writes_takes_the_place_of_the_old_one():
    assert change_world({"objects": {"a": 1}}, [{"~added": {"facts": [1]}}, {"facts": []}]) == {"facts": []}


# How far back facts reach


def make_record(*, findings=()):
    def calls(identity, arguments):
        return {
            "role": "assistant",
            "tool_calls": [{"id": identity, "function": {"name": "act", "arguments": arguments}}],
        }

    return DialogueRecord(
        id="s0-0",
        index=0,
        seed=0,
        patterns=(),
        messages=[
            {"role": "user", "content": "Show me the lamps in Lyon."},
            calls("1", '{"city": "Lyon"}'),
            {"role": "tool", "tool_call_id": "1", "content": '{"lamp_id": "LP-77", "city": "Lyon"}'},
            {"role": "assistant", "content": "LP-77."},
            {"role": "user", "content": "Hm."},
            {"role": "assistant", "content": "Well."},
            {"role": "user", "content": "Take it, for Lyon."},
            calls("2", '{"lamp_id": "LP-77", "city": "Lyon", "gift": true, "tags": ["LP-77"]}'),
        ],
        tools=[],
        findings=findings,
        provenance=(
            Provenance(call_id="1", path="city", source="user", message=0),
            Provenance(call_id="2", path="lamp_id", source="result", message=2),
            Provenance(call_id="2", path="city", source="result", message=2),
            Provenance(call_id="2", path="gift", source="user", message=0),
            Provenance(call_id="2", path="tags[0]", source="result", message=2),
            Provenance(call_id="2", path="gone", source="result", message=2),
            Provenance(call_id="2", path="lamp_id", source="none"),
        ),
        spent=(
            {"agent": "planner", "prompt": 900},
            {"agent": "user", "prompt": 10},
            {"agent": "assistant", "prompt": 20},
            {"agent": "user", "prompt": 5},
        ),
    )


def test_distance_is_that_of_the_last_time_a_value_was_said():
    assert list(iterate_uses(make_record())) == [
        Use("1", "city", "user", 0, True),
        Use("2", "lamp_id", "result", 2, True),
        Use("2", "city", "result", 0, True),
        Use("2", "tags[0]", "result", 2, True),
    ]


def test_facts_in_calls_with_an_error_are_wrong():
    record = make_record(findings=(Finding(check="arguments", message="no", message_index=7),))
    assert [use.right for use in iterate_uses(record)] == [True, False, False, False]
    reach = Reach()
    reach.add(record)
    assert reach.tell() == {
        "facts": [
            {"label": "0", "count": 2, "wrong": 1},
            {"label": "1", "count": 0, "wrong": 0},
            {"label": "2", "count": 2, "wrong": 2},
        ],
        "prompts": [{"label": "1", "tokens": 30}, {"label": "2", "tokens": 5}],
    }


def test_turns_are_those_of_the_user_and_where_nobody_pays_there_are_none():
    assert count_prompt_tokens(make_record()) == [30, 5]
    assert count_prompt_tokens(make_record().model_copy(update={"spent": ({"agent": "user"},)})) == []
    assert Reach().tell() is None


def test_many_turns_make_few_bars():
    reach = Reach()
    spent = tuple({"agent": "user", "prompt": number} for number in range(1, 51))
    reach.add(make_record().model_copy(update={"spent": spent}))
    bars = reach.tell()["prompts"]
    assert [bars[0], bars[-1]] == [{"label": "1–3", "tokens": 2}, {"label": "49–50", "tokens": 50}]
    assert len(bars) == 17


def test_the_same_long_dialogue_comes_again(stage, played):
    brief, _ = find_brief(LONG, stage, 0, list(LONG.mix[0].patterns), 60)
    plan = asyncio.run(stage.cast.planner.plan(brief)).plan
    assert plan.requests == played[0].plan.requests
