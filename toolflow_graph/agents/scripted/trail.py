"""What was spoken of when: tells what is at hand ("that bill") from what one has to come back to."""

from toolflow_graph.agents.scripted.sense import words_of

__all__ = ["LIST", "Trail", "name_thing"]

LIST = -1
"""Stands for a whole list, in place of the number of an item."""

_MARKS = frozenset("id ids identifier number no code ref reference key uuid guid token".split())


class Trail:
    """When each call's result was last spoken of, and which things of one kind there were."""

    def __init__(self, at_hand: int) -> None:
        """Begin with nothing spoken of; a thing stays at hand for so many requests after the one that speaks of it."""
        self._at_hand = at_hand
        self._latest: dict[tuple[int, int | None], int] = {}
        self._things: dict[str, set[tuple[int, int | None]]] = {}

    def hear(self, call: int, request: int) -> None:
        """Note that the result of a call was told."""
        self._latest[call, None] = self._latest[call, LIST] = request

    def touch(self, call: int, choice: int | None, request: int) -> None:
        """Note that a request speaks of what a call returned, or of the item of it that was chosen."""
        self._latest[call, choice] = request

    def is_far(self, call: int, choice: int | None, request: int) -> bool:
        """Say whether it is no longer at hand; with `LIST` as the choice, the list as it was told."""
        return request - self._latest.get((call, choice), request) > self._at_hand

    def meet(self, parameter: str, call: int, choice: int | None) -> None:
        """Note a thing that was spoken of: what a call returned, or an item of it."""
        self._things.setdefault(parameter, set()).add((call, choice))

    def is_one_of_many(self, parameter: str, call: int, choice: int | None) -> bool:
        """Say whether another thing of the same kind was spoken of as well."""
        return bool(self._things.get(parameter, set()) - {(call, choice)})

    def copy(self) -> "Trail":
        """Return a trail that goes on by itself."""
        other = Trail(self._at_hand)
        other._latest = dict(self._latest)
        other._things = {parameter: set(things) for parameter, things in self._things.items()}
        return other


def name_thing(name: str) -> str:
    """Return what people call what an identifier names: `hotel_booking_id` is a hotel booking; "" for `id` alone."""
    return " ".join(word for word in words_of(name) if word not in _MARKS)
