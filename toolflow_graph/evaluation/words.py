"""Words and n-grams of what is spoken: their entropy, and how many are distinct (H and D-n of the paper).

A word is a run of letters and digits, lower-cased, with what an apostrophe joins to it ("don't"). Punctuation is none.
Only what user and assistant say counts, no calls and no results. An n-gram never runs from one turn into the next.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolflow_graph.evaluation.bootstrap import Estimate, estimate_by_jackknife

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Corpus", "estimate_distinct", "estimate_entropy", "measure_distinct", "measure_entropy", "split_words"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def split_words(text: str) -> list[str]:
    """Return the words of a text, lower-cased."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Corpus:
    """The words of dialogues as numbers, one after the other, each with its turn and its dialogue."""

    words: "NDArray[np.int64]"
    turns: "NDArray[np.int64]"
    dialogues: "NDArray[np.int64]"
    size: int

    @classmethod
    def read(cls, dialogues: Iterable[Sequence[str]]) -> "Corpus":
        """Number the words of dialogues that are given by the texts of their turns."""
        numbers: dict[str, int] = {}
        words: list[int] = []
        lengths: list[int] = []
        turns_of: list[int] = []
        size = 0
        for size, texts in enumerate(dialogues, 1):
            for text in texts:
                found = split_words(text)
                words.extend(numbers.setdefault(word, len(numbers)) for word in found)
                lengths.append(len(found))
                turns_of.append(size - 1)
        turns = np.repeat(np.arange(len(lengths)), lengths)
        return cls(
            np.asarray(words, np.int64),
            turns.astype(np.int64),
            np.repeat(np.asarray(turns_of, np.int64), lengths),
            size,
        )

    def take(self, dialogues: "NDArray[np.int64]") -> "Corpus":
        """Return the corpus of some of the dialogues, numbered anew in their order."""
        place = np.full(self.size, -1)
        place[dialogues] = np.arange(len(dialogues))
        kept = place[self.dialogues] >= 0
        return Corpus(self.words[kept], self.turns[kept], place[self.dialogues[kept]], len(dialogues))

    def count_words(self) -> "NDArray[np.int64]":
        """Return the number of words of each dialogue."""
        return np.bincount(self.dialogues, minlength=self.size)

    def grams(self, length: int) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
        """Return all n-grams as numbers, equal ones alike, and the dialogue of each."""
        if len(self.words) < length:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        codes = self.words
        base = int(self.words.max()) + 1
        for step in range(1, length):
            pairs = codes[: len(self.words) - step] * base + self.words[step:]
            codes = np.unique(pairs, return_inverse=True)[1].astype(np.int64)  # small again: no product overflows
        last = len(self.words) - length + 1
        inside = self.turns[:last] == self.turns[length - 1 :]
        return codes[inside], self.dialogues[:last][inside]


def measure_entropy(corpus: Corpus) -> float | None:
    """Return H: the Shannon entropy of the word frequencies, in bits; None without a word."""
    if not len(corpus.words):
        return None
    return _entropy(np.bincount(corpus.words))


def measure_distinct(corpus: Corpus, length: int) -> float | None:
    """Return D-n: the distinct n-grams over all n-grams; None without any."""
    codes, _ = corpus.grams(length)
    return len(np.unique(codes)) / len(codes) if len(codes) else None


def estimate_entropy(corpus: Corpus, groups: "NDArray[np.int64]") -> Estimate:
    """Return H with the interval of a jackknife; `groups` has a group for each dialogue."""
    whole = measure_entropy(corpus)
    if whole is None:
        return Estimate(None)
    counts = np.bincount(corpus.words)
    group_of = groups[corpus.dialogues]
    without = []
    for group in range(int(groups.max()) + 1):
        rest = counts - np.bincount(corpus.words[group_of == group], minlength=len(counts))
        without.append(_entropy(rest) if rest.any() else whole)
    return estimate_by_jackknife(whole, without)


def estimate_distinct(corpus: Corpus, length: int, groups: "NDArray[np.int64]") -> Estimate:
    """Return D-n with the interval of a jackknife; `groups` has a group for each dialogue."""
    codes, dialogues = corpus.grams(length)
    if not len(codes):
        return Estimate(None)
    number = int(groups.max()) + 1
    owner = groups[dialogues]
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    first, last = np.minimum.reduceat(owner[order], starts), np.maximum.reduceat(owner[order], starts)
    lost = np.bincount(first[first == last], minlength=number)  # n-grams that no other group has
    left = len(codes) - np.bincount(owner, minlength=number)
    kept = left > 0
    without = (len(starts) - lost[kept]) / left[kept]
    return estimate_by_jackknife(len(starts) / len(codes), without, most=1.0)


def _entropy(counts: "NDArray[np.int64]") -> float:
    present = counts[counts > 0].astype(np.float64)
    total = present.sum()
    return float(np.log2(total) - (present * np.log2(present)).sum() / total)
