"""From settings to what a run consists of: stage, folder, manifest, account, slots and engine."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from toolflow_graph.catalog.sources import is_live
from toolflow_graph.dataset import dialogue_id
from toolflow_graph.dialogue.stage import Stage, load_stage
from toolflow_graph.errors import RunError, SettingsError
from toolflow_graph.live.executions import name_executions
from toolflow_graph.models.settings import ModelSettings, change_models
from toolflow_graph.runner.checkpoints import drop_threads, find_last_step, list_threads
from toolflow_graph.runner.damage import find_damage, find_damaged_threads, set_aside
from toolflow_graph.runner.database import (
    Database,
    drop_dialogues,
    find_damaged_dialogues,
    list_begun,
    prepare_database,
)
from toolflow_graph.runner.engine import Engine, Place
from toolflow_graph.runner.folder import RunFolder, blame_disk, find_checkpoints, name_checkpoints
from toolflow_graph.runner.local import LocalEngine
from toolflow_graph.runner.manifest import Manifest, fingerprint_catalog, fingerprint_settings, read_manifest
from toolflow_graph.runner.processes import ProcessEngine
from toolflow_graph.runner.slots import Slots
from toolflow_graph.runner.spending import Spending
from toolflow_graph.settings import RunSettings, assign_patterns, parse_settings
from toolflow_graph.types import Pattern

__all__ = [
    "Parts",
    "assign_kinds",
    "begin_run",
    "build_engine",
    "find_database",
    "refuse_changes",
    "reopen_run",
    "settle_paths",
]


@dataclass(frozen=True)
class Parts:
    """What a run consists of; `begun` says where the checkpoints of unfinished dialogues are.

    `damages` tells, a line each, what was found damaged when the run was opened and is made anew.
    """

    settings: RunSettings
    stage: Stage
    manifest: Manifest
    slots: Slots
    folder: RunFolder | None = None
    spending: Spending | None = None
    begun: Mapping[int, Place] = field(default_factory=dict)
    damages: tuple[str, ...] = ()
    resumed: bool = False

    @property
    def database(self) -> Database | None:
        """The database of the checkpoints, if they are made and not in files."""
        return find_database(self.manifest) if self.folder is not None else None


def begin_run(settings: RunSettings, out: Path | None) -> Parts:
    """Begin a new run in a folder, or in memory; raises `RunError` when the folder holds one or is not writable."""
    slots = Slots(assign_kinds(settings), settings.max_attempts)
    if out is None:
        stage = load_stage(settings)
        return Parts(settings, stage, Manifest.begin(settings, stage), slots, None, _open_spending(stage, None))
    settings = settle_paths(settings)
    if settings.engine == "ray":
        import toolflow_graph.runner.ray_engine  # noqa: F401, PLC0415 - says at once when the extra is not installed
    folder = RunFolder.create(out)
    try:
        stage = load_stage(settings)
        manifest = Manifest.begin(settings, stage)
        if (database := find_database(manifest)) is not None:
            prepare_database(database)
        with blame_disk(out):
            manifest.write(out)
            spending = _open_spending(stage, out)
    except BaseException:
        folder.discard()
        raise
    return Parts(settings, stage, manifest, slots, folder, spending)


def reopen_run(
    out: Path,
    *,
    concurrency: int | None = None,
    workers: int | None = None,
    engine: Literal["local", "ray"] | None = None,
    ray_address: str | None = None,
    models: Mapping[str, Any] | None = None,
) -> Parts:
    """Open a run that was started before; finished dialogues are kept, the settings come from its manifest.

    Raises `SettingsError` for changes of models that would make other dialogues, and `RunError` when the folder is no
    run, its catalog or settings were changed, or it is in use.
    """
    read_manifest(out)
    folder = RunFolder.reopen(out)
    try:
        manifest = read_manifest(out)
        settings = _change_models(manifest.settings, models or {})
        manifest = manifest.model_copy(update={"settings": settings})
        stage = load_stage(settings)
        refuse_changes(out, manifest, stage)
        settings = _change_engine(settings, concurrency, workers, engine, ray_address)
        with blame_disk(out):
            counts = folder.recover(settings.dialogues)
            spending = _open_spending(stage, out)
            damages = _set_damaged_aside(folder)
            begun = _find_begun(folder, manifest, settings, damages) if counts.accepted < counts.planned else {}
            manifest = manifest.model_copy(update={"counts": counts, "damages": (*manifest.damages, *damages)})
            if models or damages:
                manifest.write(out)
    except BaseException:
        folder.close()
        raise
    slots = Slots(assign_kinds(settings), settings.max_attempts)
    for file, accepted in ((folder.rejected, False), (folder.accepted, True)):
        for index in file:
            slots.settle(index, accepted=accepted)
    return Parts(settings, stage, manifest, slots, folder, spending, begun, tuple(damages), resumed=True)


def build_engine(parts: Parts) -> Engine:
    """Return what plays the dialogues of a run, as its settings have it."""
    settings, folder = parts.settings, parts.folder
    account = None if parts.spending is None else parts.spending.account
    if settings.engine == "ray":
        from toolflow_graph.runner.ray_engine import RayEngine  # noqa: PLC0415 - an extra

        return RayEngine(settings, parts.stage, account, parts.database, None if folder is None else folder.path)
    if settings.workers > 1:
        return ProcessEngine(settings, parts.stage, folder, account, parts.database)
    place: Place | None = parts.database
    if place is None and folder is not None and settings.keeping != "none":
        place = folder.path / name_checkpoints()
    note = None if folder is None else folder.path / name_executions()
    return LocalEngine(settings, parts.stage, place=place, note=note, account=account)


def _change_engine(
    settings: RunSettings,
    concurrency: int | None,
    workers: int | None,
    engine: Literal["local", "ray"] | None,
    ray_address: str | None,
) -> RunSettings:
    """Return the settings of this session, played by whom it wants; the address goes with the engine."""
    changes: dict[str, Any] = {"concurrency": concurrency, "workers": workers, "engine": engine}
    changes = {name: value for name, value in changes.items() if value is not None}
    if engine is not None or ray_address is not None:
        changes["ray_address"] = ray_address
    return parse_settings({**settings.model_dump(exclude_unset=True), "cast": settings.cast, **changes})


def assign_kinds(settings: RunSettings) -> list[tuple[Pattern, ...]]:
    """Return the patterns of every wanted dialogue of a run."""
    if settings.patterns:
        return [settings.patterns] * settings.dialogues
    return assign_patterns(settings.mix, settings.dialogues, settings.seed)


def refuse_changes(out: Path, manifest: Manifest, stage: Stage) -> None:
    """Raise `RunError` when a run's settings, prompts or catalog are not those that it was started with."""
    settings = manifest.settings
    if fingerprint_settings(settings) != manifest.settings_sha256:
        raise RunError(f"{out}: the settings in its manifest were changed; start a new run in another folder")
    if stage.prompts.fingerprint() != manifest.prompts_sha256:
        raise RunError(
            f"{out}: the prompts have changed since the run was started; restore them, or start a new run in another "
            "folder"
        )
    if fingerprint_catalog(stage.catalog) != manifest.catalog.sha256:
        source = repr(settings.catalog) if settings.catalog else "the bundled one"
        raise RunError(
            f"{out}: its catalog ({source}) has changed since the run was started; "
            "restore it, or start a new run in another folder"
        )


