"""What makes a dialogue right, written again from the words of the issue, on dialogues of the whole state machine.

Nothing here knows the package's own checks: a rule reads OpenAI-format messages, the plan and the tools, and yields
what is wrong.
"""

import asyncio
import copy
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import pytest
from jsonschema import Draft202012Validator

from toolflow_graph.agents.openai_format import label_turns, to_openai_messages
from toolflow_graph.agents.scripted import acts
from toolflow_graph.agents.scripted.speech import bank
from toolflow_graph.agents.search_tools import SEARCH_TOOLS
from toolflow_graph.dialogue.graph import build_graph, step_limit
from toolflow_graph.dialogue.stage import load_stage
from toolflow_graph.frames import Option, Slot, parse_frame
from toolflow_graph.settings import DialogueSettings, assign_patterns
from toolflow_graph.types import PATTERNS, DialoguePlan
from toolflow_graph.values import is_identifier, is_reference, supports

MIXED = 240
EXTRA = (
    ("single", "topic_shift"),
    ("sequential", "topic_shift"),
    ("parallel", "topic_shift", "chitchat"),
    ("correction",),
    ("tool_error",),
    ("missing_parameter",),
    ("search_tools",),
    ("parallel", "correction", "tool_error"),
    ("sequential", "search_tools", "correction", "chitchat"),
)
"""Kinds of dialogue that the default mix lacks; each is played `REPEATS` times."""

REPEATS = 8
SILENT = {"missing_function", "irrelevant", "chitchat"}
SEARCH = SEARCH_TOOLS.name


@dataclass
class Played:
    """One dialogue, and what it is judged by."""

    index: int
    due: tuple
    plan: DialoguePlan
    messages: list
    request_of: dict
    offered: set
    tools: dict
    domains: dict

    def segment(self, request):
        """The positions of a request's messages."""
        return [place for place, number in sorted(self.request_of.items()) if number == request]

    def requests(self, *patterns):
        """The numbers of the requests that have any of the patterns."""
        return [n for n, request in enumerate(self.plan.requests) if set(request.patterns) & set(patterns)]

    def calls(self, places=None):
        """Every call as (position, id, name, arguments), of some positions or of all."""
        for place in range(len(self.messages)) if places is None else places:
            for call in self.messages[place].get("tool_calls", ()):
                function = call["function"]
                yield place, call["id"], function["name"], json.loads(function["arguments"])

    def results(self, places=None):
        """Every result as (position, id, name, content)."""
        for place in range(len(self.messages)) if places is None else places:
            message = self.messages[place]
            if message["role"] == "tool":
                yield place, message["tool_call_id"], message["name"], json.loads(message["content"])

    def failed(self):
        """The ids of the calls that came back with an error."""
        return {identity for _, identity, _, content in self.results() if set(content) == {"error"}}

    def said(self, role, places=None):
        """Every text of a role as (position, text)."""
        for place in range(len(self.messages)) if places is None else places:
            message = self.messages[place]
            if message["role"] == role and message["content"]:
                yield place, message["content"]

    @property
    def today(self):
        """The day of the dialogue."""
        return datetime.fromisoformat(self.plan.scenario.now).date()

    def mouths(self, text, value, name, tool):
        """Whether a text has the value."""
        return supports(text, value, self.today, name, self.tools[tool].parameters["properties"][name])


def take_down(index, due, out, stage):
    """Return a played dialogue from the final state of the machine."""
    plan = DialoguePlan.model_validate(out["plan"])
    labels = label_turns(out["messages"], plan)
    return Played(
        index=index,
        due=tuple(due),
        plan=plan,
        messages=to_openai_messages(out["messages"]),
        request_of={label.message: label.request for label in labels},
        offered=set(out["offered"]),
        tools=dict(stage.tools),
        domains=dict(stage.catalog.domains),
    )


