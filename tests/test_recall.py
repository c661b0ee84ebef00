"""Long dialogues of the LLM cast: windows, and facts that are recalled when they matter."""

import asyncio
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from endpoint import Endpoint, call
from players import OrderedPlayers, recognise_role
from toolflow_graph.agents.llm.assistant import LLMAssistant
from toolflow_graph.agents.llm.facts import Fact, dialogue_facts, user_facts, world_facts
from toolflow_graph.agents.llm.recall import Recall, write_facts
from toolflow_graph.agents.llm.setting import Voices
from toolflow_graph.agents.roles import Scene
from toolflow_graph.agents.search_tools import SEARCH_TOOLS, document_tools
from toolflow_graph.dialogue import stage as stages
from toolflow_graph.encoder import SentenceEncoder, TransientEncoder
from toolflow_graph.models import ChatClient, ModelSettings
from toolflow_graph.prompts import Prompts
from toolflow_graph.report.reach import iterate_uses
from toolflow_graph.runner import generate
from toolflow_graph.settings import parse_settings
from toolflow_graph.settings_file import load_settings
from toolflow_graph.types import DialoguePlan, PlannedRequest, Scenario, Tool
from toolflow_graph.values.reading import content_words

NOTE = "[A note"
NUMBERS = itertools.count()


class WordEncoder:
    """Texts are near when they share words."""

    name = "words"
    dimension = 4096

    def encode(self, texts):
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in content_words(text.replace("_", " ")) or ("nothing",):
                row[int.from_bytes(word.encode()[:12], "big") % self.dimension] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def user(text):
    return {"role": "user", "content": text}


