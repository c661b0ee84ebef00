"""`evaluate_dialogues` on small sets whose figures are known, ours and foreign ones."""

import dataclasses
import json

import numpy as np
import pytest
import scipy

from endpoint import Endpoint
from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.errors import DatasetError, EncoderError, SettingsError
from toolflow_graph.evaluation import (
    EvaluationSettings,
    Measure,
    analyse_dialogues,
    compare_analyses,
    evaluate_dialogues,
)
from toolflow_graph.evaluation.coherence import list_pairs
from toolflow_graph.evaluation.digest import digest_dialogue
from toolflow_graph.evaluation.nli import CrossEncoderNLI, ModelNLI
from toolflow_graph.evaluation.rendering import FAMILIES, render_markdown
from toolflow_graph.evaluation.signatures import find_stray_tools, is_rigid, is_trivial
from toolflow_graph.evaluation.structure import count_quota
from toolflow_graph.models.settings import parse_models
from toolflow_graph.runner import generate
from toolflow_graph.settings import parse_settings


class LetterEncoder:
    """Counts letters: cosines are known, and nothing is loaded."""

    name = "letters"
    dimension = 26

    def encode(self, texts):
        rows = np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def user(text):
    return {"role": "user", "content": text}


def says(text):
    return {"role": "assistant", "content": text}


def calls(*made):
    """An assistant message that calls, and the results: (name, arguments, result) each."""
    entries, results = [], []
    for name, arguments, result in made:
        identity = f"call_{name}_{json.dumps(arguments)}"
        function = {"name": name, "arguments": json.dumps(arguments)}
        entries.append({"id": identity, "type": "function", "function": function})
        results.append({"role": "tool", "tool_call_id": identity, "content": json.dumps(result)})
    return [{"role": "assistant", "content": None, "tool_calls": entries}, *results]


def offer(*names, **parameters):
    schema = {"type": "object", "properties": parameters}
    return [{"type": "function", "function": {"name": name, "description": "", "parameters": schema}} for name in names]


def store(*messages, tools=(), line=1):
    flat = [part for message in messages for part in (message if isinstance(message, list) else [message])]
    return StoredDialogue(None, line, f"line {line}", flat, list(tools))


def digest(*messages, tools=()):
    return digest_dialogue(store(*messages, tools=tools))[0]


FLIGHT = store(
    user("Find a flight to Oslo on 3 May."),
    calls(("search_flights", {"city": "Oslo", "day": "2026-05-03"}, {"flights": [{"flight_id": "SK-4471"}]})),
    says("There is SK-4471 for 120."),
    user("Book it for Ann Bell."),
    calls(("book_flight", {"flight_id": "SK-4471", "name": "Ann Bell"}, {"booking_id": "B-99812"})),
    says("Booked, B-99812."),
    user("And the weather in Oslo then?"),
    says("Which day do you mean?"),
    user("3 May."),
    calls(("get_weather", {"city": "Oslo", "day": "2026-05-03"}, {"error": "down"})),
    says("The weather service is down."),
    tools=offer("search_flights", "book_flight", "get_weather", "cancel_flight", city={"type": "string"}),
)  # fmt: skip
CHAT = store(user("Hello there, how are you today?"), says("Fine, and you?"), line=2)


@pytest.fixture(scope="module")
def ours(bundled_graph):  # noqa: ARG001
    """A real run of the scripted cast, as records."""
    records = list(generate(dialogues=24, seed=5))
    return [StoredDialogue(None, at, r.id, r.messages, r.tools, r) for at, r in enumerate(records, 1)]


def test_structure_of_a_dialogue():
    found = evaluate_dialogues("two", [FLIGHT, CHAT])
    values = {measure.key: measure.value for measure in found.measures}
    assert found.dialogues == values["dialogues"] == 2
    assert values["turns"] == 5
    assert values["calls"] == 3
    assert values["turns_with_calls"] == 3 / 5
    assert values["failed_calls"] == 1 / 3
    assert values["sequential_depth"] == (2 + 0) / 2
    assert values["questions"] == 2 / 5
    assert values["tool_coverage"] == 3 / 4
    assert values["pair_coverage"] == 3 / 6
    assert values["tokens"] > 60
    assert found["turns_per_dialogue"].low is None  # two dialogues say nothing about others
    assert {measure.family for measure in found.measures} == set(FAMILIES) - {"judge"}


