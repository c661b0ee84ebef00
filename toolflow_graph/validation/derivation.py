"""Derived values: days, times and numbers that nobody said and no result has, but that follow from what stands there.

Reckoning finds almost any number among enough others. So most of it is done only where the person's words ask for it
("what's left", "the total", "half of it", "the Monday after"), and with numbers that can be added at all.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import combinations, pairwise, product
from typing import Any

from toolflow_graph.types import JSON
from toolflow_graph.validation.dialogue import Call, CheckedDialogue, iterate_leaves
from toolflow_graph.values import kind_of
from toolflow_graph.values.moments import Moment, parse_moment
from toolflow_graph.values.naming import split_words, word_set
from toolflow_graph.values.read_numbers import UNIT_SECONDS
from toolflow_graph.values.read_parties import count_party
from toolflow_graph.values.read_quantities import Quantity, convert, read_quantities, to_base, unit_of
from toolflow_graph.values.read_steps import Step, add_months, read_steps, take_step
from toolflow_graph.values.reading import Reading

__all__ = ["Grounds", "add_up", "is_addable", "is_converted", "is_near", "measure_gaps", "measured", "step_days"]

_RECENT_TURNS = 3
_RECENT_RESULTS = 4
_MOST_NUMBERS = 80
_ENDS = word_set("end until till to out checkout return due finish close before arrival expiry by last")
_PEOPLE = word_set(
    "guest guests party people person persons adults travellers travelers passengers seats tickets attendees "
    "participants players group covers diners visitors size headcount spots places"
)
_ADDABLE = word_set("limit spent total rate tax remaining left balance value sum due amount paid points hours minutes")

_ADDS = re.compile(
    r"\b(?:total|sum|altogether|together|in all|all|both|combined|plus|add|adds|added|extra|more|another|additional|"
    r"increase|raise|everything|whole|one amount|top|on top|cover|lot|tip|up)\b"
)
_TAKES = re.compile(
    r"\b(?:minus|less|fewer|reduce|lower|decrease|down|rest|remaining|remainder|remains|left|leftover|difference|"
    r"balance|off|missing|short|cheaper|over|save|saved|subtract|deduct|without)\b"
)
_MULTIPLIES = re.compile(r"\b(?:each|every|per|apiece|times|twice|double|triple|a head|nights?|all)\b")
_SHARES = {
    2: re.compile(r"\b(?:half|split|share|shared|halves|fifty-fifty)\b"),
    3: re.compile(r"\bthird\b"),
    4: re.compile(r"\bquarter\b"),
}
_SPLITS = re.compile(r"\b(?:split|divide|divided|share|shared|each|per|apiece|average|ways)\b")
_EVERYONE = re.compile(r"\b(?:all|each|every|everyone|everybody|both)\b")
_MANY_FOLD = 60


@dataclass(frozen=True)
class Grounds:
    """What stands before a call, and may be reckoned with: the person's turns, the latest results, other arguments.

    `path` is that of the argument in question, which cannot be its own ground.
    """

    dialogue: CheckedDialogue
    call: Call
    path: str

    @property
    def turns(self) -> list[Reading]:
        """What the person said before, oldest first."""
        return [self.dialogue.reading(i) for i in self.dialogue.indices("user", before=self.call.message)]

    @property
    def results(self) -> list[Any]:
        """The results before, latest first."""
        known = [c for c in self.dialogue.calls if c.answered is not None and c.answered < self.call.message]
        return [c.result for c in sorted(known, key=lambda c: c.answered or 0, reverse=True)]

    @property
    def arguments(self) -> list[tuple[str, Any]]:
        """The other arguments of the call, and those of earlier ones."""
        mine = [(p, v) for p, v in iterate_leaves(self.call.arguments or {}) if p != self.path]
        earlier = [c for c in self.dialogue.calls if c.message < self.call.message and c.arguments]
        return mine + [leaf for c in earlier for leaf in iterate_leaves(c.arguments)]

    def has_moment(self, moment: Moment, name: str) -> bool:
        """Tell whether day and time follow from others: a step or a length of time away, or known apart."""
        turns, results = self.turns, self.results
        days = {d for r in turns for d in r.dates}
        times = {t for r in turns for t in r.times}
        near: set[date] = set(days)
        months = {m for r in turns for m in r.months}
        for place, value in enumerate([*(v for _, v in self.arguments), *results]):
            for known in _moments(value):
                days |= {known.day} if known.day else set()
                near |= {known.day} if known.day and place < len(self.arguments) + _RECENT_RESULTS else set()
                times |= {known.at.hour * 60 + known.at.minute} if known.at else set()
                months |= {known.month} if known.month else set()
        if self.dialogue.today:
            days.add(self.dialogue.today)
            near.add(self.dialogue.today)
        steps = list(dict.fromkeys(step for r in turns[-_RECENT_TURNS:] for step in read_steps(r.folded)))
        if moment.month is not None:
            return self._has_month(moment.month, months, days, steps)
        if moment.day is not None and not self._has_day(moment.day, name, days, near, steps):
            return False
        return moment.at is None or self._has_time(moment.at.hour * 60 + moment.at.minute, moment, times)

    def _has_day(self, day: date, name: str, days: set[date], near: set[date], steps: Sequence[Step]) -> bool:
        stepped = step_days(steps, near)
        if day in days or day in stepped:
            return True
        spans = {timedelta(seconds=s) for s in self._spans() if s < _LONGEST}
        if any(day in (base + span, base - span) for base in days for span in spans):
            return True
        if not _ENDS & set(split_words(name)):
            return False
        last = timedelta(days=1)  # two weeks from Monday end on a Sunday as well as on a Monday
        return any(day in (base + span, base + span - last) for base in days | stepped for span in spans if span > last)

    def _has_time(self, minutes: int, moment: Moment, times: set[int]) -> bool:
        spans = {s // 60 for s in self._spans()}
        now = self.dialogue.now
        bases = times | ({now.hour * 60 + now.minute} if now else set())
        if minutes in times or any(
            (base + sign * s) % 1440 == minutes for base in bases for s in spans for sign in (1, -1)
        ):
            return True
        if any(minutes in _ends_of(part) for result in self.results[:_RECENT_RESULTS] for part in _objects(result)):
            return True
        return moment.day is not None and minutes in _WHOLE_DAY

    @staticmethod
    def _has_month(
        month: tuple[int, int], months: set[tuple[int, int]], days: set[date], steps: Sequence[Step]
    ) -> bool:
        known = months | {(d.year, d.month) for d in days}
        moved = {
            (d.year, d.month)
            for step in steps
            if step.unit == "month"
            for y, m in known
            for d in [add_months(date(y, m, 1), step.amount)]
        }
        return month in known or month in moved

    def _spans(self) -> set[int]:
        """The lengths of time, in seconds, that the person named or that stand in the same call: nights, minutes …."""
        spans = {int(seconds) for r in self.turns for seconds, _ in r.durations}
        for path, value in iterate_leaves(self.call.arguments or {}):
            spans |= {seconds for seconds in _span_of(path, value) if path != self.path}
        return spans

    def has_number(self, value: Decimal, name: str, schema: JSON) -> bool:
        """Tell whether a number follows: people counted, a stretch of time, another unit, or simple arithmetic."""
        turns = self.turns[-_RECENT_TURNS:]
        words = split_words(name)
        description = str(schema.get("description", ""))
        return (
            self._has_party(value, words, turns)
            or self._has_gap(value, words, description, turns)
            or self._has_quantity(value, name, description, turns)
            or self._has_whole(value, schema, turns)
            or self._has_reckoned(value, turns)
        )

    def _has_party(self, value: Decimal, words: tuple[str, ...], turns: Sequence[Reading]) -> bool:
        if not _PEOPLE & set(words) or value != int(value):
            return False
        return any(int(value) in count_party(reading.text) for reading in turns)

    def _has_gap(self, value: Decimal, words: tuple[str, ...], description: str, turns: Sequence[Reading]) -> bool:
        units = [unit for unit in UNIT_SECONDS if {unit, f"{unit}s"} & set(words)] or [
            unit for unit in UNIT_SECONDS if re.search(rf"\b{unit}s?\b", description.lower())
        ]
        if not units:
            return False
        gaps = {gap for reading in turns for gap in measure_gaps(reading)} | set(self._gaps_of_values())
        return any(value in _in_unit(gap, unit) for gap in gaps for unit in units)

    def _gaps_of_values(self) -> Iterator[tuple[int, date | None]]:
        mine = {p: v for p, v in iterate_leaves(self.call.arguments or {}) if p != self.path}
        for part in (mine, *(part for result in self.results[:2] for part in _objects(result))):
            moments = [m for v in part.values() if isinstance(v, str) and (m := parse_moment(v)) is not None]
            for one, other in combinations(moments, 2):
                if one.day and other.day and one.day != other.day:
                    yield abs((other.day - one.day).days) * 86400, min(one.day, other.day)
                elif one.at and other.at and one.at != other.at:
                    minutes = (other.at.hour - one.at.hour) * 60 + other.at.minute - one.at.minute
                    yield minutes % 1440 * 60, None

    def _has_quantity(self, value: Decimal, name: str, description: str, turns: Sequence[Reading]) -> bool:
        unit = unit_of(name, description)
        if unit is None:
            return False
        known = {quantity for reading in turns for quantity in read_quantities(reading.folded)}
        return is_converted(value, unit, known)

    def _has_whole(self, value: Decimal, schema: JSON, turns: Sequence[Reading]) -> bool:
        """Tell whether a whole number stands for one with decimals where only whole ones are allowed."""
        if schema.get("type") != "integer":
            return False
        known = {n for r in turns for n in r.numbers} | {n for _, n in self._shown(2)}
        return any(n != int(n) and abs(value - n) < 1 for n in known)

    def _shown(self, results: int) -> list[tuple[str, Decimal]]:
        """The numbers of the latest results and of earlier arguments, with the names of their fields."""
        found = [(p, v) for result in self.results[:results] for p, v in iterate_leaves(result)]
        found += [(p, v) for p, v in self.arguments if results > 2]
        return [(_field(p), Decimal(str(v))) for p, v in found if _is_number(v)][:_MOST_NUMBERS]

    def _has_reckoned(self, value: Decimal, turns: Sequence[Reading]) -> bool:
        words = " ".join(reading.folded for reading in turns[-2:])
        said = {n for reading in turns for n in reading.numbers}
        shown = self._shown(_RECENT_RESULTS)
        amounts = {n for field, n in shown if is_addable(field)}
        known = said | {n for _, n in shown}
        if _ADDS.search(words) and (
            any(value - one in known for one in said)
            or value in add_up([[part for part in _numbers(r) if is_addable(part[0])] for r in self.results[:4]])
        ):
            return True
        if _TAKES.search(words) and (
            any(value in (abs(one - other), one - other) for one in said for other in known)
            or any(value == one - other for one in amounts for other in amounts)
        ):
            return True
        return (
            self._is_multiple(value, words, turns, said, amounts)
            or self._is_share(value, words, turns, said, amounts)
            or bool(_EVERYONE.search(words) and value in {len(v) for r in self.results[:2] for v in _lists(r)})
        )

    def _is_multiple(
        self, value: Decimal, words: str, turns: Sequence[Reading], said: set[Decimal], amounts: set[Decimal]
    ) -> bool:
        gaps = {gap for reading in turns for gap in measure_gaps(reading)} | set(self._gaps_of_values())
        times = said | {Decimal(seconds) / 86400 for seconds, _ in gaps}
        times = {n for n in times if n == int(n) and 1 < n <= _MANY_FOLD}
        if any(value == n * amount for n in times for amount in amounts):
            return True
        return bool(_MULTIPLIES.search(words)) and any(value == n * m for n in times for m in said if n != m)

    def _is_share(
        self, value: Decimal, words: str, turns: Sequence[Reading], said: set[Decimal], amounts: set[Decimal]
    ) -> bool:
        rates = {share / 100 for reading in turns for share in reading.shares}
        parts = {factor for rate in rates for factor in (rate, 1 + rate, 1 - rate)}
        wholes = amounts | (said - {rate * 100 for rate in rates})
        if any(_is_cent_off(value, whole * part) for whole in wholes for part in parts):
            return True
        divisors = {Decimal(n) for n, cue in _SHARES.items() if cue.search(words)}
        if _SPLITS.search(words):
            divisors |= {n for n in said if n == int(n) and 1 < n <= _MANY_FOLD}
            divisors |= {Decimal(n) for reading in turns for n in count_party(reading.text) if n > 1}
        return any(_is_cent_off(value, whole / n) for whole in wholes for n in divisors)


_LONGEST = 10**9
_WHOLE_DAY = (23 * 60 + 59,)
"""Minutes at which a day is said to end, when only the day was named."""


def step_days(steps: Iterable[Step], days: Iterable[date]) -> set[date]:
    """Return the days to which any step leads from any of the days."""
    known = list(days)
    return {reached for step in steps for day in known for reached in take_step(step, day)}


def measure_gaps(reading: Reading) -> list[tuple[int, date | None]]:
    """Return the stretches between neighbouring days or times of a text, in seconds, days with the first of them."""
    return list(_measure_gaps(reading))


def _measure_gaps(reading: Reading) -> Iterator[tuple[int, date | None]]:
    dated: dict[tuple[int, int], set[date]] = {}
    for mention in reading.dated:
        if mention.kind in ("date", "ordinal_date"):
            dated.setdefault((mention.start, mention.end), set()).update(
                v for v in mention.values if isinstance(v, date)
            )
    for days in dated.values():  # "12 to 16 July" is one mention of two days a year
        for day in days:
            yield from (((d - day).days * 86400, day) for d in days if 0 < (d - day).days <= _STRETCH)
    for (_, one), (_, other) in pairwise(sorted(dated.items())):
        ahead = [((d - day).days, day) for day in one for d in other if 0 < (d - day).days <= _STRETCH]
        if ahead:
            shortest = min(days for days, _ in ahead)
            yield from ((days * 86400, day) for days, day in ahead if days == shortest)
    timed = sorted((m for m in reading.timed), key=lambda m: m.start)
    for first, second in pairwise(timed):
        between = [
            (b - a) % 1440 for a in first.values for b in second.values if isinstance(a, int) and isinstance(b, int)
        ]
        if first.end <= second.start and any(between):
            yield min(gap for gap in between if gap) * 60, None


_STRETCH = 60
"""Days that two days of one sentence lie apart at most to be the ends of a stay or leave."""


@lru_cache(maxsize=4096)
def _in_unit(gap: tuple[int, date | None], unit: str) -> frozenset[Decimal]:
    """Return what a stretch may come to in a unit; days may count both ends, or only those from Monday to Friday."""
    seconds, first = gap
    found = {Decimal(seconds) / UNIT_SECONDS[unit]}
    if unit == "day" and first is not None:
        days = seconds // 86400
        found |= {
            Decimal(days + 1),
            Decimal(sum((first + timedelta(days=n)).weekday() < 5 for n in range(days + 1))),
        }
    return frozenset(found)


def add_up(groups: Sequence[Sequence[tuple[str, Decimal]]]) -> set[Decimal]:
    """Return the sums of two to four amounts: of one field within a group, or one amount of each of several groups.

    `groups` hold (field, amount) pairs, a group per result. Where amounts are too many, sums would meet any number.
    """
    sums: set[Decimal] = set()
    for group in groups:
        fields: dict[str, list[Decimal]] = {}
        for field, amount in group:
            fields.setdefault(field, []).append(amount)
        for amounts in fields.values():
            sums.add(sum(amounts, Decimal()))
            for size in (2, 3) if len(amounts) <= _FEW else (2,):
                sums |= {sum(chosen, Decimal()) for chosen in combinations(amounts[:_COLUMN], size)}
        if len(group) <= _FEW:
            sums |= {one[1] + other[1] for one, other in combinations(group, 2)}
    filled = [group for group in groups if group]
    for size in (2, 3, 4):
        for chosen in combinations(filled, size):
            if _count_ways(chosen) <= _WAYS:
                sums |= {sum((amount for _, amount in parts), Decimal()) for parts in product(*chosen)}
    return sums


_FEW = 6
_COLUMN = 12
_WAYS = 80


def _count_ways(groups: Sequence[Sequence[object]]) -> int:
    ways = 1
    for group in groups:
        ways *= len(group)
    return ways


def is_converted(value: Decimal, unit: str, known: Iterable[Quantity]) -> bool:
    """Tell whether a number in a unit is one of the quantities, rounded to its own last digit."""
    step = Decimal(1).scaleb(min(int(value.as_tuple().exponent), 0))
    return any(exact is not None and abs(value - exact) <= step / 2 for exact in (convert(q, unit) for q in known))


def is_near(value: Decimal, unit: str, known: Iterable[Quantity], share: Decimal) -> bool:
    """Tell whether a number in a unit is one of the quantities but for a share of it."""
    return any(exact is not None and abs(value - exact) <= exact * share for exact in (convert(q, unit) for q in known))


@lru_cache(maxsize=4096)
def is_addable(field: str) -> bool:
    """Tell whether numbers of a field can be added to one another: amounts of money above all."""
    return bool(_ADDABLE & set(split_words(field))) or kind_of(field, {"type": "number"}) == "money"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_cent_off(value: Decimal, exact: Decimal) -> bool:
    return abs(value - exact) < Decimal("0.01")


def _field(path: str) -> str:
    return path.rsplit(".", 1)[-1].partition("[")[0]


def _numbers(result: Any) -> list[tuple[str, Decimal]]:
    return [(_field(p), Decimal(str(v))) for p, v in iterate_leaves(result) if _is_number(v)]


def _moments(value: Any) -> Iterator[Moment]:
    for _, leaf in iterate_leaves(value):
        known = parse_moment(leaf) if isinstance(leaf, str) else None
        if known is not None:
            yield known


def _objects(value: Any) -> Iterator[JSON]:
    """Yield every object inside a JSON value."""
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _objects(part)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part)


def _lists(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, list) and len(value) > 1:
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _lists(part)


def _span_of(path: str, value: Any) -> Iterator[int]:
    """Yield the lengths of time, in seconds, that a field may tell by its name."""
    if _is_number(value):
        words = set(split_words(path))
        units = [seconds for unit, seconds in UNIT_SECONDS.items() if {unit, f"{unit}s"} & words]
        yield from (int(value * seconds) for seconds in units or ([60] if "duration" in words else []))


def _ends_of(part: JSON) -> set[int]:
    """Return the minutes of the day at which something ends, or begins, that lasts as long as its own object says."""
    times = {
        m.at.hour * 60 + m.at.minute for v in part.values() if isinstance(v, str) and (m := parse_moment(v)) and m.at
    }
    spans = {span // 60 for key, v in part.items() for span in _span_of(key, v)}
    return {(time + sign * span) % 1440 for time in times for span in spans for sign in (1, -1)}


def measured(named: Iterable[tuple[str, Decimal]]) -> Iterator[Quantity]:
    """Yield the quantities of (field, number) pairs whose field names a unit."""
    for field, number in named:
        unit = unit_of(field, "")
        if unit is not None:
            yield to_base(number, unit)
