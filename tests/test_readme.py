"""README and docs tell the truth: the excerpt is what the demo writes, settings are settings, links lead somewhere."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from toolflow_graph import generate
from toolflow_graph.settings import parse_settings

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SHOWN = 12
"""Index of the dialogue in the excerpt, among the demo's twenty."""

LONGEST = 150
"""Characters shown of a result."""


def draw(messages):
    """Return a dialogue as the README shows it."""
    lines = []
    for message in messages:
        if message["role"] == "user":
            lines.append(f"> **User** {message['content']}")
        elif message["role"] == "assistant":
            for call in message.get("tool_calls", ()):
                arguments = json.loads(call["function"]["arguments"])
                shown = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in arguments.items())
                lines.append(f"> **Assistant** → `{call['function']['name']}({shown})`")
            if message["content"]:
                lines.append(f"> **Assistant** {message['content']}")
        elif message["role"] == "tool":
            result = message["content"]
            lines.append(f"> **Tool** ← `{result if len(result) <= LONGEST else result[:LONGEST] + '…'}`")
    return "\n>\n".join(lines)


@pytest.fixture(scope="module")
def shown(bundled_graph):  # noqa: ARG001
    dialogues = {dialogue.index: dialogue for dialogue in generate(dialogues=20, seed=7)}
    return draw(dialogues[SHOWN].messages)


def test_excerpt_is_what_the_demo_writes(shown):
    excerpt = README.read_text(encoding="utf-8").split("<!-- excerpt -->")[1].strip()
    assert shown in excerpt, f"put this between the marks in README.md:\n{shown}"


def test_settings_of_the_docs_are_settings():
    text = (ROOT / "docs" / "runs.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    settings = parse_settings(tomllib.loads(block))
    assert settings.dialogues == 1000
    assert [entry.share for entry in settings.mix] == [0.7, 0.3]


PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "tool_catalog" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_that_are_there(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []
    if page == README:
        assert len(links) > 10
