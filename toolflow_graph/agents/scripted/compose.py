"""Turns the steps of a skeleton into calls with values and into the acts that user and assistant play."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from toolflow_graph.agents.roles import Brief
from toolflow_graph.agents.scripted import acts
from toolflow_graph.agents.scripted.arrange import LONG, Step, alike
from toolflow_graph.agents.scripted.facts import Facts
from toolflow_graph.agents.scripted.home import Home
from toolflow_graph.agents.scripted.leads import Turn, lead_aside, lead_in, lead_on
from toolflow_graph.agents.scripted.request_frames import Needs, askable, changeable, choose_frame, standalone_frames
from toolflow_graph.agents.scripted.sense import Link, sense
from toolflow_graph.agents.scripted.speech import bank, pairs
from toolflow_graph.agents.scripted.text import Manner, draw_manner
from toolflow_graph.agents.scripted.trail import LIST, Trail, name_thing
from toolflow_graph.agents.search_tools import phrase_queries
from toolflow_graph.errors import PlanError
from toolflow_graph.frames import parse_frame
from toolflow_graph.types import JSON, ErrorPhrasing, Pattern, PlannedRequest, Tool
from toolflow_graph.values import kind_of

__all__ = ["Composer"]


class Composer:
    """Collects the calls and acts of one dialogue; values that were said are kept for later requests."""

    def __init__(self, brief: Brief, home: Home, rng: random.Random) -> None:
        """Keep what the plan is made from, and draw the user's manner."""
        self.brief = brief
        self.home = home
        self.rng = rng
        self.manner: Manner = draw_manner(brief.rng("manner"))
        self.calls: list[JSON] = []
        self.acts: list[JSON] = []
        self.long = brief.requests[1] > LONG
        self.facts = Facts(home, rng, long=self.long)
        self.made: dict[str, int] = {}
        self.request = -1
        self.domain = ""
        self.spoken: set[str] = set()
        self.trail = Trail(_AT_HAND if self.long else LONG)
        self.chosen: dict[int, int] = {}
        self.turn: Turn = "opening"
        self.after_talk = False
        self._pending: Sequence[JSON] = ()

    # The outside

    def add(self, step: Step) -> PlannedRequest:
        """Compose one step and return it as a planned request."""
        self.request += 1
        self.facts.request = self.request
        first_call = len(self.calls)
        if step.tools:
            last_domain, self.domain = self.domain, step.tools[0].domain
            self.turn = self._find_turn(step, last_domain)
        self._compose(step)
        self.after_talk = step.patterns[0] in ("chitchat", "irrelevant")
        calls = self.calls[first_call:]
        used = tuple(
            dict.fromkeys(call["tool"] for call in calls if "never" not in call and call["tool"] != "search_tools")
        )
        known = {f"{c['tool']}.{p}": v for c in calls for p, v in c["arguments"].items() if not acts.is_reference(v)}
        earlier = {
            self._request_of(v["$from"][0]) for c in calls for v in c["arguments"].values() if acts.is_reference(v)
        }
        return PlannedRequest(
            intent=self._intent(step),
            patterns=step.label(),
            tools=used,
            depends_on=tuple(sorted(earlier - {self.request})),
            known=known,
        )

    def attempt(self, step: Step) -> PlannedRequest | None:
        """Compose one step if it can be said, and leave everything as it was if not."""
        kept = {
            **vars(self),
            "calls": [dict(call) for call in self.calls],
            "acts": list(self.acts),
            "facts": self.facts.copy(),
            "made": dict(self.made),
            "spoken": set(self.spoken),
            "trail": self.trail.copy(),
            "chosen": dict(self.chosen),
        }
        try:
            return self.add(step)
        except PlanError:
            vars(self).update(kept)
            return None

    def forget(self) -> None:
        """Let the next request have values of its own, whatever was said before."""
        self.facts = Facts(self.home, self.rng, long=self.long)

    def close(self) -> None:
        """End the dialogue, now and then with a word of thanks."""
        if self.rng.random() < 0.15 + 0.4 * self.manner.chatty:
            speech = self.brief.domains.get(self.domain)
            own = list(speech.closings) if speech is not None else []
            user, assistant = self._fresh(own if own and self.rng.random() < 0.75 else pairs("thanks"))
            self._user([acts.say(user)])
            self._assistant([acts.say(assistant)])

    def outline(self) -> JSON:
        """Return the agenda."""
        return {"calls": self.calls, "acts": self.acts}

    def manner_words(self) -> str:
        """Describe how the user writes."""
        if self.manner.lower:
            return "types quickly, all in lower case"
        if self.manner.chatty > 0.5:
            return "likes to explain and to chat"
        return "to the point" if self.manner.chatty < 0.4 else "friendly and plain"

    # Acts

    def _user(self, parts: Sequence[JSON]) -> None:
        self.acts.append({"by": "user", "request": self.request, "parts": list(parts)})

    def _assistant(self, parts: Sequence[JSON]) -> None:
        self.acts.append({"by": "assistant", "request": self.request, "parts": list(parts)})

    def _call(self, calls: Sequence[int]) -> None:
        self.acts.append({"by": "assistant", "request": self.request, "calls": list(calls)})

    def _request_of(self, call: int) -> int:
        return int(self.calls[call]["request"])

    def _fresh(self, lines: Sequence[tuple[str, str]]) -> tuple[str, str]:
        left = [line for line in lines if line[0] not in self.spoken] or list(lines)
        line = self.rng.choice(left)
        self.spoken.add(line[0])
        return line

    def _fresh_line(self, lines: Sequence[str]) -> str:
        return self._fresh([(line, "") for line in lines])[0]

    # Steps

    def _compose(self, step: Step) -> None:
        kind = step.patterns[0]
        if kind == "chitchat":
            self._talk("small_talk")
        elif kind == "irrelevant":
            self._talk("general_questions" if self.rng.random() < 0.45 else "irrelevant")
        elif kind == "missing_function":
            self._compose_missing_function(step)
        elif kind == "parallel":
            self._compose_parallel(step)
        elif len(step.tools) > 1:
            self._compose_chain(step)
        else:
            self._play(step.tools[0], step, self._lead(step), complications(step))

    def _talk(self, name: str) -> None:
        speech = self.brief.domains.get(self.domain)
        own = list(getattr(speech, name, ())) if speech is not None else []
        general = pairs("irrelevant" if name != "small_talk" else "small_talk")
        use_own = bool(own) and (name == "general_questions" or self.rng.random() < 0.8)
        use_own = use_own and not all(user in self.spoken for user, _ in own)
        user, assistant = self._fresh(own if use_own else general)
        lead = lead_aside(self.rng, self._fresh_line) if name != "small_talk" and self.acts else []
        self._user([*lead, acts.say(user)])
        self._assistant([acts.say(assistant)])

    def _compose_missing_function(self, step: Step) -> None:
        tool = self._unserved()
        step.tools = []
        call = self._new_call(tool, {}, counted=False)
        self._user([*self._lead(step), self._request(tool, call)])
        phrasings = tool.phrasings
        declines = phrasings.declines if phrasings is not None else ()
        self._assistant([{"kind": "decline", "call": call, "frame": self.rng.choice(declines)}])
        if self.rng.random() < 0.3 and self.manner.chatty > 0.3:
            self._pending = [acts.say(self._fresh_line(bank("decline_ack")))]

    def _unserved(self) -> Tool:
        """Return a tool of the catalog that nothing offered can stand in for; its field is that of the dialogue."""
        offered = [*self.brief.tools.values()]
        asked = {call["tool"] for call in self.calls}
        speech = self.brief.domains.get(self.domain)
        near = {self.domain, *(speech.neighbours if speech is not None else ())}
        fit = [
            tool
            for tool in self.brief.others
            if tool.phrasings is not None
            and tool.phrasings.declines
            and not (sense(tool).needs and "phrasings" not in tool.inferred)
            and standalone_frames(tool)
            and not any(alike(tool, other) for other in offered)
            and tool.name not in asked
        ]
        close = [tool for tool in fit if tool.domain in near]
        if not fit:
            raise PlanError("every tool of the catalog is offered; nothing is left that cannot be done")
        return self.rng.choice(close or fit)

    def _compose_parallel(self, step: Step) -> None:
        parts = self._lead(step)
        calls = []
        for number, tool in enumerate(step.tools):
            call = self._new_call(tool, {})
            calls.append(call)
            if number and step.twice:
                parts.append(self._vary(tool, call, calls[0]))
                continue
            lead = self._fresh_line(bank("connectives")) if number else ""
            parts.append(self._request(tool, call, step.links.get(tool.name, []), lead=lead))
        self._user(parts)
        self._call(calls)
        self._assistant([acts.answer(call) for call in calls])
        self._remember(*calls)

    def _vary(self, tool: Tool, call: int, first: int) -> JSON:
        """Ask for the same once more with one value changed."""
        arguments = dict(self.calls[first]["arguments"])
        options = [p for p in changeable(tool) if p in arguments and not acts.is_reference(arguments[p])]
        parameter = self.rng.choice(options or changeable(tool))
        arguments[parameter] = self.facts.other(tool, parameter, arguments)
        self.calls[call]["arguments"] = arguments
        frame = self.rng.choice(bank("again"))
        return {"kind": "again", "call": call, "parameter": parameter, "frame": frame}

    def _compose_chain(self, step: Step) -> None:
        head, second = step.tools[0], step.tools[1]
        links = step.links[second.name]
        chosen = sense(head).through_list(links[0].path)
        extra = complications(step)
        undoes = sense(head).action in ("create", "update") and sense(second).action in ("update", "end")
        if chosen or extra or undoes or self.rng.random() < 0.35:
            self._play(head, step, self._lead(step), [])
            regrets = [acts.say(self._fresh_line(bank("regrets")), leads=True)] if self._undoes(second) else None
            self._play(second, step, regrets or lead_on(self.manner, self.rng, self._fresh_line), extra)
            return
        first = self._new_call(head, {})
        parts = [*self._lead(step), self._request(head, first)]
        self.made[head.name] = first
        call = self._new_call(second, {})
        parts.append(self._request(second, call, links, lead=self._fresh_line(bank("connectives"))))
        self._user(parts)
        self._call([first])
        self._call([call])
        self._assistant([acts.answer(first), acts.answer(call)])
        self._remember(first, call)

    # One call with its complications

    def _play(self, tool: Tool, step: Step, lead: list[JSON], extra: Sequence[Pattern]) -> None:
        links = step.links.get(tool.name, [])
        pick = self._pick_part(links, other=step.other)
        missing = self._choose_missing(tool, links) if "missing_parameter" in extra else set()
        call = self._new_call(tool, {})
        error = self._choose_error(tool, links, missing) if "tool_error" in extra else None
        must = {error.about} if error is not None and error.about else set()
        joiner = self.rng.choice(_AFTER_CHOICE) if pick else ""
        if pick and sense(tool).action in ("read", "update", "end"):
            pick["means"] = True
        needs = Needs(bound_by(links), missing, must, picked=pick is not None)
        if step.anew:
            needs = replace(needs, must={*needs.must, self._choose_other(tool)})
        request = self._request(tool, call, links, needs, lead=joiner, anew=step.anew)
        parts = [*lead, *([pick] if pick else []), request]
        self._user(parts)
        for parameter in sorted(missing):
            self._assistant([self._ask_part(tool, call, parameter)])
            self._user([acts.give(call, parameter)])
        if "search_tools" in extra:
            self._search(tool)
        self._call([call])
        if error is not None:
            call, gave_up = self._fail(tool, call, error)
            if gave_up:
                return
        else:
            note = (
                [acts.say(self._fresh_line(bank("found_tool")))]
                if "search_tools" in extra and self.rng.random() < 0.5
                else []
            )
            self._assistant([*note, acts.answer(call)])
        self._remember(call)
        if "correction" in extra:
            self._correct(tool, call)

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

    # Parts

    def _lead(self, step: Step) -> list[JSON]:
        """What a user says before a request: what is left to say, else what leads from the last matter to this one."""
        parts, self._pending = list(self._pending), ()
        if parts and "topic_shift" not in step.patterns:
            return parts
        speech = self.brief.domains.get(self.domain)
        openers = [line for line in (speech.openers if speech is not None else ()) if line not in self.spoken]
        turn = "opening" if not self.acts else "shift" if "topic_shift" in step.patterns else self.turn
        return lead_in(turn, openers, self.manner, self.rng, self._fresh_line, after_talk=self.after_talk)

    def _find_turn(self, step: Step, last_domain: str) -> Turn:
        """Say how a request stands to what went before it."""
        if self._undoes(step.tools[-1]):
            return "undoing"
        if step.links:
            return "linked"
        if self.domain == last_domain:
            return "same"
        speech, before = self.brief.domains.get(self.domain), self.brief.domains.get(last_domain)
        near = (speech is not None and last_domain in speech.neighbours) or (
            before is not None and self.domain in before.neighbours
        )
        return "near" if near else "far"

    def _undoes(self, tool: Tool) -> bool:
        """Say whether a tool ends what was made, changed or kept earlier in the dialogue."""
        if sense(tool).action != "end":
            return False
        done = [self.brief.tools[name] for name in self.made]
        ids = [
            {*sense(one).ids, *(path.rsplit(".", 1)[-1] for path in sense(one).produces)}
            for one in done
            if sense(one).action in ("create", "update")
        ]
        return any(names & set(sense(tool).ids) for names in ids)

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
        return self._fresh_line(bank("returns")).replace("{thing}", f"last {thing}" if many else thing)

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

    # Calls

    def _request(
        self,
        tool: Tool,
        call: int,
        links: Sequence[Link] = (),
        needs: Needs | None = None,
        *,
        lead: str = "",
        anew: bool = False,
    ) -> JSON:
        """Give a call its arguments, and return the part in which the user asks for it.

        What is asked `anew` gets another value of what must be said.
        """
        needs = needs or Needs(bound_by(links))
        far = self._list_far(links)
        fed = self._feed(tool, links)
        values = self.facts.draw(tool, fed, {*needs.must, *needs.missing})
        for name in needs.must if anew else ():
            values[name] = self.facts.other(tool, name, values)
        frame, mentioned = choose_frame(tool, values, needs, self.facts.at_hand(), self.rng, self.spoken)
        self.spoken.add(frame)
        said = {n: v for n, v in values.items() if n in mentioned or n in tool.required}
        self.facts.note(said)
        arguments = {**fed, **said}
        order = tool.parameters.get("properties", {})
        arguments = {name: arguments[name] for name in order if name in arguments}
        if any(known["tool"] == tool.name and known["arguments"] == arguments for known in self.calls[:call]):
            raise PlanError(f"{tool.name!r} would be called twice alike")
        if set(tool.required) - set(arguments) - set(needs.missing):
            raise PlanError(f"what {tool.name!r} needs was not returned")
        self.calls[call]["arguments"] = arguments
        part = acts.request(call, frame, mentioned, lead)
        return {**part, **self._point_back(far, picked=needs.picked)} if far else part

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

    def _new_call(self, tool: Tool | None, arguments: JSON, *, counted: bool = True) -> int:
        call: JSON = {
            "tool": tool.name if tool is not None else "search_tools",
            "arguments": arguments,
            "request": self.request,
        }
        if not counted:
            call["never"] = True
        self.calls.append(call)
        return len(self.calls) - 1

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

    def _intent(self, step: Step) -> str:
        if step.tools:
            firsts = [tool.description.split(".")[0].strip() for tool in {t.name: t for t in step.tools}.values()]
            return ", then ".join(first[:1].lower() + first[1:] for first in firsts)
        return {
            "chitchat": "say something by the way",
            "irrelevant": "ask something that is no matter for the tools",
            "missing_function": "ask for something that no tool here can do",
        }.get(step.patterns[0], "talk")


def complications(step: Step) -> list[Pattern]:
    """The patterns of a step beyond its kind."""
    return [p for p in step.patterns if p in ("missing_parameter", "tool_error", "correction", "search_tools")]


def bound_by(links: Sequence[Link]) -> set[str]:
    """The parameters that links feed."""
    return {link.parameter for link in links}


_AT_HAND = 1
"""Requests for which a thing stays at hand in a long dialogue: then something else was spoken of in between."""

_VAGUE = 0.4
"""Share of the searches that begin with few words."""

_APOLOGY = re.compile(
    r"(?:sorry|no\b|actually|wait|oops|on second|hang on|hold on|ah|oh|hm|my mistake|correction)", re.IGNORECASE
)
_AFTER_CHOICE = ("", "", "", "", "", "So", "And", "Then", "Now")
