"""Whether a rewording still speaks of the same: what has hardly a word in common must lie close for the encoder."""

import re
from functools import lru_cache

from toolflow_graph.encoder import SentenceEncoder, load_encoder
from toolflow_graph.values.naming import fold
from toolflow_graph.values.reading import content_words

__all__ = ["find_change_of_meaning"]

_SHARED = 0.6
"""Share of the content words, of the longer text, from which on the encoder need not be asked."""

_CLOSE = 0.45
"""Least cosine: of 155 rewordings by hand all but one lie above 0.6 (that one at 0.54); of as many pairs of a line
and the rewording of another, 99 in a hundred below 0.35 (all-MiniLM-L6-v2)."""


def find_change_of_meaning(line: str, text: str) -> str | None:
    """Say that a text has little to do with the line; raises `EncoderError` when the embedded encoder cannot load."""
    if _WELCOME.search(fold(line)) and _WELCOME.search(fold(text)):
        return None
    old, new = set(content_words(line)), set(content_words(text))
    if len(old & new) >= _SHARED * max(len(old), len(new)):
        return None
    one, other = _encoder().encode([line, text], keep=False)
    return None if float(one @ other) >= _CLOSE else "it says something else than the line"


_WELCOME = re.compile(
    r"^(?:don't mention it|(?:you're|you are) (?:very |most )?welcome|(?:it was )?(?:no (?:trouble|problem)|nothing)|"
    r"not at all|my pleasure|any ?time|glad to)\b"
)
"""How thanks are answered, in words that have nothing in common."""


@lru_cache(maxsize=1)
def _encoder() -> SentenceEncoder:
    return load_encoder()
