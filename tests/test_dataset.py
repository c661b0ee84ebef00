import json
import os
from pathlib import Path

import pytest

from runs import copy_catalog
from toolflow_graph import generate
from toolflow_graph.dataset import (
    dialogue_id,
    encode_record,
    is_accepted,
    read_dialogues,
    record_of,
    replace_file,
)
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import DatasetError
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import DialogueRecord, Finding

USER = {"role": "user", "content": "Is it raining in Oslo?"}


def call(arguments):
    return {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    catalog = copy_catalog(tmp_path_factory.mktemp("catalog"))
    return list(generate(catalog=catalog, dialogues=12, seed=5))


def test_record_says_what_made_the_dialogue(records):
    for record in records:
        assert record.id == dialogue_id(5, record.index) == f"s5-{record.index:06d}"
        assert record.seed == 5
        assert record.cast == "scripted"
        assert record.models == {}
        assert record.plan is not None
        assert {label.request for label in record.turns} <= set(range(len(record.plan.requests)))
        called = {c["function"]["name"] for m in record.messages for c in m.get("tool_calls", ())}
        assert called <= {tool["function"]["name"] for tool in record.tools}
        assert all(tool.keys() == {"type", "function"} and tool["type"] == "function" for tool in record.tools)
        assert record.usage == {
            "turns": sum(message["role"] == "user" for message in record.messages),
            "messages": len(record.messages),
            "calls": len({p.call_id for p in record.provenance} | {c["id"] for c in list_calls(record)}),
        }


def list_calls(record):
    return [c for message in record.messages for c in message.get("tool_calls", ())]


def test_record_survives_its_line(records):
    for record in records:
        line = encode_record(record)
        again = DialogueRecord.model_validate_json(line)
        assert again == record
        assert encode_record(again) == line
        assert line.count(b"\n") == 1
        assert list(json.loads(line)) == list(DialogueRecord.model_fields)


def test_line_is_unescaped_unicode():
    record = DialogueRecord(
        id="a", messages=[{"role": "user", "content": "Zürich\u2028π"}], tools=[], index=0, seed=0, patterns=()
    )
    line = encode_record(record)
    assert "Zürich\u2028π".encode() in line
    assert DialogueRecord.model_validate_json(line) == record


def test_record_of_a_dialogue_that_went_nowhere(tmp_path):
    settings = RunSettings(catalog=copy_catalog(tmp_path))
    finding = Finding(check="sampling", message="no tools").model_dump()
    record = record_of({"index": 3, "patterns": ["single"], "findings": [finding]}, settings, load_stage(settings))
    assert (record.id, record.messages, record.tools, record.plan) == ("s0-000003", [], [], None)
    assert not is_accepted(record)


def test_warnings_do_not_reject():
    warning = Finding(check="x", message="odd", severity="warning")
    record = DialogueRecord(id="a", messages=[], tools=[], index=0, seed=0, patterns=(), findings=(warning,))
    assert is_accepted(record)


def test_own_lines_are_read_with_their_record(tmp_path, records):
    path = tmp_path / "dialogues.jsonl"
    path.write_bytes(b"".join(map(encode_record, records)))
    read = list(read_dialogues(path))
    assert [dialogue.record for dialogue in read] == records
    assert [dialogue.line for dialogue in read] == list(range(1, len(records) + 1))


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"messages": [USER], "tools": []}, id="openai"),
        pytest.param({"messages": [USER]}, id="no tools"),
        pytest.param({"messages": [USER], "tools": None}, id="tools are null"),
        pytest.param({"messages": [USER], "tools": "[]"}, id="tools as a string"),
        pytest.param({"messages": [{**USER, "tool_calls": None}], "source": "x"}, id="padded by Arrow"),
    ],
)
def test_foreign_lines(tmp_path, row):
    path = tmp_path / "data.jsonl"
    path.write_text("\n" + json.dumps(row) + "\n\n")
    (dialogue,) = read_dialogues(path)
    assert (dialogue.messages, dialogue.tools, dialogue.record) == ([USER], [], None)
    assert (dialogue.line, dialogue.id) == (2, "line 2")


@pytest.mark.parametrize("arguments", [{"city": "Oslo"}, '{"city": "Oslo"}'], ids=["object", "string"])
def test_arguments_become_strings(tmp_path, arguments):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "assistant", "tool_calls": [call(arguments)]}]}))
    (dialogue,) = read_dialogues(path)
    assert dialogue.messages[0]["tool_calls"][0]["function"]["arguments"] == '{"city": "Oslo"}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("{", "not JSON", id="not JSON"),
        pytest.param("[]", "no 'messages'", id="a list"),
        pytest.param('{"text": "hi"}', "no 'messages'", id="no messages"),
        pytest.param('{"messages": {}}', "'messages' is not a list", id="messages are no list"),
        pytest.param('{"messages": ["hi"]}', "message 0: not an object with a 'role'", id="message is no object"),
        pytest.param('{"messages": [], "tools": "x"}', "'tools' is a string, but not of JSON", id="tools are no JSON"),
        pytest.param('{"messages": [], "tools": [1]}', "tool 0 is not an object", id="tool is no object"),
        pytest.param('{"messages": [{"role": "assistant", "tool_calls": [{}]}]}', "'tool_calls' is not", id="call"),
        pytest.param(
            '{"messages": [], "id": "a", "index": 0, "seed": 0, "patterns": []}',
            "field 'tools': Field required",
            id="ours",
        ),
        pytest.param("[" * 100_000, "nested too deeply", id="too deep"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"messages": [USER]}) + "\n" + line + "\n")
    with pytest.raises(DatasetError) as caught:
        list(read_dialogues(path))
    assert str(caught.value).startswith(f"{path}, line 2")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_unreadable_file_is_named(tmp_path, name):
    with pytest.raises(DatasetError, match="cannot be read"):
        list(read_dialogues(tmp_path / name))


def test_torn_last_line(tmp_path):
    path = tmp_path / "dialogues.jsonl"
    path.write_text(json.dumps({"messages": [USER]}) + "\n" + '{"messages": [{"ro')
    assert len(list(read_dialogues(path, torn="skip"))) == 1
    with pytest.raises(DatasetError, match="line 2: not JSON"):
        list(read_dialogues(path))


def test_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail():
        yield b"new"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        replace_file(path, fail())
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208
    replace_file(path, [b"n", b"ew"])
    assert path.read_bytes() == b"new"


def test_paths_are_kept(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"messages": [USER], "id": "x-1"}))
    (dialogue,) = read_dialogues(Path(path))
    assert (dialogue.path, dialogue.id) == (path, "x-1")
