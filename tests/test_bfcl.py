"""The benchmark's cases, its checker in a process of its own, and what is made of a model's answers."""

import ast
import json
import random

import pytest

from toolflow_graph.bfcl import CATEGORIES, Answer, Case, Checker, load_cases, play_cases, score_results
from toolflow_graph.bfcl.cases import MULTI_TURN
from toolflow_graph.bfcl.results import ResultFile
from toolflow_graph.errors import BenchmarkError

SINGLE = [category for category in CATEGORIES if category not in MULTI_TURN]
WITH_CALLS = [category for category in SINGLE if "relevance" not in category]


class Gold:
    """Answers with what the benchmark holds for right; `spoil` changes the calls first."""

    name = "gold"
    batch = 16

    def __init__(self, cases, spoil=None):
        self.truths = {_identify(case.turns[0], case.tools()): case for case in cases}
        self.spoil = spoil or (lambda calls: calls)

    def answer(self, questions):
        return [Answer(calls=tuple(self.spoil(self.call(question)))) for question in questions]

    def call(self, question):
        case = self.truths[_identify(question.messages, question.tools)]
        return [_choose(name, arguments) for call in case.truth or () for name, arguments in call.items()]


def _identify(messages, tools):
    return json.dumps([messages, [tool["function"] for tool in tools]])


def _choose(name, arguments):
    """Take the first possible value of each argument; "" among them says that it may be left out."""
    given = {key: _value(values) for key, values in arguments.items() if any(value != "" for value in values)}
    return name.replace(".", "_"), given


def _value(values):
    first = next(value for value in values if value != "")
    if isinstance(first, dict):
        inner = {key: given if isinstance(given, list) else [given] for key, given in first.items()}
        return {key: _value(values) for key, values in inner.items() if any(value != "" for value in values)}
    if isinstance(first, list):
        return [_value([item]) if isinstance(item, dict) else item for item in first]
    return first


@pytest.fixture(scope="module")
def checker():
    with Checker() as process:
        yield process


def test_categories_have_the_cases_of_the_benchmark():
    cases = load_cases()
    counts = {category: sum(case.category == category for case in cases) for category in CATEGORIES}
    assert counts["simple_python"] == 400
    assert counts["multiple"] == counts["parallel"] == counts["parallel_multiple"] == 200
    assert all(counts.values())
    assert len({case.id for case in cases}) == len(cases)


def test_a_limit_draws_the_same_cases_for_the_same_seed():
    first, again, other = (load_cases(["multiple"], limit=20, seed=seed) for seed in (1, 1, 2))
    assert [case.id for case in first] == [case.id for case in again] != [case.id for case in other]
    assert len(first) == 20


def test_an_unknown_category_is_named_with_those_there_are():
    with pytest.raises(BenchmarkError, match=r"unknown category 'simple'; there are: simple_python"):
        load_cases(["simple"])


def test_tools_are_plain_json_schema_with_names_that_endpoints_take():
    for case in load_cases(SINGLE, limit=60):
        for tool in case.tools():
            assert tool["function"]["name"].replace("-", "_").isidentifier()
            assert tool["function"]["parameters"]["type"] == "object"


@pytest.mark.parametrize("category", WITH_CALLS)
def test_gold_answers_score_what_the_checker_gives_for_them(category, checker):
    cases = load_cases([category], limit=200)
    results = list(play_cases(cases, Gold(cases), checker))
    wrong = [result for result in results if not result.valid]
    assert len(results) == len(cases)
    assert len(wrong) <= len(cases) * 0.02, wrong[:3]
    if category in ("simple_python", "multiple", "parallel"):
        assert not wrong


def _rename(calls):
    return [(f"{name}_x", arguments) for name, arguments in calls]


def _drop_one(calls):
    return calls[:-1]


def _spoil_values(calls):
    return [(name, {key: {"no": "such value"} for key in arguments}) for name, arguments in calls]


@pytest.mark.parametrize("spoil", [_rename, _drop_one, _spoil_values], ids=["name", "missing call", "values"])
@pytest.mark.parametrize("category", ["simple_python", "multiple", "parallel", "parallel_multiple"])
def test_corrupted_gold_answers_score_nothing(category, spoil, checker):
    cases = [
        case
        for case in load_cases([category], limit=60)
        if any(_choose(*call)[1] for truth in case.truth for call in truth.items())
    ]
    results = list(play_cases(cases, Gold(cases, spoil), checker))
    assert [result.id for result in results if result.valid] == []


@pytest.mark.parametrize(
    ("category", "calls", "valid"),
    [
        ("irrelevance", [("anything", {})], False),
        ("irrelevance", [], True),
        ("live_relevance", [("anything", {})], True),
        ("live_relevance", [], False),
    ],
)
def test_where_no_answer_is_given_only_whether_something_is_called_counts(category, calls, valid, checker):
    cases = load_cases([category], limit=5)
    results = list(play_cases(cases, Gold(cases, lambda _: calls), checker))
    assert {result.valid for result in results} == {valid}


