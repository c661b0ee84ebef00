"""The numbers, dates, times and codes that a dialogue has shown so far, and what simple arithmetic makes of them."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from toolflow_graph.types import JSON
from toolflow_graph.validation.dialogue import iterate_leaves
from toolflow_graph.values.moments import parse_moment
from toolflow_graph.values.read_numbers import UNIT_SECONDS
from toolflow_graph.values.reading import Reading, read

__all__ = ["Pool"]

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?|(?<=[A-Za-z_-])\d+(?:\.\d+)?")
_CLOCK = re.compile(r"(?<!\d)([01]?\d|2[0-3]):([0-5]\d)")
_DAY = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})")
_MOST = 400
_HEDGE = Decimal("0.15")


class Pool:
    """Grows message by message; the assistant may state what is in it, or follows from it."""

    def __init__(self, today: date | None) -> None:
        self.today = today
        self.numbers: set[Decimal] = set()
        self.dates: set[date] = set()
        self.times: set[int] = set()
        self.counts: int = 3
        self._texts: list[str] = []
        self._squeezed = ""
        self._late: list[str] = []

    def add_text(self, reading: Reading) -> None:
        """Add what someone said."""
        self.numbers |= reading.numbers | reading.shares
        self.dates |= reading.dates
        self.times |= reading.times
        for seconds, unit in reading.durations:
            self.numbers.add(seconds / UNIT_SECONDS[unit])
        for mention in reading.dated:
            self.numbers |= {Decimal(v.day) for v in mention.values if isinstance(v, date)}
        self._texts.append(reading.folded)
        self._squeezed = ""

    def add_json(self, value: Any) -> None:
        """Add a tool's result, or the arguments of a call."""
        for _, leaf in iterate_leaves(value):
            if isinstance(leaf, bool) or leaf is None:
                continue
            if isinstance(leaf, int | float):
                self.numbers.add(Decimal(str(leaf)))
                self._texts.append(str(leaf))
            else:
                self._add_string(str(leaf))
        self._add_lists(value)
        self._squeezed = ""

    def _add_string(self, leaf: str) -> None:
        self._texts.append(leaf.lower())
        moment = parse_moment(leaf)
        if moment is not None:
            self.dates |= {d for d in (moment.day, *moment.others) if d is not None}
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

    def _add_lists(self, value: Any) -> None:
        if isinstance(value, dict):
            for part in value.values():
                self._add_lists(part)
        elif isinstance(value, list):
            self.counts = max(self.counts, len(value))
            columns: dict[str, list[Decimal]] = {}
            for item in value:
                for key, part in item.items() if isinstance(item, dict) else [("", item)]:
                    if isinstance(part, int | float) and not isinstance(part, bool):
                        columns.setdefault(key, []).append(Decimal(str(part)))
                if isinstance(item, dict | list):
                    self._add_lists(item)
            for column in columns.values():
                self.numbers |= {sum(column, Decimal()), sum(column, Decimal()) / len(column)}

    def add_schemas(self, tools: Mapping[str, JSON]) -> None:
        """Add the limits and choices that the offered tools' parameters name."""
        for tool in tools.values():
            self._add_schema(tool.get("parameters") or {})

    def _add_schema(self, schema: JSON) -> None:
        for key in ("minimum", "maximum", "default", "minItems", "maxItems", "maxLength"):
            if key in schema and isinstance(schema[key], int | float) and not isinstance(schema[key], bool):
                self.numbers.add(Decimal(str(schema[key])))
        for choice in schema.get("enum") or ():
            if isinstance(choice, int | float):
                self.numbers.add(Decimal(str(choice)))
            elif isinstance(choice, str) and any(c.isdigit() for c in choice):
                self._add_string(choice)
        for part in (schema.get("properties") or {}).values():
            if isinstance(part, dict):
                self._add_schema(part)
        if isinstance(schema.get("items"), dict):
            self._add_schema(schema["items"])

    def has_text(self, squeezed: str) -> bool:
        """Tell whether the letters and digits of a code were shown anywhere."""
        if not self._squeezed:
            self._squeezed = "\n".join(re.sub(r"[^a-z0-9\s]+", "", text) for text in self._texts)
        return squeezed in self._squeezed or squeezed in self._squeezed.replace(" ", "")

    def has_verbatim(self, text: str) -> bool:
        """Tell whether a folded text was shown as it is."""
        return any(text in known for known in self._texts)

    def catch_up(self) -> bool:
        """Read the sentences inside results that were only skimmed so far; tells whether there were any."""
        late, self._late = self._late, []
        for leaf in late:
            self.add_text(read(leaf, self.today))
        return bool(late)

    def has_number(self, values: Iterable[Decimal], *, hedged: bool = False) -> bool:
        """Tell whether any reading of a number was shown or follows from two that were."""
        return any(self._has(value, hedged=hedged) for value in values)

    def _has(self, value: Decimal, *, hedged: bool) -> bool:
        known = self.numbers
        if value in known or -value in known or (value == int(value) and 0 <= value <= self.counts):
            return True
        if value / 100 in known or self._is_rounded(value, known):
            return True
        some = list(known) if len(known) <= _MOST else sorted(known, key=abs)[:_MOST]
        for one in some:
            if value - one in known or one - value in known or value + one in known:
                return True
            if one and value % one == 0 and value / one in known and abs(one) != 1:
                return True
            if hedged and abs(one - value) <= abs(value) * _HEDGE:
                return True
        return self._is_ratio(value, some)

    @staticmethod
    def _is_rounded(value: Decimal, known: Iterable[Decimal]) -> bool:
        step = Decimal(1).scaleb(int(value.as_tuple().exponent))
        for one in known:
            try:
                if abs(one - value) < step and abs(one).quantize(step, ROUND_HALF_UP) == abs(value):
                    return True
            except InvalidOperation:
                continue
        return False

    @staticmethod
    def _is_ratio(value: Decimal, some: list[Decimal]) -> bool:
        if len(some) > 60 or not value:
            return False
        step = Decimal(1).scaleb(min(int(value.as_tuple().exponent), 0))
        for one in some:
            for other in some:
                if other and one and one != other:
                    ratio = one / other
                    if abs(ratio * 100 - value) <= step / 2 or (step < 1 and abs(ratio - value) <= step / 2):
                        return True
        return False

    def has_date(self, values: Iterable[date]) -> bool:
        """Tell whether any reading of a date was shown, or lies a known number of days from one that was."""
        wanted = set(values)
        if wanted & self.dates:
            return True
        if any((d.month, d.day) == (w.month, w.day) for w in wanted if w.year < 1000 for d in self.dates):
            return True
        small = {int(n) for n in self.numbers if n == int(n) and 0 < n <= 60}
        return any(abs((w - d).days) in small and w.year > 1000 < d.year for w in wanted for d in self.dates)

    def has_time(self, values: Iterable[int]) -> bool:
        """Tell whether any reading of a time was shown, or lies a known number of minutes or hours from one."""
        wanted = set(values)
        if wanted & self.times:
            return True
        small = {int(n) for n in self.numbers if n == int(n) and 0 < n <= 600}
        spans = small | {n * 60 for n in small if n <= 24}
        return any(abs(w - t) in spans for w in wanted for t in self.times)

    def has_duration(self, seconds: Decimal, *, hedged: bool) -> bool:
        """Tell whether a length of time was shown in any unit, or lies between two times or dates that were."""
        if any(seconds / unit in self.numbers for unit in UNIT_SECONDS.values()):
            return True
        slack = seconds * _HEDGE if hedged else Decimal(0)
        gaps = {abs(a - b) * 60 for a in self.times for b in self.times if a != b} if len(self.times) <= 40 else set()
        if len(self.dates) <= 40:
            gaps |= {abs((a - b).days) * 86400 for a in self.dates for b in self.dates if a != b}
        return any(abs(gap - seconds) <= slack for gap in gaps)


def _day(parts: tuple[str, str, str]) -> date | None:
    try:
        return date(int(parts[0]), int(parts[1]), int(parts[2]))
    except ValueError:
        return None
