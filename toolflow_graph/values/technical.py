"""Values of the parameters that programs pass to programs: branches, cursors, filters, paths, field names.

The words are those that public OpenAPI documents use most often for strings without an enum, a format or an example
(`filter`, `pageToken`, `updateMask`, `orderBy`, `path`, `etag`, `ref` …).
"""

import random
import re

from toolflow_graph.values.naming import word_list, word_set

__all__ = ["draw_technical"]

_CODE = re.compile(
    r"\b(?:branch|code|commit|git|github|gist|merge|pull request|release|repo|repositor(?:y|ies)|version)\b"
)
_SHA = re.compile(r"(?:the )?(?:\w+ )?sha\b(?! ?-?\d)")
_ELSEWHERE = re.compile(r"\b(?:address|bank|customer|geograph\w*|librar(?:y|ies)|map|office|retail|shop|store)\b")
_CLOUD = re.compile(r"\b(?:projects/|resource name)|\{[a-z_]+\}")

_BRANCHES = word_list(
    "main develop feature/csv-export feature/dark-mode fix/login-timeout fix/typo release/2.4 docs/quickstart"
)
_OF_CODE: dict[str, list[str]] = dict.fromkeys(word_list("branch ref head base"), _BRANCHES) | {
    "tag": word_list("v1.8.0 v2.0.0 v2.3.1 v2.4.0-rc1 v3.1.2"),
    "owner": word_list("octo-labs northwind lumenworks ada-w kbauer"),
    "name": word_list("web-app inventory-sync docs-site data-tools mobile-client"),
}
"""What these words mean in a repository; elsewhere they mean something else."""

_NAMES: dict[str, list[str]] = {
    "repo": word_list("web-app inventory-sync docs-site data-tools mobile-client"),
    "repository": word_list("web-app inventory-sync docs-site data-tools mobile-client"),
    "org": word_list("octo-labs northwind lumenworks greenfield"),
    "assignee": word_list("ada-w kbauer mlopez jsmith"),
    "slug": word_list("summer-sale team-handbook quarterly-report getting-started platform-team"),
    "path": word_list("docs/setup.md src/app.py README.md config/settings.yaml reports/summary.csv"),
    "filepath": word_list("docs/setup.md src/app.py config/settings.yaml reports/summary.csv"),
    "file": word_list("report.pdf minutes.docx prices.csv logo.png"),
    "filename": word_list("report.pdf minutes.docx prices.csv logo.png"),
    "filter": word_list("status:active owner:me priority:high type:report created:this-week"),
    "sort": word_list("name created_at updated_at title priority"),
    "orderby": word_list("name created_at updated_at title priority"),
    "direction": word_list("asc desc"),
    "fields": word_list("name title status description labels"),
    "select": word_list("name title status description labels"),
    "expand": word_list("owner items details comments"),
    "include": word_list("owner items details comments"),
    "mask": word_list("name title status description labels"),
    "label": word_list("bug enhancement documentation urgent internal"),
    "tag": word_list("urgent internal billing archive draft"),
    "status": word_list("active open pending closed archived"),
    "state": word_list("active open pending closed archived"),
    "version": word_list("1.0 1.4.2 2.0.1 2.3 3.1.0"),
    "revision": word_list("3 7 12 15 21"),
    "scope": word_list("read write profile"),
    "role": word_list("admin editor viewer member"),
    "hostname": word_list("app.example.com db1.example.com mail.example.org"),
    "domain": word_list("example.com example.org shop.example.net"),
    "namespace": word_list("default production staging team-a"),
    "environment": word_list("production staging testing"),
    "bucket": word_list("team-backups site-images monthly-exports"),
    "cluster": word_list("prod-1 staging-2 analytics"),
    "database": word_list("orders inventory analytics"),
    "table": word_list("orders customers events"),
    "queue": word_list("emails exports image-resize"),
    "workflow": word_list("build.yml nightly.yml release.yml"),
    "container": word_list("web worker images"),
    "mime": word_list("application/pdf image/png text/csv"),
    "password": word_list("Maple-42-River Tin.Kettle.7 blue-Lantern-19"),
    "parent": word_list("projects/atlas projects/harbor folders/finance"),
    "resource": word_list("projects/atlas/reports projects/harbor/images"),
}
_PAIRS: dict[tuple[str, str], str] = {
    ("order", "by"): "sort",
    ("sort", "by"): "sort",
    ("sort", "field"): "sort",
    ("sort", "order"): "direction",
    ("sort", "direction"): "direction",
    ("mime", "type"): "mime",
    ("content", "type"): "mime",
    ("media", "type"): "mime",
    ("file", "name"): "filename",
    ("file", "path"): "filepath",
    ("domain", "name"): "domain",
    ("host", "name"): "hostname",
    ("bucket", "name"): "bucket",
    ("cluster", "name"): "cluster",
    ("database", "name"): "database",
    ("table", "name"): "table",
    ("queue", "name"): "queue",
    ("container", "name"): "container",
    ("repository", "name"): "repo",
    ("repo", "name"): "repo",
}
_TURNERS = word_set("page next paging pagination continuation skip sync")
_TOKENS = word_set("token tokens key")


