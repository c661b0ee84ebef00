"""The check of a rewording: every value of the line survives where it was, and nothing is added."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

from toolflow_graph.agents.reworded.figures import compare_figures, find_months, find_unit
from toolflow_graph.agents.reworded.line import Fact, Line
from toolflow_graph.agents.reworded.names import (
    compare_codes,
    compare_names,
    find_codes,
    find_names,
    find_names_in_code,
)
from toolflow_graph.agents.reworded.order import CHOICE
from toolflow_graph.agents.reworded.phrases import (
    compare_phrases,
    compare_quotes,
    find_article,
    find_phrases,
    find_quotes,
    fold_line,
    mask,
    mask_both,
    phrase_of,
)
from toolflow_graph.agents.reworded.said import Said, find_turn, read_said
from toolflow_graph.agents.reworded.tone import find_change_of_tone, find_dayparts
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
    shown = " ".join(line.text.replace("°", " degrees ").split())  # as it is folded
    folded = fold_line(shown)
    masked = mask(folded, find_phrases(line.facts))
    found = [(find_article(folded, p), p.end, p.words if p.group == CHOICE else "") for p in masked.placed]
    figures = [said for said in read_said(masked.text, line.today) if not said.idle]
    found += [(find_turn(folded, said), find_unit(folded, said.end), "") for said in figures]
    if len(shown) != len(folded):  # places in the folded text are others in the line
        shown = folded
    inner = (
        *find_quotes(folded),
        *find_codes(masked.text),
        *find_names(shown),
        *find_months(masked.text),
        *find_dayparts(masked.text),
    )
    found += [(*match.span(match.re.groups), "") for match in inner]
    values: Counter[str] = Counter()
    known: dict[str, str] = {}
    done = 0
    for start, end, words in sorted(found, key=lambda place: (place[0], -place[1])):
        if start < done or not (said := _show(shown, start, end, words)):
            continue
        done = end
        values[known.setdefault(fold_line(said), said)] += 1
    return [value if count == 1 else f"{value} ({count}x)" for value, count in values.items()]


def _show(shown: str, start: int, end: int, words: str) -> str:
    """Return a value as the line has it; a choice in words of its own, where these differ in their capitals alone."""
    value = shown[start - (shown[max(0, start - 1) : start] == "+") : end].strip(" .,")
    return words if fold_line(words) == fold_line(value) else value


def _find_problems(line: Line, text: str) -> Iterator[str]:
    old, new, phrases = mask_both(line, text)
    yield from compare_phrases(old, new, phrases)
    yield from compare_quotes(line.text, text)
    yield from compare_figures(line, old, new)
    yield from compare_codes(old.text, new.text)
    yield from find_names_in_code(line.text, text)
    yield from compare_names(line, text)
    yield from _find_ungrounded(line, text)
    yield from _find_lost_choices(line, text)
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
    said = fold_line(line.text)
    figures = read_said(said, line.today)
    for fact in line.facts:
        if _is_vague(fact) or _is_chance(line, fact, said, figures):
            continue
        if isinstance(fact.value, bool):
            if _mentions(line.text, fact.name) and not _mentions(text, fact.name):
                yield f"{' '.join(split_words(fact.name))!r} is not mentioned any more"
            continue
        phrase = phrase_of(fact)
        words = phrase.words if phrase else fact.value
        was = _is_said(fact, [line.text], line.today)
        if was and not _is_said(fact, [text], line.today):
            yield f"{words!r} cannot be read from it any more"
        elif not was and fact.argument and line.speaker == "user" and line.before:
            joint = _is_said(fact, [*line.before, line.text], line.today)
            if joint and not _is_said(fact, [*line.before, text], line.today):
                yield f"{words!r} cannot be read from it any more"


def _find_lost_choices(line: Line, text: str) -> Iterator[str]:
    """Yield the words for a choice of a result that the line says, and the rewording in no way."""
    said = fold_line(line.text)
    for fact in line.facts:
        phrase = None if fact.argument else phrase_of(fact)
        if phrase is None or phrase.kind != CHOICE or not phrase.pattern.search(said):
            continue
        if not phrase.pattern.search(fold_line(text)) and not _is_said(fact, [text], line.today):
            yield f"{phrase.words!r} is gone"


def _is_vague(fact: Fact) -> bool:
    """Tell whether a line has the value by chance more often than not: a small number, a flag or choice of a result."""
    if isinstance(fact.value, bool):
        return not fact.argument
    if not isinstance(fact.value, str):
        return not fact.argument or fact.value in (0, 1)
    kind = kind_of(fact.name, fact.schema)
    return not fact.argument and (kind == "enum" or (kind == "text" and len(fact.value) < _SHORTEST_TEXT))


_SHORTEST_TEXT = 3
_CLOCK = re.compile(r"(\d\d):(\d\d)(?::\d\d)?")


def _is_chance(line: Line, fact: Fact, said: str, figures: Sequence[Said]) -> bool:
    """Tell whether a line can only seem to have the value: 13:00 in "the one", rowing in "ten weeks in a row"."""
    if not isinstance(fact.value, str):
        return False
    if clock := _CLOCK.fullmatch(fact.value):
        minutes = int(clock[1]) * 60 + int(clock[2])
        return not any(minutes in one.values | one.hours for one in figures)
    phrase = phrase_of(fact)
    if line.speaker == "user" or phrase is None or phrase.kind != CHOICE:
        return False
    return phrase.pattern.search(said) is None


def _is_said(fact: Fact, texts: Sequence[str], today: date | None) -> bool:
    return supports(texts, fact.value, today, fact.name, fact.schema)


_GENERIC = frozenset(stem(word) for word in ("include", "including", "only", "enable", "use", "send", "new", "full"))


def _mentions(text: str, name: str) -> bool:
    about = set(content_words(" ".join(split_words(name)))) - _GENERIC
    return bool(about & read(text, None).stems)
