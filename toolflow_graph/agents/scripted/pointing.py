"""Pointing back: which earlier things a request is about, whether they are still at hand, and how they are named."""

from collections.abc import Sequence

from toolflow_graph.agents.scripted import acts
from toolflow_graph.agents.scripted.draft import Draft
from toolflow_graph.agents.scripted.sense import Link, sense
from toolflow_graph.agents.scripted.speech import agree, bank
from toolflow_graph.agents.scripted.trail import LIST, name_thing
from toolflow_graph.agents.scripted.verbalise.morphology import is_plural
from toolflow_graph.errors import PlanError
from toolflow_graph.types import JSON, Tool

__all__ = ["Pointing"]


class Pointing(Draft):
    """A draft that knows what its results are needed for again."""

    def _pick_part(self, links: Sequence[Link], *, other: bool = False) -> JSON | None:
        """Point at the item of a list that the request is about, unless that was done before; or at another item."""
        for link in links:
            call = self.made.get(link.producer)
            if call is None:
                continue
            listing = sense(self.brief.tools[link.producer]).listing
            if not sense(self.brief.tools[link.producer]).through_list(link.path):
                continue
            part: JSON = {"kind": "pick", "call": call}
            if "picked" not in self.calls[call]:
                self.calls[call]["picked"] = self.rng.choice((0, 0, 0, 1, 1, 2))
            elif other and call not in self.chosen:
                # Of lists with two, three or four items this is another one, whichever was taken before.
                self.chosen[call] = part["choice"] = int(self.calls[call]["picked"] != 1)
            elif self._is_lost(link.parameter, call):  # one of several of long ago is pointed at again
                part |= {"choice": self.chosen[call]} if call in self.chosen else {}
            else:
                continue
            if self.trail.is_far(call, LIST, self.request):
                part["back"] = self._come_back(name_thing(str(listing)), many=False)
            return part
        if other:
            raise PlanError("there is no other item to point at")
        return None

    def _is_lost(self, parameter: str, call: int) -> bool:
        """Say whether an item is no longer at hand, and not the only thing of its kind."""
        choice = self.chosen.get(call)
        return self.trail.is_far(call, choice, self.request) and self.trail.is_one_of_many(parameter, call, choice)

    def _come_back(self, thing: str, *, many: bool) -> str:
        """Return the words with which somebody comes back to a thing; of several it is the last that was spoken of."""
        if not thing:
            raise PlanError("what nobody can name cannot be come back to")
        line = agree(self._fresh_line(bank("returns")), plural=is_plural(thing))
        return line.replace("{thing}", f"last {thing}" if many else thing)

    def _list_far(self, links: Sequence[Link]) -> list[Link]:
        """Return the links to results that are no longer at hand."""
        made = [(link, self.made.get(link.producer)) for link in links]
        return [
            link
            for link, call in made
            if call is not None and self.trail.is_far(call, self.chosen.get(call), self.request)
        ]

    def _point_back(self, far: Sequence[Link], *, picked: bool) -> JSON:
        """Say which values from earlier results have to be named, and how one comes back to the first of them."""
        call = self.made[far[0].producer]
        many = self.trail.is_one_of_many(far[0].parameter, call, self.chosen.get(call))
        back = "" if picked else self._come_back(name_thing(far[0].parameter), many=many)
        return {"far": [link.parameter for link in far], "back": back}

    def _feed(self, tool: Tool, links: Sequence[Link]) -> JSON:
        """Return the references to earlier results; ids that the same object was looked up with come along."""
        fed: JSON = {}
        for link in links:
            call = self.made.get(link.producer)
            if call is None or link.parameter in fed:
                continue
            choice = self.chosen.get(call) if sense(self.brief.tools[link.producer]).through_list(link.path) else None
            fed[link.parameter] = {"$from": [call, link.path] if choice is None else [call, link.path, choice]}
            self.trail.touch(call, choice, self.request)
            self.trail.meet(link.parameter, call, choice)
            looked_up_with = self.calls[call]["arguments"]
            fed |= {name: looked_up_with[name] for name in sense(tool).ids if name in looked_up_with}
        return fed

    def _remember(self, *calls: int) -> None:
        for call in calls:
            self.made[self.calls[call]["tool"]] = call
            if self.long and sense(self.brief.tools[self.calls[call]["tool"]]).action == "end":
                self._forget_gone(call)
            self.trail.hear(call, self.request)

    def _forget_gone(self, ended: int) -> None:
        """Forget what was said of a thing that is no longer there, so that nobody asks for it again."""
        values = self.calls[ended]["arguments"].values()
        for call in {int(value["$from"][0]) for value in values if acts.is_reference(value)}:
            self.facts.drop(self.calls[call]["arguments"])