@pytest.fixture(scope="session")
def played(bundled_graph):
    """A few hundred dialogues of the bundled catalog, every pattern among them."""
    assert len(bundled_graph) > 0
    settings = DialogueSettings(seed=11)
    due = assign_patterns(settings.mix, MIXED, settings.seed) + list(EXTRA) * REPEATS
    machine = build_graph().compile()
    stage = load_stage(settings)

    async def play(index, patterns):
        start = {"index": index, "patterns": list(patterns)}
        out = await machine.ainvoke(start, context=settings, config={"recursion_limit": step_limit(settings)})
        assert out.get("messages"), (index, patterns, out["findings"])
        return take_down(index, patterns, out, stage)

    async def play_all():
        return [await play(index, patterns) for index, patterns in enumerate(due)]

    return asyncio.run(play_all())


def leaves(data):
    """Every scalar inside a value."""
    if isinstance(data, dict):
        for part in data.values():
            yield from leaves(part)
    elif isinstance(data, list):
        for part in data:
            yield from leaves(part)
    else:
        yield data


def identifiers(data, schema):
    """Every value that only a system hands out, by the schema it stands under."""
    for name, value in data.items():
        part = schema.get("properties", {}).get(name, {})
        for item in value if isinstance(value, list) else [value]:
            inner = part.get("items", part) if isinstance(value, list) else part
            if isinstance(item, dict):
                yield from identifiers(item, inner)
            elif isinstance(item, str) and is_identifier(name, part):
                yield item


# The rules. Each yields what is wrong with one dialogue.


def ids_link_each_call_to_one_result(played):
    calls = [identity for _, identity, _, _ in played.calls()]
    results = [identity for _, identity, _, _ in played.results()]
    if len(set(calls)) != len(calls):
        yield f"a call id stands twice: {calls}"
    if calls != results:
        yield f"calls {calls} but results {results}"
    for place, message in enumerate(played.messages):
        wanted = [call["id"] for call in message.get("tool_calls", ())]
        given = [m.get("tool_call_id") for m in played.messages[place + 1 : place + 1 + len(wanted)]]
        if wanted != given:
            yield f"message {place} calls {wanted}, followed by {given}"
    names = {identity: name for _, identity, name, _ in played.calls()}
    yield from (f"{i}: result of {name}" for _, i, name, _ in played.results() if names.get(i) != name)


def roles_alternate(played):
    after = {
        "system": {"user"},
        "user": {"assistant"},
        "tool": {"tool", "assistant"},
        "assistant": {"user"},
        "calling": {"tool"},
    }
    roles = ["calling" if m.get("tool_calls") else m["role"] for m in played.messages]
    if roles[0] != "system":
        yield f"begins with {roles[0]}"
    for place, (role, following) in enumerate(pairwise(roles), 1):
        if following.replace("calling", "assistant") not in after[role]:
            yield f"{following} after {role} at {place}"


def ends_with_the_assistant(played):
    last = played.messages[-1]
    if last["role"] != "assistant" or last.get("tool_calls") or not last["content"]:
        yield f"ends with {last}"


def every_request_in_order(played):
    order = [number for _, number in sorted(played.request_of.items())]
    if order != sorted(order):
        yield f"requests in the order {order}"
    if set(order) != set(range(len(played.plan.requests))):
        yield f"{len(played.plan.requests)} requests planned, {sorted(set(order))} played"
    for number, request in enumerate(played.plan.requests):
        segment = played.segment(number)
        called = list(dict.fromkeys(name for _, _, name, _ in played.calls(segment) if name != SEARCH))
        if called != list(request.tools):
            yield f"request {number} plans {request.tools}, calls {called}"
        if not any(True for _ in played.said("user", segment)):
            yield f"nobody makes request {number}"


def patterns_are_those_due(played):
    declared = {pattern for request in played.plan.requests for pattern in request.patterns}
    if declared != set(played.due):
        yield f"due {sorted(played.due)}, planned {sorted(declared)}"