def test_what_cannot_be_read_is_counted_and_never_a_call(checker):
    class Babbler:
        name, batch = "babbler", 4

        def answer(self, questions):
            return [Answer("<tool_call>{", unread="not JSON")] * len(questions)

    results = list(play_cases(load_cases(["multiple", "irrelevance"], limit=4), Babbler(), checker))
    scores = {score.category: score for score in score_results("babbler", results).categories}
    assert scores["multiple"].accuracy == 0.0
    assert scores["irrelevance"].accuracy == 1.0
    assert scores["multiple"].unread == scores["irrelevance"].unread == 1.0
    assert scores["irrelevance"].called == 0.0


class GoldTurns:
    """Plays multi-turn cases by the benchmark's own calls, a turn's calls at once, then a word."""

    name, batch = "gold turns", 8

    def __init__(self, cases, spoil=None):
        self.cases = {json.dumps(case.turns[0]): case for case in cases}
        self.spoil = spoil or (lambda calls: calls)

    def answer(self, questions):
        return [self.answer_one(question) for question in questions]

    def answer_one(self, question):
        case = next(
            case
            for first, case in self.cases.items()
            if json.loads(first) == list(question.messages[: len(json.loads(first))])
        )
        turn = sum(message["role"] == "user" for message in question.messages) - 1
        if question.messages[-1]["role"] == "tool" or not case.truth[turn]:
            return Answer("Done.")
        return Answer(calls=tuple(self.spoil([_parse_python(line) for line in case.truth[turn]])))


def _parse_python(line):
    call = ast.parse(line, mode="eval").body
    names = {"sort": ["file_name"]}.get(call.func.id, [])
    given = dict(zip(names, map(ast.literal_eval, call.args), strict=False))
    return call.func.id, given | {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}


def _takes_positions(case):
    return any(ast.parse(line, mode="eval").body.args for turn in case.truth for line in turn)


@pytest.mark.parametrize("category", sorted(MULTI_TURN))
def test_multi_turn_gold_scores_all_and_nothing_when_spoiled(category, checker):
    cases = [case for case in load_cases([category], limit=40, seed=3) if not _takes_positions(case)]
    results = list(play_cases(cases, GoldTurns(cases), checker))
    assert len(cases) > 15
    assert [(result.id, result.error) for result in results if not result.valid] == []
    spoiled = list(play_cases(cases[:8], GoldTurns(cases, lambda _: []), checker))
    assert not any(result.valid for result in spoiled)


def test_only_calls_of_offered_functions_are_executed(checker, tmp_path):
    case = load_cases(["multi_turn_base"], limit=1)[0]
    planted = tmp_path / "planted"

    class Attacker:
        name, batch = "attacker", 1

        def answer(self, questions):
            if questions[0].messages[-1]["role"] == "tool":
                return [Answer("Done.")]
            touch = f"__import__('os').mkdir({str(planted)!r})"
            return [
                Answer(
                    calls=(
                        (touch, {}),
                        ("cd", {f"folder={touch} or 'x', y": "z"}),
                        ("cd", {"folder": "x'); import os"}),
                    )
                )
            ]

    result = next(play_cases([case], Attacker(), checker))
    assert not result.valid
    assert not planted.exists()


def test_a_model_that_calls_for_ever_is_stopped(checker):
    case = load_cases(["multi_turn_base"], limit=1)[0]

    class Restless:
        name, batch = "restless", 1

        def answer(self, _):
            return [Answer(calls=((case.tools()[0]["function"]["name"], {}),))]

    result = next(play_cases([case], Restless(), checker))
    assert (result.valid, result.error_type) == (False, "multi_turn:force_terminated")


def test_a_checker_that_hangs_fails_the_case_and_goes_on():
    case = load_cases(["simple_python"], limit=1)[0]
    good = [dict([_choose(*next(iter(case.truth[0].items())))])]
    with Checker(timeout_s=2.0) as checker:
        assert checker.check_calls(case, good).valid
        endless = Case(
            "x",
            "multi_turn_base",
            ((),),
            (),
            [[]],
            {},
            {"id": "x", "initial_config": {}, "involved_classes": ["MathAPI"]},
        )
        results = checker.run_calls(endless, ["power(base=9.9, exponent=9e99)", "sum(9 ** 9 ** 9 for x in [1])"])
        assert "longer than 2 seconds" in results[0]
        assert checker.check_calls(case, good).valid


def test_results_go_on_where_they_were(tmp_path, checker):
    cases = load_cases(["multiple"], limit=6)
    about = {"benchmark": "x", "settings": {}}
    file = ResultFile.open(tmp_path, "a/model", about)
    for result in play_cases(cases[:4], Gold(cases), checker):
        file.add(result)
    with file.path.open("ab") as torn:
        torn.write(b'{"id": "multip')
    again = ResultFile.open(tmp_path, "a/model", about)
    assert set(again.results) == {case.id for case in cases[:4]}
    assert again.path.read_bytes().endswith(b"\n")
    with pytest.raises(BenchmarkError, match="made with benchmark 'x', not 'y'"):
        ResultFile.open(tmp_path, "a/model", {**about, "benchmark": "y"})


def test_intervals_hold_the_share(checker):
    rng = random.Random(5)
    cases = load_cases(["multiple"], limit=50)
    gold = Gold(cases, lambda calls: calls if rng.random() < 0.7 else [])
    score = score_results("half", play_cases(cases, gold, checker)).categories[0]
    assert score.low < score.accuracy < score.high
    assert score.accuracy == score.solved / score.cases
