"""OpenAPI and Swagger documents, written for these tests: what becomes of parameters, bodies, schemas and answers."""

import json
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from toolflow_graph.catalog import iterate_slots, load_catalog, read_source

CLINIC = Path(__file__).parent / "specs" / "clinic.yaml"


@pytest.fixture(scope="module")
def clinic():
    reading = read_source(CLINIC)
    assert reading.skipped == []
    return {tool.name: tool for tool in reading.tools}


def read(tmp_path, document, name="api.json"):
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return read_source(path)


def api(operation, *, path="/things", method="get", **rest):
    document = {"openapi": "3.1.0", "info": {"title": "Things", "version": "1"}, "paths": {path: {method: operation}}}
    return {**document, **rest}


def sends(schema):
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def answers(schema):
    return {"responses": {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}}


def read_returns(tmp_path, schema, **rest):
    (tool,) = read(tmp_path, api(answers({"type": "object", "properties": {"x": schema}}), **rest)).tools
    return tool.returns["properties"]["x"]


def read_body(tmp_path, schema, **rest):
    (tool,) = read(tmp_path, api(sends(schema), method="post", **rest)).tools
    return tool.parameters


def test_every_operation_is_a_tool(clinic):
    assert list(clinic) == [
        "listPets",
        "registerPet",
        "getPet",
        "updatePet",
        "deletePet",
        "post_pets_by_id_photo",
        "appointments_list",
        "bookAppointment",
    ]
    for tool in clinic.values():
        assert tool.domain == "happy_paws_clinic"
        assert tool.provider == "eu.happypaws.example"
        for schema in (tool.parameters, tool.returns):
            Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"


def test_descriptions_are_plain_text(clinic):
    assert clinic["listPets"].description == (
        "List the pets of the clinic. Returns all pets, newest first. See the guide."
    )


def test_parameters_of_all_places_without_what_authenticates(clinic):
    parameters = clinic["listPets"].parameters
    assert list(parameters["properties"]) == ["species", "owner_email", "limit"]
    assert "required" not in parameters
    assert parameters["properties"]["species"]["enum"] == ["dog", "cat", "rabbit", "parrot"]
    assert parameters["properties"]["limit"]["default"] == 20


def test_a_body_stands_beside_the_parameters_and_gives_way(clinic):
    parameters = clinic["updatePet"].parameters
    assert list(parameters["properties"]) == ["id", "body_id", "name"]
    assert parameters["required"] == ["id", "body_id", "name"]
    assert parameters["properties"]["name"]["examples"] == ["Bella"]


def test_what_is_read_only_is_not_sent_and_what_is_write_only_not_returned(clinic):
    tool = clinic["registerPet"]
    assert list(tool.parameters["properties"]) == ["name", "species", "born_on", "secret_note"]
    assert "secret_note" not in tool.returns["properties"]
    assert tool.returns["properties"]["id"] == {"type": "integer"}


def test_all_of_is_one_object_and_requires_what_its_parts_demand(clinic):
    assert clinic["bookAppointment"].parameters["required"] == ["day", "time", "pet_id"]
    assert set(clinic["getPet"].returns["required"]) == {"id", "name", "species"}


def test_a_schema_inside_of_itself_is_cut(clinic):
    owner = clinic["getPet"].returns["properties"]["owner"]
    assert list(owner["properties"]) == ["full_name", "phone"]


def test_a_list_stands_under_its_name(clinic):
    pets = clinic["listPets"].returns
    assert list(pets["properties"]) == ["pets"]
    assert pets["required"] == ["pets"]
    assert "species" in pets["properties"]["pets"]["items"]["properties"]


def test_a_single_value_stands_under_a_name_too(clinic):
    assert clinic["post_pets_by_id_photo"].returns["properties"] == {"result": {"type": "string", "format": "uri"}}


def test_uploads_are_text(clinic):
    photo = clinic["post_pets_by_id_photo"].parameters
    assert photo["properties"]["file"]["type"] == "string"
    assert photo["required"] == ["id", "file"]


def test_where_nothing_comes_back_rules_say_what_does(clinic):
    tool = clinic["deletePet"]
    assert tool.inferred == ("returns",)
    assert "pet_status" in tool.returns["properties"]


def test_annotations(clinic):
    assert clinic["deletePet"].annotations.destructive
    assert clinic["deletePet"].annotations.deprecated
    assert clinic["listPets"].annotations.read_only
    assert clinic["registerPet"].annotations.read_only is None


def test_words_of_yaml_stay_words(clinic):
    properties = clinic["appointments_list"].parameters["properties"]
    assert properties["status"]["enum"] == ["open", "yes", "no", "on", "cancelled"]
    assert clinic["appointments_list"].parameters["required"] == ["filter_day"]


