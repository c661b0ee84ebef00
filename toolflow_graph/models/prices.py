"""What tokens cost: the bundled price list, and the user's own before it."""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from pydantic import Field, ValidationError

from toolflow_graph.errors import SettingsError
from toolflow_graph.types import Record

__all__ = ["Price", "find_price", "load_prices"]

_MILLION = 1_000_000
_FORM = (
    'an entry is [models."NAME"] with prompt = 2.0 and completion = 8.0 (and cached = 0.5 where cached tokens cost '
    "less), in US dollars per million tokens"
)
_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


class Price(Record):
    """US dollars per million tokens; without `cached`, cached prompt tokens cost as much as others."""

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)

    def cost(self, prompt: int, cached: int, completion: int) -> float:
        """Return the dollars for these tokens; `cached` ones are part of the prompt."""
        cheap = self.prompt if self.cached is None else self.cached
        return ((prompt - cached) * self.prompt + cached * cheap + completion * self.completion) / _MILLION


class _PriceList(Record):
    as_of: str = ""
    models: dict[str, Price]


def load_prices(path: str | None = None) -> dict[str, Price]:
    """Return prices by model, the user's file before the bundled one; raises `SettingsError` for a bad file."""
    bundled = files(__package__).joinpath("prices.toml").read_text(encoding="utf-8")
    prices = _PriceList.model_validate(tomllib.loads(bundled)).models
    if path is None:
        return prices
    try:
        own = _PriceList.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"price list {path!r} cannot be read: {exc}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise SettingsError(f"price list {path!r} is not TOML: {exc}; {_FORM}") from exc
    except ValidationError as exc:
        error = exc.errors()[0]
        place = ".".join(str(part) for part in error["loc"])
        raise SettingsError(f"price list {path!r}: {place}: {error['msg']}; {_FORM}") from exc
    return {**prices, **own.models}


def find_price(prices: Mapping[str, Price], model: str) -> Price | None:
    """Return the price of a model: by its name, else without provider's prefix, else without date; None if unknown."""
    bare = model.rsplit("/", 1)[-1]
    for name in (model, bare, _DATE.sub("", bare)):
        if name in prices:
            return prices[name]
    return None
