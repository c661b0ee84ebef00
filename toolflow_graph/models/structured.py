"""Structured answers: how a schema is asked for in each mode, read out of what comes, and checked."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from toolflow_graph.models.answers import Reply, explain_damage
from toolflow_graph.types import JSON

__all__ = ["Shape", "StructuredMode", "UnfitError", "append_failure", "find_json"]

StructuredMode = Literal["json_schema", "tool", "text"]

_TOOL = "answer"
_WRAPPED = "value"
_MOST_ERRORS = 5
_NOT_STRICT = {"default", "format", "pattern", "patternProperties", "allOf", "oneOf", "not", "minLength", "maxLength"}
"""Keywords that the OpenAI API refuses, on some models at least, in a schema marked strict."""


class UnfitError(Exception):
    """An answer that does not fit; the message is what the model is told."""


@dataclass(frozen=True)
class Shape:
    """What an answer must look like: a pydantic class, or a JSON Schema.

    `shared` is one schema of objects for all answers of a conversation, where `schema` is another one every time. It
    is sent instead wherever a schema is part of the prompt, which would otherwise change from its head on and never
    be found in the endpoint's prefix cache; answers are held to `schema` all the same.
    """

    schema: type[BaseModel] | JSON
    shared: JSON | None = None

    @property
    def json_schema(self) -> JSON:
        """The JSON Schema of the value itself."""
        return self.schema if isinstance(self.schema, dict) else _derive_schema(self.schema)

    @property
    def _wraps(self) -> bool:
        return self.json_schema.get("type") != "object"

    def sent_schema(self, *, in_prompt: bool) -> JSON:
        """Return the schema as an endpoint gets it: endpoints take objects only, so another value stands in one."""
        if in_prompt and self.shared is not None:
            return self.shared
        schema = _spell_patterns(self.json_schema)
        if not self._wraps:
            return dict(schema)
        inner = {key: part for key, part in schema.items() if key != "$defs"}
        outer = {"type": "object", "properties": {_WRAPPED: inner}, "required": [_WRAPPED]}
        definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
        return {**outer, "additionalProperties": False, **definitions}

    def build_request(self, mode: StructuredMode, *, in_prompt: bool = False) -> JSON:
        """Return the fields of a request that ask for the schema in a mode; none of them for `text`.

        `in_prompt` says whether the endpoint counts the schema of `json_schema` as prompt; it does every tool's.
        """
        schema = self.sent_schema(in_prompt=in_prompt or mode == "tool")
        strict = _is_strict(schema)
        if mode == "json_schema":
            wanted = {"name": _name_schema(schema), "schema": schema, "strict": strict}
            return {"response_format": {"type": "json_schema", "json_schema": wanted}}
        if mode == "tool":
            function: JSON = {"name": _TOOL, "description": "Give the answer.", "parameters": schema}
            if strict:
                function["strict"] = True
            choice = {"type": "function", "function": {"name": _TOOL}}
            return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
        return {}

    def instruct(self, messages: Sequence[JSON], mode: StructuredMode) -> list[JSON]:
        """Return the messages as they are sent in a mode: `text` adds the schema to the head, where it stays."""
        if mode != "text":
            return list(messages)
        schema = json.dumps(self.sent_schema(in_prompt=True), ensure_ascii=False)
        text = (
            "Every answer of yours is one JSON value and nothing else: no other words, no code fence. It fits this "
            f"JSON Schema: {schema}"
        )
        first = messages[0] if messages else {}
        if first.get("role") == "system" and isinstance(first.get("content"), str):
            return [{**first, "content": f"{first['content']}\n\n{text}"}, *messages[1:]]
        return [{"role": "system", "content": text}, *messages]

    def read(self, reply: Reply) -> Any:
        """Return the value that a reply holds, validated; raises `UnfitError` with everything that is wrong.

        A call of the function, bare JSON, and JSON in prose or code fences are read in every mode, since endpoints
        accept more than they obey.
        """
        texts = [call.raw for call in reply.calls if call.name == _TOOL]
        texts = texts or [call.raw for call in reply.calls] or [reply.text]
        problem: UnfitError | None = None
        for text in texts:
            for found in find_json(text):
                try:
                    return self._validate(found)
                except UnfitError as exc:
                    problem = problem or exc
        if problem is None or _is_damaged(texts[0]):
            problem = UnfitError(_explain_no_json(texts[0]))
        raise problem

    def _validate(self, found: Any) -> Any:
        if self._wraps and isinstance(found, dict) and set(found) == {_WRAPPED}:
            found = found[_WRAPPED]
        if not isinstance(self.schema, dict):
            try:
                return self.schema.model_validate_json(json.dumps(found))
            except ValidationError as exc:
                errors = (f"{'.'.join(str(p) for p in e['loc']) or 'the value'}: {e['msg']}" for e in exc.errors())
                raise UnfitError(_join(list(errors))) from None
        errors = (f"{e.json_path}: {e.message}" for e in Draft202012Validator(self.schema).iter_errors(found))
        if complaint := _join(list(errors)):
            raise UnfitError(complaint)
        return found


def _spell_patterns(schema: Any) -> Any:
    """Return a schema without backslash-d in its patterns: llama.cpp lets any string pass where it finds that."""
    if isinstance(schema, list):
        return [_spell_patterns(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _spell_digits(part) if key == "pattern" and isinstance(part, str) else _spell_patterns(part)
        for key, part in schema.items()
    }


def _spell_digits(pattern: str) -> str:
    spelt, in_class = "", False
    for sign in re.findall(r"\\.|.", pattern, re.DOTALL):
        in_class = sign == "[" or (in_class and sign != "]")
        digits = "0-9" if in_class else "[0-9]"
        spelt += digits if sign == r"\d" else sign
    return spelt


def _name_schema(schema: JSON) -> str:
    """Return a name for a schema that endpoints accept."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(schema.get("title") or _TOOL))[:64]


