"""The scripted user: says what the agenda holds, in one manner throughout."""

import re

from langchain_core.messages import AIMessage

from toolflow_graph.agents.roles import Scene, UserTurn, derive_rng
from toolflow_graph.agents.scripted.agenda import Agenda
from toolflow_graph.agents.scripted.phrasing import Wording, find_currency, lookup
from toolflow_graph.agents.scripted.speech import bank, value_bank
from toolflow_graph.agents.scripted.text import (
    decapitalise,
    draw_manner,
    finish,
    join_sentences,
    lower_literals,
    tidy,
)
from toolflow_graph.frames import parse_frame
from toolflow_graph.types import JSON
from toolflow_graph.values import kind_of, say

__all__ = ["ScriptedUser"]


class ScriptedUser:
    """Plays the user acts of the agenda; ends the dialogue when none is left."""

    async def speak(self, scene: Scene) -> UserTurn:
        """Return the next user turn."""
        agenda = Agenda(scene)
        act = agenda.due("user")
        if act is None:
            return UserTurn(None, scene.request, scene.position)
        manner = draw_manner(derive_rng(scene.seed, scene.index, "manner"))
        voice = _Voice(scene, agenda, lower=manner.lower)
        words = join_with_leads([(part, voice.say(part), voice.source) for part in act["parts"]])
        return UserTurn(manner.apply(words), int(act["request"]), scene.position + 1)


def join_with_leads(parts: list[tuple[JSON, str, str]]) -> str:
    """Join parts into one turn; what follows on a comma or colon goes on in lower case.

    Each comes with its words and with the frame that they were made from, if there was one.
    """
    sentences: list[str] = []
    for part, spoken, frame in parts:
        words = spoken if _GOES_ON.search(spoken) else finish(spoken)
        if part.get("leads") and not _GOES_ON.search(words):
            sentences.append(words)
        elif sentences and _GOES_ON.search(sentences[-1]):
            sentences[-1] = f"{sentences[-1]} {decapitalise(words, frame)}"
        else:
            sentences.append(words)
    return join_sentences(sentences)


_GOES_ON = re.compile(r"(?:[,:…-]|\b(?:but|and|so|then|because))$")
"""How a line ends that the next one continues."""


