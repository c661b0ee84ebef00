"""Fine-tuning, on a tiny random model: what is trained on, that it trains, resumes, and leaves a model that loads."""

import json

import pytest

from runs import copy_catalog, run_all
from slips import run_slips, settle_slips
from tiny_model import make_tokenizer, save_model
from toolflow_graph.bfcl import Checker, LocalAnswerer, load_cases, play_cases
from toolflow_graph.chat_format import render_dialogue, render_prompt
from toolflow_graph.dataset import open_dialogues, read_dialogues
from toolflow_graph.errors import DatasetError, SettingsError
from toolflow_graph.export import export_dialogues
from toolflow_graph.finetune import encode_dialogues, finetune, load_base, parse_finetune_settings
from toolflow_graph.finetune.examples import drop_examples

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("error:.*gradient_checkpointing:FutureWarning")]

IGNORED = -100


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetune")
    out = folder / "run"
    few = {"tools": 2, "distractors": 0, "min_requests": 1, "max_requests": 2, "patterns": ("single",)}
    run_all(out, catalog=copy_catalog(folder / "catalog"), dialogues=12, seed=5, **few)
    return out


@pytest.fixture(scope="module")
def base(tmp_path_factory, run):
    texts = [json.dumps([d.messages, d.tools], ensure_ascii=False) for d in open_dialogues(run)]
    return save_model(tmp_path_factory.mktemp("base"), make_tokenizer(texts))


def settle(base, **values):
    return parse_finetune_settings({"base": base, "max_length": 8192, "tokens_per_step": 6000, **values})


def test_labels_are_what_the_assistant_says_and_no_more(run, base):
    loaded = load_base(base)
    encoding = encode_dialogues(open_dialogues(run), loaded.tokenizer, loaded.format, max_length=8192)
    dialogues = {dialogue.id: dialogue for dialogue in open_dialogues(run)}
    assert len(encoding.examples) == 12
    for example in encoding.examples:
        text = loaded.tokenizer.decode([token for token in example.labels if token != IGNORED])
        turns = [m for m in dialogues[example.dialogue].messages if m["role"] == "assistant"]
        assert text.count("<|im_end|>") == len(turns)
        assert "<|im_start|>" not in text
        for turn in turns:
            assert (turn.get("content") or "") in text
            for call in turn.get("tool_calls", ()):
                assert json.dumps(json.loads(call["function"]["arguments"]), ensure_ascii=False) in text
        for message in dialogues[example.dialogue].messages:
            if message["role"] == "user" and len(message["content"]) > 40:
                assert message["content"] not in text


