"""The formats by name: how each writes a dialogue, what becomes of turns that are not trained on, and its files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.export.axolotl import axolotl_rows
from toolflow_graph.export.examples import NO_TURN, Example, Tally, UnfitError, cut_example, make_examples
from toolflow_graph.export.hub import hub_rows, hub_schema
from toolflow_graph.export.openai import openai_rows
from toolflow_graph.export.preference import preference_rows
from toolflow_graph.export.sharegpt import count_lost_words, sharegpt_rows
from toolflow_graph.export.swift import swift_rows
from toolflow_graph.export.tagged import hermes_rows, verl_rows, verl_schema
from toolflow_graph.export.trl import trl_rows
from toolflow_graph.types import JSON, DialogueRecord

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["EXPORT_FORMATS", "FORMATS", "ExportFormat", "Format", "export_dialogues", "write_rows"]

ExportFormat = Literal["openai", "trl", "sharegpt", "axolotl", "ms-swift", "verl", "hermes", "preference", "hf"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


@dataclass(frozen=True)
class Format:
    """One format.

    Where turns cannot be masked one by one (`masks` is false), a dialogue is cut before the first that is not trained
    on. With a `schema` its files are Parquet, else JSON Lines. `empty` says why a dialogue gives no row, `loses` counts
    turns that lose something, `lost` says what.
    """

    rows: Callable[[Example], Iterator[JSON]]
    masks: bool = True
    schema: "Callable[[], pa.Schema] | None" = None
    empty: str = NO_TURN
    loses: Callable[[Example], int] = lambda _: 0
    lost: str = ""


FORMATS: Mapping[ExportFormat, Format] = {
    "openai": Format(openai_rows),
    "trl": Format(trl_rows),
    "sharegpt": Format(
        sharegpt_rows,
        masks=False,
        loses=count_lost_words,
        lost="turns lose what they say beside a call, which the format has no place for",
    ),
    "axolotl": Format(axolotl_rows),
    "ms-swift": Format(swift_rows),
    "verl": Format(verl_rows, masks=False, schema=verl_schema),
    "hermes": Format(hermes_rows, masks=False),
    "preference": Format(preference_rows, empty="no answer of the assistant was refused or mended"),
    "hf": Format(hub_rows, schema=hub_schema),
}


def export_dialogues(
    dialogues: Iterable[DialogueRecord | StoredDialogue], target: ExportFormat, tally: Tally | None = None
) -> Iterator[JSON]:
    """Yield the rows of a format: one per dialogue, but for `trl` and `preference`, where it may be any number.

    Left out, and counted in the tally by reason, are rejected dialogues, those in which no turn of the assistant is
    left to train on, and those that the format cannot express.
    """
    counted = Tally() if tally is None else tally
    for example in make_examples(dialogues, counted):
        yield from write_rows(example, target, counted)


def write_rows(example: Example, target: ExportFormat, tally: Tally) -> list[JSON]:
    """Return the rows of one dialogue, and count them; it is left out when there are none."""
    form = FORMATS[target]
    part = example if form.masks else cut_example(example)
    try:
        rows = list(form.rows(part)) if part else []
    except UnfitError as exc:
        tally.left_out[str(exc)] += 1
        return []
    if not rows:
        tally.left_out[form.empty] += 1
        return rows
    tally.dialogues += 1
    tally.rows += len(rows)
    tally.masked.update(example.untrained.values())
    if part is not example:
        tally.notes["cut before a turn that is not trained on"] += 1
    if part and (lost := form.loses(part)):
        tally.notes[form.lost] += lost
    return rows
