"""Looking back: the steps of a dialogue, and what comes of it when it goes on from one with something changed."""

import asyncio
import json
import shutil

import pytest

from endpoint import Endpoint
from players import Players
from runs import copy_catalog, read_files, read_rows, run_all
from toolflow_graph.cli.app import main
from toolflow_graph.errors import RunError, SettingsError
from toolflow_graph.runner.replay import open_replay
from toolflow_graph.settings import parse_settings


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    catalog = copy_catalog(tmp_path_factory.mktemp("catalog"))
    run_all(folder, catalog=catalog, dialogues=3, seed=7, patterns=("sequential", "single"))
    return folder


@pytest.fixture(autouse=True)
def untouched(run_folder):
    """A look back changes nothing in the run, whatever is tried."""
    before = read_files(run_folder), (run_folder / "checkpoints.sqlite").read_bytes()
    yield
    assert (read_files(run_folder), (run_folder / "checkpoints.sqlite").read_bytes()) == before


@pytest.fixture
def toolflow(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return run


def look(folder, dialogue, act):
    async def work():
        async with open_replay(folder, dialogue) as replay:
            return await act(replay)

    return asyncio.run(work())


async def list_steps(replay):
    return replay.steps


async def find_record(replay):
    return replay.record


@pytest.mark.parametrize("name", ["1", "s7-000001"])
def test_steps_are_those_of_the_state_machine(run_folder, name):
    steps = look(run_folder, name, list_steps)
    nodes = [step.node for step in steps]
    assert nodes[:5] == [None, "sampler", "planner", "user", "assistant"]
    assert nodes[-2:] == ["user", "validator"]
    assert [step.number for step in steps] == list(range(len(steps)))
    assert [step.next for step in steps] == [*nodes[1:], None]
    row = read_rows(run_folder / "dialogues.jsonl")[1]
    assert sum(len(step.said) for step in steps) == len(row["messages"])
    assert look(run_folder, name, find_record).model_dump(mode="json") == row


def test_a_fork_without_changes_comes_out_the_same(run_folder):
    row = read_rows(run_folder / "dialogues.jsonl")[2]
    for number in (0, 1, 4, 9):
        fork = look(run_folder, "2", lambda replay, number=number: replay.fork(number, {}))
        assert fork.record.model_dump(mode="json") == row
        assert fork.spent is None


def test_what_was_said_can_be_changed(run_folder):
    async def act(replay):
        number = next(step.number for step in replay.steps if step.node == "tool_simulator")
        return number, replay.step(number), await replay.fork(number, {"user": "Hello.", "result": '{"error": "down"}'})

    number, step, fork = look(run_folder, "0", act)
    row = read_rows(run_folder / "dialogues.jsonl")[0]
    messages = [dict(message) for message in fork.record.messages]
    changed = [m for m, before in zip(messages, row["messages"], strict=False) if m != before]
    assert {"role": "user", "content": "Hello."} in changed
    assert next(m for m in changed if m["role"] == "tool")["content"] == '{"error": "down"}'
    assert len(step.state["messages"]) == number - 1


def test_settings_can_be_changed(run_folder):
    fork = look(run_folder, "0", lambda replay: replay.fork(4, {"max_turns": 1}))
    assert fork.record.usage["turns"] == 1
    assert "addressed" in {finding.check for finding in fork.record.findings}


@pytest.mark.parametrize(
    ("number", "changes", "kind", "told"),
    [
        (99, {}, RunError, r"there is no step 99; s7-000000 has the steps 0 to \d+"),
        (2, {"user": "Hi."}, RunError, "there is no message of the user yet at step 2"),
        (3, {"seed": 3}, SettingsError, "'seed' cannot be changed in a dialogue that has begun; these can: user, "),
        (3, {"max_turns": 0}, SettingsError, "setting 'max_turns'"),
    ],
    ids=["step", "message", "fixed", "wrong"],
)
def test_what_cannot_be_changed(run_folder, number, changes, kind, told):
    with pytest.raises(kind, match=told):
        look(run_folder, "0", lambda replay: replay.fork(number, changes))


def test_models_answer_what_they_are_told_now(tmp_path):
    values = {"cast": "llm", "catalog": copy_catalog(tmp_path / "catalog"), "tools": 8, "seed": 3, "dialogues": 1}
    values |= {"patterns": ("single",), "max_attempts": 1}
    players = Players(parse_settings({**values, "models": {"model": "test-model"}}))

    def answer(body):
        if "Speak up!" in json.dumps(body["messages"]):
            return "I would rather not."
        return players(body)

    with Endpoint(answer) as endpoint:
        models = {"base_url": endpoint.base_url, "model": "test-model", "max_repairs": 0}
        run_all(tmp_path / "run", **values, models=models)
        before = len(endpoint.log)
        spending = (tmp_path / "run" / "spending.jsonl").read_bytes()

        async def act(replay):
            return await replay.fork(3, {"user": "Speak up!"})

        fork = look(tmp_path / "run", "0", act)
        assert fork.record.messages[1] == {"role": "user", "content": "Speak up!"}
        assert any(message.get("content") == "I would rather not." for message in fork.record.messages)
        asked = endpoint.log[before:]
        assert any("Speak up!" in json.dumps(entry.body["messages"]) for entry in asked)
        assert fork.spent.requests == len(asked)
        assert (tmp_path / "run" / "spending.jsonl").read_bytes() == spending


# On the command line


def test_steps_are_shown(run_folder, toolflow):
    code, out, err = toolflow("replay", run_folder, "0")
    assert (code, err) == (0, "")
    for word in ("s7-000000", "sequential", "sampler", "planner", "request 0", "tool_simulator", "→", "←", "accepted"):
        assert word in out


def test_one_state_is_json(run_folder, toolflow):
    code, out, _ = toolflow("replay", run_folder, "0", "--step", 3)
    state = json.loads(out)
    assert (code, state["step"], state["node"], state["next"]) == (0, 3, "user", "assistant")
    assert [message["role"] for message in state["messages"]] == ["system", "user"]
    assert state["plan"]["requests"]


def test_a_fork_is_shown_with_what_is_different(run_folder, toolflow):
    code, out, err = toolflow("replay", run_folder, "0", "--from", 3, "--set", "user=Good morning!")
    assert (code, err) == (0, "")
    assert "+user: Good morning!" in out
    assert "Verdict: accepted before, " in out
    _, out, _ = toolflow("replay", run_folder, "0", "--from", 3)
    assert "From step 3 it came out as before." in out


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["9"], 1, "has no checkpoints of 's7-000009'; give the id or the index of one of its dialogues"),
        (["0", "--set", "user=x"], 2, "give --from STEP too"),
        (["0", "--from", "3", "--step", "3"], 2, "give --step to look at a state, or --from"),
    ],
    ids=["dialogue", "set alone", "both"],
)
def test_bad_options(run_folder, toolflow, options, code, told):
    left, out, err = toolflow("replay", run_folder, *options)
    assert (left, out) == (code, "")
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_run_that_kept_nothing(run_folder, tmp_path, toolflow):
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / "checkpoints.sqlite").unlink()
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    manifest["settings"]["checkpoints"] = "journal"
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    code, _, err = toolflow("replay", tmp_path / "run", "0")
    assert code == 1
    assert "forgets them when a dialogue is written; generate it in a new run with --checkpoints keep" in err