def test_foreign_dialogues_say_what_cannot_be_measured():
    found = evaluate_dialogues("foreign", [CHAT])
    for key in ("ss", "enr", "vendi", "tool_coverage", "catalog_coverage", "pair_coverage", "pattern_coverage"):
        assert found[key].value is None
        assert found[key].note.startswith("not measured: ")
    for key in ("stray_tools", "unrelated_tools", "rigid_plans", "calls_per_dialogue"):
        assert found[key].value is not None or found[key].note.startswith("not measured: ")
    assert found["trivial"].value == 1
    assert [example.line for example in found.worst["trivial"]] == [2]
    assert not [d for d in found.distributions if d.key == "patterns"]


def test_no_dialogues():
    with pytest.raises(DatasetError, match="empty: there are no dialogues in it"):
        evaluate_dialogues("empty", [])


def test_odd_dialogues_are_measured_all_the_same():
    odd = [
        store(line=1),
        store({"role": "tool", "content": "x"}, {"role": "user", "content": None}, line=2),
        store(user("\ud800 lone"), {"role": "assistant", "content": [{"type": "text", "text": "parts"}]}, line=3),
        store({"role": "assistant", "tool_calls": [{"function": {"arguments": "{broken"}}]}, line=4),
        store(user("a b c"), says(""), user(""), says("x"), tools=[{"name": "t", "parameters": 7}, {}], line=5),
    ]
    found = evaluate_dialogues("odd", odd, encoder=LetterEncoder())
    assert found.dialogues == 5
    json.dumps(found.model_dump(mode="json"), allow_nan=False)
    assert render_markdown([found])


def test_chains_by_value_and_by_record_agree(ours):
    by_record = [digest_dialogue(dialogue)[0].depth for dialogue in ours]
    by_value = [digest_dialogue(dataclasses.replace(dialogue, record=None))[0].depth for dialogue in ours]
    assert max(by_record) >= 2
    assert by_record == by_value


def test_an_echoed_value_makes_no_chain():
    found = digest(
        user("Weather in Bergen, and cars there"),
        calls(("get_weather", {"city": "Bergen"}, {"city": "Bergen", "degrees": 9})),
        calls(("search_cars", {"city": "Bergen"}, {"cars": []})),
    )
    assert [call.depth for call in found.calls] == [1, 1]


def test_similarity_is_the_mean_cosine_of_the_papers_pairs():
    from sklearn.metrics.pairwise import cosine_similarity  # noqa: PLC0415

    encoder = LetterEncoder()
    pairs = [pair for _, pair in list_pairs(digest_dialogue(FLIGHT)[0])]
    assert pairs[0] == ("Find a flight to Oslo on 3 May. There is SK-4471 for 120.", "Book it for Ann Bell.")
    assert pairs[2] == ("And the weather in Oslo then? Which day do you mean?", "3 May.")
    premises, hypotheses = zip(*pairs, strict=True)
    cosines = np.diag(cosine_similarity(encoder.encode(premises), encoder.encode(hypotheses)))
    found = evaluate_dialogues("two", [FLIGHT, CHAT], encoder=encoder)
    assert found["ss"].value == pytest.approx(100 * cosines.mean(), rel=1e-5)
    assert "all 2 dialogues" in found["ss"].note
    assert found.worst["ss"][0].score == pytest.approx(1 - cosines.min(), abs=1e-6)


def test_vendi_score_is_that_of_its_definition(ours):
    from sklearn.metrics.pairwise import cosine_similarity  # noqa: PLC0415

    encoder = LetterEncoder()
    found = evaluate_dialogues("ours", ours, encoder=encoder, settings=EvaluationSettings(sample=0))
    rows = []
    for dialogue in ours:
        said = [m["content"].strip() for m in dialogue.messages if m["role"] == "user"]
        mean = encoder.encode(said).mean(axis=0)
        rows.append(mean / np.linalg.norm(mean))
    shares = scipy.linalg.eigvalsh(cosine_similarity(rows) / len(rows))
    shares = shares[shares > 1e-9]
    assert found["vendi"].value == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-3)
    assert 1 <= found["vendi"].low < found["vendi"].value < found["vendi"].high <= len(ours)


