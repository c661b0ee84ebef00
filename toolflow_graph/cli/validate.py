"""`toolflow validate`: the checks, on any file of dialogues in OpenAI format."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolflow_graph.dataset import StoredDialogue
    from toolflow_graph.types import JSON, Finding

__all__ = ["validate"]


def validate(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…",
            help="JSON Lines with `messages` and `tools`, a run's folder, or a published set (folder or URL).",
        ),
    ],
    catalog: Annotated[
        str | None,
        typer.Option(help="Catalog whose return schemas the results must fit; a run's own is found without."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the count only.")] = False,
) -> None:
    """Check dialogues and list what is wrong with them; exit code 1 when an error is found.

    Works on the files of a run and on any other data in OpenAI (or TRL) format.
    """
    from toolflow_graph.dataset import open_dialogues  # noqa: PLC0415

    severities: Counter[str] = Counter()
    dialogues = faulty = 0
    for path in paths:
        source = _find_source(path, catalog)
        for dialogue in open_dialogues(source.path):
            dialogues += 1
            findings = _check(dialogue, source)
            faulty += bool(findings)
            severities.update(finding.severity for finding in findings)
            if findings and not quiet:
                _print_findings(dialogue, findings)
    typer.echo(
        f"{_count(dialogues, 'dialogue')}: {_count(severities['error'], 'error')} and "
        f"{_count(severities['warning'], 'warning')} in {faulty} of them"
        if severities
        else f"{_count(dialogues, 'dialogue')}: nothing found"
    )
    if severities["error"]:
        raise typer.Exit(1)


class _Source(NamedTuple):
    """What is checked; `returns` are the return schemas of its tools, as far as they are known.

    Those of `guessed` tools were filled in: a real tool need not keep to them.
    """

    path: str
    returns: "Mapping[str, JSON] | None"
    guessed: frozenset[str] = frozenset()


def _find_source(path: str, catalog: str | None) -> _Source:
    from toolflow_graph.agents.search_tools import SEARCH_TOOLS  # noqa: PLC0415
    from toolflow_graph.catalog import load_catalog  # noqa: PLC0415
    from toolflow_graph.dataset import find_run  # noqa: PLC0415
    from toolflow_graph.errors import RunError  # noqa: PLC0415
    from toolflow_graph.runner.manifest import fingerprint_catalog, read_manifest  # noqa: PLC0415

    folder = find_run(path)
    if catalog is not None:
        loaded = load_catalog(catalog)
    elif folder is not None:
        note = read_manifest(folder).catalog
        loaded = load_catalog(note.path)
        if fingerprint_catalog(loaded) != note.sha256:
            raise RunError(
                f"{folder}: its catalog ({note.path or 'the bundled one'}) has changed since; name the right one by "
                "--catalog, or copy the file out of the folder to check it without return schemas"
            )
    else:
        return _Source(path, None)
    tools = [*loaded.tools.values(), SEARCH_TOOLS]
    guessed = frozenset(tool.name for tool in tools if "returns" in tool.inferred)
    return _Source(path, {tool.name: tool.returns for tool in tools}, guessed)


def _check(dialogue: "StoredDialogue", source: _Source) -> "list[Finding]":
    from toolflow_graph.validation import validate_dialogue  # noqa: PLC0415

    record = dialogue.record
    plan = record.plan if record else None
    returns = source.returns
    if returns and record and record.executed:
        real = {call["function"]["name"] for call in _list_calls(dialogue) if call.get("id") in record.executed}
        returns = {name: schema for name, schema in returns.items() if name not in real & source.guessed}
    report = validate_dialogue(
        dialogue.messages,
        dialogue.tools,
        returns=returns,
        plan=plan,
        labels=record.turns if record else (),
        now=plan.scenario.now if plan else None,
    )
    return list(report.findings)


def _list_calls(dialogue: "StoredDialogue") -> "list[JSON]":
    return [call for message in dialogue.messages for call in message.get("tool_calls", ())]


def _print_findings(dialogue: "StoredDialogue", findings: "list[Finding]") -> None:
    typer.secho(f"{dialogue.path}:{dialogue.line} {dialogue.id}", bold=True)
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        where = "dialogue" if finding.message_index is None else f"message {finding.message_index}"
        colour = typer.colors.RED if finding.severity == "error" else typer.colors.YELLOW
        typer.echo(f"  {where:<11}  ", nl=False)
        typer.secho(f"{finding.severity:<7}  {finding.check:<{width}}", fg=colour, nl=False)
        typer.echo(f"  {finding.message}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
