"""The command line: what it prints, and that a user's mistake is one line with its mend."""

import importlib.metadata
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from runs import read_files, read_manifest, read_rows
from toolflow_graph.cli.app import main

COMMAND = [sys.executable, "-c", "from toolflow_graph.cli import main; main()"]


@pytest.fixture(scope="module")
def run_folder(catalog, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "demo"
    with pytest.raises(SystemExit) as left:
        main(["generate", "--dialogues", "8", "--seed", "7", "--catalog", catalog, "--out", str(folder), "--quiet"])
    assert left.value.code == 0
    return folder


@pytest.fixture
def toolflow(capsys):
    """Run the command in this process; returns exit code, standard output and standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return run


def write_tools(path, *tools):
    path.write_text(json.dumps(list(tools)))
    return path


def tool(name, **changes):
    return {"name": name, "description": "Does it.", "parameters": {"type": "object", "properties": {}}, **changes}


BAD_CATALOGS = {
    "not JSON": ("{", r"tools.json: not JSON"),
    "no name": ([{"description": "x"}], "tools.json: entry 1 has no 'name'; every tool needs one"),
    "duplicate": ([tool("a"), tool("a")], "tools.json: tool 'a' is already defined in"),
    "bad schema": (
        [tool("a", parameters={"type": "object", "properties": {"x": {"type": "string", "enum": "y"}}})],
        "tools.json: tool 'a': 'parameters' is not a valid JSON Schema at $.properties.x.enum",
    ),
    "empty": ([], "holds no tool"),
}


@pytest.mark.parametrize("name", BAD_CATALOGS)
def test_bad_catalog(tmp_path, toolflow, name):
    content, message = BAD_CATALOGS[name]
    path = tmp_path / "tools.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    code, out, err = toolflow("generate", "--catalog", path, "--out", tmp_path / "run")
    assert_one_line(code, out, err, 1)
    assert message in err
    assert not (tmp_path / "run").exists()


def assert_one_line(code, out, err, expected):
    assert code == expected
    assert out == ""
    assert err.startswith("toolflow: ")
    assert len(err.splitlines()) == 1


BAD_OPTIONS = {
    "tau above one": (["--tau", "1.5"], 1, "setting 'tau'"),
    "tau is zero": (["--tau", "0"], 1, "setting 'tau'"),
    "no dialogues": (["--dialogues", "0"], 1, "setting 'dialogues'"),
    "unknown setting": (["--set", "taw=0.8"], 1, "unknown setting 'taw'; known are:"),
    "setting without value": (["--set", "tau"], 2, "write KEY=VALUE"),
    "no number": (["--dialogues", "many"], 2, "Invalid value for '--dialogues'"),
    "unknown option": (["--dialogs", "3"], 2, "No such option"),
    "unknown strategy": (["--strategy", "run"], 1, "setting 'strategy'"),
    "missing catalog": (["--catalog", "nowhere.json"], 1, "nowhere.json' does not exist; give a file of tools"),
    "missing settings file": (["--settings", "nowhere.toml"], 1, "nowhere.toml: cannot be read"),
    "unknown encoder": (["--encoder", "no/such-encoder"], 1, "no/such-encoder"),
    "requests out of order": (["--min-requests", "5", "--max-requests", "2"], 1, "min_requests (5) is above"),
    "resume with an option": (["--resume", "somewhere", "--tau", "0.9"], 2, "cannot be given with --resume"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options(tmp_path, toolflow, name):
    options, expected, message = BAD_OPTIONS[name]
    where = [] if "--resume" in options else ["--out", tmp_path / "run"]
    code, out, err = toolflow("generate", *where, *options)
    assert_one_line(code, out, err, expected)
    assert message in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [["generate"], ["generat"], ["export", "x", "--out", "y"], ["validate"], ["graph", "show"]],
    ids=" ".join,
)
def test_wrong_usage(toolflow, arguments):
    code, out, err = toolflow(*arguments)
    assert_one_line(code, out, err, 2)
    assert "--help`" in err


def test_more_tools_than_reachable(tmp_path, toolflow):
    path = write_tools(tmp_path / "tools.json", tool("one"), tool("two"))
    code, out, err = toolflow("generate", "--catalog", path, "--tools", 2, "--out", tmp_path / "run")
    assert_one_line(code, out, err, 1)
    assert "2" in err


def test_folder_that_holds_a_run(run_folder, toolflow):
    before = read_files(run_folder)
    code, out, err = toolflow("generate", "--out", run_folder)
    assert_one_line(code, out, err, 1)
    assert f"already holds a run; go on with it by --resume {run_folder}, or name another folder" in err
    assert read_files(run_folder) == before


def test_resume_of_what_is_no_run(tmp_path, toolflow):
    code, out, err = toolflow("generate", "--resume", tmp_path)
    assert_one_line(code, out, err, 1)
    assert "is not a run: it has no manifest.json" in err


def test_folder_that_cannot_be_written(tmp_path, toolflow):
    """/sys refuses even root; a file stands where the folder should be."""
    for folder in ("/sys/run", tmp_path / "file" / "run"):
        (tmp_path / "file").touch()
        code, out, err = toolflow("generate", "--out", folder)
        assert_one_line(code, out, err, 1)
        assert f"cannot write to {folder}: " in err
        assert "name another folder" in err


def limit_files(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(("checkpoints", "size"), [("keep", 300_000), ("none", 50_000)], ids=["SQLite", "lines"])
def test_full_disk_keeps_what_is_finished(tmp_path, catalog, toolflow, checkpoints, size):
    """A limit on the size of files stands for the end of the disk; embeddings are in their cache before."""
    folder = tmp_path / "run"
    options = ["--dialogues", "24", "--seed", "11", "--concurrency", "4", "--set", f"checkpoints={checkpoints}"]
    assert toolflow("generate", "--catalog", catalog, "--out", tmp_path / "before", *options, "--quiet") == (0, "", "")
    command = [*COMMAND, "generate", "--catalog", catalog, "--out", str(folder), *options]
    full = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit_files(size))
    assert_one_line(full.returncode, full.stdout, full.stderr, 1)
    assert f"cannot write to {folder}: " in full.stderr
    assert f"all finished dialogues are kept: make room, then --resume {folder}" in full.stderr
    kept = read_rows(folder / "dialogues.jsonl")
    assert read_manifest(folder)["status"] == "interrupted"
    assert toolflow("generate", "--resume", folder, "--quiet") == (0, "", "")
    rows = read_rows(folder / "dialogues.jsonl")
    assert all(row in rows for row in kept)
    assert len(rows) + len(read_rows(folder / "rejected.jsonl")) == 24


def test_generate_shows_what_it_made(tmp_path, catalog, toolflow):
    folder = tmp_path / "run"
    code, out, err = toolflow("generate", "-n", 8, "--seed", 7, "--catalog", catalog, "-o", folder)
    assert (code, err) == (0, "")
    for word in ("accepted", "rejected", "user turns", "tool calls", "seconds", "sequential", "assistant", "→", "←"):
        assert word in out
    for line in (f"toolflow validate {folder}", f"toolflow export {folder} --format trl", "toolflow graph show "):
        assert line in out
    for name in ("dialogues.jsonl", "manifest.json", "checkpoints.sqlite"):
        assert str(folder / name) in out


def test_settings_come_in_order(tmp_path, catalog, toolflow):
    """Options win over --set, --set over the file, the file over the defaults."""
    file = tmp_path / "run.toml"
    file.write_text(f'dialogues = 1\nseed = 1\nmax_turns = 11\ndistractors = 1\ncatalog = "{catalog}"\n')
    options = ["--settings", file, "--set", "seed=2", "--set", "max_turns=12", "--seed", "3"]
    assert toolflow("generate", *options, "--out", tmp_path / "run", "--quiet") == (0, "", "")
    settings = read_manifest(tmp_path / "run")["settings"]
    assert [settings[name] for name in ("seed", "max_turns", "distractors", "tools")] == [3, 12, 1, 5]


def test_resume_of_a_complete_run_changes_nothing(run_folder, toolflow):
    before = read_files(run_folder)
    assert toolflow("generate", "--resume", run_folder, "--concurrency", 3, "--quiet") == (0, "", "")
    assert read_files(run_folder) == before


def test_validate_a_run(run_folder, toolflow):
    code, out, err = toolflow("validate", run_folder)
    assert (code, err) == (0, "")
    count = read_manifest(run_folder)["counts"]["accepted"]
    assert out.splitlines()[-1].startswith(f"{count} dialogues: ")


def test_validate_a_foreign_file(tmp_path, toolflow):
    path = tmp_path / "foreign.jsonl"
    call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": '{"town": "Oslo"}'}}
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    row = {
        "messages": [
            {"role": "user", "content": "Is it raining in Oslo?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "2", "content": '{"rain": true}'},
            {"role": "assistant", "content": "Yes, it is raining there."},
        ],
        "tools": [{"type": "function", "function": {"name": "get_weather", "description": "", "parameters": schema}}],
    }
    path.write_text(json.dumps(row))
    code, out, err = toolflow("validate", path)
    assert (code, err) == (1, "")
    assert f"{path}:1" in out
    assert "arguments" in out
    assert "message 1" in out
    assert "1 dialogue:" in out.splitlines()[-1]
    assert toolflow("validate", path, "--quiet")[1].count("\n") == 1


@pytest.mark.parametrize("command", [["validate"], ["export", "--format", "trl", "--out", "out.jsonl"]], ids=" ".join)
def test_file_that_holds_no_dialogues(tmp_path, monkeypatch, toolflow, command):
    monkeypatch.chdir(tmp_path)
    Path("data.jsonl").write_text('{"messages": []}\n{"text": "hi"}\n')
    code, _, err = toolflow(*command, "data.jsonl")
    assert code == 1
    assert err.startswith("toolflow: data.jsonl, line 2: no 'messages'")
    assert not Path("out.jsonl").exists()


def test_export_does_not_overwrite_what_it_reads(run_folder, toolflow):
    before = read_files(run_folder)
    file = run_folder / "dialogues.jsonl"
    code, out, err = toolflow("export", run_folder, "--format", "openai", "--out", file)
    assert_one_line(code, out, err, 1)
    assert read_files(run_folder) == before


def test_version(toolflow):
    assert toolflow("--version") == (0, f"toolflow-graph {importlib.metadata.version('toolflow-graph')}\n", "")


@pytest.mark.parametrize(
    "arguments", [["--help"], [], ["generate", "--help"], ["graph", "show", "--help"]], ids=" ".join
)
def test_help_loads_nothing_heavy(arguments):
    """Half a second is a matter of imports: none of the libraries that do the work is loaded."""
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n" + COMMAND[2]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert "Usage: " in done.stdout
    heavy = {"numpy", "scipy", "faiss", "torch", "langgraph", "langchain_core", "faker", "jsonschema"}
    assert not heavy & set(done.stderr.split())


def test_help_lists_commands_in_the_order_of_the_data(toolflow):
    _, out, _ = toolflow("--help")
    places = [out.index(f"│ {name} ") for name in ("graph", "sample", "generate", "validate", "export")]
    assert places == sorted(places)


def test_broken_pipe_is_quiet(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": ""}]}\n' * 2000)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "validate", str(path)], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1