def test_json_and_yaml_are_the_same(tmp_path):
    document = api({"operationId": "get", **answers({"type": "object", "properties": {"a": {"type": "string"}}})})
    one = read(tmp_path, document)
    other = read(tmp_path, "# a comment\n" + json.dumps(document, indent=2), "api.yaml")
    (tool,), (twin,) = one.tools, other.tools
    assert tool.model_copy(update={"source": ""}) == twin.model_copy(update={"source": ""})


def test_swagger_two(tmp_path):
    document = {
        "swagger": "2.0",
        "info": {"title": "Old Shop", "version": "1"},
        "host": "shop.example",
        "securityDefinitions": {"k": {"type": "apiKey", "name": "X-Shop-Key", "in": "header"}},
        "paths": {
            "/orders/{number}": {
                "post": {
                    "parameters": [
                        {"name": "number", "in": "path", "type": "integer", "required": True},
                        {"name": "X-Shop-Key", "in": "header", "type": "string", "required": True},
                        {"name": "tags", "in": "query", "type": "array", "items": {"type": "string", "enum": ["a"]}},
                        {"name": "order", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Order"}},
                    ],
                    "responses": {"200": {"description": "", "schema": {"$ref": "#/definitions/Order"}}},
                }
            },
            "/upload": {
                "post": {
                    "operationId": "upload",
                    "parameters": [
                        {"name": "file", "in": "formData", "type": "file", "required": True},
                        {"name": "note", "in": "formData", "type": "string", "x-example": "as agreed"},
                    ],
                    "responses": {"204": {"description": ""}},
                }
            },
        },
        "definitions": {"Order": {"type": "object", "properties": {"sum": {"type": "number", "x-nullable": True}}}},
    }
    reading = read(tmp_path, document)
    assert reading.form == "swagger"
    order, upload = reading.tools
    assert order.name == "post_orders_by_number"
    assert order.provider == "shop.example"
    assert list(order.parameters["properties"]) == ["number", "tags", "sum"]
    assert order.parameters["required"] == ["number"]
    assert order.returns["properties"] == {"sum": {"type": ["number", "null"]}}
    assert upload.parameters["properties"]["file"] == {"type": "string", "format": "binary"}
    assert upload.parameters["properties"]["note"]["examples"] == ["as agreed"]
    assert upload.parameters["required"] == ["file"]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": ["integer", "null"]}, {"type": ["integer", "null"]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": ["string", "null"]}),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, {"type": ["string", "integer"]}),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, {"type": "integer", "exclusiveMinimum": 3}),
        ({"type": "number", "minimum": 9, "maximum": 1}, {"type": "number"}),
        ({"type": "string", "enum": [1, True, "x"]}, {"type": "string", "enum": ["1", "true", "x"]}),
        ({"type": "integer", "enum": ["1", "2", "x"]}, {"type": "integer", "enum": [1, 2]}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"const": "x", "type": "string"}, {"type": "string", "enum": ["x"]}),
        ({"type": "string", "pattern": "^(?<x>"}, {"type": "string"}),
        ({"type": "string", "pattern": "^(a+)+$"}, {"type": "string"}),
        ({"type": "string", "example": 5}, {"type": "string"}),
        ({"type": "string", "examples": ["a", "b"]}, {"type": "string", "examples": ["a", "b"]}),
        ({"type": "integer", "default": "many"}, {"type": "integer"}),
        ({"type": "array", "items": {"type": "int64"}}, {"type": "array", "items": {"type": "integer"}}),
        ({"type": "wizard"}, {}),
        ({"type": "date"}, {"type": "string", "format": "date"}),
        ({"title": "Size", "type": "number"}, {"type": "number", "description": "Size"}),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ),
    ],
    ids=json.dumps,
)
def test_schemas(tmp_path, written, read_as):
    assert read_returns(tmp_path, written) == read_as


def test_a_small_union_of_objects_stays_one(tmp_path):
    union = {"oneOf": [{"type": "object", "properties": {name: {"type": "string"}}} for name in "ab"]}
    assert [list(branch["properties"]) for branch in read_returns(tmp_path, union)["anyOf"]] == [["a"], ["b"]]


def test_a_large_union_of_objects_becomes_one_object(tmp_path):
    def branch(prefix):
        names = [f"{prefix}{number}" for number in range(8)]
        properties = {name: {"type": "string"} for name in ["kind", *names]}
        return {"type": "object", "properties": properties, "required": ["kind", names[0]]}

    merged = read_returns(tmp_path, {"oneOf": [branch("a"), branch("b")]})
    assert merged["required"] == ["kind"]
    assert len(merged["properties"]) == 17


