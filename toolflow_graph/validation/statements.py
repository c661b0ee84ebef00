"""Unfounded statements: figures, dates, times, codes and addresses that the assistant cannot know."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from toolflow_graph.types import Finding
from toolflow_graph.validation.dialogue import CheckedDialogue
from toolflow_graph.validation.pool import Pool
from toolflow_graph.values.moments import WEEKDAYS
from toolflow_graph.values.naming import fold
from toolflow_graph.values.read_numbers import UNIT_SECONDS, Mention
from toolflow_graph.values.read_quantities import unit_after
from toolflow_graph.values.read_steps import Step, read_steps
from toolflow_graph.values.reading import Reading

__all__ = ["check_statements"]

_SMALL_TALK = frozenset({"chitchat", "irrelevant"})
_HEDGES = re.compile(
    r"\b(?:about|around|nearly|almost|roughly|approximately|approx|some|less than|more than|over|under|up to|"
    r"just under|just over|at least|at most|close to|well over|a good|a bit|within|barely|not quite|"
    r"little|(?:shortly|just|soon|a little|a bit) (?:after|before))\s(?:the |a )?$|~\s?$"
)
_IDIOMS = re.compile(r"^(?:an?|half an?|another|a few|a couple(?: of)?|one)\b")
_CODE = re.compile(
    r"(?<![\w@./-])(?=[\w-]*\d)"
    r"(?:(?=[\w-]*[A-Za-z])[A-Za-z0-9][\w-]{3,}|(?=[\w-]*[A-Z])[A-Z0-9]{2,3})(?![\w@]|\.\w)"
)
_NO_CLOCK = re.compile(r"(?<![\w:.])(?:\d{1,2}:[6-9]\d|(?:2[4-9]|[3-9]\d):[0-5]\d)(?![\d:])")
_PHONE = re.compile(r"(?<![\w.,])\+?\(?\d[\d ()/-]{7,}\d(?![\w%])")
_NO_CODE = re.compile(
    r"^(?:\d+(?:st|nd|rd|th|am|pm|k|m|km|cm|mm|kg|g|mg|ml|l|h|hr|hrs|min|mins|s|sec|gb|mb|tb|kwh|kw|w|x|c|f|days?|"
    r"minutes?|hours?|nights?|weeks?|months?|years?|seats?|person|star|page|inch)?|[a-z]+(?:-\d{1,3}|-[a-z]+)+|"
    r"\d+(?:-[a-z]+)+|[a-z]{3,}-?\d{1,2}|\d+(?:h|m)\d+(?:m|min)?|\d+-\d+[a-z]*)$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MARKER = re.compile(r"(?:^|\n)\s*(\d{1,2})[.)](?=\s)")
_NEAR_DAYS = ("tomorrow", "yesterday", "last night")
_FREE = 3
_SCALES = (5, 10, 100)
_VERSION = re.compile(r"(?<![\w.])v?\d+(?:\.\d+){2,}(?![\w.]*\w)")


def check_statements(dialogue: CheckedDialogue) -> Iterator[Finding]:
    """Yield what the assistant states though no result, user word or simple arithmetic yields it.

    Small talk is exempt. Without labels, an answer that follows no call of its turn may be general knowledge, and the
    finding is a warning.
    """
    pool = Pool(dialogue.today)
    pool.add_schemas(dialogue.tools)
    results = {call.answered: call for call in dialogue.calls if call.answered is not None}
    called, heard = False, ""
    for index in range(len(dialogue.messages)):
        role = dialogue.role(index)
        if role in ("system", "user"):
            called = False if role == "user" else called
            heard = dialogue.reading(index).folded if role == "user" else heard
            pool.add_text(dialogue.reading(index), arithmetic=role == "user")
        elif role == "tool" and index in results:
            called = True
            pool.add_json(results[index].result)
            if results[index].name == "search_tools":
                pool.add_schemas(dialogue.known_tools(index + 1))
        elif role == "assistant":
            if dialogue.texts[index] and not dialogue.patterns_at(index) & _SMALL_TALK:
                severe = called or bool(dialogue.labels)
                for told in _unfounded(dialogue, index, pool, heard):
                    if not called and told in _NEAR_DAYS:
                        continue
                    message = f"nothing that was shown yields {told!r}"
                    severity = "error" if severe else "warning"
                    yield Finding(check="unfounded", message=message, message_index=index, severity=severity)
            pool.add_text(dialogue.reading(index))
            for call in dialogue.calls_of.get(index, ()):
                pool.add_json(call.arguments)


def _unfounded(dialogue: CheckedDialogue, index: int, pool: Pool, heard: str) -> list[str]:
    text, reading = dialogue.texts[index], dialogue.reading(index)
    found = list(_find(text, reading, pool, heard))
    if found and pool.catch_up():
        found = list(_find(text, reading, pool, heard))
    return found


def _find(text: str, reading: Reading, pool: Pool, heard: str) -> Iterator[str]:
    taken: list[tuple[int, int]] = []
    yield from _find_codes(text, reading, pool, taken)
    yield from _find_moments(reading, pool, taken, heard)
    yield from _find_times(reading, pool, taken)
    yield from _find_durations(reading, pool, taken)
    yield from _find_numbers(text, reading, pool, taken)


def _find_codes(text: str, reading: Reading, pool: Pool, taken: list[tuple[int, int]]) -> Iterator[str]:
    folded = reading.folded
    for address in _ADDRESS.findall(text):
        if not pool.has_verbatim(address.rstrip(".").lower()):
            yield address
    for number in _PHONE.finditer(folded):
        if not any(m.kind == "date" and m.start < number.end() and number.start() < m.end for m in reading.dated):
            taken.append(number.span())
            if not pool.has_code(number[0]):
                yield number[0].strip()
    codes = [*_VERSION.findall(folded), *(fold(c[0]) for c in _CODE.finditer(text) if not _NO_CODE.match(c[0]))]
    yield from (code for code in codes if not pool.has_code(code))
    yield from (clock for clock in _NO_CLOCK.findall(folded) if not pool.has_verbatim(clock))


def _find_numbers(text: str, reading: Reading, pool: Pool, taken: list[tuple[int, int]]) -> Iterator[str]:
    folded = reading.folded
    markers = {Decimal(number) for number in _MARKER.findall(text)}
    hours = [m for m in reading.timed if m.kind == "hour"]
    for mention in reading.numbered:
        values = [v for v in mention.values if isinstance(v, Decimal)]
        if mention.kind == "ordinal" or any(start <= mention.start < end for start, end in taken):
            continue
        if _is_exempt(folded, mention, values, markers):
            continue
        inside = [m for m in hours if m.start < mention.end and mention.start < m.end]
        if inside and pool.has_time(v for m in inside for v in m.values if isinstance(v, int)):
            continue
        hedged = _is_hedged(folded, mention)
        if pool.has_number(values, hedged=hedged, share=mention.kind == "percent"):
            continue
        around = folded[max(0, mention.start - 25) : mention.end + 25]
        if _COMPARES.search(around) and pool.has_difference(values, hedged=hedged):
            continue
        if _TOTALS.search(folded) and pool.has_total(values, reading.numbers):
            continue
        unit = unit_after(folded, mention.end)
        if unit is None or not pool.has_quantity(values, unit, hedged=hedged):
            yield folded[mention.start : mention.end].strip()


def _is_exempt(folded: str, mention: Mention, values: list[Decimal], markers: set[Decimal]) -> bool:
    """Tell whether the number states nothing: it numbers a list, names a scale, or is a small word ("one of them")."""
    if mention.kind == "spelled" and all(value <= _FREE for value in values):
        return True
    if values[0] in _SCALES and folded[: mention.start].endswith(("out of ", "/")):
        return True
    return values[0] in markers and folded[mention.end : mention.end + 1] in (".", ")")


def _find_moments(reading: Reading, pool: Pool, taken: list[tuple[int, int]], heard: str) -> Iterator[str]:
    folded = reading.folded
    days: dict[tuple[int, int], list[date]] = {}
    for mention in reading.dated:
        if mention.kind == "date":
            days.setdefault((mention.start, mention.end), []).extend(v for v in mention.values if isinstance(v, date))
        elif mention.kind in ("month", "bound", "ordinal_date"):
            taken.append((mention.start, mention.end))
    for (start, end), values in days.items():
        taken.append((start, end))
        words = folded[start:end].strip()
        inside = any(s <= start < e and (s, e) != (start, end) for s, e in days)
        if inside or _is_weekday_of_next(start, end, values, days, pool):
            continue
        if pool.today in values or _IDIOMS.match(words.removeprefix("in ")):
            continue
        if pool.has_date(values) or pool.has_verbatim(words):
            continue
        steps = [s for s in (*read_steps(folded), *read_steps(heard)) if s.toward or s.unit not in _OPEN]
        if not _is_far_weekday(words, steps, pool) and not pool.has_stepped(values, steps):
            yield words


def _is_far_weekday(words: str, steps: Sequence[Step], pool: Pool) -> bool:
    """Tell whether a weekday is that of a date weeks away, or of a step from one ("the Monday after")."""
    if words not in _WEEKDAYS:
        return False
    weekday = _WEEKDAYS.index(words)
    stepped = any(step.unit == "weekday" and step.amount == weekday and step.toward for step in steps)
    return pool.has_weekday_far_off(weekday) or (stepped and bool(pool.dates))


def _find_times(reading: Reading, pool: Pool, taken: list[tuple[int, int]]) -> Iterator[str]:
    folded = reading.folded
    founded: list[Mention] = []
    doubtful: list[Mention] = []
    for mention in (m for m in reading.timed if m.kind == "time"):
        taken.append((mention.start, mention.end))
        told = [v for v in mention.values if isinstance(v, int)]
        known = pool.has_time(told, hedged=_is_hedged(folded, mention))
        (founded if known else doubtful).append(mention)
    for mention in doubtful:  # "seven this evening" is only the end of "half past seven this evening"
        if not any(m.start < mention.end and mention.start < m.end for m in founded):
            yield folded[mention.start : mention.end].strip()


def _is_weekday_of_next(
    start: int, end: int, values: list[date], days: Mapping[tuple[int, int], list[date]], pool: Pool
) -> bool:
    """Tell whether a weekday only names the day of the date that follows it: "Thursday, 19 February"."""
    for (other, _), dates in days.items():
        if 0 <= other - end <= _WEEKDAY_GAP and other != start and pool.has_date(dates):
            return bool({d.weekday() for d in dates if d.year >= _FIRST_YEAR} & {v.weekday() for v in values})
    return False


_WEEKDAYS = [day.lower() for day in WEEKDAYS]
_OPEN = ("weekday", "weekend", "ordinal", "working_day", "month")
"""Steps that fit many days where the words leave their direction open."""

_WEEKDAY_GAP = 6
_FIRST_YEAR = 1000
_COMPARES = re.compile(
    r"\b(?:more|less|fewer|cheaper|dearer|longer|shorter|later|earlier|above|below|over|under|short|left|extra|ahead|"
    r"difference|saves?|saving|up|down)\b"
)

_TOTALS = re.compile(
    r"\b(?:total|in all|all in|altogether|together|sum|adds? up|comes? to|combined|overall|included|including|costs?|"
    r"makes)\b"
)


def _find_durations(reading: Reading, pool: Pool, taken: list[tuple[int, int]]) -> Iterator[str]:
    folded = reading.folded
    for mention in reading.lasting:
        if any(start <= mention.start < end for start, end in taken):
            continue
        taken.append((mention.start, mention.end))
        words = folded[mention.start : mention.end]
        values = [v for v in mention.values if isinstance(v, tuple)]
        if _IDIOMS.match(words):
            continue
        hedged = _is_hedged(folded, mention)
        amounts = [seconds / UNIT_SECONDS[unit] for seconds, unit in values]
        known = any(pool.has_duration(seconds, hedged=hedged) for seconds, _ in values)
        if not known and not pool.has_number(amounts, hedged=hedged):
            yield words.strip()


def _is_hedged(folded: str, mention: Mention) -> bool:
    return _HEDGES.search(folded[max(0, mention.start - 40) : mention.start]) is not None
