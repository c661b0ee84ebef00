"""The arms of an ablation: the same run, made by each method, in a folder of the method's name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolflow_graph.catalog import load_catalog
from toolflow_graph.catalog.sources import is_live
from toolflow_graph.dataset import MANIFEST
from toolflow_graph.errors import RunError
from toolflow_graph.runner import Run, read_manifest
from toolflow_graph.runner.build import settle_paths
from toolflow_graph.runner.manifest import fingerprint_catalog, fingerprint_settings
from toolflow_graph.settings import RunSettings
from toolflow_graph.types import Method

__all__ = ["FULL", "Arm", "list_arms", "open_arm"]

FULL: Method = "toolflow"
"""The whole method, which the others are compared with."""

_ABLATED: tuple[Method, ...] = ("no-graph", "no-plan", "no-graph-no-plan")
_WRITTEN: tuple[Method, ...] = ("direct", "cot")


@dataclass(frozen=True)
class Arm:
    """One way to make the dialogues: the settings of its run and the folder that it is played into."""

    settings: RunSettings
    folder: Path

    @property
    def method(self) -> Method:
        """The method, which is also the arm's name."""
        return self.settings.method


def list_arms(settings: RunSettings, out: Path) -> list[Arm]:
    """Return the arms that can be played: those of one request (`direct`, `cot`) only where models play."""
    methods = (FULL, *_ABLATED, *(_WRITTEN if settings.cast == "llm" else ()))
    return [Arm(settings.model_copy(update={"method": method}), out / method) for method in methods]


def open_arm(arm: Arm, models: Mapping[str, Any] | None = None) -> Run | None:
    """Return the arm's run, begun or gone on with; None when it is complete.

    `models` are changes of settings on which no dialogue depends, such as `max_cost`, for a run that goes on.

    Raises `RunError` when its folder holds a run with other settings or over another catalog.
    """
    if not (arm.folder / MANIFEST).exists():
        return Run.start(arm.settings, arm.folder)
    manifest = read_manifest(arm.folder)
    if manifest.settings_sha256 != fingerprint_settings(settle_paths(arm.settings)):
        raise RunError(
            f"{str(arm.folder)!r} holds a run with other settings; give the ones it was begun with, or another --out"
        )
    if manifest.status != "complete":
        return Run.resume(arm.folder, concurrency=arm.settings.concurrency, models=models)
    source = arm.settings.catalog
    if not (source and is_live(source)) and fingerprint_catalog(load_catalog(source)) != manifest.catalog.sha256:
        raise RunError(
            f"the catalog has changed since {str(arm.folder)!r} was played; restore it, or give another --out"
        )
    return None
