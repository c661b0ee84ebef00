"""`toolflow doctor`: what it finds out, and one line for every trouble."""

import pytest

from endpoint import Endpoint
from toolflow_graph.cli.app import main

KEY = "planted-key-0123456789abcdef"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def doctor(capsys):
    """Run the command; returns exit code, lines of standard output by their name, and standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main(["doctor", *arguments])
        captured = capsys.readouterr()
        lines = dict(line.split(":", 1) for line in captured.out.splitlines())
        return left.value.code, {name: text.strip() for name, text in lines.items()}, captured.err

    return run


def test_an_endpoint_that_can_do_everything(doctor):
    with Endpoint() as endpoint:
        code, lines, err = doctor("--base-url", endpoint.base_url, "--model", "test-model")
    assert (code, err) == (0, "")
    latency = lines.pop("latency")
    assert lines == {
        "endpoint": f"{endpoint.base_url} (no key, as it is local)",
        "reachable": "yes",
        "model": "test-model, one of 1 served",
        "json_schema": "honoured",
        "tools": "called natively",
        "usage": "reported",
        "structured answers": "by json_schema, which the endpoint obeys",
        "assistant": "calls tools natively",
        "price": "not known: give --prices FILE",
    }
    assert latency.endswith(" s for a short answer")
    assert len(endpoint.probes) == 3


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        pytest.param(
            {"json_schema": "refused", "usage": False},
            {
                "json_schema": "not honoured",
                "usage": "not reported: tokens and cost will be estimates",
                "seen": "json_schema: 400: response_format of type json_schema is not supported",
                "structured answers": "by a forced tool call, since json_schema is not honoured",
            },
            id="no json_schema",
        ),
        pytest.param(
            {"tools": "ignored"},
            {
                "tools": "not called by the model itself",
                "seen": "with tools at hand the model answered in words",
                "structured answers": "by json_schema, which the endpoint obeys",
                "assistant": "says by a structured answer whether it speaks, asks or calls",
            },
            id="no tools",
        ),
        pytest.param(
            {"tools": "refused", "json_schema": "refused"},
            {
                "structured answers": "as JSON in text, since neither json_schema nor tool calls work; expect more "
                "repairs"
            },
            id="nothing",
        ),
        pytest.param(
            {"schema_in_prompt": True},
            {"json_schema": "honoured, and counted as part of the prompt"},
            id="schema in the prompt",
        ),
    ],
)
def test_an_endpoint_that_can_do_less(doctor, able, expected):
    with Endpoint(**able) as endpoint:
        code, lines, _ = doctor("--base-url", endpoint.base_url, "--model", "test-model")
    assert code == 0
    assert expected.items() <= lines.items()


def test_the_only_model_need_not_be_named(doctor):
    with Endpoint(models=("the-one",)) as endpoint:
        code, lines, _ = doctor("--base-url", endpoint.base_url)
    assert (code, lines["model"]) == (0, "the-one, one of 1 served")


def assert_one_line(code, err, message):
    assert code == 1
    assert err.startswith("toolflow: ")
    assert len(err.splitlines()) == 1
    assert message in err


def test_several_models_and_none_named(doctor):
    with Endpoint(models=("a", "b")) as endpoint:
        code, _, err = doctor("--base-url", endpoint.base_url)
    assert_one_line(code, err, "which model? Give --model NAME; served are: a, b")


def test_a_price_from_a_list(doctor, tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text('[models."test-model"]\nprompt = 2\ncompletion = 8.5\n')
    with Endpoint() as endpoint:
        _, lines, err = doctor("--base-url", endpoint.base_url, "--model", "test-model", "--prices", str(path))
    assert (lines["price"], err) == ("$2 in, $8.5 out, per million tokens", "")


def test_an_unknown_model(doctor):
    with Endpoint(models=("a", "b")) as endpoint:
        code, lines, err = doctor("--base-url", endpoint.base_url, "--model", "c")
    assert lines["model"] == "c is not among the 2 served: a, b"
    assert_one_line(code, err, "has no model 'c' (404:")


def test_nobody_there(doctor):
    with Endpoint() as endpoint:
        pass
    assert_one_line(*doctor("--base-url", endpoint.base_url, "--model", "m")[::2], "cannot be reached")


def test_no_key(doctor):
    assert_one_line(*doctor("--model", "gpt-4.1")[::2], "no API key for https://api.openai.com/v1")


def test_a_wrong_key_is_not_printed(doctor, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Endpoint(key="another") as endpoint:
        code, lines, err = doctor("--base-url", endpoint.base_url, "--model", "m")
    assert_one_line(code, err, "refuses the key of 'OPENAI_API_KEY' (401: Incorrect API key provided: [key])")
    assert KEY not in err
    assert KEY not in str(lines)


def test_a_key_in_place_of_its_variable_is_not_printed(doctor):
    code, _, err = doctor("--model", "m", "--key-env", "sk-proj-planted")
    assert_one_line(code, err, "never the key itself")
    assert "planted" not in err


def test_a_bad_address(doctor):
    assert_one_line(*doctor("--base-url", "localhost:8000", "--model", "m")[::2], "'base_url': not an address like")
