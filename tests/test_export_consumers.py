"""Exports, read by those for whom they are made: TRL's trainers, LLaMA-Factory's converter and `datasets`."""

import copy
import importlib.util
import json
import sys
import types
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from runs import copy_catalog, read_rows
from test_export_preference import mended_record
from toolflow_graph import generate
from toolflow_graph.export import export_dialogues, write_export
from toolflow_graph.types import Finding

TEMPLATES = Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"
WITH_TOOLS = {"qwen2_5": "<tool_call>", "qwen3": "<tool_call>", "glm4moe": "<tool_call>", "gptoss": "functions."}
"""Templates that trl ships and that render parallel calls, each with a mark of a call."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    list(generate(catalog=copy_catalog(out.parent / "catalog"), dialogues=12, seed=5, out=out))
    return out


@pytest.fixture(scope="module")
def flagged(run, tmp_path_factory):
    """The run with a warning at the second answer of its first dialogue, so that it is not trained on."""
    rows = read_rows(run / "dialogues.jsonl")
    place = [i for i, m in enumerate(rows[0]["messages"]) if m["role"] == "assistant"][1]
    finding = Finding(check="unfounded", message="made up", message_index=place, severity="warning")
    rows[0]["findings"] = [finding.model_dump()]
    return write(tmp_path_factory.mktemp("flagged") / "all.jsonl", rows), place


@pytest.fixture(scope="module")
def tokenizer(run):
    """A byte-level tokenizer of the dialogues themselves, with the tokens and the template of Qwen2.5."""
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    special = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=special, initial_alphabet=alphabet)
    bare.train_from_iterator([json.dumps(row["messages"]) for row in read_rows(run / "dialogues.jsonl")], trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=special[1], pad_token=special[2])
    made.chat_template = read_template("qwen2_5_training")
    return made


@pytest.fixture
def model(tokenizer):
    from transformers import Qwen2Config, Qwen2ForCausalLM  # noqa: PLC0415

    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=2, **size))


def read_template(name):
    return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def load(path, tmp_path):
    from datasets import load_dataset  # noqa: PLC0415

    return load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))


def drop_nulls(message):
    return {key: value for key, value in message.items() if value is not None}


# TRL


@pytest.mark.slow
def test_sft_takes_a_step_on_the_turns_of_the_assistant_and_on_nothing_else(flagged, tokenizer, model, tmp_path):
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    source, place = flagged
    write_export([source], "trl", tmp_path / "train.jsonl")
    rows = read_rows(tmp_path / "train.jsonl")
    assert len(rows) == 13  # one dialogue gives two rows
    config = SFTConfig(
        output_dir=str(tmp_path / "out"),
        assistant_only_loss=True,
        max_steps=1,
        per_device_train_batch_size=2,
        max_length=None,
        use_cpu=True,
        activation_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
    )
    trainer = SFTTrainer(
        model, args=config, train_dataset=load(tmp_path / "train.jsonl", tmp_path), processing_class=tokenizer
    )
    for row, prepared in zip(rows, trainer.train_dataset, strict=True):
        wanted = [message for message in row["completion"] if message["role"] == "assistant"]
        first, *others = map(render_turn, wanted)
        assert find_trained(prepared, tokenizer) == [first.removeprefix("\n"), *others]  # the prompt ends with its line
    source_rows = read_rows(source)
    masked = source_rows[0]["messages"][place]
    trained = [text.strip() for prepared in trainer.train_dataset for text in find_trained(prepared, tokenizer)]
    assert render_turn(as_trl(masked)).strip() not in trained
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses
    assert losses[0] > 0
    assert any((before[name] != weights).any() for name, weights in model.named_parameters())


def find_trained(prepared, tokenizer):
    """Return the stretches of tokens that bear a loss, as text."""
    stretches, current = [], []
    for token, label in zip(prepared["input_ids"], prepared["labels"], strict=True):
        if label == -100:
            stretches += [current] if current else []
            current = []
        else:
            assert token == label
            current.append(token)
    return [tokenizer.decode(stretch) for stretch in [*stretches, *([current] if current else [])]]


def render_turn(message):
    calls = [
        f'\n<tool_call>\n{{"name": "{call["function"]["name"]}", "arguments": '
        f"{json.dumps(call['function']['arguments'], ensure_ascii=False)}}}\n</tool_call>"
        for call in message.get("tool_calls") or ()
    ]
    said = "\n" + message["content"] if message["content"] or not calls else ""
    return said + "".join(calls) + "<|im_end|>\n"


def as_trl(message):
    calls = [
        {"function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in message.get("tool_calls") or ()
    ]
    return {"content": message["content"] or "", "tool_calls": calls}


@pytest.mark.slow
def test_dpo_takes_a_step_on_preference_pairs(tokenizer, model, tmp_path):
    from trl import DPOConfig, DPOTrainer  # noqa: PLC0415

    path = write(tmp_path / "pairs.jsonl", export_dialogues([mended_record()] * 2, "preference"))
    config = DPOConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=1,
        per_device_train_batch_size=2,
        use_cpu=True,
        activation_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
    )
    reference = copy.deepcopy(model)
    trainer = DPOTrainer(model, reference, args=config, train_dataset=load(path, tmp_path), processing_class=tokenizer)
    trainer.train()
    assert next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry) > 0


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_templates_of_trl_render_every_call(run, tmp_path, name):
    from transformers.utils.chat_template_utils import render_jinja_template  # noqa: PLC0415

    write_export([run], "trl", tmp_path / "train.jsonl")
    for row in load(tmp_path / "train.jsonl", tmp_path):
        said = [*row["prompt"], *row["completion"]]
        (text,), _ = render_jinja_template([said], tools=json.loads(row["tools"]), chat_template=read_template(name))
        calls = [call for message in said for call in message.get("tool_calls") or ()]
        assert text.count(WITH_TOOLS[name]) >= len(calls)
        assert all(call["function"]["name"] in text for call in calls)
        values = [v for c in calls for v in c["function"]["arguments"].values() if isinstance(v, str)]
        assert all(json.dumps(value, ensure_ascii=False)[1:-1] in text or value in text for value in values)
        assert '\\"' not in text.replace('\\\\"', "") or name == "gptoss"  # nothing is encoded twice


# LLaMA-Factory


@pytest.fixture(scope="module")
def factory():
    """LLaMA-Factory's parser and converter; the rest of its package needs libraries for images and sound."""
    (folder,) = importlib.util.find_spec("llamafactory").submodule_search_locations
    package = types.ModuleType("llamafactory.data")
    package.__path__ = [str(Path(folder) / "data")]
    before = set(sys.modules)
    sys.modules["llamafactory.data"] = package
    from llamafactory.data.converter import align_dataset  # noqa: PLC0415
    from llamafactory.data.formatter import FunctionFormatter, ToolFormatter  # noqa: PLC0415
    from llamafactory.data.parser import get_dataset_list  # noqa: PLC0415

    yield types.SimpleNamespace(
        align=align_dataset, datasets=get_dataset_list, functions=FunctionFormatter, tools=ToolFormatter
    )
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "llamafactory":
            del sys.modules[name]


