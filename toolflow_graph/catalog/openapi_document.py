"""What all operations of an OpenAPI document share: references, schemas, host, title, and what authenticates."""

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolflow_graph.catalog.names import make_slug
from toolflow_graph.catalog.openapi_schema import SchemaReader
from toolflow_graph.catalog.references import References
from toolflow_graph.catalog.texts import clean_text
from toolflow_graph.types import JSON

if TYPE_CHECKING:
    from toolflow_graph.catalog.other_documents import OtherDocuments

__all__ = ["Api", "get_object", "pick_schema"]

_SECRETS = frozenset(
    "access_token api-key api_key apikey auth_token client_secret oauth_token x-access-token x-api-key x-apikey "
    "x-auth-token x-rapidapi-host x-rapidapi-key".split()
)
_NOISE = re.compile(r"(?:_|^)(?:rest|http|web|public|open|v\d+|version|\d+|api|apis|service|services)(?=_|$)")


class Api:
    """What all operations of a document share."""

    def __init__(self, document: JSON, path: str = "", others: "OtherDocuments | None" = None) -> None:
        self.document = document
        self.references = References(document, path, others)
        self.schemas = SchemaReader(self.references)
        self.old = "swagger" in document and "openapi" not in document

    @cached_property
    def host(self) -> str:
        """The host of the first server, "" when the document names none."""
        if self.old:
            host = self.document.get("host")
            return host.split("/")[0][:200] if isinstance(host, str) else ""
        servers = self.document.get("servers")
        server = servers[0] if isinstance(servers, list) and servers else None
        address = server.get("url") if isinstance(server, dict) else None
        if not isinstance(address, str):
            return ""
        variables = get_object(server, "variables")
        filled = re.sub(r"\{([^{}]*)\}", lambda m: str(get_object(variables, m[1]).get("default", "")), address[:500])
        try:
            return (urlsplit(filled).hostname or "").strip(".")
        except ValueError:
            return ""

    @cached_property
    def domain(self) -> str:
        """The document's title, else its host, as a slug."""
        title = make_slug(clean_text(get_object(self.document, "info").get("title"), 100))
        return _NOISE.sub("", title).strip("_") or title or make_slug(self.host)

    @cached_property
    def secrets(self) -> frozenset[str]:
        """Names of the parameters that authenticate, in lower case."""
        schemes = get_object(self.document, "securityDefinitions") | get_object(
            get_object(self.document, "components"), "securitySchemes"
        )
        named = {
            str(scheme["name"]).lower()
            for scheme in schemes.values()
            if isinstance(scheme, dict) and scheme.get("type") == "apiKey" and "name" in scheme
        }
        return _SECRETS | named


def pick_schema(content: Any) -> Any:
    """Return the schema of the media type that is read best: JSON, then forms, then whatever there is."""
    if not isinstance(content, dict) or not content:
        return None
    kind = min(content, key=lambda kind: _rank_media(str(kind)))
    media = content[kind]
    if not isinstance(media, dict):
        return None
    schema = media.get("schema")
    if isinstance(schema, dict) and schema:
        return schema
    return {"type": "string"} if str(kind).startswith("text/plain") else None


def _rank_media(kind: str) -> int:
    kind = kind.lower().split(";")[0].strip()
    if kind == "application/json":
        return 0
    if kind.endswith("json"):
        return 1
    return {"application/x-www-form-urlencoded": 2, "multipart/form-data": 3, "*/*": 4}.get(kind, 5)


def get_object(node: Any, key: str) -> JSON:
    """Return the object at a key; {} when there is none."""
    found = node.get(key) if isinstance(node, dict) else None
    return found if isinstance(found, dict) else {}
