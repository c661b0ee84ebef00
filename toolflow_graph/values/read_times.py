"""Finding times of day in what people write, as minutes after midnight."""

import re
from collections.abc import Iterator

from toolflow_graph.values.read_numbers import Mention, to_number
from toolflow_graph.values.spoken_numbers import ONES

__all__ = ["read_times"]

_HOUR_WORDS = "|".join(sorted(ONES[1:13], key=len, reverse=True))
_HALF_DAY = r"(?P<half>a\.?m\b\.?|p\.?m\b\.?)"
_PART = (
    r"(?:,?\s(?:(?:tomorrow|on \w+day|\w+day|this|that)\s)?(?:in the |at )?"
    r"(?P<part>morning|afternoon|evening|night|tonight))"
)
_CLOCK = re.compile(
    rf"(?<![a-su-z\d:./-])(?P<h>[01]?\d|2[0-4])(?::|h)(?P<m>[0-5]\d)(?::[0-5]\d)?(?!\d)\s?(?:{_HALF_DAY}|{_PART})?"
)
_DOTTED = re.compile(rf"(?<![\d:./€$£-])(?P<h>[01]?\d|2[0-3])\.(?P<m>[0-5]\d)(?![\d.])\s?(?:{_HALF_DAY}|{_PART})?")
_HOURLY = re.compile(rf"(?<![\d:.])(?:(?P<h>1[0-2]|0?[1-9])\s?|(?P<w>{_HOUR_WORDS})\s){_HALF_DAY}")
_OFFSET = re.compile(
    r"\b(?:(?P<q>half past|half|(?:a )?quarter past|(?:a )?quarter to|(?:a )?quarter of|quarter after)|"
    rf"(?P<n>five|ten|twenty|twenty[- ]five|\d{{1,2}})(?: minutes?)? (?P<d>past|to|after|before))\s"
    rf"(?P<h>{_HOUR_WORDS}|1[0-2]|[1-9]|noon|midnight|midday)\b(?:\s?{_HALF_DAY}|{_PART})?"
)
_NAMED = re.compile(r"\b(?:12 )?(?P<name>noon|midday|midnight)\b")
_O_CLOCK = re.compile(rf"\b(?P<h>{_HOUR_WORDS}|1[0-2]|[1-9]) ?o'?\s?clock\b{_PART}?")
_IN_PART = re.compile(rf"(?<![\d:.,-])\b(?P<h>{_HOUR_WORDS}|1\d|2[0-3]|[1-9]){_PART}\b")
_MILITARY = re.compile(r"(?<![\d:.])(?P<h>[01]\d|2[0-3])(?P<m>[0-5]\d)\s?(?:hours|hrs|h)\b")
_HOUR_MARK = re.compile(r"(?<![\d:.])(?P<h>[01]?\d|2[0-3])\s?(?:h\b|uhr\b)")
_BARE = re.compile(
    r"\b(?:at|by|from|until|till|til|before|after|around|about|to|and|past|between|since|the|or|for|not before|is|it's|"
    rf"make it|now|ends?|starts?)\s(?:like\s|about\s|around\s|exactly\s|maybe\s)?(?P<h>{_HOUR_WORDS}|1\d|2[0-3]|\d)"
    r"(?![\w:]|[.,]\d|\s?%|[-/]\d)"
)
_AFTER_DAY = re.compile(
    r"\b(?:today|tomorrow|tonight|\w+day|january|february|march|april|may|june|july|august|september|october|november|"
    rf"december|\d(?:st|nd|rd|th)?),?\s(?P<h>{_HOUR_WORDS}|1\d|2[0-3]|\d)(?=\s*(?:[,;.!?)]|$|please|sharp|instead|then))"
    r"(?![.,]\d)"
)
_RANGE = re.compile(r"(?<![\d:./-])(?P<h>1\d|2[0-3]|[1-9])\s?-\s?(?P<h2>1\d|2[0-3]|[1-9])(?![\d:/-])")