def test_llama_factory_reads_every_dialogue(run, tmp_path, factory):
    write_export([run], "sharegpt", tmp_path / "data", shares={"train": 0.7, "test": 0.3})
    (attributes,) = factory.datasets(["train"], str(tmp_path / "data"))
    loaded = load(tmp_path / "data" / attributes.dataset_name, tmp_path)
    arguments = types.SimpleNamespace(streaming=False, preprocessing_num_workers=None, overwrite_cache=True)
    aligned = factory.align(loaded, attributes, arguments, types.SimpleNamespace(local_process_index=0))
    sources = {row["messages"][1]["content"]: row for row in read_rows(run / "dialogues.jsonl")}
    assert len(aligned) == len(read_rows(tmp_path / "data" / "train.jsonl")) > 0
    for row in aligned:
        source = sources[row["_prompt"][0]["content"]]
        turns = [*row["_prompt"], *row["_response"]]
        calls = [json.loads(turn["content"]) for turn in turns if turn["role"] == "function"]
        made = [m["tool_calls"] for m in source["messages"] if m.get("tool_calls")]
        assert [call if isinstance(call, list) else [call] for call in calls] == [
            [{**c["function"], "arguments": json.loads(c["function"]["arguments"])} for c in several]
            for several in made
        ]
        spoken = [m["content"] for m in source["messages"] if m["role"] == "assistant" and not m.get("tool_calls")]
        assert [turn["content"] for turn in turns if turn["role"] == "assistant"] == spoken
        assert row["_system"] == source["messages"][0]["content"]
        (header,) = factory.tools(tool_format="qwen").apply(content=row["_tools"])
        assert all(json.dumps(tool["function"]["name"]) in header for tool in json.loads(row["_tools"]))
        for turn in turns:
            if turn["role"] == "function":
                (text,) = factory.functions(slots=["{{content}}"], tool_format="qwen").apply(content=turn["content"])
                assert text.count("<tool_call>") == max(1, text.count('"name": "'))


