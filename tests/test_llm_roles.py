"""The rules of the LLM cast's roles on their own: what a plan may hold, which call fails, what is sent back."""

from types import SimpleNamespace

import pytest
from langchain_core.messages import ToolMessage

from toolflow_graph.agents.llm.assistant import check_reply
from toolflow_graph.agents.llm.drafts import RequestDraft, RequestsDraft, ScenarioDraft
from toolflow_graph.agents.llm.planner import LLMPlanner, check_requests
from toolflow_graph.agents.llm.tool_simulator import must_fail
from toolflow_graph.agents.llm.user import describe
from toolflow_graph.agents.roles import Brief, ToolCall
from toolflow_graph.types import Edge, PlannedRequest, Tool


def tool(name, required=(), returns=(), domain="", **optional):
    """Return a tool whose parameters are strings."""
    text = {"type": "string", "description": "Something"}
    properties = dict.fromkeys((*required, *optional), text)
    return Tool(
        name=name,
        description="Does something.",
        parameters={"type": "object", "properties": properties, "required": list(required)},
        returns={"type": "object", "properties": dict.fromkeys(returns, text)},
        domain=domain,
    )


SEARCH = tool("search_trains", ["origin"], ["train_id", "price"], "travel")
BOOK = tool("book_train", ["train_id", "passenger"], ["booking_code"], "travel")
CANCEL = tool("cancel_train", ["train_id"], ["refund"], "travel")
WEATHER = tool("get_weather", ["city"], ["condition"], "weather")
PING = tool("ping", returns=["answer"])


def brief_of(*tools, patterns=("single",), edges=(), **others):
    given = {"distractors": (), "others": (), "domains": {}, "requests": (2, 4), **others}
    return Brief(1, 1, {t.name: t for t in tools}, edges, patterns=frozenset(patterns), **given)


def edge(kind, source, target):
    return Edge(kind=kind, source=source, target=target, source_slot="a", target_slot="b", cosine=0.9)


@pytest.mark.parametrize(
    ("pattern", "brief", "accepted"),
    [
        pytest.param("single", brief_of(PING), True, id="one tool"),
        pytest.param("single", brief_of(), False, id="no tool"),
        pytest.param("sequential", brief_of(SEARCH, BOOK), True, id="what one returns the other takes"),
        pytest.param("sequential", brief_of(SEARCH, WEATHER), False, id="nothing feeds anything"),
        pytest.param("sequential", brief_of(SEARCH), False, id="alone"),
        pytest.param(
            "sequential", brief_of(SEARCH, WEATHER, edges=[edge("P-R", "search_trains", "get_weather")]), True, id="P-R"
        ),
        pytest.param(
            "sequential",
            brief_of(SEARCH, WEATHER, edges=[edge("P-P", "search_trains", "get_weather")]),
            False,
            id="P-P",
        ),
        pytest.param("parallel", brief_of(WEATHER), True, id="the same tool twice"),
        pytest.param("parallel", brief_of(PING), False, id="twice the same call"),
        pytest.param("missing_parameter", brief_of(SEARCH), True, id="a value to ask for"),
        pytest.param("missing_parameter", brief_of(CANCEL, PING), False, id="only ids are required"),
        pytest.param("correction", brief_of(PING), False, id="nothing to correct"),
        pytest.param("search_tools", brief_of(PING), False, id="nothing to search among"),
        pytest.param("search_tools", brief_of(PING, distractors=["get_weather"]), True, id="a distractor"),
        pytest.param("topic_shift", brief_of(SEARCH, WEATHER), True, id="two fields"),
        pytest.param(
            "topic_shift", brief_of(SEARCH, BOOK, edges=[edge("P-R", "search_trains", "book_train")]), False, id="one"
        ),
        pytest.param("missing_function", brief_of(PING), True, id="the model thinks of something"),
    ],
)
def test_tools_that_cannot_bear_a_pattern_are_refused(pattern, brief, accepted):
    due = Brief(**{**vars(brief), "patterns": frozenset([pattern])})
    assert LLMPlanner(None).accepts(due) is accepted


