import json
from pathlib import Path

import pytest
from datasets import load_dataset
from transformers.utils.chat_template_utils import render_jinja_template

from runs import copy_catalog, read_rows
from toolflow_graph import generate
from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.errors import DatasetError
from toolflow_graph.export import export_dialogues

QWEN = (Path(__file__).parent / "templates" / "qwen2_5.jinja").read_text(encoding="utf-8")
"""The chat template of Qwen2.5 (tool calls as Hermes has them), as trl 1.16.0 ships it; Apache-2.0."""


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    catalog = copy_catalog(tmp_path_factory.mktemp("catalog"))
    return sorted(generate(catalog=catalog, dialogues=16, seed=5), key=lambda record: record.index)


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def list_calls(messages):
    return [call for message in messages for call in message.get("tool_calls") or ()]


def test_openai_rows(records):
    rows = list(export_dialogues(records, "openai"))
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert row.keys() == {"messages", "tools"}
        assert row["tools"] == record.tools
        assert row["tools"]
        assert all(isinstance(call["function"]["arguments"], str) for call in list_calls(row["messages"]))
        assert {key for message in row["messages"] for key in message} <= {
            "role",
            "content",
            "tool_calls",
            "tool_call_id",
        }


def test_trl_rows(records):
    for row, record in zip(export_dialogues(records, "trl"), records, strict=True):
        assert json.loads(row["tools"]) == record.tools
        assert all(isinstance(message["content"], str) for message in row["messages"])
        own = [json.loads(call["function"]["arguments"]) for call in list_calls(record.messages)]
        assert [call["function"]["arguments"] for call in list_calls(row["messages"])] == own


@pytest.mark.parametrize("target", ["openai", "trl"])
def test_rows_survive_arrow(tmp_path, records, target):
    rows = list(export_dialogues(records, target))
    path = write(tmp_path / "train.jsonl", rows)
    loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.column_names == ["messages", "tools"]
    for row, again in zip(rows, loaded, strict=True):
        assert again["tools"] == row["tools"]
        assert [drop_nulls(message) for message in again["messages"]] == [drop_nulls(m) for m in row["messages"]]
        for call, twin in zip(list_calls(row["messages"]), list_calls(again["messages"]), strict=True):
            assert twin["function"]["arguments"] == call["function"]["arguments"]  # no argument of another call


def drop_nulls(message):
    return {key: value for key, value in message.items() if value is not None}


def test_rows_pass_a_chat_template(tmp_path, records):
    path = write(tmp_path / "train.jsonl", export_dialogues(records, "trl"))
    loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    for row, record in zip(loaded, records, strict=True):
        rendered, _ = render_jinja_template([row["messages"]], tools=json.loads(row["tools"]), chat_template=QWEN)
        header, _, spoken = rendered[0].partition("<|im_end|>")
        found = spoken.split("<tool_call>\n")[1:]
        calls = [json.loads(text.split("\n</tool_call>")[0]) for text in found]
        assert calls == [
            {"name": call["function"]["name"], "arguments": json.loads(call["function"]["arguments"])}
            for call in list_calls(record.messages)
        ]
        assert all(f'"name": "{tool["function"]["name"]}"' in header for tool in record.tools)
        results = [message["content"] for message in record.messages if message["role"] == "tool"]
        assert all(f"<tool_response>\n{result}\n</tool_response>" in spoken for result in results)


@pytest.mark.parametrize("arguments", ["{", "[1]", '"text"'])
def test_arguments_that_are_no_object_are_named(arguments):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    dialogue = StoredDialogue(Path("x"), 1, "d1", [{"role": "assistant", "content": None, "tool_calls": [call]}], [])
    with pytest.raises(DatasetError, match=r"dialogue 'd1': the arguments of a call are not"):
        list(export_dialogues([dialogue], "trl"))


def test_command_writes_all_rows(tmp_path, records):
    from toolflow_graph.cli.app import main  # noqa: PLC0415

    write(tmp_path / "dialogues.jsonl", [record.model_dump(mode="json") for record in records])
    for target in ("openai", "trl"):
        out = tmp_path / "out" / f"{target}.jsonl"
        with pytest.raises(SystemExit) as left:
            main(["export", str(tmp_path / "dialogues.jsonl"), "--format", target, "--out", str(out)])
        assert left.value.code == 0
        assert read_rows(out) == json.loads(json.dumps(list(export_dialogues(records, target))))
