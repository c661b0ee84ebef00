"""Tools that nobody here wrote: the function documents of BFCL, fetched by pip as the benchmark does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "foreign_tools.py"


@pytest.mark.slow
def test_two_hundred_dialogues_over_bfcl_tools_pass_all_checks():
    done = subprocess.run([sys.executable, BENCHMARK], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tools, inferred = map(int, re.search(r"tools: (\d+), with inferred return schemas: (\d+)", done.stdout).groups())
    assert tools == inferred >= 1000
    assert "accepted 200 of 200, rejected 0" in done.stdout