def draft(*patterns, tools=("search_trains",), depends_on=(), withheld=()):
    return RequestDraft(
        intent="A train", patterns=patterns, tools=tools, depends_on=depends_on, known=[], withheld=withheld
    )


FIND, RESERVE = draft("single"), draft("sequential", tools=("book_train",), depends_on=[0])
CHAT = draft("chitchat", tools=())


@pytest.mark.parametrize(
    ("due", "requests", "told"),
    [
        pytest.param(["single"], [FIND, RESERVE], None, id="a request that builds on another one"),
        pytest.param(["chitchat"], [FIND, CHAT], None, id="a plain call beside small talk"),
        pytest.param(["single", "sequential"], [FIND], "missing: sequential", id="one is missing"),
        pytest.param(["single"], [FIND, CHAT], "not asked for: chitchat", id="one is too many"),
        pytest.param(["chitchat"], [FIND], "missing: chitchat", id="only plain ones"),
        pytest.param(
            ["single"],
            [draft("sequential", tools=["book_train"]), FIND],
            "request 0: a sequential",
            id="builds on nothing",
        ),
    ],
)
def test_due_patterns_occur_and_only_plain_ones_besides(due, requests, told):
    brief = brief_of(SEARCH, BOOK, patterns=due)
    scenario = ScenarioDraft(kept=["search_trains", "book_train"], left_out=[], persona="A", situation="B", goal="C")
    problem = check_requests(RequestsDraft(requests=requests), scenario, brief)
    assert problem is None if told is None else told in problem


def scene_of(*patterns, tools, failed=False):
    request = PlannedRequest(intent="A train", patterns=patterns, tools=tools)
    earlier = ToolMessage("{}", tool_call_id="1", status="error", additional_kwargs={"request": 0})
    return SimpleNamespace(plan=SimpleNamespace(requests=[request]), request=0, messages=[earlier] if failed else [])


@pytest.mark.parametrize(
    ("scene", "name", "fails"),
    [
        pytest.param(scene_of("tool_error", tools=["search_trains", "book_train"]), "search_trains", False, id="way"),
        pytest.param(scene_of("tool_error", tools=["search_trains", "book_train"]), "book_train", True, id="deed"),
        pytest.param(scene_of("tool_error", tools=["book_train"], failed=True), "book_train", False, id="again"),
        pytest.param(scene_of("single", tools=["book_train"]), "book_train", False, id="no error due"),
    ],
)
def test_the_call_that_does_what_is_wanted_fails_once(scene, name, fails):
    assert must_fail(scene, ToolCall("1", name, {})) is fails


def test_a_correction_may_concern_another_value():
    told = describe(PlannedRequest(intent="Book it.", patterns=("single", "correction"), tools=("book_train",)))
    assert "change one of the values you gave" in told
    assert "take another" in told


LONG = "The cheapest one leaves at a quarter past eight and gets in shortly before noon. " * 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LONG.strip(), None),
        (LONG + "The other one would be", "stops in the middle of a sentence"),
        ("no full stop here", None),
        (LONG + "\n- one\n- two", None),
        (LONG + "See example.com/trains", None),
        ("  ", "the reply is empty"),
    ],
    ids=["whole", "cut off", "short", "list", "link", "empty"],
)
def test_a_text_that_was_cut_off_is_sent_back(text, told):
    problem = check_reply([], [], text, [])
    assert problem is None if told is None else told in problem


def test_a_call_with_a_value_from_nowhere_may_become_a_question():
    dialogue = [{"role": "user", "content": "I need a train."}]
    document = SEARCH.to_openai()
    problem = check_reply(dialogue, [document], "", [("1", "search_trains", {"origin": "Lyon"})])
    assert "nobody said 'Lyon'" in problem
    assert problem.endswith("ask the person for")
