"""Finding numbers, shares and lengths of time in what people write."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from toolflow_graph.values.naming import word_list
from toolflow_graph.values.spoken_numbers import ONES, TENS

__all__ = ["NUMBER_WORDS", "UNIT_SECONDS", "Mention", "read_durations", "read_numbers", "to_number"]


@dataclass(frozen=True)
class Mention:
    """A number, date, time or the like in a folded text: its place and what it can mean."""

    start: int
    end: int
    kind: str
    values: tuple[object, ...]


NUMBER_WORDS = {word: i for i, word in enumerate(ONES)} | {w: i * 10 for i, w in enumerate(TENS) if w != "_"}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "grand": 1000, "k": 1000, "m": 10**6}
_SCALES |= {"bn": 10**9, "mn": 10**6, "mio": 10**6, "lakh": 10**5, "crore": 10**7}
_FIXED = {
    "half a dozen": 6,
    "a dozen": 12,
    "dozen": 12,
    "a couple": 2,
    "couple": 2,
    "a pair": 2,
    "both": 2,
    "twice": 2,
    "double": 2,
    "once": 1,
    "half a million": 500000,
}
_DIGITS = re.compile(
    r"(?<![a-z0-9_])(?<![\da-z]\.)(?P<sign>(?<![\w)%])-[€$£¥₹]?|minus [€$£¥₹]?|negative )?"
    r"(?P<whole>\d{1,3}(?:[,' ]\d{3})+(?!\d)|\d+)"
    r"(?P<fraction>[.,]\d+)?(?P<scale>\s?(?:k|m|bn|mn|mio)\b|\s(?:hundred|thousand|million|billion|lakh|crore)\b)?"
    r"(?P<percent>\s?%|\s?per ?cent\b|\s?pct\b)?(?P<half> and a half\b)?(?P<ordinal>(?:st|nd|rd|th)\b)?"
)
_WORD = "|".join(sorted([*NUMBER_WORDS, "hundred", "thousand", "million", "billion"], key=len, reverse=True))
_SPELLED = re.compile(
    rf"\b(?:minus |negative )?(?:a |half a )?(?:{_WORD})\b(?:(?:[ -]|,? and )(?:{_WORD})\b)*(?: and a half\b)?"
    rf"(?: ?%| per ?cent\b)?|\b(?:{'|'.join(_FIXED)})\b"
)
_ORDINALS = word_list(
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
ORDINAL_WORDS = {word: i for i, word in enumerate(_ORDINALS) if i} | {
    "twenty-first": 21,
    "twenty-second": 22,
    "twenty-third": 23,
    "twenty-fourth": 24,
    "twenty-fifth": 25,
    "twenty-sixth": 26,
    "twenty-seventh": 27,
    "twenty-eighth": 28,
    "twenty-ninth": 29,
    "thirtieth": 30,
    "thirty-first": 31,
}
_ORDINAL = re.compile(rf"\b(?:{'|'.join(sorted(ORDINAL_WORDS, key=len, reverse=True))})\b")

UNIT_SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "night": 86400,
    "week": 604800,
    "fortnight": 1209600,
    "month": 2592000,
    "year": 31104000,
}
_UNIT = (
    r"(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|fortnights?|months?|years?|yrs?|"
    r"(?<=\d)[hs]|(?<=\d[ -])[hs])\b"
)
_AMOUNT = rf"(?P<amount>\d+(?:[.,]\d+)?|(?:{_WORD})(?:[ -](?:{_WORD}))*|an?|half an?|a couple(?: of)?|a few|another)"
_DURATION = re.compile(
    rf"(?<![\w.,:])(?:{_AMOUNT}(?P<half> and a half)?[ -]?(?:more |full |working |business )?{_UNIT}"
    r"(?P<tail>(?: and|,)? (?P<more>a half|a quarter|\d{1,2}|(?!an?\b|another\b)[a-z]+(?:-[a-z]+)?)"
    r"(?: ?(?:minutes?|mins?|m))?\b)?)"
)
_PARTS = {"a half": Decimal("0.5"), "a quarter": Decimal("0.25")}
_FIXED_DURATIONS = (
    (re.compile(r"\bhalf (?:an )?hour\b|\bhalf-hour\b"), 1800),
    (re.compile(r"\bthree[ -]quarters of an hour\b"), 2700),
    (re.compile(r"\b(?:a )?quarter of an hour\b|\bquarter hour\b"), 900),
    (re.compile(r"\bhalf (?:a )?day\b"), 43200),
)
_COMPACT = re.compile(
    r"(?<!\w)(\d{1,3}) ?h(?:(?:ours?|rs?)?,? ?(?:and )?([0-5]?\d) ?(?:m|mins?|minutes?)\b|([0-5]\d)\b)"
)


def read_numbers(text: str) -> Iterator[Mention]:
    """Yield the numbers of a folded text: digits, spelled, ordinals, with scales ("5k") and halves; shares as such."""
    ends = set()
    for match in _DIGITS.finditer(text):
        values = tuple(_digit_values(match))
        ends.add(match.end())
        kind = "percent" if match["percent"] else "ordinal" if match["ordinal"] else "number"
        yield Mention(match.start(), match.end(), kind, values)
    for match in _SPELLED.finditer(text):
        percent = match[0].endswith(("%", "cent"))
        words = re.sub(r"(?: ?%| per ?cent)$", "", match[0])
        values = tuple(_spelled_values(words))
        if values and match.end() not in ends:  # the "million" of "318 million"
            yield Mention(match.start(), match.end(), "percent" if percent else "spelled", values)
    for match in _ORDINAL.finditer(text):
        yield Mention(match.start(), match.end(), "ordinal", (Decimal(ORDINAL_WORDS[match[0]]),))


def _digit_values(match: re.Match[str]) -> Iterator[Decimal]:
    whole, fraction = match["whole"], match["fraction"] or ""
    sign = -1 if match["sign"] else 1
    scale = _SCALES[match["scale"].strip()] if match["scale"] else 1
    half = Decimal("0.5") if match["half"] else 0
    plain = re.sub(r"[,' ]", "", whole)
    number = Decimal(plain + (("." + fraction[1:]) if fraction else ""))
    yield sign * (number * scale + half)
    if match["scale"] and match["scale"].strip() == "m":
        yield sign * number
    if len(fraction) == 4 and len(plain) <= 3 and plain.strip("0"):
        yield sign * Decimal(plain + fraction[1:]) * scale
    if " " in whole:
        yield from (Decimal(part) for part in whole.split())
    if fraction.startswith(",") and len(fraction) != 3:
        yield from (Decimal(plain), Decimal(fraction[1:]))


def _spelled_values(words: str) -> Iterator[Decimal]:
    if words in _FIXED:
        yield Decimal(_FIXED[words])
        return
    sign = 1
    for prefix in ("minus ", "negative "):
        if words.startswith(prefix):
            words, sign = words.removeprefix(prefix), -1
    half = words.endswith(" and a half")
    words = words.removesuffix(" and a half")
    factor = Decimal(1)
    if words.startswith("half a "):
        words, factor = words.removeprefix("half a "), Decimal("0.5")
    words = words.removeprefix("a ")
    numbers = _combine(tuple(w for w in re.split(r"[ ,-]+", words) if w != "and"))
    if half and numbers:
        numbers[-1] += Decimal("0.5")
    yield from (sign * number * factor for number in numbers)


def _combine(words: tuple[str, ...]) -> list[Decimal]:
    numbers: list[Decimal] = []
    total = current = 0
    seen = False
    for word in words:
        if word in _SCALES:
            scale = _SCALES[word]
            if scale == 100:
                current = (current or 1) * 100
            else:
                total, current = total + (current or 1) * scale, 0
            seen = True
            continue
        value = NUMBER_WORDS[word]
        room = 100 if value >= 10 else 10
        if (
            seen and (current % room or (current == 0 and total == 0) or (current and current % 100 and value >= 10))
        ) or (seen and value < 10 and 10 <= current % 100 < 20):
            numbers.append(Decimal(total + current))
            total = current = 0
        current += value
        seen = True
    return [*numbers, Decimal(total + current)] if seen else numbers


@lru_cache(maxsize=4096)
def to_number(words: str) -> Decimal | None:
    """Return the number that a few words or digits denote ("two and a half", "a", "12"), or None."""
    words = words.strip()
    if words in ("a", "an", "another"):
        return Decimal(1)
    if words in ("half a", "half an"):
        return Decimal("0.5")
    if words.startswith("a couple"):
        return Decimal(2)
    if re.fullmatch(r"\d+(?:[.,]\d+)?", words):
        return Decimal(words.replace(",", "."))
    if all(w in NUMBER_WORDS or w in _SCALES for w in re.split(r"[ -]", words) if w):
        numbers = list(_spelled_values(words))
        return numbers[0] if len(numbers) == 1 else None
    return None


def read_durations(text: str) -> Iterator[Mention]:
    """Yield lengths of time as (seconds, unit) pairs: "two hours", "half an hour", "an hour and a half", "1h30"."""
    for fixed, seconds in _FIXED_DURATIONS:
        for match in fixed.finditer(text):
            yield Mention(match.start(), match.end(), "duration", ((Decimal(seconds), "hour"),))
    for match in _COMPACT.finditer(text):
        seconds_ = Decimal(int(match[1]) * 3600 + int(match[2] or match[3]) * 60)
        yield Mention(match.start(), match.end(), "duration", ((seconds_, "hour"),))
    for match in _DURATION.finditer(text):
        amount = to_number(match["amount"])
        if amount is None:
            continue
        unit = _unit_name(match["unit"])
        if match["half"]:
            amount += Decimal("0.5")
        values = [(amount * UNIT_SECONDS[unit], unit)]
        more = match["more"]
        if more in _PARTS:
            values = [((amount + _PARTS[more]) * UNIT_SECONDS[unit], unit)]
        elif more and unit == "hour" and (extra := to_number(more)) is not None and extra < 60:
            values.append((amount * 3600 + extra * 60, "hour"))
        yield Mention(match.start(), match.end(), "duration", tuple(values))


def _unit_name(word: str) -> str:
    if word == "h" or word.startswith(("hr", "hour")):
        return "hour"
    if word.startswith("min"):
        return "minute"
    if word.startswith("s"):
        return "second"
    return "year" if word.startswith("y") else word.rstrip("s")