def test_a_flagged_turn_is_read_and_not_trained_on(run, base, tmp_path):
    row = json.loads((run / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()[0])
    place = next(i for i, message in enumerate(row["messages"]) if message["role"] == "assistant")
    row["findings"] = [{"check": "x", "message": "y", "message_index": place, "severity": "warning"}]
    path = tmp_path / "flagged.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    loaded = load_base(base)
    plain, flagged = (
        encode_dialogues(source, loaded.tokenizer, loaded.format, max_length=8192)
        for source in (list(open_dialogues(run))[:1], read_dialogues(path))
    )
    assert flagged.masked == 1
    assert flagged.examples[0].input_ids == plain.examples[0].input_ids
    assert flagged.trained < plain.trained


def test_training_lowers_the_loss_and_leaves_a_model_that_loads(run, base, tmp_path):
    steps = []
    settings = settle(base, adapt="full", learning_rate=0.02, epochs=6, holdout=0.0, batch=4)
    report = finetune([run], tmp_path / "model", settings, on_step=lambda step, _, logs: steps.append((step, logs)))
    losses = [logs["loss"] for _, logs in steps if "loss" in logs]
    assert len(losses) == report.steps
    assert losses[-1] < losses[0] - 0.5
    again = load_base(str(tmp_path / "model"))
    assert again.format.origin == "own"
    assert again.format.response is not None
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "12 by toolflow, scripted cast" in card
    assert json.loads((tmp_path / "model" / "report.json").read_text())["dialogues"] == 12


def test_adapters_are_merged_and_held_out_tools_are_evaluated(run, base, tmp_path):
    report = finetune([run], tmp_path / "model", settle(base, holdout=0.2, tokens=12000, batch=4, learning_rate=0.01))
    assert report.held_out > 0
    assert report.held_out_after < report.held_out_before
    assert not list((tmp_path / "model").glob("adapter*"))
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_a_training_that_was_killed_goes_on_from_its_checkpoint(run, base, tmp_path):
    class Killed(Exception):  # noqa: N818
        pass

    def kill(step, *_):
        if step == 3:
            raise Killed

    settings = settle(base, epochs=4, holdout=0.0, batch=4, save_every=2, adapt="full")
    with pytest.raises(Killed):
        finetune([run], tmp_path / "model", settings, on_step=kill)
    seen = []
    report = finetune([run], tmp_path / "model", settings, on_step=lambda step, *_: seen.append(step))
    assert min(seen) == 3
    whole = finetune([run], tmp_path / "whole", settings)
    assert report.steps == whole.steps
    one, other = (load_base(str(tmp_path / name)).model.state_dict() for name in ("model", "whole"))
    assert all((one[name] - other[name]).abs().max() < 1e-4 for name in one)


def test_other_settings_need_another_folder(run, base, tmp_path):
    finetune([run], tmp_path / "model", settle(base, tokens=1000, holdout=0.0))
    with pytest.raises(SettingsError, match="name another folder"):
        finetune([run], tmp_path / "model", settle(base, tokens=2000, holdout=0.0))


def test_scripted_dialogues_have_no_preferences(run, base, tmp_path):
    with pytest.raises(DatasetError, match="only dialogues played by models have them"):
        finetune([run], tmp_path / "model", settle(base, method="dpo"))


def test_preferences_of_a_run_move_the_model_towards_what_was_taken(base, tmp_path):
    plain = settle_slips(copy_catalog(tmp_path / "catalog"))
    run_slips(plain, tmp_path / "run", "native")
    pairs = list(export_dialogues(open_dialogues(tmp_path / "run"), "preference"))
    settings = settle(base, method="dpo", adapt="full", learning_rate=1e-3, epochs=3, tool_examples=True)
    report = finetune([tmp_path / "run"], tmp_path / "model", settings)
    assert report.dialogues == len(pairs) > 3
    before, after = (find_margins(name, pairs) for name in (base, str(tmp_path / "model")))
    assert sum(late > early for late, early in zip(after, before, strict=True)) > 0.8 * len(pairs)


def find_margins(name, pairs):
    """Return by how much the taken answer is likelier than the refused one, in nats, for each pair."""
    import torch  # noqa: PLC0415

    loaded = load_base(name)
    margins = []
    for row in pairs:
        tools = json.loads(row["tools"])
        start = len(loaded.tokenizer(render_prompt(loaded.tokenizer, loaded.format, row["prompt"], tools))["input_ids"])
        scores = {}
        for side in ("chosen", "rejected"):
            text = render_dialogue(loaded.tokenizer, loaded.format, [*row["prompt"], *row[side]], tools).text
            ids = torch.tensor([loaded.tokenizer(text)["input_ids"]])
            with torch.no_grad():
                logs = loaded.model(ids).logits[0].log_softmax(-1)
            scores[side] = logs[start - 1 : -1].gather(1, ids[0, start:, None]).sum().item()
        margins.append(scores["chosen"] - scores["rejected"])
    return margins


def test_what_does_not_fit_is_left_out_and_said(run, base, tmp_path):
    with pytest.raises(DatasetError, match=r"longer than 16 tokens"):
        finetune([run], tmp_path / "model", settle(base, max_length=16))


def test_the_model_answers_the_benchmark(base):
    answerer = LocalAnswerer(base, batch=4, max_new_tokens=8)
    with Checker() as checker:
        results = list(play_cases(load_cases(["simple_python", "irrelevance"], limit=3), answerer, checker))
    assert len(results) == 6
    assert not any(result.valid for result in results if result.category == "simple_python")


def test_example_values_are_left_out_of_schemas_and_nothing_else():
    properties = {"examples": {"type": "string", "examples": ["x"]}, "kind": {"enum": ["examples"], "example": "y"}}
    nested = {"type": "array", "items": {"anyOf": [{"type": "integer", "examples": [1]}, {"type": "null"}]}}
    parameters = {"type": "object", "properties": {**properties, "all": nested}, "required": ["examples"]}
    tool = {"type": "function", "function": {"name": "f", "description": "example", "parameters": parameters}}
    assert drop_examples(tool)["function"] == {
        "name": "f",
        "description": "example",
        "parameters": {
            "type": "object",
            "properties": {
                "examples": {"type": "string"},
                "kind": {"enum": ["examples"]},
                "all": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
            },
            "required": ["examples"],
        },
    }
    bare = {"type": "function", "function": {"name": "f"}}
    assert drop_examples(bare) == bare


def test_what_a_model_reads_of_tools_has_example_values_only_on_request(run, base):
    loaded = load_base(base)
    texts = {}
    for kept in (False, True):
        encoding = encode_dialogues(
            open_dialogues(run), loaded.tokenizer, loaded.format, max_length=8192, tool_examples=kept
        )
        texts[kept] = "".join(loaded.tokenizer.decode(example.input_ids) for example in encoding.examples)
    assert '"examples"' not in texts[False]
    assert '"examples"' in texts[True]


def test_the_loss_is_trls_own(run, base, tmp_path, monkeypatch):
    import trl  # noqa: PLC0415

    losses = {}
    for name in ("ours", "theirs"):
        if name == "theirs":
            monkeypatch.setattr("toolflow_graph.finetune.train.make_sft_trainer", lambda: trl.SFTTrainer)
        report = finetune([run], tmp_path / name, settle(base, holdout=0.3, tokens=30_000))
        losses[name] = (report.held_out_before, report.loss, report.held_out_after)
    assert losses["ours"] == pytest.approx(losses["theirs"], rel=1e-2)
    assert losses["ours"][2] < losses["ours"][0]
