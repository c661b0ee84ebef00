"""The formats, each against its schema; which turns are masked; what the command leaves and says."""

import itertools
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from runs import copy_catalog, read_rows
from test_export_preference import make_call, make_result, mended_record
from toolflow_graph import generate
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.export import EXPORT_FORMATS, Tally, export_dialogues, find_untrained, write_export
from toolflow_graph.types import Finding

QWEN = (Path(__file__).parent / "templates" / "qwen2_5.jinja").read_text(encoding="utf-8")
"""The chat template of Qwen2.5 (tool calls as Hermes has them), as trl 1.16.0 ships it; Apache-2.0."""


def build_object(required, **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


TEXT, FULL, BOOLEAN = {"type": "string"}, {"type": "string", "minLength": 1}, {"type": "boolean"}


def build_messages(*kinds):
    return {"type": "array", "minItems": 1, "items": {"anyOf": list(kinds)}}


def build_calls(arguments):
    function = build_object(["name", "arguments"], name=FULL, arguments=arguments)
    call = build_object(["id", "type", "function"], id=FULL, type={"const": "function"}, function=function)
    return {"type": "array", "minItems": 1, "items": call}


def build_message(role, required=("role", "content"), **properties):
    return build_object(list(required), role={"const": role}, content=TEXT, **properties)


TOOLS = {"type": "array", "items": build_object(["type", "function"], type={"const": "function"}, function={})}

SCHEMAS = {
    # FineTuneChatRequestInput of OpenAI's API reference: weight is 0 or 1, and the assistant's alone
    "openai": build_object(
        ["messages", "tools"],
        tools=TOOLS,
        messages=build_messages(
            build_message("system"),
            build_message("user"),
            build_message("tool", ("role", "content", "tool_call_id"), tool_call_id=FULL),
            build_object(
                ["role", "content", "weight"],
                role={"const": "assistant"},
                content={"type": ["string", "null"]},
                tool_calls=build_calls(TEXT),
                weight={"enum": [0, 1]},
            ),
        ),
    ),
    # axolotl 0.19.0, prompt_strategies/chat_template.py: a mark named by message_field_training, JSON strings parsed
    "axolotl": build_object(
        ["messages", "tools"],
        tools=TEXT,
        messages=build_messages(
            build_message("system"),
            build_message("user"),
            build_message("tool", ("role", "content", "tool_call_id"), tool_call_id=FULL, name=FULL),
            build_message("assistant", ("role", "content", "train"), tool_calls=build_calls(TEXT), train=BOOLEAN),
        ),
    ),
    # ms-swift 4.6.0, "Agent support": a call is a message whose content is a JSON string
    "ms-swift": build_object(
        ["messages", "tools"],
        tools=TEXT,
        messages=build_messages(
            build_message("system"),
            build_message("user"),
            build_message("assistant", loss={"const": False}),
            build_message("tool_call", loss={"const": False}),
            build_message("tool_response"),
        ),
    ),
    # verl 0.9.1, utils/dataset/multiturn_sft_dataset.py: messages for a chat template
    "verl": build_object(
        ["messages"],
        messages=build_messages(build_message("system"), build_message("user"), build_message("assistant")),
    ),
    # the card of NousResearch/hermes-function-calling-v1
    "hermes": build_object(
        ["id", "conversations", "tools"],
        id=FULL,
        tools=TEXT,
        conversations={
            "type": "array",
            "items": build_object(
                ["from", "value"], value=FULL, **{"from": {"enum": ["system", "human", "gpt", "tool"]}}
            ),
        },
    ),
    # LLaMA-Factory 0.9.5, data/README.md
    "sharegpt": build_object(
        ["conversations", "system", "tools"],
        system=TEXT,
        tools=TEXT,
        conversations={
            "type": "array",
            "items": build_object(
                ["from", "value"], value=FULL, **{"from": {"enum": ["human", "gpt", "function_call", "observation"]}}
            ),
        },
    ),
    # trl 1.16.0, "Dataset formats and types": conversational prompt-completion
    "trl": build_object(
        ["prompt", "completion", "tools"],
        tools=TEXT,
        **dict.fromkeys(
            ("prompt", "completion"),
            build_messages(
                build_message("system"),
                build_message("user"),
                build_message("assistant", tool_calls=build_calls({"type": "object"})),
                build_message("tool", ("role", "content", "tool_call_id"), tool_call_id=FULL, name=FULL),
            ),
        ),
    ),
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    catalog = copy_catalog(tmp_path_factory.mktemp("catalog"))
    return sorted(generate(catalog=catalog, dialogues=16, seed=5), key=lambda record: record.index)


@pytest.fixture(scope="module")
def stored(records, tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "dialogues.jsonl"
    path.write_text("".join(record.model_dump_json() + "\n" for record in records), encoding="utf-8")
    return path


def list_calls(messages):
    return [call for message in messages for call in message.get("tool_calls") or ()]


def run_export(*arguments):
    with pytest.raises(SystemExit) as left:
        main(["export", *map(str, arguments)])
    return left.value.code


# Formats


@pytest.mark.parametrize("target", SCHEMAS)
def test_rows_keep_to_the_schema_of_their_format(records, target):
    rows = list(export_dialogues(records, target))
    assert len(rows) == len(records)
    validator = Draft202012Validator(SCHEMAS[target])
    assert [error.message for row in rows for error in validator.iter_errors(row)] == []


@pytest.mark.parametrize("target", ["openai", "axolotl"])
def test_arguments_are_the_strings_that_they_were(records, target):
    for row, record in zip(export_dialogues(records, target), records, strict=True):
        tools = row["tools"] if target == "openai" else json.loads(row["tools"])
        assert tools == record.tools
        assert [c["function"] for c in list_calls(row["messages"])] == [
            c["function"] for c in list_calls(record.messages)
        ]


def test_trl_rows_divide_a_dialogue_before_its_first_answer(records):
    for row, record in zip(export_dialogues(records, "trl"), records, strict=True):
        assert json.loads(row["tools"]) == record.tools
        messages = [*row["prompt"], *row["completion"]]
        assert [m["role"] for m in messages] == [m["role"] for m in record.messages]
        assert [m["role"] for m in row["prompt"]] == ["system", "user"]
        own = [json.loads(call["function"]["arguments"]) for call in list_calls(record.messages)]
        assert [call["function"]["arguments"] for call in list_calls(messages)] == own


def test_ms_swift_calls_are_messages(records):
    for row, record in zip(export_dialogues(records, "ms-swift"), records, strict=True):
        calls = [json.loads(m["content"]) for m in row["messages"] if m["role"] == "tool_call"]
        assert calls == [
            {**c["function"], "arguments": json.loads(c["function"]["arguments"])} for c in list_calls(record.messages)
        ]
        results = [m["content"] for m in row["messages"] if m["role"] == "tool_response"]
        assert results == [m["content"] for m in record.messages if m["role"] == "tool"]


def test_sharegpt_takes_turns_and_keeps_parallel_calls_together(records):
    several = 0
    for row, record in zip(export_dialogues(records, "sharegpt"), records, strict=True):
        turns = row["conversations"]
        assert {turn["from"] for turn in turns[::2]} <= {"human", "observation"}
        assert {turn["from"] for turn in turns[1::2]} <= {"gpt", "function_call"}
        for before, turn in itertools.pairwise(turns):
            if before["from"] == "function_call":
                calls, results = json.loads(before["value"]), json.loads(turn["value"])
                if isinstance(calls, list):
                    several += 1
                    assert len(calls) == len(results)
        assert row["system"] == record.messages[0]["content"]
    assert several


def test_verl_rows_are_what_qwen_makes_of_calls_and_results(records):
    """The text of all turns but the system message equals that of Qwen2.5's template over messages with calls."""
    from transformers.utils.chat_template_utils import render_jinja_template  # noqa: PLC0415

    for row, trl, record in zip(
        export_dialogues(records, "verl"), export_dialogues(records, "trl"), records, strict=True
    ):
        plain = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in row["messages"][1:])
        messages = [*trl["prompt"], *trl["completion"]]
        (rendered,), _ = render_jinja_template([messages], tools=record.tools, chat_template=QWEN)
        assert plain == rendered.partition("<|im_end|>\n")[2]
        told = row["messages"][0]["content"]
        listed = told.partition("<tools>\n")[2].partition("\n</tools>")[0].splitlines()
        assert list(map(json.loads, listed)) == record.tools


def test_hermes_results_name_their_tool(records):
    for row, record in zip(export_dialogues(records, "hermes"), records, strict=True):
        text = "\n".join(turn["value"] for turn in row["conversations"] if turn["from"] == "tool")
        found = [json.loads(part.partition("\n</tool_response>")[0]) for part in text.split("<tool_response>\n")[1:]]
        assert found == [
            {"name": m["name"], "content": json.loads(m["content"])} for m in record.messages if m["role"] == "tool"
        ]


def test_results_without_ids_stand_in_the_order_of_the_calls():
    first, second = make_call("c1", origin="A"), make_call("c2", origin="B")
    both = {**first, "tool_calls": [*first["tool_calls"], *second["tool_calls"]]}
    messages = [
        {"role": "user", "content": "From A and from B."},
        both,
        make_result("c2", departure="2"),
        make_result("c1", departure="1"),
        {"role": "assistant", "content": "One at 1, one at 2."},
    ]
    record = mended_record(messages=messages, provenance=())
    (row,) = export_dialogues([record], "ms-swift")
    assert [m["content"] for m in row["messages"] if m["role"] == "tool_response"] == [
        '{"departure": "1"}',
        '{"departure": "2"}',
    ]


# Masks


def test_a_call_that_was_mended_is_masked_where_the_format_can():
    record = mended_record()
    assert find_untrained(record) == {1: "mended"}
    (openai,) = export_dialogues([record], "openai")
    assert [m["weight"] for m in openai["messages"] if m["role"] == "assistant"] == [0, 1, 1]
    (axolotl,) = export_dialogues([record], "axolotl")
    assert [m["train"] for m in axolotl["messages"] if m["role"] == "assistant"] == [False, True, True]
    (swift,) = export_dialogues([record], "ms-swift")
    assert [m.get("loss") for m in swift["messages"]] == [None, False, None, None, None, None]
    (trl,) = export_dialogues([record], "trl")
    assert [m["role"] for m in trl["prompt"]] == ["user", "assistant", "tool"]
    assert [m["role"] for m in trl["completion"]] == ["assistant", "tool", "assistant"]


def test_what_the_user_took_back_or_the_tool_would_not_do_twice_is_trained_on():
    asked = ({"role": "assistant", "content": "Which?"}, {"role": "user", "content": "Rome."})
    said = mended_record(between=asked)
    known = said.provenance[0].model_copy(update={"path": "destination"})
    assert find_untrained(said.model_copy(update={"provenance": (known,)})) == {}
    assert find_untrained(said) == {1: "mended"}  # nobody had said it
    again = [
        *said.messages[:3],
        make_call("c2", origin="Turin", destination="Roma Termini"),
        *said.messages[6:],
    ]
    assert find_untrained(said.model_copy(update={"messages": again})) == {}


@pytest.mark.parametrize("severity", ["warning"])
def test_a_flagged_turn_splits_trl_rows_and_cuts_where_nothing_can_be_masked(records, severity):
    record = records[0]
    turns = [i for i, m in enumerate(record.messages) if m["role"] == "assistant"]
    flagged = record.model_copy(
        update={"findings": (Finding(check="unfounded", message="…", message_index=turns[1], severity=severity),)}
    )
    first, second = export_dialogues([flagged], "trl")
    assert len(first["prompt"]) + len(first["completion"]) == turns[0] + 1
    assert len(second["prompt"]) == turns[2]
    assert len(second["prompt"]) + len(second["completion"]) == len(record.messages)
    for target in ("sharegpt", "hermes", "verl"):
        tally = Tally()
        (row,) = export_dialogues([flagged], target, tally)
        spoken = row["conversations" if target != "verl" else "messages"]
        (whole,) = export_dialogues([record], target)
        assert spoken == whole["conversations" if target != "verl" else "messages"][: len(spoken)]
        assert sum(turn.get("from", turn.get("role")) in ("gpt", "function_call", "assistant") for turn in spoken) == 1
        assert tally.notes == {"cut before a turn that is not trained on": 1}
        assert tally.masked == {"unfounded": 1}


def test_a_dialogue_from_elsewhere_is_checked_here():
    call = make_call("c1", origin="Nowhere")
    messages = [{"role": "user", "content": "A train."}, call, make_result("c1", departure="9:30")]
    answer = {"role": "assistant", "content": "At 9:30."}
    tool = {"name": "find_train", "parameters": {"type": "object", "properties": {"origin": {"type": "string"}}}}
    dialogue = StoredDialogue(Path("x"), 1, "d1", [*messages, answer], [tool])
    assert find_untrained(dialogue) == {1: "provenance"}
    (row,) = export_dialogues([dialogue], "openai")
    assert [m.get("weight") for m in row["messages"]] == [None, 0, None, 1]
    assert row["tools"] == [{"type": "function", "function": tool}]


@pytest.mark.parametrize("target", EXPORT_FORMATS)
def test_what_cannot_be_trained_on_is_left_out_and_counted(records, target):
    record = records[0]
    turns = [i for i, m in enumerate(record.messages) if m["role"] == "assistant"]
    warnings = [Finding(check="unfounded", message="…", message_index=i, severity="warning") for i in turns]
    bad = [
        record.model_copy(update={"findings": tuple(warnings)}),
        record.model_copy(update={"findings": (Finding(check="roles", message="…"),)}),
        StoredDialogue(Path("x"), 1, "d1", [{"role": "function", "content": "1", "name": "f"}], []),
        StoredDialogue(Path("x"), 2, "d2", [], []),
    ]
    tally = Tally()
    assert list(export_dialogues(bad, target, tally)) == []
    assert tally.left_out == {
        "no turn of the assistant is left to train on": 2,
        "rejected": 1,
        "a message with a role that OpenAI does not know": 1,
    }


@pytest.mark.parametrize("arguments", ["{", "[1]", '"text"'])
def test_a_call_without_an_object_of_arguments_costs_one_dialogue_and_no_more(records, arguments):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "{}"},
        {"role": "assistant", "content": "Done, whatever it was."},
    ]
    tally = Tally()
    rows = list(export_dialogues([StoredDialogue(Path("x"), 1, "d1", messages, []), records[0]], "trl", tally))
    assert len(rows) == 1
    assert tally.left_out == {"the arguments of a call are not a JSON object": 1}


