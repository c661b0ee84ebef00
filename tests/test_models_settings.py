"""Model settings: pools per role, limits, options of the command line, and keys that are never in them."""

import random
import subprocess
import sys
from collections import Counter

import pytest

from toolflow_graph.errors import SettingsError
from toolflow_graph.models import ModelSettings
from toolflow_graph.models.settings import draw_models, is_local, model_options, parse_models

KEY = "sk-proj-planted-0123456789"


def test_a_pool_is_read_from_one_string():
    settings = ModelSettings(model="a, b,c", user=["d"])
    assert settings.pool("planner") == ("a", "b", "c")
    assert settings.pool("user") == ("d",)
    assert settings.models == ("a", "b", "c", "d")


def test_each_dialogue_draws_by_its_seed():
    settings = ModelSettings(model="a,b,c", user="x,y")
    drawn = [draw_models(settings, random.Random(seed)) for seed in range(300)]
    assert drawn == [draw_models(settings, random.Random(seed)) for seed in range(300)]
    assert all(d["planner"] == d["assistant"] == d["tool"] for d in drawn)
    assert all(60 < count < 140 for count in Counter(d["planner"] for d in drawn).values())
    assert all(100 < count < 200 for count in Counter(d["user"] for d in drawn).values())


def test_one_roles_pool_moves_no_other_role():
    before = [draw_models(ModelSettings(model="a,b,c"), random.Random(seed)) for seed in range(50)]
    after = [draw_models(ModelSettings(model="a,b,c", user="x,y"), random.Random(seed)) for seed in range(50)]
    assert [d["assistant"] for d in before] == [d["assistant"] for d in after]


def test_a_role_without_model():
    with pytest.raises(SettingsError, match=r"no model for the role 'planner'; give --model NAME .* --planner-model"):
        draw_models(ModelSettings(user="x"), random.Random(0))


def test_options_become_settings():
    options = model_options(model="a", planner_model="b", timeout=5.0, base_url=None, max_cost=2.5)
    assert options == {"model": "a", "planner": "b", "timeout_s": 5.0, "max_cost": 2.5}
    assert parse_models(options).pool("planner") == ("b",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"api_key": KEY}, "unknown setting of models 'api_key'; known are", id="a key as a setting"),
        pytest.param({"key_env": KEY}, "name of an environment variable, never the key itself", id="a key as a name"),
        pytest.param({"base_url": f"http://u:{KEY}@h/v1"}, "carries a user, a password", id="a key in the address"),
        pytest.param({"base_url": f"http://h/v1?key={KEY}"}, "carries a user, a password", id="a key in the query"),
        pytest.param({"base_url": "localhost:8000"}, "not an address like", id="no address"),
        pytest.param({"temperature": 3}, r"'temperature': .* \(given: 3\)", id="too hot"),
        pytest.param({"max_cost": 0}, "'max_cost'", id="no cost allowed"),
    ],
)
def test_wrong_settings_are_one_line_without_a_key(values, message):
    with pytest.raises(SettingsError, match=message) as caught:
        parse_models(values)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    with pytest.raises(Exception, match=r".") as caught:
        ModelSettings(**values)
    assert isinstance(caught.value, SettingsError) or "api_key" in values or KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://vllm:8000/v1", True),
        ("http://host.docker.internal:11434/v1", True),
        ("https://api.openai.com/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_where_no_key_is_expected(address, local):
    assert is_local(address) is local


def test_settings_load_no_client():
    code = "import sys, toolflow_graph.models.settings; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"openai", "langchain_core", "langchain_openai"} & set(loaded)