def find_database(manifest: Manifest) -> Database | None:
    """Return the database that the run's settings name for its checkpoints."""
    settings = manifest.settings
    if settings.checkpoint_url is None or settings.keeping == "none":
        return None
    return Database(settings.checkpoint_url, manifest.run)


def _set_damaged_aside(folder: RunFolder) -> list[str]:
    """Move files of checkpoints away that are no longer whole, and tell it: no dialogue can go on from them."""
    damages = []
    for path in find_checkpoints(folder.path):
        if said := find_damage(path):
            aside = set_aside(path)
            damages.append(
                f"{path} was damaged ({said}) and is now {aside.name}; finished dialogues are kept, those that were in "
                "flight in it begin anew"
            )
    return damages


def _find_begun(folder: RunFolder, manifest: Manifest, settings: RunSettings, damages: list[str]) -> dict[int, Place]:
    """Return where the checkpoints of unfinished dialogues are, whichever worker has begun them.

    Where several have a thread, because one took it over from another that had died, the one that came farthest counts.
    What a journal should have forgotten is forgotten now, and so is what is damaged; that is added to `damages`.
    """
    if settings.keeping == "none":
        return {}
    finished = {index for file in (folder.accepted, folder.rejected) for index in file}
    if (database := find_database(manifest)) is not None:
        return dict.fromkeys(_find_in_database(database, settings, finished, damages), database)
    found: defaultdict[int, list[tuple[Path, str]]] = defaultdict(list)
    for path in find_checkpoints(folder.path):
        done: list[str] = []
        begun: dict[str, int] = {}
        for thread in list_threads(path):
            number = thread.rpartition("-")[2]
            index = int(number) if number.isdecimal() else -1
            if thread != dialogue_id(settings.seed, index):  # nobody's
                continue
            if index not in finished:
                begun[thread] = index
            elif settings.keeping == "journal":
                done.append(thread)
        damaged = find_damaged_threads(path, begun)
        if damaged:
            damages.append(_say_damaged(path, damaged))
        drop_threads(path, (*done, *damaged))
        for thread in begun.keys() - set(damaged):
            found[begun[thread]].append((path, thread))
    return {
        index: places[0][0] if len(places) == 1 else max(places, key=lambda place: find_last_step(*place))[0]
        for index, places in found.items()
    }


