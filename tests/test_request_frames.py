"""Which words carry a request: the same in every process, whatever order its sets have."""

import os
import subprocess
import sys

DRAW = """
import random
from toolflow_graph.agents.scripted.request_frames import Needs, choose_frame
from toolflow_graph.types import Phrasings, Tool

values = {name: name.upper() for name in ("repository", "branch", "title", "label")}
tool = Tool(
    name="open_pull_request",
    description="Open a pull request",
    parameters={"type": "object", "properties": {n: {"type": "string"} for n in values}, "required": list(values)},
    returns={"type": "object", "properties": {}},
    domain="code",
    source="test",
    phrasings=Phrasings(
        requests=["PR: [{repository}|there], [{branch}|same branch], [{title}|same title], [{label}|ditto]"],
        answers=["Done."],
    ),
)
for seed in range(30):
    _, said = choose_frame(tool, values, Needs(), values, random.Random(seed))
    print(sorted(said))
"""


def test_what_is_pointed_at_does_not_depend_on_the_process():
    drawn = [
        subprocess.run(
            [sys.executable, "-c", DRAW],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0].splitlines())) > 5
