"""How the scripted cast puts things, and that a dialogue depends on its seed and index alone."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolflow_graph.agents.openai_format import to_openai_messages
from toolflow_graph.agents.scripted.leads import lead_in
from toolflow_graph.agents.scripted.phrasing import Wording
from toolflow_graph.agents.scripted.speech import bank
from toolflow_graph.agents.scripted.text import (
    Manner,
    decapitalise,
    draw_manner,
    finish,
    join_sentences,
    lower_literals,
    tidy,
)
from toolflow_graph.agents.scripted.user import join_with_leads
from toolflow_graph.dialogue.graph import build_graph, step_limit
from toolflow_graph.frames import parse_frame
from toolflow_graph.resources import find_resource
from toolflow_graph.settings import DEFAULT_MIX, DialogueSettings, MixEntry, apportion, assign_patterns
from toolflow_graph.types import Phrasings, Tool

TODAY = date(2026, 6, 9)

# Sentences


@pytest.mark.parametrize(
    ("rough", "clean"),
    [
        ("book  a seat", "Book a seat."),
        ("Trains to Rome , please", "Trains to Rome, please."),
        ("a aisle seat", "An aisle seat."),
        ("a European train", "A European train."),
        ("a one-way ticket", "A one-way ticket."),
        ("Leave on tomorrow", "Leave tomorrow."),
        ("Leave on next Friday", "Leave next Friday."),
        ("Leave on Friday", "Leave on Friday."),
        ("the the Alps", "The Alps."),
        ("It's late.. Go", "It's late. Go."),
        ("Well… maybe", "Well… maybe."),
        ("is it open", "Is it open?"),
        ("And how much is it", "And how much is it?"),
        ("Is it open?.", "Is it open?"),
        ("35% percent", "35%."),
        (", then go", "Then go."),
        ("It's there. can you see it?", "It's there. Can you see it?"),
        ("c.vogel@example.com is hers", "c.vogel@example.com is hers."),
        ("iPhone repair", "iPhone repair."),
        ("We leave at 9 a.m. sharp", "We leave at 9 a.m. sharp."),
        ("Find it,; please", "Find it; please."),
        ("", ""),
    ],
    ids=lambda text: text or "nothing",
)
def test_tidy_mends(rough, clean):
    assert tidy(rough) == clean


def test_tidy_of_what_is_tidy_changes_nothing(bundled_catalog):
    spoken = 0
    for tool in bundled_catalog.tools.values():
        for frame in tool.phrasings.requests:
            once = tidy(parse_frame(frame).realise(lambda _: "Berta") or "")
            assert tidy(once) == once
            spoken += 1
    assert spoken > 1000


@pytest.mark.parametrize(
    ("text", "ended"),
    [("Fine", "Fine."), ("Is it", "Is it?"), ("Fine!", "Fine!"), ("Good. Where is it", "Good. Where is it?"), ("", "")],
)
def test_finish_ends_a_sentence(text, ended):
    assert finish(text) == ended


@pytest.mark.parametrize(
    ("text", "lower"),
    [
        ("The first one.", "the first one."),
        ("I want it.", "I want it."),
        ("I'd rather not.", "I'd rather not."),
        ("Clara wants it.", "Clara wants it."),
        ("TGV2041 it is.", "TGV2041 it is."),
        ("", ""),
    ],
)
def test_decapitalise_spares_names(text, lower):
    assert decapitalise(text) == lower


@pytest.mark.parametrize(
    ("manner", "text", "written"),
    [
        (Manner(), "The first. Book it.", "The first. Book it."),
        (Manner(bare_end=True), "Book it.", "Book it"),
        (Manner(bare_end=True), "Is it open?", "Is it open"),
        (Manner(bare_end=True), "Well...", "Well..."),
        (Manner(bare_end=True), "Go!", "Go!"),
        (Manner(bare_end=True), "x" * 95 + ".", "x" * 95 + "."),
    ],
    ids=["plain", "bare", "bare-question", "dots", "mark", "long"],
)
def test_manner_is_applied(manner, text, written):
    assert manner.apply(text) == written


@pytest.mark.parametrize(
    ("text", "source", "lowered"),
    [
        ("The first. Book it.", "The {nth}. Book it.", "the first. book it."),
        ("I need it. Clara too.", "I need it. {name} too.", "I need it. Clara too."),
        ('Text them: "You are late. Come on."', 'Text them: "{text}"', 'text them: "You are late. Come on."'),
        (
            "TLS check for a.example. Friday will do.",
            "TLS check for {host}. {day} will do.",
            "TLS check for a.example. Friday will do.",
        ),
    ],
    ids=["literals", "slot", "quoted", "acronym"],
)
def test_lower_case_spares_what_slots_put_there(text, source, lowered):
    assert lower_literals(text, source) == lowered


def test_manners_vary():
    drawn = Counter((m.lower, m.bare_end) for m in (draw_manner(random.Random(seed)) for seed in range(400)))
    assert set(drawn) == {(True, True), (True, False), (False, True), (False, False)}
    assert drawn[(False, False)] > 200


def test_sentences_join_without_gaps():
    assert join_sentences(["Good.", "", "Book it."]) == "Good. Book it."


@pytest.mark.parametrize(
    ("parts", "turn"),
    [
        ([({}, "Good", ""), ({}, "Book it", "")], "Good. Book it."),
        ([({}, "By the way,", ""), ({}, "The train leaves when", "")], "By the way, the train leaves when."),
        ([({}, "One more thing:", ""), ({}, "Can you check it", "")], "One more thing: can you check it?"),
        ([({}, "One more thing:", ""), ({}, "Clara needs it", "")], "One more thing: Clara needs it."),
        ([({}, "All right,", ""), ({}, "Prepare a mail", "Prepare a mail")], "All right, prepare a mail."),
        ([({}, "All right,", ""), ({}, "Clara needs it", "{who} needs it")], "All right, Clara needs it."),
        ([({}, "Okay,", ""), ({}, "There'll be four", "")], "Okay, there'll be four."),
        ([({"leads": True}, "Great", ""), ({}, "Is it far", "")], "Great. Is it far?"),
    ],
    ids=["sentences", "comma", "colon", "name", "frame", "name in a frame", "contraction", "lead"],
)
def test_parts_join_into_a_turn(parts, turn):
    assert join_with_leads(parts) == turn


def lead_words(turn, seed, *, openers=(), after_talk=False):
    manner, rng = Manner(chatty=0.5), random.Random(seed)
    parts = lead_in(turn, openers, manner, rng, rng.choice, after_talk=after_talk)
    assert len(parts) <= 1
    return parts[0]["text"] if parts else ""


@pytest.mark.parametrize(
    ("turn", "name", "least"),
    [
        ("shift", "transitions", 200),
        ("far", "transitions", 150),
        ("near", "additions", 120),
        ("undoing", "regrets", 200),
    ],
)
def test_user_says_that_another_matter_comes(turn, name, least):
    said = Counter(lead_words(turn, seed) in bank(name) for seed in range(200))
    assert said[True] >= least


def test_user_comes_back_from_small_talk():
    said = [lead_words("same", seed, after_talk=True) for seed in range(200)]
    assert {line for line in said if line} <= set(bank("resumes"))
    assert sum(map(bool, said)) > 100


def test_situation_of_a_field_is_told_when_it_comes_up():
    assert {lead_words("opening", seed, openers=["We're moving."]) for seed in range(50)} == {"", "We're moving."}
    assert "We're moving." in {lead_words("far", seed, openers=["We're moving."]) for seed in range(50)}
    assert "We're moving." not in {lead_words("linked", seed, openers=["We're moving."]) for seed in range(50)}


# Wording

TRAIN = Tool(
    name="reserve_seat",
    description="Reserve a seat on a train.",
    parameters={
        "type": "object",
        "properties": {
            "train_id": {"type": "string", "description": "Identifier of the train"},
            "travel_date": {"type": "string", "format": "date", "description": "Day of travel"},
            "passenger_name": {"type": "string", "description": "Full name of the passenger"},
            "quiet": {"type": "boolean", "description": "Whether to sit in the quiet coach"},
            "bag": {"type": "object", "properties": {"size": {"type": "string", "description": "Size of the bag"}}},
        },
        "required": ["train_id", "passenger_name"],
    },
    returns={
        "type": "object",
        "properties": {
            "seat": {"type": "string", "description": "Seat"},
            "price": {"type": "number", "description": "Price of the seat"},
            "currency": {"type": "string", "enum": ["EUR", "GBP"], "description": "Currency"},
            "stops": {
                "type": "array",
                "description": "Stops",
                "items": {"type": "object", "properties": {"city": {"type": "string", "description": "City"}}},
            },
        },
        "required": ["seat"],
    },
    phrasings=Phrasings(requests=("Book it.",), answers=("Booked.",), items=("{city}",), picks=("{city}",)),
)
ARGUMENTS = {
    "train_id": "TGV2041",
    "travel_date": "2026-06-12",
    "passenger_name": "Clara Vogel",
    "quiet": True,
    "bag": {"size": "large"},
}
FRAME = "Book [train {train_id}|that one][ for {passenger_name}][, with a {bag.size} bag][quiet? in the quiet coach]"


def wording(seed=0):
    return Wording(TRAIN, TODAY, random.Random(seed))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((), "Book that one."),
        (("train_id",), "Book train TGV2041."),
        (("passenger_name",), "Book that one for Clara Vogel."),
        (("train_id", "passenger_name"), "Book train TGV2041 for Clara Vogel."),
        (("bag",), "Book that one, with a large bag."),
        (("quiet",), "Book that one in the quiet coach."),
        (("train_id", "passenger_name", "bag", "quiet"), None),
    ],
    ids=lambda said: "+".join(said) or "nothing" if isinstance(said, tuple) else "",
)
def test_request_mentions_exactly_what_it_should(said, words):
    spoken = wording().request(FRAME, ARGUMENTS, set(said))
    assert spoken == (words or "Book train TGV2041 for Clara Vogel, with a large bag in the quiet coach.")


def test_condition_is_said_only_when_it_holds():
    assert wording().request(FRAME, {**ARGUMENTS, "quiet": False}, {"quiet"}) == "Book that one."


@pytest.mark.parametrize("seed", range(8))
def test_date_is_said_relative_to_today(seed):
    words = wording(seed).request("Leave on {travel_date}", ARGUMENTS, {"travel_date"})
    assert "2026" not in words
    assert any(form in words for form in ("Friday", "12", "three days", "twelfth"))


def stops(*cities):
    return [{"city": city} for city in cities]


@pytest.mark.parametrize(
    ("frames", "result", "words"),
    [
        (["Seat {seat}[ for {price}]"], {"seat": "12A", "price": 29.4, "currency": "EUR"}, "Seat 12A for €29.40."),
        (["Seat {seat}[ for {price}]"], {"seat": "12A"}, "Seat 12A."),
        (["It costs {price}"], {"seat": "12A"}, None),
        (["{seat} is for {passenger_name}"], {"seat": "12A"}, "12A is for Clara Vogel."),
        (["Stops: {list}"], {"stops": stops("Bern", "Basel", "Bonn", "Brno")}, "Stops: Bern, Basel, Bonn, and Brno."),
        (
            ["Stops: {list}"],
            {"stops": stops("Bern", "Basel", "Bonn", "Brno", "Bath", "Cork")},
            "Stops: Bern, Basel, Bonn, and three more.",
        ),
        (["It stops in {list}"], {"stops": [{"city": "Bern"}]}, "It stops in Bern."),
        (["It stops in {list}"], {"stops": []}, None),
    ],
    ids=["money", "option", "unfilled", "argument", "short-list", "long-list", "one", "none"],
)
def test_answer_tells_what_came_back(frames, result, words):
    used = set()
    told = wording().answer(frames, result, ARGUMENTS, used)
    assert told == words
    assert used == (set(frames) if told else set())


# Determinism


def play(settings, index, patterns=None):
    machine = build_graph().compile()
    start = {"index": index} if patterns is None else {"index": index, "patterns": list(patterns)}
    out = asyncio.run(machine.ainvoke(start, context=settings, config={"recursion_limit": step_limit(settings)}))
    return json.dumps([to_openai_messages(out["messages"]), out["plan"], out["offered"]], sort_keys=True)


@pytest.fixture(scope="module")
def travel():
    return DialogueSettings(catalog=str(find_resource("tool_catalog") / "travel.json"), tools=4, seed=5)


@pytest.mark.parametrize("index", range(6))
def test_same_seed_and_index_give_the_same_dialogue(travel, index):
    assert play(travel, index) == play(travel, index)


def test_other_index_or_seed_gives_another_dialogue(travel):
    patterns = ("sequential", "single")
    dialogues = {play(travel, index, patterns) for index in range(6)}
    dialogues |= {play(travel.model_copy(update={"seed": 6}), index, patterns) for index in range(6)}
    assert len(dialogues) == 12


def test_the_global_generator_does_not_matter(travel):
    state = random.getstate()
    dialogues = set()
    for seed in (1, 2):
        random.seed(seed)
        dialogues.add(play(travel, 0))
    random.setstate(state)
    assert len(dialogues) == 1


SCRIPT = """
import asyncio, hashlib, json
from toolflow_graph.dialogue.graph import build_graph, step_limit
from toolflow_graph.agents.openai_format import to_openai_messages
from toolflow_graph.settings import DEFAULT_MIX, DialogueSettings
settings, machine = DialogueSettings(seed=3), build_graph().compile()
async def main():
    for index, entry in enumerate(DEFAULT_MIX):
        start = {"index": index, "patterns": list(entry.patterns)}
        out = await machine.ainvoke(start, context=settings, config={"recursion_limit": step_limit(settings)})
        text = json.dumps([to_openai_messages(out["messages"]), out["plan"], out["edges"], out["world"]])
        print(hashlib.sha256(text.encode()).hexdigest())
