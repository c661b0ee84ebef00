"""What tools are about: the words of their names, and how much two tools of one domain have in common."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from toolflow_graph.catalog.infer_job import singular
from toolflow_graph.values.naming import split_words, word_set

__all__ = ["list_topics"]

_MOST = 6
"""Words of a name that count, the rarest."""

_NOTHING = word_set(
    "the of for to in on by with and or from all get list read show find search query fetch retrieve return create add "
    "post put patch set update edit change delete remove cancel api rest id ids uuid key name number code item value"
)
"""Words that say nothing of what a tool is about."""


def list_topics(names: Sequence[str], domains: Sequence[str]) -> "csr_array[np.float64, tuple[int, int]]":
    """Return tools × topics, each row of length 1, or empty where a tool shares no telling word with another.

    A topic is a word of names in one domain that stands in several of its tools but not in all; it counts by its
    inverse document frequency in the domain. The product of two rows is the cosine of two names, from 0 (nothing in
    common, or different domains) to 1.
    """
    said = [_read_words(name) for name in names]
    tools_of = Counter(domains)
    standing = Counter((domain, word) for words, domain in zip(said, domains, strict=True) for word in words)
    numbers: dict[tuple[str, str], int] = {}
    columns: list[int] = []
    data: list[float] = []
    starts = [0]
    for words, domain in zip(said, domains, strict=True):
        telling = [(float(np.log(tools_of[domain] / standing[domain, word])), word) for word in words]
        telling = [(rarity, word) for rarity, word in telling if rarity > 0 and standing[domain, word] > 1]
        telling = sorted(telling, key=lambda pair: (-pair[0], pair[1]))[:_MOST]
        length = sum(rarity**2 for rarity, _ in telling) ** 0.5
        columns += [numbers.setdefault((domain, word), len(numbers)) for _, word in telling]
        data += [rarity / length for rarity, _ in telling]
        starts.append(len(columns))
    return csr_array((data, columns, starts), shape=(len(said), max(len(numbers), 1)), dtype=np.float64)


def _read_words(name: str) -> list[str]:
    words = (singular(word) for word in split_words(name) if len(word) > 1 and not word.isdigit())
    return [word for word in dict.fromkeys(words) if word not in _NOTHING]
