"""Near-duplicate dialogues: those whose spoken words are almost those of an earlier one (MinHash, LSH).

A dialogue is the set of its shingles: three words in a row, in what user and assistant say. Two dialogues are near
duplicates when the Jaccard index of their sets reaches the threshold. MinHash signatures, banded as in Broder (1997)
and Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, chapter 3, only propose pairs; each proposed pair is
compared exactly, so nothing is called a duplicate that is none.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Protocol

from datasketch import MinHash, MinHashLSH

from toolflow_graph.types import JSON
from toolflow_graph.validation.dialogue import text_of

__all__ = ["compare_dialogues", "find_near_duplicates"]

_SHINGLE = 3
_PERMUTATIONS = 128
_MISSED = 1e-3
_SEED = 1
_WORD = re.compile(r"\w+")


class Spoken(Protocol):
    """A dialogue with OpenAI-style messages: a `StoredDialogue` or a `DialogueRecord`."""

    @property
    def messages(self) -> list[JSON]:
        """Its messages."""


def find_near_duplicates(dialogues: Iterable[Spoken], threshold: float = 0.8) -> list[tuple[int, int]]:
    """Return (index, index of the earlier dialogue that it repeats) for every near duplicate, in order.

    The earlier one is the most similar of those that repeat nothing themselves: when all that are listed first in a
    pair are left out, no two of the rest reach the threshold. A pair that just reaches it is missed with a probability
    of at most 0.1 %, a more similar one less often. A dialogue in which nothing is said repeats nothing.

    Args:
        dialogues: Read once, in order; only hashes of their shingles are kept.
        threshold: Least Jaccard index of two sets of shingles, above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"a Jaccard index lies above 0 and at most at 1, not at {threshold}")
    bands, rows = _choose_bands(threshold)
    index = MinHashLSH(num_perm=_PERMUTATIONS, params=(bands, rows))
    empty = MinHash(_PERMUTATIONS, seed=_SEED, scheme="affine32")
    kept: dict[int, frozenset[bytes]] = {}
    repeats: list[tuple[int, int]] = []
    for place, dialogue in enumerate(dialogues):
        shingles = _hash_shingles(dialogue)
        if not shingles:
            continue
        signature = empty.copy()
        signature.update_batch(shingles)
        similar = [(_measure_jaccard(shingles, kept[other]), -other) for other in _query(index, signature)]
        jaccard, earlier = max(similar, default=(0.0, 0))
        if jaccard >= threshold:
            repeats.append((place, -earlier))
        else:
            kept[place] = shingles
            index.insert(place, signature, check_duplication=False)
    return repeats


def compare_dialogues(one: Spoken, other: Spoken) -> float:
    """Return the Jaccard index of two dialogues' shingles, from 0 to 1."""
    return _measure_jaccard(_hash_shingles(one), _hash_shingles(other))


def _query(index: Any, signature: MinHash) -> list[int]:
    found: list[int] = index.query(signature)
    return found


def _choose_bands(threshold: float) -> tuple[int, int]:
    """Return bands and rows: the longest rows with which a pair at the threshold is hardly ever missed."""
    for rows in range(_PERMUTATIONS, 1, -1):
        bands = _PERMUTATIONS // rows
        if (1 - threshold**rows) ** bands <= _MISSED:
            return bands, rows
    return _PERMUTATIONS, 1


def _hash_shingles(dialogue: Spoken) -> frozenset[bytes]:
    """Return the 8-byte hashes of all shingles; a message shorter than a shingle is one by itself."""
    found: set[bytes] = set()
    for message in dialogue.messages:
        if message.get("role") not in ("user", "assistant"):
            continue
        words = _WORD.findall(text_of(message).casefold())
        for start in range(max(len(words) - _SHINGLE + 1, min(len(words), 1))):
            shingle = " ".join(words[start : start + _SHINGLE])
            found.add(blake2b(shingle.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    return frozenset(found)


def _measure_jaccard(one: frozenset[bytes], other: frozenset[bytes]) -> float:
    shared = len(one & other)
    united = len(one) + len(other) - shared
    return shared / united if united else 0.0
