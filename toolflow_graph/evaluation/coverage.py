"""How much of what could occur does: tools, pairs of tools, patterns, parameters and their values."""

import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from toolflow_graph.evaluation.bootstrap import Estimate, estimate_variety
from toolflow_graph.evaluation.chains import key_of
from toolflow_graph.evaluation.digest import DialogueDigest
from toolflow_graph.evaluation.figures import Figure
from toolflow_graph.types import PATTERNS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["measure_coverage"]

_GROWS = "grows with the number of dialogues"
_PARAMETER = re.compile(r"[.\[]")


def measure_coverage(
    dialogues: Sequence[DialogueDigest], groups: "NDArray[np.int64]", catalog: Collection[str] | None
) -> Iterator[Figure]:
    """Yield the figures of coverage.

    `groups` are those of the jackknife; `catalog` has the names of all tools that could have been drawn, if known.
    """

    def share(
        key: str, label: str, seen: Sequence[Iterable[Hashable]], possible: Collection[Hashable], missing: str
    ) -> Figure:
        allowed = set(possible)
        if not allowed:
            return _figure(key, label, None, "share", f"not measured: {missing}")
        found = estimate_variety([allowed.intersection(items) for items in seen], groups, len(allowed))
        return _figure(key, label, found, "share", f"of {len(allowed):,}; {_GROWS}")

    called = [{call.name for call in d.calls} for d in dialogues]
    offered = {tool.name for d in dialogues for tool in d.tools}
    yield _figure("tools_called", "different tools called", estimate_variety(called, groups), "count")
    yield share("tool_coverage", "offered tools that are called", called, offered, "no tools are offered")
    label = "tools of the catalog that are called"
    yield share("catalog_coverage", label, called, catalog or (), "the catalog is not known; give --catalog")
    together = [set(combinations(sorted(names), 2)) for names in called]
    pairs = {pair for d in dialogues for pair in combinations(sorted({tool.name for tool in d.tools}), 2)}
    label = "different pairs of tools called together"
    yield _figure("pairs_called", label, estimate_variety(together, groups), "count")
    label = "pairs offered together that are called together"
    yield share("pair_coverage", label, together, pairs, "no two tools are offered together")
    patterns = [{pattern for request in d.labels or () for pattern in request} for d in dialogues]
    named = PATTERNS if any(patterns) else ()
    yield share("pattern_coverage", "patterns that occur", patterns, named, "only our own records name patterns")
    tools = {tool for d in dialogues for tool in d.tools}
    parameters = [{(call.name, _name(path)) for call in d.calls for path, _ in call.arguments} for d in dialogues]
    possible = {(tool.name, parameter) for tool in tools for parameter in tool.parameters}
    label = "parameters of offered tools that are given"
    yield share("parameter_coverage", label, parameters, possible, "no offered tool has a parameter")
    values = [
        {(call.name, _name(path), key_of(v)) for call in d.calls for path, v in call.arguments} for d in dialogues
    ]
    allowed = {(tool.name, name, key_of(value)) for tool in tools for name, listed in tool.enums for value in listed}
    label = "allowed values of enums that are given"
    yield share("enum_coverage", label, values, allowed, "no offered tool has an enum")
    used = set().union(*parameters)
    label = "different values per parameter given"
    if used:
        mean = estimate_variety(values, groups)
        yield _figure("values_per_parameter", label, _divide(mean, len(used)))
    else:
        yield _figure("values_per_parameter", label, None, note="not measured: no call has an argument")


def _name(path: str) -> str:
    """Return the parameter that a path into the arguments begins with."""
    return _PARAMETER.split(path, maxsplit=1)[0]


def _divide(estimate: Estimate, by: int) -> Estimate:
    value, low, high, error = (
        None if part is None else part / by for part in (estimate.value, estimate.low, estimate.high, estimate.error)
    )
    return Estimate(value, low, high, error, method=estimate.method)


def _figure(key: str, label: str, source: Estimate | None, unit: str = "", note: str = _GROWS) -> Figure:
    return Figure(key, label, "diversity", source, unit, "higher", note)
