"""Yes-or-no parameters in natural clauses, from their descriptions ("Whether to include tax") and names."""

import re

from toolflow_graph.agents.scripted.verbalise.morphology import base_form, is_plural
from toolflow_graph.agents.scripted.verbalise.nouns import Noun, plain_phrase

__all__ = ["say_flag", "say_state", "whether_clause"]

_WHETHER = re.compile(
    r"(?:whether(?: or not)?|flag (?:to )?indicat\w+ (?:if|whether)|indicates? (?:if|whether)|"
    r"determines? (?:if|whether)|"
    r"specif\w+ (?:if|whether)|^if true,?|(?:set (?:to )?true|^true) to) (.+)",
    re.IGNORECASE,
)
_END = re.compile(
    r"\s*(?:[.,;(:]|\bor not\b|\bor\b|\bdefaults?\b|\bif\b|\bwhen\b|\botherwise\b|\bfalse\b|\bas\b|"
    r"\bfor yes\b|\btrue\b|\bbecause\b|"
    r"\bupon\b|\bduring\b|\bi\.e|\be\.g)",
    re.IGNORECASE,
)
_PREFIXES = {
    "include": ("including {}", "not including {}"),
    "with": ("with {}", "without {}"),
    "has": ("with {}", "without {}"),
    "have": ("with {}", "without {}"),
    "add": ("with {}", "without {}"),
    "show": ("with {}", "without {}"),
    "return": ("with {}", "without {}"),
    "get": ("with {}", "without {}"),
    "want": ("with {}", "without {}"),
    "need": ("with {}", "without {}"),
    "needs": ("with {}", "without {}"),
    "avoid": ("avoiding {}", "with no need to avoid {}"),
    "exclude": ("excluding {}", "not excluding {}"),
}
_VERB = re.compile(
    r"^(.*?) (is|are|was|were|has been|have been|should be|should|can be|can|will be|will|must be|has|have|"
    r"needs|accepts|supports|allows|offers|contains) (.+)$"
)


def whether_clause(description: str) -> str:
    """Return what follows "whether" in a description, up to where its details begin; "" when there is none."""
    match = _WHETHER.search(plain_phrase(description))
    if match is None:
        return ""
    text = _END.split(match[1], maxsplit=1)[0].strip()
    text = re.sub(r"\b(?:the user's|a user's|user's)\b", "my", text)
    text = re.sub(r"\bthe user\b", "I", text)
    words = text.split()
    if "whether" in text:
        return ""
    return text if 2 <= len(words) <= 12 and re.fullmatch(r"[\w' ,%-]+", text) and "_" not in text else ""


def say_state(description: str) -> tuple[str, str]:
    """Return a clause that says that something is so, and one that it is not; ("", "") when none can be made."""
    text = whether_clause(description)
    match = _VERB.match(text)
    if match is None or text.startswith(("to ", "for ")) or match[1].startswith("I"):
        return "", ""
    subject, verb, rest = match.groups()
    if verb in ("has", "have", "needs", "accepts", "supports", "allows", "offers", "contains"):
        base = {"has": "have"}.get(verb, base_form(verb) or verb)
        return text, f"{subject} {'do' if is_plural(subject) else 'does'} not {base} {rest}"
    first, _, second = verb.partition(" ")
    return text, f"{subject} {first} not {f'{second} ' if second else ''}{rest}"


def say_flag(noun: Noun, description: str) -> tuple[str, str]:
    """Return an inline and a clause with a condition, "[insurance? with insurance| without insurance]"."""
    path, words = noun.path, noun.short.split()
    text = whether_clause(description)
    wish = re.match(r"(?:to |for )?(\w+) (.+)", text)
    if wish and wish[1] in ("include", "show", "add", "return") and len(wish[2].split()) <= 5:
        what = re.split(r" (?:in|to|from|into|on) ", wish[2])[0]
        yes, no = ("including", "not including") if wish[1] == "include" else ("with", "without")
        return (
            f"[{path}? {yes} {what}| {no} {what}]",
            f"[{path}? It should be {yes} {what}.| It should be {no} {what}.]",
        )
    if words[0] in _PREFIXES and len(words) > 1:
        yes, no = (form.format(" ".join(words[1:])) for form in _PREFIXES[words[0]])
        if words[0] != "avoid":
            return f"[{path}? {yes}| {no}]", f"[{path}? It should be {yes}.| It should be {no}.]"
        return f"[{path}? {yes}]", f"[{path}? It should be {yes}.| There is no need to {' '.join(words)}.]"
    if wish and base_form(wish[1]) == wish[1]:
        return "", f"[{path}? Please {wish[1]} {wish[2]}.| There is no need to {wish[1]} {wish[2]}.]"
    yes, no = say_state(description)
    if yes:
        return "", f"[{path}? Yes, {yes}.| No, {no}.]"
    named = " ".join(w for w in words if w not in ("is", "ID"))
    if len(words) == 1 and re.search(r"(?:able|ible|al|ic|ive|ous|y|ful|less|ing|ate|ent|ant|ed)$", named):
        return "", f"[{path}? It should be {named}, yes.| It should not be {named}.]"
    return "", f"[{path}? As for {named}, yes.| As for {named}, no.]"
