"""Files of settings: three formats, and one line for every mistake in them."""

import json

import pytest

from toolflow_graph.errors import SettingsError
from toolflow_graph.settings import parse_settings
from toolflow_graph.settings_file import load_settings

TOML = """
dialogues = 5
tau = 0.9
[models]
model = "a,b"
max_cost = 10
[[mix]]
share = 1
patterns = ["single", "chitchat"]
"""
YAML = """
dialogues: 5
tau: 0.9
models: {model: "a,b", max_cost: 1.0e1}
mix:
  - share: 1
    patterns: [single, chitchat]
"""
JSON = json.dumps(
    {
        "dialogues": 5,
        "tau": 0.9,
        "models": {"model": "a,b", "max_cost": 10},
        "mix": [{"share": 1, "patterns": ["single", "chitchat"]}],
    }
)


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.mark.parametrize(
    ("name", "content"), [("run.toml", TOML), ("run.yaml", YAML), ("run.YML", YAML), ("run.json", JSON)]
)
def test_the_same_in_every_format(write, name, content):
    settings = parse_settings(load_settings(write(name, content)))
    assert (settings.dialogues, settings.tau, settings.mix[0].patterns) == (5, 0.9, ("single", "chitchat"))
    assert (settings.cast, settings.models.model, settings.models.max_cost) == ("llm", ("a", "b"), 10)


def test_yaml_is_read_as_json_would_be(write):
    text = "a: no\nb: 2024-01-01\nc: 010\nd: true\ne: -3\nf: .5\ng:\nh: 12:30\ni: &x {k: 1}\nj: {<<: *x, l: 2}\n"
    plain = {"a": "no", "b": "2024-01-01", "c": "010", "d": True, "e": -3, "f": 0.5, "g": None, "h": "12:30"}
    assert load_settings(write("run.yaml", text)) == {**plain, "i": {"k": 1}, "j": {"k": 1, "l": 2}}


@pytest.mark.parametrize("name", ["run.yaml", "run.toml"])
def test_an_empty_file_sets_nothing(write, name):
    assert load_settings(write(name, "")) == {}


@pytest.mark.parametrize("content", [None, b"\xff"], ids=["missing", "not UTF-8"])
@pytest.mark.parametrize("name", ["run.toml", "run.yaml", "run.json"])
def test_a_file_that_cannot_be_read(write, name, content):
    with pytest.raises(SettingsError, match=rf"{name}: cannot be read"):
        load_settings(write(name, content))


WRONG = {
    "no ending": ("run.txt", "a: 1", r"run\.txt: not known .* name it \.toml, \.yaml, \.yml or \.json"),
    "TOML": ("run.toml", "tau = \nx = 1", r"run\.toml: not TOML: .*line 1"),
    "TOML, key twice": ("run.toml", "a = 1\na = 2\n", r"run\.toml: not TOML: .*line 2"),
    "YAML": ("run.yaml", "a: [1,\nb: 2\n", r"run\.yaml, line 3: not YAML: expected"),
    "YAML, key twice": ("run.yaml", "a: 1\nb: 2\na: 3\n", r"run\.yaml, line 3: the setting 'a' stands twice"),
    "YAML, inner key twice": ("run.yaml", "m:\n  a: 1\n  a: 2\n", r"run\.yaml, line 3: the setting 'a' stands twice"),
    "YAML, tab": ("run.yaml", "a:\n\tb: 1\n", r"run\.yaml, line 2: .*indent with spaces, not with tabs"),
    "YAML, list": ("run.yaml", "- a\n", r"run\.yaml, line 1: no mapping"),
    "YAML, number as key": ("run.yaml", "a: 1\n2: 3\n", r"run\.yaml, line 2: the name of a setting is no text"),
    "YAML, list as key": ("run.yaml", "? [a]\n: 3\n", r"run\.yaml, line 1: the name of a setting is no text"),
    "YAML, Python": ("run.yaml", "a: 1\nb: !!python/object/apply:os.system [ls]\n", r"run\.yaml, line 2: not YAML"),
    "YAML, two documents": ("run.yaml", "a: 1\n---\nb: 1\n", r"run\.yaml, line 2: not YAML"),
    "YAML, control character": ("run.yaml", "a: \x01\n", r"run\.yaml: not YAML: unacceptable character"),
    "JSON": ("run.json", '{"a":\n1,}', r"run\.json, line 2: not JSON"),
    "JSON, key twice": ("run.json", '{"a": 1, "a": 2}', r"run\.json: the setting 'a' stands twice"),
    "JSON, list": ("run.json", "[1]", r"run\.json, line 1: no object"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(write, name):
    file, content, message = WRONG[name]
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(write(file, content))
    assert "\n" not in str(caught.value)
