"""The bundled catalog against its own rules (tool_catalog/README.md), and the reader against every kind of file."""

import json
import re
from collections import Counter
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from toolflow_graph.catalog import iterate_slots, load_catalog
from toolflow_graph.catalog.normalise import inline_references, normalise_schema
from toolflow_graph.catalog.slots import schema_at
from toolflow_graph.errors import CatalogError
from toolflow_graph.frames import parse_frame
from toolflow_graph.resources import find_resource

FOLDER = find_resource("tool_catalog")
FILES = sorted(FOLDER.glob("*.json"))

READING = {"search", "list", "find", "get", "check", "track", "compare"}
CHANGING = {"update", "change", "move", "reschedule", "rename", "set", "assign", "extend", "renew", "pause", "resume"}
ENDING = {"cancel", "delete", "remove", "close", "stop", "return", "revoke"}
TOO_GENERAL = {"id", "name", "date", "status", "type", "time", "title", "result", "value", "data", "message", "info"}
DAY, MOMENT = r"^\d{2}:\d{2}$", r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$"
IDENTIFIER = re.compile(r"(_id|_ids|_code|_number|_key|_ref|_reference)$")
MONEY = re.compile(r"(^|_)(price|amount|fee|cost|balance)$")
MADE_UP = re.compile(
    r"(^|_)(name|city|country|address|street|company|employer|phone|phone_number|email|url|link|passenger|guest|patient|"
    r"recipient|sender|organizer|author|owner|attendees|participants)(_|$|s$)"
)
SCALE = "severity"
"""A scale from 1 to 10, of which every value is usual."""

SPEECH_COUNTS = {"openers": 12, "small_talk": 14, "general_questions": 6, "closings": 8}
PHRASING_COUNTS = {"requests": 6, "answers": 5, "errors": 2, "declines": 2}


@cache
def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def tools_of(path):
    return [(tool["function"]["name"], tool) for tool in read(path)["tools"]]


def sides(tool):
    return {"parameters": tool["function"]["parameters"], "returns": tool["returns"]}


def slots_of(path):
    """Yield tool name, tool, side, slot, for every slot of a file."""
    for name, tool in tools_of(path):
        for side, schema in sides(tool).items():
            for slot in iterate_slots(schema):
                yield name, tool, side, slot


def value_schema(schema):
    """Return the schema of the single values: of the items, where there is a list."""
    return schema["items"] if schema.get("type") == "array" and "items" in schema else schema


def listing_of(tool):
    """Return the fields of the objects in the list that a tool returns, or None."""
    for schema in tool["returns"]["properties"].values():
        if schema.get("type") == "array" and schema["items"].get("type") == "object":
            return list(schema["items"]["properties"])
    return None


def frames_of(phrasings, *, machine=False):
    """Return every frame that a person says, and what tools report too with `machine`."""
    frames = [
        frame for key in ("requests", "answers", "items", "picks", "declines") for frame in phrasings.get(key, ())
    ]
    for key in ("asks", "changes"):
        frames += [frame for group in phrasings.get(key, {}).values() for frame in group]
    for error in phrasings.get("errors", ()):
        frames += [*error["told"], *([error["message"]] if machine else [])]
    return frames


per_file = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


# The figures


def test_size(bundled_catalog):
    assert len(bundled_catalog) >= 240
    assert len(bundled_catalog.domains) >= 20
    assert set(bundled_catalog.domains) == {path.stem for path in FILES}


def test_most_tools_have_a_partner_nearby(bundled_catalog, bundled_graph):
    """At least 90 % return what another tool of the same or a neighbouring domain takes, or take what it returns."""
    alone = []
    for name, tool in bundled_catalog.tools.items():
        near = {tool.domain, *bundled_catalog.domains[tool.domain].neighbours}
        partners = {*bundled_graph.consumers(name), *bundled_graph.producers(name)}
        if not any(bundled_catalog.tools[partner].domain in near for partner in partners):
            alone.append(name)
    assert len(alone) <= 0.1 * len(bundled_catalog), f"no partner: {alone}"


def test_a_third_of_the_tools_has_optional_parameters(bundled_catalog):
    optional = [
        tool for tool in bundled_catalog.tools.values() if set(tool.parameters["properties"]) - set(tool.required)
    ]
    assert len(optional) * 3 >= len(bundled_catalog)


