"""Reading what models answer: replies, calls, JSON in prose, schemas, and the words that ask again."""

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from toolflow_graph.models.answers import Usage, read_reply
from toolflow_graph.models.structured import Shape, UnfitError, append_failure, find_json


def respond(finish="stop", **message):
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": finish}]}


def function(name, arguments, identity: Any = "a"):
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_content_stays_with_calls_and_no_parallel_call_is_dropped():
    calls = [function("look", '{"x": 1}', "a"), function("look", '{"x": 2}', "b"), function("go", "{}", "c")]
    reply = read_reply(respond(content="One moment.", tool_calls=calls))
    assert reply.text == "One moment."
    assert [(call.name, call.arguments) for call in reply.calls] == [("look", {"x": 1}), ("look", {"x": 2}), ("go", {})]


@pytest.mark.parametrize(
    ("ids", "taken"),
    [
        pytest.param(["same", "same", "same"], [], id="duplicates"),
        pytest.param([None, "", 7], [], id="missing"),
        pytest.param(["call_0", None, "call_2"], ["call_0", "call_1"], id="taken by the dialogue"),
    ],
)
def test_ids_become_unique(ids, taken):
    calls = [function("look", "{}", identity) for identity in ids]
    found = [call.id for call in read_reply(respond(tool_calls=calls), taken).calls]
    assert len({*found, *taken}) == len(found) + len(taken)
    assert all(found)


@pytest.mark.parametrize("arguments", ['{"x": 1', "[1]", "NaN", '{"x": Infinity}'])
def test_malformed_arguments_are_data(arguments):
    (call,) = read_reply(respond(tool_calls=[function("look", arguments)])).calls
    assert call.parse_error
    assert call.raw == arguments
    assert call.arguments == {}


@pytest.mark.parametrize("arguments", [{"x": 1}, None, ""])
def test_arguments_that_are_no_string(arguments):
    (call,) = read_reply(respond(tool_calls=[function("look", arguments)])).calls
    assert call.parse_error is None
    assert call.arguments == (arguments or {})


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        pytest.param({"content": "Hi", "reasoning_content": "hm"}, "Hi", "hm", id="reasoning_content"),
        pytest.param({"content": "Hi", "reasoning": "hm"}, "Hi", "hm", id="reasoning"),
        pytest.param({"content": "<think>\nhm\n</think>\n\nHi"}, "Hi", "hm", id="think"),
        pytest.param({"content": [{"type": "text", "text": "H"}, {"text": "i"}]}, "Hi", "", id="parts"),
        pytest.param({"content": None}, "", "", id="nothing"),
    ],
)
def test_text_and_reasoning_are_told_apart(message, text, reasoning):
    reply = read_reply(respond(**message))
    assert (reply.text, reply.reasoning, reply.fault) == (text, reasoning, None)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param({"choices": []}, "no choice", id="empty choices"),
        pytest.param({"choices": None}, "no choice", id="null choices"),
        pytest.param({}, "no choice", id="no choices"),
        pytest.param({"choices": ["x"]}, "no choice", id="odd choices"),
        pytest.param(respond("length", content="Once upon"), "cut off at the length limit", id="truncated"),
        pytest.param(respond("content_filter", content=""), "content filter", id="filtered"),
        pytest.param(respond(refusal="I will not."), "refused: I will not.", id="refusal"),
    ],
)
def test_what_is_no_answer(body, fault):
    assert fault in read_reply(body).fault


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param('{"a": 1}', [{"a": 1}], id="bare"),
        pytest.param('```json\n{"a": 1}\n```', [{"a": 1}], id="fence"),
        pytest.param('Here {it} is: {"a": {"b": [1]}}. Done {now}!', [{"a": {"b": [1]}}], id="prose"),
        pytest.param("[1, 2] or [3]", [[1, 2], [3]], id="several"),
        pytest.param('{"a": NaN}', [], id="NaN"),
        pytest.param("No.", [], id="none"),
        pytest.param('{"a": ', [], id="cut"),
    ],
)
def test_json_is_found(text, values):
    found = list(find_json(text))
    assert [value for number, value in enumerate(found) if value not in found[:number]] == values


