"""What goes otherwise than one call, one answer: values left out, changed or asked for anew, failures, searches."""

import re
from collections.abc import Sequence

from toolflow_graph.agents.scripted import acts
from toolflow_graph.agents.scripted.pointing import Pointing
from toolflow_graph.agents.scripted.request_frames import askable, changeable
from toolflow_graph.agents.scripted.sense import Link
from toolflow_graph.agents.scripted.speech import bank
from toolflow_graph.agents.search_tools import phrase_queries
from toolflow_graph.errors import PlanError
from toolflow_graph.frames import parse_frame
from toolflow_graph.types import JSON, ErrorPhrasing, Tool
from toolflow_graph.values import kind_of

__all__ = ["Complications", "bound_by"]

_VAGUE = 0.4
"""Share of the searches that begin with few words."""

_APOLOGY = re.compile(
    r"(?:sorry|no\b|actually|wait|oops|on second|hang on|hold on|ah|oh|hm|my mistake|correction)", re.IGNORECASE
)


class Complications(Pointing):
    """A draft in which calls may fail, be corrected, or want for a value."""

    def _search(self, tool: Tool) -> None:
        """Search until the search finds the tool: one that was too vague is made again with more words."""
        queries = phrase_queries(tool)
        first = 0 if self.rng.random() < _VAGUE else max(0, len(queries) - 2)  # the last one says all
        for query in queries[first:]:
            self._call([self._new_call(None, {"query": query})])
            if self.brief.find_tools is not None and tool.name in self.brief.find_tools(query):
                return
        raise PlanError(f"no search finds {tool.name!r}")

    def _fail(self, tool: Tool, call: int, error: ErrorPhrasing) -> tuple[int, bool]:
        """Let a call fail; return the call that stands in its place, and whether it was given up."""
        self.calls[call]["fails"] = error.message
        told = {"kind": "error", "call": call, "frame": self.rng.choice(error.told)}
        if error.about:
            again = self._new_call(tool, dict(self.calls[call]["arguments"]))
            value = self.facts.other(tool, error.about, self.calls[call]["arguments"])
            self.calls[again]["arguments"][error.about] = value
            self.facts.note({error.about: value})
            self._assistant([told])
            self._user([acts.give(again, error.about)])
            self._call([again])
            self._assistant([acts.answer(again)])
            return again, False
        again = self._new_call(tool, dict(self.calls[call]["arguments"]))
        roll = self.rng.random()
        if roll < 0.45:
            self._call([again])
            self._assistant([acts.say(self._fresh_line(bank("retry_told"))), acts.answer(again)])
            return again, False
        if roll < 0.75:
            self._assistant([told, acts.say(self._fresh_line(bank("offers_retry")))])
            self._user([acts.say(self._fresh_line(bank("accepts_retry")))])
            self._call([again])
            self._assistant([acts.answer(again)])
            return again, False
        self.calls[again]["fails"] = error.message
        self._call([again])
        self._assistant([told, acts.say(self._fresh_line(bank("give_up")))])
        self._pending = [acts.say(self._fresh_line(bank("give_up_ack")))]
        return again, True

    def _correct(self, tool: Tool, call: int) -> None:
        arguments = dict(self.calls[call]["arguments"])
        options = [p for p in changeable(tool) if p in arguments and not acts.is_reference(arguments[p])]
        if not options:
            raise PlanError(f"nothing that was said can be corrected in {tool.name!r}")
        parameter = self.rng.choice(options)
        arguments[parameter] = self.facts.other(tool, parameter, arguments)
        again = self._new_call(tool, arguments)
        self.facts.note({parameter: arguments[parameter]})
        phrasings = tool.phrasings
        frames = phrasings.changes[parameter] if phrasings is not None else ()
        frame = self.rng.choice(frames)
        led = self.rng.random() < 0.5 and not _APOLOGY.match(frame)
        self._user([acts.change(again, parameter, frame, self._fresh_line(bank("corrections")) if led else "")])
        self._call([again])
        self._assistant([acts.answer(again)])
        self._remember(again)

    def _vary(self, tool: Tool, call: int, first: int) -> JSON:
        """Ask for the same once more with one value changed."""
        arguments = dict(self.calls[first]["arguments"])
        options = [p for p in changeable(tool) if p in arguments and not acts.is_reference(arguments[p])]
        parameter = self.rng.choice(options or changeable(tool))
        arguments[parameter] = self.facts.other(tool, parameter, arguments)
        self.calls[call]["arguments"] = arguments
        frame = self.rng.choice(bank("again"))
        return {"kind": "again", "call": call, "parameter": parameter, "frame": frame}

    def _choose_other(self, tool: Tool) -> str:
        """Return the parameter that gets another value when a tool is asked once more."""
        frames = tool.phrasings.requests if tool.phrasings is not None else ()
        sayable = {path.split(".")[0] for frame in frames for path in parse_frame(frame).paths}
        options = [name for name in changeable(tool) if name in sayable]
        if not options:
            raise PlanError(f"{tool.name!r} cannot be asked for something else")
        required = [name for name in options if name in tool.required]
        places = [name for name in options if kind_of(name, tool.parameters["properties"][name]) == "address"]
        return self.rng.choice(places or required or options)  # the same street would not be in another city

    def _ask_part(self, tool: Tool, call: int, parameter: str) -> JSON:
        phrasings = tool.phrasings
        frames = phrasings.asks.get(parameter, ()) if phrasings is not None else ()
        return acts.ask(call, parameter, self.rng.choice(frames) if frames else "")

    def _choose_missing(self, tool: Tool, links: Sequence[Link]) -> set[str]:
        options = [name for name in askable(tool) if name not in bound_by(links)]
        if not options:
            raise PlanError(f"nothing can be left out in a request to {tool.name!r}")
        return {self.rng.choice(options)}

    def _choose_error(self, tool: Tool, links: Sequence[Link], missing: set[str]) -> ErrorPhrasing:
        errors = tool.phrasings.errors if tool.phrasings is not None else ()
        bound = bound_by(links) | missing
        fit = [e for e in errors if e.about not in bound and (e.about is None or self._can_say(tool, e.about))]
        if not fit:
            raise PlanError(f"{tool.name!r} has no way to fail here")
        return self.rng.choice(fit)

    def _can_say(self, tool: Tool, parameter: str) -> bool:
        phrasings = tool.phrasings
        if phrasings is None or len(tool.parameters["properties"][parameter].get("enum", (1, 2))) < 2:
            return False
        return any(parameter in parse_frame(frame).paths for frame in phrasings.requests)


def bound_by(links: Sequence[Link]) -> set[str]:
    """The parameters that links feed."""
    return {link.parameter for link in links}
