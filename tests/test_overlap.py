"""Overlap with a benchmark: planted leaks are found, what is only alike is not, and the rest is kept as it was."""

import importlib.util
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolflow_graph.catalog import load_catalog
from toolflow_graph.cli.app import main
from toolflow_graph.dataset import open_dialogues
from toolflow_graph.encoder import load_encoder
from toolflow_graph.errors import CatalogError, DatasetError
from toolflow_graph.overlap import Overlap, find_overlap, load_benchmarks
from toolflow_graph.overlap.ngrams import NGramIndex
from toolflow_graph.overlap.tokens import split_tokens, write_tool

PLUMBER = (
    "Could you find me a plumber in Leeds who can come before Friday evening and does not charge for the first visit?"
)
FERRY = {
    "name": "find_ferry_sailings",
    "description": "List the ferry sailings between two ports on a day, with the time of departure, the name of the "
    "ship and what a foot passenger or a car pays.",
    "parameters": {
        "type": "object",
        "properties": {
            "from_port": {"type": "string", "description": "Port where the ferry leaves."},
            "to_port": {"type": "string", "description": "Port where the ferry arrives."},
            "day": {"type": "string", "format": "date", "description": "Day of the crossing."},
        },
        "required": ["from_port", "to_port", "day"],
    },
}
LIBRARY = {
    "name": "renew_library_loan",
    "description": "Extend the loan of a borrowed book by three weeks.",
    "parameters": {
        "type": "object",
        "properties": {"loan_id": {"type": "string", "description": "Identifier of the loan."}},
        "required": ["loan_id"],
    },
}
RENAMED = {
    **FERRY,
    "name": "get_boats",
    "parameters": {"type": "object", "properties": {"q": {"type": "string", "description": "Anything."}}},
}
PARAPHRASE = {
    "name": "extend_library_loan",
    "description": "Extends the loan for a borrowed library book by 3 weeks.",
    "parameters": {"type": "object", "properties": {"reference": {"type": "string"}}},
}
OTHER = {
    "name": "mix_paint",
    "description": "Say how much of each pigment makes a colour.",
    "parameters": {"type": "object", "properties": {"colour": {"type": "string"}}},
}


def in_openai(*functions):
    return [{"type": "function", "function": function} for function in functions]


def write_rows(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def make_row(name, *said, tools=(OTHER,)):
    roles = ("user", "assistant")
    messages = [{"role": roles[index % 2], "content": text} for index, text in enumerate(said)]
    return {"id": name, "messages": [{"role": "system", "content": PLUMBER}, *messages], "tools": in_openai(*tools)}


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    """A benchmark in BFCL's form: two tools and a question."""
    path = tmp_path_factory.mktemp("benchmark") / "bench.json"
    question = [[{"role": "user", "content": PLUMBER}]]
    bfcl_ferry = {**FERRY, "parameters": {**FERRY["parameters"], "type": "dict"}}
    return write_rows(path, {"id": "q_0", "question": question, "function": [bfcl_ferry, LIBRARY]})


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


def compare(benchmark, path, encoder=None):
    return find_overlap(load_benchmarks([str(benchmark)]), open_dialogues(path), encoder=encoder)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(["overlap", *map(str, arguments)])
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


# Tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("getUserInfo(user_id=7)", "get user info user id 7"),
        ("Größe: 3,5 m²", "grösse 3 5 m²"),
        ("天気は。", "天 気 は"),
        ('{"type": "string"}', "type string"),
        ("", ""),
    ],
    ids=["names are taken apart", "casefold", "scripts without spaces", "no punctuation", "empty"],
)
def test_tokens(text, tokens):
    assert split_tokens(text) == tokens.split()


def test_tool_is_written_in_one_form():
    flat = {"parameters": FERRY["parameters"], "description": FERRY["description"], "name": FERRY["name"]}
    assert write_tool(flat) == write_tool({"type": "function", "function": {**FERRY, "strict": True}})
    assert write_tool({"name": "ping", "parameters": None}) == '{"name": "ping"}'


# N-grams


def mark_by_force(texts, looked_up, size):
    known = {
        tuple(tokens[start : start + size])
        for tokens in map(str.split, texts)
        for start in range(len(tokens) - size + 1)
    }
    masks = []
    for tokens in map(str.split, looked_up):
        mask = [False] * len(tokens)
        for start in range(len(tokens) - size + 1):
            if tuple(tokens[start : start + size]) in known:
                mask[start : start + size] = [True] * size
        masks.append(mask)
    return masks


TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=40).map(" ".join), max_size=6)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 13))
def test_marks_are_those_of_the_definition(texts, looked_up, size):
    marked = NGramIndex(texts, size).mark(looked_up)
    assert [one.mask.tolist() for one in marked] == mark_by_force(texts, looked_up, size)
    for one in marked:
        start, end = one.stretch
        assert one.mask[start:end].all()
        if one.mask.any():
            begun = " ".join(one.tokens[start : start + size])
            assert f" {begun} " in f" {texts[one.found_in]} "
        else:
            assert (one.found_in, one.share, one.stretch) == (-1, 0.0, (0, 0))


@pytest.mark.parametrize(("length", "found"), [(9, 0), (10, 0), (11, 11), (15, 15)])
def test_only_longer_than_ten_tokens_contaminate(length, found):
    words = split_tokens(PLUMBER)[2 : 2 + length]
    (marked,) = NGramIndex([PLUMBER]).mark([f"Hello there {' '.join(words)} and so on"])
    assert int(marked.mask.sum()) == found


# Leaks


@pytest.mark.parametrize(
    ("tool", "tests"),
    [(FERRY, ("ngrams", "cosine")), (RENAMED, ("ngrams",)), (PARAPHRASE, ("cosine",)), (OTHER, ())],
    ids=["verbatim", "renamed, same description", "paraphrase", "another tool"],
)
def test_planted_tools(tmp_path, benchmark, encoder, tool, tests):
    path = write_rows(tmp_path / "d.jsonl", make_row("one", "Hi", tools=(tool,)), make_row("two", "Hi"))
    found = compare(benchmark, path, encoder)
    leaks = {leak.name: leak.tests for leak in found.leaks}
    assert set(leaks.get(tool["name"], ())) >= set(tests)
    assert bool(leaks) == bool(tests)
    assert found.leaking_dialogues == bool(tests)
    assert found.leaking_lines == ({str(path): (1,)} if tests else {})
    if tests == ("cosine",):
        assert leaks[tool["name"]] == tests
        (leak,) = found.leaks
        assert (leak.nearest, leak.contaminated) == ("renew_library_loan", 0.0)
    if "ngrams" in tests:
        (leak,) = found.leaks
        assert leak.stretch_of == "find_ferry_sailings"
        assert "list the ferry sailings between two ports on a day" in leak.stretch


@pytest.mark.parametrize("role", [0, 1], ids=["user", "assistant"])
@pytest.mark.parametrize(("length", "leaks"), [(9, 0), (11, 1)])
def test_planted_words_in_what_is_said(tmp_path, benchmark, role, length, leaks):
    copied = " ".join(PLUMBER.split()[:length])
    said = ["Good morning"] * role + [f"Well then: {copied}"]
    found = compare(benchmark, write_rows(tmp_path / "d.jsonl", make_row("one", *said)))
    assert [(leak.kind, leak.message, leak.stretch_of) for leak in found.leaks] == [
        ("message", 1 + role, "q_0")
    ] * leaks


def test_a_tenth_of_a_long_message_is_no_leak(tmp_path, benchmark):
    copied = " ".join(PLUMBER.split()[:11])
    long = f"{copied} {' '.join(f'word{number}' for number in range(99))}"
    found = compare(benchmark, write_rows(tmp_path / "d.jsonl", make_row("one", long)))
    assert found.leaks == ()
    assert [match.contaminated for match in found.closest] == [0.1]
    shorter = write_rows(tmp_path / "e.jsonl", make_row("one", long.rsplit(" ", 1)[0]))
    assert [leak.contaminated for leak in compare(benchmark, shorter).leaks] == [pytest.approx(11 / 109, abs=1e-4)]


def test_a_question_in_other_words_is_found_by_cosine(tmp_path, benchmark, encoder):
    asked = "Can you find a plumber in Leeds for me who comes before Friday evening and whose first visit is free?"
    rows = [make_row("one", asked), make_row("two", "Could you find the plumber?"), make_row("three", "Hi", asked)]
    found = compare(benchmark, write_rows(tmp_path / "d.jsonl", *rows), encoder)
    (leak,) = found.leaks
    assert (leak.name, leak.dialogues, leak.tests) == ("one", 2, ("cosine",))
    assert found.leaking_dialogues == 2
    assert found.messages == 3


