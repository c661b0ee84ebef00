"""Reads OpenAPI 3.0 and 3.1 and Swagger 2.0: every operation is a tool.

Path, query and header parameters and the properties of an object body stand side by side in `parameters`; a body that
is no object is the parameter `body`. `returns` is the schema of the success response. A tool's returns are an object,
so a list or a single value stands in one under the name of what it is: `{"pets": […]}`. What returns nothing (204, or
a response without a schema) gets the returns that rules infer. Left out are read-only properties of requests,
write-only ones of responses, cookies, and what authenticates or only steers the transport.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from toolflow_graph.catalog.functions import make_tool
from toolflow_graph.catalog.names import Names, make_name, make_slug
from toolflow_graph.catalog.openapi_document import Api
from toolflow_graph.catalog.openapi_request import read_request
from toolflow_graph.catalog.openapi_response import read_response
from toolflow_graph.catalog.reading import Reading
from toolflow_graph.catalog.references import References
from toolflow_graph.catalog.texts import clean_text, shorten
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON, Annotations, Tool

if TYPE_CHECKING:
    from toolflow_graph.catalog.other_documents import OtherDocuments

__all__ = ["read_openapi"]

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")

_LONGEST_DESCRIPTION = 1024


def read_openapi(
    document: JSON, where: str, stem: str, names: Names, reading: Reading, others: "OtherDocuments | None" = None
) -> None:
    """Add the operations of a document to a reading; what cannot be read is skipped with the reason.

    `stem` names the domain where neither title nor host do; `names` are the tool names given so far; `others` finds
    the documents that this one refers to, where these may be read.
    """
    api = Api(document, where, others)
    domain = api.domain or make_slug(stem) or "api"
    paths = document.get("paths")
    if not isinstance(paths, dict):
        reading.skip(where, "", "an OpenAPI document without paths")
        return
    for path, item in paths.items():
        if isinstance(item, dict) and "$ref" in item and not isinstance(api.references.find(item["$ref"]), dict):
            reading.skip(where, str(path)[:200], api.references.explain(str(item["$ref"])))
    for path, method, item, operation in _list_operations(api.references, paths):
        label = f"{method.upper()} {path[:200]}"
        try:
            tool, cut = _build_tool(api, path, method, item, operation, where, domain, names)
        except CatalogError as exc:
            reading.skip(where, label, str(exc))
        except RecursionError:
            reading.skip(where, label, "its schemas are nested too deeply")
        else:
            reading.add(tool)
            reading.notes["tools whose deepest fields were left out"] += cut


def _list_operations(references: References, paths: JSON) -> Iterator[tuple[str, str, JSON, Any]]:
    for path, found in paths.items():
        item = found
        if isinstance(found, dict) and "$ref" in found:
            target = references.find(found["$ref"])
            item = {**target, **found} if isinstance(target, dict) else found
        if isinstance(item, dict):
            yield from ((str(path), method, item, item[method]) for method in _METHODS if method in item)


def _build_tool(
    api: Api, path: str, method: str, item: JSON, operation: Any, where: str, domain: str, names: Names
) -> tuple[Tool, bool]:
    """Return the tool, and whether something deep was left out of its schemas."""
    if not isinstance(operation, dict):
        raise CatalogError("the operation is not an object")
    request = read_request(api, path, method, item, operation)
    response = read_response(api, path, operation)
    tool = make_tool(
        name=names.give(make_name(str(operation.get("operationId") or "")) or _make_name(method, path), domain),
        description=_describe(item, operation),
        parameters=request.schema,
        returns=None if response is None else response.schema,
        domain=domain,
        provider=api.host,
        source=where,
        annotations=Annotations(
            read_only=True if method in ("get", "head", "options") else None,
            destructive=True if method == "delete" else None,
            deprecated=operation.get("deprecated") is True,
        ),
    )
    return tool, request.cut or (response is not None and response.cut)


def _describe(item: JSON, operation: JSON) -> str:
    summary = clean_text(operation.get("summary")) or clean_text(item.get("summary"))
    more = clean_text(operation.get("description"), _LONGEST_DESCRIPTION)
    if not summary or not more or more.lower().startswith(summary.lower().rstrip(". ")):
        return more or summary
    return shorten(f"{summary.rstrip('.')}. {more}", _LONGEST_DESCRIPTION)


def _make_name(method: str, path: str) -> str:
    steps = [step for step in path.split("/") if step and not re.fullmatch(r"api|v\d[\w.]*", step)]
    words = [f"by_{step.strip('{}')}" if step.startswith("{") else step for step in steps]
    return make_name("_".join([method, *words])) or method
