"""Request frames: what a person says who wants a tool's work done."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolflow_graph.agents.scripted.verbalise.deeds import Deed, Phrase
from toolflow_graph.agents.scripted.verbalise.mentions import Mention, quoted
from toolflow_graph.agents.scripted.verbalise.moods import BRISK, DEEDS, FINDS, REASONS, SEARCHES, TERSE, THINGS
from toolflow_graph.agents.scripted.verbalise.morphology import gerund, is_plural, singular, with_article
from toolflow_graph.agents.scripted.verbalise.nouns import Noun
from toolflow_graph.agents.scripted.verbalise.weaving import is_free_text
from toolflow_graph.types import Tool

__all__ = ["Request", "make_requests"]

ASKING = frozenset(
    "get find calculate estimate determine show list identify predict forecast evaluate compute derive measure".split()
) | {"look up", "work out"}
TELLING = frozenset(
    "check verify convert translate search compare summarise summarize solve analyse test scan track count find tell "
    "recommend suggest rank classify detect simulate query read list show look assess validate sort multiply divide "
    "subtract sum resolve decode decrypt encrypt extract review suggest inspect parse perform do run "
    "generate describe explain".split()
)
_NAMED = frozenset({"text", "person", "company", "city", "place", "country", "url"})
_LOOKING = frozenset({"find", "list", "show"})
_MAKING = frozenset("create add make open build register save design generate".split()) | {"set up"}


@dataclass(frozen=True)
class Request:
    """A deed with the mentions of its parameters; `silent` are required ones that nobody could say.

    `optional` names those of the needed ones that stand in the deed itself but need not be said.
    """

    deed: Deed
    needed: tuple[Mention, ...]
    extra: tuple[Mention, ...]
    silent: tuple[str, ...]
    optional: frozenset[str] = frozenset()

    def sayable(self) -> list[str]:
        """Return the paths of the required parameters that a user may leave out."""
        return [m.noun.path for m in self.needed if self._can_ask(m)]

    def _can_ask(self, mention: Mention) -> bool:
        path = mention.noun.path
        return not mention.flag and "." not in path and mention.noun.kind != "object" and path not in self.optional


def make_requests(tool: Tool, request: Request) -> tuple[str, ...]:
    """Return the request frames of a tool in moods of its own; each parameter is left out or pointed at in some."""
    rng = random.Random(tool.name)
    templates = _choose(request.deed, rng)
    names = request.sayable()
    plain: list[tuple[str | None, str | None]] = [(None, None)]
    modes = plain + [(n, None) for n in names] + [(None, n) for n in names]
    if len(names) > 1:
        modes += [(a, b) for a, b in zip(names, [*names[1:], names[0]], strict=True)] + plain
    modes += [(n, None) for n in names]
    wanted = max(len(templates), min(len(modes), 30))
    frames: dict[str, None] = {}
    for number in range(wanted):
        template = templates[number % len(templates)]
        if ("<be>" in template or "<t> be" in template) and len(request.needed) > 1:
            template = THINGS[(number + len(tool.name)) % 9]
        left_out, pointed = modes[number % len(modes)]
        extra = request.extra[number % len(request.extra)] if request.extra and number % 3 != 1 else None
        frames[_Build(request, left_out, pointed, extra, number).frame(template)] = None
    for number, template in enumerate(rng.sample(DEEDS, 4 if len(names) > 2 else 2)):
        frames[_Build(request, None, None, None, number).spread(template)] = None
    return tuple(frames)


def _choose(deed: Deed, rng: random.Random) -> list[str]:
    verb = deed.verb.split()[0]
    group = "compute" if verb in ("calculate", "estimate", "convert", "solve", "multiply", "sort") else "read"
    if deed.verb not in ASKING and (verb not in TELLING or verb in _MAKING):
        group = "act"
    chosen = rng.sample(DEEDS, 7) + rng.sample(REASONS[group], 3)
    if _is_thing(deed):
        head = deed.phrases[0].words
        looking = deed.verb in _LOOKING and not re.match(r"the |my ", head)
        if looking:
            chosen = chosen[:4] + chosen[7:9] + rng.sample(FINDS, 6)
            chosen += rng.sample(SEARCHES, 3) if is_plural(head) and not head.startswith(("all ", "any ")) else []
        elif head.startswith(("a ", "an ")) or deed.phrases[0].nouns:
            chosen = chosen[:6] + chosen[7:9] + rng.sample(FINDS, 4)
        else:
            chosen = chosen[:4] + chosen[7:9] + rng.sample(THINGS, 8)
    chosen += rng.sample(TERSE if _is_thing(deed) else BRISK, 3)
    rng.shuffle(chosen)
    return chosen


def _is_thing(deed: Deed) -> bool:
    first = deed.phrases[0]
    return (
        deed.verb in ASKING
        and not first.preposition
        and not re.match(r"(?:if|whether|how|who|what|which|when|where)\b", first.words)
    )


@dataclass(frozen=True)
class _Build:
    """One frame in the making: which parameter may be left out or pointed at, which optional one is offered."""

    request: Request
    left_out: str | None
    pointed: str | None
    extra: Mention | None
    number: int

    def frame(self, template: str) -> str:
        body, after = self._body()
        return self._finish(template, body, after)

    def spread(self, template: str) -> str:
        """Say the deed without values, then every value in a sentence that can be dropped."""
        deed, needed = self.request.deed, self.request.needed
        if len(needed) == 1 and needed[0].noun.path in deed.claimed and needed[0].noun.kind in _NAMED:
            opening = ("it's", "I mean", "that's", "namely")[self.number % 4]
            after = f"[ {_sentence(f'{opening} {quoted(needed[0].noun)}')}]"
        else:
            after = "".join(m.clause if m.flag else f"[ {_sentence(m.clause)}]" for m in needed if m.clause)
        kept = [p for p in deed.phrases if not p.nouns or p.preposition in ("", "of", "about")]
        whole = " ".join(self._phrase(p, plain=True) for p in kept)
        return self._finish(template, [whole, ""], after)

    def _finish(self, template: str, body: Sequence[str], after: str) -> str:
        deed = self.request.deed
        thing, inline = body
        first = deed.phrases[0]
        whole = f"{deed.verb} {thing}{inline}"
        doing = f"{gerund(deed.verb)} {thing}{inline}"
        noun = first.words if not first.preposition else ""
        many = is_plural(noun)
        definite = thing if re.match(r"(?:the|my|all|this|\[|\{|\") ?", thing) or first.nouns else f"the {thing}"
        bare = re.sub(r"^(?:the|an?|my) ", "", thing)
        text = (
            template.replace("<what>", "what are" if many else "what's")
            .replace("<w>", "what")
            .replace("<be>", "are" if many else "is")
        )
        if "<what>" in template or "<be>" in template:
            thing = definite
        asked = re.sub(r"^all ", "", thing)
        for mark, words in (
            ("<d>", whole),
            ("<g>", doing),
            ("<t>", f"{asked if 'any <t>' in template or '<t> are' in template else thing}{inline}"),
            ("<b>", f"{bare}{inline}"),
        ):
            text = text.replace(mark, words)
        silent = "".join(f"[{path}?]" for path in self.request.silent)
        return f"{text}{after}{silent}"

    # Phrases of the deed

    def _phrase(self, phrase: Phrase, *, plain: bool = False) -> str:
        lead = f"{phrase.preposition} " if phrase.preposition else ""
        if not phrase.nouns or plain:
            return f"{lead}{phrase.words}"
        if len(phrase.nouns) == 2:
            a, b = phrase.nouns
            return f"{lead}{a.slot} and {b.slot}"
        noun = phrase.nouns[0]
        value = self._value(phrase, noun)
        thing = _bare(phrase.words)
        if phrase.owned:
            return (
                f"{lead}[{{{noun.path}}}'s|that {_owner_word(phrase)}'s] {phrase.owned}"
                if noun.path == self.pointed
                else f"{lead}{{{noun.path}}}'s {phrase.owned}"
            )
        if value.startswith(phrase.words):
            rest = value[len(phrase.words) :]
            return f"{lead}{phrase.words}[{rest}]" if noun.path == self.left_out else f"{lead}{value}"
        if noun.path == self.pointed:
            pronoun = "there" if noun.kind in ("city", "country") and phrase.preposition in ("in", "for", "at") else ""
            away = pronoun or f"{lead}{'those' if is_plural(thing) else 'that'} {thing}"
            return f"[{lead}{value}|{away}]"
        return f"{lead}{value}"

    def _value(self, phrase: Phrase, noun: Noun) -> str:
        thing = _bare(phrase.words)
        if not phrase.preposition and self.request.deed.verb in _MAKING and noun.kind in ("text", "person"):
            return f'{phrase.words} called "{noun.slot}"'
        if noun.kind == "id" and not re.search(r"symbol|ticker", noun.path.lower()):
            return f"{thing} {noun.slot}"
        if noun.kind in ("number", "measure", "percent", "money") and (
            not phrase.preposition or "year" in noun.core or thing in ("number", "integer", "value")
        ):
            return noun.slot
        if noun.kind in ("number", "measure", "percent", "money"):
            return f"{with_article(noun.short)} of {noun.slot}" if len(noun.path) > 1 else f"{noun.path} = {noun.slot}"
        if noun.kind == "array" and not phrase.preposition:
            return f"the {thing} {noun.slot}"
        if noun.kind == "count":
            return f"{{{noun.path}:{singular(noun.short.split()[-1])}}}"
        if is_free_text(noun):
            return (
                f"the {thing} {quoted(noun)}"
                if thing in ("text", "sentence", "paragraph", "message", "query", "question", "content")
                else quoted(noun)
            )
        return noun.slot

    # The whole

    def _body(self) -> tuple[list[str], str]:
        """Return the thing with its phrases and what is woven in after it; and the sentences that follow."""
        deed = self.request.deed
        said: list[str] = []
        later: list[Mention] = []
        by_path = {m.noun.path: m for m in self.request.needed}
        for phrase in deed.phrases:
            paths = [n.path for n in phrase.nouns]
            dropped = self.left_out in paths or not self.request.optional.isdisjoint(paths)
            if dropped and (len(paths) == 2 or phrase.owned or (not phrase.preposition and not self._named(phrase))):
                said.append(self._phrase(phrase, plain=True))
                later += [by_path[p] for p in paths if p in by_path and p not in self.request.optional]
            elif dropped and phrase.preposition:
                said.append(f"[ {self._phrase(phrase)}]")
            else:
                said.append(self._phrase(phrase))
        thing = "".join(part if part.startswith("[ ") else f" {part}" for part in said).strip()
        rest = [m for m in self.request.needed if m.noun.path not in deed.claimed]
        inline, more = self._weave(rest)
        clauses = [m for m in [*later, *more] if m.clause]
        return [thing, inline], self._sentences(clauses)

    def _named(self, phrase: Phrase) -> bool:
        return self._value(phrase, phrase.nouns[0]).startswith(phrase.words)

    def _weave(self, rest: Sequence[Mention]) -> tuple[str, list[Mention]]:
        """Return what follows the deed, and the mentions that are left for sentences of their own."""
        woven = [m for m in rest if m.inline]
        items = [m for m in rest if m.item and not m.inline and "." not in m.noun.path]
        later = [m for m in rest if not m.inline and m not in items]
        if len(woven) + len(items) > 4:
            later = items + later
            items = []
            if len(woven) > 3:
                later, woven = [*woven[3:], *later], woven[:3]
        if self.extra is not None and self.extra.inline and self.extra.noun.path not in {m.noun.path for m in rest}:
            woven = [*woven, self.extra]
        parts: list[tuple[int, str]] = []
        for m in woven:
            if m.flag:
                parts.append((m.rank, m.inline))
            elif m is self.extra or m.noun.path == self.left_out or "." in m.noun.path:
                parts.append((m.rank, f"[ {m.inline}]"))
            elif m.noun.path == self.pointed:
                parts.append((m.rank, f"[ {m.inline}| {m.pointing}]"))
            else:
                parts.append((m.rank, f" {m.inline}"))
        later += [m for m in items if m.noun.path == self.left_out and len(items) > 2]
        items = [m for m in items if m not in later]
        if items:
            parts.append((5, self._with(items)))
        return "".join(text for _, text in sorted(parts, key=lambda part: part[0])), later

    def _with(self, items: Sequence[Mention]) -> str:
        optional = [m for m in items if m.noun.path == self.left_out]
        fixed = [m for m in items if m not in optional]
        words = [
            f"[{m.item}|{m.pointing.removeprefix('with ')}]" if m.noun.path == self.pointed else m.item for m in fixed
        ]
        if not words:
            return f"[ with {optional[0].item}]"
        if optional:
            return f" with {words[0]}[ and {optional[0].item}]"
        return f" with {_join(words)}"

    def _sentences(self, mentions: Sequence[Mention]) -> str:
        flags = "".join(m.clause for m in mentions if m.flag)
        own = [m for m in mentions if not m.flag]
        optional = [m for m in own if m.noun.path == self.left_out]
        pointed = [m for m in own if m.noun.path == self.pointed]
        nested = [m for m in own if "." in m.noun.path]
        fixed = [m for m in own if m not in optional and m not in pointed and m not in nested]
        text = ""
        for start in range(0, len(fixed), 3):
            text += f" {_sentence(_join([m.clause for m in fixed[start : start + 3]]))}"
        text += "".join(f"[ {_sentence(m.clause)}]" for m in [*nested, *optional])
        for m in pointed:
            subject = re.split(r" (?:is|are) ", m.clause, maxsplit=1)[0]
            verb = "are" if " are " in m.clause else "is"
            text += f"[ {_sentence(m.clause)}| {_sentence(f'{subject} {verb} the same as before')}]"
        return text + flags


def _owner_word(phrase: Phrase) -> str:
    match = re.match(r"(?:an?|the) ([\w ]+)'s", phrase.words)
    return match[1] if match else "one"


def _bare(words: str) -> str:
    return re.sub(r"^(?:the|an?|any|each|these|this|another|all|one|these) ", "", words)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def _join(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