def test_without_encoder_there_is_no_cosine(tmp_path, benchmark):
    found = compare(benchmark, write_rows(tmp_path / "d.jsonl", make_row("one", "Hi", tools=(PARAPHRASE,))))
    assert (found.encoder, found.leaks) == (None, ())


# Benchmarks in other forms


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tools.json", json.dumps({"tools": in_openai(FERRY)})),
        ("tools.jsonl", json.dumps(FERRY) + "\n" + json.dumps(OTHER | {"name": "a"}) + "\n"),
        ("dialogues.jsonl", json.dumps(make_row("x", PLUMBER, tools=(FERRY,))) + "\n"),
        ("xlam.json", json.dumps([{"query": PLUMBER, "tools": json.dumps([FERRY]), "answers": "[]"}])),
        ("tools.yaml", "tools:\n- " + json.dumps(FERRY)),
    ],
    ids=["OpenAI tools", "JSON Lines of tools", "dialogues", "xLAM", "YAML"],
)
def test_tools_of_a_benchmark(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = find_overlap(
        load_benchmarks([str(tmp_path)]),
        open_dialogues(write_rows(tmp_path / "own.txt", make_row("y", "Hi", tools=(FERRY,)))),
        encoder=None,
    )
    assert [leak.contaminated for leak in found.leaks] == [1.0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("questions.jsonl", json.dumps({"question_id": 81, "turns": ["Write a poem.", PLUMBER]}) + "\n"),
        ("dialogues.jsonl", json.dumps(make_row("x", PLUMBER)) + "\n"),
        ("notes.txt", f"A first paragraph.\n\n{PLUMBER}\n"),
        ("notes.md", f"[note]: {PLUMBER}"),
        ("strings.json", json.dumps([PLUMBER])),
        ("bare.jsonl", json.dumps({"name": "Ann", "text": PLUMBER}) + "\n"),
    ],
)
def test_texts_of_a_benchmark(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    own = write_rows(tmp_path / "own.jsonl", make_row("y", PLUMBER, tools=(LIBRARY,)))
    assert [leak.contaminated for leak in compare(path, own).leaks] == [1.0]


def test_n_grams_do_not_reach_across_texts(tmp_path):
    words = PLUMBER.split()
    path = tmp_path / "halves.txt"
    path.write_text(f"{' '.join(words[:8])}\n\n{' '.join(words[8:16])}", encoding="utf-8")
    assert compare(path, write_rows(tmp_path / "own.jsonl", make_row("y", " ".join(words[:16])))).leaks == ()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("broken.json", b'{"a": ', "not JSON"),
        ("empty.txt", b"  \n", "neither a tool nor a text"),
        ("binary.txt", b"\xff\xfe\x00x", "UTF-8"),
    ],
)
def test_benchmark_that_cannot_be_read(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises((DatasetError, CatalogError), match=told):
        load_benchmarks([str(tmp_path / name)])


def test_benchmark_that_is_not_there():
    with pytest.raises(DatasetError, match=r"'nowhere' does not exist; give 'bfcl', or a file"):
        load_benchmarks(["nowhere"])


@pytest.mark.slow
def test_bundled_catalog_against_bfcl_by_ngrams():
    benchmark = load_benchmarks(["bfcl"])
    assert len(benchmark.tools) > 3000
    assert len(benchmark.passages) > 5000
    assert benchmark.skipped == 0
    found = find_overlap(benchmark, tools=load_catalog().tools.values(), encoder=None)
    assert found.leaks == ()
    own = list(benchmark.tools.values())[::500]
    assert [leak.contaminated for leak in find_overlap(benchmark, tools=own, encoder=None).leaks] == [1.0] * len(own)


def test_without_bfcl_its_command_is_named(monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "bfcl_eval" else find_spec(name, *more)
    )
    code, _, told = run(capsys, "--catalog", "tool_catalog", "--against", "bfcl", "--ngrams-only")
    assert code == 1
    assert "pip install --no-deps bfcl-eval==" in told
    assert told.count("\n") == 1


# Command line


@pytest.fixture
def leaky(tmp_path):
    """Three dialogues: clean, with a benchmark's tool, with a benchmark's question."""
    rows = [make_row("clean", "Hi, mix me some red"), make_row("tool", "Hi", tools=(FERRY,)), make_row("said", PLUMBER)]
    return write_rows(tmp_path / "mine.jsonl", *rows)


def test_table_names_leaks_and_encoder(capsys, benchmark, leaky):
    code, out, _ = run(capsys, leaky, "--against", benchmark)
    assert code == 0
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.split()}
    assert lines["tools"] == ["2", "1", "1", "1"]
    assert lines["messages"][:3] == ["3", "1", "1"]
    assert lines["dialogues"] == ["3", "2"]
    assert "tool 'find_ferry_sailings'" in out
    assert "all-MiniLM-L6-v2 (the paper's encoder was" in " ".join(out.split())
    assert "all-MiniLM-L12-v2" in out


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--fail",), 1)])
def test_leaks_are_no_error_unless_wanted(capsys, benchmark, leaky, options, code):
    assert run(capsys, leaky, "--against", benchmark, "--ngrams-only", *options)[0] == code