def nothing_undeclared(played):
    for number, request in enumerate(played.plan.requests):
        patterns, segment = set(request.patterns), played.segment(number)
        if "parallel" not in patterns and any(len(played.messages[p].get("tool_calls", ())) > 1 for p in segment):
            yield f"request {number} {request.patterns} has calls in parallel"
        if "tool_error" not in patterns and {i for _, i, _, _ in played.calls(segment)} & played.failed():
            yield f"request {number} {request.patterns} has a tool that fails"
        if "search_tools" not in patterns and any(name == SEARCH for _, _, name, _ in played.calls(segment)):
            yield f"request {number} {request.patterns} searches for tools"
        names = [name for _, _, name, _ in played.calls(segment)]
        once = [name for name in names if name != SEARCH]  # a search that was too vague is made again
        if not patterns & {"parallel", "tool_error", "correction"} and len(set(once)) < len(once):
            yield f"request {number} {request.patterns} calls twice: {names}"
        turns = [p for p, _ in played.said("user", segment)]
        calls = [p for p, _, _, _ in played.calls(segment)]
        plain = patterns <= {"single", "parallel", "search_tools", "topic_shift"}
        if plain and calls and sum(turn < calls[0] for turn in turns) != 1:
            yield f"request {number} {request.patterns} asks before it calls"
        if not patterns & {"sequential"} and not patterns & SILENT:
            fed = [value for call in played.calls(segment) for value in taken_from_results(played, call)]
            if fed and not patterns & {"correction", "tool_error"}:
                yield f"request {number} {request.patterns} uses {fed} of an earlier result"


def taken_from_results(played, call, places=None):
    """Arguments with ids that an earlier result has and no user's text, nor an earlier call."""
    before, _, name, arguments = call
    if name == SEARCH:
        return []
    properties = played.tools[name].parameters["properties"]
    shown = {str(v) for p, _, n, c in played.results(places) if p < before and n != SEARCH for v in leaves(c)}
    known = {str(v) for p, _, _, a in played.calls() if p < before for v in leaves(a)}
    words = " ".join(text for p, text in played.said("user") if p < before)
    return [
        value
        for parameter, given in arguments.items()
        if is_identifier(parameter, properties[parameter]) or is_reference(parameter, properties[parameter])
        for value in leaves(given)
        if str(value) in shown and str(value) not in known and str(value) not in words
    ]


def parallel_calls_stand_in_one_message(played):
    for number in played.requests("parallel"):
        together = [p for p in played.segment(number) if len(played.messages[p].get("tool_calls", ())) > 1]
        if len(together) != 1:
            yield f"request {number} has {len(together)} messages with several calls"
            continue
        calls = list(played.calls(together))
        if len({identity for _, identity, _, _ in calls}) != len(calls):
            yield f"request {number} repeats an id"
        if len({(name, json.dumps(arguments, sort_keys=True)) for _, _, name, arguments in calls}) != len(calls):
            yield f"request {number} makes the same call twice at once"


def parallel_results_agree(played):
    """A result does not belie what a call beside it has set for the same thing."""
    for number in played.requests("parallel"):
        segment = played.segment(number)
        calls = {identity: arguments for _, identity, _, arguments in played.calls(segment)}
        for one, arguments in calls.items():
            for _, other, name, content in played.results(segment):
                same = [k for k, v in arguments.items() if isinstance(v, str) and calls[other].get(k) == v]
                if one == other or not same or arguments.keys() <= calls[other].keys():
                    continue
                told = {k for k in arguments if k in content and k not in calls[other]}
                yield from (f"request {number}: {name} {k}" for k in told if content[k] != arguments[k])


def sequential_calls_use_results(played):
    for number in played.requests("sequential"):
        segment = played.segment(number)
        several = len(played.plan.requests[number].tools) > 1
        calls = [call for call in played.calls(segment) if call[2] != SEARCH]
        first = [call for call in calls if call[2] == played.plan.requests[number].tools[0]]
        later = calls[len(first) :] if several else calls
        source = segment if several else None
        if not any(uses_result(played, call, source) for call in later):
            yield f"request {number}: {later} use nothing of an earlier result"


