"""The types that cross a boundary: tools, plans, calls, findings and dialogue records."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "JSON",
    "METHODS",
    "PATTERNS",
    "Annotations",
    "DialoguePlan",
    "DialogueRecord",
    "Edge",
    "ErrorPhrasing",
    "Finding",
    "Method",
    "Pattern",
    "Phrasings",
    "PlannedRequest",
    "Provenance",
    "Record",
    "Scenario",
    "Severity",
    "Tool",
    "TurnLabel",
]

JSON = dict[str, Any]

Pattern = Literal[
    "single",
    "parallel",
    "sequential",
    "missing_parameter",
    "missing_function",
    "irrelevant",
    "correction",
    "tool_error",
    "search_tools",
    "chitchat",
    "topic_shift",
]
"""What a planned request exercises; the Berkeley Function-Calling Leaderboard's own words where it has them."""

PATTERNS: tuple[Pattern, ...] = get_args(Pattern)

Method = Literal["toolflow", "no-graph", "no-plan", "no-graph-no-plan", "direct", "cot"]
"""How dialogues are made: the paper's way, its ablations, and the baselines that write a dialogue in one request."""

METHODS: tuple[Method, ...] = get_args(Method)

Severity = Literal["error", "warning"]


class Record(BaseModel):
    """Base of all stored types: unknown keys are errors, instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorPhrasing(Record):
    """A way in which a tool can fail.

    With `about`, another value of that parameter mends it; without, the trouble is passing.
    """

    message: str
    told: tuple[str, ...] = Field(min_length=1)
    about: str | None = None


class Phrasings(Record):
    """Sentence frames (see `toolflow_graph.frames`) in which people speak about one tool."""

    requests: tuple[str, ...] = Field(min_length=1)
    answers: tuple[str, ...] = Field(min_length=1)
    items: tuple[str, ...] = ()
    picks: tuple[str, ...] = ()
    asks: dict[str, tuple[str, ...]] = {}
    changes: dict[str, tuple[str, ...]] = {}
    errors: tuple[ErrorPhrasing, ...] = ()
    declines: tuple[str, ...] = ()


class Annotations(Record):
    """What a tool's source says of its effects; None where it does not say."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    deprecated: bool = False


InferredField = Annotated[str, Field(pattern=r"^(description|parameters|returns|phrasings)(\.|$)")]


class Tool(Record):
    """A callable tool in the terms of OpenAI function calling, plus what it returns.

    `parameters` and `returns` are JSON Schema objects; `inferred` names what was not in the source but filled in, by
    rules or by a model: whole fields (`returns`), or a part of one slot (`parameters.city.description`).
    `provider` is who offers the tool (an API's host, a server), `runs` how it can be called for real, such as
    `python:module:function`.
    """

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str
    parameters: JSON
    returns: JSON
    domain: str = ""
    source: str = ""
    inferred: tuple[InferredField, ...] = ()
    phrasings: Phrasings | None = None
    provider: str = ""
    annotations: Annotations = Annotations()
    runs: str = ""

    @property
    def required(self) -> list[str]:
        """Names of the required parameters, in the order of the schema."""
        return list(self.parameters.get("required", []))

    def to_openai(self) -> JSON:
        """Return the tool as an entry of an OpenAI `tools` list."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


class Edge(Record):
    """One edge of the Tool Graph with its evidence: the two slots and their cosine.

    A `P-R` edge runs from the producer's return value to the consumer's parameter; a `P-P` edge joins two
    parameters and runs both ways. Slots are paths into the schemas.
    """

    kind: Literal["P-P", "P-R"]
    source: str
    target: str
    source_slot: str
    target_slot: str
    cosine: float


class Scenario(Record):
    """The first level of a plan: who the user is, what the situation is, and what they are after.

    `now` is the local date and time of the dialogue (ISO 8601, minutes).
    """

    persona: str
    situation: str
    goal: str
    now: str
    city: str = ""


class PlannedRequest(Record):
    """One request that the user will make, in the order of the plan.

    `patterns` says what it exercises (the first is the kind of request, the others are complications),
    `tools` what it needs in call order, `depends_on` the indices of the requests whose results it uses, and
    `known` the values that the user has in mind when making it; `withheld` names what they leave out until asked.
    """

    intent: str
    patterns: tuple[Pattern, ...] = Field(min_length=1)
    tools: tuple[str, ...] = ()
    depends_on: tuple[int, ...] = ()
    known: JSON = {}
    withheld: tuple[str, ...] = ()


class DialoguePlan(Record):
    """A scenario and the requests made in it (paper, section 3.2).

    `outline` is the scripted cast's agenda: `acts` in order and the `calls` they speak of; empty when models play.
    Without requests the dialogue was not planned: the scenario then has day and city, and nothing else.
    """

    scenario: Scenario
    requests: tuple[PlannedRequest, ...]
    outline: JSON = {}


class Provenance(Record):
    """Where one argument of one call came from.

    `source` is "user" (words of the user), "result" (an earlier tool result), "system" (a fact of the system
    message), "default" (of the schema) or "none". `message` is the index of the message that holds the value.
    """

    call_id: str
    path: str
    source: Literal["user", "result", "system", "default", "none"]
    message: int | None = None


class Finding(Record):
    """What a check says of a dialogue; `message_index` is the place, None when it is the dialogue as a whole."""

    check: str
    message: str
    message_index: int | None = None
    severity: Severity = "error"


class TurnLabel(Record):
    """Which request a message belongs to: `message` and `request` are indices."""

    message: int
    request: int
    patterns: tuple[Pattern, ...]


class DialogueRecord(Record):
    """One line of `dialogues.jsonl`: the dialogue in OpenAI terms, and everything that made it.

    `patterns` are those that were due; all of them occur, and what a request is besides (`single`, `sequential`) stands
    in `turns`. Both are empty where nothing was planned; a dialogue written in one request has them, by its writer's
    word. `usage` counts turns, messages and calls; `spent` has an entry per turn of a model (agent, tokens,
    US dollars, reasoning; for a line that was to be reworded, `reworded` tells whether it was), `attempts` the answers
    of models that were refused, with the reason. `executed` are the ids of the calls that a real tool answered.
    """

    id: str
    messages: list[JSON]
    tools: list[JSON]
    index: int
    seed: int
    patterns: tuple[Pattern, ...]
    plan: DialoguePlan | None = None
    edges: tuple[Edge, ...] = ()
    distractors: tuple[str, ...] = ()
    turns: tuple[TurnLabel, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    cast: str = "scripted"
    method: Method = "toolflow"
    models: dict[str, str] = {}
    findings: tuple[Finding, ...] = ()
    usage: dict[str, int] = {}
    spent: tuple[JSON, ...] = ()
    attempts: tuple[JSON, ...] = ()
    executed: tuple[str, ...] = ()
