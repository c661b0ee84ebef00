"""The scripted user: says what the agenda holds, in one manner throughout."""

from toolflow_graph.agents.roles import Scene, UserTurn, derive_rng
from toolflow_graph.agents.scripted.agenda import Agenda
from toolflow_graph.agents.scripted.phrasing import Wording, find_currency, lookup
from toolflow_graph.agents.scripted.speech import bank, value_bank
from toolflow_graph.agents.scripted.text import decapitalise, draw_manner, finish, join_sentences, tidy
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
        voice = _Voice(scene, agenda)
        words = join_with_leads([(part, voice.say(part)) for part in act["parts"]])
        manner = draw_manner(derive_rng(scene.seed, scene.index, "manner"))
        return UserTurn(manner.apply(words), int(act["request"]), scene.position + 1)


def join_with_leads(parts: list[tuple[JSON, str]]) -> str:
    """Join parts into one turn; what follows on a comma or colon goes on in lower case."""
    sentences: list[str] = []
    for part, spoken in parts:
        words = spoken if spoken.endswith((",", ":", "…", "-")) else finish(spoken)
        if part.get("leads") and not words.endswith((",", ":", "…", "-")):
            sentences.append(words)
        elif sentences and sentences[-1].endswith((",", ":", "…")):
            sentences[-1] = f"{sentences[-1]} {decapitalise(words)}"
        else:
            sentences.append(words)
    return join_sentences(sentences)


class _Voice:
    """Puts one part into words."""

    def __init__(self, scene: Scene, agenda: Agenda) -> None:
        self.scene = scene
        self.agenda = agenda
        self.rng = scene.rng("user")

    def say(self, part: JSON) -> str:
        if part["kind"] == "text":
            return str(part["text"])
        words: str = getattr(self, f"_{part['kind']}")(part)
        return words

    def _request(self, part: JSON) -> str:
        call = int(part["call"])
        wording = self.agenda.wording(call, self.rng)
        words = wording.request(part["frame"], self.agenda.calls[call]["arguments"], set(part["said"]))
        lead = part.get("lead")
        return f"{lead} {decapitalise(words)}" if lead else words

    def _pick(self, part: JSON) -> str:
        call = int(part["call"])
        item = self.agenda.picked(call)
        result = self.agenda.result(call) or {}
        if item is None:
            return self.rng.choice(bank("picks_by_order", "first"))
        tool = self.agenda.tool(call)
        items = next(v for v in result.values() if isinstance(v, list) and v and isinstance(v[0], dict))
        if len(items) == 1:
            return self.rng.choice(_ONLY_ONE)
        phrasings = tool.phrasings
        frames = phrasings.picks if phrasings is not None else ()
        place = self.agenda.choice(call, len(items))
        if frames and self.rng.random() < 0.75:
            words = self._point(self.agenda.wording(call, self.rng), frames, item, items, result, call)
            if words is not None:
                return tidy(self.rng.choice(_PICKS).replace("{pick}", words))
        if place == 0:
            return self.rng.choice(bank("picks_by_order", "first"))
        if place == len(items) - 1 and len(items) <= 3:
            return self.rng.choice(bank("picks_by_order", "last"))
        if place == 1:
            return self.rng.choice(bank("picks_by_order", "second"))
        return self.rng.choice(_THIRD)

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
                if other is not item:
                    self.rng.setstate(state)
                    others.append(wording.item([frame], other, result, arguments, "user"))
            if words and words not in others:
                return decapitalise(words)
        return None

    def _give(self, part: JSON) -> str:
        call, name = int(part["call"]), str(part["parameter"])
        value = lookup(self.agenda.arguments(call), name)
        tool = self.agenda.tool(call)
        schema = tool.parameters["properties"][name]
        kind = kind_of(name, schema)
        words = self._words(call, name, value, schema)
        if kind == "boolean":
            return self.rng.choice(_YES if value else _NO)
        return tidy(value_bank(kind, self.rng).replace("{value}", words).replace("{name}", name.replace("_", " ")))

    def _change(self, part: JSON) -> str:
        call = int(part["call"])
        wording = self.agenda.wording(call, self.rng)
        words = wording.about_call(part["frame"], self.agenda.arguments(call), "user") or ""
        return join_sentences([str(part["lead"]), words]) if part["lead"] else words

    def _again(self, part: JSON) -> str:
        call, name = int(part["call"]), str(part["parameter"])
        schema = self.agenda.tool(call).parameters["properties"][name]
        value = self.agenda.arguments(call)[name]
        words = self._words(call, name, value, schema)
        return tidy(str(part["frame"]).replace("{value}", words))

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


_ONLY_ONE = (
    "That one's fine.",
    "That'll do.",
    "Good, let's use that one.",
    "OK, that's the one.",
    "That works.",
    "Yes, that's it.",
    "Right, that's the one I mean.",
    "Fine by me.",
    "Great, I'll go with that.",
    "Then that one it is.",
)
_THIRD = (
    "The third one.",
    "Number three, please.",
    "I'd take the third.",
    "Let's do the third one.",
    "Third one sounds right.",
    "The third on that list.",
    "I'm leaning towards the third.",
    "Go for number three.",
)
_PICKS = (
    "{pick}, please.",
    "{pick} then.",
    "Let's go with {pick}.",
    "I'll take {pick}.",
    "I'd go for {pick}.",
    "{pick} sounds right.",
    "{pick} it is.",
    "I like the look of {pick}.",
    "{pick} is the one I want.",
    "OK, {pick}.",
    "Hm, {pick} I think.",
    "Then {pick}, please.",
    "Definitely {pick}.",
    "{pick} will do.",
    "I think {pick} suits me best.",
    "Good, {pick} then.",
    "I was thinking of {pick}.",
    "It's {pick} I'm after.",
    "{pick}, I'd say.",
    "Right, {pick}.",
    "We'd want {pick}.",
    "{pick} looks best to me.",
    "Probably {pick}.",
    "Ah, {pick}, that's the one.",
    "So {pick}.",
    "My pick is {pick}.",
    "Can't go wrong with {pick}.",
    "Of those, {pick}.",
    "{pick} would be good.",
    "Mm, {pick} for me.",
)
_YES = (
    "Yes, please.",
    "Yes.",
    "Please do, yes.",
    "Yes, that would be good.",
    "Yep.",
    "Yes, I'd like that.",
    "I would, yes.",
    "Right, yes.",
)
_NO = (
    "No, no need.",
    "No, thanks.",
    "Not this time.",
    "No, leave that.",
    "Nope.",
    "I'd rather not.",
    "No, it's fine without.",
    "Rather no.",
)