class Move(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["speak", "call"]
    text: str
    number: int


class Loose(BaseModel):
    text: str = Field(default="", max_length=5)


WRITTEN = '{"kind": "speak", "text": "Hi", "number": 3}'


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"content": WRITTEN}, id="bare"),
        pytest.param({"content": f"Sure:\n```json\n{WRITTEN}\n```\nBye {{you}}"}, id="prose and fence"),
        pytest.param({"content": f'{{"not": "it"}} {WRITTEN}'}, id="after another object"),
        pytest.param({"content": None, "tool_calls": [function("answer", WRITTEN)]}, id="function"),
        pytest.param({"content": "As asked:", "tool_calls": [function("other", WRITTEN)]}, id="other function"),
    ],
)
def test_a_value_is_read_in_every_form(message):
    assert Shape(Move).read(read_reply(respond(**message))) == Move(kind="speak", text="Hi", number=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the answer is empty"),
        ("Hello there", "the answer holds no JSON"),
        ('{"kind": "speak", ', "the JSON is damaged: it stops before its end, so it was cut off"),
        ('{"kind": "speak", "text": "Hi the', "it stops before its end, so it was cut off"),
        ('{"kind": {"kind": "speak"}, "text": ', "it stops before its end, so it was cut off"),
        ('{"kind": "speak, "text": "Hi"}', "the JSON is damaged: at 'text\": \"Hi\"}' (Expecting ',' delimiter)"),
        ('{"kind": "speak", "text": "Hi}', "a string that begins at '\"Hi}' is never closed by a quotation mark"),
        ('{"kind": "sing", "text": "Hi"}', "kind: Input should be 'speak' or 'call'; number: Field required"),
        ('{"kind": "call", "text": "", "number": 1, "x": 2}', "x: Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_said_exactly(text, said):
    with pytest.raises(UnfitError) as caught:
        Shape(Move).read(read_reply(respond(content=text)))
    assert said in str(caught.value)


def test_json_schema_errors_name_their_place():
    shape = Shape({"type": "object", "properties": {"at": {"type": "array", "items": {"type": "integer"}}}})
    with pytest.raises(UnfitError, match=r"\$\.at\[1\]: 'x' is not of type 'integer'"):
        shape.read(read_reply(respond(content='{"at": [1, "x"]}')))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({"type": "array", "items": {"type": "integer"}}, [1, 2], id="array"),
        pytest.param({"type": "string"}, "x", id="string"),
        pytest.param(RootModel[list[int]], RootModel[list[int]]([1, 2]), id="root model"),
    ],
)
def test_what_is_no_object_travels_in_one(schema, value):
    shape = Shape(schema)
    assert shape.sent_schema(in_prompt=False)["type"] == "object"
    plain = value.root if isinstance(value, RootModel) else value
    assert shape.read(read_reply(respond(content=json.dumps({"value": plain})))) == value
    assert shape.read(read_reply(respond(content=json.dumps(plain)))) == value


MAYBE = {
    "type": "object",
    "properties": {"a": {"type": ["object", "null"]}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "strict"), [(Move, True), (Loose, False), ({"type": "object"}, False), (MAYBE, False)]
)
def test_strict_only_where_the_openai_api_takes_it(schema, strict):
    shape = Shape(schema)
    assert shape.build_request("json_schema")["response_format"]["json_schema"]["strict"] is strict
    assert shape.build_request("tool")["tools"][0]["function"].get("strict", False) is strict
    assert shape.build_request("text") == {}


