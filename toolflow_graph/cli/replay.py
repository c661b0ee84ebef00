"""`toolflow replay`: look at a dialogue step by step, and play it on from any of them with something changed."""

import asyncio
import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolflow_graph.cli.assignments import assign_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from toolflow_graph.runner.replay import Fork, Replay, Step
    from toolflow_graph.types import DialogueRecord

__all__ = ["replay"]


def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that keeps its checkpoints.")],
    dialogue: Annotated[str, typer.Argument(metavar="DIALOGUE", help="Its id (s7-000012) or its index (12).")],
    step: Annotated[int | None, typer.Option(help="Print the whole state at this step, as JSON.")] = None,
    begin: Annotated[int | None, typer.Option("--from", help="Play on from this step.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="With --from: user, assistant or result give the last message of that kind another text; "
            "prompts, models.model, max_turns and others are settings.",
        ),
    ] = None,
) -> None:
    """Show the steps of a dialogue, or play it on from one of them to see what a change leads to.

    The run itself stays as it is. Rules follow their agenda whatever is said; models answer what they are told.
    """
    if assignments and begin is None:
        raise typer.BadParameter("--set says what is changed where a dialogue goes on: give --from STEP too")
    if step is not None and begin is not None:
        raise typer.BadParameter("give --step to look at a state, or --from to go on from one")
    changes: dict[str, Any] = {}
    assign_values(changes, assignments or [])
    asyncio.run(_replay(run, dialogue, step, begin, changes))


async def _replay(run: Path, dialogue: str, step: int | None, begin: int | None, changes: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - not before the options are known to be right

    from toolflow_graph.runner.replay import open_replay  # noqa: PLC0415

    console = Console()
    async with open_replay(run, dialogue) as found:
        if step is not None:
            typer.echo(_dump_state(found.step(step)))
        elif begin is None:
            _print_steps(console, found)
        else:
            _print_fork(console, found.record, await found.fork(begin, changes), begin)


def _dump_state(step: "Step") -> str:
    from toolflow_graph.agents.openai_format import to_openai_messages  # noqa: PLC0415

    state: dict[str, Any] = {**step.state}
    if "messages" in state:
        state["messages"] = to_openai_messages(state["messages"])
    return json.dumps(
        {"step": step.number, "node": step.node, "next": step.next, **state}, ensure_ascii=False, indent=2
    )


def _print_steps(console: "Console", found: "Replay") -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    record = found.record
    console.print(Text.assemble((record.id, "bold"), "  ", (" + ".join(record.patterns), "magenta")))
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(justify="right", style="dim", no_wrap=True)
    lines.add_column(style="bold", no_wrap=True)
    lines.add_column()
    for step in found.steps[1:]:
        for number, (label, text) in enumerate(_tell_step(step)):
            first = (str(step.number), step.node or "") if not number else ("", "")
            lines.add_row(*first, Text.assemble(label, " ", text) if label.plain else text)
    console.print(lines)
    if found.steps[-1].next is not None:
        console.print(f"not at its end: {found.steps[-1].next} is next", style="dim")


def _tell_step(step: "Step") -> "Iterator[tuple[Text, Text]]":
    """Yield what a node has done, as a label and a line."""
    from rich.text import Text  # noqa: PLC0415

    from toolflow_graph.cli.transcript import draw_message  # noqa: PLC0415

    from toolflow_graph.agents.openai_format import to_openai_messages  # noqa: PLC0415 # isort: skip

    state, nothing = step.state, Text()
    match step.node:
        case "sampler":
            yield nothing, Text(", ".join(state.get("drawn", ())) or "no tools", style="yellow")
        case "planner" if plan := state.get("plan"):
            yield (
                nothing,
                Text(" ".join(filter(None, (plan["scenario"].get("situation"), plan["scenario"].get("goal"))))),
            )
            for number, request in enumerate(plan["requests"]):
                tools = f": {', '.join(request['tools'])}" if request["tools"] else ""
                yield nothing, Text(f"request {number}, {' + '.join(request['patterns'])}{tools}", style="dim")
        case "validator":
            yield nothing, Text(state.get("verdict", ""), style="green" if not state.get("findings") else "red")
            for finding in state.get("findings", ()):
                yield nothing, Text(f"{finding['check']}: {finding['message']}", style="red")
    said = [message for message in to_openai_messages(list(step.said)) if message["role"] != "system"]
    for message in said:
        yield from draw_message(message)
    if step.node in ("user", "assistant", "tool_simulator") and not said:
        yield nothing, Text("says no more" if step.node == "user" else "says nothing", style="dim")


def _print_fork(console: "Console", before: "DialogueRecord", fork: "Fork", begin: int) -> None:
    from rich.text import Text  # noqa: PLC0415

    from toolflow_graph.cli.transcript import draw_dialogue  # noqa: PLC0415

    after = fork.record
    console.print(draw_dialogue(after))
    old, new = _write_lines(before), _write_lines(after)
    if old == new:
        console.print(f"From step {begin} it came out as before.")
    else:
        console.print(Text("What is different", style="bold"))
        styles = {"+": "green", "-": "red", "@": "dim"}
        for line in list(difflib.unified_diff(old, new, lineterm="", n=1))[2:]:
            shown = "…" if line.startswith("@@") else line
            console.print(Text(shown, style=styles.get(line[0], "")), soft_wrap=True)
    console.print(f"Verdict: {_judge(before)} before, {_judge(after)} now.", highlight=False, soft_wrap=True)
    if fork.spent is not None:
        spent = fork.spent
        cost = "cost unknown" if spent.unpriced else f"${spent.cost:.4f}"
        console.print(f"It took {spent.requests} requests, {spent.tokens:,} tokens, {cost}.", highlight=False)


def _judge(record: "DialogueRecord") -> str:
    errors = [finding for finding in record.findings if finding.severity == "error"]
    if not errors:
        return "accepted"
    return "rejected (" + "; ".join(f"{finding.check}: {finding.message}" for finding in errors) + ")"


def _write_lines(record: "DialogueRecord") -> list[str]:
    """Return a dialogue as plain lines, to be compared."""
    lines = []
    for message in record.messages:
        if message.get("content"):
            lines.append(f"{message['role']}: {message['content']}")
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        lines += [f"→ {call['name']}({call['arguments']})" for call in calls]
    return lines