def test_a_union_as_body_is_one_object(tmp_path):
    union = {"oneOf": [{"type": "object", "properties": {n: {"type": "string"}}, "required": [n]} for n in "ab"]}
    assert read_body(tmp_path, union) == {"type": "object", "properties": {n: {"type": "string"} for n in "ab"}}


def test_a_body_that_is_no_object(tmp_path):
    parameters = read_body(tmp_path, {"type": "array", "items": {"type": "integer"}})
    assert parameters["properties"] == {"body": {"type": "array", "items": {"type": "integer"}}}
    assert parameters["required"] == ["body"]


def test_a_body_that_may_be_left_out_requires_nothing(tmp_path):
    operation = sends({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]})
    operation["requestBody"]["required"] = False
    (tool,) = read(tmp_path, api(operation, method="post")).tools
    assert "required" not in tool.parameters


def test_references_into_everything(tmp_path):
    components = {
        "parameters": {"P": {"name": "p", "in": "query", "schema": {"$ref": "#/components/schemas/Alias"}}},
        "requestBodies": {"B": sends({"$ref": "#/components/schemas/a~1b%20c"})["requestBody"]},
        "responses": {"R": answers({"$ref": "#/components/schemas/a~1b%20c"})["responses"]["200"]},
        "schemas": {
            "Alias": {"$ref": "#/components/schemas/Word"},
            "Word": {"type": "string", "description": "A word"},
            "a/b c": {"type": "object", "properties": {"word": {"$ref": "#/components/schemas/Word"}}},
        },
    }
    operation = {
        "parameters": [{"$ref": "#/components/parameters/P"}],
        "requestBody": {"$ref": "#/components/requestBodies/B"},
        "responses": {"2XX": {"$ref": "#/components/responses/R"}},
    }
    (tool,) = read(tmp_path, api(operation, method="post", components=components)).tools
    word = {"type": "string", "description": "A word"}
    assert tool.parameters["properties"] == {"p": word, "word": word}
    assert tool.returns["properties"] == {"word": word}


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("#/components/schemas/Nowhere", "not defined"),
        ("https://evil.example/schema.json", "another document"),
        ("./pets.yaml#/Pet", "another document"),
        ("#/components/schemas/Loop", "refers to itself"),
    ],
)
def test_references_that_lead_nowhere_cost_their_tool_only(tmp_path, reference, said):
    components = {"schemas": {"Loop": {"$ref": "#/components/schemas/Loop"}}}
    document = api(sends({"$ref": reference}), method="post", components=components)
    document["paths"]["/other"] = {"get": {"operationId": "fine", **answers({"$ref": reference})}}
    reading = read(tmp_path, document)
    (tool,) = reading.tools
    assert (tool.name, tool.inferred) == ("fine", ("returns", "description"))
    (skipped,) = reading.skipped
    assert skipped.name == "POST /things"
    assert said in skipped.reason


def test_many_paths_through_few_schemas_stay_small_and_fast(tmp_path):
    """Thirty schemas, each with ten of the next: unfolded they would be 10^30."""
    schemas = {
        f"S{n}": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                **{f"p{k}": {"$ref": f"#/components/schemas/S{n + 1}"} for k in range(10)},
            },
        }
        for n in range(30)
    }
    schemas["S30"] = {"type": "string"}
    began = time.process_time()
    reading = read(tmp_path, api(answers({"$ref": "#/components/schemas/S0"}), components={"schemas": schemas}))
    assert time.process_time() - began < 2
    (tool,) = reading.tools
    assert 10 <= len(list(iterate_slots(tool.returns))) <= 150
    assert reading.notes["tools whose deepest fields were left out"] == 1


def test_names_are_valid_and_told_apart(tmp_path):
    paths = {
        f"/{place}": {"get": {"operationId": name}}
        for place, name in enumerate(["a/b", "a.b", "a_b", "../../etc/passwd", "<b>x</b>", "x" * 80, "x" * 90, ""])
    }
    tools = read(tmp_path, {"openapi": "3.0.0", "info": {"title": "T"}, "paths": paths}).tools
    names = [tool.name for tool in tools]
    assert names[:6] == ["a_b", "a_b_t", "a_b_t_2", "etc_passwd", "b_x_b", "x" * 64]
    assert names[6].startswith("x" * 60)
    assert names[7] == "get_7"
    assert len(set(names)) == len(names)


def test_the_catalog_of_a_document_is_loaded_by_name():
    assert len(load_catalog(CLINIC)) == 8
