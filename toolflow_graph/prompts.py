"""Prompt files: one Markdown file per prompt, with `$names` for what is filled in."""

import random
from functools import cache
from string import Template

from toolflow_graph.errors import ResourceError
from toolflow_graph.resources import find_resource

__all__ = ["fill_prompt", "prompt_variants", "read_sections"]


@cache
def prompt_variants(name: str) -> tuple[str, ...]:
    """Return the variants of a prompt, which its file separates by lines of `---`."""
    path = find_resource("prompts") / f"{name}.md"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ResourceError(f"prompt {name!r} is missing: no file {path}") from exc
    return tuple(part.strip() for part in text.split("\n---\n") if part.strip())


@cache
def read_sections(name: str) -> dict[str, str]:
    """Return the lines `key: text` of a prompt file as a mapping."""
    (text,) = prompt_variants(name)
    pairs = (line.partition(":") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def fill_prompt(name: str, rng: random.Random, **values: str) -> str:
    """Draw a variant of a prompt and fill it; raises `ResourceError` naming every value that is missing."""
    template = Template(rng.choice(prompt_variants(name)))
    missing = sorted(set(template.get_identifiers()) - set(values))
    if missing:
        raise ResourceError(f"prompt {name!r} needs values for {', '.join(missing)}")
    return template.substitute(values)