def test_sample_is_named_and_repeatable(ours):
    settings = EvaluationSettings(sample=10, seed=3)
    one, two = (evaluate_dialogues("ours", ours, encoder=LetterEncoder(), settings=settings) for _ in range(2))
    assert one == two
    assert "a random sample of 10 of the 24 dialogues (seed 3)" in one["ss"].note
    assert one.settings["sampled"] == 10
    assert one["ss"].low < one["ss"].value < one["ss"].high


def test_our_records_have_patterns_and_a_quota(ours):
    quota = count_quota(parse_settings({"dialogues": 24, "seed": 5}))
    found = evaluate_dialogues("ours", ours, quota=quota, catalog=["nobody_calls_this"])
    (patterns,) = (d for d in found.distributions if d.key == "patterns")
    assert {part.label: part.expected for part in patterns.bins} == quota
    assert all(part.count == part.expected for part in patterns.bins)
    assert found["pattern_coverage"].value > 0.5
    assert found["catalog_coverage"].value == 0
    assert count_quota(parse_settings({"dialogues": 9, "patterns": ["single"]})) == {"single": 9}
    assert count_quota(parse_settings({"method": "no-plan"})) is None


def test_near_duplicates_are_counted_and_shown(ours):
    again = [dataclasses.replace(ours[3], line=25), dataclasses.replace(ours[7], line=26)]
    found = evaluate_dialogues("repeated", [*ours, *again])
    assert found["near_duplicates"].value == 2 / 26
    assert [example.line for example in found.worst["near_duplicates"]] == [25, 26]


def test_repeated_frames_are_found():
    towns = "Oslo Bergen Paris Rome Vienna Lima Quito Cairo Delhi Kyoto".split()
    robots = [
        store(
            user(f"I would like to know the weather in {town}."),
            calls(("get_weather", {"city": town}, {"degrees": at})),
            says(f"Certainly! I have found it. It is {at} degrees in {town}."),
            line=at,
        )
        for at, town in enumerate(towns, 1)
    ]
    found = evaluate_dialogues("robots", robots)
    for key in ("commonest_frame_user", "common_openings_user", "commonest_frame_assistant"):
        assert found[key].value == 1
        assert found.worst[key][0].score == 1
    assert "i would like to know the weather in _" in found["commonest_frame_user"].note


def test_stray_tools():
    assert find_stray_tools(digest_dialogue(FLIGHT)[0]) == []
    apart = digest(
        user("Weather in Oslo"),
        calls(("get_weather", {"city": "Oslo"}, {"degrees": 9})),
        user("Now add a fine book"),
        calls(("add_book", {"title": "Middlemarch", "copies": 9}, {})),
        calls(("search_tools", {"query": "weather in Oslo"}, {})),
    )
    assert find_stray_tools(apart) == ["get_weather", "add_book"]


def test_tools_that_share_a_parameter_are_not_unrelated():
    def talk(*parameters):
        made = (("one", {}, {}), ("two", {}, {}))
        return [
            store(
                user("Do both"), calls(*made), tools=offer("one", "two", **{name: {} for name in parameters}), line=at
            )
            for at in range(12)
        ]

    assert evaluate_dialogues("shared", talk("plate"))["unrelated_tools"].value == 0
    assert evaluate_dialogues("generic", talk("id"))["unrelated_tools"].value == 1
    assert evaluate_dialogues("alone", talk())["stray_tools"].value == 1


RIGID = (user("One"), calls(("one", {"a": 1}, {})), says("Done."), user("Two"), calls(("two", {}, {})), says("Done."))


