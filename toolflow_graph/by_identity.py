"""What is worked out of an object, kept beside it, for objects that cannot be hashed or whose hash costs more."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

__all__ = ["remember_by_identity"]

Source = TypeVar("Source")
Derived = TypeVar("Derived")


_MANY = 1 << 17
"""More than the largest public catalogs have tools."""


def remember_by_identity(maxsize: int = _MANY) -> Callable[[Callable[[Source], Derived]], Callable[[Source], Derived]]:
    """Make a function of one object remember its results, as `functools.lru_cache` does, by the object itself.

    What is given again must be the same object, unchanged: for schemas and tools that last as long as a run. The last
    `maxsize` objects or fewer are held, and nothing beyond: when they are that many, all are let go.
    """

    def decorate(derive: Callable[[Source], Derived]) -> Callable[[Source], Derived]:
        # the source is held too, so that no other object can come to have its identity
        known: dict[int, tuple[Source, Derived]] = {}

        @wraps(derive)
        def remembering(source: Source) -> Derived:
            found = known.get(id(source))
            if found is None:
                derived = derive(source)
                if len(known) >= maxsize:
                    known.clear()
                found = known[id(source)] = (source, derived)
            return found[1]

        return remembering

    return decorate
