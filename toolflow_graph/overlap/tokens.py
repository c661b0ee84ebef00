"""Words of texts and tools: what the n-gram test compares.

A token is a word or a number, in lower case; names are taken apart (`getUserInfo`, `get_user_info`: three tokens each).
Brackets, quotes and commas are none: they are the form of JSON, and every tool shares them with every other.
"""

import json
import re
from typing import Any

from toolflow_graph.types import JSON

__all__ = ["split_tokens", "write_tool"]

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts that put no space between words: each character is a token (Thai, Lao, Burmese, Khmer, Japanese, Chinese)."""

_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def split_tokens(text: str) -> list[str]:
    """Return the tokens of a text."""
    return _TOKEN.findall(_HUMP.sub(" ", text).casefold())


def write_tool(tool: JSON) -> str:
    """Return name, description and parameters of a tool as JSON in one form, whatever the order of its keys.

    The tool may stand in an OpenAI `tools` list or flat.
    """
    function = function_of(tool)
    kept: dict[str, Any] = {key: function[key] for key in ("name", "description", "parameters") if function.get(key)}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def function_of(tool: JSON) -> JSON:
    """Return the part of a `tools` entry that describes the function: the entry itself where it is flat."""
    function = tool.get("function")
    return function if isinstance(function, dict) else tool
