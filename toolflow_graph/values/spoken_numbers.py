"""How people put numbers, amounts of money and lengths of time into words."""

import random
from decimal import Decimal

from toolflow_graph.values.lexicon import CURRENCIES
from toolflow_graph.values.naming import pluralise, word_list

__all__ = ["format_number", "say_duration", "say_money", "say_number", "say_with_noun", "spell", "spell_ordinal"]

ONES = word_list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = word_list("_ _ twenty thirty forty fifty sixty seventy eighty ninety")


def spell(number: int) -> str:
    """Return the words for a number from 0 to 99."""
    if number < 20:
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens] + (f"-{ONES[ones]}" if ones else "")


def spell_ordinal(number: int) -> str:
    """Return "1st", "2nd", "12th" …."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def format_number(number: float, *, grouped: bool = True) -> str:
    """Write a number in plain digits, thousands grouped, without useless decimals and without an exponent."""
    exact = Decimal(str(number))
    if exact == exact.to_integral_value():
        whole = int(exact)
        return f"{whole:,}" if grouped and abs(whole) >= 1000 else str(whole)
    text = f"{exact:,f}" if grouped else f"{exact:f}"
    return text.rstrip("0").rstrip(".")


def say_number(number: float, rng: random.Random, *, spelled: bool, grouped: bool = True) -> str:
    """Return the number in digits, or in words when it is small, whole and may be `spelled`."""
    if number < 0:
        return f"minus {say_number(-number, rng, spelled=spelled, grouped=grouped)}"
    if spelled and number == int(number) and number <= 12 and rng.random() < 0.5:
        return spell(int(number))
    return format_number(number, grouped=grouped)


def say_with_noun(number: float, noun: str) -> str:
    """Return "one night", "three nights", "14 nights", "2.5 hours"."""
    words = spell(int(number)) if number == int(number) and 0 <= number <= 12 else format_number(number)
    return f"{words} {noun if number == 1 else pluralise(noun)}"


def say_duration(minutes: float, rng: random.Random) -> str | None:
    """Return a length of time in the words of people ("half an hour", "an hour and a half"), or None."""
    if rng.random() < 0.4 or minutes != int(minutes):
        return None
    if int(minutes) in _DURATIONS:
        return _DURATIONS[int(minutes)]
    hours, rest = divmod(int(minutes), 60)
    return f"{spell(hours)} hours" if not rest and 2 <= hours <= 12 else None


_DURATIONS = {30: "half an hour", 60: "an hour", 90: "an hour and a half", 150: "two and a half hours"}


def say_money(amount: float, currency: str | None, rng: random.Random, *, casual: bool) -> str:
    """Return an amount as it is written: "€29.40", "CHF 40", "29.40 euros"; a user may drop needless decimals."""
    exact = Decimal(str(amount))
    digits = f"{exact:,.2f}" if exact != exact.to_integral_value() else f"{int(exact):,}"
    if exact != exact.quantize(Decimal("0.01")):
        digits = format_number(amount)
    if currency is None:
        return digits if exact >= 0 else f"minus {digits[1:]}"
    sign, digits = ("-", digits[1:]) if exact < 0 else ("", digits)
    symbol, words, _ = CURRENCIES.get(currency.upper(), ("", currency, ()))
    if casual and currency.upper() in CURRENCIES and rng.random() < 0.4:
        return f"{'minus ' if sign else ''}{digits} {_singular(words) if digits == '1' else words}"
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{currency.upper()} {digits}"


def _singular(words: str) -> str:
    return words[:-1] if words.endswith("s") and not words.endswith("ss") else words
