"""Facts of a dialogue: short lines of what tools returned and of what was said that may be needed again."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.types import JSON
from toolflow_graph.validation.dialogue import iterate_leaves
from toolflow_graph.values import is_identifier, is_reference
from toolflow_graph.values.reading import read

__all__ = ["Fact", "dialogue_facts", "user_facts", "world_facts"]

_VALUE = 120
_ARGUMENTS = 160
_SPEECH = 240
_FIELDS = 8
_TELLING = 3  # characters; a shorter identifier may be anything

_ITEM = re.compile(r"(.*\])\.(.+)")
_PLACES = re.compile(r"(?:\[\d+\])+$")
_SENTENCE_END = re.compile(r"(?<=[.?!…])\s+")
_NAME = re.compile(r"(?<=[\w,;:–-] )(?!I\b)[A-Z]\w+|\w@\w")
_PROMISE = re.compile(r"\b(?:i|we)(?:['’]ll| will| shall| promise)\b", re.IGNORECASE)
_STATEMENT = re.compile(
    r"\b(?:i|we)(?:['’](?:m|re|ve)| am| are| have| need| want| prefer| never| always| cannot| can['’]t)\b"
    r"|\b(?:my|our)\b[^?]*\b(?:is|are|was|has)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fact:
    """One line, and when it came up: in which turn of the user, or for the tools in which call.

    `thing` is the identifier of the object that the line is about, `mentions` are those of all objects in it.
    """

    turn: int
    text: str
    kind: Literal["said", "returned"]
    thing: str | None = None
    mentions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Answered:
    turn: int
    name: str
    arguments: JSON
    result: Any


def dialogue_facts(messages: Sequence[JSON]) -> list[Fact]:
    """Return the facts of a dialogue in OpenAI form as the assistant may know them, oldest first.

    Of its own words only promises are facts: the values that it tells stand in results.
    """
    turn = 0
    calls: dict[str, JSON] = {}
    answered: dict[int, _Answered] = {}
    facts: dict[int, list[Fact]] = {}
    for place, message in enumerate(messages):
        turn += message["role"] == "user"
        said = message.get("content") or ""
        if message["role"] == "user":
            facts[place] = list(_read_speech("the person", said, turn))
        elif message["role"] == "assistant":
            facts[place] = [fact for fact in _read_speech("you", said, turn) if _PROMISE.search(fact.text)]
            calls.update({call["id"]: call["function"] for call in message.get("tool_calls", ())})
        elif (call := calls.get(message["tool_call_id"])) and call["name"] != SEARCH_TOOLS.name:
            answered[place] = _Answered(turn, call["name"], json.loads(call["arguments"]), _read_result(said))
    facts.update(zip(answered, _read_results(list(answered.values())), strict=True))
    return [fact for place in sorted(facts) for fact in facts[place]]


def user_facts(memory: Sequence[JSON]) -> list[Fact]:
    """Return the facts of the user's own conversation, which alternates what they heard and the turn they drafted."""
    facts: list[Fact] = []
    for place, message in enumerate(memory):
        if message["role"] == "assistant":
            facts += _read_speech("you", json.loads(message["content"])["text"], place // 2 + 1)
        elif place > 0:  # before the first turn there is nothing to hear
            facts += _read_speech("the assistant", message["content"], place // 2)
    return facts


def world_facts(memory: Sequence[JSON]) -> list[Fact]:
    """Return the facts of the tools' own conversation, which alternates calls and answers."""
    answered = []
    for place in range(0, len(memory) - 1, 2):
        asked, _ = json.JSONDecoder().raw_decode(memory[place]["content"])
        answer = json.loads(memory[place + 1]["content"])
        result = {"error": answer["error"]} if answer["failed"] else answer["result"]
        answered.append(_Answered(place // 2 + 1, asked["call"], asked["arguments"], result))
    return [fact for facts in _read_results(answered) for fact in facts]


def _read_result(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # somebody has edited it in Studio
        return text


def _read_speech(speaker: str, text: str, turn: int) -> Iterator[Fact]:
    """Yield what somebody said in pieces of a few sentences, those that hold a value, a name or a promise."""
    for piece in _split_speech(text):
        reading = read(piece, None)
        valued = reading.numbered or reading.dated or reading.timed or reading.lasting
        if valued or any(cue.search(piece) for cue in (_NAME, _PROMISE, _STATEMENT)):
            yield Fact(turn, f"{speaker}: {piece}", "said")


def _split_speech(text: str) -> Iterator[str]:
    piece = ""
    for sentence in _SENTENCE_END.split(" ".join(text.split())):
        if piece and len(piece) + len(sentence) >= _SPEECH:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".lstrip()
    yield piece


def _read_results(answered: Sequence[_Answered]) -> list[list[Fact]]:
    """Return the facts of each result, a line for every object in it, without what a later result has replaced.

    The same call made again replaces what it returned before, but for an object with an identifier: who orders twice
    has two orders. A field of an object is replaced when a later result holds the same object, by its first
    identifier, with another value in that field.
    """
    facts: list[list[Fact]] = []
    repeated: set[str] = set()
    latest: dict[tuple[str, str, str], str] = {}
    for call in reversed(answered):
        objects = _list_objects(call.result)
        signature = json.dumps([call.name, call.arguments], sort_keys=True)
        if signature in repeated:
            objects = {path: fields for path, fields in objects.items() if not path and _find_identifier(fields)}
        if not _failed(call.result):
            repeated.add(signature)
        things = {path: _find_identifier(fields) for path, fields in objects.items()}
        sharing = Counter(things.values())
        lines: list[Fact] = []
        for path, fields in objects.items():
            thing = things[path]
            valid = fields
            if thing is not None and sharing[thing] == 1:  # else it is the id of something that they share
                valid = {name: v for name, v in fields.items() if latest.setdefault((*thing, name), v) == v}
            lines += _write_object(call, path, valid, thing and thing[1])
        facts.append(lines)
    return facts[::-1]


def _list_objects(result: Any) -> dict[str, dict[str, str]]:
    """Return the objects of a result by their paths, each as its plain fields; a list of plain values is one field."""
    objects: dict[str, dict[str, str]] = {}
    for path, leaf in iterate_leaves(result):
        if leaf is None or leaf == "":
            continue
        place = _PLACES.sub("", path)
        owner, name = found.groups() if (found := _ITEM.fullmatch(place)) else ("", place)
        fields = objects.setdefault(owner, {})
        value = _write_value(leaf)
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return objects


def _write_object(call: _Answered, path: str, fields: Mapping[str, str], thing: str | None) -> Iterator[Fact]:
    """Yield an object as a line, or as several that all begin with its first field."""
    given = ((name, _write_value(value)) for name, value in call.arguments.items() if isinstance(value, str | int))
    mentions = frozenset(value for name, value in (*fields.items(), *given) if _is_id(name) and len(value) >= _TELLING)
    parts = [f"{name}: {value}" if name else value for name, value in fields.items()]
    for start in range(1, max(2, len(parts)), _FIELDS) if parts else ():
        words = "; ".join((*parts[:1], *parts[start : start + _FIELDS]))
        yield Fact(call.turn, f"{_write_call(call)} → {path}{path and ': '}{words}", "returned", thing, mentions)


def _write_call(call: _Answered) -> str:
    arguments = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call.arguments.items())
    return f"{call.name}({_shorten(arguments, _ARGUMENTS)})"


def _write_value(leaf: Any) -> str:
    return _shorten(leaf if isinstance(leaf, str) else json.dumps(leaf), _VALUE)


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _find_identifier(fields: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the first identifier among the fields of an object, with its value."""
    return next(((name, value) for name, value in fields.items() if _is_id(name)), None)


def _is_id(name: str) -> bool:
    last = name.rpartition(".")[2]
    return is_identifier(last, {}) or is_reference(last, {})


def _failed(result: Any) -> bool:
    return isinstance(result, dict) and set(result) == {"error"}
