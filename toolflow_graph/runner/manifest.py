"""The manifest of a run: what was wanted, what made it, and what came of it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import Field, ValidationError

from toolflow_graph.catalog.reading import Catalog
from toolflow_graph.dataset import MANIFEST, replace_file
from toolflow_graph.dialogue.stage import Stage
from toolflow_graph.errors import RunError
from toolflow_graph.models.settings import CHANGEABLE
from toolflow_graph.runner.costs import Costs
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import JSON, Record, Tool

__all__ = ["CatalogNote", "Counts", "Manifest", "fingerprint_catalog", "fingerprint_settings", "now", "read_manifest"]

_PACKAGES = (
    "toolflow-graph",
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "langgraph-checkpoint-postgres",
    "langchain-core",
    "sentence-transformers",
    "faiss-cpu",
    "faker",
    "pydantic",
)


_OF_THE_RUN = (
    "workers",
    "concurrency",
    "checkpoints",
    "checkpoint_url",
    "engine",
    "ray_address",
    "max_attempts",
    "max_rejected",
)
"""Settings on which no dialogue depends."""


class Counts(Record):
    """What a run has made so far; `patterns` counts accepted dialogues, `turns` and `calls` are those in them."""

    planned: int
    accepted: int = 0
    rejected: int = 0
    turns: int = 0
    messages: int = 0
    calls: int = 0
    patterns: dict[str, int] = Field(default={})

    @property
    def done(self) -> int:
        """Dialogues that are finished, accepted or not."""
        return self.accepted + self.rejected

    def add(self, patterns: Iterable[str], usage: Mapping[str, int], *, accepted: bool) -> "Counts":
        """Return the counts with one more finished dialogue."""
        if not accepted:
            return self.model_copy(update={"rejected": self.rejected + 1})
        totals = Counter(self.patterns)
        totals.update(set(patterns))
        return self.model_copy(
            update={
                "accepted": self.accepted + 1,
                "turns": self.turns + usage.get("turns", 0),
                "messages": self.messages + usage.get("messages", 0),
                "calls": self.calls + usage.get("calls", 0),
                "patterns": dict(sorted(totals.items())),
            }
        )


class CatalogNote(Record):
    """Which catalog a run was made from; `sha256` is that of its tools and phrasings, wherever they lie."""

    path: str | None
    tools: int
    sha256: str


class Manifest(Record):
    """What `manifest.json` holds.

    `edges` says which edges of the Tool Graph were walked, `seconds` adds up the time of all sessions that came to an
    orderly end, and `settings_sha256` shows whether the settings were changed by hand. `costs` are what models cost,
    null where none play. `damages` tells, a line each, what was found damaged when the run was resumed. `run` is an id
    that no other run has: its checkpoints in a shared database are named after it.
    """

    format: Literal[1] = 1
    run: str = ""
    status: Literal["running", "interrupted", "complete"]
    started: str
    finished: str | None = None
    seconds: float = 0.0
    seed: int
    counts: Counts
    damages: tuple[str, ...] = ()
    costs: Costs | None = None
    catalog: CatalogNote
    encoder: str
    edges: str
    prompts_sha256: str
    cast: str
    settings: RunSettings
    settings_sha256: str
    versions: dict[str, str]

    @classmethod
    def begin(cls, settings: RunSettings, stage: Stage) -> "Manifest":
        """Return the manifest of a run that has made nothing yet."""
        return cls(
            run=uuid4().hex,
            status="running",
            started=now(),
            seed=settings.seed,
            counts=Counts(planned=settings.dialogues),
            catalog=CatalogNote(
                path=settings.catalog, tools=len(stage.catalog), sha256=fingerprint_catalog(stage.catalog)
            ),
            encoder=settings.encoder,
            edges=stage.tool_graph.edges,
            prompts_sha256=stage.prompts.fingerprint(),
            cast=settings.cast,
            settings=settings,
            settings_sha256=fingerprint_settings(settings),
            versions=find_versions(_PACKAGES),
        )

    def write(self, folder: Path) -> None:
        """Write the manifest atomically; raises OSError."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
        replace_file(folder / MANIFEST, [text.encode()])


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a run folder; raises `RunError` when it is missing, unreadable or from another version."""
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise RunError(f"{folder} is not a run: it has no {MANIFEST}; start one with --out {folder}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise RunError(f"{path}: cannot be read: {exc}") from exc
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(
            f"{path}: not a manifest that this version can resume: {place + ': ' if place else ''}{first['msg']}"
        ) from exc


def fingerprint_settings(settings: RunSettings) -> str:
    """Return the hash of all settings on which the dialogues depend."""
    return _hash(
        settings.model_dump(
            mode="json",
            exclude={
                **dict.fromkeys(_OF_THE_RUN, True),
                "models": set(CHANGEABLE),
            },
        )
    )


def fingerprint_catalog(catalog: Catalog) -> str:
    """Return the hash of a catalog's tools and domains, in order; where the files lie does not matter."""
    tools = [_dump_tool(tool) for tool in catalog.tools.values()]
    domains = {name: vars(speech) for name, speech in catalog.domains.items()}
    return _hash({"tools": tools, "domains": domains})


def _dump_tool(tool: Tool) -> JSON:
    """Return what counts of a tool; what only some readers know is left out where it says nothing."""
    silent = {name for name in _OPTIONAL if getattr(tool, name) == Tool.model_fields[name].default}
    dumped = tool.model_dump(mode="json", exclude={"source", *silent})
    if "annotations" in dumped and dumped["annotations"]["idempotent"] is None:
        del dumped["annotations"]["idempotent"]
    return dumped


_OPTIONAL = ("provider", "annotations", "runs")


def _hash(content: JSON) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=False).encode()).hexdigest()


def find_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of those packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
