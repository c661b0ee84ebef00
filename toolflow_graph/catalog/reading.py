"""What reading a source yields: tools, what had to be left out and why, and what people say around the tools."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from toolflow_graph.catalog.slots import SchemaSlot, iterate_slots
from toolflow_graph.types import Record, Tool

__all__ = ["Catalog", "DomainSpeech", "Reading", "Skipped"]


class DomainSpeech(Record):
    """What people say around the tools of one domain; all lists may be empty."""

    title: str = ""
    neighbours: tuple[str, ...] = ()
    openers: tuple[str, ...] = ()
    small_talk: tuple[tuple[str, str], ...] = ()
    general_questions: tuple[tuple[str, str], ...] = ()
    closings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A tool, or a whole file (then `name` is empty), that could not be read; `where` is the file or the address."""

    where: str
    name: str
    reason: str


@dataclass(frozen=True)
class Catalog:
    """Tools by name, in the order of their files, the speech of their domains, and what was left out."""

    tools: dict[str, Tool]
    domains: dict[str, DomainSpeech] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.tools)


@dataclass
class Reading:
    """What has been read of a source so far; readers add to it.

    `forms` counts the files of each form ("openapi", "openai" …), `notes` what was changed on the way, such as
    "schema cut".
    """

    tools: list[Tool] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    forms: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    domains: dict[str, DomainSpeech] = field(default_factory=dict)

    _by_name: dict[str, Tool] = field(default_factory=dict, repr=False)

    def add(self, tool: Tool) -> None:
        """Add a tool, whose name must be new."""
        self.tools.append(tool)
        self._by_name[tool.name] = tool

    def find(self, name: str) -> Tool | None:
        """Return the tool of that name."""
        return self._by_name.get(name)

    def skip(self, where: str, name: str, reason: str) -> None:
        """Note that something could not be read."""
        self.skipped.append(Skipped(where, name, reason))

    @property
    def form(self) -> str:
        """The forms that were found, most frequent first."""
        return ", ".join(form for form, _ in self.forms.most_common())

    @property
    def undescribed(self) -> int:
        """How many parameters have no description."""
        return sum(not slot.schema.get("description") for slot in self._parameters())

    def _parameters(self) -> Iterator[SchemaSlot]:
        for tool in self.tools:
            yield from iterate_slots(tool.parameters)