@pytest.mark.parametrize("head", [[{"role": "system", "content": "s"}], []], ids=["with a head", "without"])
def test_the_schema_in_words_stands_in_the_head(head):
    asked = {"role": "user", "content": "words"}
    sent = Shape(Move).instruct([*head, asked], "text")
    assert [message["role"] for message in sent] == ["system", "user"]
    assert sent[0]["content"].startswith("s\n\nEvery answer" if head else "Every answer")
    assert json.dumps(Shape(Move).json_schema) in sent[0]["content"]
    assert sent[1] == asked
    assert [message["content"] for message in head] == ["s"] * len(head)


SHARED = {"type": "object", "properties": {"kind": {"type": "string"}}}


@pytest.mark.parametrize(
    ("mode", "in_prompt", "sent"),
    [
        pytest.param("json_schema", False, "own", id="decoded by only"),
        pytest.param("json_schema", True, "shared", id="counted as prompt"),
        pytest.param("tool", False, "shared", id="tools are prompt everywhere"),
    ],
)
def test_a_shared_schema_is_sent_where_schemas_are_part_of_the_prompt(mode, in_prompt, sent):
    shape = Shape(Move, SHARED)
    request = shape.build_request(mode, in_prompt=in_prompt)
    schema = (
        request["response_format"]["json_schema"]["schema"]
        if mode == "json_schema"
        else request["tools"][0]["function"]["parameters"]
    )
    assert schema == (SHARED if sent == "shared" else shape.json_schema)
    assert json.dumps(SHARED) in shape.instruct([], "text")[0]["content"]


@pytest.mark.parametrize(
    ("pattern", "sent"),
    [
        (r"^\d{2}:\d{2}$", r"^[0-9]{2}:[0-9]{2}$"),
        (r"[\d.-]\d", r"[0-9.-][0-9]"),
        (r"\\d\[\d", r"\\d\[[0-9]"),
    ],
)
def test_digits_in_patterns_are_sent_as_a_range(pattern, sent):
    schema = {"type": "object", "properties": {"pattern": {"type": "string", "pattern": pattern}}}
    (found,) = Shape(schema).sent_schema(in_prompt=False)["properties"].values()
    assert found["pattern"] == sent
    assert schema["properties"]["pattern"]["pattern"] == pattern


def test_an_answer_is_held_to_its_own_schema_whichever_was_sent():
    with pytest.raises(UnfitError, match="text"):
        Shape(Move, SHARED).read(read_reply(respond(content='{"kind": "speak"}')))


ASKED = [{"role": "user", "content": "Go."}]


def test_readable_calls_are_each_answered_by_the_error():
    reply = read_reply(respond(content="Hm.", tool_calls=[function("a", "{}", "1"), function("b", "{}", "2")]))
    asked = append_failure(ASKED, reply, "no tool 'b'", structured=False)
    assert asked[:1] == ASKED
    assert asked[1]["content"] == "Hm."
    assert [call["id"] for call in asked[1]["tool_calls"]] == ["1", "2"]
    assert [message["tool_call_id"] for message in asked[2:]] == ["1", "2"]
    assert all("no tool 'b'" in message["content"] for message in asked[2:])
    assert all("speak to the person instead" in message["content"] for message in asked[2:])


@pytest.mark.parametrize("structured", [True, False])
def test_damaged_calls_stand_as_text(structured):
    reply = read_reply(respond(tool_calls=[function("a", '{"x": ')]))
    asked = append_failure(ASKED, reply, "not JSON", structured=structured)
    assert [message["role"] for message in asked] == ["user", "assistant", "user"]
    assert '{"x": ' in asked[1]["content"]
    assert "not JSON" in asked[2]["content"]


def test_nothing_is_asked_for_again_as_before():
    assert append_failure(ASKED, read_reply({"choices": []}), "no choice", structured=True) == ASKED


def test_usages_add_up():
    total = Usage(requests=1, prompt=10, completion=5, cost=0.5) + Usage(requests=2, prompt=1, cached=1, estimated=1)
    assert total == Usage(requests=3, prompt=11, cached=1, completion=5, cost=0.5, estimated=1)
    assert total.tokens == 16
