"""Puts a page together from its template, styles, scripts and data, so that it needs nothing else.

The page's own policy allows the scripts and styles that are in it, told by their hashes, and no request at all.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from toolflow_graph.errors import ResourceError

__all__ = ["embed_json", "render_page"]

_ASSETS = Path(__file__).resolve().parent / "assets"
_LICENCES = {
    "vendor/sigma.min.js": "vendor/sigma.LICENSE.txt",
    "vendor/graphology.umd.min.js": "vendor/graphology.LICENSE.txt",
}
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def render_page(template: str, title: str, styles: Sequence[str], scripts: Sequence[str], data: Any) -> str:
    """Fill a template of the assets; `styles` and `scripts` are files there, in order, `data` anything JSON can hold.

    Raises `ResourceError` when the installation lacks one of the files.
    """
    style, *codes = "\n".join(map(_read, styles)), *map(_read_script, scripts)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {' '.join(map(_hash, codes))}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Template(_read(template)).substitute(
        policy=policy,
        title=html.escape(title.encode("utf-8", "replace").decode("utf-8")),
        style=f"<style>{style}</style>",
        data=f'<script type="application/json" id="data">{embed_json(data)}</script>',
        scripts="\n".join(f"<script>{code}</script>" for code in codes),
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
