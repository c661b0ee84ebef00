"""Tells by its content in which form a document holds tools."""

from typing import Any, Literal

__all__ = ["Form", "detect_form"]

Form = Literal["openai", "openapi", "swagger", "toolbench", "bfcl", "xlam", "dialogues"]
"""`openai` is the native form, `dialogues` are rows of a data set that carry their tools."""

_LOOKED_AT = 50
_SCHEMA_WORDS = ("properties", "$ref", "$defs", "anyOf", "allOf", "oneOf", "required", "additionalProperties")


def detect_form(document: Any) -> Form | None:
    """Return the form of a document; None when nothing in it looks like a tool."""
    if isinstance(document, dict):
        if "openapi" in document:
            return "openapi"
        if "swagger" in document:
            return "swagger"
        if "api_list" in document:
            return "toolbench"
        if "tools" in document and not isinstance(document["tools"], str):
            return "openai"
        return _detect_entry(document)
    if not isinstance(document, list):
        return None
    found = (_detect_entry(entry) for entry in document[:_LOOKED_AT] if isinstance(entry, dict))
    return next((form for form in found if form is not None), "openai")


def _detect_entry(entry: dict[str, Any]) -> Form | None:
    if "api_list" in entry or ("api_name" in entry and "required_parameters" in entry):
        return "toolbench"
    function = entry.get("function", entry)
    if "tools" in entry or isinstance(function, list) or ("conversations" in entry and "system" in entry):
        return "dialogues"
    if not isinstance(function, dict) or "name" not in function:
        return None
    parameters = function.get("parameters")
    if not isinstance(parameters, dict):
        return "openai"
    if parameters.get("type") in ("dict", "HashMap") or "response" in function:
        return "bfcl"
    return "xlam" if is_plain_mapping(parameters) else "openai"


def is_plain_mapping(parameters: dict[str, Any]) -> bool:
    """Say whether parameters are written as `{name: {"type": …, "description": …}}`, without a JSON Schema."""
    if not parameters or any(word in parameters for word in _SCHEMA_WORDS) or isinstance(parameters.get("type"), str):
        return False
    return all(isinstance(part, dict) and ("type" in part or "description" in part) for part in parameters.values())