def test_nothing_is_inferred(bundled_catalog):
    assert [tool.name for tool in bundled_catalog.tools.values() if tool.inferred] == []


# The files


@per_file
def test_file_is_named_after_its_domain(path):
    assert read(path)["domain"] == path.stem
    assert read(path)["title"]


@per_file
def test_neighbours_exist(path):
    neighbours = read(path)["neighbours"]
    assert neighbours
    assert [name for name in neighbours if not (FOLDER / f"{name}.json").exists() or name == path.stem] == []


@per_file
@pytest.mark.parametrize(("bank", "count"), SPEECH_COUNTS.items(), ids=SPEECH_COUNTS)
def test_there_is_enough_to_say_around_the_tools(path, bank, count):
    lines = read(path)[bank]
    assert len(lines) >= count
    assert len({str(line) for line in lines}) == len(lines)


@per_file
def test_schemas_are_valid_objects(path):
    for name, tool in tools_of(path):
        for side, schema in sides(tool).items():
            Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object", (name, side)
            assert set(schema.get("required", ())) <= set(schema["properties"]), (name, side)


@per_file
def test_names_are_verb_and_object(path):
    assert [name for name, _ in tools_of(path) if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name)] == []


@per_file
def test_descriptions_are_sentences(path):
    descriptions = {name: tool["function"]["description"] for name, tool in tools_of(path)}
    assert {n: d for n, d in descriptions.items() if not (d.endswith(".") and d[0].isupper() and len(d) >= 40)} == {}


# Slots


@per_file
def test_every_slot_is_described_and_typed(path):
    bare = [(n, s.path) for n, _, _, s in slots_of(path) if not s.schema.get("description") or not s.schema.get("type")]
    assert bare == []


@per_file
def test_slot_names_say_what_they_mean(path):
    assert [(name, slot.path) for name, _, _, slot in slots_of(path) if slot.name in TOO_GENERAL] == []


@per_file
def test_same_slot_has_same_description(path):
    described = {}
    for name, _, _, slot in slots_of(path):
        described.setdefault(slot.name, {}).setdefault(slot.schema["description"], []).append(name)
    assert {slot: texts for slot, texts in described.items() if len(texts) > 1} == {}


@per_file
def test_numbers_are_bounded(path):
    unbounded = []
    for name, _, _, slot in slots_of(path):
        schema = value_schema(slot.schema)
        if (
            schema["type"] in ("number", "integer")
            and "enum" not in schema
            and not {"minimum", "maximum"} <= set(schema)
        ):
            unbounded.append((name, slot.path))
    assert unbounded == []


@per_file
def test_numbers_have_usual_values(path):
    """Bounds are what may happen at all; what usually does lies between the examples."""
    bare = []
    for name, _, _, slot in slots_of(path):
        schema = value_schema(slot.schema)
        if schema["type"] in ("number", "integer") and not {"enum", "examples"} & set(schema) and slot.name != SCALE:
            bare.append((name, slot.path))
    assert bare == []


@per_file
def test_searches_may_find_nothing(path):
    forced = [
        (name, slot.path)
        for name, _, side, slot in slots_of(path)
        if side == "returns" and name.startswith(("search_", "list_", "find_")) and slot.schema.get("minItems", 0)
    ]
    assert forced == []


@pytest.mark.parametrize(
    ("tool", "path", "values"),
    [
        ("set_room_heating", "target_temperature", [7, 18, 25.5]),
        ("get_room_climate", "room_temperature", [-3.5, 14, 31.2]),
        ("list_reviews", "reviews.stars", [1, 2, 5]),
        ("submit_review", "stars", [1, 5]),
        ("send_transfer", "amount", [4711.11, 3]),
        ("get_budget_status", "remaining_budget", [0, -12.4]),
        ("get_weather_forecast", "low_temperature", [-15]),
        ("create_event", "duration_minutes", [15, 20, 75, 480]),
        ("search_flights", "flights.price", [29.99, 2310]),
        ("book_table", "party_size", [1, 14]),
    ],
)
def test_what_happens_in_life_is_allowed(tool, path, values):
    (found,) = [t for file in FILES for name, t in tools_of(file) if name == tool]
    for side in sides(found).values():
        for slot in (slot for slot in iterate_slots(side) if slot.path == path):
            validator = Draft202012Validator(slot.schema)
            assert [value for value in values if not validator.is_valid(value)] == []


