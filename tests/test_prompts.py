"""Prompts: the bundled files, and a folder of one's own over them."""

import json
import os
import random

import pytest

from runs import read_manifest, read_rows, run_all
from toolflow_graph.errors import ResourceError, RunError, SettingsError
from toolflow_graph.prompts import Prompts
from toolflow_graph.runner import Run, generate
from toolflow_graph.settings import RunSettings

SYSTEM = "Ahoy. It is $date, $time, in $city."


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "assistant_system.md").write_text(SYSTEM)
    return folder


def test_own_prompt_takes_the_place_of_the_bundled_one(own):
    prompts = Prompts(str(own))
    assert prompts.variants("assistant_system") == (SYSTEM,)
    assert prompts.variants("planner") == Prompts().variants("planner")
    assert prompts.fingerprint() != Prompts().fingerprint()


def test_own_sections_leave_the_others_as_they_are(own):
    (own / "patterns.md").write_text("chitchat: a pun.")
    sections = Prompts(str(own)).sections("patterns")
    assert sections["chitchat"] == "a pun."
    assert {**sections, "chitchat": ""} == {**Prompts().sections("patterns"), "chitchat": ""}


def test_edited_prompt_is_read_again(own):
    prompts = Prompts(str(own))
    assert prompts.variants("assistant_system") == (SYSTEM,)
    (own / "assistant_system.md").write_text("Another.\n---\nA third.")
    os.utime(own / "assistant_system.md", ns=(1, 1))
    assert prompts.variants("assistant_system") == ("Another.", "A third.")


def test_missing_values_are_named(own):
    with pytest.raises(ResourceError, match="'assistant_system' needs values for date, time"):
        Prompts(str(own)).fill("assistant_system", random.Random(0), city="Oslo")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("asistant.md", "x", r"asistant\.md is none of the prompts: assistant, assistant_system, "),
        ("user.md", "You are $persona, $mood.", r"user\.md: nothing fills in \$mood; there are \$city, \$date, "),
        (None, "", r"holds no prompt; name the files like these: assistant, "),
    ],
    ids=["unknown prompt", "unknown name", "empty"],
)
def test_wrong_folder_is_refused_at_once(tmp_path, catalog, name, text, message):
    folder = tmp_path / "prompts"
    folder.mkdir()
    if name:
        (folder / name).write_text(text)
    with pytest.raises(SettingsError, match=message):
        Run.start(RunSettings(catalog=catalog, prompts=str(folder)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_run_speaks_by_own_prompts_and_notes_them(tmp_path, catalog, own):
    run_all(tmp_path / "run", catalog=catalog, dialogues=2, prompts=str(own))
    rows = read_rows(tmp_path / "run" / "dialogues.jsonl")
    assert all(row["messages"][0]["content"].startswith("Ahoy. It is ") for row in rows)
    assert read_manifest(tmp_path / "run")["prompts_sha256"] == Prompts(str(own)).fingerprint()


def test_resuming_with_other_prompts_is_refused(tmp_path, catalog, own):
    for _ in generate(out=tmp_path / "run", catalog=catalog, dialogues=4, concurrency=1, prompts=str(own)):
        break
    (own / "assistant_system.md").write_text("Goodbye.")
    os.utime(own / "assistant_system.md", ns=(1, 1))
    with pytest.raises(RunError, match="the prompts have changed since the run was started"):
        Run.resume(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "interrupted"
