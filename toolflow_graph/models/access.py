"""Where the endpoint is and how it is entered; the key is read from the environment and never shown."""

import os
import re
from dataclasses import dataclass

from pydantic import SecretStr

from toolflow_graph.errors import ModelError
from toolflow_graph.models.settings import DEFAULT_KEY_ENV, ModelSettings, is_local

__all__ = ["Access", "find_access"]

_OPENAI = "https://api.openai.com/v1"
_NO_KEY = "not-needed"
_LOOKS_LIKE_A_KEY = re.compile(r"\bsk-[\w*.-]+|(?<=[Bb]earer )\S+")
_SHORTEST_KEY = 4
_LONGEST_SAYING = 240


@dataclass(frozen=True)
class Access:
    """Address and key of an endpoint; `named` says whether the key's variable was found set."""

    base_url: str
    key: SecretStr
    key_env: str
    named: bool
    local: bool

    def redact(self, text: str) -> str:
        """Return what an endpoint said in one short line without any key in it."""
        secret = self.key.get_secret_value()
        if self.named and len(secret) >= _SHORTEST_KEY:
            text = text.replace(secret, "[key]")
        line = " ".join(_LOOKS_LIKE_A_KEY.sub("[key]", text).split())
        return line if len(line) <= _LONGEST_SAYING else line[:_LONGEST_SAYING] + " …"


def find_access(settings: ModelSettings) -> Access:
    """Return the endpoint's address and the key from the environment.

    Without `base_url`, OPENAI_BASE_URL counts, else the OpenAI API. Raises `ModelError` when a key is needed and its
    variable is not set.
    """
    base_url = settings.base_url
    if base_url is None and (inherited := os.environ.get("OPENAI_BASE_URL")):
        base_url = ModelSettings(base_url=inherited).base_url
    base_url = base_url or _OPENAI
    local = is_local(base_url)
    key = os.environ.get(settings.key_env, "").strip()
    if not key and not (local and settings.key_env == DEFAULT_KEY_ENV):
        raise ModelError(
            f"no API key for {base_url}: the environment variable {settings.key_env!r} is not set; export it, name "
            "another by --key-env, or give the --base-url of a local server"
        )
    return Access(base_url, SecretStr(key or _NO_KEY), settings.key_env, bool(key), local)
