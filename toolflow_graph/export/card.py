"""The card of a data set: the README.md of its folder, with metadata that the Hub and `datasets` read."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from toolflow_graph.dataset import MANIFEST, Source, name_source
from toolflow_graph.errors import DatasetError
from toolflow_graph.export.examples import Example, Tally
from toolflow_graph.export.hub import hub_features
from toolflow_graph.export.splits import name_tool
from toolflow_graph.shards import is_shards
from toolflow_graph.types import JSON

__all__ = ["Statistics", "write_card"]

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass
class Statistics:
    """What is in one split; grows with every dialogue, and holds names and counts only."""

    dialogues: int = 0
    messages: int = 0
    user_turns: int = 0
    assistant_turns: int = 0
    untrained: int = 0
    calls: int = 0
    called: Counter[str] = field(default_factory=Counter)
    offered: set[str] = field(default_factory=set)
    patterns: Counter[str] = field(default_factory=Counter)
    makers: Counter[str] = field(default_factory=Counter)

    def add(self, example: Example) -> None:
        """Count a dialogue."""
        roles = Counter(message["role"] for message in example.messages)
        calls = [call for message in example.messages for call in message.get("tool_calls") or ()]
        self.dialogues += 1
        self.messages += len(example.messages)
        self.user_turns += roles["user"]
        self.assistant_turns += roles["assistant"]
        self.untrained += len(example.untrained)
        self.calls += len(calls)
        self.called.update(str(call["function"].get("name")) for call in calls)
        self.offered.update(map(name_tool, example.tools))
        if example.record:
            self.patterns.update(set(example.record.patterns))
            models = sorted(set(example.record.models.values()))
            played = f"{example.record.cast} cast" + (f" ({', '.join(models)})" if models else "")
            self.makers[f"{played}, method {example.record.method}"] += 1
        else:
            self.makers["made elsewhere"] += 1


def write_card(
    path: Path,
    parts: Mapping[str, Statistics],
    sources: Sequence[Source],
    tally: Tally,
    *,
    licence: str | None,
    by_tool: bool,
) -> None:
    """Write the card of a data set of these splits."""
    total = sum(part.dialogues for part in parts.values())
    front = {
        "license": licence or "unknown",
        "pretty_name": "Tool-calling dialogues",
        "task_categories": ["text-generation"],
        "tags": ["tool-calling", "function-calling", "multi-turn", "synthetic", "toolflow"],
        "size_categories": [next((name for most, name in _SIZES if total < most), "n>1M")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": name, "path": f"data/{name}-*.parquet"} for name in parts],
            }
        ],
        "dataset_info": {
            "features": hub_features()._to_yaml_list(),  # noqa: SLF001 - the form of a card has no public writer
            "splits": [{"name": name, "num_examples": part.dialogues} for name, part in parts.items()],
        },
    }
    body = "\n\n".join(
        [
            "# Tool-calling dialogues",
            _tell_title(total),
            "## Splits",
            _tell_splits(parts, by_tool=by_tool),
            "## Columns",
            _COLUMNS,
            "## What is in it",
            _count_patterns(parts),
            "## Where it comes from",
            _tell_sources(sources, parts),
            "## What was left out",
            _tell_left_out(tally),
            "## License",
            f"`{licence}`, as its maker has declared."
            if licence
            else "Unknown: no licence was declared when this was written. Whose tools these are (names and "
            "descriptions stand in `tools`) and whose models spoke decides about it; set `license` above before "
            "passing the data on.",
        ]
    )
    front_text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    path.write_text(f"---\n{front_text}---\n\n{body}\n", encoding="utf-8")


def _tell_title(total: int) -> str:
    return (
        f"{total:,} multi-turn dialogues between a user and an assistant that calls tools, written by "
        f"toolflow-graph {version('toolflow-graph')} after [ToolFlow](https://arxiv.org/abs/2410.18447)."
    )


_COLUMNS = """\
| column | what it holds |
|---|---|
| `messages` | as OpenAI has them: `arguments` of calls are JSON strings, `weight` is 0 where a turn is not trained on |
| `tools` | the tools on offer, a JSON string of an OpenAI `tools` list |
| `patterns` | what the dialogue exercises |
| `cast`, `method`, `models` | who played it, how it was planned, and the models by role (JSON) |"""


def _tell_splits(parts: Mapping[str, Statistics], *, by_tool: bool) -> str:
    rows = [
        (
            name,
            part.dialogues,
            part.user_turns,
            part.assistant_turns,
            part.untrained,
            part.calls,
            len(part.called),
            len(part.offered),
        )
        for name, part in parts.items()
    ]
    heads = ("split", "dialogues", "user turns", "assistant turns", "of them not trained on", "calls")
    table = _make_table((*heads, "tools called", "tools offered"), rows)
    if by_tool:
        table += (
            "\n\nThe splits are by tool: what is called in `validation` and `test` is neither called nor offered "
            "in `train`, and what is called in `test` not in `validation` either (`search_tools` excepted, by which "
            "tools are found)."
        )
    return table


def _count_patterns(parts: Mapping[str, Statistics]) -> str:
    totals = sum((part.patterns for part in parts.values()), Counter[str]())
    if not totals:
        return "No patterns were recorded."
    rows = [(f"`{pattern}`", *(part.patterns[pattern] for part in parts.values())) for pattern in sorted(totals)]
    return _make_table(("pattern", *parts), rows)


def _tell_sources(sources: Sequence[Source], parts: Mapping[str, Statistics]) -> str:
    lines = [f"- {told}" for told in map(_tell_source, sources)]
    makers = sum((part.makers for part in parts.values()), Counter[str]())
    lines += [f"- {count:,} dialogues: {maker}" for maker, count in sorted(makers.items())]
    return "\n".join(lines)


def _tell_source(source: Source) -> str:
    """Return where dialogues come from, without the paths of the machine that made them."""
    if is_shards(source):
        return f"shards `{name_source(source)}`"
    source = Path(source)
    folder = source if source.is_dir() else source.parent
    if not (folder / MANIFEST).exists():
        return f"file `{source.name}`"
    manifest = _read_manifest(folder / MANIFEST)
    catalog = manifest.get("catalog") or {}
    name = f"`{Path(catalog['path']).name}`" if catalog.get("path") else "the bundled one"
    return (
        f"run `{folder.resolve().name}`, begun {manifest.get('started')}, seed {manifest.get('seed')}; catalog: "
        f"{name}, {catalog.get('tools')} tools, SHA-256 `{catalog.get('sha256')}`; "
        f"toolflow-graph {(manifest.get('versions') or {}).get('toolflow-graph')}"
    )


def _read_manifest(path: Path) -> JSON:
    try:
        manifest: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise DatasetError(f"{path}: cannot be read: {exc}") from exc
    if not isinstance(manifest, dict):
        raise DatasetError(f"{path}: not a JSON object")
    return manifest


def _tell_left_out(tally: Tally) -> str:
    lines = [f"- {count:,} dialogues: {reason}" for reason, count in sorted(tally.left_out.items())]
    lines += [f"- {count:,} turns not trained on: {reason}" for reason, count in sorted(tally.masked.items())]
    lines += [f"- {count:,} {reason}" for reason, count in sorted(tally.notes.items())]
    return "\n".join(lines) or "Nothing."


def _make_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object]) -> str:
        return f"| {' | '.join(f'{c:,}' if isinstance(c, int) else str(c) for c in cells)} |"

    return "\n".join([line(heads), f"|{'---|' * len(heads)}", *map(line, rows)])
