"""What models cost: in the manifest and on the screen, over resumed sessions, before a run, and limits that hold."""

import asyncio
import json
import socket
from collections import Counter
from itertools import count

import pytest

from endpoint import Endpoint, QuickClock
from players import Players, recognise_role
from runs import copy_catalog, read_manifest, read_rows
from toolflow_graph.cli.app import main
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.errors import BudgetExceeded, DatasetError, ModelError, RunError, SettingsError
from toolflow_graph.models import ModelSettings
from toolflow_graph.models.answers import Usage
from toolflow_graph.runner import Run
from toolflow_graph.runner.costs import sum_costs
from toolflow_graph.runner.estimate import estimate_run
from toolflow_graph.runner.spending import Spending
from toolflow_graph.settings import parse_settings

MIX = [
    {"share": 1, "patterns": patterns}
    for patterns in (
        ("single", "chitchat"),
        ("sequential", "missing_parameter"),
        ("parallel",),
        ("single", "irrelevant"),
    )
]
PRICES = '[models."test-model"]\nprompt = 2.0\ncompletion = 8.0\n'


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Settings, but for the models, of twelve dialogues which the scripted cast can play behind the endpoint."""
    catalog = copy_catalog(tmp_path_factory.mktemp("catalog"))
    for seed in count():
        values = {"cast": "llm", "catalog": catalog, "mix": MIX, "tools": 8, "seed": seed, "max_attempts": 1}
        if all(Players(settle(values, dialogues)).can_play() for dialogues in (1, 4, 12)):
            return values
    raise AssertionError


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    path = tmp_path_factory.mktemp("prices") / "prices.toml"
    path.write_text(PRICES)
    return str(path)


def settle(values, dialogues=4, **models):
    return parse_settings({**values, "dialogues": dialogues, "models": models})


def reach(endpoint, **models):
    return {"base_url": endpoint.base_url, "model": "test-model", "patience_s": 2, "timeout_s": 20, **models}


def finish(run, on_event=None):
    """Play a run to its end and close it; returns the records of this session."""

    async def exhaust():
        return [record async for record in run.play(on_event)]

    try:
        return asyncio.run(exhaust())
    finally:
        run.close()


def count_paid(endpoint):
    """Return requests and tokens of everything that the endpoint has answered, probes included."""
    paid = [entry for entry in (*endpoint.log, *endpoint.probes) if entry.status == 200]
    return len(paid), sum(entry.tokens for entry in paid)


@pytest.fixture
def toolflow(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return run


# In the manifest and on the screen


def test_the_manifest_holds_what_the_endpoint_was_asked(plain, prices, tmp_path):
    with Endpoint(Players(settle(plain))) as endpoint:
        finish(Run.start(settle(plain, **reach(endpoint, prices=prices)), tmp_path / "run"))
    costs = read_manifest(tmp_path / "run")["costs"]
    requests, tokens = count_paid(endpoint)
    total = costs["total"]
    assert (total["requests"], total["prompt"] + total["completion"]) == (requests, tokens)
    assert total["cost"] == pytest.approx((total["prompt"] * 2 + total["completion"] * 8) / 1e6, abs=1e-6)
    roles = {role: spent["requests"] for role, spent in costs["roles"].items()}
    assert roles == {**Counter(recognise_role(entry.body) for entry in endpoint.log), "probe": len(endpoint.probes)}
    assert list(roles) == ["planner", "user", "assistant", "tool", "probe"]
    assert costs["models"] == {"test-model": total}
    assert costs["per_dialogue"] == costs["per_accepted"]
    assert costs["per_accepted"]["cost"] == pytest.approx(total["cost"] / 4, abs=1e-6)
    assert (costs["estimated"], costs["refused"], costs["without_price"]) == (0, 0, [])
    entries = read_rows(tmp_path / "run" / "spending.jsonl")
    assert sum(entry["usage"].get("requests", 0) for entry in entries) == requests


def test_rejected_dialogues_are_paid_for_by_the_accepted_ones(plain, prices, tmp_path):
    players = Players(settle(plain))

    def answer(body):
        role, index = players.recognise(body)
        return "I like turtles." if (role, index) == ("user", 1) else players(body)

    with Endpoint(answer) as endpoint:
        run = Run.start(settle(plain, **reach(endpoint, prices=prices, max_repairs=1)), tmp_path / "run")
        with pytest.raises(RunError):
            finish(run)
    manifest = read_manifest(tmp_path / "run")
    costs = manifest["costs"]
    assert (manifest["counts"]["accepted"], manifest["counts"]["rejected"]) == (3, 1)
    assert costs["refused"] == 2
    assert costs["total"]["requests"] == count_paid(endpoint)[0]
    assert costs["per_accepted"]["cost"] == pytest.approx(costs["per_dialogue"]["cost"] * 4 / 3, rel=1e-4)
    (row,) = read_rows(tmp_path / "run" / "rejected.jsonl")
    assert [entry["requests"] for entry in row["spent"] if entry["agent"] == "user"] == [2]


def test_scripted_runs_tell_nothing_of_costs(plain, tmp_path, toolflow):
    code, out, _ = toolflow("generate", "-n", 1, "--catalog", plain["catalog"], "--out", tmp_path / "run")
    assert code == 0
    assert "Models" not in out
    assert read_manifest(tmp_path / "run")["costs"] is None
    assert not (tmp_path / "run" / "spending.jsonl").exists()


def write_settings(tmp_path, plain, dialogues=4):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**plain, "dialogues": dialogues}))
    return path


def test_the_summary_shows_costs_and_never_takes_an_unknown_one_for_nothing(plain, prices, tmp_path, toolflow):
    settings = write_settings(tmp_path, plain)
    with Endpoint(Players(settle(plain)), usage=False) as endpoint:
        options = ["--settings", settings, "--base-url", endpoint.base_url, "--model", "test-model"]
        code, out, err = toolflow("generate", *options, "--out", tmp_path / "run")
    assert (code, err) == (0, "")
    for words in ("planner", "tool", "in all", "per dialogue", "per accepted dialogue", "unknown"):
        assert words in out
    assert "cost unknown: no price for model 'test-model'; give --prices FILE" in out
    assert "tokens of 100% of the requests are estimated" in out
    assert "$0" not in out
    costs = read_manifest(tmp_path / "run")["costs"]
    assert (costs["total"]["cost"], costs["per_accepted"]["cost"], costs["without_price"]) == (
        None,
        None,
        ["test-model"],
    )

    code, out, err = toolflow("generate", "--resume", tmp_path / "run", "--prices", prices)
    assert (code, err) == (0, "")
    assert "unknown" not in out
    manifest = read_manifest(tmp_path / "run")
    assert manifest["costs"]["total"]["cost"] > 0
    assert manifest["settings"]["models"]["prices"] == prices


def test_a_wrong_price_list_is_told_in_one_line(plain, tmp_path, toolflow):
    path = tmp_path / "prices.toml"
    path.write_text("[models.m]\nprompt = 1\n")
    options = ["--catalog", plain["catalog"], "--model", "m", "--base-url", "http://127.0.0.1:1/v1"]
    code, _, err = toolflow("generate", *options, "--prices", path, "--out", tmp_path / "run")
    assert code == 1
    assert 'completion: Field required; an entry is [models."NAME"] with prompt = 2.0' in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


# Over several sessions


def test_costs_and_limits_are_those_of_all_sessions(plain, tmp_path):
    with Endpoint(Players(settle(plain))) as endpoint:
        settings = settle({**plain, "concurrency": 2}, **reach(endpoint))
        run = Run.start(settings, tmp_path / "run")
        finish(run, lambda event: event.counts.done == 1 and run.stop())
        assert run.stopped
        spent = count_paid(endpoint)
        total = run.account.ledger.total
        assert (total.requests, total.tokens) == spent

        with pytest.raises(BudgetExceeded, match=f"{spent[1]:,} spent"):
            finish(Run.resume(tmp_path / "run", models={"max_tokens": spent[1]}))
        assert count_paid(endpoint) == spent
        assert read_manifest(tmp_path / "run")["settings"]["models"]["max_tokens"] == spent[1]

        finish(Run.resume(tmp_path / "run", models={"max_tokens": 10**9}))
    manifest = read_manifest(tmp_path / "run")
    total = manifest["costs"]["total"]
    assert manifest["counts"]["accepted"] == 4
    assert (total["requests"], total["prompt"] + total["completion"]) == count_paid(endpoint)


def test_what_a_killed_run_has_paid_for_is_not_forgotten(plain, tmp_path):
    """The process is gone in the middle of a dialogue: no step of it was saved, and a line of the file is torn."""
    with Endpoint(Players(settle(plain))) as endpoint:
        run = Run.start(settle(plain, **reach(endpoint)), tmp_path / "run")
        charge = run.account.ledger.add("planner", "test-model", Usage(requests=1, prompt=700, completion=70), "0-0")
        run.folder.close()
        with (tmp_path / "run" / "spending.jsonl").open("a") as file:
            file.write('{"role": "user", "mod')
        finish(Run.resume(tmp_path / "run"))
    total = read_manifest(tmp_path / "run")["costs"]["total"]
    requests, tokens = count_paid(endpoint)
    assert total["requests"] == requests + charge.requests
    assert total["prompt"] + total["completion"] == tokens + charge.tokens


def test_a_damaged_entry_is_named(tmp_path):
    (tmp_path / "spending.jsonl").write_text('{"role": "user"}\n')
    with pytest.raises(DatasetError, match=r"spending\.jsonl, line 1: no entry .* delete the line"):
        Spending.open(ModelSettings(model="m"), tmp_path)


def test_runs_at_once_pay_for_themselves(plain):
    """Two runs with the same models share connections, and nothing else."""
    players = Players(settle(plain))
    with Endpoint(players) as endpoint:
        settings = settle(plain, **reach(endpoint))
        runs = [Run.start(settings), Run.start(settings)]

        async def exhaust(run):
            return [record async for record in run.play()]

        async def both():
            return await asyncio.gather(*(exhaust(run) for run in runs))

        records = asyncio.run(both())
    for run, played in zip(runs, records, strict=True):
        spent = sum(entry["requests"] for record in played for entry in record.spent)
        ledger = run.account.ledger
        assert sum(usage.requests for role, usage in ledger.group("role").items() if role != "probe") == spent
    assert load_stage(settings).client.ledger.total == Usage()


@pytest.mark.parametrize("option", ["--model", "--assistant-model"])
def test_models_cannot_be_changed_on_the_way(tmp_path, toolflow, option):
    code, _, err = toolflow("generate", "--resume", tmp_path, option, "x")
    assert code == 2
    assert f"{option} cannot be given with --resume" in err


def test_only_what_makes_no_other_dialogues_can_be_changed(plain, tmp_path):
    with Endpoint(Players(settle(plain, 1))) as endpoint:
        finish(Run.start(settle(plain, 1, **reach(endpoint)), tmp_path / "run"))
    with pytest.raises(SettingsError, match=r"'temperature' of models cannot be changed .* max_cost"):
        Run.resume(tmp_path / "run", models={"temperature": 1.0})


def test_rules_take_no_limits(plain, tmp_path, toolflow):
    toolflow("generate", "-n", 1, "--catalog", plain["catalog"], "--out", tmp_path / "run", "--quiet")
    code, _, err = toolflow("generate", "--resume", tmp_path / "run", "--max-cost", 1)
    assert (code, err) == (1, "toolflow: setting 'max_cost' is for models, and this run is played by rules\n")


def test_a_run_at_its_limit_goes_on_as_it_is_told(plain, tmp_path, toolflow):
    settings = write_settings(tmp_path, plain)
    folder = tmp_path / "run"
    with Endpoint(Players(settle(plain))) as endpoint:
        options = ["--settings", settings, "--base-url", endpoint.base_url, "--model", "test-model", "--out", folder]
        code, out, err = toolflow("generate", *options, "--max-tokens", 60_000)
        assert code == 1
        assert "max_tokens 60,000" in err
        assert err.endswith(f"go on with a higher --max-tokens: toolflow generate --resume {folder} --max-tokens …\n")
        assert "in all" in out
        assert count_paid(endpoint)[1] <= 60_000
        assert toolflow("generate", "--resume", folder, "--max-tokens", 10**9, "--quiet") == (0, "", "")
    assert read_manifest(folder)["counts"]["accepted"] == 4


# A run that fails at its beginning leaves nothing; later it is kept


def generate(toolflow, plain, tmp_path, *options):
    given = ["--settings", write_settings(tmp_path, plain, 1), "--out", tmp_path / "run", "--quiet"]
    return toolflow("generate", *given, "--set", "models.patience_s=1", *options)


def test_what_never_began_is_removed(plain, tmp_path, toolflow, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        nowhere = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    with Endpoint(Players(settle(plain, 1)), key="right") as endpoint:
        there = ["--base-url", endpoint.base_url]
        monkeypatch.setenv("OPENAI_API_KEY", "wrong-0123456789")
        monkeypatch.setenv("RIGHT_KEY", "right")
        wrong = {
            "refuses the key": ["--model", "test-model", *there],
            "has no model 'gpt-99'": [
                "--model",
                "test-model",
                "--tool-model",
                "gpt-99",
                *there,
                "--key-env",
                "RIGHT_KEY",
            ],
            "cannot be reached": ["--model", "test-model", "--base-url", nowhere],
            "no price is known": ["--model", "test-model", *there, "--key-env", "RIGHT_KEY", "--max-cost", 1],
        }
        for told, options in wrong.items():
            code, _, err = generate(toolflow, plain, tmp_path, *options)
            assert (code, told in err, len(err.splitlines())) == (1, True, 1), err
            assert not (tmp_path / "run").exists()
        assert endpoint.log == []
        options = ["--model", "test-model", *there, "--key-env", "RIGHT_KEY"]
        assert generate(toolflow, plain, tmp_path, *options) == (0, "", "")


def test_what_has_begun_is_kept_and_goes_on_elsewhere(plain, tmp_path, toolflow):
    folder, players = tmp_path / "run", Players(settle(plain, 1))
    with Endpoint(players, script=dict.fromkeys(range(3, 99), "quota")) as endpoint:
        code, _, err = generate(toolflow, plain, tmp_path, "--model", "test-model", "--base-url", endpoint.base_url)
    assert code == 1
    assert "no credit left (429: You exceeded your current quota); add some, or use another key; go on with: " in err
    assert err.endswith(f"toolflow generate --resume {folder}\n")
    assert read_manifest(folder)["costs"]["total"]["requests"] > 3
    with Endpoint(players) as other:
        done = toolflow("generate", "--resume", folder, "--base-url", other.base_url, "--quiet")
    assert done == (0, "", "")
    assert {recognise_role(entry.body) for entry in other.log} == {"user", "assistant", "tool"}
    assert read_manifest(folder)["settings"]["models"]["base_url"] == other.base_url


# A request that fails for ever


@pytest.mark.parametrize("concurrency", [1, 4])
def test_one_request_that_keeps_failing_costs_one_dialogue(plain, tmp_path, concurrency):
    players = Players(settle(plain))

    def spoil(body):
        return "500" if players.recognise(body) == ("assistant", 2) else None

    with Endpoint(players, spoil=spoil) as endpoint:
        settings = settle({**plain, "concurrency": concurrency}, **reach(endpoint, patience_s=60))
        load_stage(settings).client._clock = QuickClock()
        with pytest.raises(RunError, match="given up after 1 attempt"):
            finish(Run.start(settings, tmp_path / "run"))
    assert [row["index"] for row in read_rows(tmp_path / "run" / "dialogues.jsonl")] == [0, 1, 3]
    (row,) = read_rows(tmp_path / "run" / "rejected.jsonl")
    (finding,) = row["findings"]
    assert (row["index"], finding["check"]) == (2, "endpoint")
    assert "one request to model 'test-model' has failed for" in finding["message"]


def test_an_endpoint_that_dies_stops_the_run(plain, tmp_path):
    players = Players(settle(plain))
    with Endpoint(players) as endpoint:
        settings = settle({**plain, "concurrency": 2}, **reach(endpoint, patience_s=60))
        load_stage(settings).client._clock = QuickClock()

        def die(event):
            if event.counts.done == 1:
                endpoint.storm, endpoint.down = {"500": 1.0}, True

        with pytest.raises(ModelError, match=r"has failed for \d+ s"):
            finish(Run.start(settings, tmp_path / "run"), die)
        assert read_manifest(tmp_path / "run")["status"] == "interrupted"
        assert read_rows(tmp_path / "run" / "rejected.jsonl") == []
        endpoint.storm, endpoint.down = {}, False
        finish(Run.resume(tmp_path / "run"))
    assert read_manifest(tmp_path / "run")["counts"]["accepted"] == 4


# Before the run


def test_an_estimate_holds_what_the_run_then_takes(plain, prices, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Endpoint(Players(settle(plain, 12))) as endpoint:
        settings = settle(plain, 12, **reach(endpoint, prices=prices))
        estimate = asyncio.run(estimate_run(settings))
        tried = count_paid(endpoint)
        asked = Counter(recognise_role(entry.body) for entry in endpoint.log)
        run = Run.start(settings)
        finish(run)
    assert list(tmp_path.iterdir()) == []
    spent = estimate.trial.spent
    assert (spent.requests, spent.prompt + spent.completion) == tried
    assert asked["planner"] == 2 * estimate.trial.begun
    assert 3 <= estimate.trial.begun <= 6
    assert estimate.trial.ended == 1
    costs = sum_costs(run.account.ledger, done=run.counts.done, accepted=run.counts.accepted)
    for name in ("requests", "prompt", "completion", "cost"):
        span = getattr(estimate, name)
        assert span.low <= getattr(costs.total, name) <= span.high, name
        assert span.high < 3 * span.low
    for role, share in estimate.roles.items():
        assert share.prompt == pytest.approx(costs.roles[role].prompt / 12, rel=0.6)
    assert estimate.patterns["single"] == 6
    assert set(estimate.patterns.values()) == {6, 3}


def test_dry_run_with_models(plain, prices, tmp_path, toolflow):
    settings = write_settings(tmp_path, plain, 60)
    before = sorted(tmp_path.iterdir())
    with Endpoint(Players(settle(plain, 60)), models=("test-model", "other-model")) as endpoint:
        options = ["--settings", settings, "--base-url", endpoint.base_url, "--model", "test-model", "--dry-run"]
        code, out, err = toolflow("generate", *options, "--prices", prices, "--max-cost", 2, "--max-tokens", 10**9)
        assert (code, err) == (0, "")
        for words in ("prompt tokens", "completion tokens", "cost", "time", "disk", "planner", "Nothing was kept"):
            assert words in out
        assert "--max-cost would stop the run after about" in out
        code, out, err = toolflow("generate", *options, "--user-model", "test-model,other-model", "--prices", prices)
        assert "cost unknown: no price for model 'other-model'; give --prices FILE" in out
        assert "stop the run" not in out
    assert sorted(tmp_path.iterdir()) == before


def test_dry_run_keeps_to_the_budget(plain, toolflow, tmp_path):
    settings = write_settings(tmp_path, plain)
    with Endpoint(Players(settle(plain))) as endpoint:
        options = ["--settings", settings, "--base-url", endpoint.base_url, "--model", "test-model", "--dry-run"]
        code, _, err = toolflow("generate", *options, "--max-tokens", 9000)
    assert code == 1
    assert "the budget is used up" in err
    assert count_paid(endpoint)[1] <= 9000


def test_dry_run_with_rules(plain, tmp_path, toolflow, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = toolflow("generate", "--dry-run", "-n", 500, "--catalog", plain["catalog"])
    assert (code, err) == (0, "")
    for words in ("500 accepted dialogues", "time", "disk", "each", "sequential", "60%"):
        assert words in out
    assert "tokens" not in out
    assert list(tmp_path.iterdir()) == []


def test_dry_run_begins_nothing_that_could_be_resumed(tmp_path, toolflow):
    code, _, err = toolflow("generate", "--dry-run", "--resume", tmp_path)
    assert code == 2
    assert "--dry-run cannot be given with --resume" in err


def test_dry_run_says_when_the_model_is_no_use(plain, toolflow, tmp_path):
    settings = write_settings(tmp_path, plain)
    with Endpoint(lambda _: "I like turtles.") as endpoint:
        options = ["--settings", settings, "--base-url", endpoint.base_url, "--model", "test-model", "--dry-run"]
        code, out, err = toolflow("generate", *options)
    assert (code, err) == (0, "")
    assert "a rough estimate: a dialogue that was tried broke off, planner: ModelOutputError" in out
