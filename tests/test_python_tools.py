"""Python functions as tools: signature, type hints and docstring become schemas, and they can be called with JSON."""

import asyncio
import sys
import textwrap

import pytest

from toolflow_graph.catalog.sources import load_catalog, read_source
from toolflow_graph.errors import CatalogError
from toolflow_graph.live.calling import LiveTools

SHOP = '''
"""A shop."""
import time
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Literal

from langchain_core.tools import StructuredTool, tool
from pydantic import BaseModel, Field
from typing_extensions import TypedDict


class Size(Enum):
    small = "small"
    large = "large"


class Order(BaseModel):
    """An order."""
    number: str
    due: date
    sizes: list[Size] = Field(default=[], description="Sizes in it")


@dataclass
class Parcel:
    weight: float
    fragile: bool = False


class Address(TypedDict):
    street: str
    city: str


def place_order(article: str, due: date, size: Size = Size.small, pieces: int | None = None) -> Order:
    """Place an order.

    It is binding.

    Args:
        article: What is ordered
        due (date): Day by which it must come
        size: How large
    """
    return Order(number=f"{article}-{pieces or 1}", due=due, sizes=[size])


def weigh(parcels: list[Parcel], to: Address, speed: Literal["slow", "fast"] = "slow") -> float:
    """Weigh parcels.

    Parameters
    ----------
    parcels : list of Parcel
        What is sent
    to : Address
        Where it goes
    """
    return sum(parcel.weight for parcel in parcels)


def look_up(article, shelf=3, exact=False):
    """Look an article up.

    :param article: What is looked for
    :type article: str
    """
    return {"article": article, "shelf": shelf}


look_up.read_only = True


async def wait(seconds: Annotated[float, Field(ge=0, description="How long")]) -> None:
    """Wait."""


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def _describe(article: str) -> dict:
    return {"article": article}


describer = StructuredTool.from_function(
    _describe, name="describe-article", description="Describe an article.", metadata={"read_only": True}
)


class Till:
    def charge(self, amount: float) -> str:
        """Charge an amount."""
        return f"{amount:.2f}"


till = Till()


def fail(how: str) -> str:
    """Fail."""
    if how == "leave":
        raise SystemExit(3)
    if how == "sleep":
        time.sleep(20)
    if how == "long":
        return "x" * 50_000
    if how == "nan":
        return float("nan")
    if how == "half":
        return "\\ud800"
    raise ValueError("nobody\\nhome " * 1000)


def many(*articles):
    """Take many."""


def named(**articles):
    """Take named ones."""


def by_place(article, /):
    """Take one by its place."""


def odd(stream: "NoSuchType"):
    """Take something odd."""


def undocumented(article: str): ...
'''


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A module in the current folder."""
    (tmp_path / "corner_shop.py").write_text(textwrap.dedent(SHOP))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "corner_shop"
    sys.modules.pop("corner_shop", None)


def call(runs, arguments, timeout_s=5.0):
    return asyncio.run(LiveTools(timeout_s).run(runs, arguments))


def test_signature_hints_and_docstring_become_schemas(shop):
    tool = load_catalog(f"python:{shop}").tools["place_order"]
    assert tool.description == "Place an order. It is binding."
    assert tool.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["article", "due"],
        "properties": {
            "article": {"type": "string", "description": "What is ordered"},
            "due": {"type": "string", "format": "date", "description": "Day by which it must come"},
            "size": {"type": "string", "enum": ["small", "large"], "default": "small", "description": "How large"},
            "pieces": {"type": "integer"},
        },
    }
    assert set(tool.returns["properties"]) == {"number", "due", "sizes"}
    assert tool.returns["properties"]["sizes"]["description"] == "Sizes in it"
    assert (tool.domain, tool.source) == (shop, f"python:{shop}")
    assert tool.runs == f"python:{shop}:place_order"
    assert tool.inferred == ()


def test_numpy_docstring_dataclass_and_typed_dict(shop):
    tool = load_catalog(f"python:{shop}").tools["weigh"]
    fields = tool.parameters["properties"]
    assert fields["parcels"]["description"] == "What is sent"
    assert fields["parcels"]["items"]["properties"]["weight"] == {"type": "number"}
    assert fields["to"]["required"] == ["street", "city"]
    assert tool.returns["properties"] == {"result": {"type": "number"}}


def test_types_of_docstring_and_defaults_stand_in_for_hints(shop):
    tool = load_catalog(f"python:{shop}").tools["look_up"]
    assert tool.parameters["properties"] == {
        "article": {"type": "string", "description": "What is looked for"},
        "shelf": {"type": "integer", "default": 3},
        "exact": {"type": "boolean", "default": False},
    }
    assert tool.inferred == ("returns",)
    assert tool.annotations.read_only is True


def test_langchain_tools_are_taken_with_their_own_name(shop):
    tools = load_catalog(f"python:{shop}").tools
    assert tools["multiply"].required == ["a", "b"]
    assert tools["multiply"].returns["properties"] == {"result": {"type": "integer"}}
    assert tools["describe-article"].runs == f"python:{shop}:describer"
    assert tools["describe-article"].annotations.read_only is True
    assert "_describe" not in tools


def test_what_json_cannot_call_is_skipped_with_its_reason(shop):
    reading = read_source(f"python:{shop}")
    reasons = {skipped.name: skipped.reason for skipped in reading.skipped}
    assert set(reasons) == {"many", "named", "by_place", "odd", "undocumented"}
    assert reasons["many"] == "it takes *articles, which has no place in JSON"
    assert reasons["by_place"] == "it takes the positional-only article, which has no place in JSON"
    assert "NoSuchType" in reasons["odd"]
    assert reasons["undocumented"] == "it has no docstring"
    assert {tool.name for tool in reading.tools} == {
        *("place_order", "weigh", "look_up", "wait", "multiply", "describe-article", "fail")
    }


def test_one_function_may_be_named_a_method_and_an_undocumented_one_too(shop):
    (tool,) = load_catalog(f"python:{shop}:till.charge").tools.values()
    assert (tool.name, tool.required, tool.runs) == ("charge", ["amount"], f"python:{shop}:till.charge")
    (tool,) = load_catalog(f"python:{shop}:undocumented").tools.values()
    assert tool.description == "Undocumented."


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("no_such_module", "there is no module 'no_such_module', neither installed nor in "),
        ("broken", "importing 'broken' failed: ZeroDivisionError: division by zero"),
        ("leaving", "importing 'leaving' failed: SystemExit: 2"),
        ("needing", "importing 'needing' failed: ModuleNotFoundError: No module named 'no_such_package'"),
        ("corner_shop:nothing", "'corner_shop' has no function 'nothing'"),
        ("corner_shop:many", "it takes \\*articles"),
        ("", "importing '' failed"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_trouble_is_told_in_one_line(tmp_path, address, told):
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "leaving.py").write_text("raise SystemExit(2)")
    (tmp_path / "needing.py").write_text("import no_such_package")
    with pytest.raises(CatalogError, match=told) as raised:
        load_catalog(f"python:{address}")
    assert str(raised.value).startswith(f"python:{address}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "arguments", "content"),
    [
        (
            "place_order",
            {"article": "hat", "due": "2026-03-01", "size": "large"},
            {"number": "hat-1", "due": "2026-03-01", "sizes": ["large"]},
        ),
        (
            "weigh",
            {"parcels": [{"weight": 2}, {"weight": 0.5}], "to": {"street": "Elm", "city": "Bern"}},
            {"result": 2.5},
        ),
        ("look_up", {"article": "hat"}, {"article": "hat", "shelf": 3}),
        ("wait", {"seconds": 1}, {"result": None}),
        ("multiply", {"a": 6, "b": 7}, {"result": 42}),
        ("describer", {"article": "hat"}, {"article": "hat"}),
        ("till.charge", {"amount": 3}, {"result": "3.00"}),
        ("fail", {"how": "half"}, {"result": "?"}),
        ("fail", {"how": "nan"}, {"result": None}),
    ],
)
def test_functions_are_called_with_json(shop, name, arguments, content):
    outcome = call(f"python:{shop}:{name}", arguments)
    assert (outcome.content, outcome.failed) == (content, False)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("place_order", {"article": "hat", "due": "soon"}, "due: Input should be a valid date"),
        ("place_order", {"article": "hat"}, "due: Missing required argument"),
        ("multiply", {"a": 6}, "b: Field required"),
        ("fail", {"how": "leave"}, "SystemExit: 3"),
        ("fail", {"how": "sleep"}, "the tool did not answer within 0.5 seconds"),
        ("fail", {"how": "long"}, "the result is too long: 50,014 characters, and 32,000 are read"),
    ],
)
def test_errors_become_error_results(shop, name, arguments, told):
    outcome = call(f"python:{shop}:{name}", arguments, timeout_s=0.5)
    assert outcome.failed
    assert outcome.content["error"].startswith(told)


def test_long_error_is_cut(shop):
    outcome = call(f"python:{shop}:fail", {"how": ""})
    assert outcome.content["error"].startswith("ValueError: nobody home nobody home")
    assert len(outcome.content["error"]) == 2000
