"""`toolflow export`: runs, or any files of dialogues, in the format that a trainer reads."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from toolflow_graph.export import ExportReport

__all__ = ["export"]

_FORMATS = "What the trainer reads; hf is a data set folder for the Hugging Face Hub. See docs/export.md."


def export(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="FILE|RUN…", help="Files of dialogues, folders of runs, or URLs of published ones."),
    ],
    target: Annotated[
        Literal["openai", "trl", "sharegpt", "axolotl", "ms-swift", "verl", "hermes", "preference", "hf"],
        typer.Option("--format", "-f", help=_FORMATS),
    ],
    out: Annotated[
        str,
        typer.Option("--out", "-o", help="File to write, or its URL (s3://…); a folder with --split, and for hf."),
    ],
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=SHARE,…",
            help="Split by tool, so that held-out tools are unseen in training: train=0.8,validation=0.1,test=0.1",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="With --split: another seed holds out other tools.")] = 0,
    drop_near_duplicates: Annotated[
        bool, typer.Option("--drop-near-duplicates", help="Leave out dialogues that are worded almost like another.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="How many dialogues are taken at most.")] = None,
    licence: Annotated[
        str | None, typer.Option("--license", help="Licence for the card of hf, such as apache-2.0.")
    ] = None,
) -> None:
    """Write dialogues as a trainer reads them.

    Rejected dialogues stay out. Turns of the assistant that a check has flagged, and calls that it had to mend, are not
    trained on.
    """
    shares = None if split is None else _read_shares(split)
    if licence is not None and target != "hf":
        raise typer.BadParameter("--license is for --format hf")
    from toolflow_graph.export import stage_output, write_export  # noqa: PLC0415

    with stage_output(out) as place:
        report = write_export(
            sources,
            target,
            place,
            shares=shares,
            seed=seed,
            drop_near_duplicates=drop_near_duplicates,
            limit=limit,
            licence=licence,
        )
    _print_report(report, out, target, str(report.files["train"]).replace(str(place), out))


def _read_shares(text: str) -> dict[str, float]:
    """Return the shares by split; raises a usage error that says what is wrong with them."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        name = name.strip()
        if name not in ("train", "validation", "test") or name in shares:
            raise typer.BadParameter(f"--split {text!r}: each of train, validation and test at most once, not {name!r}")
        try:
            shares[name] = float(share)
        except ValueError as exc:
            raise typer.BadParameter(f"--split {text!r}: {share!r} is no number; write train=0.8,test=0.2") from exc
    if not all(share > 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise typer.BadParameter(f"--split {text!r}: shares are above 0 and add up to 1")
    if "train" not in shares or len(shares) == 1:
        raise typer.BadParameter(f"--split {text!r}: train, and at least one of validation and test")
    return shares


def _print_report(report: "ExportReport", out: str, target: str, train: str) -> None:
    tally = report.tally
    rows = "" if tally.rows == tally.dialogues else f" as {tally.rows:,} rows"
    typer.echo(f"{_count(tally.dialogues, 'dialogue')} written to {out}{rows}")
    if len(report.parts) > 1:
        for name, part in report.parts.items():
            typer.echo(f"  {name}: {_count(part.dialogues, 'dialogue')}, {_count(len(part.called), 'tool')} called")
    for reason, count in tally.left_out.most_common():
        typer.echo(f"left out: {_count(count, 'dialogue')}: {reason}")
    for reason, count in tally.masked.most_common():
        typer.echo(f"not trained on: {_count(count, 'turn')} of the assistant: {_MASKS.get(reason, f'check {reason}')}")
    for reason, count in tally.notes.most_common():
        typer.echo(f"note: {count:,} {reason}")
    if target == "trl":
        typer.echo(f'load them with datasets.load_dataset("json", data_files={train!r})')


_MASKS = {"mended": "the call was wrong and mended later"}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
