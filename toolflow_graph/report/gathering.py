"""Reads a run, or any file of dialogues, once, and gathers all that its report shows."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from toolflow_graph.dataset import MANIFEST, REJECTED, Source, StoredDialogue, find_run, name_source, open_dialogues
from toolflow_graph.errors import CatalogError, DatasetError, RunError
from toolflow_graph.evaluation import Analysis, Evaluation
from toolflow_graph.report.packing import PackedDialogues, Packer, pack_json
from toolflow_graph.report.run_graph import draw_run_graph
from toolflow_graph.report.tally import Tally
from toolflow_graph.runner import Manifest, read_manifest
from toolflow_graph.settings import assign_patterns
from toolflow_graph.shards import is_shards
from toolflow_graph.types import JSON, PATTERNS, Pattern

__all__ = ["DIALOGUES_SHOWN", "Analyse", "GatheredRun", "gather_run"]

DIALOGUES_SHOWN = 20_000
"""Dialogues of a run that a page holds at most; figures count all."""


Analyse = Callable[[Iterable[StoredDialogue], "Manifest | None"], Analysis]
"""Measures the accepted dialogues of a run, taking them one by one."""


@dataclass(frozen=True)
class GatheredRun:
    """What a page says of one run: `told` in words and figures, `packed` its dialogues, `graph` a packed page.

    `analysis` is there if the run was measured while it was read.
    """

    told: JSON
    packed: PackedDialogues
    graph: str | None
    evaluation: Evaluation | None
    analysis: Analysis | None


def gather_run(
    source: Source,
    measured: Evaluation | Analyse | None = None,
    *,
    shown: int = DIALOGUES_SHOWN,
    on_dialogue: Callable[[], None] | None = None,
) -> GatheredRun:
    """Read a run's folder, a file of dialogues or shards, once.

    Args:
        source: The folder, file, or URL of shards.
        measured: An evaluation of it, or what measures its accepted dialogues while they are read.
        shown: Dialogues that the page will hold at most; figures count all.
        on_dialogue: Called after each dialogue.

    Raises:
        DatasetError: There is nothing to read, or a line is no dialogue.
    """
    manifest, absent = _open_manifest(source)
    tally, packer = Tally(), Packer()

    def read(*, rejected: bool) -> Iterator[StoredDialogue]:
        for dialogue in open_dialogues(source, rejected=rejected):
            tally.add(dialogue, accepted=not rejected)
            if len(packer) < shown:
                packer.add(dialogue, accepted=not rejected)
            yield dialogue
            if on_dialogue is not None:
                on_dialogue()

    accepted = read(rejected=False)
    first = next(accepted, None)
    analysis = None
    if first is not None and callable(measured):
        analysis = measured(chain((first,), accepted), manifest)
    deque(accepted, maxlen=0)
    folder = find_run(source)
    if folder is not None and folder == Path(source) and (folder / REJECTED).exists():
        deque(read(rejected=True), maxlen=0)
    if not len(packer) and manifest is None:
        raise DatasetError(f"{source}: no dialogue in it; name a run's folder or a file of dialogues, one a line")
    evaluation = measured if isinstance(measured, Evaluation) else analysis.evaluation if analysis else None
    name = name_source(source)
    graph, without_graph = _draw_graph(tally, manifest, name)
    absent += without_graph
    if not tally.planned:
        absent.append("No plan stands beside the dialogues: they were made without one, or their file holds none.")
    if len(packer) < tally.accepted + tally.rejected:
        absent.append(f"Only the first {len(packer):,} dialogues are on this page; the figures count all.")
    packed = packer.finish()
    mix = _lay_mix(manifest, tally)
    dumped = evaluation.model_dump(mode="json") if evaluation else None
    spread = dumped["distributions"] if dumped else [one.model_dump(mode="json") for one in tally.list_distributions()]
    told: JSON = {
        "name": name,
        "counts": _count(tally),
        "manifest": _tell_manifest(manifest),
        "verdict": _judge(manifest, tally, mix),
        "mix": mix,
        "found": _list_findings(tally),
        "distributions": spread,
        "reach": tally.reach.tell(),
        "worst": dumped["worst"] if dumped else {},
        "evaluated": dumped["settings"] if dumped else None,
        "absent": absent,
        "chunks": len(packed.chunks),
    }
    return GatheredRun(told, packed, graph, evaluation, analysis)


def _open_manifest(source: Source) -> tuple[Manifest | None, list[str]]:
    """Return the manifest, or None and the reason why there is none."""
    folder = find_run(source)
    if folder is None or folder != Path(source):
        what = "these are shards" if is_shards(source) else "this is a file of dialogues"
        return None, [f"No manifest: {what}, so what was asked for and what it cost is not known."]
    if not (folder / MANIFEST).exists():
        return None, [f"No {MANIFEST} in the folder, so what was asked for and what it cost is not known."]
    try:
        return read_manifest(folder), []
    except RunError as exc:
        return None, [f"The manifest cannot be read: {exc}"]


def _draw_graph(tally: Tally, manifest: Manifest | None, name: str) -> tuple[str | None, list[str]]:
    try:
        page = draw_run_graph(tally, manifest, name)
    except CatalogError as exc:
        return None, [f"No Tool Graph: {exc}"]
    if page is None:
        return None, ["No Tool Graph: the dialogues name no edges between their tools."]
    return pack_json(page.html), []


def _count(tally: Tally) -> JSON:
    names = ("accepted", "rejected", "turns", "messages", "calls", "planned", "tools_called")
    return {name: getattr(tally, name) for name in names} | {
        "tools": len(tally.tools),
        "made_by": [name for name, _ in tally.methods.most_common()],
    }


def _tell_manifest(manifest: Manifest | None) -> JSON | None:
    if manifest is None:
        return None
    told = manifest.model_dump(mode="json", exclude={"settings": {"models": {"key_env"}}})
    told["changed"] = sorted(manifest.settings.model_dump(exclude_defaults=True))
    return told


def _judge(manifest: Manifest | None, tally: Tally, mix: list[JSON]) -> JSON:
    """Return one sentence on the run, and whether it came out as it was asked for."""
    if manifest is None:
        return {"good": None, "text": f"{_say(tally.accepted, 'dialogue')} from a file."}
    wanted, rejected = manifest.settings.dialogues, tally.rejected
    enough = tally.accepted >= wanted
    parts = [f"{tally.accepted:,} of {_say(wanted, 'wanted dialogue')} accepted"]
    if rejected:
        share = rejected / (tally.accepted + rejected)
        parts.append(f"{rejected:,} rejected ({100 * share:.1f} % of all that were played)")
    short = sum(max(kind["wanted"] - kind["accepted"], 0) for kind in mix if kind["wanted"])
    if enough and not short:
        parts.append("every kind of dialogue as often as it was wanted")
    elif enough:
        parts.append(f"{short:,} of other kinds than were wanted")
    if manifest.status != "complete":
        parts.append("the run is not finished" if manifest.status == "running" else "the run was interrupted")
    text = "; ".join(parts)
    return {"good": enough and not short and manifest.status == "complete", "text": f"{text[0].upper()}{text[1:]}."}


def _lay_mix(manifest: Manifest | None, tally: Tally) -> list[JSON]:
    """Return a row per kind of dialogue: its patterns, how many were wanted (None if not known), and what came."""
    wanted: Counter[tuple[Pattern, ...]] = Counter()
    if manifest is not None and manifest.settings.with_plan:
        settings = manifest.settings
        due = assign_patterns(settings.mix, settings.dialogues, settings.seed)
        if settings.patterns:
            due = [settings.patterns] * settings.dialogues
        else:
            wanted.update({_order(entry.patterns): 0 for entry in settings.mix})  # in the order of the mix
        wanted.update(map(_order, due))
    kinds = [*wanted, *(kind for kind in tally.kinds if kind not in wanted)]
    if not wanted and not any(kinds):
        return []
    rows = []
    for kind in kinds:
        accepted, rejected = tally.kinds.get(kind, (0, 0))
        number: int | None = wanted[kind] if wanted else None
        rows.append({"patterns": kind, "wanted": number, "accepted": accepted, "rejected": rejected})
    return rows


def _order(patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    return tuple(sorted(patterns, key=PATTERNS.index))


def _list_findings(tally: Tally) -> list[JSON]:
    """Return a row per check that found something, most errors first."""
    rows = [{"check": check, **vars(found)} for check, found in tally.found.items()]
    return sorted(rows, key=lambda row: (-row["errors"], -row["warnings"], row["check"]))


def _say(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