def assistant(text, *calls):
    made = [
        {"id": identity, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for identity, name, arguments in calls
    ]
    return {"role": "assistant", "content": text, **({"tool_calls": made} if made else {})}


def result(identity, name, content):
    return {"role": "tool", "tool_call_id": identity, "name": name, "content": json.dumps(content)}


def exchange(words, name, arguments, content):
    identity = f"call_{next(NUMBERS)}"
    made = (identity, name, arguments)
    return [user(words), assistant(None, made), result(identity, name, content), assistant("All right.")]


def texts_of(facts):
    return [f"{fact.turn} {fact.text}" for fact in facts]


# Facts


def test_every_object_of_a_result_is_a_line():
    hotels = {
        "city": "Rome",
        "hotels": [
            {"hotel_id": "H-1", "price": {"amount": 90.5, "currency": "EUR"}, "features": ["pool", "bar"]},
            {"hotel_id": "H-2", "price": {"amount": 120, "currency": "EUR"}, "note": None},
        ],
    }
    facts = dialogue_facts(exchange("somewhere to sleep?", "search_hotels", {"city": "Rome"}, hotels))
    assert [text.removeprefix('1 search_hotels(city="Rome") → ') for text in texts_of(facts)] == [
        "city: Rome",
        "hotels[0]: hotel_id: H-1; price.amount: 90.5; price.currency: EUR; features: pool, bar",
        "hotels[1]: hotel_id: H-2; price.amount: 120; price.currency: EUR",
    ]


def test_a_large_object_is_several_lines_that_begin_with_its_id():
    fields = {"order_id": "O-1", **{f"field_{number}": number for number in range(20)}}
    lines = texts_of(dialogue_facts(exchange("the order?", "get_order", {}, fields)))
    assert len(lines) == 3
    assert all(line.startswith("1 get_order() → order_id: O-1; field_") for line in lines)
    assert all(sum(f"field_{number}: {number}" in line for line in lines) == 1 for number in range(20))


def test_words_are_facts_when_they_hold_a_value_a_name_or_a_promise():
    facts = dialogue_facts(
        [
            user("hello there"),
            assistant("The table is at 8 pm."),  # a value that a result has already
            user("my daughter is allergic to nuts"),
            assistant("I'll keep nuts out of it."),
            user("what is there to see?"),
            assistant("Plenty!"),
            user("ask for Ms Adeyemi"),
        ]
    )
    assert texts_of(facts) == [
        "2 the person: my daughter is allergic to nuts",
        "2 you: I'll keep nuts out of it.",
        "4 the person: ask for Ms Adeyemi",
    ]


def test_the_user_remembers_words_alone():
    memory = [user("(The chat is open. Write your first message.)")]
    for said, heard in (("a room for 3 nights", "That is €90 a night."), ("hm, well", "Fine.")):
        memory += [assistant(json.dumps({"settled": False, "ends": False, "text": said})), user(heard)]
    assert texts_of(user_facts(memory)) == ["1 you: a room for 3 nights", "1 the assistant: That is €90 a night."]


def test_tools_remember_calls_and_errors():
    asked = {"call": "get_order", "arguments": {"order_id": "O-1"}}
    failed = {"failed": True, "error": "no such order", "result": None}
    memory = [user(json.dumps(asked) + "\nNote: this call fails."), assistant(json.dumps(failed))]
    assert texts_of(world_facts(memory)) == ['1 get_order(order_id="O-1") → error: no such order']
    memory += [user(json.dumps(asked)), assistant(json.dumps({"failed": False, "error": None, "result": {"total": 5}}))]
    assert texts_of(world_facts(memory)) == ['2 get_order(order_id="O-1") → total: 5']


def test_what_a_later_result_replaced_is_no_fact():
    booked = {"booking_id": "B-1", "start_time": "18:00", "guests": 4}
    moved = {"booking_id": "B-1", "start_time": "20:00"}
    alerts = {"alerts": [{"alert_id": f"A-{number}"} for number in (1, 2)]}
    facts = dialogue_facts(
        exchange("a table", "create_booking", {"guests": 4}, booked)
        + exchange("later?", "move_booking", {"booking_id": "B-1"}, moved)
        + exchange("weather?", "get_weather", {"city": "Oslo"}, {"degrees": 3})
        + exchange("and now?", "get_weather", {"city": "Oslo"}, {"degrees": 5})
        + exchange("alerts?", "list_alerts", {}, alerts)
        + exchange("still?", "list_alerts", {}, {"alerts": alerts["alerts"][:1]})
        + exchange("a stamp", "buy_stamp", {}, {"order_id": "O-1"})
        + exchange("another", "buy_stamp", {}, {"order_id": "O-2"})
    )
    assert texts_of(facts) == [
        "1 create_booking(guests=4) → booking_id: B-1; guests: 4",
        '2 move_booking(booking_id="B-1") → booking_id: B-1; start_time: 20:00',
        '4 get_weather(city="Oslo") → degrees: 5',
        "6 list_alerts() → alerts[0]: alert_id: A-1",
        "7 buy_stamp() → order_id: O-1",
        "8 buy_stamp() → order_id: O-2",
    ]


def test_ids_of_different_kinds_are_different_things():
    facts = dialogue_facts(
        exchange("hotels?", "get_hotel", {}, {"hotel_id": 1, "label": "Aurora"})
        + exchange("rooms?", "get_room", {}, {"room_id": 1, "label": "Blue"})
    )
    assert [fact.text.rpartition("; ")[2] for fact in facts] == ["label: Aurora", "label: Blue"]
    assert {fact.mentions for fact in facts} == {frozenset()}


def test_a_result_that_was_edited_into_plain_text_is_a_line():
    messages = exchange("the order?", "get_order", {}, {})
    messages[2]["content"] = "It is lost."
    assert texts_of(dialogue_facts(messages)) == ["1 get_order() → It is lost."]


def test_an_id_that_objects_share_is_not_their_own():
    reviews = {"reviews": [{"hotel_id": "H-1", "stars": 2}, {"hotel_id": "H-1", "stars": 5}]}
    facts = dialogue_facts(
        exchange("reviews?", "list_reviews", {}, reviews)
        + exchange("the hotel?", "get_hotel", {}, {"hotel_id": "H-1", "stars": 4})
    )
    assert [fact.text.rpartition("; ")[2] for fact in facts] == ["stars: 2", "stars: 5", "stars: 4"]


# Windows


def long_conversation(length):
    """Exchanges with a call, ended by words of the user."""
    messages = []
    number = 0
    while len(messages) < length - 1:
        number += 1
        messages += exchange(f"request {number}", "do", {"number": number}, {"done": number})
    return [*messages, user("and now?")]


@pytest.mark.parametrize("window", [1, 2, 5, 8, 16])
def test_a_window_parts_no_call_from_its_result(window):
    recall = Recall(WordEncoder(), window=window)
    begun = set()
    for length in range(1, 80, 4):
        conversation = long_conversation(length)
        view = recall.look_back(conversation)
        assert [*conversation[: view.cut], *view.shown] == conversation
        assert len(view.shown) <= max(window, 1)
        assert len(view.shown) >= min(len(conversation), window // 2 - 3, 1)
        assert view.shown[0]["role"] == view.shown[-1]["role"] == "user"
        assert view.past == conversation[: view.cut]
        calls = {made["id"] for message in view.shown for made in message.get("tool_calls", ())}
        assert {message["tool_call_id"] for message in view.shown if message["role"] == "tool"} <= calls
        begun.add(view.cut)
    if window == 16:
        assert len(begun) <= 11  # 20 conversations: half of them begin where the one before does


def test_a_short_conversation_is_shown_as_it_is():
    recall = Recall(WordEncoder(), after=24)
    assert recall.look_back(long_conversation(21)).past == []
    assert len(recall.look_back(long_conversation(25)).past) == 17
    assert recall.look_back(long_conversation(25)).cut == 0
    assert Recall(WordEncoder(), facts=0, window=8).look_back(long_conversation(41)).past == []
    assert recall.look_back([]).shown == []


# Recalling


def find(facts, query, most=8):
    return asyncio.run(Recall(WordEncoder(), facts=most).find_facts(facts, [query]))


def test_facts_are_recalled_by_meaning_oldest_first():
    facts = dialogue_facts(
        exchange("a table", "create_booking", {"guests": 4}, {"booking_id": "B-1", "start_time": "18:00"})
        + [message for n in range(9) for message in exchange("hm", "count_sheep", {"n": n}, {"sheep_id": f"S-{n}"})]
        + exchange("order", "create_order", {}, {"order_id": "O-1", "booking_note": "x"})
    )
    found = find(facts, "Please cancel that booking.", most=2)
    assert [fact.turn for fact in found] == [1, 11]
    assert find([], "Anything?") == []


def test_an_object_brings_along_what_came_of_it():
    facts = dialogue_facts(
        exchange("a table", "create_booking", {}, {"booking_id": "B-1", "start_time": "18:00"})
        + [message for n in range(9) for message in exchange("hm", "count_sheep", {"n": n}, {"start_time": f"0{n}:00"})]
        + exchange("later?", "move_it", {"booking_id": "B-1", "to": "20:00"}, {"done": True})
    )
    (first, last) = find(facts, "When is the booking, what was its create start time?", most=2)
    assert (first.turn, last.turn) == (1, 11)


def test_an_id_that_is_named_comes_first():
    facts = [
        Fact(
            turn, f"get_parcel(n={turn}) → parcel: P-{turn}; weight: {turn}", "returned", None, frozenset({f"P-{turn}"})
        )
        for turn in range(1, 30)
    ]
    assert [fact.turn for fact in find(facts, 'What about "P-17".', most=1)] == [17]


def test_words_do_not_crowd_results_out():
    said = [Fact(turn, f"the person: where is my parcel number {turn}?", "said") for turn in range(1, 20)]
    returned = [Fact(turn, f"track() → shipment_id: S-{turn}", "returned") for turn in range(1, 20)]
    kinds = [fact.kind for fact in find([*said, *returned], "where is my parcel now?")]
    assert (kinds.count("said"), kinds.count("returned")) == (2, 6)
    assert len(find(said, "where is my parcel now?")) == 8


def test_a_note_is_written_only_when_there_is_something_to_note():
    assert write_facts(Prompts(), "assistant", []) == ""
    note = write_facts(Prompts(), "tool", [Fact(3, "x", "returned")])
    assert note.startswith(NOTE)
    assert note.endswith("\n- call 3, x]")


class CountingEncoder(WordEncoder):
    """Counts what it encodes."""

    def __init__(self):
        self.texts = []

    def encode(self, texts, *, keep=True):
        assert not keep
        self.texts += texts
        return super().encode(texts) if texts else np.zeros((0, self.dimension), np.float32)


def test_texts_of_a_dialogue_are_encoded_once_and_the_oldest_forgotten():
    counting = CountingEncoder()
    encoder = TransientEncoder(counting, most=3)
    rows = encoder.encode(["a b", "c", "a b"])
    assert np.array_equal(rows, WordEncoder().encode(["a b", "c", "a b"]))
    encoder.encode(["c", "d", "e"])
    assert counting.texts == ["a b", "c", "d", "e"]
    encoder.encode(["a b"])
    assert counting.texts[-1] == "a b"
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_texts_of_a_dialogue_are_not_kept_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLFLOW_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(SentenceEncoder, "_compute", lambda _, texts, **__: WordEncoder().encode(texts))
    encoder = SentenceEncoder("words", "words", "fingerprint", dimension=WordEncoder.dimension)
    rows = TransientEncoder(encoder).encode(["The booking is R-1.", "booking"])
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(encoder.encode(["The booking is R-1.", "booking"]), rows)
    assert list(tmp_path.iterdir()) != []


# The assistant over HTTP


PLAN = DialoguePlan(
    scenario=Scenario(persona="Ada", situation="x", goal="y", now="2026-05-20T13:52", city="Madrid"),
    requests=(PlannedRequest(intent="SECRET plan", patterns=("single",), tools=("cancel",), known={"what": "HIDDEN"}),),
)


def make_tool(name, description="", **parameters):
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(name=name, description=description, parameters=schema, returns={"type": "object"})


TOOLS = {
    "reserve": make_tool("reserve", "Reserve a table.", restaurant="Name of the restaurant"),
    "cancel": make_tool("cancel", "Cancel a reservation.", reservation_id="Reservation, as returned by reserve"),
    "tell_joke": make_tool("tell_joke", "Tell a joke.", topic="Topic"),
    "paint": make_tool("paint", "Paint a fence.", colour="Colour"),
    SEARCH_TOOLS.name: SEARCH_TOOLS,
}


def play_turns(turns, *, searched=False):
    """Twenty turns: the reservation is made in the second one, and is to be cancelled in the last."""
    messages = [SystemMessage("Today is Wednesday, 20 May 2026.")]

    def add(words, name, arguments, returned):
        identity = f"call_{len(messages)}"
        made = {"id": identity, "name": name, "args": arguments, "type": "tool_call"}
        messages.extend([HumanMessage(words), AIMessage("", tool_calls=[made])])
        messages.extend([ToolMessage(json.dumps(returned), tool_call_id=identity, name=name), AIMessage("Done.")])

    if searched:
        add("what can you do?", SEARCH_TOOLS.name, {"query": "x"}, document_tools([TOOLS["cancel"], TOOLS["paint"]]))
    else:
        add("a joke about cows", "tell_joke", {"topic": "cows"}, {"joke": "Moo."})
    add("reserve a table at Osteria Vini", "reserve", {"restaurant": "Osteria Vini"}, {"reservation_id": "R-4821"})
    for number in range(3, turns):
        add(f"a joke about {number} hens", "tell_joke", {"topic": f"{number} hens"}, {"joke": f"Cluck {number}."})
    return [*messages, HumanMessage("Please cancel the reservation at Osteria Vini.")]


def read_note(body):
    """Answer as one who sees the request and nothing else: cancel what can be cancelled, or ask."""
    if body["messages"][-1]["role"] == "tool":
        return "It is cancelled."
    found = re.findall(r'reservation_id(?:: |": ")(R-\d+)', json.dumps(body["messages"]).replace('\\"', '"'))
    if not found:
        return {"value": {"say": "Which one?", "calls": []}} if "tools" not in body else "Which one?"
    if "tools" not in body:
        arguments = json.dumps({"reservation_id": found[-1]})
        return {"value": {"say": "", "calls": [{"name": "cancel", "arguments": arguments}]}}
    return {"tool_calls": [call("cancel", {"reservation_id": found[-1]})]}


def act(messages, *, offered=("reserve", "cancel", "tell_joke"), mode=None, **recall):
    """Return the assistant's turn and the messages that its model was sent."""
    with Endpoint(read_note, **(mode or {})) as endpoint:
        models = ModelSettings(base_url=endpoint.base_url, model="test-model", max_repairs=0)
        agent = LLMAssistant(Voices(ChatClient(models), models), Recall(WordEncoder(), **recall))
        turn = asyncio.run(agent.act(Scene(0, 0, PLAN, messages, TOOLS, offered, {})))
    return turn, endpoint.log[-1].messages


MODES = {"native": {}, "schema": {"tools": "ignored"}, "text": {"json_schema": "refused", "tools": "refused"}}


@pytest.mark.parametrize("mode", MODES)
def test_a_fact_of_turn_2_is_used_at_turn_20(mode):
    messages = play_turns(20)
    turn, sent = act(messages, mode=MODES[mode], window=12)
    assert [(made.name, made.arguments) for made in turn.calls] == [("cancel", {"reservation_id": "R-4821"})]
    assert len(sent) <= 13
    assert [message["role"] for message in sent].count("system") == 1
    assert sent[-1]["content"].startswith(messages[-1].text)
    assert '- turn 2, reserve(restaurant="Osteria Vini") → reservation_id: R-4821' in sent[-1]["content"]
    assert "SECRET" not in json.dumps(sent)
    assert "HIDDEN" not in json.dumps(sent)
    turn, sent = act(messages, mode=MODES[mode], window=12, facts=0)
    assert turn.calls == ()
    assert NOTE not in json.dumps(sent)


def test_without_a_window_all_is_shown_and_the_note_stands_at_the_end():
    messages = play_turns(20)
    _, sent = act(messages)
    _, plain = act(messages, after=1000)
    assert sent[:-1] == plain[:-1]
    assert sent[-1]["content"].startswith(f"{plain[-1]['content']}\n\n{NOTE}")
    assert act(play_turns(6))[1] == act(play_turns(6), facts=0)[1]


def test_the_conversation_only_grows_while_the_user_waits():
    messages = play_turns(20)
    turn, before = act(messages, window=12)
    made = turn.calls[0]
    calls = [{"id": made.id, "name": made.name, "args": made.arguments, "type": "tool_call"}]
    done = ToolMessage('{"cancelled": true}', tool_call_id=made.id, name=made.name)
    _, after = act([*messages, AIMessage("", tool_calls=calls), done], window=12)
    assert after[: len(before)] == before
    assert [message["role"] for message in after[len(before) :]] == ["assistant", "tool"]


def test_an_answer_is_understood_by_its_question():
    messages = play_turns(20)
    messages[-2] = AIMessage("Cancel which reservation, the one at Osteria Vini?")
    messages[-1] = HumanMessage("that one")
    turn, _ = act(messages, window=12, facts=1)
    assert [made.arguments for made in turn.calls] == [{"reservation_id": "R-4821"}]


@pytest.mark.parametrize("mode", MODES)
def test_documents_of_found_tools_are_recalled_when_their_search_is_cut_off(mode):
    messages = play_turns(20, searched=True)
    offered = ("reserve", "tell_joke", SEARCH_TOOLS.name)
    turn, sent = act(messages, offered=offered, mode=MODES[mode], window=12)
    assert [made.name for made in turn.calls] == ["cancel"]
    documents = [line for line in sent[-1]["content"].splitlines() if line.startswith('{"name"')]
    told = [json.loads(line.rstrip("]"))["name"] for line in documents]
    assert told == ([] if mode == "native" else ["cancel", "paint"])  # a native request has them in its tools


# The whole state machine


CATALOG = [
    {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        "returns": {
            "type": "object",
            "properties": {key: {"type": "string", "description": f"The {key}"} for key in keys},
            "required": keys,
        },
    }
    for tool, keys in (
        (TOOLS["reserve"], ["reservation_id"]),
        (TOOLS["cancel"], ["reservation_id", "status"]),
    )
]


class LongDialogue:
    """Plays all four parts of a dialogue of twenty turns; the assistant and the tools go by what they are sent."""

    def __init__(self):
        self.turn = 0

    def __call__(self, body):
        parts = {"planner": self.plan, "user": self.speak, "assistant": self.act, "tool": self.run}
        return parts[recognise_role(body)](body)

    def plan(self, body):
        if len(body["messages"]) == 2:
            told = {"persona": "Ada, a nurse.", "situation": "A night out.", "goal": "No night out."}
            return {"value": {"kept": [tool["function"]["name"] for tool in CATALOG], "left_out": [], **told}}
        requests = [self.request("say something nice", ["chitchat"]) for _ in range(20)]
        requests[1] = self.request("a table at Osteria Vini", ["single"], ["reserve"], restaurant="Osteria Vini")
        requests[19] = self.request("drop the table after all", ["single"], ["cancel"])
        return {"value": {"requests": requests}}

    def request(self, intent, patterns, tools=(), **known):
        facts = [{"what": what, "value": value} for what, value in known.items()]
        given = {"patterns": patterns, "tools": list(tools), "known": facts}
        return {"intent": intent, "depends_on": [], "withheld": [], **given}

    def speak(self, _):
        self.turn += 1
        if self.turn == 21:
            return {"value": {"settled": True, "ends": True, "text": ""}}
        text = {2: "I'd like a table at Osteria Vini.", 20: "Please cancel the reservation at Osteria Vini."}
        return {"value": {"settled": self.turn > 1, "ends": False, "text": text.get(self.turn, "how nice it is today")}}

    def act(self, body):
        said = body["messages"][-1]
        if said["role"] == "user" and said["content"].startswith("I'd like a table"):
            return {"tool_calls": [call("reserve", {"restaurant": "Osteria Vini"})]}
        if said["role"] == "user" and said["content"].startswith("Please cancel"):
            return read_note(body)
        return "Done." if said["role"] == "tool" else "Yes, it is."

    def run(self, body):
        asked, _ = json.JSONDecoder().raw_decode(body["messages"][-1]["content"])
        if asked["call"] == "reserve":
            return {"value": {"failed": False, "error": None, "result": {"reservation_id": "R-4821"}}}
        returned = {"reservation_id": asked["arguments"]["reservation_id"], "status": "cancelled"}
        return {"value": {"failed": False, "error": None, "result": returned}}


@pytest.mark.slow
def test_a_dialogue_of_twenty_turns_in_a_short_context(tmp_path):
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(CATALOG))
    with Endpoint(LongDialogue()) as endpoint:
        models = {"base_url": endpoint.base_url, "model": "test-model", "max_repairs": 0, "patience_s": 2}
        size = {"dialogues": 1, "tools": 2, "distractors": 0, "min_requests": 20, "max_requests": 20}
        mix = [{"share": 1, "patterns": ["single", "chitchat"]}]
        (record,) = generate(cast="llm", catalog=str(path), mix=mix, models=models, window=10, **size)
    calls = [made["function"] for message in record.messages for made in message.get("tool_calls", ())]
    assert [made["name"] for made in calls] == ["reserve", "cancel"]
    assert json.loads(calls[1]["arguments"]) == {"reservation_id": "R-4821"}
    assert [finding.message for finding in record.findings if finding.severity == "error"] == []
    assert not any(NOTE in str(message["content"]) for message in record.messages)
    for entry in endpoint.log:
        role, sent = recognise_role(entry.body), entry.messages
        assert len(sent) <= 13
        assert all(message["content"] is None or NOTE not in message["content"] for message in sent[1:-1][:-2])
        if role == "assistant":
            assert "drop the table" not in json.dumps(sent)
        if role == "user":
            assert "R-4821" not in json.dumps(sent)
    told = [entry.messages[-1]["content"] for entry in endpoint.log if recognise_role(entry.body) == "user"]
    assert ["You are on number 19 of the 20 things" in text for text in told[18:21]] == [False, True, False]
    assert "The beginning of the conversation is left out" not in told[3]


# Thirty requests and more


WINDOW = 16


@pytest.fixture(scope="module")
def long_dialogue(bundled_graph):  # noqa: ARG001 - what it has encoded is there
    """The players, the requests of each role in order, and the record of a long dialogue that models have played."""
    setting = load_settings(Path(__file__).parent.parent / "docs" / "long.toml")
    fixed = {**setting, "cast": "llm", "dialogues": 1, "window": WINDOW, "recall": 12, "max_attempts": 1}
    players = next(
        found for seed in range(2, 12) if is_long(found := OrderedPlayers(parse_settings({**fixed, "seed": seed})))
    )
    with pytest.MonkeyPatch.context() as patch, Endpoint(players) as endpoint:
        patch.setattr(stages, "_remember", lambda _: WordEncoder())
        models = {"base_url": endpoint.base_url, "model": "test-model"}
        (record,) = generate(parse_settings({**fixed, "seed": players.settings.seed, "models": models}))
    asked = {
        role: [e for e in endpoint.log if recognise_role(e.body) == role] for role in ("user", "assistant", "tool")
    }
    return players, asked, record


def is_long(players):
    """Say whether a dialogue can be planned that has thirty requests and calls twenty tools."""
    if not players.can_play():
        return False
    rehearsal = players.rehearsals[0]
    called = {made["name"] for message in rehearsal.messages for made in getattr(message, "tool_calls", ())}
    return len(rehearsal.plan.requests) >= 30 and len(called) >= 20


@pytest.mark.slow
def test_models_play_thirty_requests_over_twenty_tools(long_dialogue):
    players, asked, record = long_dialogue
    assert [finding.message for finding in record.findings if finding.severity == "error"] == []
    assert players.strayed == []
    assert record.attempts == ()
    assert len(record.plan.requests) >= 30
    assert len({c["function"]["name"] for m in record.messages for c in m.get("tool_calls", ())}) >= 20
    assert len(asked["user"]) > 30
    assert not any(NOTE in str(message["content"]) for message in record.messages)


@pytest.mark.slow
def test_prompts_stay_at_their_size_however_long_the_dialogue(long_dialogue):
    """What stands in a request beside the tools: in the last third no more than a quarter above the second sixth."""
    _, asked, record = long_dialogue
    for role, entries in asked.items():
        sizes = [len(json.dumps(entry.messages)) for entry in entries]
        early, late = sizes[len(sizes) // 6 : len(sizes) // 3], sizes[-(len(sizes) // 3) :]
        assert sum(late) / len(late) <= 1.25 * sum(early) / len(early), role
    assert max(len(entry.messages) for entry in asked["assistant"]) <= WINDOW + 10
    assert len(json.dumps(record.messages)) > 3 * max(len(json.dumps(entry.messages)) for entry in asked["assistant"])


@pytest.mark.slow
def test_what_is_needed_of_long_ago_is_recalled(long_dialogue):
    """An id that no message holds any more stands in the note, in the request that is answered by calling with it."""
    _, asked, record = long_dialogue
    calls = {made["id"]: (place, made) for place, m in enumerate(record.messages) for made in m.get("tool_calls", ())}
    found = []
    for use in iterate_uses(record):
        place, made = calls[use.call_id]
        if use.source != "result" or not use.path.endswith("_id"):
            continue
        said = sum(message["role"] == "assistant" for message in record.messages[:place])
        _, *shown = asked["assistant"][said].messages
        value = json.loads(made["function"]["arguments"])[use.path]
        notes = [message["content"].partition(NOTE)[2] for message in shown if message["role"] == "user"]
        bare = json.dumps([{**message, "content": str(message["content"]).partition(NOTE)[0]} for message in shown])
        if value not in bare:
            found.append((value in notes[-1], use.path, use.distance))
    missed = [use for use in found if not use[0]]
    assert len(found) >= 4
    assert len(missed) <= len(found) / 5, missed  # where the real encoder looks, 3 % (benchmarks/recall.py)
