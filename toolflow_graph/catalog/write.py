"""Writes tools in the native form: a folder with a file for each domain."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from toolflow_graph.catalog.names import Names, make_slug
from toolflow_graph.catalog.reading import DomainSpeech
from toolflow_graph.errors import CatalogError
from toolflow_graph.types import JSON, Annotations, Tool

__all__ = ["write_catalog"]


def write_catalog(
    tools: Iterable[Tool], domains: Mapping[str, DomainSpeech], folder: Path, *, force: bool = False
) -> list[Path]:
    """Write tools, with the speech of their domains, and return the files in order.

    Raises `CatalogError` when a file is there already (unless `force` says to replace it) or cannot be written.
    """
    by_domain: dict[str, list[Tool]] = {}
    for tool in tools:
        by_domain.setdefault(tool.domain, []).append(tool)
    names = Names()
    files = {domain: folder / f"{names.give(make_slug(domain) or 'tools')}.json" for domain in by_domain}
    taken = sorted(path for path in files.values() if path.exists())
    if taken and not force:
        raise CatalogError(f"{taken[0]} is there already; give --force to replace it, or another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for domain, path in files.items():
            speech = domains.get(domain, DomainSpeech()).model_dump(mode="json", exclude_defaults=True)
            content = {"domain": domain, **speech, "tools": [_dump(tool) for tool in by_domain[domain]]}
            written = path.with_name(f".{path.name}.part")
            written.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            os.replace(written, path)  # noqa: PTH105 - says that it replaces
    except OSError as exc:
        raise CatalogError(f"{folder}: cannot be written: {exc.strerror or exc}") from exc
    return list(files.values())


def _dump(tool: Tool) -> JSON:
    entry: JSON = {**tool.to_openai(), "returns": tool.returns}
    if tool.provider:
        entry["provider"] = tool.provider
    if tool.annotations != Annotations():
        entry["annotations"] = tool.annotations.model_dump(exclude_defaults=True)
    if tool.runs:
        entry["runs"] = tool.runs
    if tool.inferred:
        entry["inferred"] = list(tool.inferred)
    if tool.phrasings is not None:
        entry["phrasings"] = tool.phrasings.model_dump(mode="json", exclude_defaults=True)
    return entry