def uses_result(played, call, places):
    """Whether an argument is a value that an earlier result was the first to give."""
    before, _, _, arguments = call
    for place, _, name, content in played.results(places):
        if place >= before or name == SEARCH:
            continue
        known = {str(v) for p, _, _, a in played.calls() if p < place for v in leaves(a)}
        fresh = {str(v) for v in leaves(content)} - known
        if any(str(value) in fresh for value in leaves(arguments)):
            return True
    return False


def missing_parameter_is_asked_for(played):
    for number in played.requests("missing_parameter"):
        segment = played.segment(number)
        found = False
        for place, _, name, arguments in played.calls(segment):
            asked = [p for p, _ in played.said("assistant", segment) if p < place]
            if name == SEARCH or not asked:
                continue
            answer, opening = played.messages[asked[-1] + 1], played.messages[asked[-1] - 1]
            if answer["role"] != "user" or opening["role"] != "user":
                continue
            required = [p for p in played.tools[name].required if p in arguments]
            if any(
                played.mouths(answer["content"], arguments[p], p, name)
                and not played.mouths(opening["content"], arguments[p], p, name)
                for p in required
            ):
                found = True
        if not found:
            yield f"request {number}: {[played.messages[p]['content'] for p in segment]}"


def some_requests_lead_to_no_call(played):
    for number in played.requests(*SILENT):
        segment = played.segment(number)
        if any(True for _ in played.calls(segment)):
            yield f"request {number} {played.plan.requests[number].patterns} leads to a call"
        if not any(True for _ in played.said("assistant", segment)):
            yield f"request {number} is not answered"


def error_pattern(frame):
    """A regular expression for what a frame can say."""
    parts = []
    for part in parse_frame(frame).parts:
        if isinstance(part, str):
            parts.append(re.escape(part))
        else:
            parts.append(".+" if isinstance(part, Slot) else ".*" if isinstance(part, Option) else "")
    return re.compile("".join(parts).strip())


def errors_are_mended_or_told(played):
    calls = {identity: (place, name, arguments) for place, identity, name, arguments in played.calls()}
    for number in played.requests("tool_error"):
        segment = played.segment(number)
        failures = [(p, i, c["error"]) for p, i, _, c in played.results(segment) if i in played.failed()]
        if not failures:
            yield f"request {number}: nothing fails"
        for place, identity, message in failures:
            _, name, arguments = calls[identity]
            about = {
                e.about for e in played.tools[name].phrasings.errors if error_pattern(e.message).fullmatch(message)
            }
            if not about:
                yield f"request {number}: {name} has no error {message!r}"
            again = next((a for p, i, n, a in played.calls(segment) if p > place and n == name), None)
            told = [text for p, text in played.said("assistant", segment) if p > place]
            if again is None:
                if not told:
                    yield f"request {number}: {message!r} is neither mended nor told"
                continue
            changed = {k for k in {*again, *arguments} if again.get(k) != arguments.get(k)}
            if not any(changed == ({parameter} if parameter else set()) for parameter in about):
                yield f"request {number}: after {message!r} the retry changes {changed}"


def corrections_change_one_argument(played):
    for number in played.requests("correction"):
        segment = played.segment(number)
        calls = [c for c in played.calls(segment) if c[2] != SEARCH and c[1] not in played.failed()]
        pairs = [(a, b) for a, b in pairwise(calls) if a[2] == b[2] and a[0] < b[0]]
        if len(pairs) != 1:
            yield f"request {number}: {len(pairs)} corrected calls"
            continue
        ((before, _, name, old), (after, _, _, new)) = pairs[0]
        changed = {k for k in {*old, *new} if old.get(k) != new.get(k)}
        words = [text for p, text in played.said("user", segment) if before < p < after]
        if len(changed) != 1 or old.keys() != new.keys():
            yield f"request {number}: {old} became {new}"
        elif len(words) != 1 or not all(played.mouths(words[0], new[k], k, name) for k in changed):
            yield f"request {number}: {changed} became {new}, after {words}"


