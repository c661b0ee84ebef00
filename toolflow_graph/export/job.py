"""An export from files to files: which dialogues, into which part, in which format."""

import json
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, repeat
from pathlib import Path

from toolflow_graph.dataset import Source, StoredDialogue, is_accepted, list_files, open_dialogues
from toolflow_graph.errors import DatasetError
from toolflow_graph.export.card import Statistics, write_card
from toolflow_graph.export.examples import REJECTED, Tally, make_examples
from toolflow_graph.export.files import RowFile, open_file, open_folder
from toolflow_graph.export.formats import FORMATS, ExportFormat, write_rows
from toolflow_graph.export.sharegpt import DATASET_INFO
from toolflow_graph.export.splits import SPLITS, Split, name_tool, read_footprint, split_by_tool
from toolflow_graph.near_duplicates import find_near_duplicates

__all__ = ["ExportReport", "write_export"]

WITHHELD = "tools withheld from the offer: they are called in a split that is held out"


@dataclass(frozen=True)
class ExportReport:
    """What was written: the files by split (only "train" where nothing was split), what is in them, and the counts."""

    files: Mapping[str, Path]
    parts: Mapping[str, Statistics]
    tally: Tally


def write_export(
    sources: Sequence[Source],
    target: ExportFormat,
    out: Path,
    *,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    drop_near_duplicates: bool = False,
    limit: int | None = None,
    licence: str | None = None,
) -> ExportReport:
    """Write the dialogues of runs' folders or files in a format; all of it, or nothing.

    Args:
        sources: Folders of runs or of shards, files of dialogues, or URLs of shards; read as often as needed, a
            dialogue at a time.
        target: Name of the format.
        out: File to write; a folder when the dialogues are split, and for `hf`.
        shares: Fractions of the dialogues by split, which add up to 1; see `split_by_tool`.
        seed: Decides where held-out parts begin.
        drop_near_duplicates: Leave out dialogues whose words are almost those of an earlier one.
        limit: How many dialogues are taken at most, near duplicates not counted.
        licence: Licence for the card of `hf`, an identifier of the Hub.

    Raises `DatasetError` when a file cannot be read or written, or no row comes of it.
    """
    if out.resolve() in list_files(sources):
        raise DatasetError(f"{out} is a file that is being read; name another one")
    repeated: set[int] = set()
    if drop_near_duplicates:
        repeated = {place for place, _ in find_near_duplicates(_read_accepted(sources))}
    split = None
    if shares is not None:
        taken = _take(sources, repeated, limit, Tally())
        footprints = [read_footprint(dialogue.messages, dialogue.tools) for dialogue in taken]
        split = split_by_tool(footprints, shares, random.Random(seed))
        limit = len(footprints)  # of a run that still goes on, later passes see more
    tally = Tally()
    parts = {name: Statistics() for name in SPLITS if name in (shares or SPLITS[:1])}
    names = _name_files(target, list(parts)) if split or target == "hf" else None
    form = FORMATS[target]
    schema = form.schema() if form.schema else None
    try:
        if names is None:
            with open_file(out, schema) as file:
                _write_parts(_take(sources, repeated, limit, tally), target, None, {SPLITS[0]: file}, parts, tally)
            return ExportReport({SPLITS[0]: out}, parts, tally)
        with open_folder(out, names, schema) as (folder, files):
            _write_parts(_take(sources, repeated, limit, tally), target, split, files, parts, tally)
            if target == "hf":
                write_card(folder / "README.md", parts, sources, tally, licence=licence, by_tool=split is not None)
            elif target == "sharegpt":
                info = {name: {"file_name": file, **DATASET_INFO} for name, file in names.items()}
                (folder / "dataset_info.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    except OSError as exc:
        raise DatasetError(f"{out}: cannot be written: {exc.strerror or exc}") from exc
    return ExportReport({name: out / file for name, file in names.items()}, parts, tally)


def _name_files(target: ExportFormat, parts: Sequence[str]) -> dict[str, str]:
    """Return the file of each split in the folder, as `datasets` finds it there by itself."""
    if target == "hf":
        return {name: f"data/{name}-00000-of-00001.parquet" for name in parts}
    return {name: f"{name}.{'parquet' if FORMATS[target].schema else 'jsonl'}" for name in parts}


def _read_accepted(sources: Sequence[Source], tally: Tally | None = None) -> Iterator[StoredDialogue]:
    for source in sources:
        for dialogue in open_dialogues(source):
            if dialogue.record is None or is_accepted(dialogue.record):
                yield dialogue
            elif tally is not None:
                tally.left_out[REJECTED] += 1


def _take(
    sources: Sequence[Source], repeated: Collection[int], limit: int | None, tally: Tally
) -> Iterator[StoredDialogue]:
    """Yield the dialogues that are wanted, the same ones in every pass."""

    def choose() -> Iterator[StoredDialogue]:
        for place, dialogue in enumerate(_read_accepted(sources, tally)):
            if place not in repeated:
                yield dialogue
            else:
                tally.left_out["near duplicates of another one"] += 1

    return islice(choose(), limit)


def _write_parts(
    dialogues: Iterable[StoredDialogue],
    target: ExportFormat,
    split: Split | None,
    files: Mapping[str, RowFile],
    parts: Mapping[str, Statistics],
    tally: Tally,
) -> None:
    """Write every dialogue to the file of its split; raises `DatasetError` when one of them stays empty."""
    places = split.places if split else repeat(SPLITS[0])
    if split:
        tally.left_out.update(split.dropped)
    for dialogue, place in zip(dialogues, places, strict=False):
        if place is None:
            continue
        kept = _withhold(dialogue, split.withheld(place), tally) if split else dialogue
        for example in make_examples([kept], tally):
            rows = write_rows(example, target, tally)
            for row in rows:
                files[place].write(row)
            if rows:
                parts[place].add(example)
    for name, part in parts.items():
        if not part.dialogues:
            raise DatasetError(_explain_nothing(target, name if split else None, tally))


def _withhold(dialogue: StoredDialogue, names: Collection[str], tally: Tally) -> StoredDialogue:
    tools = [tool for tool in dialogue.tools if name_tool(tool) not in names]
    if len(tools) == len(dialogue.tools):
        return dialogue
    tally.notes[WITHHELD] += len(dialogue.tools) - len(tools)
    return replace(dialogue, tools=tools)


def _explain_nothing(target: ExportFormat, split: str | None, tally: Tally) -> str:
    reasons = "; ".join(f"{count:,} left out: {reason}" for reason, count in tally.left_out.most_common())
    where = f" for {split!r}" if split else ""
    hint = (
        "; pairs come from answers of models that were refused: scripted dialogues have none"
        if target == "preference"
        else ""
    )
    return f"there is nothing to write{where}{f' ({reasons})' if reasons else ''}{hint}"