@pytest.mark.parametrize(
    ("more", "rigid"),
    [
        ((), True),
        ((user("Thanks"), says("Welcome.")), False),
        ((user("Three"), says("Which?")), False),
        ((user("No, a is 2"), calls(("one", {"a": 2}, {}))), False),
        ((user("Three"), calls(("three", {}, {"error": "down"}))), False),
        ((user("Three"), calls(("three", {}, {}), ("four", {}, {}))), True),
    ],
    ids=["as planned", "chat", "question", "correction", "failure", "parallel"],
)
def test_rigid_plans(more, rigid):
    assert is_rigid(digest(*RIGID, *more)) is rigid


@pytest.mark.parametrize(
    ("messages", "trivial"),
    [
        ((user("Do one"), calls(("one", {}, {})), says("Done.")), True),
        ((user("Do one"), calls(("one", {}, {})), says("Done."), user("Thank you!"), says("Bye.")), True),
        ((user("Do one"), calls(("one", {}, {})), user("And how do you like the sea?"), says("Well.")), False),
        ((user("Both"), calls(("one", {}, {}), ("two", {}, {}))), False),
        ((user("Who won?"), says("I cannot say.")), True),
    ],
    ids=["one call", "thanks", "chat", "two calls", "no call"],
)
def test_trivial_dialogues(messages, trivial):
    assert is_trivial(digest(*messages)) is trivial


def test_one_overlong_dialogue_stands_out(ours):
    turns = [part for at in range(40) for part in (user(f"Thing {at} please"), says("Done."))]
    found = evaluate_dialogues("long", [*ours, store(*turns, line=25)])
    assert found["too_complex"].value == 1 / 25
    assert [example.line for example in found.worst["too_complex"]] == [25]
    assert "40 user turns" in found.worst["too_complex"][0].excerpt


def test_further_measures_join_an_evaluation():
    found = evaluate_dialogues("two", [FLIGHT, CHAT])
    natural = Measure(key="nat", label="NAT", family="judge", value=4.2, low=4.0, high=4.4, unit="points")
    judged = found.with_measures([natural], judge="someone")
    assert judged["nat"] == natural
    assert judged.settings["judge"] == "someone"
    assert judged["turns"] == found["turns"]
    again = judged.with_measures([natural.model_copy(update={"value": 1.0})])
    assert again["nat"].value == 1.0
    assert len(again.measures) == len(judged.measures)
    assert "## Judge" in render_markdown([judged])


def test_equal_sets_do_not_differ_and_others_do(ours):
    short = [dataclasses.replace(d, messages=d.messages[:9]) for d in ours]
    one, same, other = (
        analyse_dialogues(name, found, encoder=LetterEncoder())
        for name, found in (("one", ours), ("same", ours), ("short", short))
    )
    equal, different = compare_analyses([one, same, other])
    assert (equal.baseline, equal.source) == ("one", "same")
    assert not any(d.beyond_chance for d in equal.differences)
    assert equal["turns_per_dialogue"].value == 0
    fewer = different["turns_per_dialogue"]
    assert fewer.value < 0
    assert fewer.low <= fewer.value <= fewer.high < 0
    assert fewer.beyond_chance
    assert "words of each" in different["d3"].note
    assert compare_analyses([one]) == []


def test_what_grows_with_size_is_not_compared_between_sizes(ours):
    one, half = analyse_dialogues("one", ours), analyse_dialogues("half", ours[:12])
    (found,) = compare_analyses([one, half])
    assert found["tool_coverage"].beyond_chance is None
    assert found["tool_coverage"].note == "depends on the number of dialogues, which is 24 and 12"
    assert found["ss"].value is None
    few = compare_analyses([one, analyse_dialogues("few", ours[:3])])[0]["calls_per_dialogue"]
    assert few.beyond_chance is None
    assert few.note == "fewer than 10 dialogues to judge by"


def test_judged_measures_are_compared_by_their_intervals(ours):
    def judge(name, value):
        analysis = analyse_dialogues(name, ours)
        measure = Measure(key="nat", label="NAT", family="judge", value=value, low=value - 0.1, high=value + 0.1)
        return dataclasses.replace(analysis, evaluation=analysis.evaluation.with_measures([measure]))

    (found,) = compare_analyses([judge("one", 4.0), judge("two", 2.0)])
    assert found["nat"].beyond_chance
    assert found["nat"].value == pytest.approx(-2)


