"""Prompt files: one Markdown file per prompt, with `$names` for what is filled in."""

import random
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from string import Template

from toolflow_graph.errors import ResourceError, SettingsError
from toolflow_graph.resources import find_resource

__all__ = ["BUNDLED", "Prompts"]

_JUDGING = frozenset({"nli"})
"""Prompts that evaluate dialogues and make none: a run can be resumed when they have changed."""


@dataclass(frozen=True)
class Prompts:
    """The bundled prompts, or those of which a folder of one's own has another version under the same name."""

    folder: str | None = None

    def check(self) -> None:
        """Raise `SettingsError` when the folder has no prompt, one that nobody asks for, or one with unknown names."""
        if self.folder is None:
            return
        root, known = Path(self.folder), {path.stem for path in find_resource("prompts").glob("*.md")}
        own = sorted(path.stem for path in root.glob("*.md"))
        if not own:
            raise SettingsError(
                f"{self.folder!r} holds no prompt; name the files like these: {', '.join(sorted(known))}"
            )
        for name in own:
            if name not in known:
                raise SettingsError(f"{root / name}.md is none of the prompts: {', '.join(sorted(known))}")
            given = {name for text in BUNDLED.variants(name) for name in Template(text).get_identifiers()}
            for text in self.variants(name):
                unknown = sorted(set(Template(text).get_identifiers()) - given)
                if unknown:
                    there = f"; there are {', '.join('$' + word for word in sorted(given))}" if given else ""
                    raise SettingsError(f"{root / name}.md: nothing fills in ${unknown[0]}{there}")

    def fill(self, name: str, rng: random.Random, **values: str) -> str:
        """Draw a variant of a prompt and fill it; raises `ResourceError` naming every value that is missing."""
        template = Template(rng.choice(self.variants(name)))
        missing = sorted(set(template.get_identifiers()) - set(values))
        if missing:
            raise ResourceError(f"prompt {name!r} needs values for {', '.join(missing)}")
        return template.substitute(values)

    def sections(self, name: str) -> dict[str, str]:
        """Return the lines `key: text` of a prompt as a mapping; a line that an own version lacks stays bundled."""
        bundled = _split(BUNDLED.variants(name)) if self.folder else {}
        return {**bundled, **_split(self.variants(name))}

    def variants(self, name: str) -> tuple[str, ...]:
        """Return the variants of a prompt, which its file separates by lines of `---`."""
        if self.folder is not None:
            own = Path(self.folder) / f"{name}.md"
            try:
                return _read(own, own.stat().st_mtime_ns)
            except FileNotFoundError:
                pass
        return _read(find_resource("prompts") / f"{name}.md", 0)

    def fingerprint(self) -> str:
        """Return the hash of all prompts, as they are in effect, on which dialogues depend."""
        names = sorted({path.stem for path in find_resource("prompts").glob("*.md")} - _JUDGING)
        return sha256(repr([(name, self.variants(name)) for name in names]).encode()).hexdigest()


BUNDLED = Prompts()


@lru_cache(maxsize=128)
def _read(path: Path, modified: int) -> tuple[str, ...]:  # noqa: ARG001 - part of the key: an edited file is read again
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise ResourceError(f"prompt {path.stem!r} is missing: no file {path}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ResourceError(f"{path}: cannot be read as UTF-8 text: {exc}") from exc
    return tuple(part.strip() for part in text.split("\n---\n") if part.strip())


def _split(variants: tuple[str, ...]) -> dict[str, str]:
    (text,) = variants
    pairs = (line.partition(":") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}