@cache
def _derive_schema(model: type[BaseModel]) -> JSON:
    return model.model_json_schema()


def _join(errors: list[str]) -> str:
    more = f" (and {len(errors) - _MOST_ERRORS} more)" if len(errors) > _MOST_ERRORS else ""
    return "; ".join(errors[:_MOST_ERRORS]) + more


def _is_strict(schema: Any) -> bool:
    """Say whether the OpenAI API would take the schema as strict: closed objects whose properties are all required."""
    if isinstance(schema, list):
        return all(_is_strict(part) for part in schema)
    if not isinstance(schema, dict):
        return True
    if _NOT_STRICT & set(schema):
        return False
    properties = schema.get("properties")
    if "object" in _listed(schema.get("type")) or isinstance(properties, dict):
        properties = properties if isinstance(properties, dict) else {}
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
        named = {**properties, **schema.get("$defs", {})}
        return all(_is_strict(part) for part in named.values())
    return all(_is_strict(part) for part in schema.values())


def _listed(types: Any) -> list[Any]:
    return types if isinstance(types, list) else [types]


_FENCED = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)


def find_json(text: str) -> Iterator[Any]:
    """Yield the JSON values of a text: the whole of it, else those in code fences, else objects and lists in prose."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    for part in (text, *(match[1] for match in _FENCED.finditer(text))):
        try:
            yield decoder.decode(part.strip())
        except ValueError:
            continue
        if part is text:
            return
    place = 0
    while (start := _next_bracket(text, place)) is not None:
        try:
            value, place = decoder.raw_decode(text, start)
        except ValueError:
            place = start + 1
        else:
            yield value


def _next_bracket(text: str, place: int) -> int | None:
    found = [at for sign in "{[" if (at := text.find(sign, place)) >= 0]
    return min(found, default=None)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_damaged(text: str) -> bool:
    """Tell whether a text is JSON from its first character on, but for a fault; values inside it are no answer."""
    try:
        json.loads(text.strip())
    except json.JSONDecodeError as exc:
        return text.lstrip()[:1] in ("{", "[") and exc.msg != "Extra data"
    return False


def _explain_no_json(text: str) -> str:
    if not text.strip():
        return "the answer is empty"
    start = _next_bracket(text, 0)
    if start is None:
        return "the answer holds no JSON"
    try:
        json.loads(text[start:])
    except ValueError as exc:
        return f"the JSON is damaged: {explain_damage(text[start:], exc)}"
    return "the answer holds no JSON"


def append_failure(messages: Sequence[JSON], reply: Reply, problem: str, *, structured: bool) -> list[JSON]:
    """Return the messages that ask again: all of the old ones, then the failed answer, then what is wrong with it.

    Calls that can be read stand in the history as calls, each answered by the error; damaged ones stand there as
    text, because servers refuse a history with damaged JSON. A reply with nothing in it is asked for again as before.
    """
    if not reply.text and not reply.calls:
        return list(messages)
    if reply.calls and not structured and all(c.parse_error is None and c.name for c in reply.calls):
        calls = [call.to_openai() for call in reply.calls]
        failed = {"role": "assistant", "content": reply.text or None, "tool_calls": calls}
        told = (
            f"Not carried out: {problem}. Either make all calls of this turn again, corrected, "
            "or make none and speak to the person instead, to ask for what is missing."
        )
        return [*messages, failed, *({"role": "tool", "tool_call_id": c.id, "content": told} for c in reply.calls)]
    written = [call.raw if structured else f"{call.name}({call.raw})" for call in reply.calls]
    failed = {"role": "assistant", "content": "\n".join(part for part in (reply.text, *written) if part)}
    told = f"That answer cannot be used: {problem}. Give the whole answer again, corrected."
    return [*messages, failed, {"role": "user", "content": told}]
