"""Preference pairs, from a run of models that are sometimes wrong and are sent their answers back."""

import json

import pytest

from runs import copy_catalog, read_rows
from slips import INVENTED, run_slips, settle_slips
from toolflow_graph import generate
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import is_accepted, read_dialogues
from toolflow_graph.export import Tally, export_dialogues
from toolflow_graph.types import DialogueRecord, Finding, Provenance


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return settle_slips(copy_catalog(tmp_path_factory.mktemp("catalog")))


@pytest.fixture(scope="module", params=["native", "schema"])
def records(request, plain, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    found = run_slips(plain, out, "native" if request.param == "native" else "ignored")
    return out, sorted(found, key=lambda record: record.index)


def test_every_refused_answer_is_paired_with_the_one_that_was_taken(records):
    _, dialogues = records
    assert all(is_accepted(record) and record.attempts for record in dialogues)
    rows = list(export_dialogues(dialogues, "preference"))
    refused = sum(attempt["agent"] == "assistant" for record in dialogues for attempt in record.attempts)
    assert len(rows) == refused
    for row in rows:
        assert row.keys() == {"prompt", "chosen", "rejected", "tools"}
        assert row["prompt"][-1]["role"] in ("user", "tool")
        (chosen,), (rejected,) = row["chosen"], row["rejected"]
        record = find_record(dialogues, row["prompt"])
        taken = record.messages[len(row["prompt"])]
        assert chosen["content"] == (taken["content"] or "")
        assert [call["function"]["name"] for call in chosen.get("tool_calls", ())] == [
            call["function"]["name"] for call in taken.get("tool_calls", ())
        ]
        assert INVENTED in json.dumps(rejected["tool_calls"])
        assert INVENTED not in json.dumps(chosen)


def find_record(dialogues, prompt):
    said = [message["content"] for message in prompt]
    (found,) = [r for r in dialogues if [m["content"] or "" for m in r.messages[: len(prompt)]] == said]
    return found


def test_pairs_survive_arrow(records, tmp_path):
    from datasets import load_dataset  # noqa: PLC0415

    run, dialogues = records
    out = tmp_path / "pairs.jsonl"
    with pytest.raises(SystemExit) as left:
        main(["export", str(run), "--format", "preference", "--out", str(out)])
    assert left.value.code == 0
    rows = list(export_dialogues(read_dialogues(run / "dialogues.jsonl"), "preference"))
    assert read_rows(out) == rows
    loaded = load_dataset("json", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    for row, again in zip(rows, loaded, strict=True):
        assert [drop_nulls(m) for m in again["rejected"]] == row["rejected"]
        assert [drop_nulls(m) for m in again["prompt"]] == row["prompt"]
    assert len(dialogues) == 3


def drop_nulls(message):
    return {key: value for key, value in message.items() if value is not None}


def test_scripted_dialogues_have_no_pairs_and_the_command_says_so(tmp_path, capsys):
    out = tmp_path / "pairs.jsonl"
    list(generate(catalog=copy_catalog(tmp_path / "catalog"), dialogues=2, out=tmp_path / "run"))
    with pytest.raises(SystemExit) as left:
        main(["export", str(tmp_path / "run"), "--format", "preference", "--out", str(out)])
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "nothing to write" in said
    assert "scripted dialogues have none" in said
    assert not out.exists()


# A call that the assistant mends


def make_call(identity, **arguments):
    function = {"name": "find_train", "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": identity, "type": "function", "function": function}],
    }


def make_result(identity, **result):
    return {"role": "tool", "tool_call_id": identity, "name": "find_train", "content": json.dumps(result)}


def mended_record(*, between=(), **changes):
    tool = {"name": "find_train", "description": "Find a train", "parameters": {"type": "object", "properties": {}}}
    messages = [
        {"role": "user", "content": "A train to Rome, please, leaving Turin."},
        make_call("c1", origin="Turin", destination="Roma Termini"),
        make_result("c1", error="no such station: 'Roma Termini'"),
        *between,
        make_call("c2", origin="Turin", destination="Rome"),
        make_result("c2", departure="9:30"),
        {"role": "assistant", "content": "There is one at 9:30."},
    ]
    place = next(i for i, m in enumerate(messages) if m.get("tool_calls") and m["tool_calls"][0]["id"] == "c2")
    values = {
        "id": "d",
        "messages": messages,
        "tools": [{"type": "function", "function": tool}],
        "index": 0,
        "seed": 0,
        "patterns": (),
        "provenance": (
            Provenance(call_id="c1", path="origin", source="user", message=0),
            Provenance(call_id="c1", path="destination", source="none"),
            Provenance(call_id="c2", path="origin", source="user", message=0),
            Provenance(call_id="c2", path="destination", source="user", message=0),
        ),
    }
    assert place
    return DialogueRecord(**{**values, **changes})


def test_a_mended_call_is_rejected_in_favour_of_the_one_that_mended_it():
    (row,) = export_dialogues([mended_record()], "preference")
    assert [message["role"] for message in row["prompt"]] == ["user"]
    (chosen,), (rejected,) = row["chosen"], row["rejected"]
    assert chosen["tool_calls"][0]["function"]["arguments"] == {"origin": "Turin", "destination": "Rome"}
    assert rejected["tool_calls"][0]["function"]["arguments"]["destination"] == "Roma Termini"


def test_a_mended_call_that_had_to_be_learnt_from_the_failure_is_no_pair():
    record = mended_record()
    learnt = Provenance(call_id="c2", path="destination", source="result", message=2)
    tally = Tally()
    assert not list(
        export_dialogues(
            [record.model_copy(update={"provenance": (*record.provenance[:3], learnt)})], "preference", tally
        )
    )
    assert tally.left_out == {"no answer of the assistant was refused or mended": 1}


def test_a_chosen_answer_that_a_check_flagged_is_no_pair():
    record = mended_record()
    place = 3
    warned = record.model_copy(
        update={"findings": (Finding(check="provenance", message="…", message_index=place, severity="warning"),)}
    )
    assert not list(export_dialogues([warned], "preference"))
