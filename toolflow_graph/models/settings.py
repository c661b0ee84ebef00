"""Which models play, where they are reached, and what they may cost."""

import ipaddress
import random
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from toolflow_graph.errors import SettingsError
from toolflow_graph.types import JSON

__all__ = [
    "CHANGEABLE",
    "DEFAULT_KEY_ENV",
    "ROLES",
    "ModelSettings",
    "Role",
    "change_models",
    "draw_models",
    "is_local",
    "model_options",
    "names_models",
    "parse_models",
]

Role = Literal["planner", "user", "assistant", "tool", "reword"]
ROLES: tuple[Role, ...] = get_args(Role)[:-1]
"""The roles of the LLM cast; `reword` puts the lines of the scripted cast into other words."""

DEFAULT_KEY_ENV = "OPENAI_API_KEY"


def _split_pool(value: Any) -> Any:
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return value


Pool = Annotated[tuple[str, ...], BeforeValidator(_split_pool)]
"""Names of models of which each dialogue draws one; also read from one string, `a,b,c`."""


class ModelSettings(BaseModel):
    """Endpoint, models per role, and limits of the LLM cast; a key is never in here, only its variable's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = Field(
        default=None, description="OpenAI-compatible endpoint, mostly ending in /v1; empty for the OpenAI API"
    )
    key_env: str = Field(default=DEFAULT_KEY_ENV, description="Environment variable that holds the API key")
    model: Pool = Field(default=(), description="Model of all roles, or a pool `a,b,c`: each dialogue draws one")
    planner: Pool = Field(default=(), description="Model or pool of the planner, if another")
    user: Pool = Field(default=(), description="Model or pool of the user, if another")
    assistant: Pool = Field(default=(), description="Model or pool of the assistant, if another")
    tool: Pool = Field(default=(), description="Model or pool of the tool simulator, if another")
    reword: Pool = Field(default=(), description="Model or pool that rewords the lines of the scripted cast")
    structured: Literal["auto", "json_schema", "tool", "text"] = Field(
        default="auto", description="How structured answers are asked for; `auto` tries the endpoint once"
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="Empty for the model's own")
    max_answer_tokens: int | None = Field(default=None, ge=1, description="Longest single answer, in tokens")
    max_repairs: int = Field(default=2, ge=0, le=10, description="Times that a failed answer is asked for again")
    timeout_s: float = Field(default=120, gt=0, description="Seconds that one request may take")
    patience_s: float = Field(
        default=600, ge=0, description="Seconds for which a request that keeps failing is tried again"
    )
    requests_per_minute: float | None = Field(default=None, gt=0, description="Most requests a minute")
    tokens_per_minute: float | None = Field(default=None, gt=0, description="Most tokens a minute")
    max_in_flight: int = Field(default=64, ge=1, le=4096, description="Most requests at once; fewer if it must be")
    max_cost: float | None = Field(default=None, gt=0, description="US dollars after which the run stops")
    max_tokens: int | None = Field(default=None, ge=1, description="Tokens of the whole run after which it stops")
    prices: str | None = Field(default=None, description="TOML file with prices of further models")

    @field_validator("key_env")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII):
            # SettingsError passes through pydantic, whose own error would show the value; this one may be a key
            raise SettingsError("setting 'key_env' is the name of an environment variable, never the key itself")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_a_plain_address(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if "@" in parts.netloc or parts.query:
            raise SettingsError(
                "setting 'base_url' carries a user, a password or a query; put the key into an environment variable "
                "and name that by key_env"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
            raise ValueError("not an address like http://127.0.0.1:8000/v1")
        return value.rstrip("/")

    def pool(self, role: Role) -> tuple[str, ...]:
        """Return the models that may play a role; raises `SettingsError` when none is named."""
        own: tuple[str, ...] = getattr(self, role)
        if pool := own or (self.model if role in ROLES else ()):
            return pool
        option = f"--{role}-model" if role in ROLES else f"--{role}"
        raise SettingsError(f"no model for the role {role!r}; give --model NAME for all roles, or {option} NAME")

    @property
    def models(self) -> tuple[str, ...]:
        """All models that may play, each once: those of all roles, or of the one that rewords, if there is one."""
        roles: tuple[Role, ...] = ("reword",) if self.reword else ROLES
        return tuple(dict.fromkeys(name for role in roles for name in self.pool(role)))


CHANGEABLE = frozenset(
    {
        "base_url",
        "key_env",
        "max_cost",
        "max_in_flight",
        "max_tokens",
        "patience_s",
        "prices",
        "requests_per_minute",
        "timeout_s",
        "tokens_per_minute",
    }
)
"""Settings on which no dialogue depends: how models are reached, and what they may take."""


def change_models(settings: ModelSettings, values: Mapping[str, Any]) -> ModelSettings:
    """Return settings with other ways and limits; raises `SettingsError` for what makes other dialogues."""
    fixed = next((name for name in values if name not in CHANGEABLE), None)
    if fixed is not None:
        raise SettingsError(
            f"setting {fixed!r} of models cannot be changed in a run that has begun; these can: "
            f"{', '.join(sorted(CHANGEABLE))}"
        )
    return parse_models({**settings.model_dump(), **values})


def draw_models(settings: ModelSettings, rng: random.Random, roles: Collection[Role] = ROLES) -> dict[Role, str]:
    """Draw the models of one dialogue; roles without a pool of their own share one draw from `model`.

    Always takes the same numbers from the generator, so that a change of one role's pool moves no other role.
    """
    shared = rng.random()
    drawn: dict[Role, str] = {}
    for role in get_args(Role):
        own = rng.random()
        if role in roles:
            pool = settings.pool(role)
            drawn[role] = pool[int((own if getattr(settings, role) else shared) * len(pool))]
    return drawn


def is_local(base_url: str) -> bool:
    """Say whether an address is on this machine or in its private network, where a key is not expected."""
    host = urlsplit(base_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan"))
    return address.is_loopback or address.is_private or address.is_link_local


_OPTIONS: Mapping[str, str] = {
    **{f"{role}_model": role for role in ROLES},
    "timeout": "timeout_s",
}


def model_options(**options: Any) -> JSON:
    """Return the settings that were given on the command line, as `ModelSettings` names them.

    Takes the options by their own names (`model`, `planner_model`, `base_url`, `timeout` …); None means not given.
    """
    return {_OPTIONS.get(name, name): value for name, value in options.items() if value is not None}


def names_models(models: object) -> bool:
    """Say whether settings, parsed or not, name a model for any role."""
    values = models.model_dump() if isinstance(models, ModelSettings) else models
    return isinstance(values, Mapping) and any(values.get(name) for name in ("model", *ROLES))


def parse_models(values: Mapping[str, Any]) -> ModelSettings:
    """Validate settings; raises `SettingsError` with one line that names the setting and the trouble."""
    try:
        return ModelSettings.model_validate(dict(values))
    except ValidationError as exc:
        error = exc.errors()[0]
        name = str(error["loc"][0])
        if error["type"] == "extra_forbidden":
            known = ", ".join(sorted(ModelSettings.model_fields))
            raise SettingsError(f"unknown setting of models {name!r}; known are: {known}") from None
        said = error["msg"].removeprefix("Value error, ")
        raise SettingsError(f"setting {name!r}: {said} (given: {error['input']!r})") from None