@per_file
def test_money_has_a_currency(path):
    """An amount stands beside its currency; what is taken as an amount may find it in the result."""
    alone = []
    for name, tool, _, slot in slots_of(path):
        everything = {other.name for schema in sides(tool).values() for other in iterate_slots(schema)}
        if slot.schema["type"] == "number" and MONEY.search(slot.name) and not any("currency" in n for n in everything):
            alone.append((name, slot.path))
    assert alone == []


@per_file
def test_strings_can_be_drawn(path):
    bare = []
    for name, _, _, slot in slots_of(path):
        schema = value_schema(slot.schema)
        if schema["type"] != "string" or {"enum", "format", "pattern"} & set(schema) or MADE_UP.search(slot.name):
            continue
        if len(set(schema.get("examples") or slot.schema.get("examples", ()))) < 8:
            bare.append((name, slot.path))
    assert bare == []


@per_file
def test_examples_fit_their_schema(path):
    wrong = []
    for name, _, _, slot in slots_of(path):
        schema = value_schema(slot.schema)
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        wrong += [
            (name, slot.path, example) for example in schema.get("examples", ()) if not validator.is_valid(example)
        ]
    assert wrong == []


@per_file
def test_patterns_are_literals_classes_and_counts(path):
    wrong = []
    for name, _, _, slot in slots_of(path):
        pattern = value_schema(slot.schema).get("pattern")
        if pattern and not (
            pattern.startswith("^")
            and pattern.endswith("$")
            and not re.search(r"[.*+?](?!\d)|\(\?", pattern.replace("\\.", ""))
        ):
            wrong.append((name, slot.path, pattern))
    assert wrong == []


@per_file
def test_dates_times_mail_and_links_have_their_form(path):
    wrong = []
    for name, _, _, slot in slots_of(path):
        schema = value_schema(slot.schema)
        if schema["type"] != "string" or "enum" in schema:
            continue
        fits = {
            "date": schema.get("format") == "date",
            "time": schema.get("pattern") in (DAY, MOMENT),
            "email": schema.get("format") == "email",
            "url": schema.get("format") == "uri",
        }
        if not fits.get(slot.name.rsplit("_", 1)[-1], True):
            wrong.append((name, slot.path))
    assert wrong == []


# Results


@per_file
def test_search_returns_one_list_led_by_what_identifies(path):
    wrong = []
    for name, tool in tools_of(path):
        fields = listing_of(tool)
        if name.split("_")[0] in ("search", "list") and (fields is None or not 2 <= len(fields) <= 6):
            wrong.append((name, fields))
        identifiers = [field for field in fields or () if IDENTIFIER.search(field)]
        if identifiers and not any(IDENTIFIER.search(field) for field in (fields or ())[:3]):
            wrong.append((name, fields))
        lists = [
            s
            for s in tool["returns"]["properties"].values()
            if value_schema(s).get("type") == "object" and s is not value_schema(s)
        ]
        if len(lists) > 1:
            wrong.append((name, "several lists"))
    assert wrong == []


@per_file
def test_what_changes_something_returns_its_id(path):
    missing = []
    for name, tool in tools_of(path):
        if name.split("_")[0] in CHANGING | ENDING:
            taken = [p for p in tool["function"]["parameters"].get("required", ()) if p.endswith("_id")]
            missing += [(name, parameter) for parameter in taken if parameter not in tool["returns"]["properties"]]
    assert missing == []


@per_file
def test_ids_flow(path, bundled_catalog):
    """What only a system hands out is returned, word for word, by a tool of the same or a neighbouring domain."""
    domains = {path.stem, *read(path)["neighbours"]}
    returned = {
        (slot.name, slot.schema["description"]): tool.name
        for tool in bundled_catalog.tools.values()
        if tool.domain in domains
        for slot in iterate_slots(tool.returns)
    }
    missing = [
        (name, slot.path)
        for name, tool, side, slot in slots_of(path)
        if side == "parameters"
        and slot.name.endswith("_id")
        and slot.name in tool["function"]["parameters"]["required"]
        if (slot.name, slot.schema["description"]) not in returned
    ]
    assert missing == []


# Phrasings


@per_file
def test_there_are_enough_phrasings(path):
    few = []
    for name, tool in tools_of(path):
        wanted = dict(PHRASING_COUNTS)
        fields = listing_of(tool)
        if fields is not None:
            wanted["items"] = 3
            if any(IDENTIFIER.search(field) for field in fields):
                wanted["picks"] = 3
        few += [(name, key) for key, count in wanted.items() if len(tool["phrasings"].get(key, ())) < count]
    assert few == []