def test_markdown_shows_text_as_text():
    hostile = store(user("<script>alert(1)</script> | `x`"), says("**bold**"), line=1)
    text = render_markdown([evaluate_dialogues("a`b", [hostile])])
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "a'b" in text


@pytest.fixture(scope="module")
def tiny_nli(tmp_path_factory):
    """A cross-encoder with weights drawn at random: what it says is noise, but it says it as a real one does."""
    import torch  # noqa: PLC0415
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("nli")
    letters = [chr(97 + i) for i in range(26)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), ".", "?"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=64)
    torch.manual_seed(2)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        initializer_range=1.0,
        num_labels=3,
        id2label={0: "contradiction", 1: "entailment", 2: "neutral"},
        label2id={"contradiction": 0, "entailment": 1, "neutral": 2},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow  # imports transformers' models
def test_entailment_by_a_cross_encoder(tiny_nli, ours):
    import torch  # noqa: PLC0415
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415

    model = AutoModelForSequenceClassification.from_pretrained(tiny_nli).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_nli)
    pairs = [pair for dialogue in ours for _, pair in list_pairs(digest_dialogue(dialogue)[0])]
    labels = []
    for premise, hypothesis in pairs:
        tokens = tokenizer(premise, hypothesis, truncation=True, max_length=64, return_tensors="pt")
        with torch.no_grad():
            labels.append(int(model(**tokens).logits.argmax()) == 1)
    assert 0 < sum(labels) < len(labels)
    reported = []
    nli = CrossEncoderNLI(str(tiny_nli))
    assert nli.find_entailed(pairs, lambda done, total: reported.append((done, total))) == labels
    assert reported[-1] == (len(pairs), len(pairs))
    found = evaluate_dialogues("ours", ours, nli=nli)
    assert found["enr"].value == pytest.approx(sum(labels) / len(labels))
    assert f"by cross-encoder {tiny_nli}" in found["enr"].note


@pytest.mark.slow  # imports transformers' models
def test_only_an_nli_model_measures_entailment(tiny_nli, tmp_path):
    config = json.loads((tiny_nli / "config.json").read_text())
    for path in tiny_nli.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config["id2label"] = {"0": "LABEL_0", "1": "not_entailment", "2": "LABEL_2"}
    config["label2id"] = {"LABEL_0": 0, "not_entailment": 1, "LABEL_2": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(EncoderError, match="is no NLI model: none of its labels"):
        CrossEncoderNLI(str(tmp_path))
    with pytest.raises(EncoderError, match="cannot be loaded"):
        CrossEncoderNLI(str(tmp_path / "nothing" / "here"))


def test_entailment_by_a_chat_model():
    def answer(request):
        asked = request["messages"][1]["content"]
        if "3 May." in asked.partition("Hypothesis")[2]:
            return {"value": {"label": "perhaps"}}  # never an answer, whatever is asked again
        return {"value": {"label": "entailment" if "Book it" in asked.partition("Hypothesis")[2] else "neutral"}}

    with Endpoint(answer) as endpoint:
        nli = ModelNLI("test-model", parse_models({"base_url": endpoint.base_url, "max_repairs": 1}))
        found = evaluate_dialogues("two", [FLIGHT, CHAT], nli=nli)
        prompts = [entry.messages for entry in endpoint.log if not entry.probe]
    assert found["enr"].value == 1 / 2
    assert "1 of 3 pairs got no usable answer" in found["enr"].note
    assert "chat model test-model" in found["enr"].note
    premise = "Premise:\nFind a flight to Oslo on 3 May. There is SK-4471 for 120."
    assert any(f"{premise}\n\nHypothesis:\nBook it for Ann Bell." in m[1]["content"] for m in prompts)
    assert all("natural language inference" in m[0]["content"] for m in prompts)


def test_entailment_is_judged_by_one_model():
    with pytest.raises(SettingsError, match="by one model, not by a pool"):
        ModelNLI("a,b", parse_models({"base_url": "http://127.0.0.1:9/v1"}))
