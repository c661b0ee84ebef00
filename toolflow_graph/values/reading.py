"""A text read once: the words, numbers, lengths of time, dates and times in it."""

import re
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache

from toolflow_graph.values.naming import fold, stem, word_set
from toolflow_graph.values.read_dates import read_dates
from toolflow_graph.values.read_numbers import Mention, read_durations, read_numbers
from toolflow_graph.values.read_times import read_times

__all__ = ["STOPWORDS", "Reading", "content_words", "read"]

STOPWORDS = word_set(
    "a an and are as at be been but by can could do does for from had has have he her his how i if in is it its me my "
    "no not of on or our out please she so some that the their them then there these they this to us was we were what "
    "when where which who will with would you your am any about into than too up just also"
)
_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_NOISE = re.compile(r"[^a-z0-9]+")
_SPLITTABLE = 5
_DATELIKE = re.compile(
    r"[/\d-]|day|week|month|year|now|night|current|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|new y|valen|hallow|"
    r"morning|afternoon|evening|noon|quarter|mon|tue|wed|thu|fri|sat|sun|first|second|third|th\b|tomorrow|tm|christ|"
    r"easter|thanks|midsum|pentec|ascens|epiph|whitsun|juneteenth|corpus|cinco|april f|bonfire|guy f|all s|kings"
)
_TIMELIKE = re.compile(
    r"\d|noon|midday|midnight|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b"
)
_LASTING = re.compile(
    r"second|minute|hour|day|night|week|month|year|\d ?h|\bmins?\b|\bsecs?\b|\bhrs?\b|\byrs?\b|\d ?s\b"
)


class Reading:
    """What one text can be taken to say; everything is read when first asked for."""

    def __init__(self, text: str, today: date | None) -> None:
        self.text = text
        self.today = today
        self.folded = " ".join(fold(text).split())

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The words and numbers in order, folded."""
        return tuple(_TOKEN.findall(self.folded))

    @cached_property
    def words(self) -> frozenset[str]:
        """The words and numbers, folded; a possessive counts without its ending too."""
        return frozenset(self.tokens) | {t.partition("'")[0] for t in self.tokens if "'" in t}

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of the words."""
        return frozenset(stem(word) for word in self.words)

    @cached_property
    def squeezed(self) -> tuple[str, frozenset[int]]:
        """Only the letters and digits, and where in them a word begins or ends."""
        words = [w for w in _NOISE.split(self.folded) if w]
        edges = [0]
        for word in words:
            edges.append(edges[-1] + len(word))
        return "".join(words), frozenset(edges)

    def has_code(self, code: str) -> bool:
        """Tell whether whole words make up the letters and digits of a folded code, whatever stands between them."""
        parts = [part for part in _NOISE.split(code) if part]
        squeezed = "".join(parts)
        if len(squeezed) < _SPLITTABLE:
            return bool(parts) and (squeezed in self.words or f" {' '.join(parts)} " in self.plain)
        text, edges = self.squeezed
        start = text.find(squeezed)
        while start >= 0:
            if start in edges and start + len(squeezed) in edges:
                return True
            start = text.find(squeezed, start + 1)
        return False

    @cached_property
    def plain(self) -> str:
        """The words in order, single spaces between and around them."""
        return f" {_NOISE.sub(' ', self.folded.replace(chr(39), '')).strip()} "

    @cached_property
    def dated(self) -> tuple[Mention, ...]:
        """Dates, bounds of periods and months."""
        return tuple(read_dates(self.folded, self.today)) if _DATELIKE.search(self.folded) else ()

    @cached_property
    def timed(self) -> tuple[Mention, ...]:
        """Times of day."""
        return tuple(read_times(self.folded)) if _TIMELIKE.search(self.folded) else ()

    @cached_property
    def numbered(self) -> tuple[Mention, ...]:
        """Numbers that are not just parts of a date or time."""
        taken = [(m.start, m.end) for m in self.timed if m.kind == "time"]
        taken += [(m.start, m.end) for m in self.dated if m.kind == "date" and self.folded[m.start].isdigit()]
        taken += [(m.start, m.end) for m in self.dated if m.kind == "date" and self.folded[m.end - 1].isdigit()]
        return tuple(
            m for m in read_numbers(self.folded) if not any(start <= m.start and m.end <= end for start, end in taken)
        )

    @cached_property
    def lasting(self) -> tuple[Mention, ...]:
        """Lengths of time."""
        return tuple(read_durations(self.folded)) if _LASTING.search(self.folded) else ()

    @cached_property
    def dates(self) -> frozenset[date]:
        """The days that are mentioned, bounds of periods included."""
        kinds = ("date", "bound", "ordinal_date")
        return frozenset(v for m in self.dated if m.kind in kinds for v in m.values if isinstance(v, date))

    @cached_property
    def months(self) -> frozenset[tuple[int, int]]:
        """The months that are mentioned, as (year, month)."""
        return frozenset(v for m in self.dated if m.kind == "month" for v in m.values if isinstance(v, tuple))

    @cached_property
    def times(self) -> frozenset[int]:
        """The times of day, in minutes after midnight."""
        return frozenset(v for m in self.timed for v in m.values if isinstance(v, int))

    @cached_property
    def numbers(self) -> frozenset[Decimal]:
        """The numbers."""
        return frozenset(v for m in self.numbered for v in m.values if isinstance(v, Decimal))

    @cached_property
    def shares(self) -> frozenset[Decimal]:
        """The numbers with a per cent sign or word."""
        return frozenset(v for m in self.numbered if m.kind == "percent" for v in m.values if isinstance(v, Decimal))

    @cached_property
    def durations(self) -> frozenset[tuple[Decimal, str]]:
        """The lengths of time, as (seconds, unit)."""
        return frozenset(v for m in self.lasting for v in m.values if isinstance(v, tuple))


@lru_cache(maxsize=1024)
def read(text: str, today: date | None) -> Reading:
    """Return the reading of a text; equal texts are read once."""
    return Reading(text, today)


@lru_cache(maxsize=16384)
def content_words(text: str) -> tuple[str, ...]:
    """Return the stems of the words that carry meaning; all words' stems when none does."""
    tokens = [t.partition("'")[0] for t in _TOKEN.findall(fold(text))]
    wanted = [t for t in tokens if t not in STOPWORDS]
    return tuple(dict.fromkeys(stem(t) for t in (wanted or tokens)))
