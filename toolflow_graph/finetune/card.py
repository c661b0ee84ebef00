"""The card of a fine-tuned model: what it is, what it was trained on, and what is known of it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from toolflow_graph.dataset import Source, StoredDialogue
from toolflow_graph.finetune.settings import FinetuneSettings
from toolflow_graph.finetune.trainer import FinetuneReport

__all__ = ["write_card"]


def write_card(
    out: Path,
    base: str,
    sources: Sequence[Source],
    dialogues: Sequence[StoredDialogue],
    settings: FinetuneSettings,
    report: FinetuneReport,
) -> None:
    """Write `README.md` beside the model, as the Hugging Face Hub shows it."""
    records = [dialogue.record for dialogue in dialogues if dialogue.record]
    makers = Counter(f"{record.method}, {record.cast} cast" for record in records)
    made = "; ".join(f"{count} by {maker}" for maker, count in makers.most_common()) or "origin unknown"
    tools = {tool.get("function", tool).get("name") for dialogue in dialogues for tool in dialogue.tools}
    held_out = (
        "Nothing was held out."
        if report.held_out_after is None
        else f"On {report.held_out} dialogues whose tools were not seen in training, the loss per token of the "
        f"assistant went from {report.held_out_before:.3f} to {report.held_out_after:.3f}."
    )
    left_out = "; ".join(f"{count} {reason}" for reason, count in report.left_out.items()) or "none"
    (out / "README.md").write_text(
        f"""---
library_name: transformers
base_model: {base}
tags: [tool-calling, toolflow-graph, {settings.method}]
---

# {out.name}

{base}, trained to call tools by toolflow-graph ({settings.method}, {settings.adapt}).

## Data

{len(dialogues)} synthetic dialogues over {len(tools)} tools, from {len(sources)} source(s): {made}. No person took
part in them; names and figures are made up.

- Trained on: {report.dialogues} dialogues. Left out: {left_out}.
- Turns of the assistant that a check had flagged, or that were mended later, and so not trained on: \
{report.masked_turns}.

## Training

{report.steps} steps, {report.tokens} tokens, learning rate {settings.rate:g}, seed {settings.seed}; chat template: \
{report.chat_format}. {held_out}

All settings are in `finetune.json`, all figures in `report.json`. How well it calls tools is measured by
`toolflow bfcl`.
""",
        encoding="utf-8",
    )