@per_file
def test_requests_mention_every_required_parameter(path):
    lacking = []
    for name, tool in tools_of(path):
        for source in tool["phrasings"]["requests"]:
            roots = {mentioned.split(".")[0] for mentioned in parse_frame(source).paths}
            lacking += [(name, source, p) for p in tool["function"]["parameters"].get("required", ()) if p not in roots]
    assert lacking == []


@per_file
def test_openings_of_frames_vary(path):
    alike = []
    for name, tool in tools_of(path):
        for key in ("requests", "answers"):
            firsts = Counter(source.split()[0].strip("[").lower() for source in tool["phrasings"][key])
            alike += [(name, key, word) for word, count in firsts.items() if count > 2]
    assert alike == []


@per_file
def test_frames_are_written_once(path):
    twice = []
    for name, tool in tools_of(path):
        for key in ("requests", "answers", "items", "picks", "declines"):
            counts = Counter(tool["phrasings"].get(key, ()))
            twice += [(name, key, frame) for frame, count in counts.items() if count > 1]
    assert twice == []


@per_file
def test_nobody_says_an_identifier(path):
    """No parameter or tool name stands in a sentence, and no choice is made by an id."""
    wrong = []
    for name, tool in tools_of(path):
        spoken = {source: re.sub(r"\{[^}]*\}|[\w.\-]+\?", "", source) for source in frames_of(tool["phrasings"])}
        wrong += [(name, source) for source, text in spoken.items() if re.search(r"[a-z]_[a-z]", text)]
        wrong += [
            (name, s) for s in tool["phrasings"].get("picks", ()) for p in parse_frame(s).paths if p.endswith("_id")
        ]
    assert wrong == []


@per_file
def test_values_bring_their_own_sign_and_preposition(path):
    """The machine says "€29.40" and "Friday at ten": no currency sign before a slot, no preposition before a moment."""
    wrong = []
    for name, tool in tools_of(path):
        moments = {
            part
            for schema in sides(tool).values()
            for slot in iterate_slots(schema)
            if slot.schema.get("pattern") == MOMENT
            for part in (slot.path, slot.path.partition(".")[2])
        }
        for source in frames_of(tool["phrasings"]):
            before = re.findall(r"(?:[€$£]|\b(?:on|at) )\{([\w.]+)", source)
            signs = re.findall(r"[€$£]\s*\{", source)
            if signs or any(mentioned in moments for mentioned in before):
                wrong.append((name, source))
    assert wrong == []


@per_file
def test_what_is_asked_for_can_be_left_out(path):
    """A question exists for something; two requests at least can leave a required one of them out."""
    wrong = []
    for name, tool in tools_of(path):
        parameters, phrasings = tool["function"]["parameters"], tool["phrasings"]
        sayable = [p for p in parameters.get("required", ()) if not IDENTIFIER.search(p)]
        if sayable and not (phrasings.get("asks") and phrasings.get("changes")):
            wrong.append((name, "asks or changes"))
        for parameter, frames in phrasings.get("asks", {}).items():
            droppable = sum(parameter in parse_frame(source).droppable for source in phrasings["requests"])
            if len(frames) < 2 or (parameter in parameters.get("required", ()) and droppable < 2):
                wrong.append((name, parameter))
    assert wrong == []


@per_file
def test_corrections_say_the_new_value(path):
    wrong = [
        (name, source)
        for name, tool in tools_of(path)
        for parameter, sources in tool["phrasings"].get("changes", {}).items()
        for source in sources
        if parameter not in parse_frame(source).paths
    ]
    assert wrong == []


