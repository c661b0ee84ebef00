"""What a prefix cache finds again of the requests of a dialogue of 12 user turns, by the benchmark's own measure."""

import numpy as np
import pytest

from prefix_cache import (
    AIM,
    ENDPOINTS,
    Measures,
    find_dialogues,
    measure,
    measure_players,
    record_dialogue,
    split_quarters,
)


@pytest.fixture(scope="module")
def settings():
    return next(find_dialogues(1))


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("kind", ENDPOINTS)
def test_most_of_what_is_sent_was_sent_before(settings, kind):
    players = measure_players([record_dialogue(settings, kind)], kind, split_quarters)
    cast, naive = (sum(players[name].values(), Measures()) for name in ("cast", "naive, step first"))
    assert cast.share >= AIM
    assert {role: measures.share >= AIM for role, measures in players["cast"].items() if role != "planner"} == {
        "user": True,
        "assistant": True,
        "tool": True,
    }
    assert naive.share < 0.05
    assert cast.requests == naive.requests > 36
    assert cast.answers == naive.answers > 0


def count_words(text):
    return np.array([hash(word) for word in text.split()])


def test_a_prompt_is_measured_by_its_longest_prefix_of_the_same_role_and_dialogue():
    head = " ".join(map(str, range(1100)))
    first = [("user", f"{head} a b", "x y"), ("tool", f"{head} a b c", ""), ("user", f"{head} a b c d", "z")]
    second = [("user", f"{head} a b c", "")]
    measures = measure([first, second], count_words)
    assert measures["tool"] == Measures(requests=1, prompt=1103, cached=0, run=1102, vllm=1088, openai=1024)
    assert measures["user"] == Measures(
        requests=3, prompt=1102 + 1104 + 1103, answers=3, cached=1102, run=1103 + 1103, vllm=2 * 1088, openai=2 * 1024
    )


def test_quarters_are_equal_where_the_characters_are():
    one, other = split_quarters("abcd€fghij"), split_quarters("abcd€fghik")
    assert len(one) == 3
    assert list(one == other) == [True, True, False]
