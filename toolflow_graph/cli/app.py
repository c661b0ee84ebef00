"""The command `toolflow` and how it ends: a user's mistake is one line on standard error, never a traceback."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from toolflow_graph.cli.ablate import ablate
from toolflow_graph.cli.bfcl import bfcl
from toolflow_graph.cli.catalog import catalog_app
from toolflow_graph.cli.doctor import doctor
from toolflow_graph.cli.evaluate import evaluate_app
from toolflow_graph.cli.export import export
from toolflow_graph.cli.finetune import finetune
from toolflow_graph.cli.generate import generate
from toolflow_graph.cli.graph import graph_app
from toolflow_graph.cli.overlap import overlap
from toolflow_graph.cli.publish import publish
from toolflow_graph.cli.replay import replay
from toolflow_graph.cli.report import report
from toolflow_graph.cli.sample import sample
from toolflow_graph.cli.validate import validate
from toolflow_graph.errors import ToolflowError

__all__ = ["app", "main"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT)."""

_UsageError = cast("type[Exception]", typer.BadParameter.__bases__[0])  # typer may bring click along or not


class _InOrder(TyperGroup):
    """Lists the commands in the order of the data."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the order does not depend on it
        return sorted(self.commands, key=_ORDER.index)


_ORDER = [
    "catalog",
    "graph",
    "sample",
    "generate",
    "replay",
    "validate",
    "export",
    "publish",
    "evaluate",
    "report",
    "ablate",
    "overlap",
    "finetune",
    "bfcl",
    "doctor",
]

app = typer.Typer(
    name="toolflow",
    cls=_InOrder,
    help="Turn a catalog of tools into natural multi-turn tool-calling dialogues.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"toolflow-graph {version('toolflow-graph')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


app.add_typer(catalog_app, name="catalog")
app.add_typer(graph_app, name="graph")
app.command()(sample)
app.command()(generate)
app.command()(replay)
app.command()(validate)
app.command()(export)
app.command()(publish)
app.add_typer(evaluate_app, name="evaluate")
app.command()(report)
app.command()(ablate)
app.command()(overlap)
app.command()(finetune)
app.command()(bfcl)
app.command()(doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave the process: exit code 1 for an error, 2 for wrong usage, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    try:
        code = app(args=arguments, prog_name="toolflow", standalone_mode=False)
    except ToolflowError as exc:
        return _complain(str(exc), 1)
    except _UsageError as exc:
        context = getattr(exc, "ctx", None)
        command = context.command_path if context else "toolflow"
        said = exc.format_message() if hasattr(exc, "format_message") else str(exc)
        return _complain(f"{said.rstrip('.')}; see `{command} --help`", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit must not fail again
        return 1
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    typer.echo(f"toolflow: {' '.join(message.split())}", err=True)
    return code
