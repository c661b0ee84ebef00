"""`toolflow evaluate` on runs and on foreign files, and what it says of broken ones."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from runs import copy_catalog
from toolflow_graph.cli.app import main
from toolflow_graph.cli.evaluate import evaluate_app
from toolflow_graph.evaluation import Evaluation

CHAT = {"messages": [{"role": "user", "content": "Hello there, you?"}, {"role": "assistant", "content": "Fine."}]}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "demo"
    catalog = copy_catalog(tmp_path_factory.mktemp("catalog"))
    with pytest.raises(SystemExit) as left:
        main(["generate", "--dialogues", "12", "--seed", "7", "--catalog", catalog, "--out", str(folder), "--quiet"])
    assert left.value.code == 0
    return folder


@pytest.fixture
def toolflow(capsys, monkeypatch):
    """Run the command in this process; returns exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return run


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "chat.jsonl"
    path.write_text("".join(json.dumps(CHAT) + "\n" for _ in range(3)))
    return path


def test_a_run_is_evaluated_with_its_quota_and_catalog(toolflow, run_folder, tmp_path):
    out, report = tmp_path / "new" / "out.json", tmp_path / "out.md"
    code, printed, _ = toolflow("evaluate", run_folder, "--json", out, "--markdown", report, "--ss-sample", 3)
    assert code == 0
    for title in ("Structure", "Coherence", "Diversity", "Signatures of failure", "Quota of", "Worst of"):
        assert title in printed
    written = json.loads(out.read_text())
    assert written["comparisons"] == []
    (evaluation,) = (Evaluation.model_validate(entry) for entry in written["evaluations"])
    assert evaluation.source == str(run_folder)
    assert evaluation.dialogues == 12
    assert 0 < evaluation["catalog_coverage"].value < 1
    assert "a random sample of 3 of the 12 dialogues" in evaluation["ss"].note
    assert evaluation["enr"].value is None
    assert "--nli-model" in evaluation["enr"].note
    (patterns,) = (d for d in evaluation.distributions if d.key == "patterns")
    assert all(part.count == part.expected for part in patterns.bins)
    assert "| SS, semantic similarity |" in report.read_text()


def test_files_side_by_side(toolflow, run_folder, foreign, tmp_path):
    out = tmp_path / "out.json"
    code, printed, _ = toolflow("evaluate", run_folder, foreign, "--json", out, "--ss-sample", 2, "--examples", 0)
    assert code == 0
    assert "difference" in printed
    assert "Worst of" not in printed
    (comparison,) = json.loads(out.read_text())["comparisons"]
    assert comparison["source"] == str(foreign)
    turns = next(d for d in comparison["differences"] if d["key"] == "turns_per_dialogue")
    assert turns["note"] == "fewer than 10 dialogues to judge by"


def test_foreign_file_without_tools(toolflow, foreign):
    code, printed, _ = toolflow("evaluate", foreign, "--ss-sample", 1)
    assert code == 0
    assert "not measured: no tools are offered" in printed
    assert "Quota" not in printed


BROKEN = {
    "empty": ("", r"there are no dialogues in it"),
    "no JSON": ("{", r"line 1: not JSON Lines"),
    "no messages": ('{"tools": []}', r"line 1: no 'messages'"),
    "second line": (json.dumps(CHAT) + "\n{\n", r"line 2: not JSON"),
    "binary": ("\x00\x01", r"line 1: not JSON"),
}


@pytest.mark.parametrize(("content", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_files_are_one_line(toolflow, tmp_path, content, said):
    path = tmp_path / "broken.jsonl"
    path.write_text(content)
    code, _, error = toolflow("evaluate", path)
    assert code == 1
    assert error.count("\n") == 1
    assert re.search(said, error)


def test_missing_file_is_one_line(toolflow, tmp_path):
    code, _, error = toolflow("evaluate", tmp_path / "nothing.jsonl")
    assert code == 1
    assert error.count("\n") == 1
    assert "cannot be read" in error


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--base-url", "http://127.0.0.1:1/v1"), 2, "name it by --nli-judge"),
        pytest.param(("--nli-model", "no/such/folder"), 1, "cannot be loaded", marks=pytest.mark.slow),
        (("--encoder", "/no/such/encoder"), 1, "encoder"),
        (("--ss-sample", "-1"), 2, "--ss-sample"),
        (("--catalog", "no_such.json"), 1, "no_such.json"),
    ],
    ids=["address without model", "no NLI model", "no encoder", "negative sample", "no catalog"],
)
def test_wrong_options_are_one_line(toolflow, foreign, arguments, code, said):
    left, _, error = toolflow("evaluate", foreign, *arguments)
    assert left == code
    assert error.strip().count("\n") == 0
    assert said in error


def test_output_does_not_overwrite_what_is_evaluated(toolflow, foreign):
    before = foreign.read_text()
    code, _, error = toolflow("evaluate", foreign, "--json", foreign, "--ss-sample", 1)
    assert code == 1
    assert "is a file that is being evaluated" in error
    assert foreign.read_text() == before


def test_help_and_subcommands():
    app = typer.Typer()
    app.add_typer(evaluate_app, name="evaluate")
    app.command("other")(lambda: None)

    @evaluate_app.command("rate-for-the-test")
    def rate(name: str) -> None:
        typer.echo(f"rated {name}")

    try:
        runner = CliRunner()
        assert runner.invoke(app, ["evaluate", "rate-for-the-test", "x"]).output == "rated x\n"
        shown = runner.invoke(app, ["evaluate", "--help"]).output
        assert "--ss-sample" in shown
        assert "rate-for-the-test" in shown
        assert "measure" not in re.findall(r"^│ (\S+)", shown, re.MULTILINE)
    finally:
        evaluate_app.registered_commands.pop()


def test_without_arguments_the_help_is_shown(toolflow):
    code, printed, error = toolflow("evaluate")
    assert code in (0, 2)
    assert "--nli-model" in printed + error
