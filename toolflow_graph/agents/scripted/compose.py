"""Turns the steps of a skeleton into calls with values and into the acts that user and assistant play."""

from collections.abc import Sequence
from dataclasses import replace

from toolflow_graph.agents.scripted import acts
from toolflow_graph.agents.scripted.arrange import Step, alike
from toolflow_graph.agents.scripted.complications import Complications, bound_by
from toolflow_graph.agents.scripted.facts import Facts
from toolflow_graph.agents.scripted.leads import Turn, lead_aside, lead_in, lead_on
from toolflow_graph.agents.scripted.request_frames import Needs, choose_frame, standalone_frames
from toolflow_graph.agents.scripted.sense import Link, sense, words_of
from toolflow_graph.agents.scripted.speech import bank, pairs
from toolflow_graph.errors import PlanError
from toolflow_graph.types import JSON, Pattern, PlannedRequest, Tool

__all__ = ["Composer"]


class Composer(Complications):
    """Writes the draft of one dialogue, step by step; values that were said are kept for later requests."""

    def add(self, step: Step) -> PlannedRequest:
        """Compose one step and return it as a planned request."""
        self.request += 1
        self.facts.request = self.request
        first_call = len(self.calls)
        if step.tools:
            last_domain, self.domain = self.domain, step.tools[0].domain
            self.turn = self._find_turn(step, last_domain)
        else:
            self.turn = "same"  # what no tool serves is of the field that is spoken of
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
        kept = self.keep()
        try:
            return self.add(step)
        except PlanError:
            self.restore(kept)
            return None

    def forget(self) -> None:
        """Let the next request have values of its own, whatever was said before."""
        self.facts = Facts(self.home, self.rng, long=self.long)

    def close(self) -> None:
        """End the dialogue, now and then with a word of thanks; nobody is delighted at having been told no."""
        if self.acts and {"decline", "error"} & {part["kind"] for part in self.acts[-1].get("parts", ())}:
            return
        if self.rng.random() < 0.15 + 0.4 * self.manner.chatty:
            speech = self.brief.domains.get(self.domain)
            own = list(speech.closings) if speech is not None else []
            user, assistant = self._fresh(own if own and self.rng.random() < 0.75 else pairs("thanks"))
            self._user([acts.say(user)])
            self._assistant([acts.say(assistant)])

    def manner_words(self) -> str:
        """Describe how the user writes."""
        if self.manner.lower:
            return "types quickly, all in lower case"
        if self.manner.chatty > 0.5:
            return "likes to explain and to chat"
        return "to the point" if self.manner.chatty < 0.4 else "friendly and plain"

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

    # Parts of a request

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
        if step.links:
            return "undoing" if len(step.tools) == 1 and self._undoes(step.tools[0]) else "linked"
        if self.domain == last_domain:
            return "same"
        speech, before = self.brief.domains.get(self.domain), self.brief.domains.get(last_domain)
        near = (speech is not None and last_domain in speech.neighbours) or (
            before is not None and self.domain in before.neighbours
        )
        return "near" if near else "far"

    def _undoes(self, tool: Tool) -> bool:
        """Say whether a tool takes back what was made, changed or kept earlier in the dialogue."""
        if words_of(tool.name)[0] not in _UNDO:
            return False
        done = [self.brief.tools[name] for name in self.made]
        ids = [
            {*sense(one).ids, *(path.rsplit(".", 1)[-1] for path in sense(one).produces)}
            for one in done
            if sense(one).action in ("create", "update")
        ]
        return any(names & set(sense(tool).ids) for names in ids)

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
        for name in sorted(needs.must) if anew else ():
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


_UNDO = frozenset("cancel delete remove revoke undo withdraw discard dismiss drop".split())
"""Verbs of tools by which somebody takes back what is new; to merge or to close is progress."""

_AFTER_CHOICE = ("", "", "", "", "", "So", "And", "Then", "Now")
