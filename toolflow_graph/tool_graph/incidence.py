"""What the Tool Graph is made from: which tool has which slot string, and which strings are similar."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from toolflow_graph.catalog import SchemaSlot, iterate_slots
from toolflow_graph.tool_graph.kinds import find_kind
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Incidence", "Side", "SlotList", "gather", "list_slots", "make_side", "spread_rows", "turn_around"]


@dataclass(frozen=True, eq=False)
class Side:
    """The parameters (or the return values) of all tools.

    The slots of tool t are those from `starts[t]` to `starts[t + 1]`: each string once, in the order of the schema,
    with the first path at which it stands, the kind of value there (a place in `KINDS`), and whether it is required.
    `owners` turns this around, (strings, tools), its data the number of the slot plus 1.
    """

    starts: "NDArray[np.int64]"
    strings: "NDArray[np.int64]"
    kinds: "NDArray[np.int64]"
    required: "NDArray[np.bool_]"
    paths: tuple[str, ...]
    owners: "csr_array[np.int64, tuple[int, int]]"

    def of(self, tool: int) -> "NDArray[np.int64]":
        """Return the strings of one tool."""
        return self.strings[self.starts[tool] : self.starts[tool + 1]]

    @property
    def tools(self) -> "NDArray[np.int64]":
        """The tool of each slot."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


@dataclass(frozen=True)
class SlotList:
    """Slots in the making: their number for each tool, and string, kind, need and path of each."""

    sizes: list[int] = field(default_factory=list)
    strings: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    required: list[bool] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Incidence:
    """Tools, strings, and what joins them; `similar` holds cosines, symmetric, with 1 on the diagonal."""

    takes: Side
    gives: Side
    similar: "csr_array[np.float64, tuple[int, int]]"

    @property
    def size(self) -> int:
        """Number of tools."""
        return len(self.takes.starts) - 1

    def find_components(self) -> "NDArray[np.int64]":
        """Return the number of the connected component of each tool.

        A parameter joins its tool with the strings similar to it, and so does a return value that some tool takes.
        """
        count, strings = self.size, self.similar.shape[0]
        taken = np.diff(self.takes.owners.indptr) > 0
        one, other = self.similar.tocoo().coords
        one, other = one[taken[other]].astype(np.int64), other[taken[other]].astype(np.int64)
        used = np.zeros(strings, np.bool_)
        used[one] = True
        tools, given = self.takes.tools, self.takes.strings
        mine = used[given]
        makers, made = self.gives.tools, self.gives.strings
        useful = used[made]
        rows = np.concatenate((tools[mine], makers[useful], count + strings + one, (count + one)[taken[one]]))
        columns = np.concatenate(
            (count + given[mine], count + strings + made[useful], count + other, (count + other)[taken[one]])
        )
        nodes = count + 2 * strings
        joined: Any = csr_array((np.ones(len(rows)), (rows, columns)), shape=(nodes, nodes))
        labels = connected_components(joined, directed=False)[1][:count]
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def list_slots(schemas: Sequence[JSON], numbers: dict[str, int]) -> SlotList:
    """List the slots of all tools; new strings get the next numbers."""
    listed = SlotList()
    shared: dict[str, str] = {}
    for schema in schemas:
        own: dict[int, SchemaSlot] = {}
        for slot in iterate_slots(schema):
            own.setdefault(numbers.setdefault(slot.text, len(numbers)), slot)
        required = frozenset(schema.get("required") or ())
        listed.sizes.append(len(own))
        for string, slot in own.items():
            listed.strings.append(string)
            listed.kinds.append(find_kind(slot.schema))
            listed.required.append(slot.path.split(".", 1)[0] in required)
            listed.paths.append(shared.setdefault(slot.path, slot.path))
    return listed


def make_side(listed: SlotList, strings: int) -> Side:
    """Put listed slots in arrays; `strings` is the number of all strings."""
    starts = np.concatenate(([0], np.cumsum(np.array(listed.sizes, np.int64)))).astype(np.int64)
    numbers = np.array(listed.strings, np.int64)
    kinds, required = np.array(listed.kinds, np.int64), np.array(listed.required, np.bool_)
    return Side(starts, numbers, kinds, required, tuple(listed.paths), turn_around(starts, numbers, strings))


def turn_around(
    starts: "NDArray[np.int64]", strings: "NDArray[np.int64]", count: int
) -> "csr_array[np.int64, tuple[int, int]]":
    """Return which tools own each of `count` strings, see `Side`."""
    tools = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return csr_array((np.arange(1, len(strings) + 1), (strings, tools)), shape=(count, len(starts) - 1))


def gather(indptr: "NDArray[np.integer]", rows: "NDArray[np.integer]") -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Return the positions of all entries of some rows of a CSR matrix, and for each the place of its row in `rows`."""
    return spread_rows(indptr, rows), np.repeat(np.arange(len(rows)), indptr[rows + 1] - indptr[rows])


def spread_rows(indptr: "NDArray[np.integer]", rows: "NDArray[np.integer]") -> "NDArray[np.int64]":
    """Return the positions of all entries of some rows of a CSR matrix."""
    starts = indptr[rows]
    lengths = indptr[rows + 1] - starts
    ends = lengths.cumsum(dtype=np.int64)
    positions: NDArray[np.int64] = (starts - ends + lengths).repeat(lengths)
    positions += np.arange(len(positions))
    return positions
