"""What was spoken of when: tells what is at hand ("that bill") from what one has to come back to."""

from toolflow_graph.agents.scripted.sense import words_of

__all__ = ["Trail", "name_thing"]

_AT_HAND = 3
"""Requests for which a thing stays at hand; more than any dialogue of usual length has between two that matter."""

_MARKS = frozenset("id ids identifier number no code ref reference key uuid guid token".split())


class Trail:
    """When each call's result was last spoken of, and which things of one kind there were."""

    def __init__(self) -> None:
        """Begin with nothing spoken of."""
        self._latest: dict[int, int] = {}
        self._things: dict[str, set[tuple[int, int | None]]] = {}

    def touch(self, call: int, request: int) -> None:
        """Note that a request speaks of the result of a call."""
        self._latest[call] = request

    def is_far(self, call: int, request: int) -> bool:
        """Say whether the result of a call is no longer at hand."""
        return request - self._latest.get(call, request) > _AT_HAND

    def meet(self, parameter: str, call: int, choice: int | None) -> None:
        """Note a thing that was spoken of: what a call returned, or an item of it."""
        self._things.setdefault(parameter, set()).add((call, choice))

    def is_one_of_many(self, parameter: str, call: int, choice: int | None) -> bool:
        """Say whether another thing of the same kind was spoken of as well."""
        return bool(self._things.get(parameter, set()) - {(call, choice)})

    def copy(self) -> "Trail":
        """Return a trail that goes on by itself."""
        other = Trail()
        other._latest = dict(self._latest)
        other._things = {parameter: set(things) for parameter, things in self._things.items()}
        return other


def name_thing(name: str) -> str:
    """Return what people call the thing that an identifier names: `hotel_booking_id` is a hotel booking; "" for `id`."""
    return " ".join(word for word in words_of(name) if word not in _MARKS)
