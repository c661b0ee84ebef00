"""Checks of what is said: empty, cut off, repeated or leaking text, and users who speak like assistants."""

import json
import re
from collections.abc import Iterator

from toolflow_graph.types import JSON, PATTERNS, Finding
from toolflow_graph.validation.dialogue import CheckedDialogue

__all__ = ["check_empty", "check_leaks", "check_repeated_text", "check_truncated", "check_user_voice", "stops_short"]

_SPEAKERS = ("user", "assistant")
_LONG = 5


def check_empty(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield turns without any text; an assistant message may lack it when it calls tools."""
    for index in dialogue.indices(*_SPEAKERS):
        if not dialogue.texts[index].strip(" \t\n.…-") and not dialogue.messages[index].get("tool_calls"):
            yield Finding(check="empty", message="nothing is said", message_index=index)


_ENDED = re.compile(r"[.!?…:)\]\"'”’*`]\s*$|[^\w\s,;(\[{\-–—/&+]\s*$")
_LINKS = "and|or|the|a|an|because|but|your|my|our|their|its|than|which|whose|from the"
# inside a sentence only small letters link: "blood type A" and "team-a" end on names
_DANGLING = re.compile(
    rf"(?:[,;(\[{{–—/&+]|\s-|(?<![\w-])(?:{_LINKS})|(?:^|[.!?…:]\s+)(?i:{_LINKS}))\s*$",
)
_HANGING = re.compile(r"\b(?:of|to|with|for|at|in|on|by|is|are|was|will|that|if|from|about|between|into)\s*$")
_LIST_LINE = re.compile(r"^\s*(?:[-*•|]|\d+[.)])\s|\|\s*$")
_CODE_END = re.compile(r"(?:\S+@\S+\.\w{2,}|\S*://\S+|\w+\.\w{2,}(?:/\S*)?|(?=\S*\d)\S*[A-Za-z]\S*)$")
_LAST_WORD = re.compile(r"([A-Za-zÀ-ÿ]+)\s*$")


def check_truncated(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield texts that stop inside a word or a sentence."""
    indices = [i for i in dialogue.indices(*_SPEAKERS) if dialogue.texts[i].strip()]
    ended = {i: bool(_ENDED.search(dialogue.texts[i])) and not _opens_quote(dialogue.texts[i]) for i in indices}
    for index in indices:
        if ended[index]:
            continue
        text = dialogue.texts[index].strip()
        assistant = dialogue.role(index) == "assistant"
        others = [ended[i] for i in indices if i != index and dialogue.role(i) == dialogue.role(index)]
        # who has always ended sentences with a full stop does not stop doing so
        careful = bool(others) and all(others) and not _LIST_LINE.search(text.splitlines()[-1])
        last = _LAST_WORD.search(text)
        open_ended = assistant and careful and len(text.split()) > 3 and not _CODE_END.search(text)
        cut = careful and last and _is_cut(dialogue, indices, last[1])
        dangling = _DANGLING.search(text.lower() if text.isupper() else text)
        if dangling or (assistant and _HANGING.search(text)) or open_ended or cut:
            told = f"the text stops short: …{text[-30:]!r}"
            yield Finding(check="truncated", message=told, message_index=index)


def stops_short(text: str) -> bool:
    """Tell whether a long text ends without any end of a sentence, as answers do that were cut off unnoticed."""
    last = text.strip().splitlines()[-1] if text.strip() else ""
    return len(text) > _LENGTHY and not (_ENDED.search(text) or _LIST_LINE.search(last) or _CODE_END.search(last))


_LENGTHY = 200
"""Characters; shorter texts may lack a full stop because their writer never sets one."""


def _opens_quote(text: str) -> bool:
    return text.rstrip().endswith('"') and text.count('"') % 2 == 1


def _is_cut(dialogue: CheckedDialogue, indices: list[int], word: str) -> bool:
    """Tell whether the word stands nowhere else, and another word of the dialogue begins with it."""
    said = " ".join(dialogue.texts[i] for i in indices).lower()
    known = f"{said} {json.dumps(list(dialogue.tools.values())).lower()}"
    begins = re.compile(rf"\b{re.escape(word.lower())}(\w*)")
    if len(word) < 3 or sum(not match[1] for match in begins.finditer(known)) > 1:
        return False
    return any(len(match[1]) > 2 for match in begins.finditer(said))


def check_repeated_text(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield texts of more than five words that the same speaker has already said."""
    seen: dict[tuple[str, str], int] = {}
    for index in dialogue.indices(*_SPEAKERS):
        words = re.findall(r"\w+", dialogue.texts[index].lower())
        if len(words) > _LONG:
            first = seen.setdefault((dialogue.role(index), " ".join(words)), index)
            if first != index:
                told = f"the same words as in message {first}"
                yield Finding(check="repeated_text", message=told, message_index=index)


_PLACEHOLDER = re.compile(
    r"\{[A-Za-z_][\w. ]*\}|<(?!/?(?:b|i|br|p|a|li|ul|code|pre|em|strong)\b)[A-Za-z][\w ]{1,30}>|"
    r"\[(?:insert|your|name|city|date|time|user|assistant|tool|company|placeholder|amount|address|email|phone|link|"
    r"number|location|xxx?)\b[^\]]{0,40}\]|lorem ipsum|\bXXX+\b|\$\{\w+\}|\$[a-z]\w{2,}\b|%\(\w+\)s",
    re.IGNORECASE,
)
_REMARK = re.compile(r"\b(?:TODO|FIXME|TBD)\b")
_JSON = re.compile(r"\{\s*[\"']|[\"']\w+[\"']\s*:\s*[\"'\[{\d]|\[\s*\{|\}\s*[\]}]|```json")
_PLAN = re.compile(
    r"\bplanned requests?\b|\bdialogue plan\b|\btool[ _]calls?\b|\btool simulator\b|\bfunction calls?\b|"
    r"\bchit-?chat\b|\btopic shift\b|\bmissing parameters?\b|\bmissing function\b|\bsystem prompt\b|"
    r"(?:\b(?:is|are|was)|[:=]) null\b|"
    r"(?<=[\w,:] )None\b(?! of)|"
    r"<\|?\w+\|>|\bundefined\b",
)
_SNAKE = re.compile(r"(?<![\w@./:-])[A-Za-z]\w*_\w+(?![\w@/])")


def check_leaks(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield placeholders, JSON, words of the plan, and names of tools, parameters or enum values in what is said."""
    names: set[str] = set(PATTERNS)
    for tool in dialogue.tools.values():
        names |= _code_names(tool)
    arguments = " ".join(json.dumps(call.arguments) for call in dialogue.calls)
    for index in dialogue.indices(*_SPEAKERS):
        text = dialogue.texts[index]
        if not text:
            continue
        remark = _REMARK.search(text)
        if remark and remark[0] not in arguments:  # people do look for remarks in code
            told = f"a placeholder in the text: {remark[0]!r}"
            yield Finding(check="leaks", message=told, message_index=index)
            continue
        for pattern, what in ((_PLACEHOLDER, "a placeholder"), (_JSON, "JSON"), (_PLAN, "words of the plan")):
            match = pattern.search(text)
            if match:
                told = f"{what} in the text: {match[0]!r}"
                yield Finding(check="leaks", message=told, message_index=index)
                break
        else:
            leaked = next((w for w in _SNAKE.findall(text) if w in names), None)
            if leaked:
                told = f"a name of the code in the text: {leaked!r}"
                yield Finding(check="leaks", message=told, message_index=index)


def _code_names(tool: JSON) -> set[str]:
    names = {str(tool.get("name", "")), *_collect(tool.get("parameters") or {})}
    return {name for name in names if "_" in name}


def _collect(schema: JSON) -> Iterator[str]:
    for choice in schema.get("enum") or ():
        if isinstance(choice, str):
            yield choice
    for name, part in (schema.get("properties") or {}).items():
        yield str(name)
        if isinstance(part, dict):
            yield from _collect(part)
    if isinstance(schema.get("items"), dict):
        yield from _collect(schema["items"])


_ASSISTANT_VOICE = re.compile(
    r"\bhow (?:can|may|could) i (?:help|assist)\b|\bas an ai\b|"
    r"\bi(?:'m| am) (?:just )?an? (?:ai|assistant|language model)\b|"
    r"\b(?:i'm|i am) here to (?:help|assist)\b|\bhappy to (?:help|assist)\b|\bglad (?:i could|to) (?:help|assist)\b|"
    r"\blet me know if you (?:need|have|want)\b|\bis there anything else (?:i can|you)\b|\bi will now\b|\bi'll now\b|"
    r"\bi have successfully\b|\byour (?:request|order|booking|reservation) has been\b|"
    r"\bi've (?:booked|scheduled|updated|sent|created|found|cancelled|added) (?:it |that |this )?(?:for )?you\b|"
    r"\bfeel free to ask\b|\bhow else can i\b|"
    r"\bi apologi[sz]e for (?:the|any) (?:confusion|inconvenience)\b|\byou're welcome\b",
    re.IGNORECASE,
)


def check_user_voice(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield user turns in the words of an assistant."""
    for index in dialogue.indices("user"):
        match = _ASSISTANT_VOICE.search(dialogue.texts[index].replace("’", "'"))
        if match:
            told = f"the user speaks like the assistant: {match[0]!r}"
            yield Finding(check="user_voice", message=told, message_index=index)
