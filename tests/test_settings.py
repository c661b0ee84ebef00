import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolflow_graph.errors import SettingsError
from toolflow_graph.settings import (
    DEFAULT_MIX,
    DialogueSettings,
    RunSettings,
    apportion,
    assign_patterns,
    parse_settings,
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"taw": 0.8}, r"unknown setting 'taw'; known are: .*tau, tools", id="unknown"),
        pytest.param({"tau": 0}, r"setting 'tau': .*greater than 0 \(given: 0\)", id="tau is zero"),
        pytest.param({"tau": 1.5}, r"setting 'tau': .*less than or equal to 1 \(given: 1.5\)", id="tau above one"),
        pytest.param({"dialogues": 0}, "setting 'dialogues'", id="no dialogues"),
        pytest.param({"dialogues": "many"}, "setting 'dialogues': .*given: 'many'", id="no number"),
        pytest.param({"strategy": "run"}, "setting 'strategy'", id="unknown strategy"),
        pytest.param(
            {"min_requests": 4, "max_requests": 2}, r"min_requests \(4\) is above max_requests \(2\)", id="order"
        ),
        pytest.param(
            {"min_requests": 30},
            r"above max_requests \(5\); raise max_requests to 30 or more, and max_turns to 60$",
            id="long",
        ),
        pytest.param(
            {"min_requests": 30, "max_requests": 36},
            r"max_turns \(30, .*too few .* 36 requests.*set max_turns to 72",
            id="turns",
        ),
        pytest.param({"mix": []}, "mix is empty", id="empty mix"),
        pytest.param({"mix": [{"share": 1, "patterns": ["telepathy"]}]}, r"'mix.0.patterns.0'", id="unknown pattern"),
        pytest.param({"mix": [{"share": 0, "patterns": ["single"]}]}, r"'mix.0.share'", id="no share"),
    ],
)
def test_wrong_settings_are_named_in_one_line(values, message):
    with pytest.raises(SettingsError, match=message) as caught:
        parse_settings(values)
    assert "\n" not in str(caught.value)


def test_a_turn_limit_that_somebody_wants_is_theirs():
    assert parse_settings({"min_requests": 30, "max_requests": 36, "max_turns": 1}).max_turns == 1


def test_settings_survive_json():
    settings = RunSettings(dialogues=3, seed=9, tau=0.9, patterns=("single",))
    assert RunSettings.model_validate_json(settings.model_dump_json()) == settings


def test_dialogue_settings_leave_out_what_belongs_to_the_run():
    settings = RunSettings(seed=4, tools=7).dialogue(["single"])
    assert settings == DialogueSettings(seed=4, tools=7, patterns=("single",))
    assert type(settings) is DialogueSettings


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=20), st.integers(0, 2000))
def test_apportion_meets_the_quota(shares, total):
    counts = apportion(shares, total)
    assert sum(counts) == total
    assert all(abs(count - share / sum(shares) * total) < 1 + 1e-6 for share, count in zip(shares, counts, strict=True))


def test_largest_remainders_get_the_rest():
    assert apportion([0.5, 0.3, 0.2], 7) == [4, 2, 1]
    assert apportion([1, 1, 1], 2) == [1, 1, 0]


@pytest.mark.parametrize("total", [1, 20, 100, 1000])
def test_mix_is_met_exactly(total):
    expected = dict(
        zip((entry.patterns for entry in DEFAULT_MIX), apportion([e.share for e in DEFAULT_MIX], total), strict=True)
    )
    found = Counter(assign_patterns(DEFAULT_MIX, total, seed=3))
    assert {patterns: found[patterns] for patterns in expected} == expected


def test_assignment_depends_on_the_seed_alone():
    random.seed(1)
    first = assign_patterns(DEFAULT_MIX, 50, seed=1)
    random.seed(2)
    assert assign_patterns(DEFAULT_MIX, 50, seed=1) == first
    assert assign_patterns(DEFAULT_MIX, 50, seed=2) != first


def test_default_mix_sums_to_one():
    assert sum(entry.share for entry in DEFAULT_MIX) == pytest.approx(1)
