"""What an operation is sent: its parameters and the fields of its body, side by side."""

import re
from dataclasses import dataclass
from typing import Any

from toolflow_graph.catalog.keywords import describe, keep_examples
from toolflow_graph.catalog.names import make_name
from toolflow_graph.catalog.openapi_document import Api, get_object, pick_schema
from toolflow_graph.catalog.openapi_merge import SchemaPart, flatten_union
from toolflow_graph.catalog.references import References
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON

__all__ = ["read_request"]

_MOST_PARAMETERS = 500
_MOST_SLOTS = 1500
_MOST_SENT = 300
"""Slots of a body; deeper ones are left out beyond that."""

_TRANSPORT = frozenset(
    "accept accept-encoding authorization connection content-length content-type cookie host if-modified-since "
    "if-none-match origin proxy-authorization referer traceparent user-agent x-correlation-id x-request-id".split()
)
_GOOGLE = frozenset("alt callback fields key prettyprint quotauser uploadtype upload_protocol userip $.xgafv".split())
"""Parameters that documents of Google's APIs repeat at every operation."""


@dataclass(frozen=True)
class _Argument:
    """A parameter of the tool that is to be; `place` is "path", "query", "header" or "body"."""

    name: str
    place: str
    part: SchemaPart
    required: bool


def read_request(api: Api, path: str, method: str, item: JSON, operation: JSON) -> SchemaPart:
    """Return the schema of all that an operation takes.

    Raises `CatalogError` when it takes too much, or refers to something that is not there.
    """
    arguments = _Request(api, path, method, item, operation).read()
    if (size := sum(argument.part.size for argument in arguments)) > _MOST_SLOTS:
        raise CatalogError(f"its parameters have {size:,} fields, more than the {_MOST_SLOTS:,} that are read")
    return SchemaPart(_join(arguments), cut=any(argument.part.cut for argument in arguments))


class _Request:
    def __init__(self, api: Api, path: str, method: str, item: JSON, operation: JSON) -> None:
        self._api = api
        self._path = path
        self._method = method
        self._operation = operation
        self._found = self._find_parameters(item)

    def read(self) -> list[_Argument]:
        return [*self._read_parameters(), *self._read_body()]

    def _find_parameters(self, item: JSON) -> dict[tuple[str, str], JSON]:
        """Return the parameters by name and place; the operation's own stand above those of its path."""
        found: dict[tuple[str, str], JSON] = {}
        for written in (item.get("parameters"), self._operation.get("parameters")):
            for node in written if isinstance(written, list) else ():
                parameter = self._api.references.follow(node)
                if isinstance(parameter.get("name"), str) and isinstance(parameter.get("in"), str):
                    found[parameter["name"], parameter["in"]] = parameter
                elif parameter.get("in") == "body":
                    found["body", "body"] = parameter
        if len(found) > _MOST_PARAMETERS:
            raise CatalogError(f"it takes {len(found):,} parameters, more than the {_MOST_PARAMETERS} that are read")
        return found

    def _read_parameters(self) -> list[_Argument]:
        found = self._found
        google = any(name in ("$.xgafv", "quotaUser") for name, _ in found)
        arguments = [
            self._read_parameter(parameter)
            for (name, place), parameter in found.items()
            if place in ("path", "query", "header", "querystring")
            and not self._is_technical(name.lower(), place)
            and not (google and name.lower() in _GOOGLE)
        ]
        declared = {argument.name for argument in arguments if argument.place == "path"}
        named = dict.fromkeys(re.findall(r"\{([^{}/]{1,100})\}", self._path))
        undeclared = [name for name in named if name not in declared and make_name(name)]
        return arguments + [
            _Argument(name, "path", SchemaPart({"type": "string"}), required=True) for name in undeclared
        ]

    def _is_technical(self, name: str, place: str) -> bool:
        if place == "path":
            return False
        return (
            name in self._api.secrets
            or (place == "header" and (name in _TRANSPORT or name.startswith(("x-amz-", "sec-"))))
            or (place == "query" and name.startswith("x-amz-"))
        )

    def _read_parameter(self, parameter: JSON) -> _Argument:
        schema: Any = parameter.get("schema")
        if schema is None and isinstance(content := parameter.get("content"), dict):
            schema = next((get_object(content, kind).get("schema") for kind in content), None)
        if schema is None:
            schema = parameter if self._api.old else {}
        part = self._api.schemas.read(schema, sent=True, most=60)
        refined = {**part.schema, **describe({"description": parameter.get("description")})}
        part = _complete(part._replace(schema={**refined, **keep_examples(parameter, refined)}), self._api.references)
        place = str(parameter["in"])
        return _Argument(parameter["name"], place, part, place == "path" or _is_true(parameter.get("required")))

    def _read_body(self) -> list[_Argument]:
        form = [parameter for (_, place), parameter in self._found.items() if place == "formData"]
        if form:
            return [self._read_parameter({**parameter, "in": "body"}) for parameter in form]
        if self._api.old:
            body = next((parameter for (_, place), parameter in self._found.items() if place == "body"), {})
        else:
            body = self._api.references.follow(self._operation.get("requestBody"))
        schema = body.get("schema") if self._api.old else pick_schema(body.get("content"))
        if not isinstance(schema, dict):
            return []
        part = _complete(self._api.schemas.read(schema, sent=True, most=_MOST_SENT), self._api.references)
        if part.size > _MOST_PARAMETERS:
            raise CatalogError(f"its body has {part.size:,} fields, more than the {_MOST_PARAMETERS} that are read")
        needed = _is_true(body.get("required", self._method in ("post", "put", "patch")))
        whole = flatten_union(part.schema)
        properties = whole.get("properties")
        if not properties:
            said = describe(body)
            telling = set(part.schema) - {"type", "description"} or part.schema.get("type") not in (None, "object")
            return [_Argument("body", "body", part._replace(schema={**part.schema, **said}), needed and bool(telling))]
        required = whole.get("required", ())
        return [
            _Argument(name, "body", SchemaPart(inner, cut=part.cut), needed and name in required)
            for name, inner in properties.items()
        ]


def _join(arguments: list[_Argument]) -> JSON:
    """Return the schema of all arguments; of two with one name the later gets its place before its name."""
    properties: JSON = {}
    required: list[str] = []
    for argument in arguments:
        name = make_name(argument.name) or f"{argument.place}_value"
        if name in properties:
            name = make_name(f"{argument.place}_{name}")
        number = 2
        while name in properties:
            name, number = make_name(f"{argument.place}_{number}_{argument.name}"), number + 1
        properties[name] = argument.part.schema
        if argument.required:
            required.append(name)
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _complete(part: SchemaPart, references: References) -> SchemaPart:
    """Refuse a schema with a reference that leads nowhere: its tool would be called with something else."""
    if part.missing:
        raise CatalogError(references.explain(part.missing[0]))
    return part


def _is_true(value: Any) -> bool:
    return value is True or value == "true"
