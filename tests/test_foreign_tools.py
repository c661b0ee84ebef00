"""Tools that nobody here wrote: the function documents of BFCL, fetched by pip as the benchmark does."""

import re

import pytest

import foreign_tools


@pytest.mark.slow
def test_two_hundred_dialogues_over_bfcl_tools_pass_all_checks(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["foreign_tools.py"])
    code = foreign_tools.main()
    said = capsys.readouterr().out
    assert code == 0, said
    tools, inferred = map(int, re.search(r"tools: (\d+), with inferred return schemas: (\d+)", said).groups())
    assert tools == inferred >= 1000
    assert "accepted 200 of 200, rejected 0" in said
