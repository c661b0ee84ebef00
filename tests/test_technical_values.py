"""Values of the string parameters that public APIs name most often, and of namesakes that mean something else."""

import random
import re
from datetime import date

import pytest

from toolflow_graph.values import draw_value

TODAY = date(2026, 6, 9)


def draw_many(name, description):
    schema = {"type": "string", "description": description}
    return [draw_value(name, schema, random.Random(seed), TODAY) for seed in range(30)]


@pytest.mark.parametrize(
    ("name", "description", "form"),
    [
        ("branch", "The name of the branch in the repository.", r"main|develop|(?:feature|fix|docs|release)/[\w.-]+"),
        ("ref", "ref parameter", r"main|develop|(?:feature|fix|docs|release)/[\w.-]+"),
        ("new_name", "The new name of the branch.", r"main|develop|(?:feature|fix|docs|release)/[\w.-]+"),
        ("commit_sha", "The SHA of the commit.", r"[0-9a-f]{7}"),
        ("object", "The SHA of the git object this is tagging.", r"[0-9a-f]{7}"),
        ("tag", "The name of the tag of the release.", r"v[\d.]+(?:-rc1)?"),
        ("tag", "Show notes with this tag.", r"[a-z]+"),
        ("owner", "The account owner of the repository. The name is not case sensitive.", r"[a-z-]+"),
        ("pageToken", "Token of the next page.", r"\w{10}"),
        ("NextToken", "", r"\w{10}"),
        ("cursor", "", r"\w{10}"),
        ("filter", "Filter of the list.", r"[a-z]+:[\w-]+"),
        ("updateMask", "Fields to update.", r"[a-z]+"),
        ("orderBy", "", r"[a-z_]+"),
        ("sort_order", "", r"asc|desc"),
        ("path", "Path of the file", r"[\w/.-]+\.\w+"),
        ("fileName", "", r"[a-z]+\.\w+"),
        ("etag", "", r"[0-9a-f]{8}"),
        ("RoleArn", "", r"arn:aws:[\w:/-]+"),
        ("slug", "", r"[a-z-]+"),
        ("color", "The hexadecimal color code.", r"[0-9a-f]{6}"),
        ("contentType", "", r"\w+/\w+"),
        ("parent", "The parent, such as projects/my-project.", r"\w+/\w+"),
        ("hostname", "", r"[\w.]+\.example\.\w+"),
    ],
)
def test_value_has_the_form_that_programs_use(name, description, form):
    drawn = draw_many(name, description)
    assert all(re.fullmatch(form, value) for value in drawn), drawn
    assert len(set(drawn)) > 1


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("head", "Head of the department"),
        ("state", "State where the customer lives"),
        ("reference", "Reference of the invoice"),
        ("path", "Path on the map"),
        ("owner", "Name of the person who owns the dog"),
        ("order", "What to order"),
        ("region", "Region of the country"),
    ],
)
def test_namesakes_are_left_alone(name, description):
    technical = re.compile(r"main|develop|[\w-]+/[\w.-]+|[0-9a-f]{7,8}|[a-z]+:[\w-]+|octo-labs|active|pending|v\d.*")
    assert not any(technical.fullmatch(value) for value in draw_many(name, description))


def test_examples_and_patterns_stand_above_it():
    schema = {"type": "string", "description": "Branch of the repository", "examples": ["trunk"]}
    assert draw_value("branch", schema, random.Random(1), TODAY) == "trunk"
    assert re.fullmatch(
        r"b-\d", draw_value("branch", {"type": "string", "pattern": r"^b-\d$"}, random.Random(1), TODAY)
    )