def tools_are_found_before_they_are_called(played):
    known = set(played.offered)
    found = set()
    for place, message in enumerate(played.messages):
        yield from (f"{name} is called at {place}" for _, _, name, _ in played.calls([place]) if name not in known)
        if message.get("name") == SEARCH:
            found |= {tool["name"] for tool in json.loads(message["content"])["tools"]}
            known |= found
    for number in played.requests("search_tools"):
        names = [name for _, _, name, _ in played.calls(played.segment(number))]
        if SEARCH not in names or SEARCH not in played.offered:
            yield f"request {number} searches for nothing"
        later = set(names[names.index(SEARCH) + 1 :]) - {SEARCH} if SEARCH in names else set()
        if not later & found or later & played.offered:
            yield f"request {number} calls {later}; offered were {played.offered}"


def topics_shift_to_another_field(played):
    for number in played.requests("topic_shift"):
        here = played.tools[played.plan.requests[number].tools[0]].domain
        before = {played.tools[n].domain for r in played.plan.requests[:number] for n in r.tools}
        if not before:
            yield f"request {number}: there was no topic"
        for domain in before:
            near = {*played.domains[domain].neighbours}
            if here == domain or here in near or domain in played.domains[here].neighbours:
                yield f"request {number}: {here} after {domain}"


def arguments_obey_the_schema(played):
    for _, identity, name, arguments in played.calls():
        schema = played.tools[name].parameters
        for error in checker(schema).iter_errors(arguments):
            yield f"{name} {identity}: {error.json_path} {error.message}"
        yield from (f"{name} without {p}" for p in schema.get("required", ()) if arguments.get(p) in (None, "", []))
        yield from (f"{name} with {p}" for p in arguments if p not in schema["properties"])


def results_obey_the_schema(played):
    for _, identity, name, content in played.results():
        if identity not in played.failed():
            for error in checker(played.tools[name].returns).iter_errors(content):
                yield f"{name} {identity}: {error.json_path} {error.message}"


def checker(schema):
    """A validator that minds formats too."""
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def nobody_speaks_like_a_schema(played):
    names = {n for n in played.tools if "_" in n}
    names |= {p for tool in played.tools.values() for p in tool.parameters["properties"] if "_" in p}
    for role in ("user", "assistant"):
        for place, words in played.said(role):
            if re.search(r"[{}\[\]|]", words):
                yield f"{role} at {place}: {words!r}"
            named = set(re.findall(r"\w+", words)) & names
            if named:
                yield f"{role} at {place} names {named}"


def no_text_is_empty(played):
    for place, message in enumerate(played.messages):
        content = message["content"]
        if message.get("tool_calls") and content is None:
            continue
        if not isinstance(content, str) or not content.strip(" .,;:?!-"):
            yield f"{message['role']} at {place}: {content!r}"
        elif message["role"] != "tool" and (content != content.strip() or "  " in content):
            yield f"{message['role']} at {place} with stray spaces: {content!r}"


def user_knows_no_id_before_a_result(played):
    shown = {}
    for place, identity, name, content in played.results():
        if identity not in played.failed():
            for value in identifiers(content, played.tools[name].returns):
                shown.setdefault(value, place)
    for place, _, name, arguments in played.calls():
        for value in identifiers(arguments, played.tools[name].parameters):
            if shown.get(value, place) >= place:
                yield f"{name} at {place} takes {value} from nowhere"
            shown.setdefault(value, len(played.messages))
    for place, words in played.said("user"):
        for value, first in shown.items():
            if first > place and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", words):
                yield f"the user says {value} at {place}, shown at {first}"


def assistant_states_no_code_of_its_own(played):
    """Codes, links and sums of money in the assistant's mouth have been said, asked for or returned before."""
    for number, request in enumerate(played.plan.requests):
        if not request.tools:
            continue
        for place, words in played.said("assistant", played.segment(number)):
            before = played.messages[:place]
            known = " ".join(str(m["content"]) for m in before)
            known += json.dumps([a for p, _, _, a in played.calls() if p < place], ensure_ascii=False)
            codes = re.findall(r"(?<![\w/.])(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Z0-9][\w-]{3,}", words)
            yield from (f"{code!r} at {place}" for code in codes if code not in known)
            sums = re.findall(r"[€$£¥₹]\s?([\d,]+(?:\.\d+)?)", words)
            numbers = {float(n) for n in re.findall(r"\d+(?:\.\d+)?", known)}
            yield from (f"{s} at {place}: {words}" for s in sums if float(s.replace(",", "")) not in numbers)


