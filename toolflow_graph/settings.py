"""Settings of a dialogue and of a run; unknown keys are errors."""

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from toolflow_graph.errors import SettingsError
from toolflow_graph.models.settings import DEFAULT_KEY_ENV, ROLES, ModelSettings, Role, model_options, names_models
from toolflow_graph.types import Method, Pattern

__all__ = [
    "DEFAULT_MIX",
    "DialogueSettings",
    "MixEntry",
    "RunSettings",
    "StudioSettings",
    "apportion",
    "assign_patterns",
    "parse_settings",
]


class MixEntry(BaseModel):
    """A kind of dialogue: which patterns it has, and its share of the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(gt=0)
    patterns: tuple[Pattern, ...] = Field(min_length=1)


def _entry(share: float, *patterns: Pattern) -> MixEntry:
    return MixEntry(share=share, patterns=patterns)


DEFAULT_MIX: tuple[MixEntry, ...] = (
    _entry(0.04, "single"),
    _entry(0.08, "sequential"),
    _entry(0.10, "sequential", "single", "chitchat"),
    _entry(0.09, "sequential", "missing_parameter"),
    _entry(0.08, "sequential", "tool_error", "chitchat"),
    _entry(0.07, "sequential", "correction", "single"),
    _entry(0.07, "parallel", "single"),
    _entry(0.06, "parallel", "sequential"),
    _entry(0.04, "sequential", "topic_shift"),
    _entry(0.05, "parallel", "chitchat", "missing_parameter"),
    _entry(0.05, "single", "missing_parameter", "correction"),
    _entry(0.06, "single", "missing_function"),
    _entry(0.05, "sequential", "missing_function", "missing_parameter"),
    _entry(0.05, "single", "irrelevant"),
    _entry(0.03, "irrelevant", "missing_function"),
    _entry(0.05, "search_tools", "single"),
    _entry(0.03, "search_tools", "sequential", "tool_error"),
)
"""Shares of the kinds of dialogue in a run when nothing else is said; they sum to 1."""


_TURNS_EACH = 1.2
"""User turns that a planned request takes in the mean; see docs/long.md."""


class DialogueSettings(BaseModel):
    """What one dialogue depends on besides its index: the context of the LangGraph state machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    catalog: str | None = Field(
        default=None, description="File or folder of OpenAI-format tools; empty for the bundled catalog"
    )
    encoder: str = Field(
        default="all-MiniLM-L6-v2",
        description="Sentence encoder: the embedded one, or a sentence-transformers id or path",
    )
    method: Method = Field(
        default="toolflow",
        description="How dialogues are made: `no-graph` draws tools at random whatever `strategy` says, `no-plan` lets "
        "the user improvise and has no use for `patterns` and `mix`, `direct` and `cot` have one model write it all",
    )
    encoder_backend: Literal["torch", "bf16", "onnx"] = Field(
        default="torch", description="What encodes: the model as it is, with 16-bit weights, or in ONNX Runtime"
    )
    tau: float = Field(default=0.82, gt=0, le=1, description="Two slots are joined when their cosine is above this")
    edges: Literal["auto", "paper", "weighted"] = Field(
        default="auto",
        description="What walks go along: all edges alike, each by its weight, or weights where tools have more than "
        "50 neighbours in the mean",
    )
    strategy: Literal["walk", "even", "random"] = Field(
        default="walk", description="How tool subsets are drawn from the Tool Graph"
    )
    tools: int = Field(default=5, ge=1, le=64, description="Tools drawn for a dialogue")
    distractors: int = Field(
        default=3, ge=0, le=64, description="Near tools that are offered to the assistant but not needed"
    )
    distractors_from: Literal["graph", "retriever"] = Field(
        default="graph",
        description="Where these are drawn: among neighbours in the Tool Graph, or among the tools that are described "
        "most like those of the dialogue, which is harder",
    )
    min_requests: int = Field(default=2, ge=1, le=64, description="Fewest requests of a plan")
    max_requests: int = Field(default=5, ge=1, le=64, description="Most requests of a plan")
    max_turns: int = Field(default=30, ge=1, le=500, description="User turns after which a dialogue is cut off")
    recall: int = Field(
        default=12, ge=0, le=64, description="Facts that a model is reminded of in a long dialogue; 0 for none"
    )
    recall_after: int = Field(
        default=40, ge=0, description="Messages after which a model's conversation is long enough to be reminded in"
    )
    window: int = Field(
        default=0, ge=0, description="Latest messages that a model is shown, for one with a short context; 0 for all"
    )
    cast: Literal["scripted", "llm"] = Field(
        default="scripted", description="Who plays the agents: rules and a grammar, or chat models"
    )
    models: ModelSettings = Field(default=ModelSettings(), description="Endpoint, models and limits")
    execute: Literal["none", "read_only", "all"] = Field(
        default="none",
        description="Which tools are called for real where they can be (MCP servers, Python functions), instead of "
        "being simulated: none, those marked as read-only, or all",
    )
    execute_tools: tuple[str, ...] = Field(
        default=(), description="Names of further tools that are called for real, whatever they are marked as"
    )
    execute_timeout_s: float = Field(default=30.0, gt=0, le=3600, description="Seconds after which a real call fails")
    prompts: str | None = Field(
        default=None,
        description="Folder with prompts of your own, each under the name of a bundled one; empty for these",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the run")
    patterns: tuple[Pattern, ...] = Field(
        default=(), description="Patterns of the dialogue; empty to draw them from the mix"
    )
    mix: tuple[MixEntry, ...] = Field(default=DEFAULT_MIX, description="Kinds of dialogue and their shares")

    @field_validator("catalog", "prompts", mode="after")
    @classmethod
    def _empty_is_bundled(cls, source: str | None) -> str | None:
        return source or None  # Studio's form sends an emptied field as ""; as a path that is the current folder

    @model_validator(mode="after")
    def _requests_in_order(self) -> Self:
        if self.min_requests > self.max_requests:
            turns = self._advise_turns(self.min_requests, ", and max_turns to {}")
            raise ValueError(
                f"min_requests ({self.min_requests}) is above max_requests ({self.max_requests}); raise max_requests "
                f"to {self.min_requests} or more{turns}"
            )
        if not self.mix:
            raise ValueError("mix is empty; give at least one entry")
        return self

    @model_validator(mode="after")
    def _requests_have_turns(self) -> Self:
        if advice := self._advise_turns(self.max_requests, "set max_turns to {}"):
            raise ValueError(
                f"max_turns ({self.max_turns}, as nothing else is said) is too few user turns for {self.max_requests} "
                f"requests, which take {_TURNS_EACH} each in the mean; {advice}, or lower max_requests"
            )
        return self

    def _advise_turns(self, requests: int, advice: str) -> str:
        """Return advice on a limit that would do; empty where it does already, or where somebody wants it so."""
        if "max_turns" in self.model_fields_set or self.max_turns >= _TURNS_EACH * requests:
            return ""
        return advice.format(2 * requests)

    @model_validator(mode="after")
    def _writer_is_a_model(self) -> Self:
        if self.written and self.cast != "llm":
            raise ValueError(
                f"method {self.method!r} needs a model that writes, and the cast is {self.cast!r}; give --model NAME, "
                "or take another method"
            )
        return self

    @model_validator(mode="after")
    def _executed_for_models(self) -> Self:
        if self.executes and (self.cast != "llm" or self.written):
            who = f"method {self.method!r}" if self.written else f"the cast {self.cast!r}"
            raise ValueError(
                f"tools cannot be executed for {who}, which makes up their results beforehand; give --model NAME, "
                "or leave out --execute"
            )
        return self

    @model_validator(mode="after")
    def _scripted_is_reworded(self) -> Self:
        if self.models.reword and self.cast != "scripted":
            raise ValueError(
                f"models.reword rewords what the scripted cast says, and the cast is {self.cast!r}: leave it out, or "
                "name no other model"
            )
        return self

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that models play; none where all goes by rules."""
        if self.cast == "llm":
            return ROLES
        return ("reword",) if self.models.reword else ()

    @property
    def with_graph(self) -> bool:
        """Whether tools are drawn from the Tool Graph."""
        return not self.method.startswith("no-graph")

    @property
    def with_plan(self) -> bool:
        """Whether a plan is written before the dialogue is played."""
        return not self.method.endswith("no-plan")

    @property
    def executes(self) -> bool:
        """Whether some tools are called for real."""
        return self.execute != "none" or bool(self.execute_tools)

    @property
    def written(self) -> bool:
        """Whether one request to a model writes the whole dialogue."""
        return self.method in ("direct", "cot")


class StudioSettings(DialogueSettings):
    """A dialogue's settings as LangGraph Studio's form has them: flat, the models named as on the command line.

    What is nested is not in the schema: `models` is gathered from the flat fields, and for `mix`, which says what
    a run consists of, one dialogue has `patterns`.
    """

    models: SkipJsonSchema[ModelSettings] = Field(default=ModelSettings())
    mix: SkipJsonSchema[tuple[MixEntry, ...]] = Field(default=DEFAULT_MIX)
    model: str = Field(default="", description="For the LLM cast: model of all roles, or a pool `a,b,c` to draw from")
    planner_model: str = Field(default="", description="Model or pool of the planner, if another")
    user_model: str = Field(default="", description="Model or pool of the user, if another")
    assistant_model: str = Field(default="", description="Model or pool of the assistant, if another")
    tool_model: str = Field(default="", description="Model or pool of the tool simulator, if another")
    reword: str = Field(default="", description="For the scripted cast: model or pool that rewords its lines")
    base_url: str = Field(default="", description="OpenAI-compatible endpoint; empty for the OpenAI API")
    key_env: str = Field(default=DEFAULT_KEY_ENV, description="Environment variable of the server with the API key")

    @model_validator(mode="before")
    @classmethod
    def _gather_models(cls, values: dict[str, Any]) -> dict[str, Any]:
        roles = ("model", "planner_model", "user_model", "assistant_model", "tool_model", "reword")
        given = {name: values[name] for name in (*roles, "base_url", "key_env") if values.get(name)}
        return {**values, "models": model_options(**given)} if given else values


_KEPT = 1000
"""Dialogues of a run whose checkpoints are kept by default: at about 0.1 MB each that is 100 MB."""


class RunSettings(DialogueSettings):
    """A dialogue's settings and what a whole run needs."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    dialogues: int = Field(default=20, ge=1, description="Accepted dialogues to generate")
    workers: int = Field(
        default=1, ge=1, le=256, description="Processes that play; more than one where rules play, up to the cores"
    )
    engine: Literal["local", "ray"] = Field(
        default="local", description="Where the workers are: on this machine, or on those of a Ray cluster"
    )
    ray_address: str | None = Field(
        default=None, description="HOST:PORT of the Ray cluster; empty for the one that runs here, else one is started"
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Dialogues in flight at once in each process; empty for 16, and where models play for enough to "
        "keep as many requests in flight as they may have",
    )
    max_attempts: int = Field(
        default=10, ge=1, description="Dialogues played for each one wanted: a rejected one is replaced by another"
    )
    max_rejected: float = Field(
        default=0.9, gt=0, le=1, description="Share of rejected dialogues, after the first twenty, that ends a run"
    )
    checkpoints: Literal["auto", "keep", "journal", "none"] = Field(
        default="auto",
        description="How long a dialogue's states are kept in the run folder: for good, to look back at them; only "
        "until the dialogue is safely written, to resume; not at all; or, by itself, for good in runs of up to 1,000 "
        "dialogues",
    )
    checkpoint_url: str | None = Field(
        default=None,
        description="PostgreSQL database for the checkpoints instead of files in the run folder, shared by all "
        "processes: postgresql://user@host/name, where $NAME stands for a variable of the environment",
    )

    @model_validator(mode="after")
    def _password_is_not_written_out(self) -> Self:
        if self.checkpoint_url is not None:
            _check_address(self.checkpoint_url)
        return self

    @model_validator(mode="after")
    def _cluster_has_no_tools(self) -> Self:
        if self.engine == "local":
            if self.ray_address is not None:
                raise ValueError("an address of a Ray cluster is of no use without --engine ray")
            return self
        if self.executes:
            raise ValueError("tools are called for real on this machine only; leave out --engine ray, or --execute")
        if (self.ray_address or "").startswith("ray://"):
            raise ValueError("a run has to be started on a machine of the cluster; give its address as HOST:PORT")
        return self

    @property
    def lanes(self) -> int:
        """Dialogues in flight in one process: of 64 requests that may be, some dialogues are just between two."""
        if self.concurrency is not None:
            return self.concurrency
        return self.models.max_in_flight + (self.models.max_in_flight + 3) // 4 if self.roles else 16

    @property
    def keeping(self) -> Literal["keep", "journal", "none"]:
        """How long checkpoints are kept, where the settings leave it open too."""
        if self.checkpoints == "auto":
            return "keep" if self.dialogues <= _KEPT else "journal"
        return self.checkpoints

    def dialogue(self, patterns: Sequence[Pattern] = ()) -> DialogueSettings:
        """Return the settings of one dialogue with these patterns."""
        own = {name: getattr(self, name) for name in DialogueSettings.model_fields}
        return DialogueSettings.model_construct(**{**own, "patterns": tuple(patterns)})


def _check_address(address: str) -> None:
    """Raise ValueError for an address that is none, or holds a password: settings are kept in manifests."""
    if re.fullmatch(r"\$(\w+|\{\w+\})", address):
        return
    if not address.startswith(("postgresql://", "postgres://")):
        raise ValueError(
            "checkpoint_url has to begin with postgresql://, or to be $NAME for a variable of the environment that "
            "holds such an address"
        )
    before, at, _ = address.partition("://")[2].rpartition("@")  # what is not escaped may stand in a password
    written = [before.partition(":")[2]] if at else []
    written += [value for name, value in parse_qsl(address.partition("?")[2]) if "password" in name.lower()]
    if any(value and not re.fullmatch(r"\$(\w+|\{\w+\})", value) for value in written):
        raise ValueError(
            "checkpoint_url holds a password, and settings are kept in the manifest; put it into the environment and "
            "write $NAME in its place, or leave it out and set PGPASSWORD"
        )


def parse_settings(values: Mapping[str, Any]) -> RunSettings:
    """Validate settings; raises `SettingsError` with one line that names the setting and the trouble.

    Where a model is named and no cast, models play.
    """
    try:
        return RunSettings.model_validate({**({"cast": "llm"} if names_models(values.get("models")) else {}), **values})
    except ValidationError as exc:
        error = exc.errors()[0]
        place = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            known = ", ".join(sorted(RunSettings.model_fields))
            raise SettingsError(f"unknown setting {place!r}; known are: {known}") from exc
        said = error["msg"].removeprefix("Value error, ")
        given = "" if not place else f" (given: {error['input']!r})"
        raise SettingsError(f"setting {place!r}: {said}{given}" if place else said) from exc


def apportion(shares: Sequence[float], total: int) -> list[int]:
    """Split `total` by shares with the largest-remainder method; ties go to the earlier share."""
    whole = sum(shares)
    exact = [share / whole * total for share in shares]
    counts = [int(value + 1e-9) for value in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: (counts[i] - exact[i], i))
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts


def assign_patterns(mix: Sequence[MixEntry], total: int, seed: int) -> list[tuple[Pattern, ...]]:
    """Return the patterns of each dialogue of a run: the quota exactly, in an order shuffled by the seed."""
    counts = apportion([entry.share for entry in mix], total)
    assigned = [entry.patterns for entry, count in zip(mix, counts, strict=True) for _ in range(count)]
    random.Random(repr((seed, "mix"))).shuffle(assigned)
    return assigned