# The command


def test_several_sources_a_limit_and_near_duplicates(stored, records, tmp_path, capsys):
    out = tmp_path / "out" / "train.jsonl"
    assert run_export(stored, stored, "-f", "openai", "-o", out, "--drop-near-duplicates") == 0
    assert read_rows(out) == json.loads(json.dumps(list(export_dialogues(records, "openai"))))
    assert f"left out: {len(records)} dialogues: near duplicates of another one" in capsys.readouterr().out
    assert run_export(stored, stored, "-f", "openai", "-o", out, "--limit", 20) == 0
    assert len(read_rows(out)) == 20


def test_verl_reads_parquet(stored, records, tmp_path):
    assert run_export(stored, "-f", "verl", "-o", tmp_path / "train.parquet") == 0
    table = pq.read_table(tmp_path / "train.parquet")
    assert table.to_pylist() == list(export_dialogues(records, "verl"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-f", "trl", "-o", "{stored}"], 1, "is a file that is being read"),
        (["-f", "hf", "-o", "{folder}"], 1, "exists and is not an empty folder"),
        (["-f", "trl", "-o", "{folder}"], 1, "is a folder; name a file"),
        (["-f", "trl", "-o", "{stored}/x"], 1, "cannot be written"),
        (["-f", "trl", "-o", "x", "--license", "mit"], 2, "--license is for --format hf"),
        (["-f", "alpaca", "-o", "x"], 2, "alpaca"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(stored, tmp_path, capsys, arguments, code, said):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    before = stored.read_bytes()
    given = [argument.format(stored=stored, folder=folder) for argument in arguments]
    assert run_export(stored, *given) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert stored.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_export_that_breaks_off_leaves_the_old_file(stored, tmp_path):
    out = tmp_path / "train.jsonl"
    write_export([stored], "openai", out)
    before = out.read_bytes()
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(stored.read_bytes() + b"{not json\n")
    assert run_export(broken, "-f", "openai", "-o", out) == 1
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.jsonl", "train.jsonl"]