RULES = {
    ids_link_each_call_to_one_result: (),
    roles_alternate: (),
    ends_with_the_assistant: (),
    every_request_in_order: (),
    patterns_are_those_due: (),
    nothing_undeclared: (),
    parallel_calls_stand_in_one_message: ("parallel",),
    parallel_results_agree: ("parallel",),
    sequential_calls_use_results: ("sequential",),
    missing_parameter_is_asked_for: ("missing_parameter",),
    some_requests_lead_to_no_call: tuple(SILENT),
    errors_are_mended_or_told: ("tool_error",),
    corrections_change_one_argument: ("correction",),
    tools_are_found_before_they_are_called: ("search_tools",),
    topics_shift_to_another_field: ("topic_shift",),
    arguments_obey_the_schema: (),
    results_obey_the_schema: (),
    nobody_speaks_like_a_schema: (),
    no_text_is_empty: (),
    user_knows_no_id_before_a_result: (),
    assistant_states_no_code_of_its_own: (),
}
"""Each rule, and the patterns that it is about."""


def test_every_pattern_is_played(played):
    counts = Counter(
        pattern for dialogue in played for request in dialogue.plan.requests for pattern in request.patterns
    )
    assert len(played) == MIXED + REPEATS * len(EXTRA)
    assert set(counts) == set(PATTERNS)
    assert min(counts.values()) >= REPEATS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds_in_every_dialogue(played, rule):
    about = [d for d in played if not RULES[rule] or set(RULES[rule]) & set(d.due)]
    assert about
    broken = [(dialogue.index, said) for dialogue in about for said in rule(dialogue)]
    assert not broken, f"{len(broken)}: {broken[:5]}"


def test_regrets_are_about_what_is_new(played):
    """Whoever takes something back has just had it done: the call takes its id from an earlier result."""
    regretted = 0
    for outline in (dialogue.plan.outline for dialogue in played):
        for act in outline["acts"]:
            if any(part.get("text") in bank("regrets") for part in act.get("parts", ())):
                calls = [outline["calls"][part["call"]] for part in act["parts"] if part["kind"] == "request"]
                assert any(acts.is_reference(value) for call in calls for value in call["arguments"].values()), act
                regretted += 1
    assert regretted


# Every rule finds what it is there to find.


def edit_call(played, change, *, which=-1, pattern=None):
    """Change the arguments of a call (of a request with the pattern)."""
    places = played.segment(played.requests(pattern)[0]) if pattern else None
    place = [p for p, _, name, _ in played.calls(places) if name != SEARCH][which]
    call = played.messages[place]["tool_calls"][0]["function"]
    call["arguments"] = json.dumps(change(json.loads(call["arguments"])))


def same_ids(played):
    for message in played.messages:
        for call in message.get("tool_calls", ()):
            call["id"] = "call_1"
        if message["role"] == "tool":
            message["tool_call_id"] = "call_1"


def lose_results(played):
    played.messages = [message for message in played.messages if message["role"] != "tool"]


def swap_results(played):
    place = next(p for p, m in enumerate(played.messages) if len(m.get("tool_calls", ())) > 1)
    one, other = played.messages[place + 1 : place + 3]
    one["tool_call_id"], other["tool_call_id"] = other["tool_call_id"], one["tool_call_id"]


def drop_last(played):
    played.messages.pop()
    played.request_of.pop(len(played.messages), None)


def speak_twice(played):
    place, _ = next(played.said("assistant"))
    played.messages.insert(place, dict(played.messages[place]))
    played.request_of = {p + (p >= place): r for p, r in played.request_of.items()} | {place: 0}


def skip_request(played):
    last = max(played.request_of.values())
    played.request_of = {p: r for p, r in played.request_of.items() if r != last}


