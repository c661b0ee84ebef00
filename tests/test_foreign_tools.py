"""Tools that nobody here wrote: the function documents of BFCL, fetched by pip as the benchmark does.

Here words stand for meaning: the embedded encoder takes 80 CPU seconds for 8,000 strings, and what is tested are
planning, calls and checks over foreign schemas. `python benchmarks/foreign_tools.py` has the encoder.
"""

import re
from zlib import crc32

import numpy as np
import pytest

import foreign_tools
from toolflow_graph.dialogue import stage
from toolflow_graph.encoder import SentenceEncoder
from toolflow_graph.values.reading import content_words


class WordEncoder(SentenceEncoder):
    """Texts are near when they share words; keeps nothing."""

    def __init__(self):
        super().__init__("words", "words", None, dimension=512)

    def _compute(self, texts, **_):
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in content_words(text.replace("_", " ")) or ("nothing",):
                row[crc32(word.encode()) % self.dimension] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.slow
def test_two_hundred_dialogues_over_bfcl_tools_pass_all_checks(monkeypatch, capsys):
    encoder = WordEncoder()
    monkeypatch.setattr(stage, "_find_encoder", lambda *_: encoder)
    monkeypatch.setattr("sys.argv", ["foreign_tools.py"])
    code = foreign_tools.main()
    said = capsys.readouterr().out
    assert code == 0, said
    tools, inferred = map(int, re.search(r"tools: (\d+), with inferred return schemas: (\d+)", said).groups())
    assert tools == inferred >= 1000
    assert "accepted 200 of 200, rejected 0" in said
