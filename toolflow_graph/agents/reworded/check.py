"""The check of a rewording: every value of the line survives where it was, and nothing is added."""

import re
from collections.abc import Iterator, Sequence
from datetime import date

from toolflow_graph.agents.reworded.figures import compare_figures
from toolflow_graph.agents.reworded.line import Fact, Line
from toolflow_graph.agents.reworded.names import compare_codes, compare_names, find_names_in_code
from toolflow_graph.agents.reworded.phrases import (
    compare_phrases,
    compare_quotes,
    find_phrases,
    fold_line,
    mask,
    mask_both,
)
from toolflow_graph.agents.reworded.said import read_said
from toolflow_graph.agents.reworded.tone import find_change_of_tone
from toolflow_graph.values import kind_of, supports
from toolflow_graph.values.naming import split_words, stem
from toolflow_graph.values.reading import content_words, read

__all__ = ["check_rewording", "list_values"]

_TOLD = 4
"""Problems that are told at once."""


def check_rewording(line: Line, text: str) -> str | None:
    """Say what is wrong with a rewording of a line, None when it will do."""
    if problem := _find_misshape(line, text):
        return problem
    problems = list(dict.fromkeys(_find_problems(line, text)))
    return "; ".join(problems[:_TOLD]) or None


def list_values(line: Line) -> list[str]:
    """Return the values of a line as it says them, in their order: what a rewording has to keep."""
    shown = " ".join(line.text.split())
    folded = fold_line(shown)
    masked = mask(folded, find_phrases(line.facts))
    figures = [(said.start, said.end, said.words) for said in read_said(masked.text, line.today)]
    phrases = [(placed.start, placed.end, placed.words) for placed in masked.placed]
    values: list[str] = []
    for start, end, words in sorted(figures + phrases, key=lambda found: (found[0], -found[1])):
        value = (shown[start:end] if len(shown) == len(folded) else words).strip(" .,")
        inside = re.compile(rf"(?<![\w.]){re.escape(value)}(?!\w)")
        if value and not any(inside.search(known) for known in values):
            values.append(value)
    return values


def _find_problems(line: Line, text: str) -> Iterator[str]:
    old, new, phrases = mask_both(line, text)
    yield from compare_phrases(old, new, phrases)
    yield from compare_quotes(line.text, text)
    yield from compare_figures(line, old, new)
    yield from compare_codes(old.text, new.text)
    yield from find_names_in_code(line.text, text)
    yield from compare_names(line, text)
    yield from _find_ungrounded(line, text)
    yield from find_change_of_tone(line, text)


_LONGER, _SLACK = 2, 40
_SHORTER = 0.4
_SHORT_SLACK = 20
_MORE_SENTENCES = 1
_SENTENCE_END = re.compile(r"[.?!…]+[\"”)]?(?=\s|$)")
_MARKUP = re.compile(
    r"^\s*(?:[-*#>]|\d+[.)]\s)|\*\*|```|\||^[\"“].*[\"”]$|^\s*(?:line|text|user|assistant)\s*:", re.IGNORECASE
)


def _find_misshape(line: Line, text: str) -> str | None:
    if not text.strip():
        return "`text` is empty"
    longest = _LONGER * len(line.text) + _SLACK
    if len(text) > longest:
        return f"it is too long: {len(text)} characters; at most {longest}"
    if len(text) < _SHORTER * len(line.text) - _SHORT_SLACK:
        return "it is too short: something must have been left out"
    if len(_SENTENCE_END.findall(text)) > len(_SENTENCE_END.findall(line.text)) + _MORE_SENTENCES:
        return "it has more sentences than the line: say what the line says, and no more"
    if "\n" in text.strip() and "\n" not in line.text:
        return "it must stand on one line"
    markup = _MARKUP.search(text)
    if markup and not _MARKUP.search(line.text):
        return f"only the words of the line, without {markup[0]!r}"
    return None


def _find_ungrounded(line: Line, text: str) -> Iterator[str]:
    """Yield the facts that could be read from the line, and cannot be from the rewording."""
    for fact in line.facts:
        if _is_vague(fact):
            continue
        if isinstance(fact.value, bool):
            if _mentions(line.text, fact.name) and not _mentions(text, fact.name):
                yield f"{' '.join(split_words(fact.name))!r} is not mentioned any more"
            continue
        was = _is_said(fact, [line.text], line.today)
        if was and not _is_said(fact, [text], line.today):
            yield f"{fact.value!r} cannot be read from it any more"
        elif not was and fact.argument and line.speaker == "user" and line.before:
            joint = _is_said(fact, [*line.before, line.text], line.today)
            if joint and not _is_said(fact, [*line.before, text], line.today):
                yield f"{fact.value!r} cannot be read from it any more"


def _is_vague(fact: Fact) -> bool:
    """Tell whether a line has the value by chance more often than not: a small number, a flag or choice of a result."""
    if isinstance(fact.value, bool):
        return not fact.argument
    if not isinstance(fact.value, str):
        return not fact.argument or fact.value in (0, 1)
    kind = kind_of(fact.name, fact.schema)
    return not fact.argument and (kind == "enum" or (kind == "text" and len(fact.value) < _SHORTEST_TEXT))


_SHORTEST_TEXT = 3


def _is_said(fact: Fact, texts: Sequence[str], today: date | None) -> bool:
    return supports(texts, fact.value, today, fact.name, fact.schema)


_GENERIC = frozenset(stem(word) for word in ("include", "including", "only", "enable", "use", "send", "new", "full"))


def _mentions(text: str, name: str) -> bool:
    about = set(content_words(" ".join(split_words(name)))) - _GENERIC
    return bool(about & read(text, None).stems)
