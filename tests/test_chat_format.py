"""Chat templates of many families: dialogues with tools in, spans of the assistant out, and calls read back."""

import importlib.util
import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from toolflow_graph.chat_format import find_chat_format, read_answer, render_dialogue, render_prompt
from toolflow_graph.errors import ChatFormatError

TEMPLATES = Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_train",
            "description": "Find a train.",
            "parameters": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
        },
    }
]


def call(number, **arguments):
    function = {"name": "find_train", "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {"id": f"call{number:05}", "type": "function", "function": function}


def answer(number, content):
    return {"role": "tool", "tool_call_id": f"call{number:05}", "content": content}


DIALOGUE = [
    {"role": "system", "content": "Today is Monday."},
    {"role": "user", "content": "Trains to Genève and Lyon?"},
    {"role": "assistant", "content": None, "tool_calls": [call(1, to="Genève"), call(2, to="Lyon")]},
    answer(1, "6:08"),
    answer(2, "7:10"),
    {"role": "assistant", "content": "At 6:08 and at 7:10."},
    {"role": "user", "content": "And back?"},
    {"role": "assistant", "content": None, "tool_calls": [call(3, to="Paris")]},
    answer(3, "18:30"),
    {"role": "assistant", "content": "At 18:30."},
]


def make_tokenizer(template=None, tokens=("<|im_start|>", "<|im_end|>")):
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    vocabulary = {token: number for number, token in enumerate(("<unk>", *tokens))}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>")),
        unk_token="<unk>",
        bos_token="<unk>",
        eos_token="<unk>",
    )
    tokenizer.chat_template = template
    return tokenizer


def load_template(name):
    return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def test_a_base_whose_template_cannot_render_tools_gets_chatml():
    template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    chat = find_chat_format(make_tokenizer(template))
    assert (chat.origin, chat.parallel) == ("chatml-hermes", True)


def test_without_chatml_tokens_the_mend_is_named():
    with pytest.raises(ChatFormatError, match="--chat-template FILE"):
        find_chat_format(make_tokenizer(None, tokens=()))


def test_a_given_template_that_drops_calls_is_refused():
    with pytest.raises(ChatFormatError, match="the given chat template does not render tool calls"):
        find_chat_format(make_tokenizer(), "{{ messages[0].content }}")


@pytest.mark.parametrize("name", [None, "qwen2_5", "qwen3_training", "llama3_1", "glm4moe", "gemma4", "lfm2_v2"])
def test_spans_hold_what_the_assistant_says_and_nothing_else(name):
    tokenizer = make_tokenizer(name and load_template(name))
    chat = find_chat_format(tokenizer)
    assert chat.origin == ("own" if name else "chatml-hermes")
    rendered = render_dialogue(tokenizer, chat, DIALOGUE, TOOLS)
    texts = [(index, rendered.text[first:last]) for index, first, last in rendered.spans]
    said = {index: "".join(text for place, text in texts if place == index) for index, _ in texts}
    assert list(said) == [2, 5, 7, 9]
    assert "Genève" in said[2]
    assert "Lyon" in said[2]
    assert "At 6:08 and at 7:10." in said[5]
    assert "Paris" in said[7]
    for text in said.values():
        assert not any(word in text for word in ("Today is Monday", "Trains to", "And back?", "Find a train."))
    outside = rendered.text
    for _, text in texts:
        outside = outside.replace(text, "", 1)
    assert "At 18:30." not in outside
    assert all(word in outside for word in ("6:08", "18:30", "Trains to", "Find a train."))


def test_parallel_calls_are_split_where_the_template_takes_one():
    tokenizer = make_tokenizer(load_template("llama3_1"))
    chat = find_chat_format(tokenizer)
    rendered = render_dialogue(tokenizer, chat, DIALOGUE, TOOLS)
    assert not chat.parallel
    assert rendered.split == 1
    assert [index for index, _, _ in rendered.spans] == [2, 2, 5, 7, 9]
    assert rendered.text.index('"Genève"') < rendered.text.index("6:08") < rendered.text.index('"Lyon"')


def test_a_template_that_renders_the_past_otherwise_is_not_trained_on():
    tokenizer = make_tokenizer(load_template("qwen3"))
    with pytest.raises(ChatFormatError, match="renders message 2 otherwise when more follows"):
        render_dialogue(tokenizer, find_chat_format(tokenizer), DIALOGUE, TOOLS)


@pytest.mark.parametrize("name", [None, "qwen2_5", "llama3_1", "glm4moe", "gemma4", "lfm2_v2"])
def test_what_the_template_writes_is_read_back(name):
    tokenizer = make_tokenizer(name and load_template(name))
    chat = find_chat_format(tokenizer)
    prompt = render_prompt(tokenizer, chat, DIALOGUE[:7], TOOLS)
    rendered = render_dialogue(tokenizer, chat, DIALOGUE[:9], TOOLS)
    first, last = rendered.spans[-1][1:]
    read = read_answer(tokenizer, chat, rendered.text[first:last], prompt)
    assert (read.calls, read.unread) == ((("find_train", {"to": "Paris"}),), "")


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "find_train", "arguments": {"to": "Paris"}</tool_call><|im_end|>',
        '<tool_call>\n{"name": "find_train"',
        '<tool_call>{"name": 3, "arguments": {}}</tool_call>',
        '<tool_call>{"name": "find_train", "arguments": "{}"}</tool_call>',
        "<tool_call>[1]</tool_call>",
        '<tool_call>{"name": "find_train", "arguments": {}}</tool_call>\n<tool_call>{"name"',
    ],
    ids=["brace", "cut off", "name", "string", "list", "second cut off"],
)
def test_a_call_that_is_not_whole_is_never_mended(text):
    tokenizer = make_tokenizer()
    chat = find_chat_format(tokenizer)
    read = read_answer(tokenizer, chat, text, render_prompt(tokenizer, chat, DIALOGUE[:2], TOOLS))
    assert read.calls == ()
    assert read.unread


def test_words_alone_are_no_call():
    tokenizer = make_tokenizer()
    chat = find_chat_format(tokenizer)
    read = read_answer(tokenizer, chat, "Which day?<|im_end|>", render_prompt(tokenizer, chat, DIALOGUE[:2], TOOLS))
    assert (read.text, read.calls, read.unread) == ("Which day?", (), "")


def test_the_way_of_calling_must_be_known_to_be_read():
    tokenizer = make_tokenizer(load_template("muse_glimmer"))
    chat = find_chat_format(tokenizer)
    with pytest.raises(ChatFormatError, match="set `response_template` of the tokenizer"):
        read_answer(tokenizer, chat, "anything", "")