def test_json(capsys, tmp_path, benchmark, leaky):
    out = tmp_path / "found" / "overlap.json"
    code, *_ = run(capsys, leaky, "--against", benchmark, "--ngrams-only", "--json", out)
    found = Overlap.model_validate_json(out.read_bytes())
    assert (code, found.leaking_dialogues, found.leaking_lines) == (0, 2, {str(leaky): (2, 3)})


def test_drop_keeps_clean_lines_as_they_were(capsys, tmp_path, benchmark, leaky):
    target = tmp_path / "clean" / "train.jsonl"
    code, out, _ = run(capsys, leaky, "--against", benchmark, "--ngrams-only", "--drop", target)
    assert code == 0
    assert f"1 of 3 dialogues written to {target}" in out
    assert target.read_bytes() == leaky.read_bytes().splitlines(keepends=True)[0]
    assert compare(benchmark, target).leaks == ()


def test_drop_of_a_run_and_a_file_goes_to_a_folder(capsys, tmp_path, benchmark, leaky):
    run_folder = tmp_path / "my_run"
    run_folder.mkdir()
    (run_folder / "manifest.json").write_text("{}")
    (run_folder / "dialogues.jsonl").write_bytes(
        leaky.read_bytes().splitlines(keepends=True)[0] + b'{"id": "torn", "mess'
    )
    code, *_ = run(capsys, leaky, run_folder, "--against", benchmark, "--ngrams-only", "--drop", tmp_path / "clean")
    assert code == 0
    clean = leaky.read_bytes().splitlines(keepends=True)[0]
    assert {path.name: path.read_bytes() for path in (tmp_path / "clean").iterdir()} == {
        "mine.jsonl": clean,
        "my_run.jsonl": clean,
    }


def test_catalog_alone(capsys, tmp_path, benchmark):
    catalog = tmp_path / "tools.json"
    catalog.write_text(json.dumps({"tools": in_openai(RENAMED, OTHER)}), encoding="utf-8")
    code, out, _ = run(capsys, "--catalog", catalog, "--against", benchmark, "--ngrams-only")
    assert code == 0
    assert "get_boats" in out
    assert "messages" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--against", "bfcl"], 2, "give files of dialogues, or --catalog"),
        (["--catalog", "tool_catalog", "--against", "bfcl", "--drop", "x"], 2, "--drop writes dialogues"),
        (["{leaky}"], 2, "--against"),
        (["{leaky}", "--against", "{leaky}", "--ngrams-only", "--drop", "{leaky}"], 1, "is a file that is being read"),
        (["{leaky}", "{leaky}x", "--against", "bfcl", "--drop", "one.jsonl"], 1, "is one file, and 2 are read"),
        (["{leaky}", "--against", "{leaky}", "--ngrams-only", "--json", "{leaky}"], 1, "is a file that is being read"),
        (["missing.jsonl", "--against", "{leaky}", "--ngrams-only"], 1, "missing.jsonl: cannot be read"),
    ],
)
def test_mistakes_are_one_line(capsys, leaky, arguments, code, told):
    found, _, err = run(capsys, *(argument.format(leaky=leaky) for argument in arguments))
    assert found == code
    assert told in err
    assert err.count("\n") == 1
