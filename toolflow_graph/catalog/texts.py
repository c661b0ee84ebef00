"""Descriptions that other people wrote: markup, control characters and endless length taken out."""

import html
import re
import unicodedata
from functools import lru_cache

__all__ = ["clean_text", "drop_controls", "shorten"]

_LONGEST = 1024
_READ = 16 * _LONGEST
"""Characters of a description that are looked at; what stands behind them would be cut off anyway."""

_PLAIN = re.compile(r"[ !\"'-;=?-Z^a-z{}]*")
_HIDDEN = re.compile(
    r"<(script|style|iframe|object|svg)\b.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)", re.IGNORECASE | re.DOTALL
)
_SPECIAL = re.compile(r"<\|[^<>|]{0,40}\|>|\[/?INST\]|</?s>")
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|code|dd|div|dl|dt|em|font|form|h[1-6]|hr|i|img|input|kbd|li|link|meta|ol|"
    r"p|pre|small|span|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul|var|video|audio|body|html|head|base|embed|"
    r"button|details|summary|note|para|simpara|title|function|fullname)(?:\s[^<>]{0,500})?/?>|<[a-z][\w-]*\s+\w+=[^<>]{0,500}>",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\](?:\([^()\s]{0,500}(?:\s[^()]{0,100})?\)|\[[^\[\]]{0,100}\])")
_FENCE = re.compile(r"```[a-zA-Z0-9]*|~~~")
_MARKS = re.compile(r"(?m)^[ \t]{0,8}(?:#{1,6}|[*+]|>+)[ \t]+|\*\*|__(?=\S)|(?<=\S)__|`|^[ \t]*[-=*_]{3,}[ \t]*$")
_ROWS = re.compile(r"(?m)^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t:-]*$|\|")
_KEPT_FORMAT = "\u200c\u200d"


def clean_text(text: object, longest: int = _LONGEST) -> str:
    """Return a description as one line of plain text; "" for what is no text."""
    return _clean(text[:_READ], longest) if isinstance(text, str) and text else ""


def drop_controls(text: str) -> str:
    """Return a text without control characters and invisible ones; line breaks and the like stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character in "\n\t" else _clean_character(character) for character in text)


@lru_cache(maxsize=65536)
def _clean(text: str, longest: int) -> str:
    if _PLAIN.fullmatch(text):
        return shorten(" ".join(text.split()), longest)
    if "&" in text:
        text = html.unescape(text)
    if "<" in text or "[" in text:
        text = _SPECIAL.sub(" ", _HIDDEN.sub(" ", text))
        text = _LINK.sub(r"\1", _TAG.sub(" ", text))
    text = _ROWS.sub(" ", _MARKS.sub("", _FENCE.sub(" ", text)))
    if not text.isascii() or not text.isprintable():
        text = "".join(map(_clean_character, text))
    text = re.sub(r"\s+([,.;:!?])(?=\s|$)", r"\1", " ".join(text.split()))
    return shorten(text.strip(), longest)


@lru_cache(maxsize=4096)
def _clean_character(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zl", "Zp", "Zs"):
        return " "
    return "" if kind in ("Cf", "Cs", "Co", "Cn") and character not in _KEPT_FORMAT else character


def shorten(text: str, longest: int) -> str:
    """Cut a text at the end of a sentence, else of a word, when it is too long."""
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    sentence = max(cut.rfind(". "), cut.rfind("! "), cut.rfind("? "))
    if sentence > longest // 3:
        return cut[: sentence + 1]
    return cut[: max(cut.rfind(" "), longest // 2)].rstrip(" ,;:") + "…"
