"""Splits by tool: what is held out is unseen in training, whatever the dialogues are like."""

import json
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs import copy_catalog, read_rows
from toolflow_graph import generate
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.cli.app import main
from toolflow_graph.errors import DatasetError
from toolflow_graph.export import Footprint, read_footprint, split_by_tool, write_export

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    list(generate(catalog=copy_catalog(out.parent / "catalog"), dialogues=60, seed=4, out=out))
    return out


def export(*arguments):
    with pytest.raises(SystemExit) as left:
        main(["export", *map(str, arguments)])
    return left.value.code


def see(rows):
    """Return the tools called in rows of `openai`, and those that a model sees there at all."""
    called, seen = set(), set()
    for row in rows:
        footprint = read_footprint(row["messages"], row["tools"])
        called |= footprint.called
        seen |= footprint.called | footprint.shown | footprint.offered
    return called, seen


@pytest.mark.parametrize("seed", [0, 1])
def test_no_tool_that_is_called_in_test_is_called_or_offered_in_train(run, tmp_path, seed, capsys):
    split = ",".join(f"{name}={share}" for name, share in SHARES.items())
    assert export(run, "-f", "openai", "-o", tmp_path / "out", "--split", split, "--seed", seed) == 0
    rows = {name: read_rows(tmp_path / "out" / f"{name}.jsonl") for name in SHARES}
    called = {name: see(found)[0] for name, found in rows.items()}
    seen = {name: see(found)[1] for name, found in rows.items()}
    assert not called["test"] & seen["train"]
    assert not called["validation"] & seen["train"]
    assert not called["test"] & seen["validation"]
    assert all(called.values())
    assert len(rows["train"]) > len(rows["test"])
    said = capsys.readouterr().out
    written = sum(map(len, rows.values()))
    dropped = [int(line.split()[2]) for line in said.splitlines() if line.startswith("left out")]
    assert written + sum(dropped) == 60
    assert f"{written} dialogues written" in said


def test_the_same_seed_gives_the_same_files_and_another_holds_out_others(run, tmp_path):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_export([run], "openai", tmp_path / name, shares=SHARES, seed=seed)
        found.append([(tmp_path / name / f"{split}.jsonl").read_bytes() for split in SHARES])
    assert found[0] == found[1]
    assert found[0] != found[2]


names = st.sampled_from([f"t{number}" for number in range(12)])
footprints = st.builds(
    lambda called, shown, offered: Footprint(frozenset(called), frozenset(shown), frozenset(called | shown | offered)),
    st.sets(names, max_size=4),
    st.sets(names, max_size=1),
    st.sets(names, max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(footprints, max_size=40), st.integers(0, 3))
def test_nothing_leaks_and_every_dialogue_is_placed_or_counted(dialogues, seed):
    try:
        split = split_by_tool(dialogues, SHARES, random.Random(seed))
    except DatasetError as exc:
        assert "no dialogue is left for" in str(exc)  # noqa: PT017 - either way is right, each for its reason
        return
    assert len(split.places) == len(dialogues)
    assert split.places.count(None) == sum(split.dropped.values())
    assert set(split.places) - {None} == set(SHARES)
    called = {
        name: {tool for place, d in zip(split.places, dialogues, strict=True) if place == name for tool in d.called}
        for name in SHARES
    }
    for place, dialogue in zip(split.places, dialogues, strict=True):
        if place is None:
            continue
        offered = dialogue.offered - split.withheld(place)
        assert dialogue.called <= offered
        seen = dialogue.called | dialogue.shown | offered
        assert not seen & (called["test"] if place != "test" else set())
        assert not seen & (called["validation"] if place == "train" else set())
        assert offered or not dialogue.offered


def test_a_part_grows_along_dialogues_so_that_little_is_lost():
    rng = random.Random(1)
    fields = [[f"field{field}_{tool}" for tool in range(6)] for field in range(20)]
    dialogues = [Footprint(frozenset(called), frozenset(), frozenset(called)) for called in draw_fields(fields, rng)]
    split = split_by_tool(dialogues, {"train": 0.8, "validation": 0.1, "test": 0.1}, random.Random(0))
    sizes = Counter(split.places)
    kept = sum(sizes[name] for name in ("train", "validation", "test"))
    assert kept >= 0.85 * len(dialogues)
    assert sizes["test"] == pytest.approx(0.1 * kept, rel=0.35)
    assert sizes["validation"] == pytest.approx(0.1 * kept, rel=0.35)


def draw_fields(fields, rng):
    """Five hundred dialogues over fields of six tools; one in twenty crosses into another field."""
    for _ in range(500):
        called = rng.sample(rng.choice(fields), rng.randint(1, 3))
        yield [*called, rng.choice(rng.choice(fields))] if rng.random() < 0.05 else called


def test_the_search_is_no_tool_of_a_split_but_what_it_shows_is():
    call = {"id": "c", "type": "function", "function": {"name": SEARCH_TOOLS.name, "arguments": "{}"}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": json.dumps({"tools": [{"name": "found"}]})},
    ]
    footprint = read_footprint(messages, [SEARCH_TOOLS.to_openai(), {"name": "plain"}])
    assert footprint == Footprint(frozenset(), frozenset({"found"}), frozenset({"plain"}))


def test_tools_that_are_always_called_together_cannot_be_split(tmp_path, capsys):
    row = {
        "messages": [
            {"role": "user", "content": "Both, please."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}} for name in "ab"
                ],
            },
        ],
        "tools": [{"type": "function", "function": {"name": name, "parameters": {}}} for name in "ab"],
    }
    (tmp_path / "all.jsonl").write_text((json.dumps(row) + "\n") * 5, encoding="utf-8")
    code = export(tmp_path / "all.jsonl", "-f", "openai", "-o", tmp_path / "out", "--split", "train=0.5,test=0.5")
    assert code == 1
    said = capsys.readouterr().err
    assert "the 5 dialogues call 2 tools, too much entwined" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ("train=1", "at least one of validation and test"),
        ("train=0.8,test=0.1", "add up to 1"),
        ("train=0.8,dev=0.2", "not 'dev'"),
        ("train=a,test=0.2", "'a' is no number"),
        ("train=1.5,test=-0.5", "above 0"),
        ("test=0.5,validation=0.5", "train, and at least one"),
    ],
)
def test_a_split_that_makes_no_sense_is_wrong_usage(tmp_path, capsys, split, said):
    assert export(tmp_path, "-f", "trl", "-o", tmp_path / "out", "--split", split) == 2
    assert said in capsys.readouterr().err