def draw_technical(words: tuple[str, ...], description: str, rng: random.Random) -> str | None:
    """Return a value for a slot that is about data and not about the world; None when it is none of them."""
    last = words[-1] if words else ""
    lower = description.lower()
    if _SHA.match(lower) and last not in ("ref", "head", "base"):
        return _draw_sha(rng)
    if last in ("color", "colour") and "hex" in lower:
        return f"{rng.getrandbits(24):06x}"
    if last == "name" and "name of the branch" in lower:
        return rng.choice(_BRANCHES)
    alone = words == ("ref",) and "invoice" not in lower
    in_code = alone or (_CODE.search(lower) is not None and not _ELSEWHERE.search(lower))
    if last in _OF_CODE and in_code and (last != "name" or lower.startswith(("the name of the repo", "repository"))):
        return rng.choice(_OF_CODE[last])
    if made := _make(words, rng):
        return made
    name = _PAIRS.get((words[-2], last), "") if len(words) > 1 else ""
    name = name or last
    if name not in _NAMES or _ELSEWHERE.search(lower):
        return None
    if name in ("parent", "resource", "state", "role") and not _fits(name, lower):
        return None
    return rng.choice(_NAMES[name])


def _fits(name: str, description: str) -> bool:
    if name in ("parent", "resource"):
        return _CLOUD.search(description) is not None
    told = r"access|member|permission|user" if name == "role" else r"active|closed|open|status|\bjob|\brun"
    return re.search(told, description) is not None


def _make(words: tuple[str, ...], rng: random.Random) -> str | None:
    """Make up what only machines can read."""
    last = words[-1] if words else ""
    found = set(words)
    if last == "sha" or words[-2:] in (("commit", "id"), ("commit", "hash")):
        return _draw_sha(rng)
    if last in ("etag", "md5", "hash", "checksum", "fingerprint") or words[-2:] in (("e", "tag"), ("if", "match")):
        return f"{rng.getrandbits(32):08x}"
    if last in ("cursor", "skiptoken", "nexttoken", "pagetoken", "continuation"):
        return _draw_opaque(rng)
    if last in _TOKENS and found & _TURNERS:
        return _draw_opaque(rng)
    if last == "arn":
        kind = next((word for word in words if word in ("role", "topic", "bucket", "key", "user")), "resource")
        return f"arn:aws:example:eu-west-1:{rng.randint(10**11, 10**12 - 1)}:{kind}/{rng.choice(('web', 'nightly'))}"
    return None


def _draw_sha(rng: random.Random) -> str:
    return f"{rng.getrandbits(28):07x}"


def _draw_opaque(rng: random.Random) -> str:
    return "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789") for _ in range(10))
