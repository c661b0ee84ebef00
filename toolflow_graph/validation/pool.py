"""The numbers, dates, times and codes that a dialogue has shown so far, and what simple arithmetic makes of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from toolflow_graph.by_identity import remember_by_identity
from toolflow_graph.types import JSON
from toolflow_graph.validation.derivation import add_up, is_addable, is_converted, is_near, measured, step_days
from toolflow_graph.values.moments import parse_moment
from toolflow_graph.values.naming import split_words
from toolflow_graph.values.read_numbers import UNIT_SECONDS
from toolflow_graph.values.read_quantities import read_quantities
from toolflow_graph.values.read_steps import Step
from toolflow_graph.values.reading import Reading, read

__all__ = ["Pool"]

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?|(?<=[A-Za-z_-])\d+(?:\.\d+)?")
_CLOCK = re.compile(r"(?<!\d)([01]?\d|2[0-3]):([0-5]\d)")
_DAY = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})")
_RECENT, _NAMED = 4, 7
_HEDGE = Decimal("0.15")
_FACTORS = 60
_LEAST = 3
"""What is added or taken away at least: one and two stand everywhere, and one off is the commonest mistake."""

_LIMITS = ("minimum", "maximum", "default", "minItems", "maxItems", "maxLength")


class Pool:
    """Grows message by message; the assistant may state what is in it, or follows from it.

    `numbers` are all that were shown; `facts` are the amounts of the last few results and `said` those of the user's
    last turns, which arithmetic may combine; `spans` are lengths of time in seconds, which may be
    added to dates and times.
    """

    def __init__(self, today: date | None) -> None:
        self.today = today
        self.numbers: set[Decimal] = set()
        self.facts: list[set[Decimal]] = []
        self.said: list[set[Decimal]] = []
        self.dates: set[date] = set()
        self.returned: set[date] = set()
        self.times: set[int] = set()
        self.spans: set[int] = set()
        self.amounts: set[Decimal] = set()
        self.counts: int = 1
        self._texts: list[str] = []
        self._shown: Reading | None = None
        self._late: list[str] = []
        self._named: list[list[tuple[str, Decimal]]] = []

    def add_text(self, reading: Reading, *, arithmetic: bool = False) -> None:
        """Add what someone said; its numbers take part in arithmetic if wanted."""
        numbers = reading.numbers | reading.shares
        self.dates |= reading.dates
        self.times |= reading.times
        spans = {(seconds / UNIT_SECONDS[unit], int(seconds)) for seconds, unit in reading.durations}
        self.spans |= {seconds for _, seconds in spans}
        numbers |= {number for number, _ in spans}
        self.numbers |= numbers
        if arithmetic:
            self.said = [*self.said[-1:], set(numbers)]
        for mention in reading.dated:
            self.numbers |= {Decimal(v.day) for v in mention.values if isinstance(v, date)}
        self._add_shown(reading.folded)

    def add_json(self, value: Any) -> None:
        """Add a tool's result, or the arguments of a call."""
        facts: set[Decimal] = set()
        self._named = [*self._named[-_NAMED:], []]
        self._add_value(value, "", facts)
        self._add_facts(facts)

    def _add_facts(self, facts: set[Decimal]) -> None:
        if facts:
            self.facts = [*self.facts[-_RECENT:], facts]

    def _add_shown(self, text: str) -> None:
        self._texts.append(text)
        self._shown = None

    def _add_value(self, value: Any, name: str, facts: set[Decimal]) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                if any(c.isdigit() for c in key):
                    self._add_shown(key.replace("_", " ").lower())
                self._add_value(part, str(key), facts)
        elif isinstance(value, list):
            self.counts = max(self.counts, len(value))
            self._add_columns(value, facts)
            for part in value:
                self._add_value(part, name, facts)
        elif isinstance(value, str):
            self._add_string(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._add_number(Decimal(str(value)), name, facts)

    def _add_number(self, number: Decimal, name: str, facts: set[Decimal]) -> None:
        facts.add(number)
        self.amounts.add(number)
        self.numbers.add(number)
        self._add_shown(str(number))
        self._named[-1].append((name, number))
        words = set(split_words(name))
        units = [seconds for unit, seconds in UNIT_SECONDS.items() if {unit, f"{unit}s"} & words]
        self.spans |= {int(number * seconds) for seconds in units or ([60] if "duration" in words else [])}

    def _add_string(self, leaf: str) -> None:
        self._add_shown(leaf.lower())
        moment = parse_moment(leaf)
        if moment is not None:
            self.dates |= {d for d in (moment.day, *moment.others) if d is not None}
            self.returned |= {moment.day} if moment.day is not None else set()
            if moment.at is not None:
                self.times.add(moment.at.hour * 60 + moment.at.minute)
            if moment.month is not None:
                self.dates.add(date(moment.month[0], moment.month[1], 1))
        if any(c.isdigit() for c in leaf):
            self.numbers |= {Decimal(number.lstrip("-")) for number in _NUMBER.findall(leaf)}
            self.times |= {int(h) * 60 + int(m) for h, m in _CLOCK.findall(leaf)}
            self.dates |= {d for d in (_day(parts) for parts in _DAY.findall(leaf)) if d is not None}
        if moment is None and " " in leaf:
            self._late.append(leaf)

    def _add_columns(self, items: list[Any], facts: set[Decimal]) -> None:
        columns: dict[str, list[Decimal]] = {}
        for item in items:
            for key, part in item.items() if isinstance(item, dict) else [("", item)]:
                if isinstance(part, int | float) and not isinstance(part, bool):
                    columns.setdefault(key, []).append(Decimal(str(part)))
        for column in columns.values():
            total = sum(column, Decimal())
            facts |= {total, total / len(column)}
            self.numbers.add(total)

    def add_schemas(self, tools: Mapping[str, JSON]) -> None:
        """Add the limits and choices that the offered tools' parameters name."""
        for tool in tools.values():
            numbers, choices = _limits(tool.get("parameters") or _NO_PARAMETERS)
            self.numbers |= numbers
            for choice in choices:
                self._add_string(choice)

    def has_code(self, code: str) -> bool:
        """Tell whether a folded code was shown, whatever stands between its letters and digits."""
        if self._shown is None:
            self._shown = Reading("\n".join(self._texts), self.today)
        return self._shown.has_code(code)

    def has_verbatim(self, text: str) -> bool:
        """Tell whether a folded text was shown as it is."""
        return any(text in known for known in self._texts)

    def catch_up(self) -> bool:
        """Read the sentences inside results that were only skimmed so far; tells whether there were any."""
        late, self._late = self._late, []
        for leaf in late:
            self.add_text(read(leaf, self.today), arithmetic=True)
        return bool(late)

    def has_number(self, values: Iterable[Decimal], *, hedged: bool = False, share: bool = False) -> bool:
        """Tell whether any reading of a number was shown, or follows from two amounts of late."""
        return any(self._has(value, hedged=hedged, share=share) for value in values)

    def _has(self, value: Decimal, *, hedged: bool, share: bool) -> bool:
        known = self.numbers
        if value in known or -value in known or (value == int(value) and 0 <= value <= self.counts):
            return True
        said = set[Decimal]().union(*self.said)
        facts = said.union(*self.facts)
        if _is_rounded(value, facts):
            return True
        if hedged and any(abs(one - value) <= abs(value) * _HEDGE for one in self.amounts):
            return True
        if share and (value / 100 in known or _is_ratio(value, facts)):
            return True
        # amounts of different results are summed up rarely, and small whole numbers meet by chance
        groups = [facts] if value != int(value) or abs(value) >= 100 else [said | group for group in self.facts]
        return any(_follows(value, one, group) for group in groups for one in group)

    def has_date(self, values: Iterable[date]) -> bool:
        """Tell whether any reading of a date was shown, or lies a shown length of time from one that was."""
        wanted = set(values)
        if wanted & self.dates:
            return True
        if any((d.month, d.day) == (w.month, w.day) for w in wanted if w.year < 1000 for d in self.dates):
            return True
        days = {span // 86400 for span in self.spans if span >= 86400}
        return any(abs((w - d).days) in days and w.year > 1000 < d.year for w in wanted for d in self.dates)

    def has_stepped(self, values: Iterable[date], steps: Sequence[Step]) -> bool:
        """Tell whether a date lies a step ("the day before", "the Monday after") from one that was shown."""
        wanted = {day for day in values if day.year > _FIRST_YEAR}
        known = self.dates | ({self.today} if self.today else set())
        return bool(steps) and len(known) <= _COMPARED and bool(wanted & step_days(steps, known))

    def has_weekday_far_off(self, weekday: int) -> bool:
        """Tell whether a result has a date with this weekday so far away that the weekday alone could not name it."""
        today = self.today
        return today is not None and any(
            d.weekday() == weekday and abs((d - today).days) > _NEAR for d in self.returned
        )

    def has_total(self, values: Iterable[Decimal], beside: Iterable[Decimal]) -> bool:
        """Tell whether a number is the sum of several amounts that can be added, or a multiple of one plus another.

        `beside` are the numbers that stand in the same text: the three of "three nights".
        """
        groups = [[(f, n) for f, n in group if is_addable(f)] for group in self._named]
        sums = add_up(groups[::-1])
        times = {n for n in {*beside, *set[Decimal]().union(*self.said)} if n == int(n) and 1 < n <= _FACTORS}
        for group in groups:
            for amount in [n for _, n in group][:_COLUMN]:
                rest = {Decimal(0)} | {n for _, n in group if n != amount}
                sums |= {n * amount + more for n in times for more in rest}
        return any(value in sums for value in values)

    def has_quantity(self, values: Iterable[Decimal], unit: str, *, hedged: bool) -> bool:
        """Tell whether a number in a unit was shown in another one."""
        known = {*measured(pair for group in self._named for pair in group)}
        known |= {quantity for text in self._texts for quantity in read_quantities(text)}
        if hedged:
            return any(is_near(value, unit, known, _HEDGE) for value in values)
        return any(is_converted(value, unit, known) for value in values)

    def has_time(self, values: Iterable[int], *, hedged: bool = False) -> bool:
        """Tell whether any reading of a time was shown, or lies a shown length of time from one that was.

        What was added up may be told a minute off ("half past seven" for 19:29), and more when it is hedged.
        """
        wanted = set(values)
        if wanted & self.times:
            return True
        minutes = {span // 60 for span in self.spans if 60 <= span < 86400}
        slack = _HEDGED_CLOCK_SLACK if hedged else _CLOCK_SLACK
        return any(abs(abs(w - t) - m) <= slack for w in wanted for t in self.times for m in minutes)

    def has_difference(self, values: Iterable[Decimal], *, hedged: bool) -> bool:
        """Tell whether a number is the difference of any two amounts that were shown; asked only of comparisons."""
        slack = Decimal(1) if hedged else Decimal("0.005")
        amounts = list(self.amounts)[:_COMPARED]
        return any(abs(abs(a - b) - value) <= slack for value in values for a in amounts for b in amounts if a != b)

    def has_duration(self, seconds: Decimal, *, hedged: bool) -> bool:
        """Tell whether a length of time was shown in any unit, or lies between two times or dates that were."""
        slack = seconds * _HEDGE if hedged else Decimal(0)
        if any(abs(span - seconds) <= slack for span in self.spans):
            return True
        gaps = {abs(a - b) * 60 for a in self.times for b in self.times if a != b} if len(self.times) <= 40 else set()
        if len(self.dates) <= 40:
            gaps |= {abs((a - b).days) * 86400 for a in self.dates for b in self.dates if a != b}
        return any(abs(gap - seconds) <= slack for gap in gaps)


_CLOCK_SLACK, _HEDGED_CLOCK_SLACK = 1, 20
"""Minutes by which a time that was worked out may be rounded, plainly and with a word such as "about"."""

_COLUMN, _NEAR, _FIRST_YEAR = 12, 13, 1000
_COMPARED = 60
"""Amounts among which a difference is looked for."""


_NO_PARAMETERS: JSON = {}


@remember_by_identity(2048)
def _limits(parameters: JSON) -> tuple[frozenset[Decimal], tuple[str, ...]]:
    """Return the numbers and the choices with digits of a tool's parameters."""
    numbers: set[Decimal] = set()
    choices: list[str] = []
    _collect(parameters, numbers, choices)
    return frozenset(numbers), tuple(choices)


def _collect(schema: JSON, numbers: set[Decimal], choices: list[str]) -> None:
    limits = [schema[key] for key in _LIMITS if key in schema]
    for value in (*limits, *(schema.get("enum") or ())):
        if isinstance(value, int | float) and not isinstance(value, bool):
            numbers.add(Decimal(str(value)))
        elif isinstance(value, str) and any(c.isdigit() for c in value):
            choices.append(value)
    parts = [*(schema.get("properties") or {}).values(), schema.get("items")]
    for part in parts:
        if isinstance(part, dict):
            _collect(part, numbers, choices)


def _follows(value: Decimal, one: Decimal, facts: set[Decimal]) -> bool:
    """Tell whether the value is a sum or difference of two facts, or a fact times (or shared by) a small number."""
    if abs(one) >= _LEAST and any(
        abs(other) >= _LEAST and other in facts for other in (value - one, one - value, value + one)
    ):
        return True
    if not one or abs(one) == 1 or not value:
        return False
    factor, share = value / one, one / value
    return any(f in facts and f == int(f) and 1 < f <= _FACTORS for f in (factor, share))


def _is_rounded(value: Decimal, facts: Iterable[Decimal]) -> bool:
    step = Decimal(1).scaleb(int(value.as_tuple().exponent))
    for one in facts:
        try:
            if abs(abs(one) - abs(value)) < step and abs(one).quantize(step, ROUND_HALF_UP) == abs(value):
                return True
        except InvalidOperation:
            continue
    return False


def _is_ratio(value: Decimal, facts: set[Decimal]) -> bool:
    step = Decimal(1).scaleb(min(int(value.as_tuple().exponent), 0))
    if len(facts) > _FACTORS:
        return False
    pairs = ((one, other) for one in facts for other in facts if one and other and one != other)
    ratios = (one / other * 100 for one, other in pairs)
    return any(abs(ratio - value) <= step / 2 or abs(ratio - 100 - value) <= step / 2 for ratio in ratios)


def _day(parts: tuple[str, str, str]) -> date | None:
    try:
        return date(int(parts[0]), int(parts[1]), int(parts[2]))
    except ValueError:
        return None