def _find_in_database(
    database: Database, settings: RunSettings, finished: Collection[int], damages: list[str]
) -> list[int]:
    prepare_database(database)
    begun = {int(dialogue.rpartition("-")[2]): dialogue for dialogue in list_begun(database)}
    if settings.keeping == "journal":
        drop_dialogues(database, [dialogue for index, dialogue in begun.items() if index in finished])
    unfinished = {dialogue: index for index, dialogue in begun.items() if index not in finished}
    damaged = find_damaged_dialogues(database, unfinished) if unfinished else []
    if damaged:
        damages.append(_say_damaged(database.address, damaged))
    drop_dialogues(database, damaged)
    return [index for dialogue, index in unfinished.items() if dialogue not in damaged]


def _say_damaged(place: object, dialogues: Collection[str]) -> str:
    return f"{place}: damaged checkpoints of {', '.join(dialogues)}; begun anew"


def _open_spending(stage: Stage, out: Path | None) -> Spending | None:
    return None if stage.client is None else Spending.open(stage.client.settings, out)


def _change_models(settings: RunSettings, changes: Mapping[str, Any]) -> RunSettings:
    if not changes:
        return settings
    if not settings.roles:
        raise SettingsError(f"setting {next(iter(changes))!r} is for models, and this run is played by rules")
    return settings.model_copy(update={"models": _settle_prices(change_models(settings.models, changes))})


def settle_paths(settings: RunSettings) -> RunSettings:
    """Return settings that mean the same from any working directory."""
    update: dict[str, Any] = {"models": _settle_prices(settings.models)}
    if settings.catalog is not None and not is_live(settings.catalog):
        update["catalog"] = str(Path(settings.catalog).absolute())
    if settings.prompts is not None:
        update["prompts"] = str(Path(settings.prompts).absolute())
    if Path(settings.encoder).is_dir():
        update["encoder"] = str(Path(settings.encoder).absolute())
    return settings.model_copy(update=update)


def _settle_prices(models: ModelSettings) -> ModelSettings:
    if models.prices is None:
        return models
    return models.model_copy(update={"prices": str(Path(models.prices).absolute())})
