"""Compiled JSON Schema validators, one per schema content, with `multipleOf` tested exactly."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.validators import extend

from toolflow_graph.by_identity import remember_by_identity
from toolflow_graph.types import JSON

__all__ = ["schema_errors"]


def _multiple_of(_validator: Any, step: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    # 29.4 is a multiple of 0.1, though not for binary floating point
    if isinstance(instance, bool) or not isinstance(instance, int | float):
        return
    try:
        fits = Decimal(str(instance)) % Decimal(str(step)) == 0
    except InvalidOperation:
        fits = False
    if not fits:
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")


_Validator: Any = extend(Draft202012Validator, {"multipleOf": _multiple_of})  # type: ignore[no-untyped-call]
_BROKEN = (SchemaError, UnknownType, re.error, TypeError, AttributeError)


def schema_errors(schema: JSON, instance: Any) -> list[tuple[str, str]]:
    """Return (path, message) for each way in which the instance breaks the schema, shortest path first.

    Schemas are taken as they are; one that is itself broken, as other people's may be, finds nothing.
    """
    validator = _validator(schema)
    try:
        if validator.is_valid(instance):
            return []
        errors = sorted(validator.iter_errors(instance), key=lambda e: len(e.absolute_path))
    except _BROKEN:
        return []
    return [(error.json_path.removeprefix("$").removeprefix("."), _shorten(error.message)) for error in errors]


def _shorten(message: str) -> str:
    return message if len(message) <= 200 else message[:100] + " … " + message[-90:]


@remember_by_identity(2048)
def _validator(schema: JSON) -> Any:
    return _compile(json.dumps(schema, sort_keys=True, default=str))


@lru_cache(maxsize=8192)
def _compile(content: str) -> Any:
    return _Validator(json.loads(content))
