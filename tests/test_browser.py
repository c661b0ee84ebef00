"""Tests of pages may be skipped where somebody works without a browser, never in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PROBE = "from browser import Page, needs_browser\n@needs_browser\ndef test_page():\n    Page('/nowhere')\n"


@pytest.mark.parametrize(
    ("required", "code", "told"),
    [("", 0, "1 skipped"), ("1", 2, "no Chromium is on PATH: install `chromium`")],
    ids=["skipped", "required"],
)
def test_no_browser(required, code, told, tmp_path):
    (tmp_path / "test_probe.py").write_text(PROBE)
    environment = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(TESTS), "TOOLFLOW_REQUIRE_BROWSER": required}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stdout
    assert told in ended.stdout
