"""What tools are about: the words of their names, and how much two tools of one domain have in common."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from toolflow_graph.catalog.infer_job import singular
from toolflow_graph.tool_graph.incidence import Side, gather
from toolflow_graph.values.naming import split_words, word_set

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Matrix = csr_array[np.float64, tuple[int, int]]

__all__ = ["join_by_topic", "list_topics"]

_PAIRS_AT_ONCE = 2_000_000

_MOST = 6
"""Words of a name that count, the rarest."""

_NOTHING = word_set(
    "the of for to in on by with and or from all get list read show find search query fetch retrieve return create add "
    "post put patch set update edit change delete remove cancel api rest id ids uuid key name number code item value"
)
"""Words that say nothing of what a tool is about."""


def list_topics(names: Sequence[str], domains: Sequence[str]) -> "_Matrix":
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


def join_by_topic(
    takes: Side,
    gives: Side,
    feeding: "_Matrix",
    topics: "_Matrix",
) -> "tuple[_Matrix, _Matrix, _Matrix]":
    """Split nodes once more, by the topics of their tools, and join what is similar and of the same topic.

    Returns tools × nodes taken, nodes taken × nodes given, and tools × nodes given. Their product is what tools feed
    each other, times the cosine of their topics.
    """
    given, taken = (np.diff(side.owners.indptr) > 0 for side in (gives, takes))
    rows = np.repeat(np.arange(feeding.shape[0]), np.diff(feeding.indptr))
    fed = np.zeros(feeding.shape[0], np.bool_)
    feeds = fed.copy()
    fed[rows[given[feeding.indices]]] = True
    feeds[rows[taken[feeding.indices]]] = True
    needs, needed = _split_by_topic(takes, fed, topics)
    makes, made = _split_by_topic(gives, feeds, topics)
    nodes, own = np.divmod(needed, topics.shape[1])
    steps = np.cumsum(feeding.indptr[nodes + 1] - feeding.indptr[nodes]) // _PAIRS_AT_ONCE
    parts = []
    for part in np.split(np.arange(len(nodes)), np.flatnonzero(np.diff(steps)) + 1):
        near, place = gather(feeding.indptr, nodes[part])
        keys = feeding.indices[near].astype(np.int64) * topics.shape[1] + own[part][place]
        found = np.minimum(np.searchsorted(made, keys), max(len(made) - 1, 0))
        kept = np.flatnonzero(made[found] == keys) if len(made) else found[:0]
        parts.append((feeding.data[near[kept]], part[place[kept]], found[kept]))
    data, one, other = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return needs, csr_array((data, (one, other)), shape=(len(needed), len(made))), makes


def _split_by_topic(side: Side, useful: "NDArray[np.bool_]", topics: "_Matrix") -> "tuple[_Matrix, NDArray[np.int64]]":
    """Return tools × (nodes by topic), and the numbers of these: node × number of topics + topic, in order."""
    slots = np.flatnonzero(useful[side.strings])
    tools = side.tools[slots]
    entries, place = gather(topics.indptr, tools)
    keys = side.strings[slots][place] * topics.shape[1] + topics.indices[entries]
    nodes, columns = np.unique(keys, return_inverse=True)
    sizes = np.bincount(tools[place], minlength=topics.shape[0])
    starts = np.concatenate(([0], np.cumsum(sizes)))
    return csr_array((topics.data[entries], columns, starts), shape=(topics.shape[0], len(nodes))), nodes