asyncio.run(main())
"""


def test_dialogues_do_not_depend_on_hash_randomisation(bundled_graph):
    assert len(bundled_graph) > 0
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "4711")
    ]
    (one, errors), (other, more) = (process.communicate(timeout=180) for process in running)
    assert len(set(one.split())) == len(DEFAULT_MIX), errors + more
    assert one == other


# The mix


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.integers(0, 5000))
def test_apportion_is_the_largest_remainder_method(shares, total):
    counts = apportion(shares, total)
    exact = [Fraction(share * total, sum(shares)) for share in shares]
    assert sum(counts) == total
    assert all(int(quota) <= count <= int(quota) + 1 for count, quota in zip(counts, exact, strict=True))
    up = [quota - int(quota) for count, quota in zip(counts, exact, strict=True) if count > quota]
    down = [quota - int(quota) for count, quota in zip(counts, exact, strict=True) if count <= quota and quota % 1]
    assert min(up, default=1) >= max(down, default=0)


@pytest.mark.parametrize("total", [1, 7, 20, 100, 999, 1000])
def test_mix_is_met_exactly(total):
    assigned = assign_patterns(DEFAULT_MIX, total, seed=3)
    counts = Counter(assigned)
    wanted = apportion([entry.share for entry in DEFAULT_MIX], total)
    assert [counts[entry.patterns] for entry in DEFAULT_MIX] == wanted
    assert len(assigned) == total


def test_hundred_dialogues_have_the_shares_as_they_are_written():
    counts = Counter(assign_patterns(DEFAULT_MIX, 100, seed=0))
    assert [counts[entry.patterns] for entry in DEFAULT_MIX] == [round(entry.share * 100) for entry in DEFAULT_MIX]


def test_order_of_the_mix_depends_on_the_seed_alone():
    orders = {tuple(assign_patterns(DEFAULT_MIX, 50, seed)) for seed in range(5)}
    assert len(orders) == 5
    assert assign_patterns(DEFAULT_MIX, 50, 4) == assign_patterns(list(DEFAULT_MIX), 50, 4)


def test_ties_go_to_the_earlier_entry():
    mix = [MixEntry(share=1, patterns=(name,)) for name in ("single", "parallel", "sequential")]
    assert apportion([entry.share for entry in mix], 4) == [2, 1, 1]
    assert Counter(assign_patterns(mix, 4, 0))[("single",)] == 2


def test_played_dialogues_follow_the_mix(travel):
    mix = (MixEntry(share=3, patterns=("single",)), MixEntry(share=1, patterns=("parallel",)))
    settings = travel.model_copy(update={"mix": mix})
    machine = build_graph().compile()

    async def main():
        return [await machine.ainvoke({"index": index}, context=settings) for index in range(100)]

    counts = Counter(tuple(out["patterns"]) for out in asyncio.run(main()))
    assert counts == {("single",): 75, ("parallel",): 25}