def read_times(text: str) -> Iterator[Mention]:
    """Yield the times of a folded text; kind "time" where nothing else can be meant, else "hour"."""
    digits = _DIGIT.search(text) is not None
    if digits:
        yield from _read_digits(text)
    for match in _HOURLY.finditer(text):
        yield _mention(match, _hour(match["h"] or match["w"]), 0, strict=True)
    for match in _NAMED.finditer(text):
        yield Mention(match.start(), match.end(), "time", (0 if match["name"] == "midnight" else 720,))
    offsets = list(_OFFSET.finditer(text))
    hours = {match.start("h") for match in offsets}  # the seven of "half past seven" is no time of its own
    for match in (*_O_CLOCK.finditer(text), *_IN_PART.finditer(text)):
        if match.start("h") not in hours:
            yield _mention(match, _hour(match["h"]), 0, strict=True)
    for match in offsets:
        yield from _read_offset(match)
    for match in (*_BARE.finditer(text), *_AFTER_DAY.finditer(text)):
        if match.start("h") in hours:
            continue
        yield Mention(match.start("h"), match.end("h"), "hour", _readings(_hour(match["h"]), 0, "", padded=False))


_DIGIT = re.compile(r"\d")
_COLON = re.compile(r"\d[:h]\d")


def _read_digits(text: str) -> Iterator[Mention]:
    for pattern in (_CLOCK, _MILITARY) if _COLON.search(text) else (_MILITARY,):
        for match in pattern.finditer(text):
            yield _mention(match, int(match["h"]), int(match["m"]), strict=True)
    for match in _DOTTED.finditer(text):
        yield _mention(match, int(match["h"]), int(match["m"]), strict=bool(match["half"] or match["part"]))
    for match in _HOUR_MARK.finditer(text):
        yield Mention(match.start("h"), match.end("h"), "hour", _readings(_hour(match["h"]), 0, "", padded=False))
    for match in _RANGE.finditer(text):
        values = [value for h in ("h", "h2") for value in _readings(int(match[h]), 0, "", padded=False)]
        yield Mention(match.start(), match.end(), "hour", tuple(values))


def _mention(match: re.Match[str], hour: int, minute: int, *, strict: bool) -> Mention:
    groups = match.groupdict()
    part = groups.get("half") or groups.get("part") or ""
    padded = (groups.get("h") or "").startswith("0") and len(groups.get("h") or "") == 2
    return Mention(
        match.start(), match.end(), "time" if strict else "hour", _readings(hour, minute, part, padded=padded)
    )


def _readings(hour: int, minute: int, part: str, *, padded: bool) -> tuple[int, ...]:
    if hour > 12 or padded or hour == 0:
        return (hour % 24 * 60 + minute,)
    morning, evening = hour % 12 * 60 + minute, (hour % 12 + 12) * 60 + minute
    if part.startswith(("a.m", "am", "morning")):
        return (morning,)
    if part.startswith(("p", "afternoon", "evening", "tonight")):
        return (evening,)
    if part == "night":
        return (morning,) if hour in (12, 1, 2, 3, 4, 5) else (evening,)
    return morning, evening


def _hour(word: str) -> int:
    if word in ("noon", "midday"):
        return 12
    if word == "midnight":
        return 0
    number = to_number(word)
    return int(number) if number is not None else 0


def _read_offset(match: re.Match[str]) -> Iterator[Mention]:
    hour = _hour(match["h"])
    part = match["half"] or match["part"] or ""
    if match["q"]:
        words = match["q"].removeprefix("a ")
        minutes = 30 if words.startswith("half") else 15 if words in ("quarter past", "quarter after") else -15
    else:
        number = to_number(match["n"].replace("twenty five", "twenty-five"))
        minutes = int(number or 0) * (1 if match["d"] in ("past", "after") else -1)
        if match["d"] == "to" and minutes >= -12:
            ends = [v for h in (-minutes, hour) for v in _readings(h, 0, part, padded=False)]
            yield Mention(match.start(), match.end(), "hour", tuple(ends))
    if match["h"] in ("noon", "midday", "midnight"):
        yield Mention(match.start(), match.end(), "time", ((hour * 60 + minutes) % 1440,))
        return
    base = _readings(hour, 0, part, padded=False)
    yield Mention(match.start(), match.end(), "time", tuple((value + minutes) % 1440 for value in base))