def split_calls(played):
    message = next(m for m in played.messages if len(m.get("tool_calls", ())) > 1)
    del message["tool_calls"][1:]


def contradict(played):
    place = next(p for p, m in enumerate(played.messages) if len(m.get("tool_calls", ())) > 1)
    one, other = (call["function"] for call in played.messages[place]["tool_calls"][:2])
    one["arguments"], other["arguments"] = json.dumps({"thing": "x", "limit": 1}), json.dumps({"thing": "x"})
    played.messages[place + 2]["content"] = json.dumps({"thing": "x", "limit": 2})


def forget_results(played):
    for message in played.messages:
        if message["role"] == "tool" and message["name"] != SEARCH:
            message["content"] = json.dumps({"result": "fine"})


def answer_otherwise(played):
    number = played.requests("missing_parameter")[0]
    for place, _ in list(played.said("user", played.segment(number)))[1:]:
        played.messages[place]["content"] = "Whatever."


def call_something(played):
    number = played.requests(*SILENT)[0]
    place, _ = next(played.said("assistant", played.segment(number)))
    call = {"id": "call_x", "type": "function", "function": {"name": min(played.offered), "arguments": "{}"}}
    played.messages[place] = {**played.messages[place], "tool_calls": [call]}


def change_retry(played):
    edit_call(played, lambda arguments: {**dict.fromkeys(arguments, "other"), "more": 1}, pattern="tool_error")


def change_two(played):
    edit_call(played, lambda arguments: {**arguments, "more": 1, "and_more": 2}, pattern="correction")


def change_nothing(played):
    calls = list(played.calls(played.segment(played.requests("correction")[0])))
    edit_call(played, lambda _: calls[-2][3], pattern="correction")


def find_nothing(played):
    for message in played.messages:
        if message.get("name") == SEARCH:
            message["content"] = json.dumps({"tools": []})


def offer_all(played):
    played.offered |= set(played.tools)


def merge_domains(played):
    played.tools = {name: tool.model_copy(update={"domain": "travel"}) for name, tool in played.tools.items()}


def befriend_domains(played):
    everything = tuple(played.domains)
    number = played.requests("topic_shift")[0]
    here = played.tools[played.plan.requests[number].tools[0]].domain
    played.domains[here] = played.domains[here].model_copy(update={"neighbours": everything})


def empty_arguments(played):
    wanted = {name for name, tool in played.tools.items() if tool.required}
    place = next(p for p, _, name, _ in played.calls() if name in wanted)
    played.messages[place]["tool_calls"][0]["function"]["arguments"] = "{}"


def empty_results(played):
    for message in played.messages:
        if message["role"] == "tool":
            message["content"] = "{}"


def say(role, words):
    """Return an edit that lets the role's first turn say something else."""

    def edit(played):
        place, text = next(played.said(role))
        played.messages[place]["content"] = words if words is not None else text + "  "

    edit.__name__ = f"{role}_says_{words!r}"
    return edit


def foretell_id(played):
    place = next(p for p, _ in played.said("user"))
    values = [v for _, _, n, c in played.results() for v in identifiers(c, played.tools[n].returns)]
    played.messages[place]["content"] += f" It's {values[0]}."


def invent_id(played):
    edit_call(played, lambda arguments: dict.fromkeys(arguments, "ZZ-0000"), pattern="sequential")


def invent_code(played):
    place = next(p for p, _ in played.said("assistant", played.segment(0)))
    played.messages[place]["content"] = "Your code is QQ7Q9Q."


def invent_sum(played):
    place = next(p for p, _ in played.said("assistant", played.segment(0)))
    played.messages[place]["content"] = "That makes €1,234,567.89."


def declare(played):
    played.due = (*played.due, "topic_shift")


def undeclare(played):
    requests = tuple(r.model_copy(update={"patterns": ("single",)}) for r in played.plan.requests)
    played.plan = played.plan.model_copy(update={"requests": requests})


