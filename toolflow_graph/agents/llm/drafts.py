"""What the models of the LLM cast are asked to answer: small schemas, checked before anything is made of them."""

from pydantic import BaseModel, ConfigDict, Field

from toolflow_graph.types import Pattern

__all__ = ["AssistantDraft", "CallDraft", "RequestDraft", "RequestsDraft", "ScenarioDraft", "UserDraft"]


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
