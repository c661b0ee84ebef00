"""Phrasings for tools that carry none, made by rule from names, descriptions and slots.

A description yields a deed ("get | the price | of a stock"), a parameter a noun with its unit and the ways to mention
it; requests, answers and all the rest are put together from these. Choices depend on the tool's name alone.
"""

from collections import Counter
from dataclasses import replace

from toolflow_graph.agents.scripted.verbalise.answers import make_answers
from toolflow_graph.agents.scripted.verbalise.claims import read_deed
from toolflow_graph.agents.scripted.verbalise.exchange import make_asks, make_changes, make_declines, make_errors
from toolflow_graph.agents.scripted.verbalise.listings import make_items, make_picks
from toolflow_graph.agents.scripted.verbalise.mentions import find_slots, mention
from toolflow_graph.agents.scripted.verbalise.nouns import Noun
from toolflow_graph.agents.scripted.verbalise.requests import Request, make_requests
from toolflow_graph.by_identity import remember_by_identity
from toolflow_graph.types import JSON, Phrasings, Tool

__all__ = ["with_phrasings"]


@remember_by_identity()
def with_phrasings(tool: Tool) -> Tool:
    """Return the tool itself when it has phrasings, else a copy with phrasings made by rule and marked inferred."""
    if tool.phrasings is not None:
        return tool
    return tool.model_copy(update={"phrasings": _verbalise(tool), "inferred": (*tool.inferred, "phrasings")})


def _verbalise(tool: Tool) -> Phrasings:
    request = read_request(tool)
    names = request.sayable()
    nouns = {m.noun.path: m for m in request.needed if m.noun.path in names}
    return Phrasings(
        requests=make_requests(tool, request),
        answers=make_answers(tool, request),
        items=make_items(tool),
        picks=make_picks(tool),
        asks={name: make_asks(tool, nouns[name]) for name in names},
        changes={name: make_changes(tool, nouns[name]) for name in names},
        errors=make_errors(tool, request),
        declines=make_declines(tool, request.deed),
    )


def read_request(tool: Tool) -> Request:
    """Return what a tool does and how its parameters are mentioned."""
    properties: JSON = tool.parameters.get("properties", {})
    slots = _tell_apart(list(find_slots(properties, tool.required)))
    ordered = sorted(slots, key=lambda slot: not slot[2])
    deed = read_deed(tool, [noun for noun, _, _ in ordered])
    needed, extra, silent = [], [], []
    subject = not deed.claimed
    for noun, schema, required in slots:
        root = noun.path.split(".")[0]
        if not _sayable(schema):
            silent += [root] if required else []
            continue
        is_subject = subject and required and noun.kind in ("text", "company")
        made = mention(noun, schema, verb=deed.verb, subject=is_subject)
        subject = subject and not is_subject
        if required or noun.path in deed.claimed:
            needed.append(made)
        elif (
            made.inline
            and "." not in noun.path
            and noun.kind not in ("id", "url", "array")
            and "format" not in noun.path
        ):
            extra.append(made)
    optional = frozenset(noun.path for noun, _, required in slots if not required) & deed.claimed
    return Request(deed, tuple(needed), tuple(extra[:4]), tuple(dict.fromkeys(silent)), optional)


def _tell_apart(slots: list[tuple[Noun, JSON, bool]]) -> list[tuple[Noun, JSON, bool]]:
    """Let every noun be another one: the full form only where no other parameter has it."""
    fulls = Counter(noun.full for noun, _, _ in slots)
    return [(replace(n, full=n.short) if fulls[n.full] > 1 else n, schema, needed) for n, schema, needed in slots]


def _sayable(schema: JSON) -> bool:
    if schema.get("type") == "object":
        return bool(schema.get("properties"))
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, dict):
        return _sayable(items)
    return schema.get("type") != "null"
