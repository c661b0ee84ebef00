"""`toolflow publish`: a complete run as shards, in a folder or an object store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from toolflow_graph.shards import Shard

__all__ = ["publish"]


def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a complete run.")],
    place: Annotated[str, typer.Argument(metavar="URL", help="A folder: a path, s3://bucket/folder, gs://…")],
    encoding: Annotated[
        Literal["jsonl", "parquet"],
        typer.Option("--format", "-f", help="Lines as in the run, or Parquet with columns for trainers."),
    ] = "jsonl",
    shard_size: Annotated[int, typer.Option(min=1, help="Dialogues of a shard.")] = 5000,
) -> None:
    """Write the accepted dialogues of a run as shards with an index, as other machines can read them.

    A publication that was broken off goes on with the same command; what is there is not written again.
    """
    from toolflow_graph.runner.publishing import publish_run  # noqa: PLC0415

    def tell(shard: "Shard", there: bool) -> None:
        note = ", was there" if there else ""
        typer.echo(f"{shard.name}: {shard.dialogues:,} dialogues, {shard.bytes:,} bytes{note}")

    index = publish_run(run, place, encoding=encoding, shard_size=shard_size, on_shard=tell)
    typer.echo(f"{index.dialogues:,} dialogues published in {place}")