BREAKS = [
    (ids_link_each_call_to_one_result, same_ids, "single"),
    (ids_link_each_call_to_one_result, swap_results, "parallel"),
    (ids_link_each_call_to_one_result, split_calls, "parallel"),
    (roles_alternate, speak_twice, "single"),
    (roles_alternate, lose_results, "single"),
    (ends_with_the_assistant, drop_last, "single"),
    (every_request_in_order, skip_request, "sequential"),
    (every_request_in_order, call_something, "irrelevant"),
    (patterns_are_those_due, declare, "single"),
    (patterns_are_those_due, undeclare, "sequential"),
    *[(nothing_undeclared, undeclare, p) for p in ("parallel", "tool_error", "search_tools", "correction")],
    *[(nothing_undeclared, undeclare, p) for p in ("missing_parameter", "sequential")],
    (parallel_calls_stand_in_one_message, split_calls, "parallel"),
    (parallel_calls_stand_in_one_message, same_ids, "parallel"),
    (parallel_results_agree, contradict, "parallel"),
    (sequential_calls_use_results, forget_results, "sequential"),
    (missing_parameter_is_asked_for, answer_otherwise, "missing_parameter"),
    *[(some_requests_lead_to_no_call, call_something, p) for p in sorted(SILENT)],
    (errors_are_mended_or_told, change_retry, "tool_error"),
    (errors_are_mended_or_told, empty_results, "tool_error"),
    (corrections_change_one_argument, change_two, "correction"),
    (corrections_change_one_argument, change_nothing, "correction"),
    (tools_are_found_before_they_are_called, find_nothing, "search_tools"),
    (tools_are_found_before_they_are_called, offer_all, "search_tools"),
    (topics_shift_to_another_field, merge_domains, "topic_shift"),
    (topics_shift_to_another_field, befriend_domains, "topic_shift"),
    (arguments_obey_the_schema, empty_arguments, "single"),
    (results_obey_the_schema, empty_results, "single"),
    (nobody_speaks_like_a_schema, say("user", "Use search_trains for me."), "single"),
    (nobody_speaks_like_a_schema, say("user", "My train_id is unknown."), "single"),
    (nobody_speaks_like_a_schema, say("assistant", "It goes at {departure}."), "single"),
    (nobody_speaks_like_a_schema, say("user", "Book it [for two]"), "single"),
    (no_text_is_empty, say("assistant", " . "), "single"),
    (no_text_is_empty, say("user", None), "single"),
    (user_knows_no_id_before_a_result, foretell_id, "sequential"),
    (user_knows_no_id_before_a_result, invent_id, "sequential"),
    (assistant_states_no_code_of_its_own, invent_code, "sequential"),
    (assistant_states_no_code_of_its_own, invent_sum, "sequential"),
]


@pytest.mark.parametrize(
    ("rule", "edit", "pattern"), BREAKS, ids=[f"{r.__name__}-{e.__name__}-{p}" for r, e, p in BREAKS]
)
def test_rule_finds_broken_dialogue(played, rule, edit, pattern):
    for dialogue in played:
        if pattern not in dialogue.due or not applicable(dialogue, edit):
            continue
        good = copy.copy(dialogue)
        good.messages, good.offered = copy.deepcopy(dialogue.messages), set(dialogue.offered)
        good.domains = dict(dialogue.domains)
        assert not list(rule(good))
        edit(good)
        assert list(rule(good))
        return
    pytest.fail(f"no dialogue to break with {pattern}")


def applicable(dialogue, edit):
    """Whether there is something in the dialogue for the edit to break."""
    if edit is foretell_id:
        values = [v for _, _, n, c in dialogue.results() for v in identifiers(c, dialogue.tools[n].returns)]
        return bool(values)
    if edit is invent_id:
        places = dialogue.segment(dialogue.requests("sequential")[0])
        *_, (_, _, name, arguments) = dialogue.calls(places)
        return bool(list(identifiers(arguments, dialogue.tools[name].parameters)))
    if edit in (invent_code, invent_sum):
        return bool(dialogue.plan.requests[0].tools)
    if edit is same_ids:
        return len(list(dialogue.calls())) > 1
    return True
