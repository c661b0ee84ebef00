"""Python functions as tools: found in a module, described by signature and docstring, called with JSON."""

import asyncio
import importlib
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import docstring_parser
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs, to_jsonable_python

from toolflow_graph.errors import CatalogError
from toolflow_graph.live.outcome import Outcome, fail, succeed
from toolflow_graph.types import JSON

__all__ = ["Function", "find_function", "find_functions"]

_NOTHING = type(None)


@dataclass(frozen=True)
class Function:
    """A function that can be called with JSON; `attribute` is what the module calls it.

    `returns` is None where it does not say what it returns; `wraps` says that its result is no object, and stands under
    `result` therefore. `marks` are `read_only`, `destructive` and `idempotent`, as far as it is marked so.
    """

    attribute: str
    name: str
    description: str
    parameters: JSON
    returns: JSON | None
    wraps: bool
    marks: dict[str, bool]
    run: Callable[[JSON], Any]

    async def call(self, arguments: JSON, timeout_s: float) -> Outcome:
        """Return what the function returns; an exception, or no answer in time, is a failed outcome.

        It runs in a thread of its own, which Python cannot end: one that hangs is left behind.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcome] = loop.create_future()

        def tell(outcome: Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        def work() -> None:
            loop.call_soon_threadsafe(tell, self._run(arguments))

        threading.Thread(target=work, name=f"tool {self.name}", daemon=True).start()
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            return fail(f"the tool did not answer within {timeout_s:g} seconds")

    def _run(self, arguments: JSON) -> Outcome:
        try:
            value = self.run(arguments)
            if inspect.isawaitable(value):
                value = asyncio.run(_finish(value))
            plain = to_jsonable_python(value, inf_nan_mode="null", fallback=str)
        except ValidationError as exc:
            return fail("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors()[:5]))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever it raises is its answer
            return fail(f"{type(exc).__name__}: {exc}".removesuffix(": "))
        return succeed(plain, wrap=self.wraps)


async def _finish(value: Any) -> Any:
    return await value


def find_functions(address: str) -> tuple[list[Function], list[tuple[str, str]]]:
    """Return the functions of `MODULE` or the one of `MODULE:FUNCTION`, and the names of others with the reason.

    Of a module these are the public functions that it defines and that have a docstring, or those in its `__all__`,
    and LangChain tools. Raises `CatalogError` when there is no such module or function, or importing it fails.
    """
    name, colon, wanted = address.partition(":")
    module = _import(address, name)
    if colon:
        try:
            return [_read(wanted.rpartition(".")[2], _find_attribute(module, wanted))], []
        except CatalogError as exc:
            raise CatalogError(f"python:{address}: {exc}") from exc
    functions: list[Function] = []
    left_out: list[tuple[str, str]] = []
    for attribute, found in _list_public(module):
        if not isinstance(found, BaseTool) and not inspect.getdoc(found):
            left_out.append((attribute, "it has no docstring"))
            continue
        try:
            functions.append(_read(attribute, found))
        except CatalogError as exc:
            left_out.append((attribute, str(exc)))
    return functions, left_out


@cache
def find_function(address: str) -> Function:
    """Return the function of `MODULE:FUNCTION`; the same object each time."""
    (found,), _ = find_functions(address)
    return found


def _import(address: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as with `python -m`
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as exc:
        if isinstance(exc, ModuleNotFoundError) and exc.name and f"{name}.".startswith(f"{exc.name}."):
            raise CatalogError(
                f"python:{address}: there is no module {exc.name!r}, neither installed nor in {here}"
            ) from exc
        told = " ".join(f"{type(exc).__name__}: {exc}".split())[:300]
        raise CatalogError(f"python:{address}: importing {name!r} failed: {told}") from exc


def _find_attribute(module: ModuleType, path: str) -> Any:
    found: Any = module
    for name in path.split("."):
        found = getattr(found, name, None)
    if not inspect.isroutine(found) and not isinstance(found, BaseTool):
        raise CatalogError(f"{module.__name__!r} has no function {path!r}")
    return found


def _list_public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    exported = getattr(module, "__all__", None)
    for name, found in vars(module).items():
        public = name in exported if exported is not None else not name.startswith("_")
        own = exported is not None or getattr(found, "__module__", None) == module.__name__
        if public and (isinstance(found, BaseTool) or (inspect.isfunction(found) and own)):
            yield name, found


def _read(name: str, found: Any) -> Function:
    """Return a function or a LangChain tool as a `Function`; raises `CatalogError` for one that JSON cannot call."""
    if isinstance(found, BaseTool):
        return _read_langchain(name, found)
    _check(found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydantic, on defaults that are no JSON
        try:
            adapter = TypeAdapter(found)
            parameters = adapter.json_schema()
        except (PydanticUserError, NameError, TypeError, ValueError) as exc:
            told = str(exc).strip().partition("\n")[0]
            raise CatalogError(f"its signature has no JSON Schema: {told}") from exc
    returns, wraps = _read_returns(found)
    documented = docstring_parser.parse(inspect.getdoc(found) or "")
    return Function(
        attribute=name,
        name=name,
        description=_describe(documented),
        parameters=_add_documentation(parameters, documented),
        returns=returns,
        wraps=wraps,
        marks=_read_marks(vars(found) if hasattr(found, "__dict__") else {}),
        run=lambda arguments: adapter.validate_python(ArgsKwargs((), arguments)),
    )


def _check(found: Any) -> None:
    """Refuse a signature that an object of JSON cannot fill."""
    kinds = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
        inspect.Parameter.POSITIONAL_ONLY: "the positional-only ",
    }
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError) as exc:
        raise CatalogError(f"it has no signature: {exc}") from exc
    for parameter in signature.parameters.values():
        if parameter.kind in kinds:
            raise CatalogError(f"it takes {kinds[parameter.kind]}{parameter.name}, which has no place in JSON")


def _read_langchain(attribute: str, found: BaseTool) -> Function:
    try:
        document = convert_to_openai_tool(found)["function"]
    except (PydanticUserError, TypeError, ValueError) as exc:
        raise CatalogError(f"its arguments have no JSON Schema: {str(exc).partition(chr(10))[0]}") from exc
    inner = getattr(found, "func", None)
    asynchronous = getattr(found, "coroutine", None)
    returns, wraps = _read_returns(inner or asynchronous) if inner or asynchronous else (None, False)
    return Function(
        attribute=attribute,
        name=found.name,
        description=str(document.get("description") or ""),
        parameters=document.get("parameters") or {"type": "object", "properties": {}},
        returns=returns,
        wraps=wraps,
        marks=_read_marks(found.metadata or {}),
        run=lambda arguments: found.ainvoke(arguments) if asynchronous and not inner else found.invoke(arguments),
    )


def _read_returns(found: Any) -> tuple[JSON | None, bool]:
    """Return the JSON Schema of what comes back, and whether it is wrapped; None where it cannot be told."""
    try:
        hint = get_type_hints(found, include_extras=True).get("return", Any)
        if hint is Any:
            return None, False
        if hint in (None, _NOTHING):
            return _wrap({"type": "null"}), True
        schema = TypeAdapter(hint).json_schema(mode="serialization")
    except (PydanticUserError, NameError, TypeError, ValueError, AttributeError):
        return None, False
    target = schema
    if str(schema.get("$ref", "")).startswith("#/$defs/"):
        target = schema["$defs"].get(schema["$ref"].rpartition("/")[2], schema)
    return (schema, False) if target.get("type") == "object" else (_wrap(schema), True)


def _wrap(schema: JSON) -> JSON:
    definitions = schema.pop("$defs", None)
    wrapped: JSON = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
    return {**wrapped, "$defs": definitions} if definitions else wrapped


def _describe(documented: docstring_parser.Docstring) -> str:
    return " ".join(part for part in (documented.short_description, documented.long_description) if part)


def _add_documentation(parameters: JSON, documented: docstring_parser.Docstring) -> JSON:
    """Return the schema with what the docstring says of the parameters, where they say nothing themselves."""
    properties: dict[str, JSON] = {name: dict(part) for name, part in parameters.get("properties", {}).items()}
    for told in documented.params:
        part = properties.get(told.arg_name, {})
        if told.description:
            part.setdefault("description", told.description)
        if part.keys() <= {"title", "description", "default"} and (kind := _TYPES.get(told.type_name or "")):
            part["type"] = kind
    for part in properties.values():
        if part.keys() <= {"title", "description", "default"} and (
            kind := _TYPES.get(type(part.get("default")).__name__)
        ):
            part["type"] = kind
    return {**parameters, "type": "object", "properties": properties}


_TYPES = {
    "str": "string",
    "string": "string",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "bool": "boolean",
    "boolean": "boolean",
    "list": "array",
    "dict": "object",
}
"""JSON types by the names that people write in docstrings, for parameters without a type hint."""


def _read_marks(attributes: Any) -> dict[str, bool]:
    return {
        mark: attributes[mark]
        for mark in ("read_only", "destructive", "idempotent")
        if isinstance(attributes.get(mark), bool)
    }
