"""Reads Python functions as tools: all of a module, a single one, or LangChain tools."""

from toolflow_graph.catalog.live import add_live_tool, name_domain
from toolflow_graph.catalog.names import Names
from toolflow_graph.catalog.reading import Reading
from toolflow_graph.live.calling import name_python_tool
from toolflow_graph.live.functions import find_functions

__all__ = ["read_tools"]


def read_tools(address: str) -> Reading:
    """Return the tools of `MODULE` or `MODULE:FUNCTION`; functions that JSON cannot call are skipped with the reason.

    The module is imported, from the current folder too. Raises `CatalogError` when that fails.
    """
    functions, left_out = find_functions(address)
    module, _, path = address.partition(":")
    source, reading, names = f"python:{address}", Reading(), Names()
    for function in functions:
        entry = {
            "name": function.name,
            "description": function.description,
            "parameters": function.parameters,
            "returns": function.returns,
            "annotations": function.marks,
            "runs": name_python_tool(module, path or function.attribute),
        }
        add_live_tool(reading, names, source, name_domain(module.rpartition(".")[2]), entry)
    for name, reason in left_out:
        reading.skip(source, name, reason)
    return reading