def test_the_documented_example_is_a_catalog(tmp_path):
    """The JSON in tool_catalog/README.md is read without complaint; only its numbers of lines are shortened."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (tmp_path / "travel.json").write_text(example, encoding="utf-8")
    catalog = load_catalog(tmp_path / "travel.json")
    (tool,) = catalog.tools.values()
    assert tool.inferred == ()
    assert catalog.domains["travel"].neighbours == ("maps", "calendar")
    for slot in [*iterate_slots(tool.parameters), *iterate_slots(tool.returns)]:
        assert slot.schema["description"]
    for source in tool.phrasings.requests:
        assert set(tool.required) <= parse_frame(source).paths


# The reader

WEATHER = {
    "name": "get_weather",
    "description": "Tell the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def load(tmp_path, content, name="mine.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return load_catalog(path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([{"type": "function", "function": WEATHER}], id="chat completions"),
        pytest.param([{"type": "function", **WEATHER}], id="responses"),
        pytest.param([WEATHER], id="bare functions"),
        pytest.param(WEATHER, id="one function"),
        pytest.param({"model": "some", "tools": [{"type": "function", "function": WEATHER}]}, id="request body"),
        pytest.param(json.dumps([WEATHER]).encode("utf-8-sig"), id="byte order mark"),
        pytest.param(json.dumps([WEATHER], indent=4).encode(), id="indented"),
    ],
)
def test_shapes_of_a_tools_list(tmp_path, content):
    catalog = load(tmp_path, content)
    assert list(catalog.tools) == ["get_weather"]
    tool = catalog.tools["get_weather"]
    assert tool.parameters == WEATHER["parameters"]
    assert tool.inferred == ("returns",)
    assert tool.domain == "mine"
    assert tool.source == str(tmp_path / "mine.json")


def test_json_lines(tmp_path):
    lines = [
        json.dumps({**WEATHER, "name": f"tool_{number}", "description": "a\u2028b"}, ensure_ascii=False)
        for number in range(3)
    ]
    catalog = load(tmp_path, ("\n".join(lines) + "\n\n").encode(), "mine.jsonl")
    assert list(catalog.tools) == ["tool_0", "tool_1", "tool_2"]


def test_folder_is_read_with_all_that_is_in_it(tmp_path):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "notes.txt").write_text("not a catalog")
    load(tmp_path, [WEATHER], "b.json")
    load(tmp_path, {**WEATHER, "name": "first"}, "a.jsonl")
    load(tmp_path, {**WEATHER, "name": "inner"}, "deeper/c.json")
    catalog = load_catalog(str(tmp_path))
    assert list(catalog.tools) == ["first", "get_weather", "inner"]
    assert catalog.tools["inner"].domain == "c"


def test_what_is_missing_is_filled_in_and_marked(tmp_path):
    catalog = load(tmp_path, [{"name": "list_open-doors"}])
    tool = catalog.tools["list_open-doors"]
    assert tool.description == "List open doors."
    assert tool.parameters == {"type": "object", "properties": {}}
    assert set(tool.inferred) == {"description", "returns"}


def test_names_are_brought_into_the_accepted_form(tmp_path):
    assert list(load(tmp_path, [{**WEATHER, "name": "math.factorial"}]).tools) == ["math_factorial"]


def test_files_without_speech_leave_their_domain_alone(tmp_path):
    load(tmp_path, {"domain": "sky", "openers": ["Grey again."], "tools": [WEATHER]}, "a.json")
    load(tmp_path, {"domain": "sky", "tools": [{**WEATHER, "name": "other"}]}, "b.json")
    assert load_catalog(tmp_path).domains["sky"].openers == ("Grey again.",)


BAD_SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "pattern": "("}}}
SPOKEN = {"requests": ["Weather in {city}?"], "answers": ["Fine."]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"{'name': 'x'}", ["mine.json", "not JSON", "line 1"], id="not JSON"),
        pytest.param(b'{"name": "a"}\n{"name": \n', ["mine.json, line 2", "not JSON"], id="broken line"),
        pytest.param(b'[{"name": "a", "parameters": {"x": NaN}}]', ["mine.json", "NaN"], id="not a number"),
        pytest.param(
            rb'[{"name": "a", "description": "\ud83d"}]', ["mine.json", "surrogates"], id="half a surrogate pair"
        ),
        pytest.param("[]".encode("utf-16"), ["mine.json", "UTF-8"], id="not UTF-8"),
        pytest.param(b"[" * 200_000, ["mine.json", "nested too deeply"], id="endless nesting"),
        pytest.param([], ["mine.json", "holds no tool"], id="no tool"),
        pytest.param([1], ["mine.json", "entry 1"], id="not an object"),
        pytest.param({"tools": {"a": 1}}, ["mine.json", "'tools' is not a list"], id="tools is an object"),
        pytest.param([WEATHER, {"description": "x"}], ["mine.json", "entry 2", "'name'"], id="no name"),
        pytest.param([{**WEATHER, "name": ""}], ["mine.json", "entry 1", "'name'"], id="empty name"),
        pytest.param([{**WEATHER, "name": 7}], ["mine.json", "entry 1", "'name'"], id="name is a number"),
        pytest.param([WEATHER, WEATHER], ["mine.json", "'get_weather'", "already defined", "rename"], id="duplicate"),
        pytest.param(
            [{**WEATHER, "parameters": ["city"]}], ["mine.json", "'get_weather'", "'parameters'"], id="schema is a list"
        ),
        pytest.param(
            [{**WEATHER, "parameters": BAD_SCHEMA}],
            ["mine.json", "'get_weather'", "'parameters'", "$.properties.city.pattern"],
            id="bad pattern",
        ),
        pytest.param(
            [{**WEATHER, "returns": {"type": "object", "properties": {"x": {"minimum": "low"}}}}],
            ["mine.json", "'get_weather'", "'returns'", "$.properties.x.minimum"],
            id="bad returns",
        ),
        pytest.param(
            [{**WEATHER, "parameters": {"type": "array"}}],
            ["'get_weather'", "must describe an object"],
            id="not an object",
        ),
        pytest.param(
            [{**WEATHER, "parameters": {"properties": {}, "required": ["town"]}}],
            ["mine.json", "'get_weather'", "'town'", "does not define"],
            id="undefined required",
        ),
        pytest.param(
            [{**WEATHER, "parameters": {"properties": {"a": {"$ref": "#/$defs/A"}}}}],
            ["mine.json", "'get_weather'", "'#/$defs/A'", "not defined"],
            id="reference to nothing",
        ),
        pytest.param(
            [
                {
                    **WEATHER,
                    "parameters": {"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}}},
                }
            ],
            ["mine.json", "'get_weather'", "refers to itself"],
            id="endless reference",
        ),
        pytest.param(
            [{**WEATHER, "phrasings": {"requests": []}}],
            ["mine.json", "'get_weather'", "requests"],
            id="no request frame",
        ),
        pytest.param(
            [{**WEATHER, "phrasings": {**SPOKEN, "requests": ["In {city"]}}],
            ["mine.json", "'get_weather'", "requests", "malformed slot"],
            id="malformed frame",
        ),
        pytest.param(
            [{**WEATHER, "phrasings": {**SPOKEN, "answers": ["It is {weathr}."]}}],
            ["mine.json", "'get_weather'", "answers", "'weathr'"],
            id="unknown slot",
        ),
        pytest.param(
            [{**WEATHER, "phrasings": {**SPOKEN, "asks": {"town": ["Where?"]}}}],
            ["mine.json", "'get_weather'", "asks", "'town'"],
            id="question for nothing",
        ),
        pytest.param({"openers": "Grey.", "tools": [WEATHER]}, ["mine.json", "openers"], id="opener is text"),
        pytest.param({"closings": [["Bye."]], "tools": [WEATHER]}, ["mine.json", "closings"], id="half a pair"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, content, said):
    with pytest.raises(CatalogError) as caught:
        load(tmp_path, content)
    message = str(caught.value)
    assert [part for part in said if part not in message] == []
    assert str(tmp_path) in message
    assert "\n" not in message


def test_duplicates_across_files_name_both(tmp_path):
    load(tmp_path, [WEATHER], "a.json")
    load(tmp_path, [WEATHER], "b.json")
    with pytest.raises(CatalogError, match=r"b\.json: tool 'get_weather' is already defined in .*a\.json"):
        load_catalog(tmp_path)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(CatalogError, match="does not exist"):
        load_catalog(tmp_path / "nowhere")
    with pytest.raises(CatalogError, match=r"no \.json or \.jsonl file"):
        load_catalog(tmp_path)


# Schemas of others


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ({"type": "dict", "properties": {}}, {"type": "object", "properties": {}}),
        ({"type": "float"}, {"type": "number"}),
        ({"type": "String"}, {"type": "string"}),
        ({"type": "tuple", "items": {"type": "float"}}, {"type": "array", "items": {"type": "number"}}),
        ({"type": "tuple", "items": [{"type": "int"}]}, {"type": "array", "items": {"anyOf": [{"type": "integer"}]}}),
        ({"type": "ArrayList", "items": {"type": "String"}}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "HashMap"}, {"type": "object"}),
        ({"type": "list[str]"}, {"type": "array"}),
        ({"type": "any", "description": "x"}, {"description": "x"}),
        ({"type": "Matrix"}, {}),
        ({"type": ["float", "double", "null"]}, {"type": ["number", "null"]}),
        ({"properties": {"type": {"type": "bool"}}}, {"type": "object", "properties": {"type": {"type": "boolean"}}}),
        ({"type": "string", "required": True}, {"type": "string"}),
        ({"anyOf": [{"type": "int"}, {"type": "str"}]}, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ({"type": "array", "enum": ["a", "b"]}, {"type": "array", "items": {"enum": ["a", "b"]}}),
        ({"type": "integer", "enum": ["1", "2"]}, {"type": "integer", "enum": [1, 2]}),
        ({"type": "object", "default": {"type": "float"}}, {"type": "object", "default": {"type": "float"}}),
    ],
    ids=json.dumps,
)
def test_normalise_schema(written, normal):
    before = json.dumps(written)
    assert normalise_schema(written) == normal
    assert json.dumps(written) == before
    assert normalise_schema(normal) == normal


def test_bfcl_function_document(tmp_path):
    """The shape of the leaderboard's files: dots in names, Python's types, results under `response`."""
    document = {
        "name": "geo.distance",
        "description": "Distance between two points.",
        "parameters": {
            "type": "dict",
            "properties": {
                "start": {"type": "tuple", "items": {"type": "float"}, "description": "Latitude and longitude."},
                "unit": {"type": "string", "enum": ["km", "mi"], "default": "km"},
            },
            "required": ["start"],
        },
        "response": {"type": "dict", "properties": {"distance": {"type": "float", "description": "The distance."}}},
    }
    tool = load(tmp_path, (json.dumps(document) + "\n").encode()).tools["geo_distance"]
    assert tool.inferred == ()
    assert tool.returns["properties"]["distance"]["type"] == "number"
    assert tool.parameters["properties"]["start"]["items"] == {"type": "number"}
    Draft202012Validator.check_schema(tool.parameters)


def test_references_stand_where_they_are_meant(tmp_path):
    """What pydantic writes for nested models, with a field that is called like the place of the definitions."""
    stop = {"type": "object", "properties": {"definitions": {"type": "string", "description": "Terms"}}}
    schema = {
        "type": "object",
        "$defs": {"Stop": stop, "Via": {"$ref": "#/$defs/Stop"}},
        "properties": {
            "stop": {"$ref": "#/$defs/Stop", "description": "Where to stop"},
            "stops": {"type": "array", "items": {"$ref": "#/$defs/Via"}},
            "maybe": {"anyOf": [{"$ref": "#/$defs/Stop"}, {"type": "null"}]},
        },
    }
    inlined = inline_references(schema)
    assert "$" not in json.dumps(inlined)
    assert inlined["properties"]["stop"] == {**stop, "description": "Where to stop"}
    tool = load(tmp_path, [{"name": "go", "parameters": schema}]).tools["go"]
    paths = [slot.path for slot in iterate_slots(tool.parameters)]
    assert paths == ["stop", "stop.definitions", "stops", "stops.definitions", "maybe", "maybe.definitions"]
    assert all(schema_at(tool.parameters, path) is not None for path in paths)


def test_slots_are_written_as_in_the_paper():
    schema = {
        "properties": {"a": {"description": "An a", "properties": {"b": {}}}, "c": {"type": "array", "items": {}}}
    }
    assert [(slot.path, slot.name, slot.text) for slot in iterate_slots(schema)] == [
        ("a", "a", "a: An a"),
        ("a.b", "b", "b: "),
        ("c", "c", "c: "),
    ]
    assert schema_at(schema, "a.b") == {}
    assert schema_at(schema, "a.x") is None


KEYS = (
    "name function tools parameters properties type items required enum $ref returns response anyOf phrasings requests "
    "answers openers small_talk domain description"
).split()
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
json_values = st.recursive(
    scalars | st.sampled_from(KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
named = st.dictionaries(st.sampled_from(KEYS), json_values).map(lambda entry: {**entry, "name": "tool"})


@given(json_values | named)
def test_any_json_is_read_or_refused(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("any") / "any.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        catalog = load_catalog(path)
    except CatalogError as exc:
        assert str(path) in str(exc)  # noqa: PT017 - both outcomes are right
    else:
        assert len(catalog) > 0
