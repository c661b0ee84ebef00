"""Puts a page together from its template, styles, scripts and data, so that it needs nothing else.

The page's own policy allows the scripts and styles that are in it, told by their hashes, and no request at all.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from toolflow_graph.errors import ResourceError

__all__ = ["Assets", "embed_json", "render_page"]

_ASSETS = Path(__file__).resolve().parent / "assets"
_LICENCES = {
    "vendor/sigma.min.js": "vendor/sigma.LICENSE.txt",
    "vendor/graphology.umd.min.js": "vendor/graphology.LICENSE.txt",
    "vendor/plot.umd.min.js": "vendor/plot.LICENSE.txt",
    "vendor/d3.min.js": "vendor/d3.LICENSE.txt",
}
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Assets:
    """Files of the assets that make up a page, in order: styles as one sheet, scripts one by one."""

    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()

    def read(self) -> tuple[str, list[str]]:
        """Return the style sheet and the scripts; raises `ResourceError` when the installation lacks one."""
        return "\n".join(map(_read, self.styles)).strip(), [_read_script(name) for name in self.scripts]


def render_page(
    template: str, title: str, assets: Assets, data: Any, *, inserted: Sequence[Assets] = (), lines: str = ""
) -> str:
    """Fill a template of the assets; `data` is anything JSON can hold.

    `inserted` are assets which the page's scripts may put in later, such as those of a page in a frame. `lines` goes
    where the template says `$lines`, as it is.

    Raises `ResourceError` when the installation lacks one of the files.
    """
    style, codes = assets.read()
    later = [one.read() for one in inserted]
    styles = [style, *(text for text, _ in later if text)]
    scripts = [*codes, *(code for _, more in later for code in more)]
    policy = (
        f"default-src 'none'; style-src {' '.join(map(_hash, styles))}; script-src {' '.join(map(_hash, scripts))}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Template(_read(template)).substitute(
        policy=policy,
        title=html.escape(title.encode("utf-8", "replace").decode("utf-8")),
        style=f"<style>{style}</style>",
        data=f'<script type="application/json" id="data">{embed_json(data)}</script>',
        scripts="\n".join(f"<script>{code}</script>" for code in codes),
        lines=lines,
    )


def embed_json(data: Any) -> str:
    r"""Write JSON that may stand inside a script element: what HTML or JavaScript could take otherwise is `\\u…`."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _read_script(name: str) -> str:
    code = re.sub(r"^//# sourceMappingURL=.*$", "", _read(name), flags=re.MULTILINE).strip()
    return f"/*!\n{_read(_LICENCES[name]).strip()}\n*/\n{code}" if name in _LICENCES else code


def _read(name: str) -> str:
    try:
        return (_ASSETS / name).read_text(encoding="utf-8")
    except OSError as exc:
        raise ResourceError(f"the installed package has no {name!r}; reinstall toolflow-graph") from exc


def _hash(content: str) -> str:
    """Name a script or style in a policy; browsers hash it with each line ended by a bare line feed."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
