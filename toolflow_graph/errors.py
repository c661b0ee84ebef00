"""The one error hierarchy: everything a user can cause and mend is a `ToolflowError`."""

from collections.abc import Sequence
from typing import Any

__all__ = [
    "BenchmarkError",
    "BudgetExceeded",
    "CatalogError",
    "ChatFormatError",
    "ContextLengthError",
    "DatasetError",
    "EncoderError",
    "FrameError",
    "ModelError",
    "ModelOutputError",
    "PlanError",
    "RequestError",
    "ResourceError",
    "RunError",
    "SamplingError",
    "SettingsError",
    "ToolflowError",
]


class ToolflowError(Exception):
    """Base of all errors that say what, where and how to mend it; the command line prints them as one line."""


class SettingsError(ToolflowError):
    """A setting is unknown, out of range, or contradicts another."""


class ResourceError(ToolflowError):
    """A file that belongs to the installation (prompt, catalog, model) is missing or not what it should be."""


class CatalogError(ToolflowError):
    """A tool catalog cannot be read, or a tool in it is not valid."""


class FrameError(ToolflowError):
    """A sentence frame is not well-formed or names a slot that does not exist."""


class EncoderError(ToolflowError):
    """The sentence encoder cannot be loaded."""


class SamplingError(ToolflowError):
    """The Tool Graph cannot yield the tool subset that was asked for."""


class PlanError(ToolflowError):
    """No dialogue plan with the wanted patterns can be made over these tools."""


class ModelError(ToolflowError):
    """A model's endpoint cannot be used: no key, no such model, not reachable, or failing for too long."""


class ContextLengthError(ModelError):
    """A request is longer than the model's context; the trouble of one dialogue, not of the endpoint."""


class RequestError(ModelError):
    """One request keeps failing while another is answered; the trouble of one dialogue, not of the endpoint."""


class ModelOutputError(ToolflowError):
    """A model answered something that could not be read even after the repairs.

    `attempts` are the answers that failed (`toolflow_graph.models.answers.Attempt`), in order.
    """

    def __init__(self, message: str, attempts: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.attempts = tuple(attempts)


class DatasetError(ToolflowError):
    """A file of dialogues cannot be read or written."""


class BenchmarkError(ToolflowError):
    """A benchmark is not installed, is damaged, or cannot be run."""


class ChatFormatError(ToolflowError):
    """A chat template cannot render dialogues with tools, or its calls cannot be read back."""


class RunError(ToolflowError):
    """A run folder cannot be started, resumed or written."""


class BudgetExceeded(RunError):  # noqa: N818 - what happened is no mistake: the user has set this end
    """The next request would pass the cost or the tokens that the user allows by `option` of the command line."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option
