"""What the models of the LLM cast are asked to answer: small schemas, checked before anything is made of them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from toolflow_graph.types import JSON, Pattern

__all__ = [
    "PLAN_SCHEMA",
    "AssistantDraft",
    "AssistantLine",
    "CallDraft",
    "DialogueDraft",
    "ReasonedDraft",
    "RequestDraft",
    "RequestsDraft",
    "ScenarioDraft",
    "ToolLine",
    "UserDraft",
    "UserLine",
    "WrittenCall",
    "WrittenRequest",
]


class _Draft(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LeftOut(_Draft):
    """A tool of the walk that does not belong, and why."""

    tool: str
    why: str


class ScenarioDraft(_Draft):
    """The first step of a plan."""

    kept: list[str] = Field(min_length=1, description="Names of the tools that belong together")
    left_out: list[LeftOut] = Field(description="The other tools, each with a reason in a few words")
    persona: str = Field(min_length=1)
    situation: str = Field(min_length=1)
    goal: str = Field(min_length=1)


class KnownFact(_Draft):
    """A value that the user has in mind."""

    what: str
    value: str


class RequestDraft(_Draft):
    """One planned request."""

    intent: str = Field(min_length=1)
    patterns: list[Pattern] = Field(min_length=1)
    tools: list[str]
    depends_on: list[int]
    known: list[KnownFact]
    withheld: list[str]


class RequestsDraft(_Draft):
    """The second step of a plan."""

    requests: list[RequestDraft] = Field(min_length=1)


def _join_schemas(*models: type[BaseModel]) -> JSON:
    """Return a schema with the properties of all, none of them required."""
    joined: JSON = {"type": "object", "properties": {}, "$defs": {}}
    for model in models:
        schema = model.model_json_schema()
        joined["properties"].update(schema["properties"])
        joined["$defs"].update(schema.get("$defs", {}))
    return joined


PLAN_SCHEMA = _join_schemas(ScenarioDraft, RequestsDraft)
"""What both steps of a plan fit."""


class UserDraft(_Draft):
    """A turn of the user."""

    settled: bool = Field(description="Whether the thing the user is on is settled")
    ends: bool = Field(description="Whether everything is settled and the conversation is over")
    text: str


class CallDraft(_Draft):
    """A call of an assistant whose endpoint has no tool calling of its own."""

    name: str
    arguments: str = Field(description="The arguments as a JSON object, written as a string")


class AssistantDraft(_Draft):
    """A turn of an assistant whose endpoint has no tool calling of its own: speak, or call, or both."""

    say: str = Field(description="Words to the user; empty when only calling")
    calls: list[CallDraft] = Field(description="Calls to make now; empty when only speaking")


class WrittenCall(_Draft):
    """A call in a written dialogue; its id is any word that no other call has."""

    id: str = Field(min_length=1)
    name: str
    arguments: JSON


class UserLine(_Draft):
    """What the user says."""

    role: Literal["user"]
    text: str = Field(min_length=1)


class AssistantLine(_Draft):
    """What the assistant says or calls."""

    role: Literal["assistant"]
    text: str
    calls: list[WrittenCall]


class ToolLine(_Draft):
    """What a tool returns for the call with this id."""

    role: Literal["tool"]
    call: str
    result: JSON


Line = Annotated[UserLine | AssistantLine | ToolLine, Field(discriminator="role")]


class WrittenRequest(_Draft):
    """One request of a written dialogue."""

    patterns: list[Pattern] = Field(min_length=1)
    messages: list[Line] = Field(min_length=2)


class DialogueDraft(_Draft):
    """A whole dialogue."""

    requests: list[WrittenRequest] = Field(min_length=1)


class ReasonedDraft(_Draft):
    """A whole dialogue, thought through beforehand."""

    reasoning: str = Field(min_length=1)
    requests: list[WrittenRequest] = Field(min_length=1)