class _Voice:
    """Puts one part into words."""

    def __init__(self, scene: Scene, agenda: Agenda, *, lower: bool) -> None:
        self.lower = lower
        self.scene = scene
        self.agenda = agenda
        self.rng = scene.rng("user")
        self.source = ""

    def say(self, part: JSON) -> str:
        """Return the words, in lower case throughout where the user writes so."""
        self.source = ""
        if part["kind"] == "text":
            words = str(part["text"])
            return lower_literals(words, words) if self.lower else words
        words = getattr(self, f"_{part['kind']}")(part)
        return lower_literals(words, self.source) if self.lower else words

    def _request(self, part: JSON) -> str:
        call = int(part["call"])
        wording = self.agenda.wording(call, self.rng)
        arguments = self.agenda.calls[call]["arguments"]
        frame = str(part["frame"])
        self.source = " ".join((frame, *_list_plain(arguments)))
        told = {name for name in part.get("far", ()) if self._was_told(call, name, frame)}
        if told:
            arguments = {**arguments, **{name: self.agenda.arguments(call)[name] for name in told}}
        words = wording.request(frame, arguments, {*part["said"], *told})
        if part.get("back") and not told:
            self.source = f"{part['back']} {self.source}"
            words = join_with_leads([({}, str(part["back"]), ""), ({}, words, self.source)])
        lead = str(part.get("lead", ""))
        if not lead or (lead in _LIGHT and _STARTS_ON.match(words)):
            return words
        if self.source[:1].islower():
            return f"{lead} {words[0].lower()}{words[1:]}"
        first, rest = re.match(r"(\S*)(.*)", words, re.DOTALL).groups()  # type: ignore[union-attr]
        self.source = f"{lead} {self.source}"
        return f"{lead} {lower_literals(first, self.source)}{rest}"

    def _was_told(self, call: int, name: str, frame: str) -> bool:
        """Say whether the assistant has said a value that the frame can name, so that the user may name it too."""
        value = str(self.agenda.arguments(call)[name])
        told = any(value in message.text for message in self.scene.messages if isinstance(message, AIMessage))
        return told and name in parse_frame(frame).paths

    def _pick(self, part: JSON) -> str:
        if part.get("back") and self._is_only_one(int(part["call"])):
            self.source = str(part["back"])
            return self.source
        words = self._pick_item(part)
        if not part.get("back"):
            return words
        self.source = f"{part['back']} {self.source}"
        return join_with_leads([({}, str(part["back"]), ""), ({}, words, self.source)])

    def _is_only_one(self, call: int) -> bool:
        items = [
            v for v in (self.agenda.result(call) or {}).values() if isinstance(v, list) and v and isinstance(v[0], dict)
        ]
        return bool(items) and len(items[0]) == 1

    def _pick_item(self, part: JSON) -> str:
        call = int(part["call"])
        chosen = part.get("choice")
        item = self.agenda.picked(call, chosen)
        result = self.agenda.result(call) or {}
        if item is None:
            return self.rng.choice(bank("picks_by_order", "first"))
        tool = self.agenda.tool(call)
        items = next(v for v in result.values() if isinstance(v, list) and v and isinstance(v[0], dict))
        if len(items) == 1:
            return self.rng.choice(bank("only_one"))
        phrasings = tool.phrasings
        frames = phrasings.picks if phrasings is not None else ()
        place = self.agenda.choice(call, len(items), chosen)
        if frames and (self.rng.random() < 0.75 or part.get("back")):  # nobody remembers an order for long
            words = self._point(self.agenda.wording(call, self.rng), frames, item, items, result, call)
            if words is not None:
                self.source = self.rng.choice(bank("meant") if part.get("means") else bank("picks"))
                return tidy(self.source.replace("{pick}", words))
        if part.get("means"):
            nth = "last" if place == len(items) - 1 else ("first", "second", "third", "fourth")[min(place, 3)]
            self.source = self.rng.choice(bank("meant_nth"))
            return self.source.replace("{nth}", nth)
        if place == 0:
            return self.rng.choice(bank("picks_by_order", "first"))
        if place == len(items) - 1 and len(items) <= 3:
            return self.rng.choice(bank("picks_by_order", "last"))
        if place == 1:
            return self.rng.choice(bank("picks_by_order", "second"))
        return self.rng.choice(bank("third"))

    def _point(
        self, wording: Wording, frames: tuple[str, ...], item: JSON, items: list[JSON], result: JSON, call: int
    ) -> str | None:
        """Name an item by a frame that tells it from the others."""
        arguments = self.agenda.arguments(call)
        for frame in self.rng.sample(list(frames), len(frames)):
            state = self.rng.getstate()
            words = wording.item([frame], item, result, arguments, "user")
            others = []
            for other in items:
                if other != item:
                    self.rng.setstate(state)
                    others.append(wording.item([frame], other, result, arguments, "user"))
            if words and words not in others:
                return words if frame.startswith("{") else decapitalise(words)  # a name keeps its capital
        return None

    def _give(self, part: JSON) -> str:
        call, name = int(part["call"]), str(part["parameter"])
        value = lookup(self.agenda.arguments(call), name)
        tool = self.agenda.tool(call)
        schema = tool.parameters["properties"][name]
        kind = kind_of(name, schema)
        words = self._words(call, name, value, schema)
        if kind == "boolean":
            return self.rng.choice(bank("yes") if value else bank("no"))
        self.source = value_bank(kind, self.rng)
        return tidy(self.source.replace("{value}", words).replace("{name}", name.replace("_", " ")))

    def _change(self, part: JSON) -> str:
        call = int(part["call"])
        wording = self.agenda.wording(call, self.rng)
        self.source = f"{part['frame']} {part['lead']}"
        words = wording.about_call(part["frame"], self.agenda.arguments(call), "user") or ""
        return join_sentences([str(part["lead"]), words]) if part["lead"] else words

    def _again(self, part: JSON) -> str:
        call, name = int(part["call"]), str(part["parameter"])
        schema = self.agenda.tool(call).parameters["properties"][name]
        value = self.agenda.arguments(call)[name]
        words = self._words(call, name, value, schema)
        self.source = str(part["frame"])
        return tidy(self.source.replace("{value}", words))

    def _words(self, call: int, name: str, value: object, schema: JSON) -> str:
        return say(
            value,
            name,
            schema,
            self.rng,
            self.scene.today,
            currency=find_currency(self.agenda.arguments(call)),
            style="user",
            month_first=self.agenda.home.month_first,
        )


def _list_plain(arguments: JSON) -> list[str]:
    """Return the values that have no capital of their own, so that they need none at the start of a sentence."""
    return [value for value in arguments.values() if isinstance(value, str) and value.islower()]


_LIGHT = frozenset(("So", "And", "Then", "Now"))
_STARTS_ON = re.compile(
    r"(?:so|and|then|now|right|ok|okay|oh|well|but|also|plus|if|since|as|because|before|"
    r"i|it|we|he|she|they|there|the|this|that|my|our|a|an|no|not|too|wrong|somebody|someone|something|nobody|everybody|everyone)\b",
    re.IGNORECASE,
)