# datasets


@pytest.mark.parametrize("target", ["openai", "axolotl", "ms-swift", "trl", "sharegpt", "hermes"])
def test_rows_come_back_from_arrow_without_padding(flagged, tmp_path, target):
    source, _ = flagged
    write_export([source], target, tmp_path / "train.jsonl")
    for row, again in zip(read_rows(tmp_path / "train.jsonl"), load(tmp_path / "train.jsonl", tmp_path), strict=True):
        assert again.keys() == row.keys()
        for key, value in row.items():
            if key in ("messages", "prompt", "completion"):
                assert [drop_nulls(m) for m in again[key]] == [drop_nulls(m) for m in value]
            else:
                assert again[key] == value


def test_a_data_set_folder_loads_by_its_card_alone(flagged, tmp_path):
    from datasets import load_dataset  # noqa: PLC0415

    source, place = flagged
    shares = {"train": 0.7, "test": 0.3}
    write_export([source], "hf", tmp_path / "mine", shares=shares, licence="apache-2.0")
    loaded = load_dataset(str(tmp_path / "mine"), cache_dir=str(tmp_path / "cache"))
    card = DatasetCard.load(tmp_path / "mine" / "README.md")
    assert card.data.license == "apache-2.0"
    sizes = {split["name"]: split["num_examples"] for split in card.data.dataset_info["splits"]}
    assert sizes == {name: len(rows) for name, rows in loaded.items()}
    assert set(sizes) == set(shares)
    assert str(tmp_path) not in card.text
    sources = {row["id"]: row for row in read_rows(source)}
    for rows in loaded.values():
        for row in rows:
            record = sources[row["id"]]
            offered = [tool["function"]["name"] for tool in record["tools"]]
            assert all(tool in record["tools"] for tool in json.loads(row["tools"]))
            assert offered
            weights = [m["weight"] for m in row["messages"] if m["role"] == "assistant"]
            assert weights.count(0) == (row["id"] == next(iter(sources)))
            plain = [{k: v for k, v in drop_nulls(m).items() if k != "weight" and v != []} for m in row["messages"]]
            assert plain == [drop_nulls(message) for message in record["messages"]]
    assert place


def test_a_card_without_a_licence_says_that_it_is_unknown(run, tmp_path):
    write_export([run], "hf", tmp_path / "mine")
    card = DatasetCard.load(tmp_path / "mine" / "README.md")
    assert card.data.license == "unknown"
    assert "no licence was declared" in card.text
    assert "12 dialogues: scripted cast, method toolflow" in card.text
